"""The film of the load: one band per expert in its colour, thin ones unnamed, dead ones listed."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from cases import cases
from moeviz import plots, style

LOAD = np.array([[0.25, 0.25, 0.25, 0.25]] * 10 + [[0.6, 0.39, 0.01, 0.0]] * 10)


def test_bands_have_the_experts_colours_and_end_at_their_shares():
    ax = plots.plot_load_film(LOAD)
    assert [to_hex(band.get_facecolor()[0]).upper() for band in ax.collections] == style.expert_colors(4)
    tops = [band.get_paths()[0].vertices[:, 1].max() for band in ax.collections]
    assert tops == pytest.approx([60, 99, 100, 100], abs=1e-9)


def test_dead_experts_are_in_the_title_and_the_description():
    ax = plots.plot_load_film(LOAD)
    assert ax.get_title() == "2 of 4 experts are dead at the end (2, 3)"
    assert "busiest is expert 0 with 60%" in style.describe(ax) and "dead: 2, 3" in style.describe(ax)
    assert plots.plot_load_film(LOAD[:10]).get_title().startswith("0 of 4 experts are dead")


def test_an_expert_below_a_tenth_of_all_but_above_a_tenth_of_its_fair_share_lives():
    assert "0 of 4" in plots.plot_load_film([[0.5, 0.4, 0.05, 0.05]] * 5).get_title()


def test_only_bands_with_room_carry_their_number():
    assert [text.get_text() for text in plots.plot_load_film(LOAD).texts] == ["0", "1"]


def test_smoothing_averages_stretches_of_steps():
    ax = plots.plot_load_film(LOAD, smooth=10)
    assert sorted(set(ax.collections[0].get_paths()[0].vertices[:, 0])) == [4.5, 14.5]


def test_a_smoothed_band_is_the_mean_of_its_stretch():
    ax = plots.plot_load_film([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.5, 0.5]], smooth=2)
    assert ax.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(50)


@cases("load, options, name", [
    ([0.5, 0.5], {}, "load"), ([[0.5, 0.2]], {}, "load"), ([[1.5, -0.5]], {}, "load"),
    ([[np.nan, 1]], {}, "load"), (LOAD, {"smooth": 0}, "smooth"), (LOAD, {"smooth": 21}, "smooth")])
def test_bad_input_is_named(load, options, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        plots.plot_load_film(load, **options)

"""Tables beside their shuffle, values among their nulls, text in languages, one expert's bytes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from cases import cases
from moeviz import plots, routing, style, tinylm, widgets
from moeviz.record import EMPTY
from moeviz.widgets import real
from plot_contract import assert_draws_on_the_given_axes

pytestmark = pytest.mark.slow
COUNTS, SHUFFLED = np.array([[9, 1], [0, 10]]), np.array([[4, 6], [5, 5]])
MEASURED = {"net": [0.4, 0.5], "published": 0.3}
NULLS = {"1 / E": [0.125, 0.125], "shuffle": [[0.2, 0.22], None]}
ROUTED = routing.top_k(np.eye(3)[[0, 1, 2, 0, 1, 1]], k=1)
DRAW = {
    "nulls": lambda **kw: plots.plot_nulls(MEASURED, NULLS, x_label="repetition", **kw),
    "profile": lambda **kw: plots.plot_profile([3, 1], [5, 5], ["digit", "lower"], **kw),
    "rows": lambda **kw: plots.plot_text_rows(ROUTED, "abcdef", ["one", "two"], **kw),
}


@pytest.mark.parametrize("name", DRAW)
def test_a_plot_keeps_to_the_given_axes_and_describes_itself(name):
    assert_draws_on_the_given_axes(DRAW[name])
    assert len(style.describe(DRAW[name]())) > 60


def test_what_dots_count_is_said_once_where_there_is_no_title():
    told = [style.describe(DRAW["nulls"](**on)) for on in ({}, {"title": "nets"})]
    assert told[0].startswith("Dot chart, repetition; ")
    assert told[1].startswith("Dot chart, nets: repetition; ")


def test_a_table_and_its_shuffle_are_shares_of_rows_on_one_scale():
    axes = plots.plot_against_null(COUNTS, SHUFFLED, row_label="domain", row_names=["a", "b"], title="net")
    texts = [[text.get_text() for text in ax.texts] for ax in axes]
    assert texts == [["90", "10", "0", "100"], ["40", "60", "50", "50"]]
    limits = [ax.collections[0].get_clim() for ax in axes]
    assert limits[0] == limits[1] == (0, 100)
    titles = [ax.get_title().replace("\n", " ") for ax in axes]
    assert titles == ["Net: 100% of b go to expert 1",
                      "After a shuffle: 60% of a go to expert 1"]


@cases(("counts", "shuffled", "message"), [
    ([[1, 1], [0, 0]], SHUFFLED, "counts must hold counts >= 0 with no empty row"),
    (COUNTS, [[1, -1], [1, 1]], "shuffled must hold counts"), (COUNTS, [[1, 1]], "shuffled"),
])
def test_tables_without_shares_are_refused(counts, shuffled, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_against_null(counts, shuffled, row_label="domain", row_names=["a", "b"])


def test_every_value_and_null_stands_in_its_row():
    ax = DRAW["nulls"]()
    points = {part.get_label(): part.get_offsets().tolist() for part in ax.collections[1:]}
    assert points == {"measured": [[0.4, 0], [0.5, 0], [0.3, 1]], "1 / E": [[0.125, 0], [0.125, 1]],
                      "shuffle": [[0.2, 0], [0.22, 0]]}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["net", "published"]
    markers = {tuple(part.get_paths()[0].vertices.ravel()) for part in ax.collections[1:]}
    assert len(markers) == 3  # colour is not the only cue
    assert "net 0.400 to 0.500 (1 / E 0.125, shuffle 0.200 to 0.220)" in style.describe(ax)


@cases(("measured", "nulls", "message"), [
    ({}, {}, "measured must hold a row"), (MEASURED, {"x": [1.0]}, "one entry per row"),
    (MEASURED, {str(at): [1, 1] for at in range(7)}, "at most 6"), ({"a": [np.nan]}, {}, "measured"),
])
def test_wrong_values_and_nulls_are_refused(measured, nulls, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_nulls(measured, nulls, x_label="x")


def test_a_profile_shows_shares_of_both():
    ax = DRAW["profile"](color="#123456")
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert widths == [[75, 25], [50, 50]]
    assert to_hex(ax.containers[0][0].get_facecolor()) == "#123456"
    assert [bar.get_width() for bar in plots.plot_profile([0, 0], [1, 1], "ab").containers[0]] == [0, 0]


def test_each_line_of_text_has_its_name_before_it():
    ax = DRAW["rows"]()
    names = {text.get_text(): text.xy for text in ax.texts}
    assert names == {"one": (0, 0.5), "two": (0, 1.5)}
    assert ax.get_xlim()[1] >= 3 and "Lines: one, two." in style.describe(ax)
    with pytest.raises(ValueError, match="row_names must divide the 6 tokens"):
        plots.plot_text_rows(ROUTED, "abcdef", ["a", "b", "c", "d"])


SENTENCE = "Pay 1,250 to x"


def test_one_expert_alone_is_left():
    routed = tinylm.load().route(SENTENCE)[0]
    expert = int(routed.expert_index[0, 0])
    mine = real.only(routed, expert, "one")
    where = routed.expert_index[:, 0] == expert
    assert mine.expert_index[:, 0].tolist() == np.where(where, expert, EMPTY).tolist()
    assert mine.kept[:, 0].tolist() == where.tolist()


def test_the_explorer_draws_the_bytes_of_its_expert():
    model = tinylm.load()
    routed = model.route(SENTENCE)[1]
    expert = int(routed.expert_index[3, 0])
    axes = real.draw_expert(model, SENTENCE, layer=2, expert=expert, net="trained")
    number = (routed.expert_index[:, 0] == expert).sum()
    assert axes[1].get_title().startswith(f"{number} of {len(SENTENCE)} bytes: ")
    color = style.expert_colors(8)[expert]
    assert to_hex(axes[1].containers[0][0].get_facecolor()) == color.lower()
    plt.close("all")
    for wrong in ({"layer": 3}, {"expert": 8}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            real.draw_expert(model, SENTENCE, **{"layer": 1, "expert": 0, "net": "trained"} | wrong)


def test_the_explorer_offers_its_choices():
    box = widgets.explore_expert({"trained": tinylm.load()}, SENTENCE)
    controls = {control.description: len(control.options) for control in box.children[1].children}
    assert controls == {"expert": 8, "layer": 2, "net": 1}

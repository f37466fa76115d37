"""Loss over the cost of training, read back from its artists; and the explorer of notebook 14."""

import itertools
from functools import partial

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from cases import cases
from moeviz import learning, plots, style, widgets
from moeviz.learning import Curve
from moeviz.widgets import compute
from plot_contract import assert_draws_on_the_given_axes

pytestmark = pytest.mark.slow
STEPS = np.array([10, 100])
ONE = Curve(1, 64, STEPS, 2.0 * STEPS, 0.1 * STEPS, np.array([[3.0, 2.0], [3.2, 2.4], [3.1, 2.2]]))
FOUR = Curve(4, 64, STEPS, 2.2 * STEPS, 0.3 * STEPS, np.array([[2.9, 1.8], [3.0, 1.9], [3.1, 2.0]]))
CURVES = {"E = 1": ONE, "E = 4": FOUR}


@pytest.fixture(scope="module")
def stored():
    return learning.load_curves()


def lines(ax):
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def title(ax):
    return ax.get_title() or ax.get_title(loc="left")


def draw(**options):
    return plots.plot_learning(CURVES, **options)


def test_it_draws_on_the_given_axes_and_makes_no_figure():
    assert_draws_on_the_given_axes(draw)
    with pytest.raises(ValueError, match="ax must be"):
        draw(ax="left")


@pytest.mark.parametrize("of, factor", [("flops", 2.2), ("steps", 1.0), ("seconds", 0.3)])
def test_lines_are_the_means_over_the_amount_that_was_asked_for(of, factor):
    ax = draw(of=of)
    x, y = lines(ax)["E = 4"].get_data()
    assert x == pytest.approx(factor * STEPS) and y == pytest.approx([3.0, 1.9])
    assert ax.get_xscale() == "log" and "nats" in ax.get_ylabel()


def test_bands_reach_from_the_lowest_to_the_highest_seed():
    band = draw().collections[0].get_paths()[0].vertices
    assert {round(y, 6) for x, y in band if x == 200} == {2.0, 2.4}
    assert {round(y, 6) for x, y in band if x == 20} == {3.0, 3.2}


def test_dense_networks_are_dashed_each_in_its_own_way_and_mixtures_are_not(stored):
    drawn = lines(plots.plot_learning(stored))
    dense = [line for name, line in drawn.items() if stored[name].is_dense]
    mixtures = [line for name, line in drawn.items() if not stored[name].is_dense]
    assert all(line.get_linestyle() == "--" for line in dense)
    assert all(line.get_linestyle() == "-" for line in mixtures)
    dashes = [tuple(line._dash_pattern[1]) for line in dense]
    assert len(set(dashes)) == len(dashes) >= 4
    colors = [to_hex(line.get_color()) for line in drawn.values()]
    assert len(set(colors)) == len(colors)


def test_a_network_looks_the_same_whoever_it_is_drawn_with(stored):
    alone, among = (lines(plots.plot_learning(each))["E = 64"]
                    for each in ({"E = 64": stored["E = 64"]}, stored))
    assert alone.get_color() == among.get_color()


@pytest.mark.parametrize("of, at", [("flops", 0), ("steps", -1), ("seconds", -1)])
def test_every_line_is_named_in_its_colour_where_lines_lie_apart(of, at):
    ax = draw(of=of)
    names = {text.get_text(): text for text in ax.texts}
    ends = {"E = 1": (getattr(ONE, of)[at], ONE.mean[at]), "E = 4": (getattr(FOUR, of)[-1], FOUR.mean[-1])}
    for name, end in ends.items():
        assert names[name].xy == pytest.approx(end)
        assert to_hex(names[name].get_color()) == to_hex(lines(ax)[name].get_color())


@pytest.mark.parametrize("of", ["flops", "steps", "seconds"])
def test_names_stand_on_no_other_name_and_not_on_the_target(stored, of):
    style.use()
    target = stored["E = 64"].mean[-1]
    ax = plots.plot_learning(stored, of=of, target=target)
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    level = ax.transData.transform((1, target))[1]
    mixture = next(text for text in ax.texts if text.get_text() == "E = 64").get_window_extent()
    assert not mixture.y0 + 2 < level < mixture.y1 - 2


def test_target_and_marks_stand_on_one_level():
    ax = draw(target=2.2, marks=[(150.0, "sparse"), (200.0, "dense")])
    points = [line for line in ax.lines if line.get_marker() == "D"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in points] == [(150, 2.2), (200, 2.2)]
    assert {"sparse", "dense"} <= {note.get_text() for note in ax.texts}
    assert "sparse at 150" in style.describe(ax) and "2.200" in style.describe(ax)


def test_the_description_has_ends_and_spread():
    sentence = style.describe(draw(title="by hand"))
    assert "by hand" in sentence and "E = 1 from 3.100 to 2.200" in sentence and "within 0.400" in sentence


def test_limits_hold_two_pictures_on_one_scale():
    assert draw(limits=(1.0, 4.0)).get_ylim() == (1.0, 4.0)


def test_ticks_are_plain_text():
    ax = draw()
    ax.figure.draw_without_rendering()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert "100" in labels and not any("$" in label for label in labels)


@cases("call", [
    lambda: plots.plot_learning({}), lambda: plots.plot_learning([ONE]), lambda: draw(of="hours"),
    lambda: draw(target=float("nan")), lambda: draw(target=2.0, marks=[(-1.0, "x")])])
def test_wrong_arguments_are_refused(call):
    with pytest.raises(ValueError):
        call()


def test_every_text_has_at_least_12_points_in_the_classroom_style(stored):
    with mpl.rc_context():
        style.use()
        ax = plots.plot_learning(stored, target=1.7, marks=[(1e11, "a"), (2e11, "b")])
        ax.figure.draw_without_rendering()
        assert min(t.get_fontsize() for t in ax.findobj(mpl.text.Text) if t.get_text()) >= 12


# --- the explorer ---

draw_saving = partial(compute.draw_saving, experts=64, opponent="the same net, longer", target=1.6,
                      of="flops")


def test_the_title_is_the_saving_of_the_curves(stored):
    for opponent in ("the same net, longer", "the best dense width"):
        rivals = learning.opponents_of(stored, 64)[opponent]
        factor = learning.saving(stored["E = 64"], rivals, target=1.6, of="steps")
        share = f"1/{factor:.1f} of" if factor >= 1 else f"{1 / factor:.1f} times"
        ax = draw_saving(stored, opponent=opponent, of="steps")
        assert title(ax) == f"E = 64 needs {share} the steps"
        assert set(lines(ax)) == {"E = 64", *rivals}


def test_a_loss_that_one_of_them_misses_is_said_so(stored):
    ax = draw_saving(stored, experts=4, target=1.0)
    assert "Not both" in title(ax)
    assert not [line for line in ax.lines if line.get_marker() == "D"]


def test_a_loss_that_one_of_them_had_before_its_first_measurement_is_said_so(stored):
    ax = draw_saving(stored, experts=16, opponent="equal total size", target=1.82, of="steps")
    assert title(ax) == "Dense 512 starts below a loss of 1.82"


def test_two_pictures_have_one_scale_of_loss_that_holds_every_curve(stored):
    limits = {draw_saving(stored, experts=e).get_ylim() for e in (4, 64)}
    assert len(limits) == 1
    (low, high), = limits
    means = np.concatenate([curve.mean for curve in stored.values()])
    assert low < means.min() and means.max() < high


@cases("values, name", [({"experts": 5}, "experts"), ({"opponent": "none"}, "opponent"),
                                          ({"of": "hours"}, "of"), ({"target": float("nan")}, "target")])
def test_bad_choices_are_named(stored, values, name):
    with pytest.raises(ValueError, match=f"^{name} must"):
        draw_saving(stored, **values)


def test_every_setting_of_the_explorer_can_be_drawn(stored):
    widget = widgets.explore_saving()
    row = widget.children[1]
    assert [control.value for control in row.children] == [64, "the same net, longer", 1.6, "flops"]

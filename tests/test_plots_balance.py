"""The pictures of notebooks 05 and 06: meters of loads, the map of entropies, drops in the text."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from cases import cases
from moeviz import plots, style
from moeviz.capacity import apply_capacity
from moeviz.routing import top_k
from plot_contract import (
    assert_draws_on_the_given_axes,
    assert_makes_its_own_figure,
)

LOADS = {"even": [3, 3, 3], "uneven": [8, 1, 0]}
METERS = {"MaxVio": np.array([0.0, 5 / 3]), "dead": np.array([0, 1])}
POINTS = {"a": (0.1, 0.9), "b": (0.9, 0.2)}
ROUTED = top_k(np.random.default_rng(0).normal(size=(12, 3)), k=2)
LETTERS = list("abcdefghijkl")

PUSH = np.random.default_rng(1).normal(size=(12, 3))
ONE_AXES = {
    "push": lambda **kw: plots.plot_push(ROUTED, PUSH, **kw),
    "meters": lambda **kw: plots.plot_meters(LOADS, METERS, **kw),
    "map": lambda **kw: plots.plot_entropy_map(POINTS, paths={"heat": [(0.1, 0.5), (0.9, 0.5)]}, **kw),
}


@pytest.mark.parametrize("draw", ONE_AXES.values(), ids=ONE_AXES)
def test_a_plot_draws_on_the_given_axes_and_makes_no_figure(draw):
    assert_draws_on_the_given_axes(draw)


@pytest.mark.parametrize("draw", ONE_AXES.values(), ids=ONE_AXES)
def test_without_axes_a_plot_makes_one_figure_and_leaves_the_current_axes_alone(draw):
    assert_makes_its_own_figure(draw)
    with pytest.raises(ValueError, match="ax must be"):
        draw(ax="left")


# --- plot_meters ---

def collections(ax):
    return [c for c in ax.collections if isinstance(c, PolyCollection)]


def extents(collection, axis):
    boxes = [path.vertices[:, axis] for path in collection.get_paths()]
    return np.array([np.ptp(box) for box in boxes])


def test_loads_are_drawn_as_shares_on_one_scale():
    even, uneven = collections(plots.plot_meters(LOADS, METERS))[:2]
    assert extents(uneven, 1) / extents(even, 1)[0] == pytest.approx([8 / 3, 1 / 3, 0])
    assert [to_hex(c) for c in even.get_facecolor()] == [c.lower() for c in style.expert_colors(3)]


def test_loads_of_different_totals_are_compared_by_share():
    one, other = collections(plots.plot_meters({"counts": [6, 2], "shares": [0.75, 0.25]}, {}))
    assert extents(one, 1) == pytest.approx(extents(other, 1))


def test_readings_are_printed_and_the_highest_alone_is_bold_and_coloured():
    ax = plots.plot_meters(LOADS, METERS)
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["1.67", "1"]
    assert {"0.00", "0"} <= {text.get_text() for text in ax.texts}
    bars = collections(ax)[3]
    assert extents(bars, 0).tolist() == pytest.approx([0, 0.72])
    assert to_hex(bars.get_facecolor()[1]) != to_hex(bars.get_facecolor()[0])


def test_where_a_meter_reads_zero_everywhere_nothing_is_marked():
    ax = plots.plot_meters(LOADS, {"drops": [0.0, 0.0]})
    assert all(text.get_fontweight() != "bold" for text in ax.texts)


def test_the_description_of_meters_names_the_worst_load():
    assert "MaxVio highest on uneven (1.67)" in style.describe(plots.plot_meters(LOADS, METERS))


@cases(("loads", "meters", "message"), [
    ({}, {}, "at least one load"), ([[1, 2]], {}, "loads must be"),
    ({"a": [0, 0]}, {}, "positive sum"), ({"a": [2, -1]}, {}, "non-negative"),
    ({"a": [1.0, np.nan]}, {}, "finite"), ({"a": []}, {}, "positive sum"),
    (LOADS, {"m": [1.0]}, r"meters\['m'\] must have shape \(2,\)"),
    (LOADS, {"m": [-1.0, 0.0]}, "non-negative"),
])
def test_bad_meters_are_named(loads, meters, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_meters(loads, meters)


# --- plot_entropy_map ---

def test_the_map_has_a_dot_per_router_a_line_per_path_and_four_meanings():
    ax = plots.plot_entropy_map(POINTS, paths={"heat": [(0.1, 0.5), (0.9, 0.5)]})
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xydata()[0].tolist() for dot in dots] == [[0.1, 0.9], [0.9, 0.2]]
    path = next(line for line in ax.lines if line.get_label() == "heat")
    assert path.get_xydata().tolist() == [[0.1, 0.5], [0.9, 0.5]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["heat"]
    words = {text.get_position(): text.get_text() for text in ax.texts}
    assert words[(0.75, 0.25)].startswith("this corner:\nundecided, collapsed")
    assert words[(0.25, 0.75)].startswith("this corner:\nsure, even")
    assert len(ax.patches) == 1  # no border at 0.5, which means nothing


def test_names_on_the_map_lean_towards_its_middle():
    texts = {text.get_text(): text for text in plots.plot_entropy_map(POINTS).texts}
    assert texts["a"].get_ha() == "left" and texts["b"].get_ha() == "right"
    assert texts["a"].xyann[1] < 0 < texts["b"].xyann[1]


def test_the_description_of_the_map_says_where_each_router_is():
    said = style.describe(plots.plot_entropy_map(POINTS, paths={"heat": [(0.1, 0.5), (0.9, 0.5)]}))
    assert "b at router entropy 0.90, load entropy 0.20" in said
    assert "heat from (0.10, 0.50) to (0.90, 0.50)" in said


@cases(("points", "paths", "message"), [
    ({"a": (1.5, 0.0)}, None, r"points\['a'\] must lie between 0 and 1"),
    ({"a": (0.1, -0.2)}, None, "between 0 and 1"), ({"a": (0.1, 0.2, 0.3)}, None, "two columns"),
    ({}, {"p": [(0.0, np.nan)]}, "finite"), ({}, {"p": [(0.0, 2.0)]}, r"paths\['p'\]"),
])
def test_bad_points_are_named(points, paths, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_entropy_map(points, paths=paths)


# --- plot_text_orders ---

def orders():
    return plots.plot_text_orders(
        {order: apply_capacity(ROUTED, 5, order=order) for order in ("token", "score")}, LETTERS, per_row=12)


def hatched(ax):
    """Count the cells that are hatched: those of the text, and one of the key where it stands."""
    return sum(len(c.get_paths()) for c in ax.collections if c.get_hatch())


def test_each_order_has_its_own_text_with_its_drops_hatched_and_counted():
    axes = orders()
    assert len(axes) == 2 and len(plt.get_fignums()) == 1
    for ax, order in zip(axes, ("token", "score"), strict=True):
        limited = apply_capacity(ROUTED, 5, order=order)
        dropped, alone = int((~limited.kept).sum()), int((~limited.kept.any(axis=1)).sum())
        assert dropped > 0 and hatched(ax) == dropped + (ax is axes[-1])  # one key for all
        assert ax.get_title().replace("\n", " ") == (f"{order.title()}: {dropped} of 24 choices dropped, "
                                                     f"{alone} of 12 tokens left with none")
        assert style.describe(ax).startswith("Coloured text")


@cases(("routings", "labels", "message"), [
    ({}, LETTERS, "at least one"), ([ROUTED], LETTERS, "routings must be"),
    ({"a": ROUTED}, ["x"], "labels must have one entry per token"), ({"a": "b"}, LETTERS, "Routing"),
])
def test_bad_orders_are_named(routings, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_text_orders(routings, labels)


def test_the_arrows_go_where_a_step_against_the_gradient_goes():
    gradient = np.tile([0.3, -0.1, 0.0], (12, 1))
    ax = plots.plot_push(ROUTED, gradient)
    heights = [text.xy[1] - text.xyann[1] for text in ax.texts[:3]]
    assert heights[0] < 0 < heights[1] and heights[2] == 0
    assert heights[1] / heights[0] == pytest.approx(-1 / 3)
    with pytest.raises(ValueError, match="gradient"):
        plots.plot_push(ROUTED, gradient[:5])


def test_shares_below_an_arrow_are_marked_up_to_all_of_them():
    routed = top_k([[2.0, 0.0]] * 4, 1)
    ax = plots.plot_push(routed, [[0.1, -0.1]] * 4)
    marks = ax.get_yticks()
    assert marks[0] == 0 and marks[-1] == 100 and np.diff(marks).min() >= 10 and ax.get_ylim()[1] > 100


def test_the_title_of_metrics_says_a_number_as_its_cell_does():
    ax = plots.plot_meters({"even": [2, 2], "uneven": [4, 0]}, {"CV": np.array([0.1, 0.9249])})
    title = ax.get_title()
    assert title.startswith("Least even is uneven") and title.split()[-1] in {t.get_text() for t in ax.texts}


def test_a_key_below_a_chart_stands_in_one_row_where_it_fits():
    x, falls = np.arange(5), np.array([9.0, 4, 1, 0, 0])
    lines = {f"factor {scale}": falls * scale for scale in (1, 0.5, 0.2)}
    keys = [plots.plot_curves(x, lines, x_label="x", y_label="y", ax=style.fixed_axes((wide, 4), left=1)
                              ).get_legend() for wide in (10, 4)]
    assert [key._ncols for key in keys] == [3, 2]

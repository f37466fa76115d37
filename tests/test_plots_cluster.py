"""The pictures of notebook 19: traffic between devices, their load, the time line; and its explorer."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch, Rectangle

from cases import cases
from moeviz import cluster, plots, routing, style, widgets
from moeviz.widgets import real
from plot_contract import assert_draws_on_the_given_axes, words_on

pytestmark = pytest.mark.slow
MATRIX = np.array([[5, 1, 0], [7, 2, 3], [0, 4, 9]])
SERVED = np.array([[30, 0, 10], [0, 20, 0]])
PHASES = cluster.Phases(np.array([1.0, 2.0]), np.array([4.0, 1.0]), np.array([1.0, 1.0]))
SPANS = cluster.timeline(PHASES)
LOGITS = np.random.default_rng(0).normal(size=(64, 16))
TYPED = routing.top_k([[3.0, 2, 0, 0], [3, 0, 2, 0], [0, 0, 3, 2]], 2)
TWO = cluster.contiguous(4, 2)
DRAWINGS = {"exchange": lambda **kw: plots.plot_exchange(TYPED, TWO, home=[0, 0, 1], **kw),
            "traffic": lambda **kw: plots.plot_traffic(MATRIX, **kw),
            "load": lambda **kw: plots.plot_device_load(SERVED, **kw),
            "timeline": lambda **kw: plots.plot_timeline(SPANS, **kw),
            "lanes": lambda **kw: plots.plot_timeline(cluster.timeline(PHASES, chunks=2), **kw)}


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_plot_draws_on_the_given_axes_and_makes_no_figure(draw):
    assert_draws_on_the_given_axes(draw)


# --- plot_traffic ---

def test_every_count_is_printed_and_colours_leave_the_diagonal_out():
    ax = plots.plot_traffic(MATRIX)
    counts = words_on(ax, "_counts", map(str, range(10)))
    assert [int(count.text) for count in counts] == MATRIX.ravel().tolist()
    assert [count.place for count in counts] == [(x + 0.5, y + 0.5) for y in range(3) for x in range(3)]
    mesh = ax.collections[0]
    assert mesh.get_array().ravel().tolist() == [0, 1, 0, 7, 0, 3, 0, 4, 0]
    assert mesh.get_clim() == (0, 7)  # not 9, which stays at home
    at_home = [patch.get_xy() for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    assert at_home == [(0, 0), (1, 1), (2, 2)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("to device", "from device")
    assert ax.get_ylim() == (3, 0)  # row 0 on top


def test_many_devices_get_a_colour_bar():
    many = plots.plot_traffic(np.full((20, 20), 5))
    assert not [c for c in many.collections if c.get_label() == "_counts"] and len(many.figure.axes) == 2
    assert many.collections[0].get_clim() == (0, 5)


def test_the_description_of_traffic_counts_what_leaves_home():
    said = style.describe(plots.plot_traffic(MATRIX, title="rows sent"))
    assert "rows sent: 31 rows" in said and "15 (48%) leave home" in said
    assert "most from device 1 to device 0 (7)" in said


# --- plot_device_load ---

def test_bars_stack_the_experts_of_a_device_in_their_colours():
    ax = plots.plot_device_load(SERVED)
    boxes = [(bar.get_x() + bar.get_width() / 2, bar.get_y(), bar.get_height()) for bar in ax.patches]
    assert [box for box in boxes if box[2]] == [(0, 0, 30), (1, 0, 20), (0, 30, 10)]
    assert [to_hex(bar.get_facecolor()).upper() for bar in ax.patches] == style.expert_colors(3)
    assert ax.lines[0].get_ydata()[0] == 30  # the mean
    assert {"1.333 × mean", "mean\n30", "e0", "e1", "e2"} == {text.get_text() for text in ax.texts}
    assert plots.plot_device_load(SERVED, top=99).get_ylim() == (0, 99)
    assert "most to device 0 (40, 67%)" in style.describe(ax)


def test_the_slowest_device_is_marked_where_it_is():
    marks = [text for text in plots.plot_device_load([[1], [5], [3]]).texts if "× mean" in text.get_text()]
    assert [(mark.xy, mark.get_text()) for mark in marks] == [((1, 5), "1.667 × mean")]


@pytest.mark.parametrize(("count", "numbered"), [(10, list(range(10))), (16, list(range(0, 16, 2)))])
def test_devices_are_numbered_as_densely_as_two_digits_have_room(count, numbered):
    load = plots.plot_device_load(np.ones((count, 2), int))
    sent = plots.plot_traffic(np.ones((count, count), int))
    for labels in (load.get_xticklabels(), sent.get_xticklabels(), sent.get_yticklabels()):
        assert [int(label.get_text()) for label in labels] == numbered


def test_many_experts_go_unnamed():
    assert len(plots.plot_device_load(np.ones((2, 17), int)).texts) == 2


# --- plot_timeline ---

def bars_of(ax, label):
    container = next(c for c in ax.containers if c.get_label() == label)
    boxes = [(bar.get_y() + bar.get_height() / 2, bar.get_x(), bar.get_width()) for bar in container]
    return [(place, start, start + width) for place, start, width in boxes]


def test_each_span_is_a_bar_of_its_device_and_waits_are_hatched():
    ax = plots.plot_timeline(SPANS)
    assert bars_of(ax, "compute") == [(0, 2, 6), (1, 2, 3)]
    assert bars_of(ax, "wait") == [(0, 1, 2), (1, 3, 6)]
    assert all(bar.get_hatch() for c in ax.containers if c.get_label() == "wait" for bar in c)
    assert not any(bar.get_hatch() for c in ax.containers if c.get_label() == "compute" for bar in c)
    assert "7 s" in [text.get_text() for text in ax.texts]
    said = style.describe(ax)
    assert "7 s in all" in said and "device 1 waits longest for others (3 s)" in said


def test_overlapping_parts_get_a_lane_for_the_network_and_one_for_the_processor():
    ax = plots.plot_timeline(cluster.timeline(PHASES, chunks=2))
    assert all(place < round(place) for place, *_ in bars_of(ax, "send tokens") + bars_of(ax, "send answers"))
    assert all(place > round(place) for place, *_ in bars_of(ax, "compute"))
    assert "wait" not in [c.get_label() for c in ax.containers]


@pytest.mark.parametrize(("seconds", "unit"), [(2.0, "s"), (2e-3, "ms"), (2e-6, "µs")])
def test_time_is_shown_in_a_fitting_unit(seconds, unit):
    spans = cluster.timeline(cluster.Phases([seconds], [0.0], [0.0]))
    ax = plots.plot_timeline(spans)
    assert ax.get_xlabel() == f"time ({unit})" and f"2 {unit}" in [text.get_text() for text in ax.texts]


@cases(("draw", "message"), [
    (lambda: plots.plot_traffic([[1, 2]]), "matrix must be a square matrix"),
    (lambda: plots.plot_traffic([1]), "matrix must be"), (lambda: plots.plot_traffic([[-1]]), "at least 0"),
    (lambda: plots.plot_traffic([[1.5]]), "whole numbers"),
    (lambda: plots.plot_device_load([[0.5]]), "served must hold whole numbers"),
    (lambda: plots.plot_device_load([]), "served must be a matrix"),
    (lambda: plots.plot_timeline([]), "at least one span"),
    (lambda: plots.plot_timeline(["x"]), "of the kinds"),
])
def test_bad_input_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


# --- plot_device_loads ---

def test_placements_stand_side_by_side_on_one_scale():
    axes = plots.plot_device_loads({"one": SERVED, "two": SERVED[:, ::-1]})
    assert [ax.get_ylim() for ax in axes] == [(0, 46)] * 2
    assert [" ".join(ax.get_title().split()).partition(":")[0] for ax in axes] == ["One", "Two"]
    assert [len(ax.get_yticklabels()) > 0 and ax.get_ylabel() != "" for ax in axes] == [True, False]
    with pytest.raises(ValueError, match="placements must hold at least one"):
        plots.plot_device_loads({})


# --- plot_exchange ---

def test_before_the_first_move_the_table_says_so():
    ax = plots.plot_exchange(TYPED, TWO, home=[0, 0, 1], moves=0)
    assert style.tables_of(ax.figure)[0]["rows"] == [["none yet", "", ""]]


def arrows(moves):
    ax = plots.plot_exchange(TYPED, TWO, home=[0, 0, 1], moves=moves)
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_rows_go_out_one_by_one_and_answers_come_back():
    assert len(arrows(0)) == 0 and len(arrows(4)) == 4
    assert len(arrows(6)) == len(arrows(9)) == len(arrows(12)) == 6
    out, back = (arrow._posA_posB for arrow in (arrows(4)[3], arrows(10)[-1]))
    assert [list(end) for end in out] == [list(end) for end in back[::-1]]
    assert out[0][1] > out[1][1]  # from the token above to the expert below


def test_what_crosses_has_the_colour_of_its_expert_and_the_last_move_is_thick():
    drawn = arrows(4)
    plain = [arrow.get_linestyle() in ("-", "solid") for arrow in drawn]
    assert plain == [False, False, False, True]
    assert to_hex(drawn[3].get_edgecolor()) == style.on_white(style.expert_colors(4)[2]).lower()
    assert [arrow.get_linewidth() for arrow in drawn] == [2, 2, 2, 4]
    ax = plots.plot_exchange(TYPED, TWO, home=[0, 0, 1], moves=12)
    assert ax.get_title() == "2 of 12 moves went from device to device"
    assert "12 moves, of which 2 went" in style.describe(ax)


@pytest.mark.parametrize(("values", "message"), [
    ({"moves": 13}, "moves must be"), ({"home": [0, 1]}, "home"), ({"home": [0, 1, 2]}, "home must lie")])
def test_bad_exchanges_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_exchange(TYPED, TWO, **({"home": [0, 0, 1]} | values))


# --- the explorer ---

def test_the_exchange_counts_its_moves(shown):
    box = widgets.explore_exchange(TYPED, TWO, home=[0, 0, 1])
    control, = (child for child in box.children[1].children if isinstance(child, ipywidgets.IntSlider))
    assert (control.min, control.max, control.value) == (0, 12, 12)
    control.value = 3
    assert len(shown) == 2


def test_every_control_shows_one_more_picture(shown):
    box = widgets.explore_placement(LOGITS, k=2)
    controls = [child for child in box.children[1].children if isinstance(child, ipywidgets.Dropdown)]
    assert [control.description for control in controls] == ["devices", "placement", "most devices per token"]
    for count, control in enumerate(controls, start=2):
        control.index = control.index - 1 if control.index else 1
        assert len(shown) == count
    assert plt.get_fignums() == []


def drawn(**values):
    settings = {"k": 2, "devices": 4, "placement": "contiguous", "limit": 0}
    return real.draw_placement(LOGITS, **settings | values)


def test_the_explorer_draws_the_traffic_and_the_load_of_its_settings():
    axes = drawn()
    routed, placed = routing.top_k(LOGITS, 2), cluster.contiguous(16, 4)
    moved = cluster.traffic_matrix(routed, placed, merge="device")
    counts = words_on(axes[0], "_counts", map(str, range(moved.max() + 1)))
    assert [int(count.text) for count in counts] == moved.ravel().tolist()
    heights = np.zeros(4)
    for bar in axes[1].patches:
        heights[round(bar.get_x() + bar.get_width() / 2)] += bar.get_height()
    assert heights.tolist() == cluster.device_load(routed, placed).tolist()


def test_the_limit_holds_for_neighbours_alone():
    assert drawn(limit=1)[0].get_title() == "Devices per token: 1.00, at most 1"
    assert drawn(limit=1, placement="round robin")[0].get_title().endswith("at most 2")


def test_copies_even_out_the_load():
    texts = [[text.get_text() for text in drawn(placement=name)[1].texts]
             for name in ("contiguous", "greedy by load", "8 extra copies")]
    ratios = [float(text.split()[0]) for written in texts for text in written if "× mean" in text]
    assert ratios[0] > ratios[1] >= ratios[2] and ratios[2] < 1.1


@cases(("values", "message"), [
    ({"placement": "by feel"}, "placement must be one of"), ({"limit": -1}, "limit"),
    ({"limit": 1, "devices": 16}, "k"), ({"devices": 17}, "num_devices"),
])
def test_bad_settings_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        drawn(**values)

"""The pictures of gating, seats, blocks and measured numbers, read back from their artists."""

from itertools import pairwise
from math import erf, sqrt

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cases import cases
from moeviz import plots, style
from moeviz.capacity import seat_positions
from moeviz.plots.gate import find_regions, polygon_area
from moeviz.plots.names import spread
from moeviz.record import EMPTY
from moeviz.routing import top_k
from plot_contract import (
    assert_draws_on_the_given_axes,
    assert_makes_its_own_figure,
)

pytestmark = pytest.mark.slow
COLORS = [color.lower() for color in style.OKABE_ITO]
GATE = np.array([[1.0, -0.5, -0.6, 0.2], [0.1, 1.0, -0.7, -1.0]])
LOGITS, STD = np.array([1.2, 0.3, -0.4]), np.array([0.5, 0.8, 1.2])
CUT = np.array([0.4, 1.0, 1.0])
CHANCE = np.array([0.945, 0.191, 0.122])
STAGES = [("score", [2.0, 1.0, -1.0]), ("softmax", [0.71, 0.26, 0.03]), ("top-2", [0.71, 0.26, 0.0])]
CHOSEN = np.array([True, True, False])


def six_tokens():
    return top_k(np.random.default_rng(0).normal(size=(6, 3)), k=2)


EVERY = {
    "plot_regions": lambda **kw: plots.plot_regions(GATE, tokens=np.eye(2), **kw),
    "plot_noisy_threshold": lambda **kw: plots.plot_noisy_threshold(LOGITS, STD, CUT, CHANCE, **kw),
    "plot_seats": lambda **kw: plots.plot_seats(six_tokens(), 3, **kw),
    "plot_gate_steps": lambda **kw: plots.plot_gate_steps(STAGES, CHOSEN, **kw),
    "plot_matrix": lambda **kw: plots.plot_matrix(np.eye(3), row_label="token", column_label="slot", **kw),
    "plot_block": lambda **kw: plots.plot_block(8, 2, **kw),
    "plot_dense_blocks": lambda **kw: plots.plot_dense_blocks(np.ones((4, 8)), 4, **kw),
    "plot_timing": lambda **kw: plots.plot_timing(["loop", "grouped"], [0.02, 0.01], **kw),
    "plot_curves": lambda **kw: plots.plot_curves([0, 1], {"a": [1.0, 2.0]}, x_label="x", y_label="y", **kw),
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_draws_on_the_given_axes_and_makes_no_figure(draw):
    assert_draws_on_the_given_axes(draw)


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_without_axes_a_plot_makes_one_figure_and_leaves_the_current_axes_alone(draw):
    assert len(style.describe(assert_makes_its_own_figure(draw))) > 40


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_what_is_no_axes_is_named(draw):
    with pytest.raises(ValueError, match="ax must be"):
        draw(ax="left")


# --- plot_regions ---

@given(seed=st.integers(0, 10_000), experts=st.integers(1, 9))
def test_regions_are_where_the_argmax_says_and_fill_the_square(seed, experts):
    rng = np.random.default_rng(seed)
    gate, bias, points = rng.normal(size=(2, experts)), rng.normal(size=experts), rng.uniform(-2, 2, (40, 2))
    regions = find_regions(gate, bias, 2.0)
    assert sum(polygon_area(region) for region in regions) == pytest.approx(16)
    owners = np.argmax(points @ gate + bias, axis=1)
    for expert, region in enumerate(regions):
        inside = mpl.path.Path(np.vstack([region, region[:1]])).contains_points(points) if len(region) else []
        assert np.flatnonzero(inside).tolist() == np.flatnonzero(owners == expert).tolist()


def test_of_equal_experts_the_lowest_owns_the_plane():
    regions = find_regions(np.ones((2, 3)), np.zeros(3), 1.0)
    assert [polygon_area(region) for region in regions] == [4.0, 0.0, 0.0]


def test_regions_carry_colour_number_and_tokens():
    ax = plots.plot_regions(GATE, tokens=np.array([[2.0, 0.0], [0.0, 2.0]]), bias=np.zeros(4))
    polygons = next(c for c in ax.collections if type(c) is PolyCollection)
    faces = [to_hex(color) for color in polygons.get_facecolor()]
    assert faces == [style.tint(color, 0.34) for color in COLORS[:4]]
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2", "3"]
    for text, path in zip(ax.texts, polygons.get_paths(), strict=True):
        assert path.contains_point(text.get_position())
    dots = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert [to_hex(color) for color in dots.get_facecolor()] == COLORS[:2]
    arrows = next(c for c in ax.collections if isinstance(c, mpl.quiver.Quiver))
    assert np.stack([arrows.U, arrows.V]).tolist() == GATE.tolist()


def test_a_bias_moves_the_boundary():
    ax = plots.plot_regions([[1.0, -1.0], [0.0, 0.0]], bias=[0.0, 3.0], span=3.0)
    assert "expert 1 owns most (75%), expert 0 least (25%)" in style.describe(ax)


@cases(("arguments", "name"), [
    ({"gate": np.ones((3, 4))}, "gate"), ({"gate": [[np.nan], [0]]}, "gate"), ({"bias": [1.0]}, "bias"),
    ({"tokens": np.ones((2, 3))}, "tokens"), ({"span": 0.0}, "span"), ({"span": np.inf}, "span"),
])
def test_wrong_regions_are_named(arguments, name):
    arguments = {"gate": GATE, **arguments}
    with pytest.raises(ValueError, match=name):
        plots.plot_regions(arguments.pop("gate"), **arguments)


# --- plot_noisy_threshold ---

def test_the_shaded_part_is_the_chance_that_is_printed():
    chance = np.array([0.5 * (1 - erf(z / sqrt(2))) for z in (CUT - LOGITS) / STD])
    ax = plots.plot_noisy_threshold(LOGITS, STD, CUT, chance)
    fills = [abs(polygon_area(c.get_paths()[0].vertices)) for c in ax.collections]
    shaded = np.array(fills[1::2]) / np.array(fills[0::2])
    assert shaded == pytest.approx(chance, abs=2e-3)
    assert [text.get_text() for text in ax.texts][:3] == [f"P = {value:.2f}" for value in chance]


def test_rows_have_their_experts_colour_and_threshold():
    ax = plots.plot_noisy_threshold(LOGITS, STD, CUT, CHANCE)
    assert [to_hex(c.get_facecolor()[0]) for c in ax.collections[1::2]] == COLORS[:3]
    upright = [line for line in ax.lines if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2]
    assert [line.get_xdata()[0] for line in upright] == CUT.tolist()
    assert "largest for expert 0 (0.94)" in style.describe(ax)


@cases(("at", "value", "name"), [
    (0, [[1.0]], "logits"), (1, [0.5, 0.5, 0.0], "noise_std"), (1, [0.5], "noise_std"),
    (2, [0.4, np.inf, 1.0], "threshold"), (3, [0.1, 0.2], "chance"), (0, [], "noise_std"),
])
def test_wrong_thresholds_are_named(at, value, name):
    arguments = [LOGITS, STD, CUT, CHANCE]
    arguments[at] = value
    with pytest.raises(ValueError, match=name):
        plots.plot_noisy_threshold(*arguments)


# --- plot_seats ---

def people(ax):
    """Return (expert, column) of who sits and of who stands."""
    collections = [c for c in ax.collections if type(c) is PolyCollection][1:]
    places = [[path.get_extents().get_points().mean(axis=0)[::-1].round(6).tolist() for path in c.get_paths()]
              for c in collections]
    return places if len(places) == 2 else [*places, []]


@pytest.mark.parametrize("order", ["choice", "token", "score"])
def test_everyone_sits_in_the_seat_they_were_given(order):
    record = top_k(np.random.default_rng(3).normal(size=(20, 4)), k=2)
    seats = seat_positions(record, order=order)
    ax = plots.plot_seats(record, 8, seats=seats)
    seated, standing = people(ax)
    expected = {(e, s + 0.5) for e, s in zip(record.expert_index.ravel(), seats.ravel(), strict=True)}
    assert {tuple(place) for place in seated} == {place for place in expected if place[1] < 8}
    assert {(e, column - 0.5) for e, column in standing} == {place for place in expected if place[1] > 8}
    assert f"{len(seated)} sit, {len(standing)} are dropped" in style.describe(ax)


@pytest.mark.parametrize("order", ["choice", "token", "score"])
@pytest.mark.parametrize("step", [0, 1, 17, 40])
def test_a_step_shows_the_first_arrivals_and_leaves_no_gap(order, step):
    record = top_k(np.random.default_rng(3).normal(size=(20, 4)), k=2)
    ax = plots.plot_seats(record, 8, seats=seat_positions(record, order=order), step=step)
    places = sorted(seat for places in people(ax) for seat in map(tuple, places))
    assert len(places) == step
    taken = [sum(expert == e for expert, _ in places) for e in range(4)]
    last = [max([c - 0.5 * (c > 8) for expert, c in places if expert == e], default=-0.5) for e in range(4)]
    assert [int(column + 0.5) for column in last] == taken
    assert ax.get_xlim() == plots.plot_seats(record, 8, seats=seat_positions(record, order=order)).get_xlim()


def test_the_token_order_seats_both_choices_of_a_token_at_once():
    record = top_k(np.random.default_rng(3).normal(size=(20, 4)), k=2)
    seats = seat_positions(record, order="token")
    seated, standing = people(plots.plot_seats(record, 20, seats=seats, step=24))
    first = np.bincount(record.expert_index[:12].ravel(), minlength=4)
    assert np.bincount([int(expert) for expert, _ in seated], minlength=4).tolist() == first.tolist()
    assert not standing


def test_without_seats_the_first_choices_go_first_and_old_drops_do_not_matter():
    record = six_tokens()
    expected = people(plots.plot_seats(record, 3, seats=seat_positions(record, order="choice")))
    assert people(plots.plot_seats(record, 3)) == expected
    dropped = type(record)(None, record.probs, record.expert_index, record.combine_weight,
                           np.zeros_like(record.kept))
    assert people(plots.plot_seats(dropped, 3)) == expected


@cases(("arguments", "name"), [
    ({"capacity": -1}, "capacity"), ({"capacity": 2.0}, "capacity"), ({"step": 13}, "step"),
    ({"step": -1}, "step"), ({"labels": ["a"]}, "labels"), ({"seats": np.zeros((6, 1), int)}, "seats"),
    ({"seats": np.zeros((6, 2))}, "seats"), ({"seats": np.zeros((6, 2), int)}, "seats"),
    ({"seats": np.arange(12).reshape(6, 2) - 4}, "seats"),
])
def test_wrong_seats_are_named(arguments, name):
    arguments = {"capacity": 3, **arguments}
    with pytest.raises(ValueError, match=name):
        plots.plot_seats(six_tokens(), arguments.pop("capacity"), **arguments)


def test_no_capacity_leaves_everyone_standing():
    seated, standing = people(plots.plot_seats(six_tokens(), 0))
    assert len(seated) + len(standing) == 12
    assert "0 sit, 12 are dropped" in style.describe(plots.plot_seats(six_tokens(), 0))


def test_empty_slots_take_no_seat():
    index = np.array([[0, EMPTY], [1, 0]])
    record = type(six_tokens())(None, np.full((2, 2), 0.5), index, [[1.0, 0.0], [0.5, 0.5]], index != EMPTY)
    assert "3 of 3 choices have arrived" in style.describe(plots.plot_seats(record, 3))


# --- plot_gate_steps ---

def test_each_stage_prints_its_numbers():
    texts = [text.get_text() for text in plots.plot_gate_steps(STAGES, CHOSEN).texts]
    drawn = [text for text in texts if text]
    assert drawn[:10] == ["score", "2.00", "1.00", "−1.00", "scale −1.00 to 2.00",
                          "softmax", "0.71", "0.26", "0.03", "scale 0 to 1"]
    assert "top-2" in texts


def test_shares_are_drawn_to_one_scale_and_losers_fade():
    bars = [patch for patch in plots.plot_gate_steps(STAGES, CHOSEN).patches if isinstance(patch, Rectangle)]
    widths = np.array([bar.get_width() for bar in bars[:9]]).reshape(3, 3)
    assert widths[1] / widths[1, 0] == pytest.approx(np.array([0.71, 0.26, 0.03]) / 0.71)
    assert widths[2] == pytest.approx([widths[1, 0], widths[1, 1], 0])
    assert widths[0] / widths[0, 0] == pytest.approx([1, 0.5, -0.5])
    assert [to_hex(bar.get_facecolor()) for bar in bars[:3]] == [*COLORS[:2], style.tint(COLORS[2], 0.35)]


def test_a_last_stage_that_changes_nothing_one_can_read_says_what_it_gives():
    almost = [("softmax", [0.0702, 0.93]), ("top-2", [0.0698, 0.93])]
    title = " ".join(plots.plot_gate_steps(almost, np.array([True, True])).get_title().split())
    assert title == "After top-2 0.07 for expert 0, 0.93 for expert 1"


@cases(("stages", "chosen", "name"), [
    (STAGES, [1, 1, 0], "chosen"), (STAGES, [True], "stages"), ([], [True], "stages"),
    ([("score", [1.0, np.nan, 0.0])], CHOSEN, "stages"),
])
def test_wrong_stages_are_named(stages, chosen, name):
    with pytest.raises(ValueError, match=name):
        plots.plot_gate_steps(stages, np.array(chosen))


# --- plot_matrix ---

def test_a_small_matrix_is_printed_in_readable_ink_and_a_large_one_has_a_bar():
    matrix = np.array([[0.0, 1.0], [0.5, 0.25]])
    ax = plots.plot_matrix(matrix, row_label="token", column_label="slot", row_names=["The", "cat"],
                           limits=(0, 1), value_format="{:.1f}")
    assert [text.get_text() for text in ax.texts] == ["0.0", "1.0", "0.5", "0.2"]
    cells = ax.collections[0].to_rgba(matrix).reshape(-1, 4)
    for text, cell in zip(ax.texts, cells, strict=True):
        assert style.contrast(text.get_color(), cell) >= 4.5
    assert [label.get_text() for label in ax.get_yticklabels()] == ["The", "cat"]
    assert "largest 1 at token The, slot 1, smallest 0 at token The, slot 0" in style.describe(ax)
    large = plots.plot_matrix(np.ones((8, 64)), row_label="expert", column_label="byte", value_label="share")
    assert not large.texts and large.figure.axes[1].get_ylabel() == "share"


def test_colours_keep_to_the_limits():
    mesh = plots.plot_matrix(np.eye(2), row_label="r", column_label="c", limits=(-1, 4)).collections[0]
    assert mesh.get_clim() == (-1, 4)
    flat = plots.plot_matrix(np.zeros((2, 2)), row_label="r", column_label="c")
    assert flat.collections[0].get_clim() == (0, 1)


@cases(("arguments", "name"), [
    ({"matrix": [1.0]}, "matrix"), ({"limits": (1, 1)}, "limits"), ({"row_names": ["a"]}, "row_names"),
    ({"column_names": ["a", "b", "c"]}, "column_names"),
])
def test_wrong_matrices_are_named(arguments, name):
    arguments = {"matrix": np.eye(2), "row_label": "r", "column_label": "c", **arguments}
    with pytest.raises(ValueError, match=name):
        plots.plot_matrix(arguments.pop("matrix"), **arguments)


# --- plot_block, plot_dense_blocks ---

@pytest.mark.parametrize(("experts", "k"), [(8, 2), (4, 1), (64, 8), (1, 1)])
def test_areas_are_true_to_the_weights_and_k_experts_are_lit(experts, k):
    ax = plots.plot_block(experts, k, d_model=64, d_hidden=256)
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    areas = np.array([box.get_width() * box.get_height() for box in boxes])
    weights = [4 * 64 * 64, 2 * 64 * 256, 4 * 64 * 64, 64 * experts] + [2 * 64 * 256 // experts] * experts
    assert areas / areas[0] == pytest.approx(np.array(weights) / weights[0])
    full = {color.lower() for color in style.expert_colors(experts)}
    assert sum(to_hex(box.get_facecolor()) in full for box in boxes[4:]) == k
    assert f"{experts} experts" in style.describe(ax)


def test_blocks_of_a_dense_layer_have_their_experts_colour():
    w_in = np.ones((2, 8))
    ax = plots.plot_dense_blocks(w_in, 4, w_out=2 * np.ones((8, 2)))
    assert len(ax.images) == 2
    pixels = [[to_hex(pixel) for pixel in row] for row in ax.images[0].get_array()]
    assert pixels == [[color for color in COLORS[:4] for _ in range(2)]] * 2
    assert [text.get_text() for text in ax.texts][-4:] == ["0", "1", "2", "3"]


@cases(("call", "name"), [
    (lambda: plots.plot_block(8, 9), "k must"), (lambda: plots.plot_block(0, 1), "num_experts"),
    (lambda: plots.plot_block(7, 1), "num_experts must divide"),
    (lambda: plots.plot_block(8, 1, d_model=0), "d_model"),
    (lambda: plots.plot_dense_blocks(np.ones((2, 8)), 3), "num_experts must divide"),
    (lambda: plots.plot_dense_blocks(np.ones(8), 2), "w_in"),
    (lambda: plots.plot_dense_blocks(np.ones((2, 8)), 2, w_out=np.ones((2, 8))), "w_out"),
])
def test_wrong_blocks_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


# --- plot_timing, plot_curves ---

@pytest.mark.parametrize(("seconds", "label", "first"), [
    ([2.0, 0.5], "time (s)", "2.0 s"), ([0.0312, 0.01], "time (ms)", "31.2 ms"),
    ([2e-5, 1e-6], "time (µs)", "20 µs"), ([0.0, 0.0], "time (µs)", "0 µs"),
])
def test_times_have_one_unit_that_suits_the_longest(seconds, label, first):
    ax = plots.plot_timing(["a", "b"], seconds, mark=(seconds[1], "a quarter"))
    assert ax.get_xlabel() == label
    assert ax.texts[0].get_text() == first
    scale = {"time (s)": 1, "time (ms)": 1e-3, "time (µs)": 1e-6}[label]
    assert [bar.get_width() * scale for bar in ax.patches] == pytest.approx(seconds)
    assert ax.texts[2].get_text().startswith(f"a quarter: {seconds[1] / scale:.3g}")


@pytest.mark.parametrize(("x", "marks"), [(2 ** np.arange(7), [1, 2, 4, 8, 16, 32, 64]),
                                           (2 ** np.arange(9), [1, 4, 16, 64, 256])])
def test_doublings_are_marked_on_their_axis(x, marks):
    ax = plots.plot_curves(x, {"a": x}, x_label="tokens", y_label="time", x_scale="log")
    assert ax.get_xticks().tolist() == marks
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(mark) for mark in marks]
    other = plots.plot_curves([1, 30, 1000], {"a": [1, 2, 3]}, x_label="x", y_label="y", x_scale="log")
    assert other.get_xticks().tolist() != [1, 30, 1000]


def test_curves_are_named_at_their_ends_and_bands_are_filled():
    x, up, down = np.arange(5.0), np.arange(5.0), 4 - np.arange(5.0)
    ax = plots.plot_curves(x, {"up": up, "down": (down - 1, down, down + 1)}, x_label="step", y_label="loss")
    assert {text.get_text() for text in ax.texts} == {"up", "down"}
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert heights["up"] > heights["down"]
    assert len(ax.collections) == 1
    assert style.describe(ax).endswith("up from 0 to 4; down from 4 to 0.")


def test_a_hump_and_a_dip_are_told_and_noise_is_not():
    curves = {"hump": [1, 5, 1.2], "dip": [3, 1, 2], "both": [2, 3, 1, 2], "noise": [1, 4, 4.1, 4.05]}
    ends = {"hump": "from 1 to 1.2, highest 5 at 20", "dip": "from 3 to 2, lowest 1 at 20",
            "both": "from 2 to 2, highest 3 at 20, lowest 1 at 30", "noise": "from 1 to 4.05"}
    for name, values in curves.items():
        x = 10.0 * np.arange(1, len(values) + 1)
        sentence = style.describe(plots.plot_curves(x, {name: values}, x_label="batch", y_label="time"))
        assert sentence.endswith(f"; {name} {ends[name]}.")


def test_names_of_lines_that_end_together_do_not_overlap():
    lines = {str(e): [1.0, 1.0 + e / 1000] for e in range(5)}
    ax = plots.plot_curves([0, 1], lines, x_label="x", y_label="y")
    ax.figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 + 1 for lower, upper in pairwise(boxes))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.3))
def test_spread_keeps_order_and_distance_and_the_lower_limit(places, gap):
    moved = spread(sorted(places), gap, low=0.0)
    assert all(upper - lower >= gap - 1e-9 for lower, upper in pairwise(moved))
    assert moved[0] >= -1e-9


@cases(("call", "name"), [
    (lambda: plots.plot_timing(["a"], [1.0, 2.0]), "names"),
    (lambda: plots.plot_timing(["a"], [-1.0]), "seconds"), (lambda: plots.plot_timing([], []), "seconds"),
    (lambda: plots.plot_timing(["a"], [1.0], mark=(-1, "x")), "mark"),
    (lambda: plots.plot_curves([0], {}, x_label="x", y_label="y"), "curves"),
    (lambda: plots.plot_curves([0, 1], {"a": [1.0]}, x_label="x", y_label="y"), "curves"),
    (lambda: plots.plot_curves([0], {"a": ([2.0], [1.0], [0.0])}, x_label="x", y_label="y"), "curves"),
])
def test_wrong_numbers_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_a_curve_is_named_at_the_height_of_its_end():
    lines = {"low": [0.0, 0.0, 0.0], "high": [0.1, 0.2, 0.9]}
    ax = plots.plot_curves([0, 1, 2], lines, x_label="x", y_label="y")
    low, high = ax.get_ylim()
    ends = {text.get_text(): text.xy[1] for text in ax.texts}
    assert ends["high"] == pytest.approx((0.9 - low) / (high - low), abs=1e-6)
    assert ends["low"] == pytest.approx((0.0 - low) / (high - low), abs=1e-6)

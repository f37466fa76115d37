"""The roofline and the hump, read back from their artists."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from cases import cases
from moeviz import plots, style, widgets
from moeviz.cost import (
    DenseFFN,
    Hardware,
    ModelSpec,
    count_parameters,
    hardware,
    roofline_seconds,
    step_work,
    time_against_dense,
)
from moeviz.models import model
from moeviz.plots import names
from moeviz.plots.cost import speed
from moeviz.widgets import compute
from plot_contract import assert_draws_on_the_given_axes

pytestmark = pytest.mark.slow
SMALL = Hardware("small", "float32", 80e9, 10e9, "by hand")
POINTS = {"MoE": ([0.5, 4.0], [4e9, 30e9]), "dense": ([1.0, 2.0, 64.0], [9e9, 15e9, 70e9])}


def draw(**options):
    return plots.plot_roofline([hardware(), SMALL], POINTS, **options)


def draw_hump(**options):
    values = {"batch": 4, "num_experts": 8, "k": 2}
    return compute.draw_batch(SMALL, **values | options)


def test_it_draws_on_the_given_axes_and_makes_no_figure():
    assert_draws_on_the_given_axes(draw)


def test_a_roof_is_the_speed_that_the_longer_of_the_two_times_allows():
    ax = draw()
    for line, chip in zip(ax.lines[::2], (hardware(), SMALL), strict=False):
        intensity, reached = line.get_data()
        for at, flops in zip(intensity, reached, strict=True):
            assert flops == pytest.approx(at * 1e9 / roofline_seconds(at * 1e9, 1e9, chip=chip))
        assert chip.ridge in intensity


def test_every_roof_is_named_with_its_peak_and_its_ridge():
    texts = [text.get_text() for text in draw().texts]
    assert texts == ["H100 SXM: 989 TFLOP/s\nridge at 295 FLOP per byte",
                     "small: 80 GFLOP/s\nridge at 8 FLOP per byte"]
    assert len({line.get_linestyle() for line in draw().lines[:3:2]}) == 2


def test_words_of_a_roof_stand_left_of_its_slope_where_there_is_room():
    large, small = draw().texts
    assert large.get_ha() == "right" and large.xyann[0] < 0
    window = draw().get_window_extent()
    for text in (large, small):
        box = text.get_window_extent()
        assert window.x0 <= box.x0 and box.x1 <= window.x1


def test_points_keep_their_place_name_and_marker():
    ax = draw()
    lines = ax.lines[4:]
    assert [line.get_label() for line in lines] == list(POINTS)
    for line, (x, y) in zip(lines, POINTS.values(), strict=True):
        np.testing.assert_allclose(line.get_xdata(), x)
        np.testing.assert_allclose(line.get_ydata(), y)
    assert len({line.get_marker() for line in lines}) == len({line.get_color() for line in lines}) == 2


def test_roofs_and_points_lie_within_the_axes():
    ax = draw()
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for x, y in [(SMALL.ridge, SMALL.peak_flops), (hardware().ridge, hardware().peak_flops), (0.5, 4e9)]:
        assert left < x < right and low < y < high


def test_the_name_of_a_roof_has_room_above_it():
    ax = draw()
    ax.figure.draw_without_rendering()
    assert max(text.get_window_extent().y1 for text in ax.texts) < ax.get_window_extent().y1


def test_the_description_says_the_numbers():
    sentence = style.describe(draw(title="by hand"))
    assert "by hand" in sentence and "small reaches 80 GFLOP/s from 8 FLOP per byte on" in sentence
    assert "MoE from 4 GFLOP/s at 0.5 to 30 GFLOP/s at 4 FLOP per byte" in sentence


@pytest.mark.parametrize("narrow", [False, True])
def test_no_line_strikes_the_label_of_a_point(narrow):
    x = np.array([1.0, 4.0, 8.0, 16.0, 64.0])
    near = {"dense": (x, np.minimum(6.5e9 * x, 55e9)), "MoE": (x / 2, np.minimum(3.5e9 * x, 45e9))}
    ax = plots.plot_roofline([SMALL], near, labels=["1", "", "8", "", "64"])
    ax = ax.moeviz_narrow() if narrow else ax
    ax.figure.draw_without_rendering()
    boxes = np.array([text.get_window_extent().extents for text in ax.texts if text.get_text().isdigit()])
    lines = [ax.transData.transform(line.get_xydata()) for line in ax.lines]
    starts, ends = (np.concatenate([line[part] for line in lines]) for part in (slice(-1), slice(1, None)))
    assert len(boxes) == 6 and not names.crossings(starts, ends, boxes).any()


@pytest.mark.parametrize(("flops", "words"), [(1e15, "1 PFLOP/s"), (989.4e12, "989 TFLOP/s"),
                                              (3e9, "3 GFLOP/s"),
                                              (2.5e6, "2.5 MFLOP/s"), (12.0, "12 FLOP/s")])
def test_a_speed_is_said_in_a_fitting_unit(flops, words):
    assert speed(flops) == words


@cases(("chips", "points", "word"), [
    ([], None, "chips"), ("H100", None, "chips"), ([hardware(), "H100"], None, "'H100'"),
    ([SMALL] * 4, None, "1 to 3"), ([SMALL], [1, 2], "points"), ([SMALL], {"a": ([1.0], [1.0, 2.0])}, "a"),
    ([SMALL], {"a": ([0.0], [1.0])}, "above 0"), ([SMALL], {"a": ([1.0], [-1.0])}, "above 0")])
def test_bad_input_is_named(chips, points, word):
    with pytest.raises(ValueError, match=word):
        plots.plot_roofline(chips, points)


def test_the_hump_marks_the_batch_and_the_break_even():
    ax = draw_hump()
    (marked,) = (line for line in ax.lines if line.get_marker() == "o")
    expected = time_against_dense(8, 2, 4, ridge=8, bytes_per_weight=2)
    assert (marked.get_xdata()[0], marked.get_ydata()[0]) == (4, pytest.approx(expected))
    (line,) = (line for line in ax.lines if line.get_linestyle() == "--" and len(set(line.get_xdata())) == 1)
    assert line.get_xdata()[0] == 8 * 2 / 2 * 8 / 2
    assert "5.5 of 8 experts" in ax.get_title(loc="left") + ax.get_title()
    assert ax.get_ylim()[1] > expected


def test_a_break_even_beyond_the_axis_is_left_out():
    ax = compute.draw_batch(hardware(), batch=1, num_experts=256, k=1)
    assert not [text for text in ax.texts if "break-even" in text.get_text()]


def test_with_all_experts_active_both_lines_are_one_and_nothing_breaks_even():
    ax = draw_hump(k=8)
    assert not [text for text in ax.texts if "break-even" in text.get_text()]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["dense", "MoE"]


def test_the_explorer_changes_the_picture_with_each_control(shown):
    box = widgets.explore_batch([hardware(), SMALL])
    for control in box.children[1].children:
        before = shown[-1].data
        options = list(getattr(control, "options", ())) or [control.min]
        control.value = next(value for value in options if value != control.value)
        assert shown[-1].data != before
    assert len(shown) == 5 and plt.get_fignums() == []


def test_the_bytes_per_token_of_a_step_are_those_that_its_experts_take():
    spec = model("Mixtral 8x7B").spec
    ax = compute.draw_readers(spec, readers=16, bits=8)
    one = spec.moe[0].layers * spec.moe[0].expert_weights(spec.d_model)
    always = count_parameters(spec).active_without_embedding - 2 * one
    expected = (always + 8 * (1 - 0.75**16) * one) / 16 / 1e9
    (marked,) = (line for line in ax.lines if line.get_marker() == "o")
    assert (marked.get_xdata()[0], marked.get_ydata()[0]) == (16, pytest.approx(expected))
    title = (ax.get_title(loc="left") + ax.get_title()).replace("\n", " ")
    assert "16 readers: 7.92 of 8 experts" in title
    flops, moved = step_work(spec, np.array([1, 4]))
    assert flops[1] == 4 * flops[0] and moved[0] == pytest.approx(2 * (always + 2 * one))
    with pytest.raises(ValueError, match="spec must have MoE layers"):
        compute.draw_readers(ModelSpec("dense", 8, 0, spec.attention, (DenseFFN(1, 8),)), readers=1, bits=16)

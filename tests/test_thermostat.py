"""The bias as a thermostat: its proportional rule, its two mistakes, its plot and its explorer."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from cases import cases
from moeviz import losses, plots, style
from moeviz.arrays import softmax
from moeviz.plots.names import crossings
from moeviz.training import Context, History, mistakes, routers

pytestmark = pytest.mark.slow
RNG = np.random.default_rng(0)


def context(bias):
    return Context(None, None, np.asarray(bias), None, None, True)


def history(load, bias):
    load, bias = np.array(load), np.array(bias)
    return History(np.ones(len(load)), np.zeros(len(load)), load, bias, np.ones(len(load)))


LOAD = [[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.4, 0.4, 0.2]]
BIAS = [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [5.0, 5.0, 2.0], [0.0, 0.3, 0.6]]
SHORT = history(LOAD, BIAS)


# --- rules -------------------------------------------------------------------------------------

def test_the_proportional_step_is_what_is_missing_to_the_mean():
    slow = [b + 0.5 * (4 - c) / 4 for b, c in zip([0.1, 0.0, -0.2], [6, 5, 1], strict=True)]
    np.testing.assert_allclose(losses.bias_update([0.1, 0.0, -0.2], [6, 5, 1], 0.5, proportional=True), slow)


def test_counts_and_shares_give_the_same_step_and_no_load_gives_none():
    counts = np.array([6, 5, 1, 0])
    steps = [losses.bias_update(np.zeros(4), c, 0.1, proportional=True) for c in (counts, counts / 12)]
    np.testing.assert_allclose(*steps)
    assert losses.bias_update([0.0, 0.0], [0, 0], 0.1, proportional=True).tolist() == [0.0, 0.0]


def test_the_turned_rule_steps_the_other_way_from_any_bias():
    bias, load = RNG.normal(size=6), RNG.integers(0, 9, size=6)
    right, wrong = losses.bias_update(bias, load, 0.3), mistakes.turned_update(bias, load, 0.3)
    np.testing.assert_allclose(wrong - bias, bias - right)


# --- the leak ----------------------------------------------------------------------------------

def test_the_leaky_router_chooses_as_the_right_one_and_weighs_with_the_bias():
    logits, bias = RNG.normal(size=(20, 4)), np.array([0.2, -0.6, -0.5, 0.3])
    right, wrong = (r.route(logits, context(bias))
                    for r in (routers.biased_top_k(3), mistakes.leaky_top_k(3)))
    assert np.array_equal(right.expert_index, wrong.expert_index)
    cut = np.maximum(right.combine_weight + bias[right.expert_index], 0)
    np.testing.assert_allclose(wrong.combine_weight, cut)
    assert (wrong.combine_weight == 0).any()


def test_without_a_bias_nothing_leaks():
    logits = RNG.normal(size=(20, 5))
    right, wrong = (r.route(logits, context(np.zeros(5)))
                    for r in (routers.biased_top_k(1), mistakes.leaky_top_k(1)))
    assert np.array_equal(right.combine_weight, wrong.combine_weight)


def test_the_gradient_of_the_leaky_router_agrees_with_finite_differences():
    logits, bias = RNG.normal(size=(6, 4)), np.array([0.2, -0.6, -0.5, 0.3])
    router, dweight = mistakes.leaky_top_k(3), RNG.normal(size=(6, 3))
    routed = router.route(logits, context(bias))
    assert 0 < (routed.combine_weight == 0).sum() < 12

    def value(moved):
        seen = np.take_along_axis(softmax(moved) + bias, routed.expert_index, axis=1)
        return (np.maximum(seen, 0) * dweight).sum()

    numeric = np.zeros_like(logits)
    for at in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[at] = 1e-6
        numeric[at] = (value(logits + step) - value(logits - step)) / 2e-6
    exact = router.backward(routed, dweight)
    assert np.linalg.norm(numeric - exact) <= 1e-6 * np.linalg.norm(exact)


def bands(ax):
    """Return the heights (E, S) of the bands of a stack."""
    edges = [band.get_paths()[0].vertices for band in ax.collections]
    steps = (len(edges[0]) - 3) // 2
    return np.array([edge[steps + 2:2 * steps + 2, 1][::-1] - edge[1:steps + 1, 1] for edge in edges])


# --- the plot ----------------------------------------------------------------------------------

def test_loads_stand_above_biases_without_their_mean():
    axes = plots.plot_thermostat({"a": SHORT, "b": SHORT})
    assert axes.shape == (3, 2)
    assert [ax.get_title()[:11] for ax in axes[0]] == ["a: busiest ", "b: busiest "]
    for column in axes.T:
        for ax in column[:2]:
            np.testing.assert_allclose(bands(ax), 100 * np.array(LOAD).T)
        biases = np.array([line.get_ydata() for line in column[2].lines])
        np.testing.assert_allclose(biases, (BIAS - np.mean(BIAS, axis=1, keepdims=True)).T)
        assert [to_hex(line.get_color()).upper() for line in column[2].lines] == style.expert_colors(3)


def test_loads_fill_a_scale_and_biases_share_theirs():
    calm = history([[1 / 3] * 3] * 40, 0.1 * np.ones((40, 3)))
    axes = plots.plot_thermostat({"calm": calm, "uneven": SHORT})
    assert {ax.get_ylim() for ax in axes[:2].flat} == {(0, 100)}
    assert axes[2, 0].get_ylim() == axes[2, 1].get_ylim()
    assert axes[1, 0].get_xlim() == (10, 39) and axes[1, 0].get_xlabel() == "step, the last 30"


def test_the_ends_carry_the_experts_numbers_in_order_of_height():
    heights = {int(text.get_text()): text.xy[1] for text in plots.plot_thermostat(SHORT)[2, 0].texts}
    assert sorted(heights, key=heights.get) == np.argsort(BIAS[-1], kind="stable").tolist()
    calm = history([[1 / 3] * 3] * 4, np.arange(12).reshape(4, 3) / 1e4)
    ax = plots.plot_thermostat({"calm": calm, "uneven": SHORT})[2, 0]
    low, high = ax.get_ylim()
    for text in ax.texts:  # where its line ends on the scale that the two runs share
        assert low + text.xy[1] * (high - low) == pytest.approx((int(text.get_text()) - 1) / 1e4)
    many = history(np.full((2, 20), 0.05), np.zeros((2, 20)))
    assert not plots.plot_thermostat(many)[2, 0].texts


def test_no_number_at_an_end_covers_another_or_the_way_to_it():
    eight = np.full((4, 8), 1 / 8)
    runs = {"level": history(eight, np.zeros((4, 8))), "steep": history(eight, [np.arange(8)] * 4)}
    axes = plots.plot_thermostat(runs)
    axes[0, 0].figure.canvas.draw()
    for ax in axes[2]:
        boxes = np.array([Text.get_window_extent(text).extents for text in ax.texts])
        middles, ends = boxes[:, [1, 3]].mean(axis=1), ax.transAxes.transform([text.xy for text in ax.texts])
        assert np.diff(np.sort(middles)).min() > 12 * ax.figure.dpi / 72  # points, their size
        corner = boxes[:, 0] - 1  # where the joints of a column end, before any number
        joints = crossings(ends, np.column_stack([corner, middles]), boxes)
        assert not joints.any() and boxes[:, 2].max() < ax.figure.bbox.x1


def test_the_description_tells_load_and_bias():
    words = style.describe(plots.plot_thermostat({"rate 1": SHORT}))
    assert "rate 1: load and selection bias of 3 experts over 4 steps" in words
    assert "busiest expert of a step has 40%" in words and "between −0.3 and 0.3" in words


@cases("given", [{}, [SHORT], {"a": LOAD}])
def test_bad_input_is_named(given):
    with pytest.raises(ValueError, match=r"^histories.* must"):
        plots.plot_thermostat(given)

"""The routers' conventions worked out by hand for real models, and what the balanced routers promise."""

import math

import numpy as np
import pytest

from moeviz import routing


def logit(*scores):
    """Return the logits (1, E) whose sigmoids are the scores."""
    return np.array([[math.log(s / (1 - s)) for s in scores]])


def skewed_batch(seed):
    return np.random.default_rng(seed).normal(size=(256, 8)) + np.linspace(1.5, 0, 8)


SKEWED = skewed_batch(seed=0)
HALVES = np.log([[4.0, 8.0, 2.0, 1.0, 1.0]])  # softmax: 4/16, 8/16, 2/16, 1/16, 1/16
BY_HAND = {
    "Mixtral": (lambda: routing.top_k(HALVES, 2), [(1, 2 / 3), (0, 1 / 3)]),
    "gpt-oss": (lambda: routing.top_k(HALVES, 4), [(1, 8 / 15), (0, 4 / 15), (2, 2 / 15), (3, 1 / 15)]),
    "Switch": (lambda: routing.top_k(HALVES, 1, renormalize=False), [(1, 1 / 2)]),
    "OLMoE": (lambda: routing.top_k(HALVES, 3, renormalize=False), [(1, 1 / 2), (0, 1 / 4), (2, 1 / 8)]),
    "GShard": (lambda: routing.gshard_top_2(HALVES, rng=np.random.default_rng(0), threshold=1 / 3),
               [(1, 2 / 3), (0, 1 / 3)]),
    # Groups (0, 1) and (2, 3): the best single expert opens the first, though 2 and 3 add up to more.
    "DeepSeek-V2": (lambda: routing.softmax_group_limited(np.log([[8.0, 1.0, 6.0, 5.0]]), 2, num_groups=2,
                                                  top_groups=1, scale=20.0), [(0, 8.0), (1, 1.0)]),
    # The sum of two opens the second group (0.5 + 0.5 > 0.8 + 0.1); ties go to the lowest expert.
    "DeepSeek-V3 without bias": (lambda: routing.sigmoid_top_k(logit(0.8, 0.1, 0.5, 0.5), 2, num_groups=2,
                                                       top_groups=1, scale=2.5), [(2, 1.25), (3, 1.25)]),
    # A bias of 0.2 turns the groups around, and stays out of the weights: 2.5 * 0.8 / 0.9.
    "DeepSeek-V3": (lambda: routing.sigmoid_top_k(logit(0.8, 0.1, 0.5, 0.5), 2, bias=[0.2, 0, 0, 0],
                                                  num_groups=2, top_groups=1, scale=2.5),
                    [(0, 20 / 9), (1, 2.5 / 9)]),
    "MiniMax-M2": (lambda: routing.sigmoid_top_k(logit(0.9, 0.6, 0.3), 2, bias=[0, 0, 0.5]),
                   [(0, 0.75), (2, 0.25)]),
    "Llama 4": (lambda: routing.sigmoid_top_k(logit(0.25, 0.75), 1, renormalize=False), [(1, 0.75)]),
    # A bias lifts the null expert 4 above expert 2; weight = probability * 6.
    "LongCat-Flash": (lambda: routing.null_experts(HALVES, 3, num_null=1, bias=[0, 0, 0, 0, 0.1], scale=6.0),
                      [(1, 3.0), (0, 1.5), (4, 0.375)]),
    "top-p": (lambda: routing.top_p(HALVES, 0.75), [(1, 1 / 2), (0, 1 / 4)]),
    "top-p just above": (lambda: routing.top_p(HALVES, 0.76), [(1, 1 / 2), (0, 1 / 4), (2, 1 / 8)]),
    "threshold is strict": (lambda: routing.threshold(np.zeros((1, 4)), 0.25), []),
}


@pytest.mark.parametrize(("route", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_models_by_hand(route, expected):
    result = route()
    assert result.expert_index[result.kept].tolist() == [expert for expert, _ in expected]
    weights = result.combine_weight[result.kept].tolist()
    assert weights == pytest.approx([weight for _, weight in expected], rel=1e-12)


def test_softmax_after_selection_equals_softmax_before_it_with_renormalisation():
    result = routing.top_k(SKEWED, 3)
    chosen = np.take_along_axis(SKEWED, result.expert_index, axis=1)
    after = np.exp(chosen) / np.exp(chosen).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(result.combine_weight, after, rtol=0, atol=1e-12)


def test_top_p_of_equal_shares_is_not_fooled_by_rounding():
    assert routing.top_p(np.zeros((1, 10)), 0.8).k == 8


def max_violation(result):
    counts = result.dispatch().sum(axis=0)
    return counts.max() / counts.mean() - 1


def test_balanced_routers_balance_where_top_k_does_not():
    assert max_violation(routing.top_k(SKEWED, 2)) > 0.8
    assert max_violation(routing.sinkhorn(SKEWED, 2, iterations=50)) < 0.2
    assert max_violation(routing.quantile_balanced(SKEWED, 2, sweeps=20)) < 0.02
    assert max_violation(routing.expert_choice(SKEWED, 64)) == 0


def test_quantile_cut_makes_threshold_equal_expert_choice_on_its_own_batch():
    cut = routing.quantile_cut(SKEWED, 2)
    by_cut = routing.threshold(SKEWED, cut)
    assert (by_cut.dispatch() == routing.expert_choice(SKEWED, 64).dispatch()).all()
    new = skewed_batch(seed=1)
    assert 0 < max_violation(routing.threshold(new, cut)) < max_violation(routing.top_k(new, 2)) / 2


def test_later_tokens_change_earlier_ones_under_expert_choice_only():
    changed = SKEWED.copy()
    changed[192:] = np.random.default_rng(1).normal(size=(64, 8))
    for route, leaks in [(lambda z: routing.expert_choice(z, 64), True), (routing.top_k, False)]:
        before, after = route(SKEWED).dispatch()[:192], route(changed).dispatch()[:192]
        assert (before != after).any() == leaks

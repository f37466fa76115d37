"""What must hold for every router and any logits: Hypothesis looks for a counter-example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moeviz import routing
from moeviz.record import EMPTY

EXAMPLES = settings(max_examples=settings.default.max_examples // 2)  # for each router
VALUES = st.floats(-1e4, 1e4) | st.sampled_from([0.0, 1.0, -1.0, 1e4, -1e4])
LOGITS = arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=VALUES)


def rng():
    return np.random.default_rng(0)


def groups(logits):
    """Return the most groups of equal size, at most 3, that these experts form."""
    return max(g for g in (1, 2, 3) if logits.shape[1] % g == 0)


# A token's experts depend on that token's logits alone.
PER_TOKEN = {
    "soft": lambda z, k: routing.soft(z),
    "top_k": routing.top_k,
    "top_k raw": lambda z, k: routing.top_k(z, k, renormalize=False),
    "quiet noisy_top_k": lambda z, k: routing.noisy_top_k(z, z, k, rng=None, training=False),
    "sigmoid_top_k": routing.sigmoid_top_k,
    "sigmoid_top_k raw": lambda z, k: routing.sigmoid_top_k(z, k, renormalize=False),
    "sigmoid in groups": lambda z, k: routing.sigmoid_top_k(
        z, min(k, z.shape[1] // groups(z)), num_groups=groups(z), top_groups=1),
    "softmax in groups": lambda z, k: routing.softmax_group_limited(
        z, min(k, z.shape[1] // groups(z)), num_groups=groups(z), top_groups=1),
    "cosine_top_k": lambda z, k: routing.cosine_top_k(z, np.eye(z.shape[1]), k, temperature=0.5),
    "null_experts": lambda z, k: routing.null_experts(z, k, num_null=z.shape[1] // 2),
    "top_p": lambda z, k: routing.top_p(z, k / z.shape[1]),
    "threshold": lambda z, k: routing.threshold(z, 1 / z.shape[1]),
    "relu_route": lambda z, k: routing.relu_route(z),
}
PER_BATCH = {
    "noisy_top_k": lambda z, k: routing.noisy_top_k(z, z, k, rng=rng()),
    "gshard_top_2": lambda z, k: routing.gshard_top_2(z, rng=rng()),
    "expert_choice": lambda z, k: routing.expert_choice(z, max(1, len(z) * k // z.shape[1])),
    "sinkhorn": lambda z, k: routing.sinkhorn(z, k, iterations=5),
    "quantile_balanced": lambda z, k: routing.quantile_balanced(z, k, sweeps=5),
    "threshold by quantile": lambda z, k: routing.threshold(z, routing.quantile_cut(z, k)),
}
FIXED = {
    "hash_route": lambda z, k: routing.hash_route(np.arange(len(z)), z.shape[1], k),
    "random_route": lambda z, k: routing.random_route(*z.shape, k, rng=rng()),
}
ALL = PER_TOKEN | PER_BATCH | FIXED
EXACTLY_K = [name for name in ALL if name not in (
    "soft", "sigmoid in groups", "softmax in groups", "top_p", "threshold", "relu_route", "gshard_top_2",
    "expert_choice", "threshold by quantile")]
GROUPED = ["sigmoid in groups", "softmax in groups"]


def counts(result):
    return (result.expert_index != EMPTY).sum(axis=1)


@pytest.mark.parametrize("name", ALL)
@EXAMPLES
@given(LOGITS, st.data())
def test_any_logits_give_a_sound_routing(name, logits, data):
    k = data.draw(st.integers(1, logits.shape[1]))
    before = logits.copy()
    result = ALL[name](logits, k)
    assert (logits == before).all()
    assert result.probs.shape == logits.shape
    np.testing.assert_allclose(result.probs.sum(axis=1), 1, atol=1e-9)
    assert np.isfinite(result.combine_weight).all() and (result.combine_weight >= 0).all()
    assert (result.kept == (result.expert_index != EMPTY)).all()
    assert (result.combine_weight[~result.kept] == 0).all()
    assert (result.dispatch().sum(axis=1) == counts(result)).all()
    if name in EXACTLY_K:
        assert (counts(result) == k).all()
    elif name in GROUPED:
        assert (counts(result) <= k).all()


RENORMALISED = ["top_k", "quiet noisy_top_k", "noisy_top_k", "sigmoid_top_k", "cosine_top_k"]


@pytest.mark.parametrize("name", RENORMALISED)
@EXAMPLES
@given(LOGITS, st.data())
def test_renormalised_weights_sum_to_one_and_fall(name, logits, data):
    result = ALL[name](logits, data.draw(st.integers(1, logits.shape[1])))
    np.testing.assert_allclose(result.combine_weight.sum(axis=1), 1, rtol=1e-12)
    assert (np.diff(result.combine_weight, axis=1) <= 1e-15).all()


@EXAMPLES
@given(LOGITS, st.data())
def test_expert_choice_fills_every_expert_even_where_probabilities_underflow(logits, data):
    capacity = data.draw(st.integers(1, len(logits)))
    result = routing.expert_choice(logits, capacity)
    assert (result.dispatch().sum(axis=0) == capacity).all()


@pytest.mark.parametrize("name", PER_TOKEN)
@EXAMPLES
@given(LOGITS, st.data())
def test_permuting_tokens_permutes_the_routing(name, logits, data):
    k = data.draw(st.integers(1, logits.shape[1]))
    order = data.draw(st.permutations(range(len(logits))))
    result, permuted = PER_TOKEN[name](logits, k), PER_TOKEN[name](logits[order], k)
    assert (permuted.expert_index == result.expert_index[order]).all()
    np.testing.assert_allclose(permuted.combine_weight, result.combine_weight[order], rtol=1e-12)


# Without ties: all logits differ, and the batch is large enough that no quantile falls on a score.
COLUMN_FREE = [name for name in PER_TOKEN | PER_BATCH if name not in (*GROUPED, "noisy_top_k")]


@pytest.mark.parametrize("name", COLUMN_FREE)
@EXAMPLES
@given(st.integers(0, 10**6), st.permutations(range(4)))
def test_permuting_experts_permutes_the_routing_where_no_scores_tie(name, seed, order):
    logits = np.random.default_rng(seed).normal(size=(16, 4))
    result, permuted = ALL[name](logits, 2), ALL[name](logits[:, order], 2)
    assert (permuted.dispatch() == result.dispatch()[:, order]).all()
    np.testing.assert_allclose(permuted.combine(), result.combine()[:, order], rtol=1e-9)


@pytest.mark.parametrize("name", GROUPED)
def test_permuting_whole_groups_permutes_the_routing(name):
    logits = np.random.default_rng(0).normal(size=(16, 6))
    order = [4, 5, 0, 1, 2, 3]
    result, permuted = ALL[name](logits, 2), ALL[name](logits[:, order], 2)
    assert (permuted.dispatch() == result.dispatch()[:, order]).all()


@pytest.mark.parametrize("name", [name for name in EXACTLY_K if name not in (*FIXED, "noisy_top_k")])
@pytest.mark.parametrize("level", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_equal_logits_go_to_the_lowest_experts(name, level, k):
    result = ALL[name](np.full((3, 4), level), k)
    assert result.expert_index.tolist() == [list(range(k))] * 3


def test_ties_between_tokens_and_between_groups_go_to_the_lowest():
    equal = np.zeros((4, 4))
    assert routing.expert_choice(equal, 1).dispatch().tolist() == [[True] * 4] + [[False] * 4] * 3
    for route in (routing.sigmoid_top_k, routing.softmax_group_limited):
        assert route(equal, 2, num_groups=2, top_groups=1).expert_index.tolist() == [[0, 1]] * 4
    assert routing.gshard_top_2(equal, rng=rng()).expert_index.tolist() == [[0, 1]] * 4
    assert routing.top_p(equal, 0.5).expert_index.tolist() == [[0, 1]] * 4
    assert routing.soft(equal).expert_index.tolist() == [[0, 1, 2, 3]] * 4


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("level", [-1e4, 0.0, 1e4])
def test_one_token_and_one_expert(name, level):
    result = ALL[name](np.array([[level]]), 1)
    assert result.probs.tolist() == [[1.0]]
    used = 0 if name.startswith("threshold") or (name == "relu_route" and level <= 0) else 1
    assert counts(result).tolist() == [used]


@pytest.mark.parametrize("name", EXACTLY_K)
def test_k_equal_to_the_number_of_experts_uses_all(name):
    logits = np.random.default_rng(1).normal(size=(5, 4)) * 1e3
    assert ALL[name](logits, 4).dispatch().all()


@pytest.mark.parametrize("name", ALL)
def test_single_precision_logits_give_nearly_the_same(name):
    logits = np.random.default_rng(2).normal(size=(16, 4))
    single = ALL[name](logits.astype(np.float32), 2)
    np.testing.assert_allclose(single.combine(), ALL[name](logits, 2).combine(), atol=1e-5)


@EXAMPLES
@given(LOGITS, st.integers(0, 30))
def test_sinkhorn_plan_has_rows_of_one(logits, iterations):
    plan = routing.sinkhorn_plan(logits, iterations=iterations)
    np.testing.assert_allclose(plan.sum(axis=1), 1, rtol=1e-9)
    assert (plan >= 0).all()


@EXAMPLES
@given(arrays(float, (4, 3), elements=VALUES), arrays(float, (5, 3), elements=VALUES), st.floats(0, 1e4))
def test_soft_moe_matrices_are_stochastic(tokens, slots, scale):
    mixing = routing.soft_moe(tokens, slots, scale=scale)
    assert mixing.dispatch.shape == mixing.combine.shape == (4, 5)
    np.testing.assert_allclose(mixing.dispatch.sum(axis=0), 1, rtol=1e-9)
    np.testing.assert_allclose(mixing.combine.sum(axis=1), 1, rtol=1e-9)


@EXAMPLES
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=8), st.integers(1, 9), st.data())
def test_hash_route_depends_on_the_id_alone(ids, num_experts, data):
    k = data.draw(st.integers(1, num_experts))
    table = routing.hash_route(ids, num_experts, k)
    alone = [routing.hash_route([i], num_experts, k).expert_index[0].tolist() for i in ids]
    assert table.expert_index.tolist() == alone

"""Losses against slow loops, closed forms and central differences in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from gradient_tools import assert_is_gradient
from moeviz import EMPTY, Routing, routing
from moeviz.arrays import sigmoid, softmax, softplus
from moeviz.capacity import apply_capacity
from moeviz.losses import (
    bias_update,
    gshard_loss,
    importance_loss,
    load_loss,
    selection_probability,
    sequence_loss,
    switch_loss,
    z_loss,
)


def some_logits(seed=0, num_tokens=7, num_experts=4):
    return np.random.default_rng(seed).normal(size=(num_tokens, num_experts))


def with_probs(probs, first_choice):
    """Return a top-1 routing with these probs, as a softmax of their logs."""
    probs, index = np.asarray(probs, dtype=float), np.asarray(first_choice)[:, None]
    weight = np.take_along_axis(probs, index, axis=1)
    return Routing(np.log(probs), probs, index, weight, np.ones(index.shape, bool), "by hand")


def rescored(made, logits, scoring="softmax"):
    """Return the same choices under other logits: what a loss sees when f is held constant."""
    scores = softmax(logits) if scoring == "softmax" else sigmoid(logits)
    return replace(made, logits=logits, probs=scores / scores.sum(axis=1, keepdims=True))


def slow_product(made, tokens, first_only=False):
    """Return E sum_i f_i P_i of these tokens by counting on fingers."""
    count, score = [0] * made.num_experts, [0.0] * made.num_experts
    for token in tokens:
        for slot, expert in enumerate(made.expert_index[token]):
            if expert != EMPTY and not (first_only and slot):
                count[expert] += 1
        for expert in range(made.num_experts):
            score[expert] += made.probs[token, expert] / len(tokens)
    return made.num_experts * sum(c / sum(count) * p for c, p in zip(count, score, strict=True))


# --- the Switch loss and its relatives

@cases("k", [1, 2, 4])
def test_switch_loss_equals_the_loop(k):
    made = routing.top_k(some_logits(k), k)
    expected = slow_product(made, range(7))
    assert switch_loss(made)[0] == pytest.approx(expected, rel=1e-12)
    assert switch_loss(made, convention="per_k")[0] == pytest.approx(k * expected, rel=1e-12)


@cases("k", [1, 2, 3])
def test_switch_loss_is_1_or_k_when_all_is_uniform(k):
    # Every cyclic shift once: each expert is chosen k times and has the same mean prob.
    made = routing.top_k(np.array([np.roll([3.0, 2.0, 1.0, 0.0], shift) for shift in range(4)]), k)
    assert switch_loss(made)[0] == pytest.approx(1)
    assert switch_loss(made, convention="per_k")[0] == pytest.approx(k)


def test_switch_loss_is_the_number_of_experts_when_one_expert_has_it_all():
    assert switch_loss(routing.top_k(np.tile([50.0, 0, 0, 0, 0], (6, 1)), 1))[0] == pytest.approx(5)


@cases("lukewarm, sure, value", [
    ((0.51, 0.01), 6, 0.924), ((0.501, 1e-12), 6, 0.92024),
])
def test_switch_loss_lies_below_1_for_an_unbalanced_router(lukewarm, sure, value):
    probs = [[lukewarm[0], 1 - lukewarm[0]]] * sure + [[lukewarm[1], 1 - lukewarm[1]]] * (10 - sure)
    made = with_probs(probs, [0] * sure + [1] * (10 - sure))
    assert switch_loss(made)[0] == pytest.approx(value, abs=1e-9)


@cases("num_experts, lowest", [(2, 0.875), (4, 0.8125), (8, 0.781), (64, 0.754)])
def test_how_low_the_switch_loss_can_go(num_experts, lowest):
    # A share of the tokens barely prefers expert 0; each of the others is sure of one other expert.
    def value(lukewarm, tokens=1000):
        others = 1 + np.arange(tokens - lukewarm) % (num_experts - 1)
        probs = np.full((tokens, num_experts), 1 / num_experts)
        probs[lukewarm:] = np.where(np.arange(num_experts) == others[:, None], 1.0, 1e-300)
        return switch_loss(with_probs(probs, np.r_[np.zeros(lukewarm, int), others]))[0]
    assert min(value(lukewarm) for lukewarm in range(400, 800, 5)) == pytest.approx(lowest, abs=2e-3)


def test_pooling_two_layers_hides_their_opposite_collapses():
    layers = [with_probs([[0.9, 0.1]] * 5, [0] * 5), with_probs([[0.1, 0.9]] * 5, [1] * 5)]
    pooled = with_probs([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5, [0] * 5 + [1] * 5)
    assert [switch_loss(layer)[0] for layer in layers] == pytest.approx([1.8, 1.8])
    assert switch_loss(pooled)[0] == pytest.approx(1.0)


@cases("scoring", ["softmax", "sigmoid"])
@cases("convention", ["share", "per_k"])
def test_switch_gradient(scoring, convention):
    logits, mask = some_logits(3), np.array([1, 1, 0, 1, 1, 0, 1], bool)
    made = routing.top_k(logits, 2) if scoring == "softmax" else routing.sigmoid_top_k(logits, 2)
    options = {"convention": convention, "mask": mask, "scoring": scoring}
    gradient = switch_loss(made, **options)[1]
    assert_is_gradient(gradient, lambda z: switch_loss(rescored(made, z, scoring), **options)[0], logits)
    assert (gradient[~mask] == 0).all()


def test_switch_gradient_pushes_the_busy_expert_down():
    made = routing.top_k(np.tile([0.3, 0.0, -0.1], (8, 1)), 1)
    gradient = switch_loss(made)[1]
    assert (gradient[:, 0] > 0).all() and (gradient[:, 1:] < 0).all()


def test_padding_counts_in_neither_share_nor_score():
    logits = some_logits(5)
    padded = np.r_[logits, np.tile([9.0, 0, 0, 0], (5, 1))]
    mask = np.arange(12) < 7
    for loss in (switch_loss, gshard_loss):
        masked, alone = loss(routing.top_k(padded, 2), mask=mask), loss(routing.top_k(logits, 2))
        assert masked[0] == pytest.approx(alone[0], rel=1e-12)
        np.testing.assert_allclose(masked[1][:7], alone[1], rtol=1e-12)
        assert loss(routing.top_k(padded, 2))[0] > alone[0] + 0.1


def test_per_k_of_a_router_with_a_free_k_is_the_mean_number_of_choices():
    made = routing.threshold([[3.0, 0.0, 0.0], [1.0, 1.0, -5.0]], 0.2)
    assert (made.expert_index != EMPTY).sum() == 3
    assert switch_loss(made, convention="per_k")[0] == pytest.approx(1.5 * switch_loss(made)[0])
    for token, choices in enumerate((made.expert_index != EMPTY).sum(axis=1)):
        only = np.arange(2) == token
        masked = switch_loss(made, convention="per_k", mask=only)[0]
        assert masked == pytest.approx(choices * switch_loss(made, mask=only)[0])


def test_nothing_chosen_gives_no_loss_and_no_gradient():
    made = routing.threshold(np.zeros((3, 4)), 0.9)
    for value, gradient in (switch_loss(made), gshard_loss(made), importance_loss(made, renormalize=False)):
        assert value == 0 and not gradient.any()


def test_gshard_counts_first_choices_only():
    logits = some_logits(2)
    made = routing.gshard_top_2(logits, rng=np.random.default_rng(0))
    value, gradient = gshard_loss(made)
    assert value == pytest.approx(slow_product(made, range(7), first_only=True), rel=1e-12)
    assert value == pytest.approx(switch_loss(routing.top_k(logits, 1))[0], rel=1e-12)
    assert value != pytest.approx(switch_loss(routing.top_k(logits, 2))[0], rel=1e-3)
    assert_is_gradient(gradient, lambda z: gshard_loss(rescored(made, z))[0], logits)


def test_gshard_in_groups_is_the_mean_over_its_groups():
    logits = some_logits(5)[:6]
    made, halves = (routing.top_k(logits, 2), [routing.top_k(part, 2) for part in np.split(logits, 2)])
    value, gradient = gshard_loss(made, groups=2)
    assert value == pytest.approx(np.mean([gshard_loss(half)[0] for half in halves]), rel=1e-12)
    assert_is_gradient(gradient, lambda z: gshard_loss(rescored(made, z), groups=2)[0], logits)


def test_gshard_is_the_papers_mean_times_experts_squared():
    made = routing.top_k(some_logits(4), 2)
    first = np.bincount(made.expert_index[:, 0], minlength=4) / 7
    assert gshard_loss(made)[0] == pytest.approx(16 * np.mean(first * made.probs.mean(axis=0)), rel=1e-12)


def test_sequence_loss_follows_the_papers_formula():
    logits, ids = some_logits(6, num_tokens=9), np.array([7, -2, 7, 7, 0, -2, 0, 0, 7])
    made = routing.sigmoid_top_k(logits, 2, bias=[0.5, 0.0, 0.0, -0.5])
    total = 0.0
    for sequence in set(ids.tolist()):
        tokens = [t for t in range(9) if ids[t] == sequence]
        for expert in range(4):
            chosen = sum(expert in made.expert_index[t] for t in tokens)
            shares = [sigmoid(logits[t, expert]) / sigmoid(logits[t]).sum() for t in tokens]
            total += 4 / (2 * len(tokens)) * chosen * sum(shares) / len(tokens)
    value, gradient = sequence_loss(made, ids)
    assert value == pytest.approx(total / 3, rel=1e-12)
    assert_is_gradient(gradient, lambda z: sequence_loss(rescored(made, z, "sigmoid"), ids)[0], logits)


@cases("scoring", ["softmax", "sigmoid"])
def test_sequence_loss_of_one_sequence_is_the_switch_loss(scoring):
    logits = some_logits(9)
    made = routing.top_k(logits, 2) if scoring == "softmax" else routing.sigmoid_top_k(logits, 2)
    ours, switch = sequence_loss(made, np.zeros(7, int), scoring=scoring), switch_loss(made, scoring=scoring)
    assert ours[0] == pytest.approx(switch[0], rel=1e-12)
    np.testing.assert_allclose(ours[1], switch[1], rtol=1e-12)


def test_sequence_loss_sees_what_the_batch_hides():
    # Each sequence uses one expert; over the batch both are used equally.
    made = with_probs([[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 4, [0] * 4 + [1] * 4)
    assert switch_loss(made)[0] == pytest.approx(1.0)
    assert sequence_loss(made, [0] * 4 + [1] * 4, scoring="softmax")[0] == pytest.approx(1.8)


def test_every_sequence_weighs_the_same_however_long():
    made = with_probs([[0.9, 0.1]] * 3 + [[0.5, 0.5]], [0, 0, 0, 1])
    assert sequence_loss(made, [0, 0, 0, 1], scoring="softmax")[0] == pytest.approx((1.8 + 1.0) / 2)


# --- importance and load

@cases("used, num_experts", [(1, 5), (2, 8), (3, 4), (4, 4)])
def test_importance_of_a_few_equal_experts(used, num_experts):
    made = routing.top_k(20.0 * np.eye(num_experts)[np.arange(3 * used) % used], 1)
    assert importance_loss(made)[0] == pytest.approx(num_experts / used - 1)


@cases("route, options", [
    (lambda z: routing.top_k(z, 2), {}),
    (lambda z: routing.top_k(z, 2, renormalize=False), {"renormalize": False}),
    (lambda z: routing.top_k(z, 1, renormalize=False), {"renormalize": False}),
    (lambda z: routing.sigmoid_top_k(z, 2, scale=2.5), {"scoring": "sigmoid", "scale": 2.5}),
    (routing.relu_route, {"scoring": "relu"}),
    (lambda z: routing.top_p(z, 0.7), {"renormalize": False}),
])
def test_importance_gradient_through_the_router(route, options):
    logits = some_logits(1)
    value, gradient = importance_loss(route(logits), **options)
    sums = route(logits).combine().sum(axis=0)
    assert value == pytest.approx(sums.var() / sums.mean()**2, rel=1e-12)
    assert_is_gradient(gradient, lambda z: importance_loss(route(z), **options)[0], logits)


def test_importance_with_k_1_renormalised_sends_no_gradient():
    assert not importance_loss(routing.top_k(some_logits(), 1))[1].any()


def test_importance_can_be_equal_where_load_is_not():
    # One token gives e0 all its weight; three tokens split evenly: (1 + 0, 3 x 1/3) by hand.
    probs = [[1 - 1e-12, 1e-12], [1 / 3, 2 / 3]]
    made = Routing(np.log(probs), probs, [[0, EMPTY], [1, 0]], [[1.0, 0], [2 / 3, 1 / 3]],
                   [[True, False], [True, True]])
    assert importance_loss(made, renormalize=False)[0] == pytest.approx(1 / 9)


def noisy_case(seed=0, num_tokens=6, num_experts=5):
    return np.random.default_rng(seed).normal(size=(2, num_tokens, num_experts))


def noisy(logits, noise_logits, k, seed=1):
    """Route with the same draws every time, as a finite difference needs."""
    return routing.noisy_top_k(logits, noise_logits, k, rng=np.random.default_rng(seed))


@cases("k", [1, 2, 4])
def test_selection_probability_is_the_chance_to_beat_the_kth_of_the_others(k):
    logits, noise = noisy_case(k)
    values = noisy(logits, noise, k).logits
    found = selection_probability(logits, noise, values, k)
    for token, expert in np.ndindex(logits.shape):
        others = sorted(np.delete(values[token], expert), reverse=True)
        margin = (logits[token, expert] - others[k - 1]) / softplus(noise[token, expert])
        assert found[token, expert] == pytest.approx(0.5 * math.erfc(-margin / math.sqrt(2)), rel=1e-9)


def test_selection_probability_is_how_often_a_new_draw_is_chosen():
    logits, noise = noisy_case(3, num_tokens=1)
    values = noisy(logits, noise, 2).logits
    rng, trials = np.random.default_rng(0), 20_000
    for expert in range(5):
        redrawn = np.repeat(values, trials, axis=0)
        redrawn[:, expert] = logits[0, expert] + softplus(noise[0, expert]) * rng.normal(size=trials)
        often = (routing.top_k(redrawn, 2).expert_index == expert).any(axis=1).mean()
        expected = selection_probability(logits, noise, values, 2)[0, expert]
        assert often == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(trials))


@cases("width", [-1e4, -800.0, -60.0])
@cases("size", [1.0, 1e4])
def test_without_noise_the_probability_is_the_choice_itself(width, size):
    logits = size * some_logits(2)
    quiet = np.full_like(logits, width)
    made = routing.top_k(logits, 2)
    np.testing.assert_array_equal(selection_probability(logits, quiet, logits, 2), made.dispatch())
    value, dlogits, dnoise = load_loss(made, logits, quiet)
    counts = made.dispatch().sum(axis=0)
    assert value == pytest.approx(counts.var() / counts.mean()**2)
    assert np.isfinite(dlogits).all() and np.isfinite(dnoise).all()


def test_a_tie_without_noise_gives_numbers_not_nan():
    level = np.zeros((2, 3))
    quiet = np.full((2, 3), -1e4)
    assert (selection_probability(level, quiet, level, 1) == 0.5).all()
    assert all(np.isfinite(part).all() for part in load_loss(routing.top_k(level, 1), level, quiet))


@cases("k", [1, 2, 4])
def test_load_gradient_through_clean_logit_sigma_and_threshold(k):
    logits, noise = noisy_case(k + 10)
    _, dlogits, dnoise = load_loss(noisy(logits, noise, k), logits, noise)
    assert_is_gradient(dlogits, lambda z: load_loss(noisy(z, noise, k), z, noise)[0], logits)
    assert_is_gradient(dnoise, lambda n: load_loss(noisy(logits, n, k), logits, n)[0], noise)


def test_importance_gradient_splits_into_clean_logits_and_noise():
    logits, noise = noisy_case(2)
    made = noisy(logits, noise, 2)
    dnoisy = importance_loss(made)[1]
    dlogits, dnoise = routing.noisy_top_k_backward(made, dnoisy, logits=logits, noise_logits=noise)
    assert_is_gradient(dlogits, lambda z: importance_loss(noisy(z, noise, 2))[0], logits)
    assert_is_gradient(dnoise, lambda n: importance_loss(noisy(logits, n, 2))[0], noise)


def test_load_value_is_the_squared_variation_of_the_summed_probabilities():
    logits, noise = noisy_case(4)
    made = noisy(logits, noise, 2)
    load = selection_probability(logits, noise, made.logits, 2).sum(axis=0)
    assert load_loss(made, logits, noise)[0] == pytest.approx(load.var() / load.mean()**2, rel=1e-12)


def test_load_loss_with_every_expert_chosen_is_zero():
    logits, noise = noisy_case(5)
    value, dlogits, dnoise = load_loss(noisy(logits, noise, 5), logits, noise)
    assert value == 0 and not dlogits.any() and not dnoise.any()


# --- z-loss and bias

def test_z_loss_equals_the_loop_and_its_gradient():
    logits = 3 * some_logits(8)
    rows = [math.log(sum(math.exp(z) for z in row)) ** 2 for row in logits]
    value, gradient = z_loss(logits)
    assert value == pytest.approx(sum(rows) / len(rows), rel=1e-12)
    assert_is_gradient(gradient, lambda z: z_loss(z)[0], logits)


def test_z_loss_of_equal_logits_is_exact_and_sees_the_offset_that_softmax_ignores():
    assert z_loss(np.zeros((3, 8)))[0] == pytest.approx(math.log(8) ** 2)
    assert z_loss(np.zeros((3, 8)) + 10)[0] == pytest.approx((10 + math.log(8)) ** 2)
    assert z_loss(np.array([[1e4, -1e4]]))[0] == pytest.approx(1e8)


def test_bias_rule_by_hand():
    bias = np.array([0.1, 0.0, 0.0, 0.0])
    updated = bias_update(bias, [10, 4, 6, 4], 0.01)
    np.testing.assert_allclose(updated, [0.09, 0.01, 0.0, 0.01])
    np.testing.assert_array_equal(bias, [0.1, 0, 0, 0])
    np.testing.assert_allclose(bias_update(bias, np.array([10, 4, 6, 4]) / 24, 0.01), updated)


def test_the_bias_rule_balances_a_skewed_router():
    logits = some_logits(0, 256, 8) + np.linspace(1, -1, 8)
    bias = np.zeros(8)

    def load():
        return routing.sigmoid_top_k(logits, 2, bias=bias).dispatch().sum(axis=0)
    before = load().max() / load().mean()
    for _ in range(400):
        bias = bias_update(bias, load(), 2e-3)
    assert before > 1.5 and load().max() / load().mean() < 1.1


# --- what holds for all of them

ALL = {
    "switch": switch_loss,
    "gshard": gshard_loss,
    "importance": importance_loss,
    "sequence": lambda made: sequence_loss(made, np.arange(made.num_tokens) % 3, scoring="softmax"),
    "load": lambda made: load_loss(made, made.logits - 0.1, np.zeros_like(made.logits))[:2],
    "z": lambda made: z_loss(made.logits),
}


@cases("name", ALL)
def test_value_is_a_float_and_the_gradient_has_the_dtype_of_the_logits(name):
    for dtype in (np.float32, np.float64):
        value, gradient = ALL[name](routing.top_k(some_logits().astype(dtype), 2))
        assert type(value) is float and gradient.dtype == dtype


@given(st.integers(0, 10**6), st.sampled_from(["switch", "gshard", "importance", "load", "z"]))
def test_permuting_tokens_or_experts_permutes_the_gradient(seed, name):
    rng, logits = np.random.default_rng(seed), some_logits(seed)
    tokens, experts = rng.permutation(7), rng.permutation(4)
    value, gradient = ALL[name](routing.top_k(logits, 2))
    moved, moved_gradient = ALL[name](routing.top_k(logits[tokens][:, experts], 2))
    assert moved == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(moved_gradient, gradient[tokens][:, experts], atol=1e-12)


@given(st.integers(0, 10**6), st.sampled_from(["switch", "gshard", "importance", "sequence"]))
def test_what_capacity_drops_still_counts(seed, name):
    made = routing.top_k(some_logits(seed), 2)
    value, gradient = ALL[name](made)
    after, after_gradient = ALL[name](apply_capacity(made, 1))
    assert after == value
    np.testing.assert_array_equal(after_gradient, gradient)


@cases("name", ["switch", "gshard", "importance", "sequence"])
def test_a_common_offset_changes_nothing_in_a_softmax_loss(name):
    value, gradient = ALL[name](routing.top_k(some_logits(), 2))
    moved = ALL[name](routing.top_k(some_logits() + 5.0, 2))
    assert moved[0] == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-12)


@cases("name", ALL)
@cases("logits", [
    np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]), np.zeros((1, 3)), np.array([[2.0, 2.0]]),
])
def test_extreme_logits_give_finite_numbers(name, logits):
    value, gradient = ALL[name](routing.top_k(logits, 2))
    assert math.isfinite(value) and np.isfinite(gradient).all()


# --- bad input

MADE = routing.top_k(some_logits(), 2)
SIGMOID = routing.sigmoid_top_k(some_logits(), 2)
FIXED = routing.random_route(7, 4, 2, rng=np.random.default_rng(0))
GSHARD = routing.gshard_top_2(3 * some_logits(), rng=np.random.default_rng(0))
ZEROS = np.zeros((7, 4))


@cases("name, call", [
    ("routed", lambda: switch_loss(ZEROS)),
    ("routed", lambda: switch_loss(FIXED)),
    ("routed", lambda: gshard_loss(FIXED)),
    ("routed", lambda: sequence_loss(FIXED, [0] * 7)),
    ("routed", lambda: importance_loss(FIXED)),
    ("routed", lambda: importance_loss(None)),
    ("routed", lambda: load_loss(FIXED, ZEROS, ZEROS)),
    ("routed", lambda: load_loss(ZEROS, ZEROS, ZEROS)),
    ("convention", lambda: switch_loss(MADE, convention="mean")),
    ("mask", lambda: switch_loss(MADE, mask=[True] * 6)),
    ("mask", lambda: switch_loss(MADE, mask=np.zeros(7, bool))),
    ("mask", lambda: gshard_loss(MADE, mask=np.ones(7))),
    ("scoring", lambda: switch_loss(MADE, scoring="tanh")),
    ("scoring", lambda: switch_loss(MADE, scoring="sigmoid")),
    ("scoring", lambda: switch_loss(SIGMOID)),
    ("scoring", lambda: gshard_loss(SIGMOID)),
    ("scoring", lambda: switch_loss(routing.sinkhorn(some_logits(), 1))),
    ("scoring", lambda: sequence_loss(MADE, [0] * 7)),
    ("sequence_ids", lambda: sequence_loss(SIGMOID, [0] * 6)),
    ("sequence_ids", lambda: sequence_loss(SIGMOID, [0.5] * 7)),
    ("sequence_ids", lambda: sequence_loss(SIGMOID, [[0]] * 7)),
    ("scoring", lambda: importance_loss(MADE, scoring="tanh")),
    ("scoring", lambda: importance_loss(MADE, renormalize=False)),
    ("scoring", lambda: importance_loss(SIGMOID)),
    ("scoring", lambda: importance_loss(GSHARD)),
    ("scale", lambda: importance_loss(MADE, scale=0.0)),
    ("logits", lambda: load_loss(MADE, ZEROS[0], ZEROS)),
    ("noise_logits", lambda: load_loss(MADE, ZEROS, ZEROS[:3])),
    ("logits", lambda: load_loss(MADE, ZEROS[:3], ZEROS[:3])),
    ("noise_logits", lambda: selection_probability(ZEROS, ZEROS + np.nan, ZEROS, 2)),
    ("k", lambda: selection_probability(ZEROS, ZEROS, ZEROS, 5)),
    ("k", lambda: selection_probability(ZEROS, ZEROS, ZEROS, 0)),
    ("logits", lambda: z_loss(np.zeros((0, 4)))),
    ("logits", lambda: z_loss([[np.inf, 0.0]])),
    ("bias", lambda: bias_update([[0.0]], [1], 0.1)),
    ("load", lambda: bias_update([0.0, 0.0], [1, 2, 3], 0.1)),
    ("load", lambda: bias_update([0.0, 0.0], [1, -2], 0.1)),
    ("load", lambda: bias_update([], [], 0.1)),
    ("rate", lambda: bias_update([0.0, 0.0], [1, 2], -0.1)),
])
def test_bad_input_names_the_argument(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()

"""Every router against a slow specification in plain Python."""

import math

import numpy as np
import pytest

from cases import cases
from moeviz import routing
from moeviz.record import EMPTY

T, E = 12, 6
LOGITS = np.random.default_rng(7).normal(size=(T, E)) * 1.5
BIAS = np.random.default_rng(8).normal(size=E) * 0.3


# The specifications: one token (a list of E numbers) -> list of (expert, weight), best first.

def shares(row):
    powers = [math.exp(z - max(row)) for z in row]
    return [power / sum(powers) for power in powers]


def squash(z):
    return 1 / (1 + math.exp(-z))


def best(scores, k, allowed=None):
    allowed = range(len(scores)) if allowed is None else allowed
    return sorted(allowed, key=lambda e: (-scores[e], e))[:k]


def weigh(scores, chosen, renormalize=False, scale=1.0):
    total = sum(scores[e] for e in chosen) if renormalize else 1
    return [(e, scale * scores[e] / total) for e in chosen]


def in_best_groups(scores, num_groups, top_groups, count):
    size = len(scores) // num_groups
    groups = [sorted(scores[g * size:(g + 1) * size])[-count:] for g in range(num_groups)]
    opened = best([sum(group) for group in groups], top_groups)
    return [e for e in range(len(scores)) if e // size in opened]


def spec_top_k(row, k, renormalize):
    p = shares(row)
    return weigh(p, best(p, k), renormalize)


def spec_sigmoid(row, k, bias, num_groups, top_groups, renormalize, scale):
    s = [squash(z) for z in row]
    choice = [score + b for score, b in zip(s, bias, strict=True)]
    return weigh(s, best(choice, k, in_best_groups(choice, num_groups, top_groups, 2)), renormalize, scale)


def spec_group_limited(row, k, num_groups, top_groups, scale):
    p = shares(row)
    return weigh(p, best(p, k, in_best_groups(p, num_groups, top_groups, 1)), scale=scale)


def spec_null(row, k, bias, scale):
    p = shares(row)
    return weigh(p, best([score + b for score, b in zip(p, bias, strict=True)], k), scale=scale)


def spec_top_p(row, p):
    probs, chosen = shares(row), []
    for e in best(probs, len(row)):
        if sum(probs[c] for c in chosen) < p:
            chosen.append(e)
    return weigh(probs, chosen)


def spec_threshold(row, cuts):
    p = shares(row)
    return weigh(p, [e for e in best(p, len(row)) if p[e] > cuts[e]])


def spec_relu(row):
    return weigh(row, [e for e in best(row, len(row)) if row[e] > 0])


CUTS = [0.1, 0.3, 0.2, 0.15, 0.05, 0.9]
PER_TOKEN = {
    "soft": (routing.soft, lambda row: spec_top_k(row, E, False)),
    "top_k": (lambda z: routing.top_k(z, 3), lambda row: spec_top_k(row, 3, True)),
    "top_k raw": (lambda z: routing.top_k(z, 3, renormalize=False), lambda row: spec_top_k(row, 3, False)),
    "sigmoid plain": (lambda z: routing.sigmoid_top_k(z, 3),
                      lambda row: spec_sigmoid(row, 3, [0] * E, 1, 1, True, 1.0)),
    "sigmoid raw": (lambda z: routing.sigmoid_top_k(z, 2, renormalize=False, scale=0.5),
                    lambda row: spec_sigmoid(row, 2, [0] * E, 1, 1, False, 0.5)),
    "sigmoid full": (lambda z: routing.sigmoid_top_k(z, 3, bias=BIAS, num_groups=3, top_groups=2, scale=2.5),
                     lambda row: spec_sigmoid(row, 3, BIAS, 3, 2, True, 2.5)),
    "group-limited": (lambda z: routing.softmax_group_limited(z, 3, num_groups=3, top_groups=2, scale=16.0),
                      lambda row: spec_group_limited(row, 3, 3, 2, 16.0)),
    "null": (lambda z: routing.null_experts(z, 3, num_null=2, bias=BIAS, scale=6.0),
             lambda row: spec_null(row, 3, BIAS, 6.0)),
    "null no bias": (lambda z: routing.null_experts(z, 2, num_null=1),
                     lambda row: spec_null(row, 2, [0] * E, 1.0)),
    "top_p": (lambda z: routing.top_p(z, 0.7), lambda row: spec_top_p(row, 0.7)),
    "threshold": (lambda z: routing.threshold(z, CUTS), lambda row: spec_threshold(row, CUTS)),
    "threshold one cut": (lambda z: routing.threshold(z, 0.2), lambda row: spec_threshold(row, [0.2] * E)),
    "relu": (routing.relu_route, spec_relu),
}


def choices(result):
    """Return per token the list of (expert, weight) of the slots that are not EMPTY."""
    rows = zip(result.expert_index.tolist(), result.combine_weight.tolist(), strict=True)
    return [[(e, w) for e, w in zip(*row, strict=True) if e != EMPTY] for row in rows]


def assert_routes(result, expected):
    got = choices(result)
    assert [[e for e, _ in row] for row in got] == [[e for e, _ in row] for row in expected]
    for got_row, expected_row in zip(got, expected, strict=True):
        assert [w for _, w in got_row] == pytest.approx([w for _, w in expected_row], rel=1e-12)
    assert (result.kept == (result.expert_index != EMPTY)).all()


@pytest.mark.parametrize(("route", "spec"), PER_TOKEN.values(), ids=PER_TOKEN)
def test_per_token_routers_equal_their_specification(route, spec):
    result = route(LOGITS)
    assert_routes(result, [spec(row) for row in LOGITS.tolist()])
    assert (result.logits == LOGITS).all()


@cases("name", ["soft", "top_k", "group-limited", "null", "top_p", "threshold"])
def test_probs_of_softmax_routers(name):
    route, _ = PER_TOKEN[name]
    np.testing.assert_allclose(route(LOGITS).probs, [shares(row) for row in LOGITS.tolist()], rtol=1e-12)


def test_probs_of_sigmoid_routers_are_shares_without_the_bias():
    scores = [[squash(z) for z in row] for row in LOGITS.tolist()]
    expected = [[s / sum(row) for s in row] for row in scores]
    np.testing.assert_allclose(routing.sigmoid_top_k(LOGITS, 2, bias=BIAS).probs, expected, rtol=1e-12)


def test_probs_of_relu_are_shares_and_even_where_nothing_is_on():
    assert routing.relu_route([[1.0, 3.0, -2.0], [-1.0, -2.0, 0.0]]).probs.tolist() == [
        [0.25, 0.75, 0.0], pytest.approx([1 / 3] * 3)]


def test_noisy_top_k_adds_draws_times_softplus():
    widths = np.random.default_rng(1).normal(size=(T, E))
    result = routing.noisy_top_k(LOGITS, widths, 2, rng=np.random.default_rng(3))
    draws = np.random.default_rng(3).standard_normal((T, E))
    noisy = [[LOGITS[t, e] + draws[t, e] * math.log(1 + math.exp(widths[t, e])) for e in range(E)]
             for t in range(T)]
    np.testing.assert_allclose(result.logits, noisy, rtol=1e-12)
    assert_routes(result, [spec_top_k(row, 2, True) for row in noisy])
    quiet = routing.noisy_top_k(LOGITS, widths, 2, rng=None, training=False)
    assert_routes(quiet, [spec_top_k(row, 2, True) for row in LOGITS.tolist()])


@cases("threshold", [None, 0.2, 1.0])
def test_gshard_renormalises_then_draws_for_the_second(threshold):
    result = routing.gshard_top_2(LOGITS, rng=np.random.default_rng(5), threshold=threshold)
    draws, expected = np.random.default_rng(5).random(T).tolist(), []
    for row, draw in zip(LOGITS.tolist(), draws, strict=True):
        first, second = spec_top_k(row, 2, True)
        chance = min(1, 2 * second[1] if threshold is None else second[1] / threshold)
        expected.append([first, second] if draw < chance else [first])
    assert_routes(result, expected)
    np.testing.assert_allclose(result.probs, [shares(row) for row in LOGITS.tolist()], rtol=1e-12)


@cases(("threshold", "chance"), [(None, 2 / 3), (0.2, 1.0), (0.5, 2 / 3), (1.0, 1 / 3)])
def test_gshard_second_choice_is_taken_as_often_as_the_rule_says(threshold, chance):
    logits = np.tile(np.log([6.0, 3.0, 1.0]), (20_000, 1))
    result = routing.gshard_top_2(logits, rng=np.random.default_rng(0), threshold=threshold)
    assert result.kept[:, 1].mean() == pytest.approx(chance, abs=0.015)
    assert result.combine_weight[:, 0] == pytest.approx(2 / 3)


def test_cosine_top_k_divides_the_angle_by_the_temperature():
    rng = np.random.default_rng(2)
    tokens, experts = rng.normal(size=(T, 4)), rng.normal(size=(E, 4))
    cosine = [[sum(a * b for a, b in zip(x, w, strict=True)) / math.hypot(*x) / math.hypot(*w)
               for w in experts.tolist()] for x in tokens.tolist()]
    for temperature, used in [(0.5, 0.5), (0.001, 0.01)]:
        result = routing.cosine_top_k(tokens, experts, 2, temperature=temperature)
        np.testing.assert_allclose(result.logits, np.array(cosine) / used, rtol=1e-10)
        assert_routes(result, [spec_top_k(row, 2, True) for row in result.logits.tolist()])
    longer = routing.cosine_top_k(tokens * 7, experts * 0.1, 2, temperature=0.5, renormalize=False)
    np.testing.assert_allclose(longer.logits * 0.5, cosine, rtol=1e-10)
    assert_routes(longer, [spec_top_k(row, 2, False) for row in longer.logits.tolist()])


def spec_expert_choice(logits, capacity):
    p = [shares(row) for row in logits]
    taken = {(t, e) for e in range(len(p[0])) for t in best([row[e] for row in p], capacity)}
    return [weigh(p[t], [e for e in best(p[t], len(p[t])) if (t, e) in taken]) for t in range(len(p))]


@cases("capacity", [1, 4, T])
def test_expert_choice_equals_its_specification(capacity):
    result = routing.expert_choice(LOGITS, capacity)
    assert_routes(result, spec_expert_choice(LOGITS.tolist(), capacity))
    assert result.dispatch().sum(axis=0).tolist() == [capacity] * E
    assert result.k == result.dispatch().sum(axis=1).max()


def spec_plan(logits, iterations):
    """Scale exp(logits) as Megatron does: a factor per row, then a factor per column; rows last."""
    cost = [[math.exp(z) for z in row] for row in logits]
    rows, columns = len(cost), len(cost[0])
    by_column = [1.0] * columns
    for _ in range(iterations):
        by_row = [1 / rows / sum(c * x for c, x in zip(row, by_column, strict=True)) for row in cost]
        by_column = [1 / columns / sum(cost[t][e] * by_row[t] for t in range(rows)) for e in range(columns)]
    scaled = [[c * x for c, x in zip(row, by_column, strict=True)] for row in cost]
    return [[c / sum(row) for c in row] for row in scaled]


@cases("iterations", [0, 1, 7])
def test_sinkhorn_plan_equals_its_specification(iterations):
    plan = spec_plan(LOGITS.tolist(), iterations)
    np.testing.assert_allclose(routing.sinkhorn_plan(LOGITS, iterations=iterations), plan, rtol=1e-10)
    one = routing.sinkhorn(LOGITS, 1, iterations=iterations)
    np.testing.assert_allclose(one.probs, plan, rtol=1e-10)
    gates = [[squash(z) for z in row] for row in LOGITS.tolist()]
    assert_routes(one, [weigh(gate, best(row, 1)) for gate, row in zip(gates, plan, strict=True)])
    two = routing.sinkhorn(LOGITS, 2, iterations=iterations)
    gates = [shares(row) for row in LOGITS.tolist()]
    assert_routes(two, [weigh(gate, best(row, 2)) for gate, row in zip(gates, plan, strict=True)])


def test_sinkhorn_plan_converges_to_even_columns():
    plan = routing.sinkhorn_plan(LOGITS, iterations=300)
    np.testing.assert_allclose(plan.sum(axis=0), T / E, rtol=1e-9)
    np.testing.assert_allclose(plan.sum(axis=1), 1, rtol=1e-12)


def spec_quantile(values, q):
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def spec_price(scores, k, sweeps):
    tokens, experts = len(scores), len(scores[0])
    price = [0.0] * experts
    for _ in range(sweeps):
        left = [sorted((s - b for s, b in zip(row, price, strict=True)), reverse=True) for row in scores]
        alpha = [(row[k - 1] + row[k]) / 2 for row in left]
        price = [spec_quantile([scores[t][e] - alpha[t] for t in range(tokens)], 1 - k / experts)
                 for e in range(experts)]
    return price


@cases("sweeps", [1, 5])
def test_quantile_balancing_equals_its_specification(sweeps):
    p = [shares(row) for row in LOGITS.tolist()]
    price = spec_price(p, 2, sweeps)
    np.testing.assert_allclose(-routing.quantile_bias(np.array(p), 2, sweeps=sweeps), price, rtol=1e-9)
    expected = [weigh(row, best([s - b for s, b in zip(row, price, strict=True)], 2)) for row in p]
    result = routing.quantile_balanced(LOGITS, 2, sweeps=sweeps)
    assert_routes(result, expected)
    np.testing.assert_allclose(result.probs, p, rtol=1e-12)


def spec_hash(token_id, num_experts, k):
    def mix(x):
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
        return x ^ (x >> 31)
    seeds = [token_id * 0x9E3779B97F4A7C15 + (e + 1) * 0xD1B54A32D192ED03 for e in range(num_experts)]
    return best([mix(seed % 2**64) for seed in seeds], k)


def test_hash_route_is_a_fixed_table():
    ids = [0, 5, 5, 123, 2**40]
    result = routing.hash_route(ids, 7, 3)
    assert_routes(result, [[(e, 1 / 3) for e in spec_hash(i, 7, 3)] for i in ids])
    assert result.logits is None
    np.testing.assert_allclose(result.probs, result.combine())


def test_hash_route_spreads_ids_evenly():
    counts = routing.hash_route(np.arange(8000), 8).dispatch().sum(axis=0)
    assert abs(counts - 1000).max() < 4 * math.sqrt(1000)


def test_random_route_draws_distinct_experts_evenly():
    result = routing.random_route(8000, 4, 2, rng=np.random.default_rng(0))
    assert result.logits is None
    assert (result.combine_weight == 0.5).all() and (result.probs == 0.25).all()
    ordered_pairs = np.bincount(result.expert_index @ [4, 1], minlength=16).reshape(4, 4)
    assert np.diag(ordered_pairs).sum() == 0
    assert abs(ordered_pairs[~np.eye(4, dtype=bool)] - 8000 / 12).max() < 4 * math.sqrt(8000 / 12)
    again = routing.random_route(8000, 4, 2, rng=np.random.default_rng(0))
    assert (again.expert_index == result.expert_index).all()


def test_soft_moe_equals_its_specification():
    rng = np.random.default_rng(4)
    tokens, slots = rng.normal(size=(5, 3)).tolist(), rng.normal(size=(4, 3)).tolist()
    logits = [[2.0 * sum(a * b for a, b in zip(x, s, strict=True)) / math.hypot(*x) / math.hypot(*s)
               for s in slots] for x in tokens]
    mixing = routing.soft_moe(tokens, slots, scale=2.0)
    np.testing.assert_allclose(mixing.combine, [shares(row) for row in logits], rtol=1e-10)
    columns = [shares([row[s] for row in logits]) for s in range(4)]
    np.testing.assert_allclose(mixing.dispatch.T, columns, rtol=1e-10)

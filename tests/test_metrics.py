"""Metrics against slow loops, closed forms, published values and the right nulls."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import EMPTY, Routing, metrics, routing
from moeviz.capacity import apply_capacity, expert_capacity

SUMMARIES = [metrics.cv, metrics.max_violation, metrics.gini, metrics.load_entropy, metrics.effective_experts]


def some_logits(seed=0, num_tokens=12, num_experts=4):
    return np.random.default_rng(seed).normal(size=(num_tokens, num_experts))


def by_hand(index, num_experts=3, weight=None, kept=None):
    """Return a routing with these choices; probs are uniform, weights default to 1 / k."""
    index = np.asarray(index)
    weight = np.where(index == EMPTY, 0.0, 1 / index.shape[1]) if weight is None else weight
    kept = index != EMPTY if kept is None else kept
    return Routing(None, np.full((len(index), num_experts), 1 / num_experts), index, weight, kept, "by hand")


HOLES = by_hand([[0, 1], [0, EMPTY], [EMPTY, EMPTY], [2, 0]],
                weight=[[0.75, 0.25], [1.0, 0], [0, 0], [0.5, 0.5]],
                kept=[[True, False], [True, False], [False, False], [True, True]])


# --- loads

def test_counts_load_and_importance_by_hand():
    assert metrics.counts(HOLES).tolist() == [3, 1, 1]
    assert metrics.load(HOLES).tolist() == [0.6, 0.2, 0.2]
    assert metrics.importance(HOLES).tolist() == [2.25, 0.25, 0.5]


def test_a_mask_leaves_padding_out_of_all_three():
    mask = [True, False, True, True]
    assert metrics.counts(HOLES, mask=mask).tolist() == [2, 1, 1]
    assert metrics.load(HOLES, mask=mask).tolist() == [0.5, 0.25, 0.25]
    assert metrics.importance(HOLES, mask=mask).tolist() == [1.25, 0.25, 0.5]


def test_padding_that_is_counted_looks_like_a_favourite_expert():
    logits = np.r_[np.tile(np.eye(4), (3, 1)), np.tile([1.0, 0, 0, 0], (12, 1))]
    made, mask = routing.top_k(logits, 1), np.arange(24) < 12
    assert metrics.max_violation(made) == pytest.approx(1.5)
    assert metrics.max_violation(metrics.load(made, mask=mask)) == pytest.approx(0.0)


@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(0, 5))
def test_loads_ignore_capacity_and_sum_up(seed, k, capacity):
    made = routing.top_k(some_logits(seed), k)
    limited = apply_capacity(made, capacity)
    for measure in (metrics.counts, metrics.load, metrics.importance):
        np.testing.assert_array_equal(measure(limited), measure(made))
    assert metrics.counts(made).sum() == 12 * k
    assert metrics.load(made).sum() == pytest.approx(1)
    assert metrics.importance(made).sum() == pytest.approx(12)
    np.testing.assert_array_equal(metrics.counts(made), made.dispatch().sum(axis=0))


# --- how even a load is

@cases("used, num_experts", [(1, 8), (2, 8), (3, 7), (8, 8), (1, 1)])
def test_a_few_experts_that_share_everything(used, num_experts):
    loads = np.r_[np.full(used, 5), np.zeros(num_experts - used, int)]
    assert metrics.cv(loads) == pytest.approx(math.sqrt(num_experts / used - 1))
    assert metrics.max_violation(loads) == pytest.approx(num_experts / used - 1)
    assert metrics.gini(loads) == pytest.approx(1 - used / num_experts)
    assert metrics.effective_experts(loads) == pytest.approx(used)
    entropy = math.log(used) / math.log(num_experts) if num_experts > 1 else 1.0
    assert metrics.load_entropy(loads) == pytest.approx(entropy)


loads_of_any_size = st.lists(st.integers(0, 50), min_size=1, max_size=9).filter(any)


@given(loads_of_any_size)
def test_summaries_equal_their_definitions(loads):
    count, mean = len(loads), sum(loads) / len(loads)
    shares = [value / sum(loads) for value in loads]
    variance = sum((value - mean) ** 2 for value in loads) / count
    assert metrics.cv(loads) == pytest.approx(math.sqrt(variance) / mean)
    assert metrics.cv(loads) ** 2 == pytest.approx(count * sum(f * f for f in shares) - 1, abs=1e-9)
    assert metrics.max_violation(loads) == pytest.approx(max(loads) / mean - 1)
    differences = sum(abs(a - b) for a in loads for b in loads)
    assert metrics.gini(loads) == pytest.approx(differences / (2 * count**2 * mean), abs=1e-12)
    entropy = -sum(f * math.log(f) for f in shares if f)
    assert metrics.effective_experts(loads) == pytest.approx(math.exp(entropy))
    if count > 1:
        assert metrics.load_entropy(loads) == pytest.approx(entropy / math.log(count), abs=1e-12)


@given(loads_of_any_size, st.integers(0, 100), st.floats(0.01, 1000))
def test_summaries_ignore_the_order_and_the_unit(loads, seed, unit):
    moved = np.random.default_rng(seed).permutation(loads) * unit
    for summary in SUMMARIES:
        assert summary(moved) == pytest.approx(summary(loads), abs=1e-9)
    last = len(loads) - 1
    assert -1e-12 <= metrics.max_violation(loads) <= last + 1e-9
    assert -1e-12 <= metrics.gini(loads) <= last / len(loads) + 1e-9
    assert -1e-12 <= metrics.load_entropy(loads) <= 1 + 1e-9


@cases("summary", SUMMARIES)
def test_rows_of_loads_are_taken_one_by_one_and_a_routing_by_its_counts(summary):
    film = np.random.default_rng(0).integers(0, 9, size=(2, 3, 4)) + 1
    table = summary(film)
    assert table.shape == (2, 3)
    for place in np.ndindex(2, 3):
        assert table[place] == pytest.approx(summary(film[place]))
    assert type(summary(film[0, 0])) is float
    assert summary(HOLES) == summary([3, 1, 1])


@cases("summary", SUMMARIES)
def test_no_choice_at_all_is_neither_even_nor_uneven(summary):
    nobody = by_hand([[EMPTY], [EMPTY]])
    assert metrics.load(nobody).tolist() == [0, 0, 0]
    assert math.isnan(summary(nobody))
    assert np.isnan(summary([[0, 0], [1, 1]])).tolist() == [True, False]


def test_pooled_layers_hide_their_collapses():
    layers = np.array([[9, 0], [0, 9]])
    assert metrics.cv(layers).tolist() == [1.0, 1.0]
    assert metrics.cv(layers.sum(axis=0)) == 0.0


def test_the_summaries_disagree_about_which_load_is_worse():
    one_hot_spot, two_dead = [20, 10, 10, 10, 10, 10, 10, 10], [13, 13, 13, 13, 13, 13, 0, 0]
    assert metrics.max_violation(one_hot_spot) > metrics.max_violation(two_dead)
    assert metrics.cv(one_hot_spot) < metrics.cv(two_dead)
    assert metrics.load_entropy(one_hot_spot) > metrics.load_entropy(two_dead)


@cases("tokens_per_expert, busiest", [(8, 1.92), (128, 1.21)])
def test_a_fair_router_straggles_by_sampling_noise(tokens_per_expert, busiest):
    rng = np.random.default_rng(0)
    loads = rng.multinomial(64 * tokens_per_expert, np.full(64, 1 / 64), size=400)
    assert 1 + metrics.max_violation(loads).mean() == pytest.approx(busiest, abs=0.02)


def test_dead_experts_are_those_below_a_tenth_of_the_even_share():
    loads = [100, 9, 11, 280]  # the even share is 100, so the cut is at 10
    assert metrics.dead_experts(loads).tolist() == [1]
    assert metrics.dead_experts(loads, threshold=0.2).tolist() == [1, 2]
    assert metrics.dead_experts([0, 0, 4, 4], threshold=0).tolist() == []
    assert metrics.dead_experts([1, 39], threshold=0.05).tolist() == []  # exactly at the cut lives
    assert metrics.dead_experts(HOLES).tolist() == []
    assert metrics.dead_experts(by_hand([[EMPTY]])).tolist() == [0, 1, 2]


def test_a_short_stretch_of_one_kind_of_text_makes_experts_look_dead():
    index = np.repeat([0, 1, 2], 20)[:, None]
    assert metrics.dead_experts(by_hand(index)).tolist() == []
    assert metrics.dead_experts(by_hand(index[-20:])).tolist() == [0, 1]


# --- tokens

@cases("logits, sure, even", [
    (30.0 * np.eye(4), True, True),                     # every token is sure, experts share the load
    (np.tile([30.0, 0, 0, 0], (4, 1)), True, False),    # every token is sure of the same expert
    (0.01 * np.eye(4), False, True),
    (np.tile([0.01, 0, 0, 0], (4, 1)), False, False),
])
def test_router_entropy_and_load_entropy_are_different_questions(logits, sure, even):
    made = routing.top_k(logits, 1)
    assert metrics.router_entropy(made) == pytest.approx(0.0 if sure else 1.0, abs=1e-3)
    assert metrics.load_entropy(made) == pytest.approx(1.0 if even else 0.0, abs=1e-9)


def test_router_entropy_equals_the_loop():
    made, mask = routing.top_k(some_logits(1), 1), np.arange(12) % 3 > 0
    rows = [-sum(p * math.log(p) for p in row) / math.log(4) for row in made.probs]
    assert metrics.router_entropy(made) == pytest.approx(sum(rows) / 12)
    assert metrics.router_entropy(made, mask=mask) == pytest.approx(np.mean(np.array(rows)[mask]))
    assert metrics.router_entropy(routing.top_k([[3.0], [1.0]], 1)) == 1.0


def test_drops_by_hand():
    assert metrics.drop_rate(HOLES) == pytest.approx(1 / 5)
    assert metrics.fully_dropped(HOLES) == 0.25
    assert metrics.drop_rate(by_hand([[EMPTY]])) == 0.0
    assert metrics.fully_dropped(by_hand([[EMPTY]])) == 1.0


@given(st.integers(0, 10**6), st.integers(0, 8))
def test_drop_rate_and_waste_count_the_same_seats(seed, capacity):
    made = apply_capacity(routing.top_k(some_logits(seed), 2), capacity)
    lost = sum(1 for row in made.kept for kept in row if not kept)
    assert metrics.drop_rate(made) == pytest.approx(lost / 24)
    assert metrics.fully_dropped(made) == pytest.approx(np.mean([not any(row) for row in made.kept]))
    if capacity:
        served = 24 * (1 - metrics.drop_rate(made))
        assert metrics.pad_waste(made, capacity) == pytest.approx(1 - served / (4 * capacity))


@cases("factor, waste", [(1.0, 0.0), (1.25, 0.2), (2.0, 0.5)])
def test_waste_of_a_balanced_load_is_1_minus_1_over_the_factor(factor, waste):
    balanced = routing.top_k(np.tile(np.eye(8), (16, 1)), 1)
    capacity = expert_capacity(128, 8, 1, factor)
    assert metrics.pad_waste(apply_capacity(balanced, capacity), capacity) == pytest.approx(waste)
    local = apply_capacity(balanced, capacity // 4, groups=4)
    assert metrics.pad_waste(local, capacity // 4, groups=4) == pytest.approx(waste)


def test_under_expert_choice_nothing_is_dropped_but_tokens_go_unserved():
    made = routing.expert_choice(np.outer(np.arange(12.0), np.ones(4)) + 0.1 * some_logits(), 2)
    unserved = sum(1 for row in made.dispatch() if not row.any())
    assert metrics.drop_rate(made) == 0 and unserved > 0
    assert metrics.fully_dropped(made) == pytest.approx(unserved / 12)


def test_captured_score_equals_the_loop_and_is_largest_for_top_k():
    made = routing.top_k(some_logits(4), 2)
    best = sum(sum(sorted(row)[-2:]) for row in made.probs) / 12
    assert metrics.captured_score(made) == pytest.approx(best)
    for other in (apply_capacity(made, 3), routing.quantile_balanced(some_logits(4), 2),
                  routing.sigmoid_top_k(some_logits(4), 2, bias=[2.0, 0, 0, 0])):
        assert metrics.captured_score(other) < best
    assert metrics.captured_score(routing.soft(some_logits(4))) == pytest.approx(1)


# --- co-activation, saturation

def test_co_activation_equals_the_loop_over_all_pairs():
    made = routing.top_k(some_logits(3, 40, 9), 4)
    sets = [set(row) for row in made.expert_index.tolist()]
    found = metrics.co_activation(made)
    for i, j in np.ndindex(9, 9):
        mine = [chosen for chosen in sets if i in chosen]
        assert found[i, j] == pytest.approx(sum(j in chosen for chosen in mine) / len(mine))


def test_co_activation_sees_experts_that_are_far_apart_in_rank():
    # 0 and 3 are first and last of every token: a count of neighbours in rank would miss the pair.
    assert metrics.co_activation(by_hand([[0, 1, 2, 3]], num_experts=5))[0].tolist() == [1, 1, 1, 1, 0]


def test_co_activation_without_preferences_and_with_an_unused_expert():
    every_pair = np.array(list(combinations(range(6), 2)))
    found = metrics.co_activation(by_hand(every_pair, num_experts=7))
    assert np.diag(found).tolist() == [1.0] * 6 + [0.0]
    assert found[0, 1:6] == pytest.approx(np.full(5, 1 / 5))
    assert not found[6].any()


def test_an_empty_slot_at_the_end_is_no_choice_to_agree_on():
    assert metrics.saturation(by_hand([[0, 1]]), by_hand([[1, EMPTY]])) == 1.0


def test_saturation_by_hand_and_by_chance():
    early, final = by_hand([[0, 1], [2, 1], [EMPTY, EMPTY]]), by_hand([[1, 0], [0, 1], [2, EMPTY]])
    assert metrics.saturation(early, final) == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics.saturation(final, early) == pytest.approx((1 + 0.5) / 2)
    assert metrics.saturation(early, early) == 1.0
    assert math.isnan(metrics.saturation(early, by_hand([[EMPTY]] * 3)))
    rng = np.random.default_rng(0)
    fair = [routing.random_route(5000, 16, 2, rng=rng) for _ in range(2)]
    assert metrics.saturation(*fair) == pytest.approx(2 / 16, abs=0.01)


# --- repetition and its nulls

@given(st.integers(0, 10**6), st.integers(1, 3))
def test_repetition_equals_the_loop(seed, k):
    index = routing.random_route(9, 4, k, rng=np.random.default_rng(seed)).expert_index.copy()
    index[np.random.default_rng(seed).random(index.shape) < 0.2] = EMPTY
    first = same = 0
    for now, then in zip(index.tolist(), index.tolist()[1:], strict=False):
        first += now[0] == then[0] != EMPTY
        same += bool((set(now) & set(then)) - {EMPTY})
    assert metrics.repetition(index) == pytest.approx(first / 8)
    assert metrics.repetition(index, kind="any") == pytest.approx(same / 8)
    assert metrics.repetition(by_hand(index, 4), kind="any") == metrics.repetition(index, kind="any")
    assert metrics.repetition(index[:, 0]) == metrics.repetition(index)


def test_dropped_choices_still_repeat():
    made = routing.top_k(np.tile([1.0, 0.0], (5, 1)), 1)
    assert metrics.repetition(apply_capacity(made, 1)) == 1.0


@cases("num_experts, k, chance", [(8, 1, 0.125), (8, 2, 0.464286), (4, 4, 1), (3, 2, 1)])
def test_uniform_repetition_as_published_and_as_simulated(num_experts, k, chance):
    assert metrics.repetition_if_uniform(num_experts, k) == pytest.approx(chance, abs=1e-6)
    made = routing.random_route(20_000, num_experts, k, rng=np.random.default_rng(1))
    assert metrics.repetition(made, kind="any") == pytest.approx(chance, abs=0.015)


def test_an_uneven_load_repeats_more_than_uniform_chance_without_any_order():
    first = np.random.default_rng(0).choice(8, size=20_000, p=np.array([8, 4, 2, 1, 1, 1, 1, 1]) / 19)
    expected = metrics.repetition_if_independent(first)
    assert expected == pytest.approx(sum((n / 19) ** 2 for n in [8, 4, 2, 1, 1, 1, 1, 1]), abs=0.01)
    assert metrics.repetition(first) == pytest.approx(expected, abs=0.015)
    assert expected > 1.5 / 8


def test_independent_null_leaves_tokens_without_a_choice_out():
    assert metrics.repetition_if_independent([0, 0, 1, EMPTY, EMPTY]) == pytest.approx(5 / 9)
    assert math.isnan(metrics.repetition_if_independent([EMPTY, EMPTY]))


def pairs_that_agree(values):
    """Return the share of ordered pairs of different places with equal values: the exact shuffle null."""
    times = np.unique(values, return_counts=True)[1]
    return (times * (times - 1)).sum() / (len(values) * (len(values) - 1))


def test_shuffle_null_equals_the_share_of_equal_pairs():
    first = np.sort(np.random.default_rng(2).integers(0, 5, size=300))
    assert metrics.repetition(first) > 0.98
    shuffled = metrics.repetition_if_shuffled(first, rng=np.random.default_rng(0), repeats=200)
    assert shuffled == pytest.approx(pairs_that_agree(first), abs=0.005)


def test_shuffling_within_a_domain_keeps_what_the_domain_explains():
    rng = np.random.default_rng(3)
    domains = np.repeat(["prose", "code"], 200)
    first = np.r_[rng.integers(0, 4, size=200), rng.integers(4, 6, size=200)]
    within = metrics.repetition_if_shuffled(first, rng=rng, domains=domains, repeats=100)
    parts = [pairs_that_agree(first[domains == name]) for name in ("prose", "code")]
    assert within == pytest.approx(199 / 399 * sum(parts), abs=0.01)
    assert within > 1.5 * metrics.repetition_if_shuffled(first, rng=rng, repeats=100)


def test_shuffling_within_mixed_domains_moves_tokens_to_places_of_their_own_domain():
    domains = np.arange(60) % 2  # the domains take turns, and each has one expert
    assert metrics.repetition_if_shuffled(domains, rng=np.random.default_rng(0), domains=domains) == 0.0


def test_shuffle_null_of_sets_moves_whole_tokens():
    index, rng = [[0, 1], [1, 0]] * 10, np.random.default_rng(0)
    assert metrics.repetition_if_shuffled(index, rng=rng, kind="any") == 1.0
    assert metrics.repetition_if_shuffled(index, rng=rng, kind="first") == pytest.approx(18 / 38, abs=0.06)


# --- what experts say about labels

def slow_information(expert, labels):
    total, information = len(labels), 0.0
    for e in set(expert):
        for label in set(labels):
            both = sum(x == e and y == label for x, y in zip(expert, labels, strict=True)) / total
            if both:
                alone = expert.count(e) / total * (labels.count(label) / total)
                information += both * math.log2(both / alone)
    return information


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), min_size=1, max_size=30))
def test_information_equals_the_definition(pairs):
    expert, labels = [e for e, _ in pairs], [label for _, label in pairs]
    found = metrics.mutual_information(expert, labels)
    assert found == pytest.approx(slow_information(expert, labels), abs=1e-12)
    assert 0 <= found <= metrics.label_entropy(labels) + 1e-12
    swapped = metrics.mutual_information([ord(label) for label in labels], expert)
    assert swapped == pytest.approx(found, abs=1e-12)


def test_information_has_closed_forms():
    labels = np.repeat(np.arange(4), 8)
    assert metrics.mutual_information(labels, labels) == pytest.approx(2.0)
    assert metrics.mutual_information(labels // 2, labels) == pytest.approx(1.0)
    assert metrics.mutual_information(np.tile(np.arange(8), 4), labels) == 0.0
    assert metrics.mutual_information(np.zeros(32, int), labels) == 0.0
    assert metrics.label_entropy(labels) == 2.0 and metrics.label_entropy(["x"] * 5) == 0.0


def test_information_counts_every_choice_of_a_routing_and_skips_empty_slots():
    made = by_hand([[0, 1], [0, EMPTY], [2, 1], [EMPTY, EMPTY]])
    labels = ["a", "a", "b", "b"]
    expert, repeated = [0, 1, 0, 2, 1], ["a", "a", "a", "b", "b"]
    assert metrics.mutual_information(made, labels) == pytest.approx(slow_information(expert, repeated))
    assert metrics.purity(made, labels) == pytest.approx(4 / 5)


def test_information_of_a_table_is_that_of_its_tokens():
    table = np.array([[5, 1, 0], [2, 2, 6]])
    expert = np.repeat([0, 0, 0, 1, 1, 1], table.ravel())
    labels = np.repeat([0, 1, 2, 0, 1, 2], table.ravel())
    assert metrics.information_of_table(table) == pytest.approx(metrics.mutual_information(expert, labels))


def test_information_of_an_independent_table_is_not_pushed_below_zero_by_rounding():
    assert 0 <= metrics.information_of_table(np.outer([5, 2, 2, 3, 5, 1], [4, 2])) < 1e-12


def test_null_information_is_the_bias_of_a_finite_sample():
    # Miller 1955: independent tables of N counts show about (rows - 1)(columns - 1) / (2 N ln 2) bits.
    rng = np.random.default_rng(0)
    expert, labels = rng.integers(0, 8, size=2000), rng.integers(0, 4, size=2000)
    null = metrics.mutual_information_null(expert, labels, rng=rng, repeats=100)
    assert null == pytest.approx(7 * 3 / (2 * 2000 * math.log(2)), rel=0.15)
    assert metrics.mutual_information_null(labels, labels, rng=rng) < 0.02


def test_purity_is_not_fooled_by_collapse():
    labels = np.repeat(np.arange(8), 10)
    assert metrics.purity(labels, labels) == 1.0
    assert metrics.purity(np.zeros(80, int), labels) == pytest.approx(1 / 8)
    assert metrics.purity(np.arange(80), labels) == 1.0        # splitting is free
    assert metrics.purity(labels // 2, labels) == 0.5          # merging is not


# --- invariants over records

@given(st.integers(0, 10**6), st.integers(1, 3))
def test_permutations_of_tokens_and_experts_carry_over(seed, k):
    rng, logits = np.random.default_rng(seed), some_logits(seed)
    tokens, experts = rng.permutation(12), rng.permutation(4)
    made, moved = routing.top_k(logits, k), routing.top_k(logits[tokens][:, experts], k)
    np.testing.assert_array_equal(metrics.counts(moved), metrics.counts(made)[experts])
    np.testing.assert_allclose(metrics.importance(moved), metrics.importance(made)[experts], rtol=1e-12)
    np.testing.assert_allclose(metrics.co_activation(moved), metrics.co_activation(made)[experts][:, experts])
    for measure in (metrics.router_entropy, metrics.captured_score, *SUMMARIES):
        assert measure(moved) == pytest.approx(measure(made), rel=1e-9, abs=1e-12)
    labels = np.arange(12) % 3
    assert metrics.mutual_information(moved, labels[tokens]) == pytest.approx(
        metrics.mutual_information(made, labels), abs=1e-12)


# --- bad input

RNG = np.random.default_rng(0)
MADE = routing.top_k(some_logits(), 2)
LABELS = np.arange(12) % 3


@cases("name, call", [
    ("routed", lambda: metrics.counts([[0, 1]])),
    ("routed", lambda: metrics.load(None)),
    ("routed", lambda: metrics.drop_rate(MADE.kept)),
    ("routed", lambda: metrics.captured_score(MADE.probs)),
    ("mask", lambda: metrics.counts(MADE, mask=[True])),
    ("mask", lambda: metrics.load(MADE, mask=np.zeros(12, bool))),
    ("mask", lambda: metrics.importance(MADE, mask=np.ones(12))),
    ("mask", lambda: metrics.router_entropy(MADE, mask="all")),
    ("loads", lambda: metrics.cv([1, -1])),
    ("loads", lambda: metrics.gini([1, np.nan])),
    ("loads", lambda: metrics.max_violation(3)),
    ("loads", lambda: metrics.load_entropy([])),
    ("loads", lambda: metrics.effective_experts("even")),
    ("loads", lambda: metrics.cv([[1, 2], [3]])),
    ("loads", lambda: metrics.cv([1j, 2])),
    ("loads", lambda: metrics.dead_experts([[1, 2], [3, 4]])),
    ("threshold", lambda: metrics.dead_experts([1, 2], threshold=-0.1)),
    ("capacity", lambda: metrics.pad_waste(MADE, 0)),
    ("capacity", lambda: metrics.pad_waste(MADE, 1)),
    ("groups", lambda: metrics.pad_waste(MADE, 12, groups=0)),
    ("kind", lambda: metrics.repetition(MADE, kind="all")),
    ("expert_index", lambda: metrics.repetition([3])),
    ("expert_index", lambda: metrics.repetition([0.5, 1.0])),
    ("expert_index", lambda: metrics.repetition([0, -2])),
    ("expert_index", lambda: metrics.repetition(np.zeros((2, 2, 2), int))),
    ("expert_index", lambda: metrics.repetition([[0], [1, 2]])),
    ("expert_index", lambda: metrics.repetition_if_independent([0, 10**14])),
    ("labels", lambda: metrics.mutual_information([0, 1], [[0], [1, 2]])),
    ("k", lambda: metrics.repetition_if_uniform(8, 9)),
    ("num_experts", lambda: metrics.repetition_if_uniform(0)),
    ("rng", lambda: metrics.repetition_if_shuffled(MADE, rng=0)),
    ("domains", lambda: metrics.repetition_if_shuffled(MADE, rng=RNG, domains=[0] * 11)),
    ("domains", lambda: metrics.repetition_if_shuffled(MADE, rng=RNG, domains=[0.5] * 12)),
    ("repeats", lambda: metrics.repetition_if_shuffled(MADE, rng=RNG, repeats=0)),
    ("final", lambda: metrics.saturation(MADE, routing.top_k(some_logits(0, 11), 2))),
    ("final", lambda: metrics.saturation(MADE, None)),
    ("labels", lambda: metrics.mutual_information(MADE, LABELS[:5])),
    ("labels", lambda: metrics.mutual_information(MADE, LABELS / 2)),
    ("labels", lambda: metrics.label_entropy([])),
    ("labels", lambda: metrics.purity(MADE, LABELS[:, None])),
    ("expert", lambda: metrics.mutual_information([EMPTY] * 3, [0, 1, 2])),
    ("expert", lambda: metrics.mutual_information([0.0, 1.0], [0, 1])),
    ("rng", lambda: metrics.mutual_information_null(MADE, LABELS, rng=None)),
    ("repeats", lambda: metrics.mutual_information_null(MADE, LABELS, rng=RNG, repeats=1.5)),
    ("table", lambda: metrics.information_of_table([[0, 0]])),
    ("table", lambda: metrics.information_of_table([[2, -1]])),
])
def test_bad_input_names_the_argument(name, call):
    with pytest.raises(ValueError, match=rf"^{name} "):
        call()


def test_an_entropy_of_nothing_has_no_minus():
    collapsed = routing.top_k(np.array([[1000.0, 0.0]]), k=1)
    for nothing in (metrics.load_entropy(collapsed), metrics.router_entropy(collapsed)):
        assert nothing == 0 and not np.signbit(nothing)

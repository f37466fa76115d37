"""The expert cache beside slow loops and beside every choice that a cache could have made."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import EMPTY, metrics, routing

SEQUENCES = st.lists(st.integers(0, 5), min_size=1, max_size=60)
SIZES = st.integers(1, 6)


def slow_lru(requests, size):
    shelf, hits = [], 0  # the expert used last stands at the end
    for expert in requests:
        if expert in shelf:
            hits += 1
            shelf.remove(expert)
        elif len(shelf) == size:
            shelf.pop(0)
        shelf.append(expert)
    return hits


def slow_lfu(requests, size):
    held, hits = set(), 0
    for at, expert in enumerate(requests):
        past = requests[:at]
        if expert in held:
            hits += 1
        elif len(held) == size:
            held.remove(min(held, key=lambda one: (past.count(one), at - past[::-1].index(one))))
        held.add(expert)
    return hits


def most_hits(requests, size):
    """Try every expert that could leave, each time one must."""
    @functools.cache
    def best(at, held):
        if at == len(requests):
            return 0
        expert = requests[at]
        if expert in held:
            return 1 + best(at + 1, held)
        if len(held) < size:
            return best(at + 1, held | {expert})
        return max(best(at + 1, held - {gone} | {expert}) for gone in held)
    return best(0, frozenset())


def hits(requests, size, policy):
    return metrics.cache_hits(requests, size, policy=policy) * len(requests)


@given(SEQUENCES, SIZES)
def test_lru_and_lfu_are_the_slow_loops(requests, size):
    assert hits(requests, size, "lru") == pytest.approx(slow_lru(requests, size))
    assert hits(requests, size, "lfu") == pytest.approx(slow_lfu(requests, size))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=16), st.integers(1, 4))
def test_belady_is_the_best_that_any_choice_gives(requests, size):
    assert hits(requests, size, "belady") == pytest.approx(most_hits(requests, size))


@given(SEQUENCES, SIZES)
def test_belady_is_never_below_the_others(requests, size):
    best = hits(requests, size, "belady")
    assert all(best >= hits(requests, size, policy) - 1e-9 for policy in ("lru", "lfu"))


@given(SEQUENCES, st.sampled_from(["lru", "belady"]))
def test_a_larger_cache_never_hits_less_and_one_for_all_misses_each_expert_once(requests, policy):
    curve = [hits(requests, size, policy) for size in range(1, 7)]
    assert all(more >= less - 1e-9 for less, more in itertools.pairwise(curve))
    assert curve[-1] == pytest.approx(len(requests) - len(set(requests)))


@given(SEQUENCES, SIZES, st.sampled_from(metrics.cache.POLICIES))
def test_a_run_never_holds_too_much_and_hits_what_it_holds(requests, size, policy):
    run, held = metrics.cache_run(requests, size, policy=policy), set()
    for expert, hit, gone in zip(*run, strict=True):
        assert hit == (expert in held)
        if gone != EMPTY:
            assert len(held) == size and not hit
            held.remove(gone)
        held.add(expert)
        assert len(held) <= size


def test_a_routing_is_asked_best_first_and_without_its_empty_slots():
    made = routing.top_k([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0]], k=2)
    assert metrics.cache_run(made, 2).expert.tolist() == [1, 2, 0, 2]
    assert metrics.cache_run([[1, EMPTY], [EMPTY, 0]], 1).expert.tolist() == [1, 0]
    assert metrics.cache_hits(made, 2) == 0.25


def test_the_published_example_of_belady():
    requests = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]  # the usual textbook string
    faults = {policy: round(20 - hits(requests, 3, policy)) for policy in ("belady", "lru")}
    assert faults == {"belady": 9, "lru": 12}


@cases(("arguments", "message"), [
    (([0, 1], 0, "lru"), "size must be a whole number of at least 1, got 0"),
    (([0, 1], 1, "fifo"), "policy must be one of 'lru', 'lfu', 'belady', got 'fifo'"),
    (([EMPTY], 1, "lru"), "got only EMPTY slots"),
    (([0.5], 1, "lru"), "expert_index must be a Routing or whole numbers"),
])
def test_bad_input_is_named(arguments, message):
    requests, size, policy = arguments
    with pytest.raises(ValueError) as error:
        metrics.cache_hits(requests, size, policy=policy)
    assert message in str(error.value)


# --- the null of a table of counts

@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4))
def test_a_shuffled_table_keeps_its_margins(seed, rows, columns):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 9, (rows, columns)) + 1
    shuffled = metrics.shuffled_table(table, rng=rng)
    assert (shuffled.sum(axis=0) == table.sum(axis=0)).all()
    assert (shuffled.sum(axis=1) == table.sum(axis=1)).all()
    assert shuffled.min() >= 0


def test_the_null_of_a_table_is_that_of_its_tokens_and_of_the_closed_form():
    rng = np.random.default_rng(0)
    expert, label = rng.integers(0, 8, 4000), rng.integers(0, 5, 4000)
    table = np.zeros((5, 8), int)
    np.add.at(table, (label, expert), 1)
    of_table = metrics.information_of_table_null(table, rng=rng, repeats=200)
    of_tokens = metrics.mutual_information_null(expert, label, rng=rng, repeats=200)
    assert of_table == pytest.approx(of_tokens, rel=0.1)
    assert of_table == pytest.approx(4 * 7 / (2 * 4000 * np.log(2)), rel=0.1)  # (N - 1)(M - 1) / (2 n ln 2)


@cases(("table", "message"), [
    ([[0.5]], "table must hold whole numbers"), ([[1, -1]], "table must hold whole numbers"),
    ([1, 2], "in shape"), ([[0, 0]], "table must sum to"), ([[10**9, 1]], "table must sum to"),
])
def test_a_table_that_cannot_be_shuffled_is_named(table, message):
    with pytest.raises(ValueError, match=message):
        metrics.shuffled_table(table, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="rng must be"):
        metrics.shuffled_table([[1]], rng=0)

"""Capacity against a slow loop that seats one choice at a time, exact binomial drop rates, and invariants."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import EMPTY, Routing
from moeviz.capacity import apply_capacity, expert_capacity, seat_positions

ORDERS = ["choice", "token", "score", "random"]


def random_routing(seed, num_tokens=12, num_experts=4, k=2, holes=True):
    """Return a routing with ties in probs, EMPTY slots and choices that were dropped before."""
    rng = np.random.default_rng(seed)
    probs = rng.integers(1, 4, size=(num_tokens, num_experts)).astype(float)
    probs /= probs.sum(axis=1, keepdims=True)
    index = np.argsort(rng.random((num_tokens, num_experts)), axis=1)[:, :k]
    if holes:
        index[rng.random(index.shape) < 0.15] = EMPTY
    weight = np.where(index == EMPTY, 0.0, rng.random(index.shape))
    kept = (index != EMPTY) & (rng.random(index.shape) > (0.1 if holes else -1))
    return Routing(None, probs, index, weight, kept, "by hand")


def fair_routing(num_tokens, num_experts, k, seed):
    """Return a router that favours nobody: every set of k experts is equally likely."""
    rng = np.random.default_rng(seed)
    index = np.argsort(rng.random((num_tokens, num_experts)), axis=1)[:, :k]
    probs = np.full((num_tokens, num_experts), 1 / num_experts)
    return Routing(None, probs, index, np.full(index.shape, 1 / k), np.ones(index.shape, bool), "fair")


def first_prob(routed, token):
    chosen = [e for e in routed.expert_index[token] if e != EMPTY]
    return routed.probs[token, chosen[0]] if chosen else 0.0


def slow_positions(routed, order, groups):
    """Seat one choice after the other, as a clerk with one list per expert and group would."""
    tokens = list(range(routed.num_tokens))
    if order == "score":
        tokens.sort(key=lambda token: -first_prob(routed, token))
    slots = range(routed.k)
    calls = [(t, s) for s in slots for t in tokens]
    calls = sorted(calls) if order == "token" else calls
    queue, place = {}, np.full(routed.kept.shape, EMPTY)
    for token, slot in calls:
        if routed.kept[token, slot]:
            key = token // (routed.num_tokens // groups), routed.expert_index[token, slot]
            place[token, slot] = queue.get(key, 0)
            queue[key] = place[token, slot] + 1
    return place


def kept_per_group_and_expert(routed, groups):
    return np.array([part.sum(axis=0) for part in np.split(routed.dispatch(), groups)])


# --- the number of seats

@cases("tokens, experts, k, factor, seats", [
    (32, 8, 2, 1.25, 10), (6, 4, 1, 1.0, 2), (1024, 128, 1, 1.25, 10), (10, 1, 1, 1.1, 11),
    (100, 1, 1, 1.1, 110), (30, 3, 1, 0.7, 7), (7, 7, 1, 0.0, 1), (1, 64, 1, 1.0, 1), (5, 2, 2, 1, 5),
    (10, 1, 1, np.float32(1.1), 11), (3, 1, 1, np.float64(1.0), 3),
])
def test_seats_are_the_exact_ceiling(tokens, experts, k, factor, seats):
    assert expert_capacity(tokens, experts, k, factor) == seats


@given(st.integers(1, 5000), st.integers(1, 64), st.integers(1, 400), st.data())
def test_seats_are_enough_and_one_less_would_not_be(tokens, experts, hundredths, data):
    k = data.draw(st.integers(1, experts))
    seats = expert_capacity(tokens, experts, k, hundredths / 100)
    assert seats * experts * 100 >= k * tokens * hundredths
    assert seats == 1 or (seats - 1) * experts * 100 < k * tokens * hundredths


# --- who is seated

@cases("order", ["choice", "token", "score"])
@cases("groups", [1, 3, 12])
@cases("k", [1, 2, 4])
def test_positions_equal_the_slow_loop(order, groups, k):
    for seed in range(6):
        routed = random_routing(seed, k=k)
        np.testing.assert_array_equal(seat_positions(routed, order=order, groups=groups),
                                      slow_positions(routed, order, groups))


def test_the_orders_drop_whom_they_should():
    # Token 0 is lukewarm about e0 and has e1 second; tokens 1 and 2 are surer of e0.
    probs = [[0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.1, 0.8, 0.1]]
    index = [[0, 1], [0, 1], [1, 0]]
    routed = Routing(None, probs, index, [[0.6, 0.4]] * 3, np.ones((3, 2), bool), "three tokens")
    kept = {order: apply_capacity(routed, 1, order=order).kept.tolist() for order in ORDERS[:3]}
    assert kept["choice"] == [[True, False], [False, False], [True, False]]
    assert kept["token"] == [[True, True], [False, False], [False, False]]
    assert kept["score"] == [[False, False], [True, False], [True, False]]


def test_score_breaks_ties_by_the_lowest_token():
    routed = Routing(None, [[0.8, 0.2]] * 3, [[0]] * 3, [[0.8]] * 3, [[True]] * 3, "a tie")
    assert seat_positions(routed, order="score")[:, 0].tolist() == [0, 1, 2]


def test_score_reads_the_first_choice_even_when_it_is_not_the_largest_prob():
    # As with a selection bias: token 1 chose e1 first, with prob 0.3, though e0 has 0.7.
    routed = Routing(None, [[0.4, 0.6], [0.7, 0.3]], [[1], [1]], [[1.0]] * 2, [[True]] * 2, "biased")
    assert seat_positions(routed, order="score")[:, 0].tolist() == [0, 1]


def test_random_serves_every_token_equally_often():
    routed = fair_routing(4, 1, 1, seed=0)
    rng = np.random.default_rng(1)
    served = sum(apply_capacity(routed, 1, order="random", rng=rng).kept[:, 0] for _ in range(2000))
    assert served.sum() == 2000
    assert np.abs(served / 2000 - 0.25).max() < 4 * math.sqrt(0.25 * 0.75 / 2000)


def test_random_still_seats_first_choices_first_and_repeats_with_the_seed():
    routed = random_routing(3, num_tokens=60, holes=False)
    place = seat_positions(routed, order="random", rng=np.random.default_rng(5))
    again = seat_positions(routed, order="random", rng=np.random.default_rng(5))
    np.testing.assert_array_equal(place, again)
    for expert in range(routed.num_experts):
        mine = routed.expert_index == expert
        assert place[:, 0][mine[:, 0]].max() < place[:, 1][mine[:, 1]].min()
    assert (place != seat_positions(routed, order="random", rng=np.random.default_rng(6))).any()


def test_groups_seat_each_stretch_as_if_it_were_alone():
    routed = random_routing(8, num_tokens=12)
    place = seat_positions(routed, groups=3)
    for part in np.split(np.arange(12), 3):
        alone = Routing(None, routed.probs[part], routed.expert_index[part],
                        routed.combine_weight[part], routed.kept[part], "alone")
        np.testing.assert_array_equal(place[part], seat_positions(alone))


def test_the_same_token_is_served_in_one_batch_and_not_in_another():
    crowded = fair_routing(3, 1, 1, seed=0)
    alone = replace(crowded, probs=crowded.probs[2:], expert_index=crowded.expert_index[2:],
                    combine_weight=crowded.combine_weight[2:], kept=crowded.kept[2:])
    assert not apply_capacity(crowded, 2).kept[2, 0]
    assert apply_capacity(alone, 2).kept[0, 0]


# --- drop rates of a router that favours nobody

def exact_drop_rate(tokens, experts, k, factor):
    """Return E[max(load - C, 0)] / mean load, where a fair router's load is binomial(T, k/E)."""
    seats, share = expert_capacity(tokens, experts, k, factor), k / experts
    over = sum((n - seats) * math.comb(tokens, n) * share**n * (1 - share)**(tokens - n)
               for n in range(seats + 1, tokens + 1))
    return over / (tokens * share)


@cases("tokens, factor, quoted", [
    (32, 1.0, 0.119), (32, 1.25, 0.035), (32, 1.5, 0.008), (256, 1.0, 0.044), (256, 1.25, 0.0004),
])
def test_a_fair_router_drops_as_much_as_the_binomial_says(tokens, factor, quoted):
    batches = 25600 // tokens
    seats = expert_capacity(tokens, 8, 2, factor)
    limited = apply_capacity(fair_routing(25600, 8, 2, seed=tokens), seats, groups=batches)
    per_batch = 1 - limited.kept.reshape(batches, -1).mean(axis=1)
    exact = exact_drop_rate(tokens, 8, 2, factor)
    assert abs(per_batch.mean() - exact) < 4 * per_batch.std() / math.sqrt(batches)
    assert exact == pytest.approx(quoted, abs=0.0025)  # the quoted rates come from finite samples


def test_more_tokens_per_expert_drop_less():
    limited = apply_capacity(fair_routing(4096, 8, 2, seed=2), expert_capacity(4096, 8, 2, 1.0))
    assert 0.003 < 1 - limited.kept.mean() < 0.02
    assert apply_capacity(fair_routing(4096, 8, 2, seed=2), expert_capacity(4096, 8, 2, 1.25)).kept.all()


# --- invariants

routings = st.builds(random_routing, st.integers(0, 10**6), st.sampled_from([1, 2, 6, 12]),
                     st.integers(2, 5), st.integers(1, 2), st.booleans())


@given(routings, st.integers(0, 8), st.sampled_from(ORDERS), st.data())
def test_seats_are_respected_and_never_wasted(routed, capacity, order, data):
    groups = data.draw(st.sampled_from([g for g in (1, 2, 3) if routed.num_tokens % g == 0]))
    limited = apply_capacity(routed, capacity, order=order, groups=groups, rng=np.random.default_rng(0))
    asked = kept_per_group_and_expert(routed, groups)
    np.testing.assert_array_equal(kept_per_group_and_expert(limited, groups), np.minimum(asked, capacity))
    assert not (limited.kept & ~routed.kept).any()


@given(routings, st.integers(0, 6))
def test_only_kept_and_label_change(routed, capacity):
    limited = apply_capacity(routed, capacity)
    for field in ("probs", "expert_index", "combine_weight"):
        np.testing.assert_array_equal(getattr(limited, field), getattr(routed, field))
    dropped = (limited.expert_index != EMPTY) & ~limited.kept
    assert limited.kept.sum() + dropped.sum() == (routed.expert_index != EMPTY).sum()
    assert limited.label == f"by hand, C = {capacity} by choice"


@given(routings)
def test_positions_count_up_from_zero_without_a_gap(routed):
    place = seat_positions(routed)
    assert ((place == EMPTY) == ~routed.kept).all()
    for expert in range(routed.num_experts):
        mine = place[(routed.expert_index == expert) & routed.kept]
        assert sorted(mine) == list(range(len(mine)))


@given(st.integers(0, 10**6), st.integers(0, 5))
def test_permuting_tokens_permutes_the_score_order(seed, capacity):
    # Only the score order looks past the position; distinct scores leave no tie to break.
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(4), size=10)
    index = np.argsort(-probs, axis=1)[:, :2]
    order = rng.permutation(10)
    kept = [apply_capacity(Routing(None, p, i, np.ones(i.shape), np.ones(i.shape, bool)), capacity,
                           order="score").kept for p, i in ((probs, index), (probs[order], index[order]))]
    np.testing.assert_array_equal(kept[0][order], kept[1])


@cases("order", ORDERS)
def test_enough_seats_drop_nothing_and_no_seats_drop_everything(order):
    routed, rng = random_routing(4), np.random.default_rng(0)
    np.testing.assert_array_equal(apply_capacity(routed, 12, order=order, rng=rng).kept, routed.kept)
    assert not apply_capacity(routed, 0, order=order, rng=rng).kept.any()


def test_applying_the_same_capacity_twice_changes_nothing_more():
    once = apply_capacity(random_routing(11), 2)
    np.testing.assert_array_equal(apply_capacity(once, 2).kept, once.kept)


def test_a_routing_without_any_choice_stays_empty():
    nobody = Routing(None, [[0.5, 0.5]] * 2, [[EMPTY]] * 2, [[0.0]] * 2, [[False]] * 2, "nobody")
    assert seat_positions(nobody, order="score").tolist() == [[EMPTY], [EMPTY]]


# --- bad input

@cases("name, call", [
    ("num_tokens", lambda r: expert_capacity(0, 8, 2, 1.0)),
    ("num_tokens", lambda r: expert_capacity(32.0, 8, 2, 1.0)),
    ("num_experts", lambda r: expert_capacity(32, 0, 2, 1.0)),
    ("k", lambda r: expert_capacity(32, 8, 9, 1.0)),
    ("k", lambda r: expert_capacity(32, 8, 0, 1.0)),
    ("factor", lambda r: expert_capacity(32, 8, 2, -0.5)),
    ("factor", lambda r: expert_capacity(32, 8, 2, math.nan)),
    ("factor", lambda r: expert_capacity(32, 8, 2, math.inf)),
    ("factor", lambda r: expert_capacity(32, 8, 2, "1.25")),
    ("capacity", lambda r: apply_capacity(r, -1)),
    ("capacity", lambda r: apply_capacity(r, 2.5)),
    ("capacity", lambda r: apply_capacity(r, True)),
    ("order", lambda r: apply_capacity(r, 2, order="alphabet")),
    ("order", lambda r: apply_capacity(r, 2, order=None)),
    ("groups", lambda r: apply_capacity(r, 2, groups=5)),
    ("groups", lambda r: apply_capacity(r, 2, groups=0)),
    ("groups", lambda r: seat_positions(r, groups=24)),
    ("rng", lambda r: apply_capacity(r, 2, order="random")),
    ("rng", lambda r: seat_positions(r, order="random", rng=0)),
    ("routed", lambda r: apply_capacity(r.expert_index, 2)),
])
def test_bad_input_names_the_argument(name, call):
    routed = random_routing(0)
    before = routed.kept.copy()
    with pytest.raises(ValueError, match=rf"^{name} must"):
        call(routed)
    np.testing.assert_array_equal(routed.kept, before)

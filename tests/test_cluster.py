"""Placement, traffic and the seconds of a step: slow loops, closed forms and what must be conserved."""

from dataclasses import FrozenInstanceError, replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import cluster, metrics
from moeviz.capacity import apply_capacity
from moeviz.record import EMPTY
from moeviz.routing import random_route, softmax_group_limited, top_k


@st.composite
def layers(draw):
    """Draw a Routing with drops and a Placement with copies, all sizes small."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    per_node, nodes = draw(st.sampled_from([1, 2])), draw(st.integers(1, 3))
    devices = per_node * nodes
    experts = draw(st.integers(devices, 9))
    tokens = draw(st.integers(devices, 20))
    routed = top_k(rng.normal(size=(tokens, experts)), k=draw(st.integers(1, min(experts, 4))))
    routed = apply_capacity(routed, draw(st.sampled_from([1, 3, 100])))
    extra = draw(st.integers(0, min(3, experts * (devices - 1))))
    placed = cluster.replicated(rng.random(experts), devices, extra=extra, devices_per_node=per_node)
    return routed, placed, rng.integers(0, devices, tokens)


# --- placement ---

def device_of(placed):
    return [np.flatnonzero(column).tolist() for column in placed.hosts.T]


def test_contiguous_and_round_robin_by_hand():
    assert device_of(cluster.contiguous(6, 3)) == [[0], [0], [1], [1], [2], [2]]
    assert device_of(cluster.round_robin(6, 3)) == [[0], [1], [2], [0], [1], [2]]
    assert device_of(cluster.contiguous(7, 3)) == [[0], [0], [0], [1], [1], [2], [2]]


def test_greedy_by_hand_heaviest_first_and_no_more_than_there_is_room():
    placed = cluster.greedy([10, 1, 1, 6, 5, 1], 2)
    # 10 -> device 0; 6, 5 -> device 1; then the ones go to device 0 until it has three, the last to 1
    assert device_of(placed) == [[0], [0], [0], [1], [1], [1]]
    assert placed.hosts.sum(axis=1).tolist() == [3, 3]
    # the least busy one, even where the other has more room
    assert device_of(cluster.greedy([10, 1, 1, 1, 1, 1], 2)) == [[0], [1], [1], [1], [0], [0]]


def test_extra_copies_go_to_the_most_load_per_copy():
    placed = cluster.replicated([8, 5, 1, 1], 4, extra=2)
    assert placed.copies.tolist() == [2, 2, 1, 1]  # 8 -> 4 and 4, then 5 is the largest
    assert placed.hosts.sum(axis=1).max() == 2
    none = cluster.replicated([9, 1, 1], 2, extra=0)
    assert none.hosts.tolist() == cluster.greedy([9, 1, 1], 2).hosts.tolist()
    assert cluster.replicated([9, 1, 1], 2, extra=3).copies.tolist() == [2, 2, 2]  # no more than devices
    twins_apart = cluster.replicated([10, 9], 2, extra=1)  # though device 1 has less to do
    assert device_of(twins_apart) == [[0, 1], [0]]
    by_copy = cluster.replicated([10, 6, 4, 1], 3, extra=1)  # a copy of 10 counts as 5, less than 6
    assert device_of(by_copy) == [[1, 2], [0], [1], [2]]


@given(load=st.lists(st.floats(0, 100), min_size=3, max_size=12), devices=st.integers(1, 3),
       extra=st.integers(0, 5))
def test_no_device_gets_more_copies_than_its_room(load, devices, extra):
    extra = min(extra, len(load) * (devices - 1))
    placed = cluster.replicated(load, devices, extra=extra)
    assert placed.hosts.any(axis=0).all() and placed.hosts.any(axis=1).all()
    assert placed.hosts.sum(axis=1).max() <= -(-(len(load) + extra) // devices)
    assert len(load) <= placed.hosts.sum() <= len(load) + extra


@given(st.integers(0, 1000))
def test_greedy_is_within_its_bound_of_the_best_placement(seed):
    """Longest first is at most 4/3 - 1/(3 N) of the optimum where room does not matter (Graham 1969)."""
    load = np.random.default_rng(seed).integers(1, 20, 6)
    found = (cluster.greedy(load, 2).hosts @ load).max()
    halves = [np.array(side) for side in product([0, 1], repeat=6) if sum(side) == 3]
    best = min(max(load[side == 0].sum(), load[side == 1].sum()) for side in halves)
    assert best <= found <= best * 4 / 3


def test_a_placement_is_frozen_counts_and_prints():
    placed = cluster.contiguous(8, 4, devices_per_node=2)
    assert (placed.num_devices, placed.num_experts, placed.num_nodes) == (4, 8, 2)
    assert placed.node.tolist() == [0, 0, 1, 1] and placed.experts_on(1).tolist() == [2, 3]
    assert "device 3: experts 6, 7" in repr(placed)
    with pytest.raises(FrozenInstanceError):
        placed.label = "mine"
    with pytest.raises(ValueError, match="read-only"):
        placed.hosts[0, 0] = False
    mine = np.eye(2, dtype=bool)
    cluster.Placement(mine)
    mine[0, 0] = False  # a learner's own array stays writeable


@cases(("make", "message"), [
    (lambda: cluster.Placement(np.ones((2, 2))), "hosts must be bool"),
    (lambda: cluster.Placement([True]), "hosts must be bool"),
    (lambda: cluster.Placement([[True, False]]), "expert 1 without a device"),
    (lambda: cluster.Placement([[True], [False]]), "device 1 without an expert"),
    (lambda: cluster.Placement(np.eye(3, dtype=bool), 2), "devices_per_node must divide the 3"),
    (lambda: cluster.contiguous(2, 3), "num_devices"), (lambda: cluster.round_robin(0, 1), "num_experts"),
    (lambda: cluster.greedy([1, -1], 2), "load must hold one number >= 0"),
    (lambda: cluster.greedy([], 2), "load must hold one number >= 0 per expert"),
    (lambda: cluster.greedy([1, np.nan], 2), "load must be finite"),
    (lambda: cluster.replicated([1, 1], 2, extra=3), "extra"),
    (lambda: cluster.contiguous(2, 2).experts_on(2), "device"),
])
def test_bad_placements_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- traffic ---

def slow_serving(routed, placed):
    turns, serving = [0] * routed.num_experts, np.full(routed.kept.shape, EMPTY)
    for token, slot in product(range(routed.num_tokens), range(routed.k)):
        if routed.kept[token, slot]:
            expert = routed.expert_index[token, slot]
            holders = np.flatnonzero(placed.hosts[:, expert])
            serving[token, slot] = holders[turns[expert] % len(holders)]
            turns[expert] += 1
    return serving


def slow_traffic(routed, placed, home, merge):
    places = placed.num_nodes if merge == "node" else placed.num_devices
    matrix, sent = np.zeros((places, places), int), set()
    for token, slot in product(range(routed.num_tokens), range(routed.k)):
        target = slow_serving(routed, placed)[token, slot]
        if target == EMPTY:
            continue
        source = home[token]
        if merge == "node":
            source, target = placed.node[source], placed.node[target]
        if merge == "none" or (token, target) not in sent:
            matrix[source, target] += 1
            sent.add((token, target))
    return matrix


@given(layers(), st.sampled_from(cluster.MERGES))
def test_traffic_and_serving_agree_with_slow_loops(layer, merge):
    routed, placed, home = layer
    assert cluster.serving_device(routed, placed).tolist() == slow_serving(routed, placed).tolist()
    moved = cluster.traffic_matrix(routed, placed, home=home, merge=merge)
    assert moved.tolist() == slow_traffic(routed, placed, home, merge).tolist()


@given(layers())
def test_every_kept_choice_is_served_once_by_a_device_that_holds_its_expert(layer):
    routed, placed, _ = layer
    device = cluster.serving_device(routed, placed)
    assert ((device != EMPTY) == routed.kept).all()
    assert placed.hosts[device[routed.kept], routed.expert_index[routed.kept]].all()


@given(layers())
def test_copies_of_an_expert_differ_by_one_token_at_most(layer):
    routed, placed, _ = layer
    device = cluster.serving_device(routed, placed)
    for expert in range(routed.num_experts):
        served = device[routed.kept & (routed.expert_index == expert)]
        each = np.bincount(served, minlength=placed.num_devices)[placed.hosts[:, expert]]
        assert np.ptp(each) <= 1


@given(layers())
def test_rows_and_columns_conserve_what_is_sent_and_computed(layer):
    routed, placed, home = layer
    moved = cluster.traffic_matrix(routed, placed, home=home)
    owned = np.bincount(home, routed.kept.sum(axis=1), placed.num_devices)
    assert moved.sum(axis=1).tolist() == owned.tolist()  # every choice leaves where its token lives
    assert moved.sum(axis=0).tolist() == cluster.device_load(routed, placed).tolist()
    there = cluster.exchange_bytes(moved, 3, dispatch=4, combine=0)
    assert there == cluster.exchange_bytes(moved.T, 3, dispatch=0, combine=4)  # what goes out comes back


@given(layers(), st.randoms())
def test_a_permutation_of_the_tokens_permutes_the_traffic_of_unique_experts(layer, random):
    routed, placed, home = layer
    single = cluster.round_robin(placed.num_experts, placed.num_devices,
                                 devices_per_node=placed.devices_per_node)
    order = random.sample(range(routed.num_tokens), routed.num_tokens)
    parts = {name: getattr(routed, name)[order] for name in ("logits", "probs", "expert_index",
                                                               "combine_weight", "kept")}
    shuffled = replace(routed, **parts)
    for merge in cluster.MERGES:
        one = cluster.traffic_matrix(routed, single, home=home, merge=merge)
        other = cluster.traffic_matrix(shuffled, single, home=home[order], merge=merge)
        assert one.tolist() == other.tolist()


@given(layers())
def test_merging_never_sends_more_and_nodes_add_up(layer):
    routed, placed, home = layer
    none, device, node = (cluster.traffic_matrix(routed, placed, home=home, merge=m) for m in cluster.MERGES)
    assert (device <= none).all() and (node <= cluster.between_nodes(device, placed)).all()
    assert node.sum() == cluster.nodes_per_token(routed, placed).sum()
    assert cluster.between_nodes(none, placed).sum() == none.sum()


@cases("limit", [1, 2, 3])
def test_a_node_limit_holds_for_neighbours_and_not_for_dealt_out_experts(limit):
    logits = np.random.default_rng(0).normal(size=(200, 32))
    limited = softmax_group_limited(logits, 8, num_groups=8, top_groups=max(limit, 2))
    close, dealt = cluster.contiguous(32, 8), cluster.round_robin(32, 8)
    assert cluster.nodes_per_token(limited, close).max() <= max(limit, 2)
    assert cluster.nodes_per_token(limited, dealt).max() > max(limit, 2)


def test_bytes_by_hand():
    # 5 rows leave home, there and back, at 10 numbers of 1 and 2 bytes
    assert cluster.exchange_bytes([[9, 2], [3, 9]], 10, dispatch=1, combine=2) == 5 * 10 * 3
    facts = cluster.exchange_bytes([[0, 4096 * 8], [0, 0]], 7168, dispatch=1, combine=2)
    assert round(facts / 1e6) == 705


@cases(("call", "message"), [
    (lambda r, p: cluster.traffic_matrix(r, p, merge="all"), "merge must be one of"),
    (lambda r, p: cluster.traffic_matrix(r, p, home=[0, 1]), "home must have shape"),
    (lambda r, p: cluster.traffic_matrix(r, p, home=[0, 2, 0]), "home must lie in 0..1"),
    (lambda r, p: cluster.traffic_matrix(r, p, home=[0.0, 1.0, 0.0]), "home has dtype"),
    (lambda r, p: cluster.serving_device(r, "here"), "placement must be a Placement"),
    (lambda r, p: cluster.serving_device(r, cluster.contiguous(3, 2)), "must hold 4 experts"),
    (lambda r, p: cluster.device_load("r", p), "routed must be a Routing"),
    (lambda r, p: cluster.traffic_matrix(r, cluster.contiguous(4, 4)), "num_devices"),
    (lambda r, p: cluster.between_nodes([[1]], p), "matrix must have shape"),
    (lambda r, p: cluster.exchange_bytes([[1, 2]], 4), "matrix must hold whole numbers in a square"),
    (lambda r, p: cluster.exchange_bytes([[1.5]], 4), "whole numbers"),
    (lambda r, p: cluster.exchange_bytes([[-1]], 4), "non-negative"),
    (lambda r, p: cluster.exchange_bytes([[1]], 0), "width"),
    (lambda r, p: cluster.homes(2, 3), "num_devices"),
])
def test_bad_traffic_is_named(call, message):
    routed = top_k(np.random.default_rng(0).normal(size=(3, 4)), 2)
    with pytest.raises(ValueError, match=message):
        call(routed, cluster.contiguous(4, 2))


# --- what chance predicts ---

@cases(("nodes", "published"), [(2, 1.99), (4, 3.60), (8, 5.25), (16, 6.45), (32, 7.18)])
def test_expected_nodes_of_independent_choices(nodes, published):
    assert cluster.expected_nodes(nodes, 8) == pytest.approx(published, abs=0.005)


def test_expected_nodes_by_counting_every_team():
    """All 3-subsets of 6 experts on 3 nodes, counted one by one."""
    teams = [team for team in product(range(6), repeat=3) if team[0] < team[1] < team[2]]
    mean = np.mean([len({expert // 2 for expert in team}) for team in teams])
    assert cluster.expected_nodes(3, 3, num_experts=6) == pytest.approx(mean)
    assert cluster.expected_nodes(4, 1, num_experts=8) == pytest.approx(1)
    assert cluster.expected_nodes(8, 4, num_experts=8) == pytest.approx(4)


@cases("seed", range(3))
def test_random_routing_reaches_the_expected_number_of_nodes(seed):
    routed = random_route(2000, 64, 8, rng=np.random.default_rng(seed))
    reached = cluster.nodes_per_token(routed, cluster.contiguous(64, 8))
    noise = reached.std() / np.sqrt(len(reached))
    assert abs(reached.mean() - cluster.expected_nodes(8, 8, num_experts=64)) < 4 * noise


@pytest.mark.slow
@cases("per_device", [8, 32, 128, 1024])
def test_the_straggler_of_a_fair_router_lies_near_and_below_the_estimate(per_device):
    rng, placed = np.random.default_rng(per_device), cluster.contiguous(64, 64)
    ratios = [1 + metrics.max_violation(cluster.device_load(
        random_route(64 * per_device, 64, 1, rng=rng), placed)) for _ in range(8)]
    estimate = cluster.straggler_estimate(64, per_device)
    assert 0.55 * (estimate - 1) < np.mean(ratios) - 1 < 1.05 * (estimate - 1)


@cases(("call", "message"), [
    (lambda: cluster.expected_nodes(0, 2), "num_nodes"), (lambda: cluster.expected_nodes(3, 2, num_experts=8),
     "num_nodes must divide"), (lambda: cluster.expected_nodes(2, 5, num_experts=4), "num_experts"),
    (lambda: cluster.straggler_estimate(0, 1.0), "num_devices"),
    (lambda: cluster.straggler_estimate(4, 0.0), "mean_load"),
])
def test_bad_expectations_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- the seconds of a step ---

TIMES = st.lists(st.tuples(*[st.floats(0, 10)] * 3), min_size=1, max_size=4)


def phases_of(times):
    return cluster.Phases(*(np.array(column) for column in zip(*times, strict=True)))


def slow_step(phases, chunks):
    """Follow the network and the processors event by event."""
    dispatch, compute, combine = (max(seconds) / chunks for seconds in phases)
    network = processor = 0.0
    ready = []
    for _ in range(chunks):
        network += dispatch
        processor = max(processor, network) + compute
        ready.append(processor)
    for done in ready:
        network = max(network, done) + combine
    return network


def end_of(phases, chunks=1):
    return max(span.stop for span in cluster.timeline(phases, chunks=chunks))


@given(TIMES, st.integers(1, 5))
def test_a_step_agrees_with_following_it_event_by_event(times, chunks):
    phases = phases_of(times)
    assert end_of(phases, chunks=chunks) == pytest.approx(slow_step(phases, chunks))


@given(TIMES, st.integers(1, 5))
def test_overlap_stays_between_its_bounds(times, chunks):
    phases = phases_of(times)
    dispatch, compute, combine = (seconds.max() for seconds in phases)
    whole = end_of(phases)
    assert whole == pytest.approx(dispatch + compute + combine)
    fast = end_of(phases, chunks=chunks)
    least = max(dispatch + combine, dispatch / chunks + compute + combine / chunks)
    assert least - 1e-9 <= fast <= whole + 1e-9


@given(TIMES, st.integers(1, 4))
def test_spans_conserve_each_device_s_work_and_no_lane_overlaps(times, chunks):
    phases = phases_of(times)
    spans = cluster.timeline(phases, chunks=chunks)
    for device in range(len(times)):
        for kind in cluster.Phases._fields:
            work = sum(s.stop - s.start for s in spans if (s.device, s.kind) == (device, kind))
            assert work == pytest.approx(getattr(phases, kind)[device], abs=1e-9)
        network = sorted((s.start, s.stop) for s in spans
                         if s.device == device and s.kind in ("dispatch", "combine"))
        assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(network))


def test_waits_fill_the_time_to_the_slowest():
    spans = cluster.timeline(phases_of([(1.0, 4.0, 1.0), (2.0, 1.0, 1.0)]))
    waits = [(s.device, s.start, s.stop) for s in spans if s.kind == "wait"]
    assert waits == [(0, 1.0, 2.0), (1, 3.0, 6.0)]


def test_phases_by_hand_take_the_busier_direction_and_leave_home_rows_out():
    phases = cluster.device_phases([6, 2], [[9, 1], [3, 9]], 10, row_seconds=0.5, bandwidth=5.0,
                                   dispatch=1, combine=2)
    # both devices have a direction with 3 rows of 10 bytes: 30 / 5 seconds, and twice that back
    assert [part.tolist() for part in phases] == [[6.0, 6.0], [3.0, 1.0], [12.0, 12.0]]


@cases(("call", "message"), [
    (lambda: cluster.device_phases([1], [[1, 2]], 4, row_seconds=1.0, bandwidth=1.0), "moved must have"),
    (lambda: cluster.device_phases([1], [[1, 2], [3]], 4, row_seconds=1.0, bandwidth=1.0), "moved is not an"),
    (lambda: cluster.device_phases([1], [[1]], 4, row_seconds=-1.0, bandwidth=1.0), "row_seconds"),
    (lambda: cluster.device_phases([1], [[1]], 4, row_seconds=1.0, bandwidth=1.0, combine=-1), "combine"),
    (lambda: cluster.device_phases([1], [[1]], 4, row_seconds=1.0, bandwidth=1.0, dispatch=None), "dispatch"),
    (lambda: cluster.timeline(3.0), "phases must be Phases of dispatch, compute and combine, got 3.0"),
    (lambda: cluster.device_phases([1], [[1]], 4, row_seconds=1.0, bandwidth=0.0), "bandwidth"),
    (lambda: cluster.timeline(phases_of([(1.0, -1.0, 0.0)])), "compute must hold"),
    (lambda: cluster.timeline(cluster.Phases([1.0], [1.0, 2.0], [1.0])), "compute must hold"),
    (lambda: cluster.timeline(cluster.Phases([], [], [])), "dispatch must hold"),
    (lambda: cluster.timeline(phases_of([(1.0, 1.0, 1.0)]), chunks=0), "chunks"),
])
def test_bad_steps_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""EPLB's hierarchical policy against its published example, and placements that follow a drifting load."""

import numpy as np
import pytest

from cases import cases
from moeviz.cluster import contiguous, drifting_loads, hierarchical, rebalanced, replicated

# The example of the README of github.com/deepseek-ai/EPLB: two layers, 12 experts, 16 replicas, 4 groups,
# 2 nodes, 8 devices; beside each load the experts that the 16 replicas stand for, two to a device.
EXAMPLE = [
    ([90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
     [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1]),
    ([20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
     [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1]),
]


@pytest.mark.parametrize(("load", "replicas"), EXAMPLE)
def test_the_published_example_is_reproduced(load, replicas):
    placed = hierarchical(load, 8, extra=4, num_groups=4, devices_per_node=4)
    wanted = [sorted(pair) for pair in zip(replicas[::2], replicas[1::2], strict=True)]
    assert [placed.experts_on(device).tolist() for device in range(8)] == wanted


def test_the_second_layer_copies_four_experts():
    placed = hierarchical(EXAMPLE[1][0], 8, extra=4, num_groups=4, devices_per_node=4)
    assert np.flatnonzero(placed.copies == 2).tolist() == [1, 5, 6, 8]


def test_a_group_stays_on_one_node():
    load = np.random.default_rng(0).integers(1, 1000, 64)
    placed = hierarchical(load, 16, extra=16, num_groups=8, devices_per_node=4)
    for group in range(8):
        assert len(set(placed.node[placed.hosts[:, group * 8:group * 8 + 8].any(axis=1)])) == 1
    assert placed.hosts.sum() <= 80 and placed.hosts.any(axis=0).all()


@cases(("changes", "message"), [
    ({"num_groups": 5}, "num_groups must divide 12 evenly, got 5"),
    ({"num_groups": 3}, "the nodes must divide 3 evenly, got 2"), ({"extra": 3},
                                                                   "num_devices must divide 15"),
    ({"extra": -1}, "extra must be a whole number")])
def test_sizes_that_do_not_divide_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        hierarchical(EXAMPLE[0][0], 8, **{"extra": 4, "num_groups": 4, "devices_per_node": 4} | changes)


def drifting(steps=200, num_experts=32):
    """Return loads (S, E) whose favourites change slowly: every expert's popularity is a wave of its own."""
    rng = np.random.default_rng(0)
    phase, pace = rng.uniform(0, 6.28, num_experts), rng.uniform(0.02, 0.05, num_experts)
    return rng.poisson(100 * np.exp(1.5 * np.sin(phase + pace * np.arange(steps)[:, None])))


def test_placements_that_follow_a_drift_beat_one_that_stays():
    loads = drifting()

    def place(load):
        return replicated(load, 8, extra=8)

    once, follow, slow = (rebalanced(loads, place, window=window, interval=interval).busiest[20:].mean()
                          for window, interval in ((10, 10**6), (10, 5), (200, 50)))
    even = rebalanced(loads, lambda load: contiguous(32, 8), window=1, interval=1)
    by_hand = loads[3].reshape(8, 4).sum(axis=1)
    assert even.busiest[3] == pytest.approx(by_hand.max() / by_hand.mean())
    assert 1 <= follow < slow < once
    with pytest.raises(ValueError, match="window must be a whole number"):
        rebalanced(loads, place, window=0, interval=1)


def test_an_expert_moves_to_each_device_that_did_not_hold_it():
    loads = np.array([[1, 1, 1], [9, 1, 1], [1, 1, 9], [1, 1, 9], [1, 1, 9]])
    followed = rebalanced(loads, lambda load: replicated(load, 3, extra=1), window=1, interval=2)
    hosts = [replicated(load, 3, extra=1).hosts for load in (np.ones(3), loads[1], loads[3])]
    changes = [(hosts[at + 1] & ~hosts[at]).sum() for at in (0, 1)]
    assert followed.moved.tolist() == [0, 0, changes[0], 0, changes[1]] and changes[1] > 0
    assert not rebalanced(loads, lambda load: contiguous(3, 3), window=1, interval=1).moved.any()


def test_requests_wander_from_the_first_domain_to_the_last():
    rng = np.random.default_rng(0)
    loads = drifting_loads([[1, 0, 0], [0, 5, 0], [0, 0, 2]], steps=5, choices=100, rng=rng)
    assert loads.sum(axis=1).tolist() == [100] * 5 and loads[[0, 2, 4], [0, 1, 2]].tolist() == [100] * 3
    assert loads[1, 2] == loads[3, 0] == 0 and loads[1, :2].min() > 30 and loads[3, 1:].min() > 30
    for counts in ([[1, 0], [0, 0]], [[1, -1]]):
        with pytest.raises(ValueError, match="counts must be at least 0"):
            drifting_loads(counts, steps=2, choices=1, rng=rng)

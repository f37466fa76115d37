"""Placement: which device holds which expert, and five ways to decide it.

N devices, E experts. Devices are grouped into M nodes of equal size; inside a node talk is cheap.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_count, check_matrix, check_vector
from moeviz.checks import check_kind, store


@dataclass(frozen=True, eq=False, repr=False)
class Placement:
    """Which of N devices holds which of E experts.

    hosts: (N, E) bool, True where the device holds a copy of the expert's weights.
    devices_per_node: devices 0..n-1 are node 0, the next n are node 1, and so on.
    The array is copied and read-only. Raises ValueError for an expert or a device left out, or a
    number of devices per node that does not divide N.

    >>> Placement([[True, False], [False, True]], label="one each").num_devices
    2
    """

    hosts: np.ndarray
    devices_per_node: int = 1
    label: str = "placement"

    def __post_init__(self):
        hosts = as_array(self.hosts, "hosts").copy()
        if hosts.ndim != 2 or hosts.dtype != bool or hosts.size == 0:
            raise ValueError(f"hosts must be bool of shape (N, E), got {hosts.dtype} of shape {hosts.shape}")
        if not hosts.any(axis=0).all():
            raise ValueError(f"hosts leaves expert {np.argmin(hosts.any(axis=0))} without a device")
        if not hosts.any(axis=1).all():
            raise ValueError(f"hosts leaves device {np.argmin(hosts.any(axis=1))} without an expert")
        store(self, check_count, "devices_per_node", high=len(hosts))
        if len(hosts) % self.devices_per_node:
            raise ValueError(f"devices_per_node must divide the {len(hosts)} devices, "
                             f"got {self.devices_per_node}")
        hosts.setflags(write=False)
        object.__setattr__(self, "hosts", hosts)

    @property
    def num_devices(self):
        return self.hosts.shape[0]

    @property
    def num_experts(self):
        return self.hosts.shape[1]

    @property
    def num_nodes(self):
        return self.num_devices // self.devices_per_node

    @property
    def copies(self):
        """The number of copies of each expert, (E,)."""
        return self.hosts.sum(axis=0)

    @property
    def node(self):
        """The node of each device, (N,)."""
        return np.arange(self.num_devices) // self.devices_per_node

    def experts_on(self, device):
        """Return the experts that a device holds, in ascending order; ValueError for another device."""
        return np.flatnonzero(self.hosts[check_count(device, "device", low=0, high=self.num_devices - 1)])

    def __repr__(self):
        rows = [f"  device {n}: experts {', '.join(map(str, self.experts_on(n)))}"
                for n in range(self.num_devices)]
        return "\n".join([f"Placement {self.label!r}: {self.num_experts} experts on {self.num_devices} "
                          f"devices in {self.num_nodes} nodes", *rows])


def check_placement(value, num_experts=None):
    """Return `value` if it is a Placement (of num_experts experts, if given), or raise ValueError."""
    check_kind(value, "placement", Placement)
    if num_experts is not None and value.num_experts != num_experts:
        raise ValueError(f"placement must hold {num_experts} experts, got {value.num_experts}")
    return value


def contiguous(num_experts, num_devices, *, devices_per_node=1):
    """Place neighbouring experts together: expert e on device floor(e N / E).

    Groups of a group-limited router are neighbours too, so this is the placement it is meant for.
    Raises ValueError unless 1 <= num_devices <= num_experts and devices_per_node divides num_devices.

    >>> contiguous(4, 2).hosts.astype(int).tolist()
    [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    num_experts, num_devices = _check_sizes(num_experts, num_devices)
    device = np.arange(num_experts) * num_devices // num_experts
    return _placed(device, num_devices, devices_per_node, "contiguous")


def round_robin(num_experts, num_devices, *, devices_per_node=1):
    """Deal the experts out like cards: expert e on device e mod N.

    Raises ValueError as `contiguous` does.

    >>> round_robin(4, 2).hosts.astype(int).tolist()
    [[1, 0, 1, 0], [0, 1, 0, 1]]
    """
    num_experts, num_devices = _check_sizes(num_experts, num_devices)
    return _placed(np.arange(num_experts) % num_devices, num_devices, devices_per_node, "round robin")


def greedy(load, num_devices, *, devices_per_node=1):
    """Place the busiest expert first, always on the device with the least load that has room.

    load: (E,) assignments or shares per expert, as measured on other text. Every device has room for
    ceil(E / N) experts, since memory is what it is. Ties go to the lowest expert and device.
    Raises ValueError for a load that is negative or not finite, and as `contiguous` does.

    >>> greedy([9, 8, 1, 1], 2).hosts.astype(int).tolist()
    [[1, 0, 0, 1], [0, 1, 1, 0]]
    """
    load = _check_load(load, num_devices)
    return _packed(load, np.ones(len(load), int), num_devices, devices_per_node, "greedy by load")


def replicated(load, num_devices, *, extra, devices_per_node=1):
    """Copy the busiest experts `extra` times in all, then place the copies as `greedy` does.

    load: (E,). Each extra copy goes to the expert with the most load per copy; copies of one expert
    share its tokens and lie on different devices, so an expert has at most N. A device has room for
    ceil((E + extra) / N) copies. A copy for which only devices with a twin have room is left out.
    Raises ValueError for an extra below 0 or above E (N - 1), and as `greedy` does.
    Source: deepseek-ai/EPLB, README.md, which balances over nodes first.

    >>> replicated([9, 1, 1], 2, extra=1).hosts.astype(int).tolist()
    [[1, 1, 0], [1, 0, 1]]
    """
    load = _check_load(load, num_devices)
    extra = check_count(extra, "extra", low=0, high=len(load) * (num_devices - 1))
    copies = np.ones(len(load), int)
    for _ in range(extra):
        copies[np.argmax(np.where(copies < num_devices, load / copies, -1))] += 1
    return _packed(load, copies, num_devices, devices_per_node, f"{extra} extra copies")


def hierarchical(load, num_devices, *, extra, num_groups, devices_per_node):
    """Keep groups of experts on one node, copy the busiest within each node, then spread over its devices.

    load: (E,). num_groups: groups of neighbouring experts, as a group-limited router has them, so that what
    it sends stays on few nodes. Groups go to nodes busiest first, to the node with the least load that has
    room; each node then gets the same share of the `extra` copies, each for the expert with the most load
    per copy; every device takes the same number of them, twins of one expert too, which count once.
    Raises ValueError where groups do not divide E, nodes not the groups, or devices not the copies, and as
    `greedy` does.
    Source: deepseek-ai/EPLB, README.md (hierarchical load balancing) and eplb.py.

    >>> load = [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86]
    >>> hierarchical(load, 8, extra=4, num_groups=4, devices_per_node=4).experts_on(0).tolist()
    [5, 6]
    """
    load = _check_load(load, num_devices)
    num_groups = check_count(num_groups, "num_groups", high=len(load))
    nodes = num_devices // check_count(devices_per_node, "devices_per_node", high=num_devices)
    total = len(load) + check_count(extra, "extra", low=0)
    for name, whole, parts in (("num_groups", len(load), num_groups), ("the nodes", num_groups, nodes),
                               ("devices_per_node", num_devices, devices_per_node),
                               ("num_devices", total, num_devices)):
        if whole % parts:
            raise ValueError(f"{name} must divide {whole} evenly, got {parts}")
    size = len(load) // num_groups
    node_of_group = _spread_evenly(load.reshape(num_groups, size).sum(axis=1), nodes)
    hosts = np.zeros((num_devices, len(load)), bool)
    for node in range(nodes):
        experts = np.flatnonzero(np.repeat(node_of_group == node, size))
        copies, each = np.ones(len(experts), int), list(range(len(experts)))
        for _ in range(total // nodes - len(experts)):
            each.append(int(np.argmax(load[experts] / copies)))
            copies[each[-1]] += 1
        each = np.array(each)
        device = _spread_evenly((load[experts] / copies)[each], devices_per_node)
        hosts[node * devices_per_node + device, experts[each]] = True
    return Placement(hosts, devices_per_node, f"hierarchical, {extra} extra copies")


def drifting_loads(counts, *, steps, choices, rng):
    """Return loads (S, E) of requests that wander from one domain to the next, from the first to the last.

    counts: (P, E) how often each of P domains chose each expert. Between two domains the shares of both are
    mixed on a straight line. choices: how many each step draws from its shares; rng: a Generator.
    Raises ValueError for a domain without counts, or fewer than one step or choice.

    >>> drifting_loads([[4, 0], [0, 2]], steps=2, choices=3, rng=np.random.default_rng(0)).tolist()
    [[3, 0], [0, 3]]
    """
    counts = check_matrix(counts, "counts", shape="(P, E)")
    if counts.min() < 0 or not counts.any(axis=1).all():
        raise ValueError("counts must be at least 0, and above 0 for one expert of each domain")
    shares, last = counts / counts.sum(axis=1, keepdims=True), len(counts) - 1
    where = np.linspace(0, last, check_count(steps, "steps"))
    mixed = np.maximum(0, 1 - np.abs(where[:, None] - np.arange(last + 1))) @ shares
    return rng.multinomial(check_count(choices, "choices"), mixed / mixed.sum(axis=1, keepdims=True))


class Followed(NamedTuple):
    """What placements that follow a load give and cost, step by step."""

    busiest: np.ndarray  # (S,) the busiest device's load over the mean
    moved: np.ndarray    # (S,) int, experts that devices load before the step, each copy counted


def rebalanced(loads, place, *, window, interval):
    """Return the `Followed` of placements that follow the load.

    loads: (S, E) choices per step. place: a function from a load (E,) to a Placement. Every `interval` steps
    it is called with the mean load of the last `window` steps, and of an even load before the first; a
    window or an interval that is too short follows noise, one that is too long lags behind a drift.
    An expert moves where a device holds it that did not hold it before; the first placement moves none.
    Raises ValueError for loads that are no such table, a window or interval below 1.

    >>> loads = [[9, 1], [9, 1], [9, 1]]
    >>> followed = rebalanced(loads, lambda load: contiguous(2, 2), window=1, interval=1)
    >>> followed.busiest.tolist(), followed.moved.tolist()
    ([1.8, 1.8, 1.8], [0, 0, 0])
    """
    loads = check_matrix(loads, "loads", shape="(S, E)")
    if loads.min() < 0:
        raise ValueError(f"loads must be at least 0, got {loads.min()}")
    window, interval = check_count(window, "window"), check_count(interval, "interval")
    busiest, moved, placement = np.ones(len(loads)), np.zeros(len(loads), int), None
    for step, load in enumerate(loads):
        if step % interval == 0:
            seen, before = loads[max(0, step - window):step], placement
            placement = place(seen.mean(axis=0) if len(seen) else np.ones(loads.shape[1]))
            check_placement(placement, loads.shape[1])
            moved[step] = 0 if before is None else (placement.hosts & ~before.hosts).sum()
        busy = placement.hosts @ (load / placement.copies)
        busiest[step] = busy.max() / busy.mean() if busy.any() else 1.0
    return Followed(busiest, moved)


def _spread_evenly(weights, packs):
    """Return the pack of each weight: heaviest first, to the lightest pack that has room, all of one size."""
    room, busy = np.full(packs, len(weights) // packs), np.zeros(packs)
    found = np.zeros(len(weights), int)
    for at in np.argsort(-weights, kind="stable"):
        pack = np.argmin(np.where(room > 0, busy, np.inf))
        found[at] = pack
        busy[pack] += weights[at]
        room[pack] -= 1
    return found


def _packed(load, copies, num_devices, devices_per_node, label):
    room = np.full(num_devices, -(-copies.sum() // num_devices))
    busy, hosts = np.zeros(num_devices), np.zeros((num_devices, len(load)), bool)
    share = load / copies
    order = np.argsort(-share, kind="stable")  # heaviest first
    for expert in np.repeat(order, copies[order]):
        is_open = (room > 0) & ~hosts[:, expert]
        if is_open.any():
            device = np.lexsort((-room, busy, ~is_open))[0]  # open, then least busy, then most room
            hosts[device, expert] = True
            busy[device] += share[expert]
            room[device] -= 1
    return Placement(hosts, devices_per_node, label)


def _placed(device, num_devices, devices_per_node, label):
    return Placement(device == np.arange(num_devices)[:, None], devices_per_node, label)


def _check_sizes(num_experts, num_devices):
    num_experts = check_count(num_experts, "num_experts")
    return num_experts, check_count(num_devices, "num_devices", high=num_experts)


def _check_load(load, num_devices):
    load = check_vector(load, "load").astype(float)
    if len(load) == 0 or load.min() < 0:
        raise ValueError(f"load must hold one number >= 0 per expert, got {load}")
    _check_sizes(len(load), num_devices)
    return load

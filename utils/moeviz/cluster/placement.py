"""Placement: which device holds which expert, and four ways to decide it.

N devices, E experts. Devices are grouped into M nodes of equal size; inside a node talk is cheap.
"""

from dataclasses import dataclass

import numpy as np

from moeviz.arrays import as_array, check_count, check_vector
from moeviz.checks import check_kind


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
        check_count(self.devices_per_node, "devices_per_node", high=len(hosts))
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


def _packed(load, copies, num_devices, devices_per_node, label):
    room = np.full(num_devices, -(-copies.sum() // num_devices))
    busy, hosts = np.zeros(num_devices), np.zeros((num_devices, len(load)), bool)
    share = load / copies
    for expert in np.repeat(*_heaviest_first(share, copies)):
        is_open = (room > 0) & ~hosts[:, expert]
        if is_open.any():
            device = np.lexsort((-room, busy, ~is_open))[0]  # open, then least busy, then most room
            hosts[device, expert] = True
            busy[device] += share[expert]
            room[device] -= 1
    return Placement(hosts, devices_per_node, label)


def _heaviest_first(share, copies):
    order = np.argsort(-share, kind="stable")
    return order, copies[order]


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

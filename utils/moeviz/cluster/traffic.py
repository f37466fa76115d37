"""Traffic: how many token vectors each device sends to each other one, and the bytes that makes.

T tokens, k choices, N devices, M nodes. A row is one token vector on its way to an expert.
"""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_choice, check_count, check_vector
from moeviz.capacity import apply_capacity
from moeviz.cluster.placement import check_placement
from moeviz.record import EMPTY, check_routing

MERGES = ("none", "device", "node")


def homes(num_tokens, num_devices):
    """Return (T,): the device where each token lives, in equal stretches of neighbours.

    Raises ValueError unless 1 <= num_devices <= num_tokens.

    >>> homes(4, 2).tolist()
    [0, 0, 1, 1]
    """
    num_tokens = check_count(num_tokens, "num_tokens")
    num_devices = check_count(num_devices, "num_devices", high=num_tokens)
    return np.arange(num_tokens) * num_devices // num_tokens


def serving_device(routed, placement):
    """Return (T, k): the device that serves each kept choice, EMPTY (-1) for one that is not kept.

    The copies of an expert take turns over its tokens, so that they differ by one token at most.
    Raises ValueError where routed and placement do not fit together.

    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> serving_device(top_k([[3.0, 2.0, 1.0, 0.0]], 2), contiguous(4, 2)).tolist()
    [[0, 0]]
    """
    token, expert, _, slot = check_routing(routed).pairs()
    hosts = check_placement(placement, routed.num_experts).hosts
    copies = placement.copies
    turn = np.arange(len(expert)) - np.searchsorted(expert, expert)  # the place in the expert's queue
    by_expert = np.argsort(~hosts.T, axis=1, kind="stable")  # (E, N), the devices that hold it first
    device = np.full(routed.kept.shape, EMPTY)
    device[token, slot] = by_expert[expert, turn % copies[expert]]
    return device


def device_load(routed, placement):
    """Return (N,): how many kept assignments each device computes.

    Raises ValueError where routed and placement do not fit together.

    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> device_load(top_k([[3.0, 2.0, 1.0, 0.0]], 2), contiguous(4, 2)).tolist()
    [2, 0]
    """
    return served_rows(routed, placement).sum(axis=1)


def served_rows(routed, placement):
    """Return (N, E): how many kept assignments of each expert each device computes.

    Raises ValueError where routed and placement do not fit together.

    >>> from moeviz.cluster import replicated
    >>> from moeviz.routing import top_k
    >>> served_rows(top_k([[1.0, 0.0]] * 4, 1), replicated([4, 0], 2, extra=1)).tolist()
    [[2, 0], [2, 0]]
    """
    device = serving_device(routed, placement)
    served = device != EMPTY
    place = device[served] * placement.num_experts + routed.expert_index[served]
    return np.bincount(place, minlength=placement.hosts.size).reshape(placement.hosts.shape)


def traffic_matrix(routed, placement, *, home=None, merge="none"):
    """Return how many rows travel from where tokens live (rows) to where experts are (columns).

    home: (T,) the device where each token lives; None for equal stretches (`homes`).
    merge: "none", one row per kept assignment, (N, N); "device", one row for all choices of a token on
    one device, (N, N); "node", one row for all its choices on one node, (M, M), which the node then
    hands on inside. The diagonal stays at home. The way back has the transposed matrix.
    Raises ValueError for a wrong home or merge, or where routed and placement do not fit together.
    Source of "node": deepseek-ai/DeepEP, README.md; DeepSeek-V3, arXiv 2412.19437, section 3.2.2.

    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> both_on_device_1 = top_k([[0.0, 1.0, 3.0, 2.0]] * 2, 2)
    >>> traffic_matrix(both_on_device_1, contiguous(4, 2)).tolist()
    [[0, 2], [0, 2]]
    >>> traffic_matrix(both_on_device_1, contiguous(4, 2), merge="device").tolist()
    [[0, 1], [0, 1]]
    """
    device = serving_device(routed, placement)
    home = _check_home(home, routed.num_tokens, placement.num_devices)
    check_choice(merge, "merge", MERGES)
    token, slot = np.nonzero(device != EMPTY)
    source, target, places = home[token], device[token, slot], placement.num_devices
    if merge == "node":
        source, target, places = placement.node[source], placement.node[target], placement.num_nodes
    if merge != "none":
        _, once = np.unique(token * places + target, return_index=True)
        source, target = source[once], target[once]
    return np.bincount(source * places + target, minlength=places**2).reshape(places, places)


def between_nodes(matrix, placement):
    """Return (M, M): a traffic matrix (N, N) with the devices of each node added up.

    Raises ValueError unless the matrix has a row and a column per device.

    >>> from moeviz.cluster import contiguous
    >>> between_nodes(np.ones((4, 4), int), contiguous(8, 4, devices_per_node=2)).tolist()
    [[4, 4], [4, 4]]
    """
    size, nodes = check_placement(placement).num_devices, placement.num_nodes
    matrix = _check_square(matrix)
    if len(matrix) != size:
        raise ValueError(f"matrix must have shape ({size}, {size}), got shape {matrix.shape}")
    return matrix.reshape(nodes, size // nodes, nodes, size // nodes).sum(axis=(1, 3))


def exchange_bytes(matrix, width, *, dispatch=2, combine=2):
    """Return the bytes that leave home, there and back: off-diagonal rows * D * (dispatch + combine).

    matrix: (N, N) or (M, M) rows from `traffic_matrix`. width: D. dispatch, combine: bytes per number
    on the way there and back; bf16 has 2, DeepSeek-V3 sends fp8 (1) and returns bf16 (2).
    Raises ValueError for a matrix that is not square, or a count that is not whole.

    >>> exchange_bytes([[5, 1], [2, 7]], 10)
    120
    """
    matrix, width = _check_square(matrix), check_count(width, "width")
    per_number = check_count(dispatch, "dispatch", low=0) + check_count(combine, "combine", low=0)
    return int(matrix.sum() - np.trace(matrix)) * width * per_number


def nodes_per_token(routed, placement):
    """Return (T,): how many different nodes serve each token; 0 for one whose choices were all dropped.

    Raises ValueError where routed and placement do not fit together.

    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> nodes_per_token(top_k([[3.0, 2.0, 0.0, 1.0], [3.0, 0.0, 2.0, 1.0]], 2), contiguous(4, 2)).tolist()
    [1, 2]
    """
    device = serving_device(routed, placement)
    node = np.where(device == EMPTY, EMPTY, placement.node[device])
    return (node[:, :, None] == np.arange(placement.num_nodes)).any(axis=1).sum(axis=1)


class Padding(NamedTuple):
    """What fixed seats cost: rows computed E C, rows of real tokens, the share wasted and dropped."""

    computed: int
    useful: int
    waste: float
    dropped: float


def padding(routed, capacity):
    """Return the Padding of C seats per expert; without seats (dropless) waste and drops are 0.

    capacity: C. With no choice dropped before, waste = 1 - (1 - dropped) / (E C / (T k)).
    Raises ValueError for a capacity below 1 or a routing without a kept choice.

    >>> from moeviz.routing import top_k
    >>> padding(top_k([[1.0, 0.0]] * 4, 1), 2)
    Padding(computed=4, useful=2, waste=0.5, dropped=0.5)
    """
    wanted = int(check_routing(routed).kept.sum())
    if wanted == 0:
        raise ValueError("routed must keep at least one choice, got none")
    computed = routed.num_experts * check_count(capacity, "capacity")
    useful = int(apply_capacity(routed, capacity).kept.sum())
    return Padding(computed, useful, 1 - useful / computed, 1 - useful / wanted)


def _check_home(home, num_tokens, num_devices):
    if home is None:
        return homes(num_tokens, num_devices)
    home = check_vector(home, "home", num_tokens, kind="iu")
    if home.min() < 0 or home.max() >= num_devices:
        raise ValueError(f"home must lie in 0..{num_devices - 1}, got {home.min()} to {home.max()}")
    return home.astype(np.int64)


def _check_square(matrix):
    matrix = as_array(matrix, "matrix")
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 0
    if not square or matrix.dtype.kind not in "iu":
        raise ValueError(f"matrix must hold whole numbers in a square, "
                         f"got {matrix.dtype} of shape {matrix.shape}")
    if (matrix < 0).any():
        raise ValueError(f"matrix must be non-negative, got {matrix.min()}")
    return matrix

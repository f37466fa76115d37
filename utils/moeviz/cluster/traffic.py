"""Traffic: how many token vectors travel between devices, the bytes and the seconds of a step.

T tokens, k choices, N devices, M nodes. A row is one token vector on its way to an expert. The seconds are a
model, not a measurement: every device computes rows at one speed and sends bytes at another, and an
all-to-all ends for everybody when it ends for the slowest.
"""

import math
from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_choice, check_count, check_matrix, check_number, check_vector
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
    home = check_home(home, routed.num_tokens, placement.num_devices)
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


def expected_nodes(num_nodes, k, *, num_experts=None):
    """Return the mean number of different nodes that serve a token whose k choices are random.

    num_experts=None: k independent choices of a node, M (1 - (1 - 1/M)^k). With num_experts E the
    k experts are different ones, E / M of them on each node: M (1 - C(E - E/M, k) / C(E, k)).
    Raises ValueError for counts below 1, a k above E, or nodes that do not divide E.

    >>> round(expected_nodes(8, 8), 2)
    5.25
    >>> expected_nodes(2, 3, num_experts=4)
    2.0
    """
    num_nodes, k = check_count(num_nodes, "num_nodes"), check_count(k, "k")
    if num_experts is None:
        return num_nodes * (1 - (1 - 1 / num_nodes) ** k)
    num_experts = check_count(num_experts, "num_experts", low=k)
    if num_experts % num_nodes:
        raise ValueError(f"num_nodes must divide the {num_experts} experts, got {num_nodes}")
    missed = math.comb(num_experts - num_experts // num_nodes, k) / math.comb(num_experts, k)
    return num_nodes * (1 - missed)


def straggler_estimate(num_devices, mean_load):
    """Return about how many times the mean the busiest device gets when every choice is random.

    1 + sqrt(2 ln N / m) for m assignments per device on average: the largest of N nearly normal
    counts, with the variance of a Poisson count. It errs on the upper side.
    Raises ValueError for num_devices below 1 or a mean_load that is not positive.

    >>> round(straggler_estimate(64, 128.0), 2)
    1.25
    """
    num_devices = check_count(num_devices, "num_devices")
    mean_load = check_number(mean_load, "mean_load", low=1e-12)
    return 1 + math.sqrt(2 * math.log(num_devices) / mean_load)


class Phases(NamedTuple):
    """Seconds of work per device, (N,) each: sending tokens, computing them, sending answers back."""

    dispatch: np.ndarray
    compute: np.ndarray
    combine: np.ndarray


class Span(NamedTuple):
    """One bar of the time line: device, "dispatch" | "compute" | "combine" | "wait", chunk, seconds."""

    device: int
    kind: str
    chunk: int
    start: float
    stop: float


def device_phases(load, moved, width, *, row_seconds, bandwidth, dispatch=2, combine=2):
    """Return the Phases of a step.

    load: (N,) rows that each device computes (`device_load`). moved: (N, N) rows that travel
    (`traffic_matrix`). width: D. row_seconds: to compute one row. bandwidth: bytes per second that a
    device sends and, at the same time, receives; the larger of the two decides. dispatch, combine:
    bytes per number. Raises ValueError for shapes that do not fit, rates that are not positive, or negative
    seconds or bytes.

    >>> device_phases([2, 1], [[1, 1], [1, 0]], 10, row_seconds=0.5, bandwidth=20.0).compute.tolist()
    [1.0, 0.5]
    """
    load = check_vector(load, "load")
    moved = check_matrix(moved, "moved", "(N, N)")
    if moved.shape != (len(load), len(load)):
        raise ValueError(f"moved must have shape ({len(load)}, {len(load)}), got shape {moved.shape}")
    row_seconds = check_number(row_seconds, "row_seconds", low=0.0)
    row_bytes = check_count(width, "width") / check_number(bandwidth, "bandwidth", low=1e-30)
    away = moved - np.diag(np.diag(moved))
    busiest = np.maximum(away.sum(axis=0), away.sum(axis=1)) * row_bytes
    there, back = check_number(dispatch, "dispatch", low=0.0), check_number(combine, "combine", low=0.0)
    return Phases(busiest * there, load * row_seconds, busiest * back)


def timeline(phases, *, chunks=1):
    """Return the Spans of a step for every device, waits included, in order of chunk and kind.

    chunks: the tokens are cut into this many equal parts; while one part is computed, the network
    carries the next. The network serves one all-to-all at a time, all dispatches before the first
    combine. Raises ValueError for times that are negative or not (N,), or chunks below 1.

    >>> [span.kind for span in timeline(Phases(np.ones(1), np.ones(1), np.ones(1)))]
    ['dispatch', 'compute', 'combine']
    """
    phases, chunks = _check_phases(phases), check_count(chunks, "chunks")
    part = Phases(*(seconds / chunks for seconds in phases))
    longest = Phases(*(float(seconds.max()) for seconds in part))
    sent = longest.dispatch * np.arange(1, chunks + 1)
    spans, free, network = [], 0.0, sent[-1]
    for chunk in range(chunks):
        spans += _bars("dispatch", chunk, sent[chunk] - longest.dispatch, part.dispatch)
        start = max(sent[chunk], free)
        free = start + longest.compute
        spans += _bars("compute", chunk, start, part.compute)
        back = max(network, free)
        network = back + longest.combine
        spans += _bars("combine", chunk, back, part.combine)
    return tuple(spans)


def _bars(kind, chunk, start, seconds):
    """Return a bar per device, and a wait from its end to the end of the slowest."""
    end, bars = start + seconds.max(), []
    for device, own in enumerate(seconds):
        bars.append(Span(device, kind, chunk, float(start), float(start + own)))
        if own < seconds.max():
            bars.append(Span(device, "wait", chunk, float(start + own), float(end)))
    return bars


def _check_phases(phases):
    if not isinstance(phases, (tuple, list)) or len(phases) != 3:
        raise ValueError(f"phases must be Phases of dispatch, compute and combine, got {phases!r}")
    named = zip(Phases._fields, phases, strict=True)
    checked = Phases(*(check_vector(seconds, name) for name, seconds in named))
    for name, seconds in checked._asdict().items():
        if len(seconds) != len(checked.dispatch) or not len(seconds) or (seconds < 0).any():
            raise ValueError(f"{name} must hold a non-negative time per device, got {seconds.tolist()}")
    return checked


def check_home(home, num_tokens, num_devices):
    """Return home (T,) if every entry is a device, or those of `homes` for None; ValueError otherwise."""
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

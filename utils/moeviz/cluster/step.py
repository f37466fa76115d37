"""One step of an expert-parallel layer in seconds: send, compute, return, and wait for the slowest.

N devices. A model, not a measurement: every device computes rows at one speed and sends bytes at
another, and an all-to-all ends for everybody when it ends for the slowest.
"""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count, check_matrix, check_number, check_vector


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


def step_seconds(phases, *, chunks=1):
    """Return the seconds of a step, stragglers and overlap included: the end of its `timeline`.

    With one chunk it is max(dispatch) + max(compute) + max(combine), each over the devices.
    Raises ValueError as `timeline` does.

    >>> step_seconds(Phases(np.array([1.0, 2.0]), np.array([5.0, 3.0]), np.array([1.0, 1.0])))
    8.0
    """
    return max(span.stop for span in timeline(phases, chunks=chunks))


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

"""Runs of experts whose products are done one after the other while their rows are near the processor."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

SPACE = 2**17  # hidden units of a run


class Run(NamedTuple):
    """A few experts next to each other: few enough that what they compute stays near the processor."""

    experts: slice
    rows: slice
    spans: list  # for each of these experts the slice of its rows, counted from the first row of the run


def cut_into_runs(spans, hidden):
    """Return the experts as Runs of at most SPACE hidden units, or of one expert that has more.

    spans: for each expert the slice of its rows.

    >>> [run.spans for run in cut_into_runs([slice(0, 80), slice(80, 180), slice(180, 300)], 512)]
    [[slice(0, 80, None), slice(80, 180, None)], [slice(0, 120, None)]]
    """
    cuts = [0]
    for expert in range(1, len(spans)):
        if (spans[expert].stop - spans[cuts[-1]].start) * hidden > SPACE:
            cuts.append(expert)
    return [_make_run(spans, slice(first, last)) for first, last in pairwise([*cuts, len(spans)])]


def _make_run(spans, experts):
    start = spans[experts.start].start
    inside = [slice(span.start - start, span.stop - start) for span in spans[experts]]
    return Run(experts, slice(start, start + inside[-1].stop), inside)


def multiply(rows, matrices, spans, out):
    """Return out (n, b): each span of rows (n, a) times its own matrix of (E, a, b)."""
    for span, matrix in zip(spans, matrices, strict=True):
        np.dot(rows[span], matrix, out[span])  # begins sooner than np.matmul
    return out


def outer(rows, drows, spans, out):
    """Write to out (E, a, b) the gradient of weights that took rows (n, a) to rows with gradient (n, b)."""
    for span, matrix in zip(spans, out, strict=True):
        np.dot(rows[span].T, drows[span], matrix)

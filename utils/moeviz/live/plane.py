"""The plane: a gate over two numbers, its arrows to be dragged."""

import numpy as np

from moeviz import plots
from moeviz.arrays import check_matrix, check_vector
from moeviz.live.show import colors, page
from moeviz.plots.draw import check_labels

ROOM = 1.25  # the square reaches this much further than the farthest arrow or token


def plane(gate, tokens, *, labels=None, bias=None):
    """Return a live view of a gate (2, E): drag its arrows, and regions, tokens and load follow.

    tokens: (T, 2), each sent to its first choice. labels: T texts, or None for dots without names. bias:
    (E,) added to the scores; 0 if None. Raises ValueError for other shapes or numbers that are not finite.
    """
    gate, tokens = check_matrix(gate, "gate", "(2, E)"), check_matrix(tokens, "tokens", "(T, 2)")
    if len(gate) != 2 or tokens.shape[1] != 2:
        raise ValueError(f"gate and tokens must have width 2, got shapes {gate.shape} and {tokens.shape}")
    labels = [""] * len(tokens) if labels is None else check_labels(labels, len(tokens))
    bias = np.zeros(gate.shape[1]) if bias is None else check_vector(bias, "bias", gate.shape[1])
    span = ROOM * max(float(np.abs(gate).max()), float(np.abs(tokens).max()), 1.0)
    state = {"start": {"arrows": gate.T.tolist(), "bias": bias.tolist()}, "points": tokens.tolist(),
             "labels": labels, "span": span, **colors(gate.shape[1])}
    drawn = plots.plot_regions(gate, tokens=tokens, bias=bias, span=span)
    return page("plane", state, label="A gate over the plane: drag its arrows", fallback=drawn)

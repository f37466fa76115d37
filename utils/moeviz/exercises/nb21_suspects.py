"""Notebook 21: one routing step done right, and eight suspects with one mistake each that people really made.

All take (batch, rng) and return a Step. Names and docstrings of the suspects give nothing away; what is wrong
with which, and the public thread it was found in, stands in `bugs`. L layers, T tokens, E experts, k = 2.
"""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_count, check_mask, check_matrix, one_hot, softmax, top_k_index
from moeviz.capacity import apply_capacity
from moeviz.record import Routing

K, NOISE = 2, 0.5


class Batch(NamedTuple):
    """What a routing step gets at evaluation; `make_batch` checks it."""

    logits: np.ndarray  # (L, T, E) of the gates
    mask: np.ndarray    # (T,) bool, False for padding
    bias: np.ndarray    # (L, E) added to the scores for the choice only
    seats: int          # of each expert in each layer


class Step(NamedTuple):
    """What a routing step reports."""

    experts: np.ndarray  # (L, T, k) chosen, best first; padding chooses too, but gets no seat
    weights: np.ndarray  # (L, T, k) in the output; 0 without a seat
    kept: np.ndarray     # (L, T, k) bool
    scores: np.ndarray   # (L, T, E) whose mean over tokens is the P of the balancing loss
    load: np.ndarray     # (L, E) share of the choices, the f of the loss
    loss: float          # E sum f P of each layer, averaged over layers


def make_batch(logits, mask=None, *, bias=None, seats=None):
    """Return a checked Batch; no mask: all tokens are real, no bias: 0, no seats: the fair share.

    logits: (L, T, E). mask: (T,) bool. bias: (E,) or (L, E). seats: at least 1.
    Raises ValueError naming what is wrong.

    >>> make_batch(np.zeros((1, 8, 4))).seats
    4
    """
    logits = as_array(logits, "logits")
    if (logits.dtype.kind not in "fiu" or logits.ndim != 3 or logits.shape[2] < K or not logits.size
            or not np.isfinite(logits).all()):
        raise ValueError(f"logits must be finite, of shape (L, T, E) with E >= {K}, "
                         f"got {logits.dtype} of shape {logits.shape}")
    logits = logits.astype(float)
    num_layers, num_tokens, num_experts = logits.shape
    mask = check_mask(mask, num_tokens)
    fair = -(-K * int(mask.sum()) // num_experts)
    bias = _check_bias(bias, num_layers, num_experts)
    return Batch(logits, mask, bias, fair if seats is None else check_count(seats, "seats"))


def _check_bias(bias, num_layers, num_experts):
    """Return the bias as (L, E); the same for all layers where one row is given."""
    if bias is None:
        return np.zeros((num_layers, num_experts))
    bias = check_matrix(np.atleast_2d(as_array(bias, "bias")), "bias", "(E,) or (L, E)").astype(float)
    if bias.shape not in ((1, num_experts), (num_layers, num_experts)):
        raise ValueError(f"bias must have shape ({num_experts},) or ({num_layers}, {num_experts}), "
                         f"got {bias.shape}")
    return np.repeat(bias, num_layers // len(bias), axis=0)


def right(batch, rng):
    """Route at evaluation as it should be, and report a Step; rng is for training alone and stays unused.

    Source: the order of steps of GShard, arXiv 2006.16668 (weights before drops, first choices before any
    second), with the bias of DeepSeek-V3, arXiv 2412.19437, and the loss of Switch, arXiv 2101.03961.

    >>> right(make_batch([[[3.0, 1.0, 0.0], [3.0, 0.0, 1.0]]], seats=1), None).kept.tolist()
    [[[True, True], [False, True]]]
    """
    probs = softmax(batch.logits)
    experts = top_k_index(probs + batch.bias[:, None], K)
    kept = seat(probs, experts, batch)
    load, loss = balance(probs, experts, batch.mask)
    return Step(experts, renormalised(probs, experts) * kept, kept, probs, load, loss)


def suspect_a(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    load, loss = balance(step.scores, step.experts, np.ones_like(batch.mask))
    return step._replace(load=load, loss=loss)


def suspect_b(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    scores = np.where(_chosen(step.experts, step.scores), step.scores, 0)
    return step._replace(scores=scores, loss=balance(scores, step.experts, batch.mask)[1])


def suspect_c(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    kept = seat(step.scores, step.experts, batch, order="token")
    return step._replace(kept=kept, weights=renormalised(step.scores, step.experts) * kept)


def suspect_d(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    scores = softmax(step.scores)
    return step._replace(scores=scores, loss=balance(scores, step.experts, batch.mask)[1])


def suspect_e(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    return step._replace(weights=renormalised(step.scores + batch.bias[:, None], step.experts) * step.kept)


def suspect_f(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    one_long_layer = (array.reshape(1, -1, array.shape[2]) for array in (step.scores, step.experts))
    mask = np.tile(batch.mask, len(step.scores))
    return step._replace(loss=balance(*one_long_layer, mask)[1])


def suspect_g(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    noise = NOISE * rng.standard_normal(batch.logits.shape)
    return right(batch._replace(logits=batch.logits + noise), rng)


def suspect_h(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    total = step.weights.sum(axis=2, keepdims=True)
    return step._replace(weights=step.weights / np.where(total > 0, total, 1))


SUSPECTS = MappingProxyType({
    "right": right, "a": suspect_a, "b": suspect_b, "c": suspect_c, "d": suspect_d, "e": suspect_e,
    "f": suspect_f, "g": suspect_g, "h": suspect_h})


def seat(probs, experts, batch, order="choice"):
    """Return (L, T, k) bool: which choices find a seat, layer by layer; padding takes none.

    >>> batch = make_batch(np.zeros((1, 2, 2)), [True, False], seats=1)
    >>> seat(np.full((1, 2, 2), 0.5), np.array([[[0, 1], [0, 1]]]), batch).tolist()
    [[[True, True], [False, False]]]
    """
    real = np.repeat(batch.mask[:, None], K, axis=1)
    asked = [Routing(None, shares, chosen, np.zeros(chosen.shape), real)
             for shares, chosen in zip(probs, experts, strict=True)]
    return np.stack([apply_capacity(routed, batch.seats, order=order).kept for routed in asked])


def renormalised(scores, experts):
    """Return (L, T, k): the scores of the chosen experts, divided by their sum.

    >>> renormalised(np.array([[[0.375, 0.125, 0.5]]]), np.array([[[0, 1]]])).tolist()
    [[[0.75, 0.25]]]
    """
    chosen = np.take_along_axis(scores, experts, axis=2)
    return chosen / chosen.sum(axis=2, keepdims=True)


def balance(scores, experts, mask):
    """Return the load (L, E) over the tokens of mask (T,), and the mean over layers of E sum f P.

    >>> balance(np.array([[[0.5, 0.5]]]), np.array([[[0, 1]]]), np.array([True]))[1]
    1.0
    """
    load = _chosen(experts, scores)[:, mask].mean(axis=1) / experts.shape[2]
    share = scores[:, mask].mean(axis=1)
    return load, float(scores.shape[2] * (load * share).sum(axis=1).mean())


def _chosen(experts, scores):
    """Return (L, T, E) bool: which experts each token chose."""
    return one_hot(experts, scores.shape[2]).any(axis=2)

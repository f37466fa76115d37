"""Gradients: from the weights and probabilities of a Routing back to the logits of its gate."""

import numpy as np

from moeviz.arrays import check_number, check_same_shape, sigmoid, softmax, softmax_backward
from moeviz.record import EMPTY

SCORINGS = ("softmax", "sigmoid", "relu")


def weights_backward(routing, dweight, *, dprobs=None, scoring="softmax", renormalize=True, scale=1.0):
    """Carry a gradient from combine_weight (T, k), and probs (T, E), back to the logits (T, E).

    routing: what the router returned. dweight: (T, k), ignored in EMPTY slots; give 0 for dropped
    choices, which reach no output. dprobs: (T, E) or None, the gradient of a loss on `probs`.
    scoring, renormalize, scale: how the router made its weights: score = softmax(z), sigmoid(z) or
    relu(z); divided by the sum over the chosen; times scale. The choice itself has no gradient.
    Serves every router with logits but two: see `gshard_top_2_backward` and `noisy_top_k_backward`.
    With k=1 and renormalize the weight is constant and the result is exactly 0.
    Raises ValueError for wrong shapes, an unknown scoring, scale <= 0, or a routing without logits.

    >>> from moeviz.routing import top_k
    >>> weights_backward(top_k([[0.0, 0.0]], k=1), [[1.0]]).tolist()
    [[0.0, 0.0]]
    >>> weights_backward(top_k([[0.0, 0.0]], k=1, renormalize=False), [[1.0]], renormalize=False).tolist()
    [[0.25, -0.25]]
    """
    logits = _check_logits(routing)
    dweight = check_same_shape(dweight, "dweight", routing.combine_weight, "combine_weight")
    scale = check_number(scale, "scale", low=np.finfo(float).tiny)
    if scoring not in SCORINGS:
        raise ValueError(f"scoring must be one of {', '.join(SCORINGS)}, got {scoring!r}")
    if scoring == "relu":
        dlogits = _scatter(routing, dweight * (routing.combine_weight > 0) * scale)
        return dlogits if dprobs is None else dlogits + _relu_probs_backward(routing, dprobs)
    dlog = _dlog_score(routing, dweight, renormalize, scale)
    if scoring == "softmax" and not renormalize:
        dlog -= softmax(logits) * dlog.sum(axis=1, keepdims=True)
    if dprobs is not None:
        dprobs = check_same_shape(dprobs, "dprobs", logits, "logits")
        dlog += softmax_backward(routing.probs, dprobs)
    return dlog if scoring == "softmax" else dlog * sigmoid(-logits)


def _dlog_score(routing, dweight, renormalize, scale):
    """Return the gradient (T, E) of the log of each score: no division, so tiny weights are safe."""
    weight = routing.combine_weight
    if renormalize:
        dweight = dweight - (dweight * weight).sum(axis=1, keepdims=True) / scale
    return _scatter(routing, weight * dweight)


def _scatter(routing, values):
    spread = np.zeros(routing.probs.shape, dtype=values.dtype)
    token, slot = np.nonzero(routing.expert_index != EMPTY)
    spread[token, routing.expert_index[token, slot]] = values[token, slot]
    return spread


def _relu_probs_backward(routing, dprobs):
    dprobs = check_same_shape(dprobs, "dprobs", routing.logits, "logits")
    total = np.maximum(routing.logits, 0).sum(axis=1, keepdims=True)
    centred = dprobs - (dprobs * routing.probs).sum(axis=1, keepdims=True)
    return np.divide(centred * (routing.logits > 0), total, out=np.zeros_like(centred), where=total > 0)


def _check_logits(routing):
    if getattr(routing, "logits", None) is None:
        raise ValueError(f"routing must have logits to carry a gradient to, got {routing!r}")
    return routing.logits

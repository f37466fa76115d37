"""Gradients: from the weights of a Routing back to the logits of its gate."""

import numpy as np

from moeviz.arrays import (
    check_choice,
    check_number,
    check_same_shape,
    sigmoid,
    softmax,
    softplus,
)
from moeviz.record import EMPTY, check_logits
from moeviz.routing.token_choice import softmax_top_k

SCORINGS = ("softmax", "sigmoid", "relu")


def weights_backward(routed, dweight, *, scoring="softmax", renormalize=True, scale=1.0):
    """Carry a gradient from combine_weight (T, k) back to the logits (T, E).

    routed: what the router returned. dweight: (T, k), ignored in EMPTY slots; give 0 for dropped
    choices, which reach no output.
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
    logits = check_logits(routed)
    dweight = check_same_shape(dweight, "dweight", routed.combine_weight, "combine_weight")
    scale = check_number(scale, "scale", low=1e-12)
    check_choice(scoring, "scoring", SCORINGS)
    if scoring == "relu":
        return scatter(routed, dweight * scale)
    dlog = _dlog_score(routed, dweight, renormalize, scale)
    if scoring == "softmax" and not renormalize:
        dlog -= softmax(logits) * dlog.sum(axis=1, keepdims=True)
    return dlog if scoring == "softmax" else dlog * sigmoid(-logits)


def gshard_top_2_backward(routed, dweight):
    """Carry a gradient from the weights (T, 2) of `gshard_top_2` back to its logits (T, E).

    The first weight is p1 / (p1 + p2) even where the second choice was not taken and its slot is EMPTY,
    so the runner-up is looked up again. dweight in EMPTY slots is ignored.
    Raises ValueError for wrong shapes or a routing without logits.

    >>> from moeviz.routing import gshard_top_2
    >>> routed = gshard_top_2([[2.0, -2.0]], rng=np.random.default_rng(0))
    >>> gshard_top_2_backward(routed, [[1.0, 0.0]]).round(4).tolist()
    [[0.0177, -0.0177]]
    """
    logits = check_logits(routed)
    dweight = check_same_shape(dweight, "dweight", routed.combine_weight, "combine_weight")
    dweight = np.where(routed.expert_index == EMPTY, 0, dweight)
    both = softmax_top_k(logits, min(2, logits.shape[1]), True, routed.label)
    return weights_backward(both, dweight[:, :both.k])


def noisy_top_k_backward(routed, dlogits, *, logits, noise_logits):
    """Split a gradient on the noisy logits (T, E) into those on the clean logits and on noise_logits.

    routed: from `noisy_top_k`; dlogits: (T, E), for example from `weights_backward`; logits and
    noise_logits: (T, E), what the router was given. Noisy = clean + draw * softplus(noise), hence
    dclean = dlogits and dnoise = dlogits * draw * sigmoid(noise). Returns (dclean, dnoise).
    Raises ValueError for wrong shapes or a routing without logits.

    >>> from moeviz.routing import noisy_top_k
    >>> clean, noise = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    >>> routed = noisy_top_k(clean, noise, rng=None, training=False)
    >>> noisy_top_k_backward(routed, [[1.0, 0.0]], logits=clean, noise_logits=noise)[1].tolist()
    [[0.0, 0.0]]
    """
    noisy = check_logits(routed)
    dlogits = check_same_shape(dlogits, "dlogits", noisy, "routed.logits")
    logits = check_same_shape(logits, "logits", noisy, "routed.logits")
    noise_logits = check_same_shape(noise_logits, "noise_logits", noisy, "routed.logits")
    width = softplus(noise_logits)
    draws = np.divide(noisy - logits, width, out=np.zeros_like(width), where=width > 0)
    return dlogits.copy(), dlogits * draws * sigmoid(noise_logits)


def _dlog_score(routed, dweight, renormalize, scale):
    """Return the gradient (T, E) of the log of each score: no division, so tiny weights are safe."""
    weight = routed.combine_weight
    if renormalize:
        dweight = dweight - (dweight * (weight / scale)).sum(axis=1, keepdims=True)
    return scatter(routed, weight * dweight)


def scatter(routed, values):
    """Return (T, E): the value (T, k) of each choice at its expert, 0 elsewhere.

    >>> from moeviz.routing import top_k
    >>> scatter(top_k([[0.0, 1.0]], k=1), np.array([[3.0]])).tolist()
    [[0.0, 3.0]]
    """
    spread = np.zeros(routed.shape, dtype=values.dtype)
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    spread[token, routed.expert_index[token, slot]] = values[token, slot]
    return spread

"""Losses that are a squared coefficient of variation, CV^2 = (std / mean)^2: importance and load.

Importance sums weights and load counts tokens: one expert with few large weights and one with many
small ones can be equally important and differently loaded, which is why Shazeer 2017 uses both.
"""

import math

import numpy as np

from moeviz.arrays import (
    check_choice,
    check_count,
    check_matrix,
    check_number,
    check_same_shape,
    normal_cdf,
    sigmoid,
    softmax,
    softplus,
    top_k_index,
)
from moeviz.record import EMPTY, check_logits
from moeviz.routing.backward import weights_backward

SMALLEST_SIGMA = 1e-30  # keeps 0 / 0 out: without noise the probability becomes a clean step


def importance_loss(routed, *, renormalize=True, scoring="softmax", scale=1.0):
    """Return CV^2 of the summed combine weights per expert, and its gradient on the logits (T, E).

    renormalize, scoring, scale: how the router made its weights, as for `routing.weights_backward`.
    Dropped choices count with the weight that the router gave them. Where nothing is chosen the loss
    is 0. With k=1 and renormalize the weights are constant, and so the gradient is 0.
    For `noisy_top_k` the gradient is the one on the noisy logits: split it by `noisy_top_k_backward`.
    Raises ValueError for a routing without logits, or where the three options did not make its weights
    (nor do they make those of `gshard_top_2`, whose first weight knows of a second not taken).
    Source: Shazeer et al. 2017, arXiv 1701.06538, equations 6 and 7.

    >>> from moeviz.routing import top_k
    >>> value, dlogits = importance_loss(top_k([[0.0, 9.0]], k=1))
    >>> value, dlogits.tolist()
    (1.0, [[0.0, 0.0]])
    """
    _check_weights(routed, renormalize, scoring, scale)
    index = routed.expert_index
    slots = np.ravel(index) + 1  # EMPTY falls into bin 0, which is cut off
    importance = np.bincount(slots, np.ravel(routed.combine_weight), routed.num_experts + 1)[1:]
    value, dimportance = _cv_squared(importance)
    dweight = dimportance[index].astype(routed.combine_weight.dtype)  # EMPTY slots are ignored below
    return value, weights_backward(routed, dweight, scoring=scoring, renormalize=renormalize, scale=scale)


def load_loss(routed, logits, noise_logits):
    """Return CV^2 of the smooth load, and its gradients on logits and noise_logits, both (T, E).

    routed: from `noisy_top_k`; routing.logits are the noisy logits H. logits: the clean ones.
    noise_logits: sigma = softplus(noise_logits). The smooth load of an expert is its probability of
    being selected, `selection_probability`, summed over tokens. The gradient runs through the clean
    logit, through sigma, and through the threshold, which is a noisy logit of another expert whose
    draw (H - logits) / sigma is held constant. With k = E all are selected: 0, and no gradient.
    Raises ValueError for a routing without logits or shapes that differ.
    Source: Shazeer et al. 2017, arXiv 1701.06538, appendix A; tensor2tensor utils/expert_utils.py.

    >>> from moeviz.routing import top_k
    >>> noisy = top_k([[3.0, 1.0, 0.0]], k=1)
    >>> value, dlogits, dnoise = load_loss(noisy, [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]])
    >>> dlogits.shape == dnoise.shape == (1, 3)
    True
    """
    noisy, k = check_logits(routed), routed.k
    probability = selection_probability(logits, noise_logits, noisy, k)
    value, dload = _cv_squared(probability.sum(axis=0))
    if k == routed.num_experts:
        return 0.0, np.zeros_like(noisy), np.zeros_like(noisy)
    logits, noise_logits = np.asarray(logits, dtype=float), np.asarray(noise_logits, dtype=float)
    dlogits, dnoise = _selection_backward(dload, logits, noise_logits, noisy, k)
    return value, dlogits.astype(noisy.dtype), dnoise.astype(noisy.dtype)


def selection_probability(logits, noise_logits, noisy_logits, k):
    """Return (T, E): the chance that each expert is among the k largest if its own noise is redrawn.

    logits: (T, E) clean. noise_logits: (T, E), sigma = softplus of it. noisy_logits: (T, E), H.
    The noise of all other experts is kept, so expert i competes with the k-th largest of the
    others: P = Phi((logits - threshold) / sigma), threshold = the (k+1)-th value of H if i is among
    the top k, else the k-th. As sigma goes to 0 it becomes a step. With k = E it is 1 everywhere.
    Raises ValueError for shapes that differ or k outside 1..E.
    Source: Shazeer et al. 2017, arXiv 1701.06538, equations 8 and 9.

    >>> selection_probability([[0.0, 0.0]], [[0.0, 0.0]], [[1.0, 0.0]], 1).round(4).tolist()
    [[0.5, 0.0746]]
    """
    logits = check_matrix(logits, "logits").astype(float)
    noise_logits = check_same_shape(noise_logits, "noise_logits", logits, "logits").astype(float)
    noisy_logits = check_same_shape(noisy_logits, "noisy_logits", logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    if k == logits.shape[1]:
        return np.ones_like(logits)
    threshold = np.take_along_axis(noisy_logits, _threshold_expert(noisy_logits, k), axis=1)
    return normal_cdf((logits - threshold) / _sigma(noise_logits))


def _check_weights(routed, renormalize, scoring, scale):
    """Refuse options that did not make the weights: the gradient would be silently wrong."""
    logits = check_logits(routed)
    scores = {"softmax": softmax, "sigmoid": sigmoid, "relu": lambda z: np.maximum(z, 0)}
    check_choice(scoring, "scoring", scores)
    check_number(scale, "scale", low=1e-12)
    score = np.take_along_axis(scores[scoring](logits), routed.expert_index, axis=1)
    weight = np.where(routed.expert_index == EMPTY, 0, score) * scale
    total = weight.sum(axis=1, keepdims=True)
    if renormalize and scoring != "relu":
        weight = np.divide(weight, total / scale, out=routed.combine_weight.copy(), where=total > 0)
    if not np.allclose(weight, routed.combine_weight, rtol=1e-3, atol=1e-3 * scale):
        raise ValueError("scoring, renormalize and scale must be those that made the weights of "
                         f"{routed.label!r}, got {scoring!r}, {renormalize} and {scale}")


def _threshold_expert(noisy_logits, k):
    """Return (T, E) int: the expert whose noisy logit each expert has to exceed."""
    ranked = top_k_index(noisy_logits, k + 1)
    expert = np.repeat(ranked[:, k - 1:k], noisy_logits.shape[1], axis=1)
    np.put_along_axis(expert, ranked[:, :k], ranked[:, k:], axis=1)
    return expert


def _sigma(noise_logits):
    return np.maximum(softplus(noise_logits), SMALLEST_SIGMA)


def _selection_backward(dload, logits, noise_logits, noisy, k):
    """Carry a gradient on the smooth load (E,) back to the clean logits and the noise logits."""
    sigma, rival = _sigma(noise_logits), _threshold_expert(noisy, k)
    margin = (logits - np.take_along_axis(noisy, rival, axis=1)) / sigma
    slope = dload * np.exp(-margin**2 / 2) / math.sqrt(2 * math.pi) / sigma
    drival = np.zeros_like(slope)
    np.add.at(drival, (np.arange(len(rival))[:, None], rival), slope)
    draw = (noisy - logits) / sigma
    dsigma = -slope * margin - drival * draw
    return slope - drival, dsigma * sigmoid(noise_logits)


def _cv_squared(amount):
    """Return CV^2 of amount (E,) and its gradient (E,); 0 and zeros where the sum is 0."""
    total, count = amount.sum(), len(amount)
    if total == 0:
        return 0.0, np.zeros_like(amount)
    share = amount / total
    variance = ((count * share - 1) ** 2).mean()  # of amount / mean: exact where the amounts are equal
    return float(variance), 2 * count * (share - (share**2).sum()) / total

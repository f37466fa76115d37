"""Losses that keep a router healthy: each returns its value and its gradient on the logits.

`losses` may import `routing.backward`: the way from weights to the logits is written once, there.
"""

import math

import numpy as np

from moeviz.arrays import (
    check_choice,
    check_count,
    check_mask,
    check_matrix,
    check_number,
    check_same_shape,
    check_vector,
    log_sum_exp,
    normal_cdf,
    one_hot,
    sigmoid,
    softmax,
    softmax_backward,
    softplus,
    top_k_index,
)
from moeviz.record import EMPTY, check_logits, check_routing, check_weights
from moeviz.routing.backward import weights_backward

CONVENTIONS = ("share", "per_k")
BLOCK = 4096  # tokens whose chances to be selected are worked out at a time


def switch_loss(routed, *, convention="share", mask=None, scoring="softmax"):
    """Return E sum_i f_i P_i and its gradient on the logits (T, E).

    f_i: share of all choices that went to expert i. P_i: mean of probs[:, i] over the tokens.
    convention: "share" lets f sum to 1 (uniform value 1: Switch); "per_k" lets f sum to the choices
    per token (uniform value k: the transformers code for Mixtral). The second is k times the first.
    mask: (T,) bool, False for padding, which then counts in neither f nor P.
    scoring: how probs come from the logits, "softmax" or "sigmoid" (s / sum s).
    Take each layer by itself: pooling layers hides opposite collapses.
    Raises ValueError for a routing without logits, an unknown convention, a wrong mask, or probs that
    `scoring` did not make (Sinkhorn's plan passes no gradient).
    Source: Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6.

    >>> from moeviz.routing import top_k
    >>> value, dlogits = switch_loss(top_k([[0.0, 9.0], [9.0, 0.0]], k=1))
    >>> round(value, 6)
    1.0
    """
    check_choice(convention, "convention", CONVENTIONS)
    chosen = check_routing(routed).chosen()
    mask = check_mask(mask, len(chosen))
    value, dlogits = _product_loss(routed, chosen, np.where(mask, 0, -1), scoring)
    factor = 1.0 if convention == "share" else float(chosen[mask].sum() / mask.sum())
    return value * factor, dlogits * factor


def gshard_loss(routed, *, groups=1, mask=None):
    """Return E sum_i f1_i P_i, with f1 the share of FIRST choices, and its gradient (T, E).

    Second choices are not counted. The paper writes the mean over experts of f1 P, which is this
    value divided by E^2; in this form the uniform value is 1. At k=1 it equals `switch_loss`.
    groups: equal stretches of the tokens, within each of which the loss is taken before the mean, as GShard
    does. mask: (T,) bool, False for padding.
    Raises ValueError for a routing without logits, probs that are not a softmax, a wrong mask or too many
    groups.
    Source: Lepikhin et al. 2020 (GShard), arXiv 2006.16668, algorithm 1.

    >>> from moeviz.routing import top_k
    >>> value, dlogits = gshard_loss(top_k([[0.0, 0.0]], k=2))
    >>> value
    1.0
    """
    first = one_hot(check_routing(routed).expert_index[:, 0], routed.num_experts)
    mask = check_mask(mask, len(first))
    group = np.arange(len(first)) * check_count(groups, "groups", high=len(first)) // len(first)
    return _product_loss(routed, first, np.where(mask, group, -1), "softmax")


def sequence_loss(routed, sequence_ids, *, scoring="sigmoid", mask=None):
    """Return E sum_i f_i P_i taken within each sequence, averaged over sequences, and dlogits (T, E).

    sequence_ids: (T,) int, equal for the tokens of one sequence. Every sequence weighs the same,
    however long it is. In the paper f is (E / k T) times the count, which is E times the share here.
    scoring: "sigmoid" (DeepSeek-V3: P is the mean of s / sum s, without the bias) or "softmax".
    mask: (T,) bool, False for padding. With a single sequence it equals `switch_loss`.
    Raises ValueError for a routing without logits, wrong sequence_ids, a wrong mask or scoring.
    Source: DeepSeek-V3 technical report, arXiv 2412.19437, equations 17 to 20.

    >>> from moeviz.routing import top_k
    >>> two_topics = top_k([[9.0, -9.0], [-9.0, 9.0]], k=1)
    >>> value, dlogits = sequence_loss(two_topics, [0, 1], scoring="softmax")
    >>> round(value, 3)
    2.0
    """
    chosen = check_routing(routed).chosen()
    ids = check_vector(sequence_ids, "sequence_ids", length=len(chosen), kind="iu")
    mask = check_mask(mask, len(chosen))
    group = np.full(len(ids), -1)
    group[mask] = np.unique(ids[mask], return_inverse=True)[1]
    return _product_loss(routed, chosen, group, scoring)


def _product_loss(routed, chosen, group, scoring):
    """Average E sum_i f_i P_i over the groups of tokens; group (T,) int, -1 leaves a token out."""
    _check_scoring(routed, scoring)
    member = one_hot(group, group.max() + 1).astype(float)
    tokens = member.sum(axis=0)[:, None]
    count = member.T @ chosen
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    scale = routed.num_experts / len(tokens)
    value = scale * (share * (member.T @ routed.probs) / tokens).sum()
    dprobs = scale * member @ (share / tokens)
    dlog = softmax_backward(routed.probs, dprobs.astype(routed.logits.dtype))
    return float(value), dlog if scoring == "softmax" else dlog * sigmoid(-routed.logits)


def _check_scoring(routed, scoring):
    """Refuse probs that another score made: the gradient would be silently wrong."""
    check_logits(routed)
    log_scores = {"softmax": lambda z: z, "sigmoid": lambda z: -softplus(-z)}
    check_choice(scoring, "scoring", log_scores)
    logits, probs = routed.logits[:64], routed.probs[:64]  # some rows tell; all would slow training
    if np.abs(softmax(log_scores[scoring](logits)) - probs).max() > 1e-3:
        raise ValueError(f"scoring must be the one that made the probs of {routed.label!r}, got {scoring!r}")


SMALLEST_SIGMA = 1e-30  # keeps 0 / 0 out: without noise the probability becomes a clean step


def importance_loss(routed, *, renormalize=True, scoring="softmax", scale=1.0, mask=None):
    """Return CV^2 of the summed combine weights per expert, and its gradient on the logits (T, E).

    renormalize, scoring, scale: how the router made its weights, as for `routing.weights_backward`.
    mask: (T,) bool, False for padding. Dropped choices count with the weight that the router gave them.
    Where nothing is chosen the loss is 0. With k=1 and renormalize the weights are constant, and so the
    gradient is 0.
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
    index = np.where(check_mask(mask, routed.num_tokens)[:, None], routed.expert_index, EMPTY)
    slots = np.ravel(index) + 1  # EMPTY falls into bin 0, which is cut off
    importance = np.bincount(slots, np.ravel(check_weights(routed)), routed.num_experts + 1)[1:]
    value, dimportance = _cv_squared(importance)
    dweight = np.where(index == EMPTY, 0, dimportance[index]).astype(routed.combine_weight.dtype)
    return value, weights_backward(routed, dweight, scoring=scoring, renormalize=renormalize, scale=scale)


def load_loss(routed, logits, noise_logits, *, mask=None):
    """Return CV^2 of the smooth load, and its gradients on logits and noise_logits, both (T, E).

    routed: from `noisy_top_k`; routing.logits are the noisy logits H. logits: the clean ones.
    noise_logits: sigma = softplus(noise_logits). The smooth load of an expert is its probability of
    being selected, `selection_probability`, summed over tokens. The gradient runs through the clean
    logit, through sigma, and through the threshold, which is a noisy logit of another expert whose
    draw (H - logits) / sigma is held constant. With k = E all are selected: 0, and no gradient.
    mask: (T,) bool, False for padding.
    Raises ValueError for a routing without logits, shapes that differ or a wrong mask.
    Source: Shazeer et al. 2017, arXiv 1701.06538, appendix A; tensor2tensor utils/expert_utils.py.

    >>> from moeviz.routing import top_k
    >>> noisy = top_k([[3.0, 1.0, 0.0]], k=1)
    >>> value, dlogits, dnoise = load_loss(noisy, [[1.0, 1.0, 1.0]], [[0.0, 0.0, 0.0]])
    >>> dlogits.shape == dnoise.shape == (1, 3)
    True
    """
    noisy, k = check_logits(routed), routed.k
    logits = check_same_shape(logits, "logits", noisy, "routed.logits")
    noise_logits = check_same_shape(noise_logits, "noise_logits", noisy, "routed.logits")
    dlogits, dnoise = np.zeros_like(noisy), np.zeros_like(noisy)
    if k == routed.num_experts:
        return 0.0, dlogits, dnoise
    real = np.flatnonzero(check_mask(mask, len(noisy)))
    blocks = [slice(start, start + BLOCK) for start in range(0, len(noisy), BLOCK)]
    if mask is not None:
        blocks = [real[start:start + BLOCK] for start in range(0, len(real), BLOCK)]
    chances = (selection_probability(logits[at], noise_logits[at], noisy[at], k) for at in blocks)
    value, dload = _cv_squared(sum(chance.sum(axis=0) for chance in chances))
    for at in blocks:
        dlogits[at], dnoise[at] = _selection_backward(dload, logits[at].astype(float),
                                                      noise_logits[at].astype(float), noisy[at], k)
    return value, dlogits, dnoise


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


def z_loss(logits, *, mask=None):
    """Return the mean of logsumexp(z_t)^2 over tokens, and its gradient on the logits (T, E).

    logits: (T, E). The loss shrinks the common offset too, which softmax ignores: that is its aim,
    since large numbers lose their small differences in low precision. It balances nothing.
    mask: (T,) bool, False for padding. Raises ValueError if logits is not a finite, non-empty matrix, or for
    a wrong mask.
    Source: Zoph et al. 2022 (ST-MoE), arXiv 2202.08906, equation 5.

    >>> value, dlogits = z_loss([[0.0, 0.0]])
    >>> round(value, 4), dlogits.round(4).tolist()
    (0.4805, [[0.6931, 0.6931]])
    """
    logits = check_matrix(logits, "logits")
    real = check_mask(mask, len(logits))
    size = np.where(real, log_sum_exp(logits), 0)
    with np.errstate(over="ignore"):  # beyond 1e154 the loss is infinite; single precision would end at 1e19
        value = np.square(size, dtype=float).sum() / real.sum()
    return float(value), 2 * size[:, None] * softmax(logits) / real.sum(dtype=logits.dtype)


def round_to_bf16(values):
    """Return float32 values rounded to bfloat16, the sixteen bits with the exponent of float32.

    values: finite, any shape. Ties go up in magnitude. Eight bits of mantissa are left, so numbers near
    256 are 2 apart.

    >>> round_to_bf16([1.001, 1.006, 257.5]).tolist()
    [1.0, 1.0078125, 258.0]
    """
    bits = np.asarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x8000) & 0xFFFF0000).view(np.float32)


def bias_update(bias, load, rate, *, proportional=False):
    """Return the selection bias after one step: bias + rate sign(mean(load) - load).

    bias: (E,). load: (E,) counts or shares of the last batch. rate: the step, 1e-3 in DeepSeek-V3.
    Experts below the mean gain `rate`, experts above lose it, experts at the mean stay: only the
    sign of the difference counts. No gradient is involved, and the bias serves selection only: it
    must not enter the combine weights. The given bias is left as it is.
    proportional: step by 1 - load / mean(load) in place of the sign, a variant that the paper tries (there
    the difference itself; divided by the mean, counts and shares give the same step).
    Raises ValueError for lengths that differ, negative load or a negative rate.
    Source: Wang et al. 2024, arXiv 2408.15664, algorithm 1; DeepSeek-V3, arXiv 2412.19437.

    >>> bias_update([0.0, 0.0, 0.0], [9, 3, 3], 0.5).tolist()
    [-0.5, 0.5, 0.5]
    """
    bias = check_vector(bias, "bias")
    load = check_vector(load, "load", length=len(bias))
    if len(load) == 0 or load.min() < 0:
        raise ValueError(f"load must hold one number >= 0 per expert, got {load}")
    missing = load.mean() - load
    step = missing / max(load.mean(), np.finfo(float).tiny) if proportional else np.sign(missing)
    return bias + check_number(rate, "rate", low=0.0) * step

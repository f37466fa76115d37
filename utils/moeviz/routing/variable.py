"""A free number of experts per token, and Soft MoE, which mixes all tokens for every expert."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import (
    as_array,
    check_count,
    check_matrix,
    check_number,
    check_vector,
    softmax,
    top_k_index,
)
from moeviz.routing.token_choice import build, build_from_mask, unit_rows


def top_p(logits, p):
    """Give each token the fewest experts whose probabilities together reach p.

    logits: (T, E); p in (0, 1]. Experts are added from the most probable down until their sum is at
    least p (a sum within 1e-9 counts as reached); weight = probability, not renormalised. A sharp
    token uses one expert, a flat one uses many.
    Raises ValueError if logits is not a finite, non-empty matrix or p is not in (0, 1].
    Source: Huang et al. 2024, arXiv 2403.07652; ZhenweiAn/Dynamic_MoE modeling_moe.py.

    >>> top_p(np.log([[0.6, 0.3, 0.1], [0.9, 0.06, 0.04]]), 0.8).expert_index.tolist()
    [[0, 1], [0, -1]]
    """
    logits = check_matrix(logits, "logits")
    p = check_number(p, "p", low=1e-6, high=1.0)
    probs = softmax(logits)
    order = top_k_index(logits, logits.shape[1])
    falling = np.take_along_axis(probs, order, axis=1).astype(float)
    before = np.cumsum(falling, axis=1) - falling
    chosen = np.zeros(probs.shape, dtype=bool)
    np.put_along_axis(chosen, order, before < p - 1e-9, axis=1)
    return build_from_mask(logits, probs, chosen, probs, f"top-p, p = {p:g}")


def quantile_cut(logits, k):
    """Return the cut (E,) that lets each expert's probability pass for a share k / E of these tokens.

    logits: (T, E). The cut of an expert is the (1 - k/E) quantile of its probabilities. On the same
    batch `threshold` then equals expert choice; on a new batch it needs no neighbour, so it is causal.
    Raises ValueError if logits is not a finite, non-empty matrix or k is not in 1..E.
    Source: Su Jianlin, kexue.fm/archives/11626.

    >>> quantile_cut([[0.0, 0.0], [9.0, 0.0]], 1).shape
    (2,)
    """
    logits = check_matrix(logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    return np.quantile(softmax(logits), 1 - k / logits.shape[1], axis=0)


def threshold(logits, cut):
    """Use every expert whose probability exceeds its cut: from none to all E.

    logits: (T, E); cut: one number or (E,), compared with softmax(logits) by >. Weight = probability,
    not renormalised. `quantile_cut` finds cuts that balance the load.
    Raises ValueError if logits is not a finite, non-empty matrix or cut is not finite or not (E,).
    Source: Su Jianlin, kexue.fm/archives/11626.

    >>> threshold([[0.0, 0.0], [9.0, 0.0]], 0.6).expert_index.tolist()
    [[-1], [0]]
    """
    logits = check_matrix(logits, "logits")
    single = as_array(cut, "cut").ndim == 0
    cut = check_number(cut, "cut") if single else check_vector(cut, "cut", length=logits.shape[1])
    probs = softmax(logits)
    return build_from_mask(logits, probs, probs > cut, probs, "threshold")


def null_experts(logits, k=2, *, num_null, bias=None, scale=1.0):
    """Mix real experts with null ones that return their input, so that easy tokens cost less.

    logits: (T, E + num_null); the last num_null columns are identity experts. bias: (E + num_null,) or
    None, for the choice only. Order: softmax over all columns, add the bias, top-k; weight =
    probability times scale, not renormalised. The Routing covers all columns; a token's real work is
    its number of experts below E.
    LongCat-Flash: 512 real and 256 null experts, k=12, scale=6, bias.
    Raises ValueError for bad logits, k outside 1..E + num_null, num_null that leaves no real expert,
    or a bias of the wrong length.
    Source: transformers models/longcat_flash/modeling_longcat_flash.py.

    >>> null_experts([[1.0, 0.0, 2.0]], 1, num_null=1).expert_index.tolist()
    [[2]]
    """
    logits = check_matrix(logits, "logits", shape="(T, E + num_null)")
    k = check_count(k, "k", high=logits.shape[1])
    num_null = check_count(num_null, "num_null", low=0, high=logits.shape[1] - 1)
    scale = check_number(scale, "scale", low=1e-12)
    probs = softmax(logits)
    choice = logits  # ranks as the probabilities do, without ties from underflow
    if bias is not None:
        choice = probs + check_vector(bias, "bias", length=logits.shape[1])
    index = top_k_index(choice, k)
    weight = np.take_along_axis(probs, index, axis=1) * scale
    return build(logits, probs, index, weight, f"top-{k} with {num_null} null experts")


def relu_route(logits):
    """Use every expert with a positive logit, weighted by that logit.

    logits: (T, E). Weight = max(logit, 0), so the weight moves continuously from off to on. `probs` holds
    weight / (sum of the weights), or 1 / E where no expert is on. A penalty on the weights has to
    control how many are on.
    Raises ValueError if logits is not a finite, non-empty matrix.
    Source: Wang et al. 2024 (ReMoE), arXiv 2412.14711.

    >>> relu_route([[-1.0, 2.0, 0.5]]).combine_weight.tolist()
    [[2.0, 0.5]]
    """
    logits = check_matrix(logits, "logits")
    weights = np.maximum(logits, 0)
    total = weights.sum(axis=1, keepdims=True)
    even = np.full_like(weights, 1 / logits.shape[1])
    probs = np.divide(weights, total, out=even, where=total > 0)
    return build_from_mask(logits, probs, weights > 0, weights, "ReLU")


class SoftMixing(NamedTuple):
    """Two matrices (T, S): columns of `dispatch` sum to 1 and rows of `combine` sum to 1."""

    dispatch: np.ndarray
    combine: np.ndarray


def soft_moe(tokens, slots, *, scale=1.0):
    """Return how much of each token goes into each slot, and of each slot into each token.

    tokens: (T, D); slots: (S, D), one learned vector per slot, S = E times the slots per expert. Both are
    scaled to length 1; logits (T, S) = scale * cosine. dispatch = softmax over the tokens,
    combine = softmax over the slots. Slot inputs are dispatch.T @ tokens, outputs combine @ (expert
    outputs). Every slot mixes all tokens, so this is not causal.
    Raises ValueError for bad matrices, unequal D, or a scale below 0.
    Source: Puigcerver et al. 2023, arXiv 2308.00951; google-research/vmoe
    vmoe/projects/soft_moe/router.py.

    >>> dispatch, combine = soft_moe([[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]])
    >>> dispatch.tolist(), combine.tolist()
    ([[0.5], [0.5]], [[1.0], [1.0]])
    """
    tokens = check_matrix(tokens, "tokens", shape="(T, D)")
    slots = check_matrix(slots, "slots", shape="(S, D)")
    if tokens.shape[1] != slots.shape[1]:
        raise ValueError(f"slots must have the width of tokens {tokens.shape[1]}, got {slots.shape[1]}")
    logits = check_number(scale, "scale", low=0.0) * unit_rows(tokens) @ unit_rows(slots).T
    return SoftMixing(softmax(logits, axis=0), softmax(logits, axis=1))

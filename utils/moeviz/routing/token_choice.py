"""Routers in which every token picks its own k experts from scores that a gate gave them."""

from moeviz.arrays import check_count, check_matrix, softmax, top_k_index
from moeviz.routing.common import build, take


def soft(logits):
    """Use every expert for every token, weighted by softmax: the dense mixture.

    logits: (T, E). All E experts are chosen, best first, so k = E and nothing is sparse.
    Raises ValueError if logits is not a finite, non-empty matrix.
    Source: Jacobs, Jordan, Nowlan and Hinton 1991, "Adaptive Mixtures of Local Experts".

    >>> soft([[0.0, 0.0]]).combine().tolist()
    [[0.5, 0.5]]
    """
    logits = check_matrix(logits, "logits")
    probs = softmax(logits)
    index = top_k_index(logits, logits.shape[1])
    return build(logits, probs, index, take(probs, index), "soft")


def top_k(logits, k=2, *, renormalize=True):
    """Send each token to the k experts with the largest logits, weighted by softmax.

    logits: (T, E). Order: softmax over all E experts, top-k, then (if `renormalize`) divide the k
    weights by their sum, which equals a softmax over the k chosen logits. Ties: lowest expert.
    Mixtral (k=2) and gpt-oss (k=4): renormalize=True. Switch (k=1), OLMoE (k=8), V-MoE and
    DeepSeekMoE: renormalize=False. With k=1 and renormalize=True the weight is always 1, so the
    task loss sends the gate no gradient.
    Raises ValueError if logits is not a finite, non-empty matrix or k is not in 1..E.
    Source: Shazeer et al. 2017, arXiv 1701.06538; Fedus et al. 2021 (Switch), arXiv 2101.03961;
    transformers models/mixtral/modeling_mixtral.py, models/olmoe/modeling_olmoe.py.

    >>> top_k([[0.0, 5.0, 5.0]], k=2).expert_index.tolist()
    [[1, 2]]
    """
    logits = check_matrix(logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    probs = softmax(logits)
    index = top_k_index(logits, k)
    weight = take(probs, index)
    if renormalize:
        weight = weight / weight.sum(axis=1, keepdims=True)
    return build(logits, probs, index, weight, f"top-{k}")

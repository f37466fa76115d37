"""What the routers share: building the record from the experts chosen, or from a mask of them."""

import numpy as np

from moeviz.arrays import softmax, top_k_index
from moeviz.record import EMPTY, Routing


def build(logits, probs, index, weight, label):
    """Return the Routing in which every slot that is not EMPTY is kept.

    >>> build(None, np.ones((1, 1)), np.array([[0]]), np.ones((1, 1)), "one").kept.tolist()
    [[True]]
    """
    return Routing(logits, probs, index, weight, index != EMPTY, label)


def build_from_mask(logits, probs, chosen, weights, label):
    """Return the Routing of chosen (T, E) bool with weights (T, E): a free number of experts per token.

    Each row lists its experts by falling weight and is padded with EMPTY; k is the most any token got.

    >>> chosen = np.array([[False, True]])
    >>> build_from_mask(None, np.full((1, 2), 0.5), chosen, np.ones((1, 2)), "one").expert_index.tolist()
    [[1]]
    """
    most = max(1, int(chosen.sum(axis=1).max()))
    index = top_k_index(np.where(chosen, weights, -1), most)
    taken = np.take_along_axis(chosen, index, axis=1)
    weight = np.where(taken, np.take_along_axis(weights, index, axis=1), 0)
    return build(logits, probs, np.where(taken, index, EMPTY), weight, label)


def softmax_top_k(logits, k, renormalize, label):
    """Return the Routing of top-k on checked logits (T, E) with weights from a softmax over all E.

    >>> softmax_top_k(np.zeros((1, 2)), 1, False, "one").combine_weight.tolist()
    [[0.5]]
    """
    probs = softmax(logits)
    index = top_k_index(logits, k)
    weight = np.take_along_axis(probs, index, axis=1)
    if renormalize:
        weight /= weight.sum(axis=1, keepdims=True)
    return build(logits, probs, index, weight, label)


def unit_rows(vectors):
    """Return each row of vectors (N, D) at length 1; a row of zeros stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

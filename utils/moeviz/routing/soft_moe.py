"""Soft MoE: no choice at all. Tokens are blended into slots and the slots' outputs back into tokens."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix, check_number, softmax
from moeviz.routing.common import unit_rows


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

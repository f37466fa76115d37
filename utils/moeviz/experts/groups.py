"""Sorting tokens by expert and back again: what the forward passes and the backward share."""

from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.bank import bank_as, check_bank
from moeviz.record import check_routing

BLOCK = 512  # tokens that are summed up at a time


class Groups(NamedTuple):
    """The N kept assignments sorted by expert, a row for each; a row N of zeros is nobody's."""

    spans: list  # for each expert the slice of its rows
    choice: np.ndarray  # (N,) which choice a row is, as token * k + slot
    token: np.ndarray  # (N,) whose it is
    place: np.ndarray  # (T, k) the row of each choice; N for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice


def group_by_expert(routed, dtype):
    """Return the Groups of a routing, with weights of the given dtype.

    >>> from moeviz import routing
    >>> group_by_expert(routing.top_k(np.eye(2)[::-1], k=1), float).place.tolist()
    [[1], [0]]
    """
    choice, load = routed.kept_by_expert()
    spans = [slice(start, stop) for start, stop in pairwise(accumulate(load, initial=0))]
    place = np.empty(routed.kept.shape, int)
    place.fill(len(choice))
    place.ravel()[choice] = np.arange(len(choice))
    weight = routed.combine_weight.astype(dtype, copy=False)
    return Groups(spans, choice, choice // routed.k, place, weight)


def longest(spans):
    """Return the length of the longest slice.

    >>> longest([slice(0, 2), slice(2, 7)])
    5
    """
    return max(span.stop - span.start for span in spans)


def take_rows(values, token, out):
    """Write to out (n, D) the row of values (T, D) of each token (n,)."""
    values.take(token, axis=0, out=out, mode="clip")  # "raise" would copy once more


def sum_rows(rows, place, weight=None):
    """Return (T, D): for each token the sum of its rows of (N + 1, D), each times its weight if given.

    place: (T, k) which rows. weight: (T, k) or None. The inverse way of `take_rows`; a block of tokens
    at a time, so that the rows fetched for it are still near the processor when they are added.
    """
    total = np.empty((len(place), rows.shape[1]), rows.dtype)
    for start in range(0, len(place), BLOCK):
        block = slice(start, start + BLOCK)
        if weight is None:
            part = rows.take(place[block, 0], axis=0, out=total[block], mode="clip")
            for slot in range(1, place.shape[1]):
                part += rows.take(place[block, slot], axis=0)
        else:
            np.einsum("tkd,tk->td", rows.take(place[block], axis=0), weight[block], out=total[block])
    return total


def check_layer(tokens, bank, routed):
    """Return tokens (T, D) as floats and the bank in their dtype if all fit together, or raise ValueError."""
    tokens, bank, routed = check_matrix(tokens, "tokens", "(T, D)"), check_bank(bank), check_routing(routed)
    check_width(tokens, bank.width, "bank")
    if routed.num_experts != bank.num_experts:
        raise ValueError(f"routed has {routed.num_experts} experts, but bank has {bank.num_experts}")
    if routed.num_tokens != len(tokens):
        raise ValueError(f"routed has {routed.num_tokens} tokens, but tokens has {len(tokens)} rows")
    return tokens, bank_as(bank, tokens.dtype)


def check_width(tokens, width, name):
    """Raise ValueError unless the token vectors are as long as the width D of the weights."""
    if tokens.shape[1] != width:
        raise ValueError(f"tokens must have width {width} to fit {name}, got shape {tokens.shape}")

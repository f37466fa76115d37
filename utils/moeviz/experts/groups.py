"""Sorting tokens by expert and back again: what the forward passes and the backward share."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.bank import check_bank
from moeviz.record import check_routing

BLOCK = 256  # tokens


class Groups(NamedTuple):
    """The n kept assignments sorted by expert, as rows 0 to n - 1; row n belongs to nobody and is zero."""

    token: np.ndarray  # (n,) whose row it is
    slot: np.ndarray  # (n,) which of the token's choices it is
    spans: list  # E pairs: expert e has the rows from start to stop
    place: np.ndarray  # (T, k) the row of each choice; n for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice


def group_by_expert(routing, dtype):
    """Return the Groups of a routing, with weights of the given dtype.

    >>> from moeviz import Routing
    >>> two = Routing(None, np.ones((2, 2)) / 2, [[1], [0]], np.ones((2, 1)), np.ones((2, 1), bool))
    >>> group_by_expert(two, float).spans
    [(0, 1), (1, 2)]
    """
    token, expert, _, slot = routing.pairs()
    edges = np.searchsorted(expert, np.arange(routing.num_experts + 1)).tolist()
    place = np.full(routing.kept.size, len(token))
    place[token * routing.top_k + slot] = np.arange(len(token))
    place = place.reshape(routing.kept.shape)
    return Groups(token, slot, list(pairwise(edges)), place, routing.combine_weight.astype(dtype))


def take_rows(values, groups):
    """Return the row of values (T, D) for each kept assignment, then the row of zeros: (n + 1, D)."""
    rows = np.empty_like(values, shape=(len(groups.token) + 1, values.shape[1]))
    np.take(values, groups.token, axis=0, out=rows[:-1], mode="clip")  # "raise" would copy once more
    rows[-1] = 0
    return rows


def sum_rows(rows, place, weight=None):
    """Return (T, D): for each token the sum of its rows of (n + 1, D), each times its weight if given.

    place: (T, k) which rows. weight: (T, k) or None. The inverse way of `take_rows`; a block of tokens
    at a time, so that the rows fetched for a slot are still near the processor when they are added.
    """
    total = np.empty_like(rows, shape=(len(place), rows.shape[1]))
    fetched = np.empty_like(rows, shape=(min(BLOCK, len(place)), rows.shape[1]))
    for start in range(0, len(place), BLOCK):
        block = slice(start, start + BLOCK)
        part = total[block]
        for slot in range(place.shape[1]):
            into = fetched[:len(part)] if slot else part
            np.take(rows, place[block, slot], axis=0, out=into, mode="clip")
            if weight is not None:
                into *= weight[block, slot, None]
            if slot:
                part += into
    return total


def check_layer(tokens, bank, routing):
    """Return tokens (T, D) as floats if tokens, bank and routing fit together, or raise ValueError."""
    tokens, bank, routing = check_matrix(tokens, "tokens", "(T, D)"), check_bank(bank), check_routing(routing)
    check_width(tokens, bank.width, "bank")
    if routing.num_experts != bank.num_experts:
        raise ValueError(f"routing has {routing.num_experts} experts, but bank has {bank.num_experts}")
    if routing.num_tokens != len(tokens):
        raise ValueError(f"routing has {routing.num_tokens} tokens, but tokens has {len(tokens)} rows")
    return tokens


def check_width(tokens, width, name):
    """Raise ValueError unless the token vectors are as long as the width D of the weights."""
    if tokens.shape[1] != width:
        raise ValueError(f"tokens must have width {width} to fit {name}, got shape {tokens.shape}")

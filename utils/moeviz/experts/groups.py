"""Sorting tokens by expert: what the grouped forward and the backward share."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.bank import check_bank
from moeviz.record import check_routing


class Groups(NamedTuple):
    """The n kept assignments sorted by expert: those of expert e are spans[e] = (start, stop)."""

    token: np.ndarray
    slot: np.ndarray
    weight: np.ndarray
    spans: list


def group_by_expert(routing, dtype):
    """Return the Groups of a routing, with weights (n, 1) of the given dtype.

    >>> from moeviz import Routing
    >>> two = Routing(None, np.ones((2, 2)) / 2, [[1], [0]], np.ones((2, 1)), np.ones((2, 1), bool))
    >>> group_by_expert(two, float).spans
    [(0, 1), (1, 2)]
    """
    pairs = routing.pairs()
    edges = np.searchsorted(pairs.expert, np.arange(routing.num_experts + 1)).tolist()
    weight = pairs.weight.astype(dtype)[:, None]
    return Groups(pairs.token, pairs.slot, weight, list(pairwise(edges)))


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

"""Capacity: a fixed number of seats per expert, and the choices that find no seat marked as dropped."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from moeviz.arrays import check_choice, check_count, check_mask, check_number, check_rng
from moeviz.record import EMPTY, check_probs, check_routing

ORDERS = ("choice", "token", "score", "random")


def expert_capacity(num_tokens, num_experts, k, factor):
    """Return the seats per expert C = max(1, ceil(k T factor / E)).

    factor: the capacity factor; 1.0 gives exactly the seats that perfect balance fills. It is read
    as the decimal number that was typed, so 10 tokens, 1 expert and factor 1.1 give 11 and not 12.
    Raises ValueError for counts below 1, k above num_experts, or a negative factor.
    Source: GShard, arXiv 2006.16668; Switch Transformer, arXiv 2101.03961, equation 3.

    >>> expert_capacity(32, 8, 2, 1.25)
    10
    """
    num_tokens, num_experts = check_count(num_tokens, "num_tokens"), check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    check_number(factor, "factor", low=0.0)
    return max(1, math.ceil(Fraction(str(factor)) * k * num_tokens / num_experts))


def apply_capacity(routed, capacity, *, order="choice", groups=1, rng=None, mask=None):
    """Return the same Routing with kept=False for every choice that finds no seat.

    capacity: C, the seats of each expert in each group; 0 drops everything.
    order: who is seated first. "choice": all first choices in token order, then all second choices
    (GShard, Switch). "token": token by token, all choices of one before the next. "score": as
    "choice", but the tokens whose first choice has the largest prob come first (batch prioritised
    routing of V-MoE; ties: lowest token). "random": as "choice", but tokens in an order from `rng`.
    groups: the tokens are split into this many equal stretches, each with its own C seats.
    mask: (T,) bool, False for padding, which takes no seat and is kept nowhere.
    The weights that stay are NOT renormalised: what a dropped choice carried is missing from the
    token's output. Choices dropped before, and EMPTY slots, take no seat.
    Raises ValueError for a negative capacity, an unknown order, groups that do not divide T, a wrong
    mask, or order="random" without rng.
    Source: GShard, arXiv 2006.16668, algorithm 1; V-MoE, arXiv 2106.05974, section 4.

    >>> from moeviz.routing import top_k
    >>> apply_capacity(top_k([[1.0, 0.0]] * 3, k=1), 2).kept[:, 0].tolist()
    [True, True, False]
    """
    capacity = check_count(capacity, "capacity", low=0)
    place = seat_positions(routed, order=order, groups=groups, rng=rng, mask=mask)
    kept = (place != EMPTY) & (place < capacity)
    return replace(routed, kept=kept, label=f"{routed.label}, C = {capacity} by {order}")


def seat_positions(routed, *, order="choice", groups=1, rng=None, mask=None):
    """Return (T, k) int: how many choices stand before this one in its expert's queue, from 0.

    A choice is seated when its position is below the capacity. EMPTY (-1) where there is nothing to
    seat: EMPTY slots, choices dropped before, padding. order, groups, rng, mask: see `apply_capacity`.
    Raises ValueError as `apply_capacity` does.

    >>> from moeviz.routing import top_k
    >>> seat_positions(top_k([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], k=1))[:, 0].tolist()
    [0, 0, 1]
    """
    num_tokens = check_routing(routed).num_tokens
    groups = check_count(groups, "groups", high=num_tokens)
    if num_tokens % groups:
        raise ValueError(f"groups must divide the {num_tokens} tokens, got {groups}")
    real = routed.kept if mask is None else routed.kept & check_mask(mask, num_tokens)[:, None]
    token, slot = np.nonzero(real)
    first = _serving_order(routed, token, slot, order, rng)
    token, slot = token[first], slot[first]
    group = token // (num_tokens // groups)
    place = np.full(routed.kept.shape, EMPTY)
    place[token, slot] = _rank_in_queue(group * routed.num_experts + routed.expert_index[token, slot])
    return place


def _serving_order(routed, token, slot, order, rng):
    """Return the order in which the choices (token, slot) are seated."""
    check_choice(order, "order", ORDERS)
    if order == "token":
        return np.lexsort((slot, token))
    if order == "score":
        rank = _rank(-_first_choice_prob(routed))
    elif order == "random":
        rank = check_rng(rng).permutation(routed.num_tokens)
    else:
        rank = np.arange(routed.num_tokens)
    return np.lexsort((rank[token], slot))


def _first_choice_prob(routed):
    """Return (T,): the prob of each token's first expert, whichever slot holds it."""
    slot = (routed.expert_index != EMPTY).argmax(axis=1)
    token = np.arange(routed.num_tokens)
    return check_probs(routed)[token, routed.expert_index[token, slot]]


def _rank(values):
    rank = np.empty(len(values), dtype=int)
    rank[np.argsort(values, kind="stable")] = np.arange(len(values))
    return rank


def _rank_in_queue(queue):
    """Return for each entry how many earlier entries name the same queue."""
    by_queue = np.argsort(queue, kind="stable")
    ordered = queue[by_queue]
    rank = np.empty(len(queue), dtype=int)
    rank[by_queue] = np.arange(len(queue)) - np.searchsorted(ordered, ordered)
    return rank

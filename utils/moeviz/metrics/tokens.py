"""What tokens get out of a Routing: how sure the router is, what is dropped, what score is captured."""

import math

import numpy as np

from moeviz.arrays import check_count, check_mask
from moeviz.record import EMPTY, check_routing


def router_entropy(routed, *, mask=None):
    """Return the mean entropy of a token's probs, divided by ln E: 0 when sure, 1 when undecided.

    A sure router can load its experts evenly or not, and so can an undecided one: compare with
    `load_entropy`, which has the same scale. With a single expert it is 1, as there.
    mask: (T,) bool, False for padding. Raises ValueError for a wrong mask.

    >>> from moeviz.routing import top_k
    >>> router_entropy(top_k([[0.0, 0.0], [900.0, 0.0]], k=1))
    0.5
    """
    rows = check_mask(mask, check_routing(routed).num_tokens)
    probs = routed.probs if mask is None else routed.probs[rows]
    of_token = np.einsum("te,te->t", probs, np.log(np.maximum(probs, np.finfo(probs.dtype).tiny)))
    entropy = -of_token.mean(dtype=float)
    return float(entropy / math.log(routed.num_experts)) if routed.num_experts > 1 else 1.0


def drop_rate(routed):
    """Return the share of choices that were dropped; EMPTY slots are no choices. 0 without a choice.

    Raises ValueError for what is no Routing.

    >>> from moeviz.capacity import apply_capacity
    >>> from moeviz.routing import top_k
    >>> drop_rate(apply_capacity(top_k([[1.0, 0.0]] * 4, k=1), 3))
    0.25
    """
    chosen = check_routing(routed).expert_index != EMPTY
    return float((chosen & ~routed.kept).sum() / max(chosen.sum(), 1))


def fully_dropped(routed):
    """Return the share of tokens that no expert serves: all choices dropped, or none made.

    Only the residual connection carries these tokens on. Under expert choice nothing is dropped,
    yet tokens that no expert picked count here. Raises ValueError for what is no Routing.

    >>> from moeviz.capacity import apply_capacity
    >>> from moeviz.routing import top_k
    >>> fully_dropped(apply_capacity(top_k([[1.0, 0.0]] * 4, k=2), 3))
    0.25
    """
    served = np.logical_or.reduce(list(check_routing(routed).kept.T))  # by slot: rows are short
    return float(1 - served.mean())


def pad_waste(routed, capacity, *, groups=1):
    """Return the share of the E C seats (of all groups) that stay empty and are computed for nothing.

    routed: after `apply_capacity` with the same capacity and groups.
    Raises ValueError for a capacity or groups below 1, or a capacity that an expert exceeds.

    >>> from moeviz.capacity import apply_capacity
    >>> from moeviz.routing import top_k
    >>> pad_waste(apply_capacity(top_k([[1.0, 0.0]] * 4, k=1), 2), 2)
    0.5
    """
    served = np.bincount(check_routing(routed).expert_index[routed.kept], minlength=routed.num_experts)
    seats = check_count(capacity, "capacity") * check_count(groups, "groups")
    if served.max() > seats:
        raise ValueError(f"capacity must be the one that was applied, got {capacity} x {groups} groups "
                         f"for an expert that serves {served.max()}")
    return float(1 - served.sum() / (seats * routed.num_experts))


def captured_score(routed):
    """Return the mean over tokens of the summed probs of the experts that serve it.

    The price of balance: every method that moves or drops tokens captures less than plain top-k.
    Raises ValueError for what is no Routing.

    >>> from moeviz.routing import top_k
    >>> captured_score(top_k([[0.0, 0.0]], k=1))
    0.5
    """
    index = np.maximum(check_routing(routed).expert_index, 0)
    captured = np.take_along_axis(routed.probs, index, axis=1)[routed.kept]
    return float(captured.sum(dtype=float) / routed.num_tokens)

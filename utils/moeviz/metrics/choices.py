"""Choices beside choices: of the same token, of its neighbour, and of the same token later in training.

Functions here take a Routing, or where said an expert_index (T,) or (T, k) with EMPTY (-1) as padding.
Dropped choices count, EMPTY slots never match.
"""

import math

import numpy as np

from moeviz.arrays import check_choice, check_count, check_rng
from moeviz.metrics.meaning import expert_columns, label_codes
from moeviz.record import EMPTY, check_routing

KINDS = ("first", "any")


def co_activation(routed):
    """Return (E, E): P(j is chosen | i is chosen) over all pairs, row i, column j; diagonal 1.

    The row of an expert that is never chosen is 0. For a router without preferences every other
    entry of a row is (k - 1) / (E - 1). Raises ValueError for what is no Routing.
    Source: OLMoE, arXiv 2409.02060, section 5.2 (its script counts neighbours in rank only).

    >>> from moeviz.routing import top_k
    >>> co_activation(top_k([[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]], k=2))[0].tolist()
    [1.0, 0.5, 0.5]
    """
    whole = np.float32 if check_routing(routed).num_tokens < 2**24 else float  # exact up to there
    chosen = routed.chosen().astype(whole)
    together = (chosen.T @ chosen).astype(float)
    return together / np.maximum(np.diag(together), 1)[:, None]


def repetition(expert_index, *, kind="first"):
    """Return how often neighbouring tokens use the same expert.

    expert_index: a Routing, (T,) or (T, k). kind "first": the first choices are equal; "any": the two
    sets of choices share an expert. 1 / E is the wrong null for it: see `repetition_if_uniform`,
    `repetition_if_independent` and `repetition_if_shuffled`.
    Raises ValueError for fewer than two tokens or an unknown kind.
    Source: Mixtral of Experts, arXiv 2401.04088, table 5.

    >>> repetition([[0, 1], [0, 2], [2, 1]], kind="first"), repetition([[0, 1], [0, 2], [2, 1]], kind="any")
    (0.5, 1.0)
    """
    check_choice(kind, "kind", KINDS)
    index = expert_columns(expert_index)
    if len(index) < 2:
        raise ValueError(f"expert_index must hold at least two tokens, got {len(index)}")
    return _repetition(_slots(index, kind))


def repetition_if_uniform(num_experts, k=1):
    """Return the chance that two independent, uniform sets of k experts share one; 1 / E for k = 1.

    Raises ValueError for k outside 1..E.

    >>> round(repetition_if_uniform(8, 2), 3)
    0.464
    """
    num_experts = check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    return 1 - math.comb(num_experts - k, k) / math.comb(num_experts, k)


def repetition_if_independent(expert_index):
    """Return sum f^2: the chance that two tokens drawn from these first choices agree.

    expert_index: a Routing, (T,) or (T, k); f is the share of first choices, over tokens that have one.
    Above 1 / E as soon as the load is uneven, though the order means nothing. NaN without a choice.

    >>> repetition_if_independent([0, 0, 0, 1])
    0.625
    """
    first = expert_columns(expert_index)[:, 0]
    times = np.bincount(first + 1)[1:]
    return float((times**2).sum() / times.sum() ** 2) if times.any() else math.nan


def repetition_if_shuffled(expert_index, *, rng, kind="first", domains=None, repeats=20):
    """Return the mean repetition after the tokens were shuffled `repeats` times.

    expert_index, kind: as for `repetition`. domains: (T,) labels such as prose or code; with them
    tokens trade places only within their domain, so that what is left above this null is more than
    "the same kind of text in a row".
    Raises ValueError for wrong domains, repeats below 1, or a bad rng.

    >>> rng = np.random.default_rng(0)
    >>> repetition_if_shuffled([0, 0, 0, 1, 1], rng=rng, domains=["a", "a", "a", "b", "b"])
    0.75
    """
    index, rng = expert_columns(expert_index), check_rng(rng)
    codes = None if domains is None else label_codes(domains, "domains", len(index))
    home = slice(None) if codes is None else np.argsort(codes, kind="stable")
    repetition(index, kind=kind)  # says what is wrong with them, if anything
    slots, values = _slots(index, kind), []
    for _ in range(check_count(repeats, "repeats")):
        order = rng.random(len(index))
        shuffled = np.empty_like(slots)
        shuffled[:, home] = slots[:, np.argsort(order) if codes is None else np.lexsort((order, codes))]
        values.append(_repetition(shuffled))
    return float(np.mean(values))


def saturation(routed, final):
    """Return the mean over tokens of |choices now and at the end| / |choices at the end|.

    routed, final: the same tokens through the same layer, early and at the end of training. 1 means
    that routing has settled; two routers that agree by chance give k / E. Tokens without a choice at
    the end are left out; NaN when that is all of them.
    Raises ValueError for different numbers of tokens or experts.
    Source: OLMoE, arXiv 2409.02060, section 5.1.

    >>> from moeviz.routing import top_k
    >>> saturation(top_k([[2.0, 1.0, 0.0]], k=2), top_k([[2.0, 0.0, 1.0]], k=2))
    0.5
    """
    shape, other = check_routing(routed).probs.shape, check_routing(final, "final").probs.shape
    if shape != other:
        raise ValueError(f"final must have the tokens and experts of routed {shape}, got {other}")
    wanted = final.expert_index != EMPTY
    still = np.take_along_axis(routed.chosen(), np.maximum(final.expert_index, 0), axis=1) & wanted
    ones = np.ones(final.k, np.float32)  # a product sums short rows faster than sum() does
    shared, wanted = still @ ones, wanted @ ones
    share = shared[wanted > 0] / wanted[wanted > 0]
    return float(share.mean(dtype=float)) if len(share) else math.nan


def _slots(index, kind):
    """Return (1 or k, T): the choices that count, a row per slot, small and side by side."""
    columns = index[:, :1] if kind == "first" else index
    return columns.T.astype(np.min_scalar_type(-1 - max(0, index.max())), order="C")


def _repetition(slots):
    """Return how often neighbours among the columns of slots (k, T) share an entry other than EMPTY."""
    before, after = slots[:, :-1], slots[:, 1:]
    same = np.zeros(before.shape[1], dtype=bool)
    for one in before:
        used = one != EMPTY
        for other in after:  # whole rows at a time: k is small
            same |= (one == other) & used
    return float(same.mean())

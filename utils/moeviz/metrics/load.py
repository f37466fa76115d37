"""How even a load is, and what single tokens get: loads, drops, captured scores, choices that repeat."""

import math

import numpy as np

from moeviz.arrays import as_array, check_choice, check_count, check_mask, check_number, check_rng
from moeviz.metrics.meaning import expert_columns, label_codes
from moeviz.record import EMPTY, Routing, check_probs, check_routing, check_weights


def counts(routed, *, mask=None):
    """Return (E,) int: how many choices each expert got, dropped choices too, EMPTY slots not.

    mask: (T,) bool, False for padding tokens, which would otherwise look like a favourite expert.
    Raises ValueError for a mask of another shape, or one without a True.

    >>> from moeviz.routing import top_k
    >>> counts(top_k([[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]], k=2)).tolist()
    [2, 1, 1]
    """
    index = _rows(check_routing(routed).expert_index, mask)
    return np.bincount(np.ravel(index) + 1, minlength=routed.num_experts + 1)[1:]  # bin 0 is EMPTY


def load(routed, *, mask=None):
    """Return (E,): the share of all choices that each expert got; sums to 1 (all 0 without a choice).

    mask: (T,) bool, False for padding. Dropped choices count: load is what the router asked for.
    Raises ValueError as `counts` does.
    Source: f_i of the Switch Transformer, arXiv 2101.03961, equation 5, over all k choices.

    >>> from moeviz.routing import top_k
    >>> load(top_k([[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]], k=2)).tolist()
    [0.5, 0.25, 0.25]
    """
    chosen = counts(routed, mask=mask)
    return chosen / max(chosen.sum(), 1)


def importance(routed, *, mask=None):
    """Return (E,): the summed combine weights of each expert, dropped choices too.

    mask: (T,) bool, False for padding. Raises ValueError as `counts` does.
    Source: Shazeer et al. 2017, arXiv 1701.06538, equation 6.

    >>> from moeviz.routing import top_k
    >>> importance(top_k([[0.0, 0.0]], k=2)).tolist()
    [0.5, 0.5]
    """
    index = _rows(check_routing(routed).expert_index, mask)
    weight = _rows(check_weights(routed), mask)
    return np.bincount(np.ravel(index) + 1, np.ravel(weight), routed.num_experts + 1)[1:]


def cv(loads):
    """Return the coefficient of variation: population standard deviation / mean of the loads.

    0 is even; sqrt(E / m - 1) when m of E experts share everything. CV^2 = E sum f^2 - 1.
    Raises ValueError for loads that are negative, not finite or without an expert.
    Source: Shazeer et al. 2017, arXiv 1701.06538, section 4 (there squared, as a loss).

    >>> cv([4, 0])
    1.0
    """
    share = _shares(loads)
    return _plain(np.std(share, axis=-1) * share.shape[-1])


def max_violation(loads):
    """Return max(load) / mean(load) - 1: how far the busiest expert is above the mean; 0 to E - 1.

    A step of experts in parallel takes 1 + MaxVio times as long as a balanced one.
    Raises ValueError as `cv` does.
    Source: Wang et al. 2024, arXiv 2408.15664 (MaxVio).

    >>> max_violation([6, 3, 3])
    0.5
    """
    share = _shares(loads)
    return _plain(np.max(share, axis=-1) * share.shape[-1] - 1)


def gini(loads):
    """Return the Gini coefficient: 0 when all loads are equal, 1 - 1/E when one expert has all.

    sum_i (2 i - E - 1) f_(i) / E over the shares f sorted ascending, i from 1.
    Raises ValueError as `cv` does.

    >>> gini([0, 0, 0, 4])
    0.75
    """
    share = np.sort(_shares(loads), axis=-1)
    num_experts = share.shape[-1]
    rank = 2 * np.arange(1, num_experts + 1) - num_experts - 1
    return _plain((rank * share).sum(axis=-1) / num_experts)


def load_entropy(loads):
    """Return the entropy of the shares divided by ln E: 1 when even, 0 when one expert has all.

    With a single expert it is 1: its load is as even as it can be.
    Raises ValueError as `cv` does.

    >>> round(load_entropy([2, 2, 0, 0]), 6)
    0.5
    """
    share = _shares(loads)
    entropy, num_experts = _entropy(share), share.shape[-1]
    return _plain(entropy / math.log(num_experts) if num_experts > 1 else entropy + 1)


def effective_experts(loads):
    """Return exp(entropy of the shares): the number of equally used experts that is as even, 1 to E.

    Raises ValueError as `cv` does.

    >>> round(effective_experts([2, 2, 0, 0]), 6)
    2.0
    """
    return _plain(np.exp(_entropy(_shares(loads))))


def dead_experts(loads, *, threshold=0.1):
    """Return the indices of experts whose share is below threshold / E.

    loads: a Routing or (E,). Use the whole evaluation set: in a short stretch of text, experts that
    serve another kind of text look dead. Always state the threshold beside the number.
    Raises ValueError for loads that are not one row, or a negative threshold.

    >>> dead_experts([50, 49, 1, 0]).tolist()
    [2, 3]
    """
    share = _shares(loads)
    if share.ndim != 1:
        raise ValueError(f"loads must be a Routing or have shape (E,), got shape {share.shape}")
    return np.flatnonzero(~(share >= check_number(threshold, "threshold", low=0.0) / len(share)))


def _rows(array, mask):
    """Return the rows of array (T, ...) where the mask is True; without a mask no copy of all of them."""
    return array if mask is None else array[check_mask(mask, len(array))]


def _loads(value):
    if isinstance(value, Routing):
        return counts(value)
    array = as_array(value, "loads")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"loads must be a Routing or an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"loads must have shape (..., E), got shape {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError(f"loads must be finite and >= 0, got {array.min()} to {array.max()}")
    return array


def _shares(value):
    array = _loads(value)
    total = array.sum(axis=-1, keepdims=True)
    return np.divide(array, total, out=np.full(array.shape, np.nan), where=total > 0)


def _entropy(share):
    """Return the entropy in nats along the last axis, with 0 ln 0 = 0."""
    return 0.0 - (share * np.log(np.where(share == 0, 1, share))).sum(axis=-1)  # never -0.0


def _plain(value):
    return float(value) if np.ndim(value) == 0 else value


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
    probs = check_probs(routed) if mask is None else check_probs(routed)[rows]
    of_token = np.einsum("te,te->t", probs, np.log(np.maximum(probs, np.finfo(probs.dtype).tiny)))
    entropy = 0.0 - of_token.mean(dtype=float)  # never -0.0
    return float(entropy / math.log(routed.num_experts)) if routed.num_experts > 1 else 1.0


def drop_rate(routed, *, mask=None):
    """Return the share of choices that were dropped; EMPTY slots are no choices. 0 without a choice.

    mask: (T,) bool, False for padding. Raises ValueError for what is no Routing, or a wrong mask.

    >>> from moeviz.capacity import apply_capacity
    >>> from moeviz.routing import top_k
    >>> drop_rate(apply_capacity(top_k([[1.0, 0.0]] * 4, k=1), 3))
    0.25
    """
    chosen = _rows(check_routing(routed).expert_index != EMPTY, mask)
    return float((chosen & ~_rows(routed.kept, mask)).sum() / max(chosen.sum(), 1))


def fully_dropped(routed, *, mask=None):
    """Return the share of tokens that no expert serves: all choices dropped, or none made.

    Only the residual connection carries these tokens on. Under expert choice nothing is dropped,
    yet tokens that no expert picked count here. mask: (T,) bool, False for padding.
    Raises ValueError for what is no Routing, or a wrong mask.

    >>> from moeviz.capacity import apply_capacity
    >>> from moeviz.routing import top_k
    >>> fully_dropped(apply_capacity(top_k([[1.0, 0.0]] * 4, k=2), 3))
    0.25
    """
    served = np.logical_or.reduce(list(_rows(check_routing(routed).kept, mask).T))  # by slot: rows are short
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


def captured_score(routed, *, mask=None):
    """Return the mean over tokens of the summed probs of the experts that serve it.

    The price of balance: every method that moves or drops tokens captures less than plain top-k.
    mask: (T,) bool, False for padding. Raises ValueError for what is no Routing, or a wrong mask.

    >>> from moeviz.routing import top_k
    >>> captured_score(top_k([[0.0, 0.0]], k=1))
    0.5
    """
    index = np.maximum(check_routing(routed).expert_index, 0)
    captured = np.where(routed.kept, np.take_along_axis(check_probs(routed), index, axis=1), 0)
    return float(_rows(captured, mask).sum(axis=1, dtype=float).mean())


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
    "consecutive text of one kind".
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
    shape, other = check_routing(routed).shape, check_routing(final, "final").shape
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

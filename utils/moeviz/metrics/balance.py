"""How evenly the experts are used: loads, and the numbers that sum a load up.

`cv`, `max_violation`, `gini`, `load_entropy` and `effective_experts` take a Routing or an array of
loads (..., E), counts or shares, and give a float, or an array (...) for more than one row. They
read choices, dropped ones included; for what was served give them `routing.dispatch().sum(axis=0)`.
Where nothing was chosen they are NaN: no load is neither even nor uneven.
Take layers one by one: opposite collapses of two layers cancel when their counts are pooled.
"""

import math

import numpy as np

from moeviz.arrays import as_array, check_mask, check_number
from moeviz.record import Routing, check_routing


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
    weight = _rows(routed.combine_weight, mask)
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
    return -(share * np.log(np.where(share == 0, 1, share))).sum(axis=-1)


def _plain(value):
    return float(value) if np.ndim(value) == 0 else value

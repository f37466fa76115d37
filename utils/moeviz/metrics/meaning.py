"""What experts respond to: information between choices and labels, with what chance alone would give."""

import numpy as np

from moeviz.arrays import as_array, check_count, check_matrix, check_rng
from moeviz.record import EMPTY, Routing

MOST_EXPERTS = 2**20


def mutual_information(expert, labels):
    """Return I(expert; label) in bits: how much of the label one choice of expert gives away.

    0 when experts ignore the label; `label_entropy(labels, expert)` when they name it, so the ratio of
    the two is a share.
    With few tokens it is above 0 by chance: compare with `mutual_information_null`.
    Raises ValueError for labels of another length or kind, or when no expert is chosen.

    >>> mutual_information([0, 0, 1, 1], ["prose", "prose", "code", "code"])
    1.0
    """
    return information_of_table(_table(expert, labels))


def mutual_information_null(expert, labels, *, rng, repeats=20):
    """Return the mean of I(expert; label) in bits after the labels were shuffled `repeats` times.

    Raises ValueError as `mutual_information` does, and for a bad rng or repeats below 1.

    >>> rng = np.random.default_rng(0)
    >>> mutual_information_null([0, 0, 1, 1], [7, 7, 7, 7], rng=rng)
    0.0
    """
    index, rng = expert_columns(expert, "expert"), check_rng(rng)
    codes = label_codes(labels, "labels", len(index))
    repeats = check_count(repeats, "repeats")
    return float(np.mean([mutual_information(index, rng.permutation(codes)) for _ in range(repeats)]))


def information_of_table(table):
    """Return the mutual information in bits between the rows and columns of a table of counts (N, M).

    For published tables such as domain x expert, where the tokens themselves are not at hand.
    Raises ValueError for negative entries or a table that is empty or all 0.

    >>> information_of_table([[5, 0], [0, 5]])
    1.0
    """
    table = check_matrix(table, "table", shape="(N, M)").astype(float)
    if table.min() < 0 or table.sum() == 0:
        raise ValueError(f"table must hold counts >= 0 that are not all 0, got sum {table.sum():g}")
    information = _bits(table.sum(axis=0)) + _bits(table.sum(axis=1)) - _bits(table)
    return max(0.0, information)  # rounding can leave -1e-16


def information_of_table_null(table, *, rng, repeats=20):
    """Return the mean `information_of_table` in bits of `repeats` tables shuffled by `shuffled_table`.

    It counts every choice as drawn by itself; words of one text are not, so the true null lies higher.
    Raises ValueError as `shuffled_table` does, and for repeats below 1.

    >>> information_of_table_null([[5, 5]], rng=np.random.default_rng(0))
    0.0
    """
    repeats = check_count(repeats, "repeats")
    return float(np.mean([information_of_table(shuffled_table(table, rng=rng)) for _ in range(repeats)]))


def shuffled_table(table, *, rng):
    """Return a table (N, M) of counts as it would be after shuffling who belongs to which row.

    The sums of rows and columns stay as they are. Raises ValueError for entries that are not whole
    numbers of at least 0, a table that is empty or all 0 or sums to a thousand million, or a bad rng.

    >>> shuffled_table([[3, 0], [0, 3]], rng=np.random.default_rng(0)).sum(axis=0).tolist()
    [3, 3]
    """
    counts, rng = as_array(table, "table"), check_rng(rng)
    if counts.dtype.kind not in "iu" or counts.ndim != 2 or counts.size == 0 or counts.min() < 0:
        raise ValueError(f"table must hold whole numbers >= 0 in shape (N, M), got {counts.dtype} "
                         f"of shape {counts.shape}")
    if not 0 < counts.sum() < 10**9:
        raise ValueError(f"table must sum to 1..999,999,999, got {counts.sum()}")
    left, rows = counts.sum(axis=0).astype(np.int64), []
    for total in counts.sum(axis=1):
        rows.append(rng.multivariate_hypergeometric(left, int(total), method="marginals"))
        left = left - rows[-1]
    return np.stack(rows)


def label_entropy(labels, expert=None):
    """Return the entropy in bits of the labels (T,), or of the labels of the choices that experts made.

    expert: a Routing or an index, as for `mutual_information`. Where tokens have unequally many choices
    (drops, a free number of experts) its labels are those that information is a share of.
    Raises ValueError for labels that are not one row of whole numbers, bools or text.

    >>> label_entropy(["a", "a", "b", "b"])
    1.0
    >>> label_entropy(["a", "a", "b", "b"], [[0], [1], [0], [-1]]) < 1
    True
    """
    own = expert is None
    counts = np.bincount(label_codes(labels, "labels")) if own else _table(expert, labels).sum(axis=0)
    return _bits(counts.astype(float))


def purity(expert, labels):
    """Return the share of choices whose label is the most frequent one of their expert.

    1 when every expert serves a single label; the share of the largest label when one expert has all.
    Splitting a label over several experts costs nothing, merging labels in one expert does.
    Raises ValueError as `mutual_information` does.

    >>> purity([0, 0, 0, 1], ["a", "a", "b", "c"])
    0.75
    """
    table = _table(expert, labels)
    return float(table.max(axis=1).sum() / table.sum())


def expert_columns(value, name="expert_index"):
    """Return a Routing's expert_index, or an index (T,) or (T, k) as (T, k); raise ValueError if neither.

    Metrics count expert by expert, so an index is below 2^20.

    >>> expert_columns([3, 1]).tolist()
    [[3], [1]]
    """
    index = as_array(value.expert_index if isinstance(value, Routing) else value, name)
    if index.dtype.kind not in "iu" or index.ndim not in (1, 2) or index.size == 0:
        raise ValueError(f"{name} must be a Routing or whole numbers of shape (T,) or (T, k), "
                         f"got {index.dtype} of shape {index.shape}")
    if index.min() < EMPTY or index.max() >= MOST_EXPERTS:
        raise ValueError(f"{name} must lie in 0..{MOST_EXPERTS - 1} (or be EMPTY, -1), "
                         f"got {index.min()} to {index.max()}")
    return index.astype(np.int64, copy=False).reshape(len(index), -1)


def label_codes(labels, name, length=None):
    """Return labels (T,) as codes 0, 1, ... in sorted order, or raise ValueError.

    >>> label_codes(["b", "a", "b"], "labels").tolist()
    [1, 0, 1]
    """
    array = as_array(labels, name)
    if array.ndim != 1 or array.dtype.kind not in "iubSU" or len(array) == 0:
        raise ValueError(f"{name} must be whole numbers, bools or text of shape (T,), "
                         f"got {array.dtype} of shape {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} must have shape ({length},), got shape {array.shape}")
    if array.dtype.kind in "SU" or array.min() < 0 or array.max() > len(array):
        return np.unique(array, return_inverse=True)[1]
    return (np.cumsum(np.bincount(array) > 0) - 1)[array.astype(int)]  # the same, without sorting


def _table(expert, labels):
    """Return (number of experts, number of labels): how often each goes with each."""
    index = expert_columns(expert, "expert")
    codes = label_codes(labels, "labels", len(index))
    if index.max() == EMPTY:
        raise ValueError("expert must name at least one expert, got only EMPTY slots")
    width = codes.max() + 1
    cells = np.bincount(((index + 1) * width + codes[:, None]).ravel(), minlength=(index.max() + 2) * width)
    return cells.reshape(-1, width)[1:]  # the first row is EMPTY


def _bits(counts):
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0  # turns -0.0 into 0.0


def conditional_information(expert, labels, given):
    """Return I(expert; label | given) in bits: what is left to tell once `given` is known.

    It is I(expert; label and given) - I(expert; given), the mean over the values of `given` of the
    information within each, weighed by their choices. 0 where `given` settles the label.
    Raises ValueError for labels or given of another length or kind, or when no expert is chosen.
    Source: Cover and Thomas, Elements of Information Theory, chain rule for information.

    >>> language, script = ["de", "es", "hi", "hi"], ["Latin", "Latin", "Devanagari", "Devanagari"]
    >>> conditional_information([0, 1, 2, 2], language, script)
    0.5
    >>> conditional_information([0, 0, 1, 1], language, script)
    0.0
    """
    index = expert_columns(expert, "expert")
    labels, given = label_codes(labels, "labels", len(index)), label_codes(given, "given", len(index))
    both = labels * (given.max() + 1) + given
    return max(0.0, mutual_information(index, both) - mutual_information(index, given))


def conditional_information_null(expert, labels, given, *, rng, repeats=20):
    """Return the mean of I(expert; label | given) in bits after labels traded places within each `given`.

    Tokens of one text are not independent, so a true null lies somewhat higher.
    Raises ValueError as `conditional_information` does, and for a bad rng or repeats below 1.

    >>> conditional_information_null([0, 1, 1], [5, 5, 6], [0, 0, 1], rng=np.random.default_rng(0))
    0.0
    """
    index, rng = expert_columns(expert, "expert"), check_rng(rng)
    labels, given = label_codes(labels, "labels", len(index)), label_codes(given, "given", len(index))
    home, values = np.argsort(given, kind="stable"), []
    for _ in range(check_count(repeats, "repeats")):
        shuffled = np.empty_like(labels)
        shuffled[home] = labels[np.lexsort((rng.random(len(labels)), given))]
        values.append(conditional_information(index, shuffled, given))
    return float(np.mean(values))

"""What the choice of expert says about one label when another is known: language, say, given the script.

`expert` is a Routing or an expert_index (T,) or (T, k), as in `metrics.meaning`; labels and given are (T,).
"""

import numpy as np

from moeviz.arrays import check_count, check_rng
from moeviz.metrics.meaning import expert_columns, label_codes, mutual_information


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

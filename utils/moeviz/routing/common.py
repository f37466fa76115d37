"""What the routers share: building the record from the experts chosen."""

import numpy as np

from moeviz.record import EMPTY, Routing


def take(values, index):
    """Return values (T, E) at index (T, k); 0 where the slot is EMPTY.

    >>> take(np.array([[0.9, 0.1]]), np.array([[1, -1]])).tolist()
    [[0.1, 0.0]]
    """
    return np.where(index == EMPTY, 0, np.take_along_axis(values, index, axis=1))


def build(logits, probs, index, weight, label):
    """Return the Routing in which every slot that is not EMPTY is kept.

    >>> build(None, np.ones((1, 1)), np.array([[0]]), np.ones((1, 1)), "one").kept.tolist()
    [[True]]
    """
    return Routing(logits, probs, index, weight, index != EMPTY, label)

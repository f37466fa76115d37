"""Two mistakes with the selection bias, to be trained and looked at in a lesson; never use them else."""

import numpy as np

from moeviz import losses
from moeviz.arrays import check_count, check_matrix, softmax, softmax_backward, top_k_index
from moeviz.record import Routing
from moeviz.routing.backward import scatter
from moeviz.training.routers import Router


def leaky_top_k(k=1):
    """Choose AND weigh by softmax + bias: the bias leaks into the weights, which is wrong.

    Weights below 0 are cut to 0. `routers.biased_top_k` is the right one: there the weight is the softmax.
    Its route raises ValueError for k outside of 1..E.

    >>> from moeviz.training import Context
    >>> context = Context(None, None, np.array([0.25, 0.0]), None, None, True)
    >>> leaky_top_k().route([[0.0, 0.0]], context).combine_weight.tolist()
    [[0.75]]
    """
    def route(logits, context):
        logits = check_matrix(logits, "logits")
        probs = softmax(logits)
        seen = probs + context.bias
        index = top_k_index(seen, check_count(k, "k", high=logits.shape[1]))
        weight = np.maximum(np.take_along_axis(seen, index, axis=1), 0)
        return Routing(logits, probs, index, weight, np.ones(index.shape, bool), f"leaky top-{k}")

    def backward(routed, dweight):  # the bias is a constant, and a weight cut to 0 is stuck
        return softmax_backward(routed.probs, scatter(routed, dweight * (routed.combine_weight > 0)))
    return Router(route, backward)


def turned_update(bias, load, rate):
    """Return the bias after a step with the sign turned: who is busy gains, so the busiest gets everything.

    bias, load: (E,); rate >= 0. `losses.bias_update` is the right one. Raises ValueError as it does.

    >>> turned_update([0.0, 0.0, 0.0], [9, 3, 3], 0.5).tolist()
    [0.5, -0.5, -0.5]
    """
    return 2 * np.asarray(bias, dtype=float) - losses.bias_update(bias, load, rate)

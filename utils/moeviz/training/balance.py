"""Balancing losses as a plan takes them: f(routing, context) -> (value, gradient on routing.logits).

A plan holds pairs, `balance=[(0.1, balance.switch)]`; options go in by functools.partial. A loss of your
own has the same form. One that knows the noise gate returns two gradients: on the clean logits and on
the noise logits.
"""

import numpy as np

from moeviz import losses
from moeviz.training.routers import without_shared


def switch(routed, context, *, scoring="softmax"):
    """Return E sum f P over the whole batch (`losses.switch_loss`): statistics of the global batch.

    >>> from moeviz.routing import top_k
    >>> round(switch(top_k([[0.0, 9.0], [9.0, 0.0]], k=1), None)[0], 6)
    1.0
    """
    return losses.switch_loss(routed, scoring=scoring)


def switch_routed(routed, context, *, shared=1):
    """Return Switch's loss of all experts but the first `shared`, which `routers.shared_top_k` always runs.

    >>> from moeviz.training.routers import shared_top_k
    >>> round(switch_routed(shared_top_k(1).route([[0.0, 0.0, 9.0], [0.0, 9.0, 0.0]], None), None)[0], 6)
    1.0
    """
    value, gradient = losses.switch_loss(without_shared(routed, shared))
    return value, np.pad(gradient, ((0, 0), (shared, 0)))


def importance(routed, context, *, renormalize=True):
    """Return CV^2 of the summed weights (`losses.importance_loss`); renormalize as in the router.

    >>> from moeviz.routing import top_k
    >>> importance(top_k([[0.0, 9.0]], k=1), None)[0]
    1.0
    """
    return losses.importance_loss(routed, renormalize=renormalize)


def load(routed, context):
    """Return CV^2 of the smooth load (`losses.load_loss`); needs a noisy router.

    It alone reaches an expert that gets no tokens: through the chance that the noise would choose it.
    Raises ValueError in a plan without noise.
    """
    if context.noise_logits is None:
        raise ValueError("noise must be True in the plan of the load loss, got False")
    return losses.load_loss(routed, context.logits, context.noise_logits)


def z(routed, context):
    """Return the mean squared logsumexp of the logits (`losses.z_loss`); it balances nothing.

    >>> from moeviz.routing import top_k
    >>> round(z(top_k([[0.0, 0.0]], k=1), None)[0], 4)
    0.4805
    """
    return losses.z_loss(routed.logits)


def watched(loss, seen):
    """Return the loss with its value at each step appended to the list `seen`; with weight 0 it only watches.

    >>> from moeviz.routing import top_k
    >>> seen = []
    >>> value, gradient = watched(z, seen)(top_k([[0.0, 0.0]], k=1), None)
    >>> [round(each, 4) for each in seen]
    [0.4805]
    """
    def watch(routed, context):
        result = loss(routed, context)
        seen.append(result[0])
        return result
    return watch

"""Balancing losses as a plan takes them: f(routing, context) -> (value, gradient on routing.logits).

A plan holds pairs, `balance=[(0.1, balance.switch)]`; options go in by functools.partial. A loss of your
own has the same form. One that knows the noise gate returns two gradients: on the clean logits and on
the noise logits.
"""

import numpy as np

from moeviz import losses


def switch(routing, context, *, scoring="softmax"):
    """E sum f P over the whole batch (`losses.switch_loss`): statistics of the global batch."""
    return losses.switch_loss(routing, scoring=scoring)


def switch_by_cluster(routing, context, *, scoring="softmax"):
    """Switch's loss within each cluster, averaged: micro-batches of one domain each, against `switch`.

    Every cluster then has to spread over all experts, so no expert can become its own
    (Qiu et al. 2025, arXiv 2501.11873).
    """
    return losses.sequence_loss(routing, context.cluster, scoring=scoring)


def switch_by_part(routing, context, *, parts=8, scoring="softmax"):
    """Switch's loss within `parts` equal stretches of the batch, averaged: mixed micro-batches."""
    part = np.arange(routing.num_tokens) * parts // routing.num_tokens
    return losses.sequence_loss(routing, part, scoring=scoring)


def gshard(routing, context):
    """E sum f1 P, first choices only (`losses.gshard_loss`)."""
    return losses.gshard_loss(routing)


def importance(routing, context, *, renormalize=True):
    """CV^2 of the summed weights (`losses.importance_loss`); renormalize as in the router."""
    return losses.importance_loss(routing, renormalize=renormalize)


def load(routing, context):
    """CV^2 of the smooth load (`losses.load_loss`); needs a noisy router."""
    return losses.load_loss(routing, context.logits, context.noise_logits)


def z(routing, context):
    """Mean squared logsumexp of the logits (`losses.z_loss`); it balances nothing."""
    return losses.z_loss(routing.logits)

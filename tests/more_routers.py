"""Routers that no lesson trains, as a training run takes them: the loop must bear them too."""

from functools import partial

from moeviz import losses, routing
from moeviz.training import Router


def soft():
    return Router(lambda logits, context: routing.soft(logits))


def sigmoid_top_k(k=1, *, renormalize=False):
    def route(logits, context):
        return routing.sigmoid_top_k(logits, k, bias=context.bias, renormalize=renormalize)
    return Router(route, partial(routing.weights_backward, scoring="sigmoid", renormalize=renormalize))


def gshard_top_2():
    return Router(lambda logits, context: routing.gshard_top_2(logits, rng=context.rng),
                  routing.gshard_top_2_backward)


def expert_choice(k=1):
    return Router(lambda logits, context:
                  routing.expert_choice(logits, max(1, len(logits) * k // logits.shape[1])))


def sinkhorn(k=1):
    """Choose by a balanced plan in training and by the logits afterwards."""
    def route(logits, context):
        return routing.sinkhorn(logits, k, iterations=5 if context.training else 0)
    scoring = "sigmoid" if k == 1 else "softmax"
    return Router(route, partial(routing.weights_backward, scoring=scoring, renormalize=False))


def quantile_balanced(k=1):
    return Router(lambda logits, context: routing.quantile_balanced(logits, k, sweeps=3))


def hash_route(k=1):
    return Router(lambda logits, context: routing.hash_route(context.cluster, logits.shape[1], k))


def random_route(k=1):
    return Router(lambda logits, context: routing.random_route(*logits.shape, k, rng=context.rng))


def gshard_loss(routed, context):
    return losses.gshard_loss(routed)

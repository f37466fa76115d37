"""Routers as a training run takes them: forward, and the way back to the logits."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moeviz import routing
from moeviz.arrays import check_count, check_matrix, softmax, softmax_backward, top_k_index
from moeviz.record import EMPTY, Routing
from moeviz.routing.backward import scatter


class Context(NamedTuple):
    """What a router or a balancing loss may look at beside the logits. Most need none of it."""

    logits: np.ndarray               # (T, E) from the gate, without noise
    noise_logits: np.ndarray | None  # (T, E) from the noise gate, where the plan has one
    bias: np.ndarray                 # (E,) the selection bias, moved by the plan's bias_rule
    cluster: np.ndarray              # (T,) int, where each token came from
    rng: np.random.Generator         # for routers that draw
    training: bool                   # False on held-out tokens


def weights_from_probs(routed, dweight):
    """Carry a gradient (T, k) from weights that are probs, or probs renormalised, back to the logits.

    Probs have to be a softmax of the logits; which of the two the weights are is read off the Routing.
    Where both fit, the gradients are equal too. Raises ValueError where neither does.

    >>> both = routing.top_k([[0.0, 0.0]], k=1, renormalize=False), routing.top_k([[0.0, 0.0]], k=1)
    >>> [weights_from_probs(routed, [[1.0]]).tolist() for routed in both]
    [[[0.25, -0.25]], [[0.0, 0.0]]]
    """
    empty = routed.expert_index == EMPTY
    score = np.where(empty, 0, np.take_along_axis(routed.probs, routed.expert_index, axis=1))
    if _close(score, routed.combine_weight):
        return softmax_backward(routed.probs, scatter(routed, np.asarray(dweight)))
    total = np.maximum(score.sum(axis=1, keepdims=True), np.finfo(score.dtype).tiny)
    if _close(score / total, routed.combine_weight):
        return routing.weights_backward(routed, dweight, renormalize=True)
    raise ValueError(f"the weights of {routed.label!r} are neither probs nor probs renormalised: "
                     "give the Router a backward of its own")


class Router(NamedTuple):
    """A router that trains. To train your own, write `route`; give `backward` only if it is asked for.

    route(logits, context) -> Routing. logits: (T, E) from the gate; context: a Context. Put the logits
    into `Routing.logits` and their softmax into `Routing.probs`, and make the weights those probs at
    the chosen experts, renormalised or not: then the backward is known. A Routing with logits=None
    leaves the gate untrained.
    backward(routed, dweight) -> dlogits (T, E), from the gradient dweight (T, k) of the task's loss on
    the weights. Needed where the weights are made in another way: a sigmoid, a scale, another softmax.
    The choice of experts is never differentiated.

    >>> def my_router(logits, context):
    ...     return routing.top_k(logits + context.bias, k=1, renormalize=False)
    >>> Router(my_router).backward is weights_from_probs
    True
    """

    route: Callable
    backward: Callable = weights_from_probs


def top_k(k=1, *, renormalize=False):
    """Take a softmax, then the top k (`routing.top_k`).

    With k=1 and renormalize the weight is always 1, and the task cannot teach the gate.

    >>> top_k(1).route([[0.0, 9.0]], None).expert_index.tolist()
    [[1]]
    """
    return Router(lambda logits, context: routing.top_k(logits, k, renormalize=renormalize))


def shared_top_k(k=1, *, shared=1):
    """Run the first `shared` experts for every token, with weight 1, and the top k of the others.

    Balance the others alone, by `balance.switch_routed`. Raises ValueError unless 1 <= shared < E.
    Source: Dai et al. 2024 (DeepSeekMoE), arXiv 2401.06066.

    >>> shared_top_k(1).route([[0.0, 1.0, 0.0]], None).expert_index.tolist()
    [[0, 1]]
    """
    def route(logits, context):
        logits = check_matrix(logits, "logits")
        first = np.tile(np.arange(check_count(shared, "shared", high=logits.shape[1] - 1)), (len(logits), 1))
        others = routing.top_k(logits[:, shared:], k, renormalize=False)
        index = np.hstack([first, others.expert_index + shared])
        weight = np.hstack([np.ones_like(first, logits.dtype), others.combine_weight])
        probs = np.hstack([np.zeros_like(first, logits.dtype), others.probs])
        return Routing(logits, probs, index, weight, np.ones(index.shape, bool), f"{shared} shared, top-{k}")

    def backward(routed, dweight):
        others = without_shared(routed, shared)
        return np.pad(weights_from_probs(others, dweight[:, shared:]), ((0, 0), (shared, 0)))
    return Router(route, backward)


def without_shared(routed, shared=1):
    """Return the Routing of the experts from `shared` on, of a Routing that `shared_top_k` made."""
    logits, probs, index, weight, kept = (part[:, shared:] for part in (
        routed.logits, routed.probs, routed.expert_index, routed.combine_weight, routed.kept))
    return Routing(logits, probs, index - shared, weight, kept, routed.label)


def biased_top_k(k=1, *, renormalize=False):
    """Choose the top k of softmax + bias, weigh by the softmax alone; needs a bias_rule to do anything.

    Its route raises ValueError for k outside of 1..E, as those of all routers here do.
    Source: Wang et al. 2024, arXiv 2408.15664, with softmax in place of the sigmoid (its table 6).

    >>> context = Context(None, None, np.array([1.0, 0.0]), None, None, True)
    >>> biased_top_k(1).route([[0.0, 0.1]], context).expert_index.tolist()
    [[0]]
    """
    def route(logits, context):
        logits = check_matrix(logits, "logits")
        probs = softmax(logits)
        index = top_k_index(probs + context.bias, check_count(k, "k", high=logits.shape[1]))
        weight = np.take_along_axis(probs, index, axis=1)
        weight = weight / weight.sum(axis=1, keepdims=True) if renormalize else weight
        return Routing(logits, probs, index, weight, np.ones(index.shape, bool), f"biased top-{k}")
    return Router(route)


def noisy_top_k(k=2):
    """Add learned noise in training and none afterwards (`routing.noisy_top_k`).

    The plan needs noise=True, or route raises a ValueError that says so.

    >>> noisy_top_k(2).backward is weights_from_probs
    True
    """
    def route(logits, context):
        if context.noise_logits is None:
            raise ValueError("noise must be True in the plan of a noisy router, got False")
        return routing.noisy_top_k(logits, context.noise_logits, k, rng=context.rng,
                                   training=context.training)
    return Router(route)


def _close(made, given):
    return np.abs(made - given).max() <= 1e-5

"""Routers as a training run takes them: forward, and the way back to the logits."""

from collections.abc import Callable
from functools import partial
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


def soft():
    """Use all E experts: the dense mixture (`routing.soft`).

    >>> soft().route([[0.0, 0.0]], None).combine().tolist()
    [[0.5, 0.5]]
    """
    return Router(lambda logits, context: routing.soft(logits))


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


def sigmoid_top_k(k=1, *, renormalize=False):
    """Choose by sigmoid + bias and weigh by the sigmoid, as DeepSeek-V3 does (`routing.sigmoid_top_k`).

    >>> context = Context(None, None, np.array([1.0, 0.0]), None, None, True)
    >>> sigmoid_top_k(1).route([[0.0, 0.1]], context).combine_weight.tolist()
    [[0.5]]
    """
    def route(logits, context):
        return routing.sigmoid_top_k(logits, k, bias=context.bias, renormalize=renormalize)
    return Router(route, partial(routing.weights_backward, scoring="sigmoid", renormalize=renormalize))


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


def gshard_top_2(*, threshold=None):
    """Drop the second expert at random where its weight is small (`routing.gshard_top_2`).

    >>> context = Context(None, None, None, None, np.random.default_rng(0), True)
    >>> gshard_top_2().route([[0.0, 9.0]], context).expert_index.tolist()
    [[1, -1]]
    """
    def route(logits, context):
        return routing.gshard_top_2(logits, rng=context.rng, threshold=threshold)
    return Router(route, routing.gshard_top_2_backward)


def expert_choice(k=1):
    """Let each expert choose its T k / E tokens (`routing.expert_choice`).

    >>> expert_choice(1).route(np.array([[0.0, 9.0], [0.0, 1.0]]), None).expert_index.tolist()
    [[1], [0]]
    """
    def route(logits, context):
        return routing.expert_choice(logits, max(1, len(logits) * k // logits.shape[1]))
    return Router(route)


def sinkhorn(k=1, *, iterations=5):
    """Choose by a balanced plan in training and by the logits afterwards (`routing.sinkhorn`).

    The two may disagree, and then an expert meets tokens that it was not trained on.

    >>> after = Context(None, None, None, None, None, training=False)
    >>> sinkhorn(1).route([[0.0, 9.0], [0.0, 1.0]], after).expert_index.tolist()
    [[1], [1]]
    """
    def route(logits, context):
        return routing.sinkhorn(logits, k, iterations=iterations if context.training else 0)
    scoring = "sigmoid" if k == 1 else "softmax"
    return Router(route, partial(routing.weights_backward, scoring=scoring, renormalize=False))


def quantile_balanced(k=1, *, sweeps=3):
    """Choose by softmax plus the bias that balances this batch (`routing.quantile_balanced`).

    >>> quantile_balanced(1).route([[0.0, 3.0], [0.0, 1.0]], None).expert_index.tolist()
    [[1], [0]]
    """
    return Router(lambda logits, context: routing.quantile_balanced(logits, k, sweeps=sweeps))


def hash_route(k=1):
    """Send each cluster to fixed experts, as if it were a token id (`routing.hash_route`).

    There is no gate to train, and two clusters may fall on one expert while another has none.

    >>> context = Context(None, None, None, np.array([7, 4, 7]), None, True)
    >>> hash_route(1).route(np.zeros((3, 4)), context).expert_index[:, 0].tolist()
    [2, 1, 2]
    """
    return Router(lambda logits, context: routing.hash_route(context.cluster, logits.shape[1], k))


def random_route(k=1):
    """Send each token to experts drawn at random (`routing.random_route`): the null to compare with.

    >>> context = Context(None, None, None, None, np.random.default_rng(0), True)
    >>> random_route(2).route(np.zeros((3, 4)), context).expert_index.shape
    (3, 2)
    """
    def route(logits, context):
        return routing.random_route(*logits.shape, k, rng=context.rng)
    return Router(route)


def _close(made, given):
    return np.abs(made - given).max() <= 1e-5

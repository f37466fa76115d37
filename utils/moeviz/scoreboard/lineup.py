"""The line-up: every router of `moeviz.routing` as a function of the logits alone, and seats for any."""

from functools import partial
from types import MappingProxyType

import numpy as np

from moeviz import routing
from moeviz.arrays import (
    check_choice,
    check_count,
    check_matrix,
    check_number,
    check_vector,
    log_sum_exp,
    sigmoid,
    softmax,
)
from moeviz.capacity import ORDERS, apply_capacity, expert_capacity
from moeviz.record import EMPTY, Routing
from moeviz.scoreboard.contract import check_routers, route

# Whether training a router calls for a balancing or sparsity loss: declared here, it cannot be measured.
NEEDS_LOSS = MappingProxyType({
    "soft": False, "top-1": True, "top-k": True, "noisy top-k": True, "GShard top-2": True,
    "group-limited": True, "cosine": True, "null experts": True, "sigmoid top-k": True,
    "sigmoid + bias": False, "sigmoid + bias + groups": False, "top-p": True, "ReLU": True,
    "one threshold": True, "threshold per expert": False, "expert choice": False, "Sinkhorn": False,
    "quantile": False, "hash": False, "random": False})


def line_up(calibration, token_ids=None, *, k=2):
    """Return {name: router}: every router of `moeviz.routing`, about k experts per token.

    calibration: (N, E) logits of other text, from which thresholds, biases and p are set, so that
    nothing about the scored text leaks in. token_ids: (T,) of the scored text, for the hash router, which
    is left out without them. Each router takes logits (T, E), those that draw also rng: see `route`.
    `routing.soft_moe` is not among them: it chooses no experts.
    Raises ValueError for a bad matrix, ids that are no vector of whole numbers, or k not in 1..E.

    >>> routers = line_up(np.eye(4), [7, 7, 9])
    >>> len(routers), routers["top-k"](np.eye(4)).top_k
    (20, 2)
    """
    calibration = check_matrix(calibration, "calibration", "(N, E)").astype(float)
    k = check_count(k, "k", high=calibration.shape[1])
    routers = {**_token_choice(calibration, k), **_variable(calibration, k), **_balanced(k)}
    if token_ids is not None:
        ids = check_vector(token_ids, "token_ids", kind="iu")
        routers["hash"] = lambda logits: routing.hash_route(ids, logits.shape[1], k)
    return routers


def with_seats(routers, factor, *, k=2, order="choice"):
    """Return the same routers, each followed by a limit of ceil(k T factor / E) seats per expert.

    routers: {name: router}. The seats are the same for all of them, for k choices a token, whatever a
    router's own number of choices is. order: see `moeviz.capacity.apply_capacity`.
    Raises ValueError for routers that are no {name: router}, a negative factor, k below 1 or another order.

    >>> limited = with_seats({"top-1": lambda logits: routing.top_k(logits, 1)}, 1.0, k=1)
    >>> limited["top-1"]([[1.0, 0.0], [1.0, 0.0]], rng=None).kept.ravel().tolist()
    [True, False]
    """
    check_routers(routers)
    check_number(factor, "factor", low=0.0)
    check_count(k, "k")
    check_choice(order, "order", ORDERS)
    return {name: partial(_limited, router, factor, k, order) for name, router in routers.items()}


def _limited(router, factor, k, order, logits, rng):
    routed = route(router, logits, rng=rng)
    seats = expert_capacity(routed.num_tokens, routed.num_experts, min(k, routed.num_experts), factor)
    return apply_capacity(routed, seats, order=order, rng=rng)


def _token_choice(calibration, k):
    num_experts = calibration.shape[1]
    groups = _groups(num_experts, k)
    bias = routing.quantile_bias(sigmoid(calibration), k)
    return {
        "soft": routing.soft,
        "top-1": lambda logits: routing.top_k(logits, 1, renormalize=False),
        "top-k": lambda logits: routing.top_k(logits, k),
        "noisy top-k": lambda logits, rng: routing.noisy_top_k(logits, np.zeros_like(logits), k, rng=rng),
        "GShard top-2": routing.gshard_top_2,
        "group-limited": lambda logits: routing.softmax_group_limited(logits, k, **groups),
        # the gate has projected each token to E numbers; expert e sits on axis e of that space
        "cosine": lambda logits: routing.cosine_top_k(logits, np.eye(num_experts), k, temperature=0.2),
        "null experts": lambda logits: _with_null_experts(logits, k),
        "sigmoid top-k": lambda logits: routing.sigmoid_top_k(logits, k),
        "sigmoid + bias": lambda logits: routing.sigmoid_top_k(logits, k, bias=bias),
        "sigmoid + bias + groups": lambda logits: routing.sigmoid_top_k(logits, k, bias=bias, **groups)}


def _variable(calibration, k):
    share = k / calibration.shape[1]
    probs = softmax(calibration)
    falling = -np.sort(-probs, axis=1)
    p = np.quantile(np.cumsum(falling, axis=1) - falling, share)  # top-p adds experts while below p
    p = float(np.clip(p, 1e-6, 1.0))
    cut, score_cut = np.quantile(probs, 1 - share), np.quantile(calibration, 1 - share)
    cuts = routing.quantile_cut(calibration, k)
    return {"top-p": lambda logits: routing.top_p(logits, p),
            "ReLU": lambda logits: routing.relu_route(logits - score_cut),
            "one threshold": lambda logits: routing.threshold(logits, cut),
            "threshold per expert": lambda logits: routing.threshold(logits, cuts)}


def _balanced(k):
    return {"expert choice": lambda logits: routing.expert_choice(
                logits, min(len(logits), expert_capacity(*logits.shape, k, 1.0))),
            "Sinkhorn": lambda logits: routing.sinkhorn(logits, k, iterations=20),
            "quantile": lambda logits: routing.quantile_balanced(logits, k),
            "random": lambda logits, rng: routing.random_route(*logits.shape, k, rng=rng)}


def _groups(num_experts, k):
    """Return two groups of which one is open, or one group where two do not fit."""
    fits = num_experts % 2 == 0 and k <= num_experts // 2
    return {"num_groups": 2 if fits else 1, "top_groups": 1}


def _with_null_experts(logits, k):
    """Route beside half as many null experts, which score as an average expert; leave their slots EMPTY."""
    num_experts = logits.shape[1]
    average = log_sum_exp(logits)[:, None] - np.log(num_experts)
    beside = np.hstack([logits, np.repeat(average, max(1, num_experts // 2), axis=1)])
    routed = routing.null_experts(beside, k, num_null=beside.shape[1] - num_experts)
    real = routed.expert_index < num_experts
    return Routing(logits, softmax(logits), np.where(real, routed.expert_index, EMPTY),
                   np.where(real, routed.combine_weight, 0), real)

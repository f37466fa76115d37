"""Routers that balance the load by construction, or that do not look at the token at all.

Expert choice, Sinkhorn and quantile balancing look at the whole batch, so a token's experts depend
on its neighbours. All inputs must be finite and non-empty, or a ValueError names them.
"""

import numpy as np

from moeviz.arrays import (
    check_count,
    check_matrix,
    check_rng,
    check_vector,
    log_sum_exp,
    one_hot,
    sigmoid,
    softmax,
    top_k_index,
    top_k_mask,
)
from moeviz.routing.token_choice import build, build_from_mask


def expert_choice(logits, capacity):
    """Let each expert take the `capacity` tokens that score it highest.

    logits: (T, E). Order: softmax over the experts of each token, then each expert keeps its largest
    `capacity` probabilities down the batch; weight = that probability. A token gets 0 to E experts,
    best first, the rest EMPTY. Ties: lowest token. Not causal: later tokens change earlier ones.
    Raises ValueError if logits is not a finite, non-empty matrix or capacity is not in 1..T.
    Source: Zhou et al. 2022, arXiv 2202.09368.

    >>> expert_choice([[2.0, 1.0], [0.0, -5.0]], capacity=1).dispatch().astype(int).tolist()
    [[0, 1], [1, 0]]
    """
    logits = check_matrix(logits, "logits")
    capacity = check_count(capacity, "capacity", high=len(logits))
    probs = softmax(logits)
    chosen = top_k_mask(probs.T, capacity).T
    return build_from_mask(logits, probs, chosen, probs, f"expert choice, C = {capacity}")


def sinkhorn_plan(logits, *, iterations):
    """Return the plan (T, E) after scaling exp(logits) to even columns and rows in turn.

    logits: (T, E). Rows sum to 1 exactly; columns come closer to T / E with every iteration. With
    iterations=0 the plan is the softmax of the logits.
    Raises ValueError if logits is not a finite, non-empty matrix or iterations is negative.
    Source: Clark et al. 2022 (S-BASE), arXiv 2202.01169; Megatron-LM
    megatron/core/transformer/moe/moe_utils.py, here in logs so that large logits are safe.

    >>> sinkhorn_plan([[0.0, 1.0], [0.0, 1.0]], iterations=1).round(6).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    logits = check_matrix(logits, "logits")
    return softmax(_log_plan(logits, check_count(iterations, "iterations", low=0)))


def sinkhorn(logits, k=2, *, iterations=50):
    """Choose the top k of a balanced plan, but weight the choice by the raw logits.

    logits: (T, E). The plan (see `sinkhorn_plan`) is stored in `probs` and passes no gradient; weight =
    sigmoid(logit) for k=1, softmax(logits) at the chosen for k > 1, not renormalised. Experts are
    listed best first by the plan. The top k of a soft plan is only nearly balanced.
    Used in training only; at test time these models use plain top-k.
    Raises ValueError for bad logits, k not in 1..E, or negative iterations.
    Source: Megatron-LM megatron/core/transformer/moe/router.py, sinkhorn_load_balancing.

    >>> sinkhorn([[2.0, 1.0], [9.0, 0.0]], 1, iterations=20).expert_index.tolist()
    [[1], [0]]
    """
    logits = check_matrix(logits, "logits")
    k = check_count(k, "k", high=logits.shape[1])
    log_plan = _log_plan(logits, check_count(iterations, "iterations", low=0))
    index = top_k_index(log_plan, k)
    gate = sigmoid(logits) if k == 1 else softmax(logits)
    weight = np.take_along_axis(gate, index, axis=1)
    return build(logits, softmax(log_plan), index, weight, f"Sinkhorn top-{k}")


def quantile_bias(scores, k, *, sweeps=20):
    """Return the bias (E,) under which the top k of scores + bias spread evenly over the experts.

    scores: (T, E). Each sweep sets a token's threshold halfway between its k-th and (k+1)-th score minus
    the experts' thresholds, then an expert's to the (1 - k/E) quantile of its scores minus the tokens'. The
    bias is minus the expert's threshold. No learning rate is needed.
    Raises ValueError for bad scores, k not in 1..E, or sweeps < 1.
    Source: Su Jianlin, Quantile Balancing, kexue.fm/archives/11619.

    >>> quantile_bias([[0.9, 0.1], [0.6, 0.4]], 1).round(6).tolist()
    [-0.25, 0.25]
    """
    scores = check_matrix(scores, "scores")
    num_experts = scores.shape[1]
    k = check_count(k, "k", high=num_experts)
    beta = np.zeros(num_experts)  # the experts' thresholds; alpha holds the tokens'
    for _ in range(check_count(sweeps, "sweeps")):
        falling = -np.sort(beta - scores, axis=1)
        alpha = falling[:, k - 1:k + 1].mean(axis=1, keepdims=True)
        beta = np.quantile(scores - alpha, 1 - k / num_experts, axis=0)
    return -beta


def quantile_balanced(logits, k=2, *, sweeps=20):
    """Choose the top k of probability + bias, with the bias that balances this batch.

    logits: (T, E). Order: softmax, add `quantile_bias` for the choice only, top-k; weight = probability
    of the chosen, not renormalised. Ties: lowest expert.
    Raises ValueError for bad logits, k not in 1..E, or sweeps < 1.
    Source: Su Jianlin, Quantile Balancing, kexue.fm/archives/11619.

    >>> quantile_balanced([[3.0, 0.0], [1.0, 0.0]], 1).expert_index.tolist()
    [[0], [1]]
    """
    logits = check_matrix(logits, "logits")
    probs = softmax(logits)
    index = top_k_index(probs + quantile_bias(probs, k, sweeps=sweeps), k)
    weight = np.take_along_axis(probs, index, axis=1)
    return build(logits, probs, index, weight, f"quantile-balanced top-{k}")


def hash_route(token_ids, num_experts, k=1):
    """Send each token id to fixed experts, whatever its context: there is no gate.

    token_ids: (T,) whole numbers >= 0. Each (id, expert) pair gets a fixed pseudo-random number, and
    the k experts with the largest numbers take the id, so they are distinct. Weight = 1 / k;
    `logits` is None; `probs` is uniform over the chosen.
    Raises ValueError for ids that are not a non-empty vector of whole numbers >= 0, or k not in 1..E.
    Source: Roller et al. 2021 (Hash Layers), arXiv 2106.04426; the mixing steps are SplitMix64's.

    >>> hash_route([7, 4, 7], num_experts=4).expert_index[:, 0].tolist()
    [2, 1, 2]
    """
    token_ids = check_vector(token_ids, "token_ids", kind="iu")
    if token_ids.size == 0:
        raise ValueError("token_ids must not be empty, got shape (0,)")
    if token_ids.min() < 0:
        raise ValueError(f"token_ids must be whole numbers >= 0, got {token_ids.min()}")
    num_experts = check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    index = top_k_index(_mix(token_ids, num_experts), k)
    probs = one_hot(index, num_experts).sum(axis=1) / k
    return build(None, probs, index, np.full(index.shape, 1 / k), f"hash, k = {k}")


def random_route(num_tokens, num_experts, k=2, *, rng):
    """Send each token to k distinct experts drawn at random: the baseline that no gate should lose to.

    Weight = 1 / k; `logits` is None; `probs` is 1 / E everywhere.
    Raises ValueError for counts below 1, k not in 1..E, or a missing rng.
    Source: Zuo et al. 2021 (THOR), arXiv 2110.04260.

    >>> random_route(3, 4, 2, rng=np.random.default_rng(0)).expert_index.shape
    (3, 2)
    """
    num_tokens = check_count(num_tokens, "num_tokens")
    num_experts = check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    index = top_k_index(check_rng(rng).random((num_tokens, num_experts)), k)
    probs = np.full((num_tokens, num_experts), 1 / num_experts)
    return build(None, probs, index, np.full(index.shape, 1 / k), f"random, k = {k}")


def _log_plan(logits, iterations):
    """Return the log of the plan up to a factor per row, which neither top-k nor softmax sees."""
    column_log = np.zeros(logits.shape[1])
    for _ in range(iterations):
        rows = logits - column_log
        rows = rows - log_sum_exp(rows, axis=1)[:, None]
        column_log = column_log + log_sum_exp(rows, axis=0)
    return logits - column_log


def _mix(token_ids, num_experts):
    """Return (T, E) fixed numbers in [0, 1), one per token id and expert."""
    mixed = token_ids.astype(np.uint64)[:, None] * np.uint64(0x9E3779B97F4A7C15)
    mixed = mixed + np.arange(1, num_experts + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)) / 2.0**53

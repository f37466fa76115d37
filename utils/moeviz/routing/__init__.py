"""Routers: functions from the logits of a gate (T, E) to a Routing, and their gradients."""

from moeviz.routing.backward import gshard_top_2_backward, noisy_top_k_backward, weights_backward
from moeviz.routing.balanced import (
    expert_choice,
    hash_route,
    quantile_balanced,
    quantile_bias,
    random_route,
    sinkhorn,
    sinkhorn_plan,
)
from moeviz.routing.token_choice import (
    cosine_top_k,
    gshard_top_2,
    noisy_top_k,
    sigmoid_top_k,
    soft,
    softmax_group_limited,
    top_k,
)
from moeviz.routing.variable import (
    SoftMixing,
    null_experts,
    quantile_cut,
    relu_route,
    soft_moe,
    threshold,
    top_p,
)

__all__ = [
    "SoftMixing", "cosine_top_k", "expert_choice", "gshard_top_2", "gshard_top_2_backward", "hash_route",
    "noisy_top_k", "noisy_top_k_backward", "null_experts", "quantile_balanced", "quantile_bias",
    "quantile_cut", "random_route", "relu_route", "sigmoid_top_k", "sinkhorn", "sinkhorn_plan", "soft",
    "soft_moe", "softmax_group_limited", "threshold", "top_k", "top_p", "weights_backward",
]

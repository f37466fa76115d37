"""Exercises of notebook 15: the cache in GB, where attention overtakes the experts, what MoE saves."""

import numpy as np

from moeviz.exercises.engine import Exercise


def slow_cache(layers, heads, kv_heads, head_dim, context):
    numbers = 0
    for _ in range(layers):
        for _ in range(kv_heads):
            numbers += 2 * head_dim * context  # keys and values
    return 2 * numbers / 1e9  # two bytes each


def cache_in_gib(layers, heads, kv_heads, head_dim, context):
    return slow_cache(layers, heads, kv_heads, head_dim, context) * 1e9 / 2**30


def cache_of_query_heads(layers, heads, kv_heads, head_dim, context):
    return slow_cache(layers, heads, heads, head_dim, context)


def cache_half(layers, heads, kv_heads, head_dim, context):
    return slow_cache(layers, heads, kv_heads, head_dim, context) / 2


def cache_of_one_layer(layers, heads, kv_heads, head_dim, context):
    return slow_cache(1, heads, kv_heads, head_dim, context)


cache = Exercise("cache", slow_cache, (
    (1, 4, 2, 5, 100_000), (3, 8, 8, 16, 50_000), (32, 32, 8, 128, 1_000_000)), {
    "that is GiB: a GB is 10**9 bytes, a GiB 2**30": cache_in_gib,
    "only key and value heads are kept; there are fewer of them than query heads": cache_of_query_heads,
    "half of it is missing: keys and values, at two bytes each": cache_half,
    "every layer keeps its own keys and values": cache_of_one_layer}, tolerance=1e-9)


def slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k):
    experts = 2 * k * 3 * d_model * hidden
    projections = 2 * (2 * d_model * heads * head_dim + 2 * d_model * kv_heads * head_dim)
    per_position = 2 * heads * head_dim + 2 * heads * head_dim  # against the key, then the value
    return (experts - projections) / per_position


def crossover_without_projections(d_model, heads, kv_heads, head_dim, hidden, k):
    return 2 * k * 3 * d_model * hidden / (4 * heads * head_dim)


def crossover_in_two_units(d_model, heads, kv_heads, head_dim, hidden, k):
    return slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k) / 2


def crossover_without_values(d_model, heads, kv_heads, head_dim, hidden, k):
    return 2 * slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k)


def crossover_of_kv_heads(d_model, heads, kv_heads, head_dim, hidden, k):
    return slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k) * heads / kv_heads


def crossover_of_two_matrices(d_model, heads, kv_heads, head_dim, hidden, k):
    return slow_crossover(d_model, heads, kv_heads, head_dim, 2 * hidden / 3, k)


crossover = Exercise("crossover", slow_crossover, (
    (4, 2, 1, 2, 10, 1), (64, 4, 2, 16, 128, 3), (4096, 32, 8, 128, 14336, 2)), {
    "attention also has its projections, which cost FLOPs at every context": crossover_without_projections,
    "FLOPs against multiply-adds: count both sides in one unit": crossover_in_two_units,
    "after the scores comes the weighted sum of the values, the same work again": crossover_without_values,
    "sharing keys saves memory, not scores: every query head computes its own": crossover_of_kv_heads,
    "a gated expert has three matrices; you counted two": crossover_of_two_matrices})

CONTEXT = np.array([1, 1000, 1_000_000])


def slow_saving(attention, per_position, expert, num_experts, k, context):
    factors = []
    for positions in context.tolist():
        attending = attention + per_position * positions
        factors.append((attending + num_experts * expert) / (attending + k * expert))
    return np.array(factors)


def saving_of_the_experts(attention, per_position, expert, num_experts, k, context):
    return np.full(len(context), num_experts / k)


def saving_without_context(attention, per_position, expert, num_experts, k, context):
    return slow_saving(attention, 0, expert, num_experts, k, context)


def saving_the_wrong_way(attention, per_position, expert, num_experts, k, context):
    return 1 / slow_saving(attention, per_position, expert, num_experts, k, context)


def saving_as_share(attention, per_position, expert, num_experts, k, context):
    return 1 - 1 / slow_saving(attention, per_position, expert, num_experts, k, context)


saving = Exercise("saving", slow_saving, (
    (4.0, 1.0, 6.0, 4, 1, np.array([1, 10])), (80.0, 0.016, 350.0, 8, 2, CONTEXT),
    (0.5, 0.01, 2.0, 64, 8, CONTEXT)), {
    "E / k is what the experts alone save; attention saves nothing": saving_of_the_experts,
    "the scores are missing: they grow with the context": saving_without_context,
    "upside down: how many times the dense model costs as much": saving_the_wrong_way,
    "that is the share saved; the question asks for the factor": saving_as_share})

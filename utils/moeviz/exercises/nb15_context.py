"""Exercises of notebook 15: the cache in GB, what MoE saves, where attention overtakes the experts."""

import numpy as np

from moeviz.exercises.cases import asked, whole
from moeviz.exercises.engine import Exercise


def slow_cache(layers, heads, kv_heads, head_dim, context):
    numbers = 0
    for _ in range(layers):
        for _ in range(kv_heads):
            numbers += 2 * head_dim * context  # keys and values
    return 2 * numbers / 1e9  # two bytes each


def draw_cache(rng):
    layers, kv_heads, groups, head_dim = whole(rng, (1, 40), (1, 8), (1, 8), (2, 128))
    return layers, kv_heads * groups, kv_heads, head_dim, int(rng.integers(1, 1000)) * 1000


cache = Exercise("cache", 15, slow_cache, (
    (1, 4, 2, 5, 100_000), (3, 8, 8, 16, 50_000), (32, 32, 8, 128, 1_000_000)), draw_cache, {
    "that is GiB: a GB is 10**9 bytes, a GiB 2**30":
        lambda *case: slow_cache(*case) * 1e9 / 2**30,
    "query heads were counted; only keys and values are kept, and they have fewer heads":
        lambda layers, heads, kv_heads, head_dim, context: (
            slow_cache(layers, heads, heads, head_dim, context)),
    "half of it is missing: keys and values, at two bytes each":
        lambda *case: slow_cache(*case) / 2,
    "one layer was counted; every layer keeps its own keys and values":
        asked(slow_cache, layers=1),
    "these are bytes; a GB has 10**9 of them":
        lambda *case: slow_cache(*case) * 1e9})


def slow_saving(attention, per_position, expert, num_experts, k, context):
    factors = []
    for positions in context.tolist():
        attending = attention + per_position * positions
        factors.append((attending + num_experts * expert) / (attending + k * expert))
    return np.array(factors)


def draw_saving(rng):
    num_experts, = whole(rng, (2, 64))
    context = rng.integers(1, 1000, *whole(rng, (1, 4))) * int(rng.choice([1, 1000]))
    spans = (0.5, 80), (0.001, 0.1), (1, 100)
    attention, per_position, expert = (float(rng.uniform(*span)) for span in spans)
    return attention, per_position, expert, num_experts, *whole(rng, (1, num_experts)), context


CONTEXT = np.array([1, 1000, 1_000_000])

saving = Exercise("saving", 15, slow_saving, (
    (4.0, 1.0, 6.0, 4, 1, np.array([1, 10])), (80.0, 0.016, 350.0, 8, 2, CONTEXT),
    (0.5, 0.01, 2.0, 64, 8, CONTEXT)), draw_saving, {
    "that is E / k, what the experts alone save; attention saves nothing":
        lambda attention, per_position, expert, num_experts, k, context: (
            np.full(len(context), num_experts / k)),
    "the scores are missing: they grow with the context":
        asked(slow_saving, per_position=0),
    "the projections are missing: they cost the same at every context":
        asked(slow_saving, attention=0),
    "upside down: how many times the dense model costs as much":
        lambda *case: 1 / slow_saving(*case),
    "that is the share saved; the question asks for the factor":
        lambda *case: 1 - 1 / slow_saving(*case)})


def slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k):
    experts = 2 * k * 3 * d_model * hidden
    projections = 2 * (2 * d_model * heads * head_dim + 2 * d_model * kv_heads * head_dim)
    per_position = 2 * heads * head_dim + 2 * heads * head_dim  # against the key, then the value
    return (experts - projections) / per_position


def draw_crossover(rng):
    d_model, kv_heads, groups, head_dim, k = whole(rng, (1, 64), (1, 4), (1, 4), (1, 16), (1, 6))
    enough = kv_heads * (groups + 1) * head_dim  # so that the experts cost more than the projections
    return d_model, kv_heads * groups, kv_heads, head_dim, enough + int(rng.integers(1, 200)), k


crossover = Exercise("crossover", 15, slow_crossover, (
    (4, 2, 1, 2, 10, 1), (64, 4, 2, 16, 128, 3), (2048, 32, 4, 128, 768, 8), (4096, 32, 8, 128, 14336, 2)),
    draw_crossover, {
    "the projections are missing; they cost FLOPs at every context":
        lambda d_model, heads, kv_heads, head_dim, hidden, k: (
            2 * k * 3 * d_model * hidden / (4 * heads * head_dim)),
    "a part of a token was cut off; the answer need not be whole":
        lambda *case: slow_crossover(*case) // 1,
    "FLOPs stand against multiply-adds; count both sides in one unit":
        lambda *case: slow_crossover(*case) / 2,
    "only the scores were counted; the weighted sum of the values is the same work again":
        lambda *case: 2 * slow_crossover(*case),
    "scores were counted for key-value heads; every query head computes its own":
        lambda d_model, heads, kv_heads, head_dim, hidden, k: (
            slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k) * heads / kv_heads),
    "a gated expert has three matrices; you counted two":
        asked(slow_crossover, hidden=lambda hidden: 2 * hidden / 3),
    "scores were taken to be d_model wide; they are heads x head_dim wide":
        lambda d_model, heads, kv_heads, head_dim, hidden, k: (
            slow_crossover(d_model, heads, kv_heads, head_dim, hidden, k) * heads * head_dim / d_model)})

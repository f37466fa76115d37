"""Exercises of notebook 18: weights from a recorded trace, information above its null, an LRU cache."""

import math

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.engine import Exercise

LOGITS = np.array([[2.0, 1.0, 0.0, -1.0], [0.0, 3.0, 1.0, 2.0]])
CHOSEN = np.array([[0, 1], [1, 3]])
MANY = np.random.default_rng(16).normal(size=(6, 8)) * 2
MANY_CHOSEN = np.argsort(-MANY, axis=1)[:, :3]


def slow_trace_weights(logits, expert_index):
    weights = []
    for row, chosen in zip(logits.tolist(), expert_index.tolist(), strict=True):
        total = sum(math.exp(score - max(row)) for score in row)
        weights.append([math.exp(row[expert] - max(row)) / total for expert in chosen])
    return np.array(weights)


def weights_over_the_chosen(logits, expert_index):
    return softmax(np.take_along_axis(logits, expert_index, axis=1))


def weights_as_logits(logits, expert_index):
    return np.take_along_axis(logits, expert_index, axis=1)


def weights_over_tokens(logits, expert_index):
    return np.take_along_axis(softmax(logits, axis=0), expert_index, axis=1)


trace_weights = Exercise("trace_weights", slow_trace_weights, ((LOGITS, CHOSEN), (MANY, MANY_CHOSEN)), {
    "softmax over the chosen alone; OLMoE's shares are of all experts, and a row sums to less than 1":
        weights_over_the_chosen,
    "these are the logits themselves; softmax turns a row of them into shares": weights_as_logits,
    "you summed over the tokens (axis 0); each token has its own shares": weights_over_tokens})


TABLES = np.array([[[8, 0], [0, 8]], [[5, 5], [5, 5]]])
NULLS = np.array([[[[5, 3], [3, 5]], [[6, 4], [4, 6]]], [[[4, 4], [4, 4]], [[5, 5], [5, 5]]]])
_rng = np.random.default_rng(17)
COUNTS = _rng.integers(1, 30, (3, 4, 5)) * _rng.integers(0, 2, (3, 4, 5))
SHUFFLED = _rng.integers(5, 15, (4, 3, 4, 5))


def slow_information(table, logarithm=math.log2):
    total, information = table.sum(), 0.0
    for row in range(len(table)):
        for column in range(len(table[0])):
            joint = table[row, column] / total
            apart = table[row].sum() / total * table[:, column].sum() / total
            information += joint * logarithm(joint / apart) if joint > 0 else 0.0
    return information


def slow_above_null(tables, nulls, logarithm=math.log2):
    above = []
    for layer, table in enumerate(tables):
        chance = [slow_information(null[layer], logarithm) for null in nulls]
        above.append(slow_information(table, logarithm) - sum(chance) / len(chance))
    return np.array(above)


def above_null_without_null(tables, nulls):
    return np.array([slow_information(table) for table in tables])


def above_null_pooled(tables, nulls):
    pooled = slow_above_null(tables.sum(axis=0)[None], nulls.sum(axis=1)[:, None])
    return np.repeat(pooled, len(tables))


def above_null_in_nats(tables, nulls):
    return slow_above_null(tables, nulls, math.log)


def above_null_of_the_mean_table(tables, nulls):
    return slow_above_null(tables, nulls.mean(axis=0)[None])


above_null = Exercise("above_null", slow_above_null, ((TABLES, NULLS), (COUNTS, SHUFFLED)), {
    "the null is missing: with few tokens, information is above 0 by chance": above_null_without_null,
    "you pooled the layers; experts of different layers have nothing but their number in common":
        above_null_pooled,
    "this is in nats; bits need the logarithm to base 2": above_null_in_nats,
    "you averaged the shuffled tables first; average their information": above_null_of_the_mean_table})


SHORT = np.array([0, 1, 0, 2, 0, 1])
LONG = np.random.default_rng(18).integers(0, 5, 40)


def _hits(requests, size, leaves, refresh=True):
    """Count hits of a shelf whose end is the newest; `leaves` gives the place that is emptied."""
    shelf, hits = [], 0
    for expert in requests.tolist():
        if expert in shelf:
            hits += 1
            if refresh:
                shelf.remove(expert)
                shelf.append(expert)
            continue
        if len(shelf) == size:
            shelf.pop(leaves)
        shelf.append(expert)
    return hits


def slow_lru_hits(requests, size):
    return _hits(requests, size, 0)


def lru_evicts_the_newest(requests, size):
    return _hits(requests, size, -1)


def lru_without_refresh(requests, size):
    return _hits(requests, size, 0, refresh=False)


def lru_without_limit(requests, size):
    return len(requests) - len(set(requests.tolist()))


def lru_counts_misses(requests, size):
    return len(requests) - slow_lru_hits(requests, size)


lru_hits = Exercise("lru_hits", slow_lru_hits, ((SHORT, 2), (LONG, 2), (LONG, 4)), {
    "the expert used most recently left; the one unused for longest has to": lru_evicts_the_newest,
    "a hit has to count as a use too; yours lets the expert leave that was loaded first": lru_without_refresh,
    "nobody ever left; the cache holds only so many experts": lru_without_limit,
    "you counted the misses": lru_counts_misses})

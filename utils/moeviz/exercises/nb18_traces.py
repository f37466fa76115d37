"""Exercises of notebook 18: a model's rule from its trace, information above its null, an LRU cache."""

import math

import numpy as np

from moeviz.arrays import sigmoid, softmax
from moeviz.exercises.cases import choices, scores, whole
from moeviz.exercises.engine import Exercise


def slow_rule(logits, expert_index, weights):
    rules = {"all", "chosen"}
    for row, chosen, found in zip(logits.tolist(), expert_index.tolist(), weights.tolist(), strict=True):
        powers = [math.exp(score - max(row)) for score in row]
        for rule, over in (("all", range(len(row))), ("chosen", chosen)):
            total = sum(powers[expert] for expert in over)
            if any(abs(powers[e] / total - w) > 0.001 for e, w in zip(chosen, found, strict=True)):
                rules.discard(rule)
    return rules.pop() if rules else "neither"


def draw_rule(rng):
    num_tokens, num_experts = whole(rng, (1, 5), (3, 8))
    logits = scores(rng, num_tokens, num_experts) / 2
    index = choices(rng, num_tokens, num_experts, *whole(rng, (2, min(4, num_experts - 1))))
    picked = np.take_along_axis(logits, index, axis=1)
    shares, alone = np.take_along_axis(softmax(logits), index, axis=1), sigmoid(picked)
    weights = (shares, softmax(picked), alone / alone.sum(axis=1, keepdims=True))[int(rng.integers(3))]
    if rng.random() < 0.2 and num_tokens > 1:  # one token that follows another rule
        other = np.arange(num_tokens)[:, None] == rng.integers(num_tokens)
        weights = np.where(other, softmax(picked), shares)
    return logits, index, np.round(weights, 5)


ROW = np.log([[4.0, 2.0, 1.0, 1.0]])
TWO = np.repeat(ROW, 2, axis=0), np.array([[0, 1], [0, 1]])

rule = Exercise("rule", 18, slow_rule, (
    (ROW, np.array([[0, 1]]), np.array([[0.5, 0.25]])),
    (ROW, np.array([[0, 1]]), np.array([[0.66667, 0.33333]])),
    (ROW, np.array([[0, 1]]), np.array([[0.6, 0.4]])),
    (*TWO, np.array([[0.5, 0.25], [0.66667, 0.33333]]))), draw_rule)


@rule.mistake("a sum of 1 was taken as proof; sigmoid scores can be renormalised too: compare values")
def rule_by_sum(logits, expert_index, weights):
    return "chosen" if np.allclose(weights.sum(axis=1), 1, atol=0.001) else "all"


@rule.mistake("'neither' never came out; weights may follow another rule")
def rule_without_neither(logits, expert_index, weights):
    found = slow_rule(logits, expert_index, weights)
    return "all" if found == "neither" else found


@rule.mistake("only the first token was compared")
def rule_of_the_first_token(logits, expert_index, weights):
    return slow_rule(logits[:1], expert_index[:1], weights[:1])


@rule.mistake("the two names are swapped: 'all' means that the softmax runs over all experts")
def rule_swapped(logits, expert_index, weights):
    found = slow_rule(logits, expert_index, weights)
    return {"all": "chosen", "chosen": "all"}.get(found, found)


@rule.mistake("the weights are rounded: allow a difference of a thousandth")
def rule_exactly(logits, expert_index, weights):
    shares = np.take_along_axis(softmax(logits), expert_index, axis=1)
    chosen = shares / shares.sum(axis=1, keepdims=True)
    alike = [name for name, found in (("all", shares), ("chosen", chosen)) if np.array_equal(found, weights)]
    return alike[0] if alike else "neither"


TABLES = np.array([[[8, 0], [0, 8]], [[5, 5], [5, 5]]])
NULLS = np.array([[[[5, 3], [3, 5]], [[6, 4], [4, 6]]], [[[4, 4], [4, 4]], [[5, 5], [5, 5]]]])


def _information(table, logarithm=math.log2):
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
        chance = [_information(null[layer], logarithm) for null in nulls]
        above.append(_information(table, logarithm) - sum(chance) / len(chance))
    return np.array(above)


def draw_above_null(rng):
    num_layers, repeats, rows, columns = whole(rng, (1, 3), (1, 3), (2, 4), (2, 4))
    shape = num_layers, rows, columns
    tables = rng.integers(1, 20, shape) * rng.integers(0, 2, shape)
    tables[:, 0, 0] += 1
    return tables, rng.integers(1, 15, (repeats, *shape))


above_null = Exercise("above_null", 18, slow_above_null, ((TABLES, NULLS),), draw_above_null)


@above_null.mistake("the null is missing: with few tokens, information is above 0 by chance")
def above_null_without_null(tables, nulls):
    return np.array([_information(table) for table in tables])


@above_null.mistake("you pooled the layers; expert 3 of one layer is no relative of expert 3 of another")
def above_null_pooled(tables, nulls):
    pooled = slow_above_null(tables.sum(axis=0)[None], nulls.sum(axis=1)[:, None])
    return np.repeat(pooled, len(tables))


@above_null.mistake("this is in nats; bits need the logarithm to base 2")
def above_null_in_nats(tables, nulls):
    return slow_above_null(tables, nulls, math.log)


@above_null.mistake("you averaged the shuffled tables first; average their information")
def above_null_of_the_mean_table(tables, nulls):
    return slow_above_null(tables, nulls.mean(axis=0)[None])


@above_null.mistake("the null of one shuffle depends on its luck: average over all of them")
def above_null_of_one_shuffle(tables, nulls):
    return slow_above_null(tables, nulls[:1])


def _hits(requests, size, leaves, refresh=True, forget=True):
    """Count hits of a shelf whose end is the newest; `leaves` gives the place that is emptied."""
    shelf, hits = [], 0
    for expert in requests.tolist():
        if expert in shelf:
            hits += 1
            if refresh:
                if forget:
                    shelf.remove(expert)
                shelf.append(expert)
            continue
        if len(shelf) >= size:
            shelf.pop(leaves)
        shelf.append(expert)
    return hits


def slow_lru_hits(requests, size):
    return _hits(requests, size, 0)


def draw_lru_hits(rng):
    number, num_experts = whole(rng, (1, 25), (2, 6))
    return rng.integers(0, num_experts, number), *whole(rng, (1, num_experts))


lru_hits = Exercise("lru_hits", 18, slow_lru_hits, (
    (np.array([0, 1, 0, 2, 0, 1]), 2), (np.array([0, 0, 1, 0, 2, 1]), 2)), draw_lru_hits)


@lru_hits.mistake("the expert used most recently left; the one unused for longest has to")
def lru_evicts_the_newest(requests, size):
    return _hits(requests, size, -1)


@lru_hits.mistake("a hit has to count as a use too; yours lets the expert leave that was loaded first")
def lru_without_refresh(requests, size):
    return _hits(requests, size, 0, refresh=False)


@lru_hits.mistake("after a hit the expert stands in the cache twice: remove it before you append it")
def lru_without_remove(requests, size):
    return _hits(requests, size, 0, forget=False)


@lru_hits.mistake("nobody ever left; the cache holds only so many experts")
def lru_without_limit(requests, size):
    return len(requests) - len(set(requests.tolist()))


@lru_hits.mistake("you counted the misses")
def lru_counts_misses(requests, size):
    return len(requests) - slow_lru_hits(requests, size)


@lru_hits.mistake("that is the share of hits; count them")
def lru_share(requests, size):
    return slow_lru_hits(requests, size) / len(requests)

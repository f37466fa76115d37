"""Exercises of notebook 18: a model's rule from its trace, identical rows, information above its null."""

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
    (*TWO, np.array([[0.5, 0.25], [0.66667, 0.33333]]))), draw_rule, {
    "a sum of 1 was taken as proof; sigmoid scores can be renormalised too: compare values":
        lambda logits, expert_index, weights: (
            "chosen" if np.allclose(weights.sum(axis=1), 1, atol=0.001) else "all"),
    "what is not 'all' need not be 'chosen'; compare with both rules":
        lambda *case: "all" if slow_rule(*case) == "all" else "chosen",
    "only the first token was compared":
        lambda logits, expert_index, weights: slow_rule(logits[:1], expert_index[:1], weights[:1]),
    "'neither' never came out; weights may follow another rule":
        lambda *case: slow_rule(*case).replace("neither", "all"),
    "the two names are swapped: 'all' means that the softmax runs over all experts":
        lambda *case: {"all": "chosen", "chosen": "all", "neither": "neither"}[slow_rule(*case)]})


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


above_null = Exercise("above_null", 18, slow_above_null, ((TABLES, NULLS),), draw_above_null, {
    "the null is missing: with few tokens, information is above 0 by chance":
        lambda tables, nulls: np.array([_information(table) for table in tables]),
    "this is in nats; bits need the logarithm to base 2":
        lambda tables, nulls: slow_above_null(tables, nulls, math.log),
    "you averaged the shuffled tables first; average their information":
        lambda tables, nulls: slow_above_null(tables, nulls.mean(axis=0)[None]),
    "the null of one shuffle depends on its luck: average over all of them":
        lambda tables, nulls: slow_above_null(tables, nulls[:1])})


@above_null.mistake("you pooled the layers; expert 3 of one layer is no relative of expert 3 of another")
def above_null_pooled(tables, nulls):
    pooled = slow_above_null(tables.sum(axis=0)[None], nulls.sum(axis=1)[:, None])
    return np.repeat(pooled, len(tables))


def slow_identical(index, least):
    identical, start = np.zeros(len(index), bool), 0
    for row in range(1, len(index) + 1):
        if row == len(index) or (index[row] != index[start]).any():
            identical[start:row] = row - start >= least
            start = row
    return identical


def draw_identical(rng):
    blocks, k, num_experts, least = whole(rng, (1, 6), (1, 3), (3, 4), (2, 4))
    rows = choices(rng, blocks, num_experts, k)
    if rng.random() < 0.3:  # a row that comes back later
        rows[-1] = rows[0]
    return np.repeat(rows, rng.integers(1, 6, blocks), axis=0), least


identical = Exercise("identical", 18, slow_identical, (
    (np.array([[1, 2], [1, 2], [1, 2], [0, 3], [1, 2]]), 3),
    (np.array([[1, 2], [1, 0], [1, 3]]), 2), (np.array([[1, 2], [2, 1]]), 2)), draw_identical, {
    "equal rows were counted wherever they stand; only consecutive rows make a stretch":
        lambda index, least: (index[:, None] == index).all(axis=2).sum(axis=1) >= least,
    "only the first choices were compared; a row is equal if all of its choices are":
        lambda index, least: slow_identical(index[:, :1], least),
    "the order of the choices was dropped; [1, 2] and [2, 1] are different rows":
        lambda index, least: slow_identical(np.sort(index, axis=1), least),
    "a stretch of exactly `least` rows counts too":
        lambda index, least: slow_identical(index, least + 1),
    "every repeated row was marked; a stretch of fewer than `least` rows is normal text":
        lambda index, least: slow_identical(index, 2)})


@identical.mistake("the first row of each stretch is missing; it belongs to it")
def identical_without_the_first(index, least):
    before = np.concatenate([[False], (index[1:] == index[:-1]).all(axis=1)])
    return slow_identical(index, least) & before

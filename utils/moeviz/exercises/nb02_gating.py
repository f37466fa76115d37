"""Exercises of notebook 02: how close a decision was, scores for wanted weights, a broken router."""

import math

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.cases import name_bugs, scores, whole
from moeviz.exercises.engine import Exercise

SMALL = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
TIED = np.array([[1.0, 1.0, -1.0, -1.0], [0.0, 2.0, 2.0, 2.0]])


def slow_margin(logits, k):
    margins = []
    for row in logits.tolist():
        ordered = sorted(row, reverse=True)
        margins.append(ordered[k - 1] - ordered[k])
    return np.array(margins)


def draw_margin(rng):
    num_tokens, num_experts = whole(rng, (1, 6), (2, 7))
    return scores(rng, num_tokens, num_experts, ties=rng.random() < 0.3), *whole(rng, (1, num_experts - 1))


margin = Exercise("margin", 2, slow_margin, ((SMALL, 2), (TIED, 1)), draw_margin, {
    "you compared the best two scores; the border lies after the k-th":
        lambda logits, k: slow_margin(logits, 1),
    "that is a difference of softmax shares; the margin is one of scores":
        lambda logits, k: slow_margin(softmax(logits), k),
    "the difference is the wrong way round: the chosen score minus the other one":
        lambda *case: -slow_margin(*case)})


@margin.mistake("one rank too late: counting from zero, the last chosen expert is k - 1")
def margin_one_rank_late(logits, k):
    ordered = -np.sort(-logits, axis=1)
    return ordered[:, k] - ordered[:, min(k + 1, logits.shape[1] - 1)]


def slow_wanted(weights):
    return np.array([[math.log(weight) - math.log(row[0]) for weight in row] for row in weights.tolist()])


def draw_wanted(rng):
    num_tokens, num_experts = whole(rng, (1, 5), (2, 6))
    return (softmax(scores(rng, num_tokens, num_experts)),)


wanted = Exercise("wanted", 2, slow_wanted, (
    (np.array([[0.5, 0.25, 0.25]]),), (np.array([[0.1, 0.9], [0.5, 0.5]]),)), draw_wanted, {
    "softmax of these gives the weights, but the first score is not 0: subtract it from its row":
        np.log,
    "the same score was subtracted from every row; each row has its own first score":
        lambda weights: np.log(weights) - np.log(weights[0, 0]),
    "here the largest score is 0; the task wants the first to be 0":
        lambda weights: np.log(weights) - np.log(weights).max(axis=1, keepdims=True),
    "softmax takes exp, so a score is a logarithm; you took differences of the weights":
        lambda weights: weights - weights[:, :1],
    "these are ratios of weights; softmax takes exp, so take their logarithm":
        lambda weights: weights / weights[:, :1],
    "softmax has base e; take the natural logarithm, not the one to base 2":
        lambda weights: np.log2(weights / weights[:, :1])})

FAULTS = {"exp overflows": "large scores give nan",
          "the softmax runs over the tokens": "another token in the batch changes a token's weights",
          "the best expert stands last": "column 0 holds the last choice",
          "nothing is renormalised": "the weights of a token do not sum to 1"}


def slow_repaired(tokens, gate, k, bugs=()):
    logits = np.array([[sum(a * b for a, b in zip(token, column, strict=True)) for column in gate.T.tolist()]
                       for token in tokens.tolist()])
    axis = 0 if "the softmax runs over the tokens" in bugs else 1
    shift = 0 if "exp overflows" in bugs else logits.max(axis=axis, keepdims=True)
    powers = np.exp(logits - shift)
    probs = powers / powers.sum(axis=axis, keepdims=True)
    index = np.argsort(-probs, axis=1, kind="stable")[:, :k]
    if "the best expert stands last" in bugs:
        index = index[:, ::-1]
    weights = np.take_along_axis(probs, index, axis=1)
    total = 1 if "nothing is renormalised" in bugs else weights.sum(axis=1, keepdims=True)
    return index, weights / total


def draw_repaired(rng):
    num_tokens, width, num_experts = whole(rng, (1, 5), (2, 4), (2, 5))
    tokens = rng.integers(-2, 3, size=(num_tokens, width)).astype(float)
    gate = rng.integers(-2, 3, size=(width, num_experts)).astype(float)
    if rng.random() < 0.3:  # a large number in every score of a token: exp overflows
        tokens[:, -1], gate[-1] = rng.integers(0, 2, num_tokens), 1000
    return tokens, gate, *whole(rng, (1, num_experts))


PAIR, GATE = np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([[2.0, 1.0, 0.0], [-3.0, 0.0, 1.0]])
LARGE = np.array([[2.0, 2.0, -2.0], [1000.0, 1000.0, 1000.0]])

repaired = Exercise("repaired", 2, slow_repaired, (
    (PAIR, GATE, 2), (PAIR, GATE, 1), (np.array([[0.0, 1.0], [1.0, 1.0]]), LARGE, 2)), draw_repaired)
name_bugs(repaired, slow_repaired, FAULTS)

"""Exercises of notebook 02: softmax, a top-2 router, and how close its decision was."""

import math

import numpy as np

from moeviz.arrays import softmax as library_softmax
from moeviz.exercises.engine import Exercise

SMALL = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
TIED = np.array([[1.0, 1.0, -1.0, -1.0], [0.0, 2.0, 2.0, 2.0]])
LARGE = np.array([[1000.0, 999.0], [-1000.0, 1000.0]])
RANDOM = np.random.default_rng(2).normal(size=(5, 6))


def slow_softmax(logits):
    rows = []
    for row in logits:
        powers = [math.exp(score - max(row)) for score in row]
        rows.append([power / sum(powers) for power in powers])
    return np.array(rows)


def softmax_over_tokens(logits):
    return library_softmax(logits, axis=0)


def softmax_over_everything(logits):
    return library_softmax(logits.ravel()).reshape(logits.shape)


def softmax_without_shift(logits):
    with np.errstate(all="ignore"):
        powers = np.exp(logits)
        return powers / powers.sum(axis=1, keepdims=True)


softmax = Exercise("softmax", slow_softmax, ((SMALL,), (LARGE,), (RANDOM,)), {
    "you summed over the tokens (axis 0); each token's row must sum to 1": softmax_over_tokens,
    "you summed over the whole matrix; each token's row must sum to 1": softmax_over_everything,
    "exp overflows for large scores; subtract the largest score of the row first": softmax_without_shift})


def slow_top_2(logits):
    index, weights = [], []
    for row in slow_softmax(logits):
        best = sorted(range(len(row)), key=lambda expert: (-row[expert], expert))[:2]
        index.append(best)
        weights.append([row[expert] / sum(row[best]) for expert in best])
    return np.array(index), np.array(weights)


def _top_2_of(order, logits, *, renormalize=True):
    chosen = np.take_along_axis(library_softmax(logits), order, axis=1)
    return order, chosen / chosen.sum(axis=1, keepdims=True) if renormalize else chosen


def top_2_without_renormalising(logits):
    return _top_2_of(np.argsort(-logits, axis=1, kind="stable")[:, :2], logits, renormalize=False)


def top_2_worst_first(logits):
    return _top_2_of(np.argsort(logits, axis=1, kind="stable")[:, -2:], logits)


def top_2_of_the_lowest(logits):
    return _top_2_of(np.argsort(logits, axis=1, kind="stable")[:, :2], logits)


def top_2_ties_to_the_last(logits):
    return _top_2_of(np.argsort(logits, axis=1, kind="stable")[:, :-3:-1], logits)


top_2 = Exercise("top_2", slow_top_2, ((SMALL,), (TIED,), (RANDOM,)), {
    "the weights do not sum to 1: divide each row by its sum": top_2_without_renormalising,
    "the second choice stands first; the best expert belongs in column 0": top_2_worst_first,
    "you took the two lowest scores: argsort sorts upwards": top_2_of_the_lowest,
    "a tie went to the higher expert number: sort -logits with kind='stable'": top_2_ties_to_the_last})


def slow_margin(logits, k):
    margins = []
    for row in logits.tolist():
        ordered = sorted(row, reverse=True)
        margins.append(ordered[k - 1] - ordered[k])
    return np.array(margins)


def margin_of_the_first_two(logits, k):
    return slow_margin(logits, 1)


def margin_one_rank_late(logits, k):
    ordered = -np.sort(-logits, axis=1)
    return ordered[:, k] - ordered[:, min(k + 1, logits.shape[1] - 1)]


def margin_in_shares(logits, k):
    return slow_margin(library_softmax(logits), k)


margin = Exercise("margin", slow_margin, ((SMALL, 2), (TIED, 1), (RANDOM, 2), (RANDOM, 4)), {
    "you compared the best two scores; the border lies after the k-th": margin_of_the_first_two,
    "one rank too late: counting from zero, the last chosen expert is k - 1": margin_one_rank_late,
    "that is a difference of softmax shares; the margin is one of scores": margin_in_shares})

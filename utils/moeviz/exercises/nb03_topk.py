"""Exercises of notebook 03: softmax over the survivors, a bias that does not leak, noisy thresholds."""

import math

import numpy as np

from moeviz.arrays import sigmoid, softmax, top_k_index
from moeviz.exercises.engine import Exercise

ROW = np.array([[2.0, 1.0, 0.0, -1.0]])
TIED = np.array([[0.0, 3.0, 3.0, 3.0], [5.0, 5.0, 5.0, 5.0]])
RANDOM = np.random.default_rng(4).normal(size=(6, 5))


def slow_survivors(logits, k):
    weights = np.zeros(logits.shape)
    for t, row in enumerate(logits.tolist()):
        best = sorted(range(len(row)), key=lambda expert: (-row[expert], expert))[:k]
        total = sum(math.exp(row[expert]) for expert in best)
        for expert in best:
            weights[t, expert] = math.exp(row[expert]) / total
    return weights


def _mask(logits, k):
    mask = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(mask, top_k_index(logits, k), True, axis=1)
    return mask


def survivors_masked_with_zero(logits, k):
    return softmax(np.where(_mask(logits, k), logits, 0.0))


def survivors_not_renormalised(logits, k):
    return np.where(_mask(logits, k), softmax(logits), 0.0)


def survivors_double_softmax(logits, k):
    return slow_survivors(softmax(logits), k)


def survivors_all_ties(logits, k):
    cut = -np.sort(-logits, axis=1)[:, k - 1:k]
    return softmax(np.where(logits >= cut, logits, -np.inf))


survivors = Exercise("survivors", slow_survivors, ((ROW, 2), (TIED, 2), (RANDOM, 1), (RANDOM, 3)), {
    "a score of 0 still has the power 1: mask with -inf": survivors_masked_with_zero,
    "the weights do not sum to 1: the sum goes over the survivors only": survivors_not_renormalised,
    "softmax was applied twice; the second one flattens the weights": survivors_double_softmax,
    "a tie let in more than k experts: choose by index, not by a cut": survivors_all_ties})


def slow_biased(logits, bias, k):
    index, weights = [], []
    for row in logits.tolist():
        scores = [1 / (1 + math.exp(-score)) for score in row]
        seen = [score + b for score, b in zip(scores, bias, strict=True)]
        best = sorted(range(len(row)), key=lambda expert: (-seen[expert], expert))[:k]
        index.append(best)
        weights.append([scores[expert] / sum(scores[e] for e in best) for expert in best])
    return np.array(index), np.array(weights)


def _weigh(index, scores, *, renormalize=True):
    chosen = np.take_along_axis(scores, index, axis=1)
    return index, chosen / chosen.sum(axis=1, keepdims=True) if renormalize else chosen


def biased_leak(logits, bias, k):
    seen = sigmoid(logits) + bias
    return _weigh(top_k_index(seen, k), seen)


def biased_logits(logits, bias, k):
    seen = sigmoid(logits + bias)
    return _weigh(top_k_index(seen, k), sigmoid(logits))


def biased_unused(logits, bias, k):
    return _weigh(top_k_index(logits, k), sigmoid(logits))


def biased_softmax(logits, bias, k):
    return _weigh(top_k_index(softmax(logits) + bias, k), softmax(logits))


def biased_not_renormalised(logits, bias, k):
    return _weigh(top_k_index(sigmoid(logits) + bias, k), sigmoid(logits), renormalize=False)


biased = Exercise("biased", slow_biased, (
    (ROW, np.array([0.0, 0.0, 0.0, 0.7]), 2), (ROW, np.array([0.0, 0.3, 0.5, 0.0]), 2),
    (RANDOM, np.array([0.4, -0.4, 0.0, 0.2, -0.2]), 3)), {
    "the bias leaked into the weights; they come from the sigmoid alone": biased_leak,
    "the bias was added to the logits; it belongs to the sigmoid's result": biased_logits,
    "the bias plays no part in the choice": biased_unused,
    "softmax makes the experts compete; here each has its own sigmoid": biased_softmax,
    "the weights do not sum to 1: renormalise the chosen ones": biased_not_renormalised})


def slow_threshold(noisy, k):
    return np.array([sorted((score for j, score in enumerate(noisy.tolist()) if j != i), reverse=True)[k - 1]
                     for i in range(len(noisy))])


def threshold_of_everyone(noisy, k):
    return np.full(len(noisy), -np.sort(-noisy)[k - 1])


def threshold_one_too_low(noisy, k):
    return np.full(len(noisy), -np.sort(-noisy)[k])


def threshold_swapped(noisy, k):
    ordered = -np.sort(-noisy)
    return np.where(noisy >= ordered[k - 1], ordered[k - 1], ordered[k])


threshold = Exercise("threshold", slow_threshold, (
    (np.array([3.0, 1.0, 2.0]), 1), (np.array([3.0, 1.0, 2.0]), 2), (RANDOM[0], 2)), {
    "an expert does not compete with itself: take it out before you rank": threshold_of_everyone,
    "only experts inside the top k must beat the (k+1)-th score": threshold_one_too_low,
    "the two cases are swapped: inside the top k the next score below counts": threshold_swapped})

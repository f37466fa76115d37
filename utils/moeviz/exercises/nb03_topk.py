"""Exercises of notebook 03: softmax over the survivors, noisy thresholds, a bias that does not leak."""

import math

import numpy as np

from moeviz.arrays import sigmoid, softmax, top_k_index, top_k_mask
from moeviz.exercises.cases import scores, whole
from moeviz.exercises.engine import Exercise

ROW = np.array([[2.0, 1.0, 0.0, -1.0]])
TIED = np.array([[0.0, 3.0, 3.0, 3.0], [5.0, 5.0, 5.0, 5.0]])


def slow_survivors(logits, k):
    weights = np.zeros(logits.shape)
    for t, row in enumerate(logits.tolist()):
        best = sorted(range(len(row)), key=lambda expert: (-row[expert], expert))[:k]
        total = sum(math.exp(row[expert]) for expert in best)
        for expert in best:
            weights[t, expert] = math.exp(row[expert]) / total
    return weights


def draw_survivors(rng):
    num_tokens, num_experts = whole(rng, (1, 6), (2, 6))
    return scores(rng, num_tokens, num_experts, ties=rng.random() < 0.3), *whole(rng, (1, num_experts))


survivors = Exercise("survivors", 3, slow_survivors, ((ROW, 2), (TIED, 2)), draw_survivors, {
    "the others were masked with 0, and exp(0) is 1: mask with -inf":
        lambda logits, k: softmax(np.where(top_k_mask(logits, k), logits, 0.0)),
    "the weights do not sum to 1: the sum goes over the survivors only":
        lambda logits, k: np.where(top_k_mask(logits, k), softmax(logits), 0.0),
    "softmax was applied twice; the second one flattens the weights":
        lambda logits, k: slow_survivors(softmax(logits), k)})


@survivors.mistake("a tie let in more than k experts: choose by index, not by a cut")
def survivors_all_ties(logits, k):
    cut = -np.sort(-logits, axis=1)[:, k - 1:k]
    return softmax(np.where(logits >= cut, logits, -np.inf))


def slow_threshold(noisy, k):
    return np.array([sorted((score for j, score in enumerate(noisy.tolist()) if j != i), reverse=True)[k - 1]
                     for i in range(len(noisy))])


def draw_threshold(rng):
    num_experts, = whole(rng, (2, 8))
    return scores(rng, 1, num_experts, ties=rng.random() < 0.4)[0], *whole(rng, (1, num_experts - 1))


threshold = Exercise("threshold", 3, slow_threshold, (
    (np.array([3.0, 1.0, 2.0]), 1), (np.array([3.0, 1.0, 2.0]), 2)), draw_threshold, {
    "every expert got the k-th score of the whole row; take it out before you rank the others":
        lambda noisy, k: np.full(len(noisy), -np.sort(-noisy)[k - 1]),
    "every expert got the (k+1)-th score; that is right only inside the top k":
        lambda noisy, k: np.full(len(noisy), -np.sort(-noisy)[k])})


@threshold.mistake("the two cases are swapped: inside the top k the next score below counts")
def threshold_swapped(noisy, k):
    ordered = -np.sort(-noisy)
    return np.where(noisy >= ordered[k - 1], ordered[k - 1], ordered[k])


def slow_biased(logits, bias, k):
    index, weights = [], []
    for row in logits.tolist():
        sigmoids = [1 / (1 + math.exp(-score)) for score in row]
        seen = [score + b for score, b in zip(sigmoids, bias, strict=True)]
        best = sorted(range(len(row)), key=lambda expert: (-seen[expert], expert))[:k]
        index.append(best)
        weights.append([sigmoids[expert] / sum(sigmoids[e] for e in best) for expert in best])
    return np.array(index), np.array(weights)


def draw_biased(rng):
    num_tokens, num_experts = whole(rng, (1, 6), (2, 6))
    return (scores(rng, num_tokens, num_experts), rng.uniform(-0.5, 0.5, num_experts),
            *whole(rng, (1, num_experts)))


def _weigh(index, values, *, renormalize=True):
    chosen = np.take_along_axis(values, index, axis=1)
    return index, chosen / chosen.sum(axis=1, keepdims=True) if renormalize else chosen


biased = Exercise("biased", 3, slow_biased, (
    (ROW, np.array([0.0, 0.0, 0.0, 0.7]), 2), (ROW, np.array([0.0, 0.3, 0.5, 0.0]), 2)), draw_biased, {
    "the bias was added to the logits; it belongs to the sigmoid's result":
        lambda logits, bias, k: _weigh(top_k_index(sigmoid(logits + bias), k), sigmoid(logits)),
    "the bias was not used in the choice":
        lambda logits, bias, k: _weigh(top_k_index(logits, k), sigmoid(logits)),
    "softmax was used, where the experts compete; here each has a sigmoid of its own":
        lambda logits, bias, k: _weigh(top_k_index(softmax(logits) + bias, k), softmax(logits)),
    "the weights do not sum to 1: renormalise the chosen ones":
        lambda logits, bias, k: (
            _weigh(top_k_index(sigmoid(logits) + bias, k), sigmoid(logits), renormalize=False)),
    "the bias leaked into the weights; they come from the sigmoid alone":
        lambda logits, bias, k: _weigh(top_k_index(sigmoid(logits) + bias, k), sigmoid(logits) + bias)})


@biased.mistake("the experts are sorted by weight; best first means by sigmoid plus bias")
def biased_sorted_by_weight(logits, bias, k):
    index = top_k_index(sigmoid(logits) + bias, k)
    order = np.argsort(-np.take_along_axis(logits, index, axis=1), axis=1, kind="stable")
    return _weigh(np.take_along_axis(index, order, axis=1), sigmoid(logits))

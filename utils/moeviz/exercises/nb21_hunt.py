"""Notebook 21: put the suspects right in three parts: choosing and weighing, seats, the balancing loss.

The typical mistakes are all combinations of the bugs that the part can have, so that an answer with two of
them is told both.
"""

from functools import partial
from itertools import chain, combinations

import numpy as np

from moeviz.arrays import softmax, top_k_index
from moeviz.exercises.engine import Exercise

SHOWS = {
    "double softmax": "the loss hardly moves, however uneven the load is",
    "padding counted": "change the padding and the load changes",
    "layers pooled": "two opposite collapsed layers still look even",
    "P taken after top-k": "experts that were not chosen have score 0",
    "bias in the weight": "with a bias the same experts get other weights",
    "noise at evaluation": "two runs still differ",
    "second choice renormalised twice": "a token that lost one expert still has weights that sum to 1",
    "first choices not first": "an earlier second choice takes the seat of a later first choice"}


def with_bugs(function, names):
    """Return {sentence: function} for every set of these bugs; each sentence says what still shows."""
    sets = chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1))
    return {_sentence(bugs): partial(function, bugs=bugs) for bugs in sets}


def _sentence(bugs):
    return "still there: " + "; ".join(f"{name}, {SHOWS[name]}" for name in bugs)


def slow_weighed(logits, noise, bias, k, training, bugs=()):
    index, weights = [], []
    for row, drawn in zip(logits, noise, strict=True):
        noisy = training or "noise at evaluation" in bugs
        probs = softmax(row + drawn if noisy else row)
        seen = probs + bias
        best = sorted(range(len(row)), key=lambda expert: (-seen[expert], expert))[:k]
        heard = seen if "bias in the weight" in bugs else probs
        index.append(best)
        weights.append([heard[expert] / sum(heard[best]) for expert in best])
    return np.array(index), np.array(weights)


def weighed_never_noisy(logits, noise, bias, k, training):
    return slow_weighed(logits, noise, bias, k, False)


def weighed_without_bias(logits, noise, bias, k, training):
    return slow_weighed(logits, noise, 0 * bias, k, training)


def _weighed_cases():
    rng = np.random.default_rng(181)
    row = np.array([[2.0, 1.0, 0.0, -1.0]])
    small = (row, np.array([[-1.5, 0.5, 1.0, 0.0]]), np.array([0.0, 0.1, 0.0, 0.3]), 2)
    large = (rng.normal(size=(6, 5)), rng.normal(size=(6, 5)), rng.uniform(0, 0.3, 5), 2)
    return tuple((*case, training) for case in (small, large) for training in (False, True))


weighed = Exercise("weighed", slow_weighed, _weighed_cases(), {
    **with_bugs(slow_weighed, ("noise at evaluation", "bias in the weight")),
    "the noise is gone in training too, where it belongs": weighed_never_noisy,
    "the bias plays no part in the choice": weighed_without_bias})


def slow_served(expert_index, weights, seats, num_experts, bugs=()):
    tokens, slots = range(len(weights)), range(weights.shape[1])
    queue = [(token, slot) for slot in slots for token in tokens]
    if "first choices not first" in bugs:
        queue = [(token, slot) for token in tokens for slot in slots]
    free, served = [seats] * num_experts, np.zeros(weights.shape)
    for token, slot in queue:
        expert = expert_index[token, slot]
        if free[expert] > 0:
            free[expert] -= 1
            served[token, slot] = weights[token, slot]
    if "second choice renormalised twice" in bugs:
        total = served.sum(axis=1, keepdims=True)
        return served / np.where(total > 0, total, 1)
    return served


def served_from_the_end(expert_index, weights, seats, num_experts):
    return slow_served(expert_index[::-1], weights[::-1], seats, num_experts)[::-1]


def served_by_slot(expert_index, weights, seats, num_experts):
    return np.hstack([slow_served(expert_index[:, [slot]], weights[:, [slot]], seats, num_experts)
                      for slot in range(weights.shape[1])])


def served_one_too_many(expert_index, weights, seats, num_experts):
    return slow_served(expert_index, weights, seats + 1, num_experts)


def _served_cases():
    rng = np.random.default_rng(182)
    index = np.array([rng.permutation(4)[:2] for _ in range(12)])
    first = rng.uniform(0.5, 0.9, size=(12, 1))
    typed = np.array([[0, 1], [1, 0], [0, 1]]), np.array([[0.75, 0.25], [0.625, 0.375], [0.5, 0.5]])
    return ((*typed, 1, 2), (*typed, 2, 2), (index, np.hstack([first, 1 - first]), 4, 4))


served = Exercise("served", slow_served, _served_cases(), {
    **with_bugs(slow_served, ("first choices not first", "second choice renormalised twice")),
    "each slot had seats of its own; an expert has one set of seats for both": served_by_slot,
    "the last token was served first": served_from_the_end,
    "one seat too many was given": served_one_too_many})


def slow_balanced(logits, mask, k, bugs=()):
    rows = np.ones_like(mask) if "padding counted" in bugs else mask
    layers = [np.concatenate(logits[:, rows])] if "layers pooled" in bugs else logits[:, rows]
    losses = []
    for layer in layers:
        chosen = np.zeros(layer.shape)
        np.put_along_axis(chosen, top_k_index(layer, k), 1, axis=1)
        scores = softmax(softmax(layer)) if "double softmax" in bugs else softmax(layer)
        scores = scores * chosen if "P taken after top-k" in bugs else scores
        share = chosen.mean(axis=0) / k
        losses.append(layer.shape[1] * (share * scores.mean(axis=0)).sum())
    return float(np.mean(losses))


def balanced_per_k(logits, mask, k):
    return k * slow_balanced(logits, mask, k)


def balanced_summed(logits, mask, k):
    return len(logits) * slow_balanced(logits, mask, k)


def balanced_zeroed(logits, mask, k):
    return slow_balanced(logits * mask[:, None], np.ones_like(mask), k)


def _balanced_cases():
    rng = np.random.default_rng(183)
    typed = np.array([[[2.0, 0.0, 0.0], [1.0, 0.0, -1.0], [0.0, 0.0, 4.0]],
                      [[0.0, 2.0, 0.0], [0.0, 1.0, -1.0], [5.0, 0.0, 0.0]]])
    large = rng.normal(size=(3, 16, 6)) + np.array([2.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    return ((typed, np.array([True, True, False]), 1), (large, np.arange(16) % 4 < 3, 2))


balanced = Exercise("balanced", slow_balanced, _balanced_cases(), {
    **with_bugs(slow_balanced, ("double softmax", "padding counted", "layers pooled", "P taken after top-k")),
    "f sums to k here; divide by k, so that an even load gives 1": balanced_per_k,
    "the layers were added; take their mean": balanced_summed,
    "padding was set to 0 and still counted; leave these tokens out": balanced_zeroed})

"""Exercises of notebook 05: the busiest expert, layers and padding kept apart, two entropies."""

import math

import numpy as np

from moeviz.exercises.engine import Exercise

COUNTS = np.array([6, 3, 3])
EMPTY_EXPERTS = np.array([9, 1, 0, 0, 5])


def slow_violation(counts):
    total, busiest = 0, 0
    for count in counts.tolist():
        total += count
        busiest = max(busiest, count)
    return busiest / (total / len(counts)) - 1


def violation_against_one(counts):
    return counts.max() / counts.mean()


def violation_against_the_least(counts):
    return counts.max() / max(counts.min(), 1) - 1


def violation_of_busy_experts(counts):
    return counts.max() / counts[counts > 0].mean() - 1


def violation_as_share(counts):
    return counts.max() / counts.sum() - 1 / len(counts)


violation = Exercise("violation", slow_violation, ((COUNTS,), (np.array([4, 4, 4, 4]),), (EMPTY_EXPERTS,)), {
    "subtract 1, so that an even load reads 0": violation_against_one,
    "compare with the mean; the least busy expert may have nothing": violation_against_the_least,
    "the mean is over all experts, also those without a token": violation_of_busy_experts,
    "this is a difference of shares; divide by the fair share": violation_as_share})


def _layers(seed, num_layers, num_tokens, num_experts, k):
    order = np.tile(np.arange(num_experts), (num_layers, num_tokens, 1))
    return np.random.default_rng(seed).permuted(order, axis=2)[..., :k]


OPPOSITE = np.array([[[0], [0], [1]], [[1], [1], [1]]])
PADDED = np.array([True, True, False])
SIX = _layers(3, 3, 12, 5, 2)
SIX[:, 8:] = [4, 0]  # padding: every place the same two experts


def slow_layers(expert_index, num_experts, mask):
    found = []
    for layer in expert_index:
        counts = [0] * num_experts
        for row, real in zip(layer.tolist(), mask.tolist(), strict=True):
            for expert in row if real else ():
                counts[expert] += 1
        found.append(slow_violation(np.array(counts)))
    return np.array(found)


def layers_with_padding(expert_index, num_experts, mask):
    return slow_layers(expert_index, num_experts, np.ones_like(mask))


def layers_pooled(expert_index, num_experts, mask):
    counts = np.bincount(expert_index[:, mask].ravel(), minlength=num_experts)
    return slow_violation(counts)


def layers_pooled_and_repeated(expert_index, num_experts, mask):
    return np.full(len(expert_index), layers_pooled(expert_index, num_experts, mask))


def layers_first_choices(expert_index, num_experts, mask):
    return slow_layers(expert_index[..., :1], num_experts, mask)


def layers_zeroed_padding(expert_index, num_experts, mask):
    return slow_layers(expert_index * mask[:, None], num_experts, np.ones_like(mask))


layers = Exercise("layers", slow_layers, ((OPPOSITE, 2, PADDED), (SIX, 5, np.arange(12) < 8)), {
    "padding was counted: leave out the tokens where mask is False": layers_with_padding,
    "the layers were pooled; give one number per layer": layers_pooled,
    "every layer got the number of all layers together": layers_pooled_and_repeated,
    "only first choices were counted": layers_first_choices,
    "padding went to expert 0: leave these tokens out instead of writing zeros": layers_zeroed_padding})


def slow_entropies(probs, expert_index):
    num_experts = probs.shape[1]
    doubt = sum(_entropy(row) for row in probs.tolist()) / len(probs)
    counts = [0] * num_experts
    for expert in expert_index.ravel().tolist():
        counts[expert] += 1
    total = sum(counts)
    return doubt / math.log(num_experts), _entropy([c / total for c in counts]) / math.log(num_experts)


def _entropy(shares):
    return -sum(p * math.log(p) for p in shares if p > 0)


def entropies_of_the_mean(probs, expert_index):
    doubt = _entropy(probs.mean(axis=0).tolist()) / math.log(probs.shape[1])
    return doubt, slow_entropies(probs, expert_index)[1]


def entropies_in_nats(probs, expert_index):
    return tuple(value * math.log(probs.shape[1]) for value in slow_entropies(probs, expert_index))


def entropies_swapped(probs, expert_index):
    return slow_entropies(probs, expert_index)[::-1]


def entropies_with_nan(probs, expert_index):
    with np.errstate(all="ignore"):
        share = np.bincount(expert_index.ravel(), minlength=probs.shape[1]) / expert_index.size
        each = [-(p * np.log(p)).sum(axis=-1).mean() / math.log(probs.shape[1]) for p in (probs, share)]
    return tuple(each)


SURE = np.eye(4)[[0, 1, 2, 3]]
DOUBT = np.array([[0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])

entropies = Exercise("entropies", slow_entropies, (
    (SURE, np.array([[0], [1], [2], [3]])), (DOUBT, np.array([[0, 1], [0, 1], [0, 1]]))), {
    "this is the entropy of the mean row; take the mean of the rows' entropies": entropies_of_the_mean,
    "divide both by ln E, so that they lie between 0 and 1": entropies_in_nats,
    "the router's doubt comes first, the load second": entropies_swapped,
    "0 ln 0 counts as 0; NumPy makes it NaN": entropies_with_nan})

"""Exercises of notebook 05: how far a load is from even, layers and padding kept apart, two entropies."""

import math

import numpy as np

from moeviz.exercises.cases import choices, whole
from moeviz.exercises.engine import Exercise


def slow_moves(counts):
    fair, left = sum(counts.tolist()) // len(counts), counts.tolist()
    moved = 0
    while max(left) > fair:  # the busiest expert hands one token to the idlest
        left[left.index(max(left))] -= 1
        left[left.index(min(left))] += 1
        moved += 1
    return moved


def draw_moves(rng):
    counts = rng.integers(0, 15, *whole(rng, (2, 7)))
    counts[-1] += -counts.sum() % len(counts)
    return (counts,)


moves = Exercise("moves", 5, slow_moves, (
    (np.array([6, 3, 3]),), (np.array([4, 4, 4, 4]),), (np.array([5, 5, 2, 0]),),
    (np.array([9, 1, 0, 0, 5]),)), draw_moves, {
    "every move was counted twice, where it leaves and where it arrives":
        lambda counts: np.abs(counts - counts.mean()).sum(),
    "only the busiest expert gave tokens away; others are above the mean as well":
        lambda counts: counts.max() - counts.mean(),
    "that is what lies above the idlest expert; even means that all have the mean":
        lambda counts: (counts - counts.min()).sum(),
    "that is a share of the tokens; the question asks how many":
        lambda counts: slow_moves(counts) / max(counts.sum(), 1)})


def _violation(counts):
    total, busiest = 0, 0
    for count in counts:
        total += count
        busiest = max(busiest, count)
    return busiest / (total / len(counts)) - 1


def slow_layers(expert_index, num_experts, mask):
    found = []
    for layer in expert_index:
        counts = [0] * num_experts
        for row, real in zip(layer.tolist(), mask.tolist(), strict=True):
            for expert in row if real else ():
                counts[expert] += 1
        found.append(_violation(counts))
    return np.array(found)


def draw_layers(rng):
    num_layers, num_tokens, num_experts = whole(rng, (1, 3), (1, 10), (2, 6))
    k, = whole(rng, (1, min(3, num_experts)))
    mask = rng.random(num_tokens) < 0.7
    mask[rng.integers(num_tokens)] = True
    return np.stack([choices(rng, num_tokens, num_experts, k) for _ in range(num_layers)]), num_experts, mask


layers = Exercise("layers", 5, slow_layers, (
    (np.array([[[0], [0], [1]], [[1], [1], [1]]]), 2, np.array([True, True, False])),), draw_layers, {
    "padding was counted: leave out the tokens where mask is False":
        lambda expert_index, num_experts, mask: slow_layers(expert_index, num_experts, np.ones_like(mask)),
    "every layer got the number of all layers together":
        lambda expert_index, num_experts, mask: (
            np.full(len(expert_index), layers_pooled(expert_index, num_experts, mask))),
    "only first choices were counted":
        lambda expert_index, num_experts, mask: slow_layers(expert_index[..., :1], num_experts, mask),
    "padding went to expert 0: leave these tokens out instead of writing zeros":
        lambda expert_index, num_experts, mask: (
            slow_layers(expert_index * mask[:, None], num_experts, np.ones_like(mask))),
    "the 1 was not subtracted; an even load has to read 0":
        lambda *case: slow_layers(*case) + 1})


@layers.mistake("the layers were pooled; give one number per layer")
def layers_pooled(expert_index, num_experts, mask):
    return _violation(np.bincount(expert_index[:, mask].ravel(), minlength=num_experts))


@layers.mistake("experts without a token are missing from the mean: use minlength")
def layers_of_busy_experts(expert_index, num_experts, mask):
    counts = [np.unique(layer, return_counts=True)[1] for layer in expert_index[:, mask]]
    return np.array([each.max() / each.mean() - 1 for each in counts])


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


def draw_entropies(rng):
    num_tokens, num_experts = whole(rng, (1, 8), (2, 7))
    probs = rng.dirichlet(np.ones(num_experts), size=num_tokens)
    sure = rng.random(num_tokens) < 0.2
    probs[sure] = np.eye(num_experts)[rng.integers(num_experts, size=sure.sum())]
    return probs, choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))


SURE = np.eye(4)[[0, 1, 2, 3]]
DOUBT = np.array([[0.4, 0.3, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])

entropies = Exercise("entropies", 5, slow_entropies, (
    (SURE, np.array([[0], [1], [2], [3]])), (DOUBT, np.array([[0, 1], [0, 1], [0, 1]]))), draw_entropies, {
    "divide both by ln E, so that they lie between 0 and 1":
        lambda probs, expert_index: (
            tuple(value * math.log(probs.shape[1]) for value in slow_entropies(probs, expert_index))),
    "the two values are swapped: the router's doubt comes first, the load second":
        lambda *case: slow_entropies(*case)[::-1],
    "this is the entropy of the mean row; take the mean of the rows' entropies":
        lambda probs, expert_index: (
            _entropy(probs.mean(axis=0).tolist()) / math.log(probs.shape[1]),
            slow_entropies(probs, expert_index)[1])})


@entropies.mistake("NumPy made 0 ln 0 a NaN; it counts as 0")
def entropies_with_nan(probs, expert_index):
    share = np.bincount(expert_index.ravel(), minlength=probs.shape[1]) / expert_index.size
    each = [-(p * np.log(p)).sum(axis=-1).mean() / math.log(probs.shape[1]) for p in (probs, share)]
    return tuple(each)

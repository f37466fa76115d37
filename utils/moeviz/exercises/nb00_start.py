"""Exercises of notebook 00: the load, the weighted sum of one token, what an expert likes."""

import numpy as np

from moeviz.exercises.cases import choices, whole
from moeviz.exercises.engine import Exercise

INDEX = np.array([[0, 2], [2, 0], [2, 1]])


def slow_load(expert_index, num_experts):
    counts = [0] * num_experts
    for row in expert_index:
        for expert in row:
            counts[expert] += 1
    return np.array(counts) / sum(counts)


def draw_load(rng):
    num_tokens, num_experts = whole(rng, (1, 12), (2, 8))
    k, = whole(rng, (1, min(4, num_experts)))
    return choices(rng, num_tokens, num_experts, k), num_experts


load = Exercise("load", 0, slow_load, ((INDEX, 3), (INDEX, 5)), draw_load, {
    "you divided by the number of tokens; with k choices each the shares sum to k":
        lambda expert_index, num_experts: slow_load(expert_index, num_experts) * expert_index.shape[1],
    "only first choices counted; the second ones are work as well":
        lambda expert_index, num_experts: slow_load(expert_index[:, :1], num_experts),
    "these are counts; divide by their sum":
        lambda expert_index, num_experts: np.bincount(expert_index.ravel(), minlength=num_experts),
    "an expert that nobody chose is missing: use minlength":
        lambda expert_index, num_experts: np.bincount(expert_index.ravel()) / expert_index.size})


ANSWERS = np.array([[1.0, 0.0, 2.0], [0.0, 4.0, 2.0]])


def slow_combine(answers, weights):
    output = np.zeros(answers.shape[1])
    for answer, weight in zip(answers, weights, strict=True):
        output += weight * answer
    return output


def draw_combine(rng):
    k, width = whole(rng, (1, 5), (1, 6))
    return rng.normal(size=(k, width)), rng.random(k)


combine = Exercise("combine", 0, slow_combine, (
    (ANSWERS, np.array([0.75, 0.25])), (ANSWERS, np.array([0.5, 0.2]))), draw_combine, {
    "a plain sum: the weights are missing":
        lambda answers, weights: answers.sum(axis=0),
    "a plain mean: the weights are missing":
        lambda answers, weights: answers.mean(axis=0),
    "only the best expert speaks; the others are missing":
        lambda answers, weights: weights[0] * answers[0],
    "you summed over the width; the sum goes over the experts":
        lambda answers, weights: weights * answers.sum(axis=1),
    "the weights were made to sum to 1; use them as they come":
        lambda answers, weights: slow_combine(answers, weights / weights.sum())})


def slow_favourites(first_choice, kinds, num_experts, num_kinds):
    favourites = []
    for expert in range(num_experts):
        mine = [kind for chosen, kind in zip(first_choice, kinds, strict=True) if chosen == expert]
        favourites.append(max(range(num_kinds), key=mine.count))
    return np.array(favourites)


def draw_favourites(rng):
    num_tokens, num_experts, num_kinds = whole(rng, (1, 40), (2, 6), (2, 6))
    first, kinds = (rng.integers(0, high, num_tokens) for high in (num_experts, num_kinds))
    return first, kinds, num_experts, num_kinds


def _pair_counts(first_choice, kinds, num_experts, num_kinds):
    counts = np.zeros((num_experts, num_kinds), dtype=int)
    np.add.at(counts, (first_choice, kinds), 1)
    return counts


favourites = Exercise("favourites", 0, slow_favourites, (
    (np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 0, 0]), 2, 2),
    (np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 2, 0, 0, 0, 1]), 2, 3)), draw_favourites, {
    "the axis is swapped: that is each kind's favourite expert":
        lambda *case: _pair_counts(*case).argmax(axis=0)})


@favourites.mistake("repeated pairs were counted once: counts[...] += 1 does that, so use np.add.at")
def favourites_counted_once(first_choice, kinds, num_experts, num_kinds):
    counts = np.zeros((num_experts, num_kinds), dtype=int)
    counts[first_choice, kinds] += 1
    return counts.argmax(axis=1)


@favourites.mistake("you divided by how common the kind is; the question asks for the most frequent")
def favourites_as_share_of_the_kind(first_choice, kinds, num_experts, num_kinds):
    counts = _pair_counts(first_choice, kinds, num_experts, num_kinds)
    return (counts / np.maximum(counts.sum(axis=0), 1)).argmax(axis=1)

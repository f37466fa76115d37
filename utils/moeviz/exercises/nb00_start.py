"""Exercises of notebook 00: the load, the weighted sum of one token, what an expert likes."""

import numpy as np

from moeviz.exercises.engine import Exercise

INDEX = np.array([[0, 2], [2, 0], [2, 1]])
MANY = np.random.default_rng(0).permuted(np.tile(np.arange(8), (40, 1)), axis=1)[:, :2]


def slow_load(expert_index, num_experts):
    counts = [0] * num_experts
    for row in expert_index:
        for expert in row:
            counts[expert] += 1
    return np.array(counts) / sum(counts)


def load_per_token(expert_index, num_experts):
    return slow_load(expert_index, num_experts) * expert_index.shape[1]


def load_of_first_choices(expert_index, num_experts):
    return slow_load(expert_index[:, :1], num_experts)


def load_as_counts(expert_index, num_experts):
    return np.bincount(expert_index.ravel(), minlength=num_experts)


def load_without_idle_experts(expert_index, num_experts):
    counts = np.bincount(expert_index.ravel())
    return counts / counts.sum()


load = Exercise("load", slow_load, ((INDEX, 3), (INDEX, 5), (MANY, 8)), {
    "you divided by the number of tokens; with k choices each the shares sum to k": load_per_token,
    "only first choices counted; the second ones are work as well": load_of_first_choices,
    "these are counts; divide by their sum": load_as_counts,
    "an expert that nobody chose is missing: use minlength": load_without_idle_experts})

ANSWERS = np.array([[1.0, 0.0, 2.0], [0.0, 4.0, 2.0]])


def slow_combine(answers, weights):
    output = np.zeros(answers.shape[1])
    for answer, weight in zip(answers, weights, strict=True):
        output += weight * answer
    return output


combine = Exercise("combine", slow_combine, (
    (ANSWERS, np.array([0.75, 0.25])), (ANSWERS, np.array([0.5, 0.2])),
    (np.random.default_rng(1).normal(size=(4, 3)), np.array([0.4, 0.3, 0.2, 0.1]))), {
    "a plain sum: the weights are missing": lambda answers, weights: answers.sum(axis=0),
    "a plain mean: the weights are missing": lambda answers, weights: answers.mean(axis=0),
    "only the best expert speaks; the others are missing": lambda answers, weights: weights[0] * answers[0],
    "you summed over the width; the sum goes over the experts":
        lambda answers, weights: weights * answers.sum(axis=1)})


def slow_favourites(first_choice, kinds, num_experts, num_kinds):
    favourites = []
    for expert in range(num_experts):
        mine = [kind for chosen, kind in zip(first_choice, kinds, strict=True) if chosen == expert]
        favourites.append(max(range(num_kinds), key=mine.count))
    return np.array(favourites)


def _pair_counts(first_choice, kinds, num_experts, num_kinds):
    counts = np.zeros((num_experts, num_kinds), dtype=int)
    np.add.at(counts, (first_choice, kinds), 1)
    return counts


def favourites_counted_once(first_choice, kinds, num_experts, num_kinds):
    counts = np.zeros((num_experts, num_kinds), dtype=int)
    counts[first_choice, kinds] += 1
    return counts.argmax(axis=1)


def favourites_by_kind(first_choice, kinds, num_experts, num_kinds):
    return _pair_counts(first_choice, kinds, num_experts, num_kinds).argmax(axis=0)


def favourites_as_share_of_the_kind(first_choice, kinds, num_experts, num_kinds):
    counts = _pair_counts(first_choice, kinds, num_experts, num_kinds)
    return (counts / np.maximum(counts.sum(axis=0), 1)).argmax(axis=1)


favourites = Exercise("favourites", slow_favourites, (
    (np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 0, 0]), 2, 2),
    (np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 2, 0, 0, 0, 1]), 2, 3),
    (*np.random.default_rng(3).integers(0, 4, size=(2, 60)), 4, 4)), {
    "repeated pairs count once with counts[...] += 1: use np.add.at": favourites_counted_once,
    "the axis is swapped: that is each kind's favourite expert": favourites_by_kind,
    "you divided by how common the kind is; the question asks for the most frequent":
        favourites_as_share_of_the_kind})

"""Exercises of notebook 04: what padding wastes, scatter the answers back, gather tokens by expert."""

import numpy as np

from moeviz.exercises.cases import asked, choices, whole
from moeviz.exercises.engine import Exercise


def slow_waste(counts, seats):
    filled = dropped = empty = 0
    for count in counts.tolist():
        filled += min(count, seats)
        dropped += max(count - seats, 0)
        empty += max(seats - count, 0)
    return dropped / (filled + dropped), empty / (filled + empty)


def draw_waste(rng):
    num_experts, seats = whole(rng, (1, 6), (1, 8))
    counts = rng.integers(0, 12, num_experts)
    counts[0] += counts.sum() == 0
    return counts, seats


waste = Exercise("waste", 4, slow_waste, (
    (np.array([3, 1]), 2), (np.array([5, 2, 0, 1]), 3), (np.array([4, 4, 4]), 4), (np.array([9, 1]), 20)),
    draw_waste, {
    "these are counts; the question asks for shares":
        lambda counts, seats: (np.maximum(counts - seats, 0).sum(), np.maximum(seats - counts, 0).sum()),
    "differences below 0 were counted; an expert with fewer tokens than seats drops none":
        lambda counts, seats: (
            (counts - seats).sum() / counts.sum(), (seats - counts).sum() / (seats * len(counts))),
    "dropped assignments were divided by the seats; they are a share of all assignments":
        lambda counts, seats: (
            np.maximum(counts - seats, 0).sum() / (seats * len(counts)), slow_waste(counts, seats)[1]),
    "empty seats were divided by the assignments; they are a share of all seats":
        lambda counts, seats: (
            slow_waste(counts, seats)[0], np.maximum(seats - counts, 0).sum() / counts.sum())})


@waste.mistake("all seats were pooled; an expert cannot lend its empty seats to another")
def waste_borrowed(counts, seats):
    all_seats = seats * len(counts)
    return max(1 - all_seats / counts.sum(), 0), max(1 - counts.sum() / all_seats, 0)


def slow_scatter(answers, token, weight, num_tokens):
    output = np.zeros((num_tokens, answers.shape[1]))
    for answer, t, w in zip(answers, token, weight, strict=True):
        output[t] += w * answer
    return output


def draw_scatter(rng):
    num_answers, num_tokens, width = whole(rng, (1, 12), (1, 6), (1, 4))
    return (rng.normal(size=(num_answers, width)), rng.integers(0, num_tokens, num_answers),
            rng.random(num_answers), num_tokens)


scatter = Exercise("scatter", 4, slow_scatter, (
    (np.array([[1.0, 2.0], [4.0, 8.0], [6.0, 4.0]]), np.array([1, 0, 1]), np.array([0.5, 1.0, 0.25]), 3),),
    draw_scatter, {
    "the weights are missing":
        asked(slow_scatter, weight=lambda weight: np.ones(len(weight))),
    "the answers were added in list order; each belongs to its token's row":
        lambda answers, token, weight, num_tokens: (
            slow_scatter(answers, np.arange(len(token)) % num_tokens, weight, num_tokens))})


@scatter.mistake("a token that stands twice kept only one answer: use np.add.at")
def scatter_overwriting(answers, token, weight, num_tokens):
    output = np.zeros((num_tokens, answers.shape[1]))
    output[token] += answers * weight[:, None]
    return output


def slow_gather(expert_index, num_experts):
    tokens, counts = [], []
    for expert in range(num_experts):
        mine = [token for token, row in enumerate(expert_index.tolist()) if expert in row]
        tokens += mine
        counts.append(len(mine))
    return np.array(tokens), np.array(counts)


def draw_gather(rng):
    num_tokens, num_experts = whole(rng, (1, 8), (2, 6))
    k, = whole(rng, (1, min(4, num_experts)))
    return choices(rng, num_tokens, num_experts, k), num_experts + int(rng.integers(0, 2))


gather = Exercise("gather", 4, slow_gather, ((np.array([[1, 0], [0, 2], [1, 2]]), 3),), draw_gather, {
    "an expert without tokens is missing in the counts: use minlength":
        lambda expert_index, num_experts: (
            slow_gather(expert_index, num_experts)[0], np.bincount(expert_index.ravel())),
    "these are places in the flat list; there are k of them per token":
        lambda expert_index, num_experts: (
            np.argsort(expert_index.ravel(), kind="stable"), slow_gather(expert_index, num_experts)[1]),
    "all first choices came before the second ones: flatten row by row":
        lambda expert_index, num_experts: (
            np.argsort(expert_index.T.ravel(), kind="stable") % len(expert_index),
            slow_gather(expert_index, num_experts)[1]),
    "these are the sorted experts; the list should hold tokens":
        lambda expert_index, num_experts: (
            np.sort(expert_index.ravel()), slow_gather(expert_index, num_experts)[1])})

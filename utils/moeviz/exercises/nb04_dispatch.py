"""Exercises of notebook 04: gather tokens by expert, scatter their answers back, what padding wastes."""

import numpy as np

from moeviz.exercises.engine import Exercise

INDEX = np.array([[1, 0], [0, 2], [1, 2]])
MANY = np.random.default_rng(5).permuted(np.tile(np.arange(6), (12, 1)), axis=1)[:, :2]
THREE_EACH = np.random.default_rng(6).permuted(np.tile(np.arange(6), (12, 1)), axis=1)[:, :3]


def slow_gather(expert_index, num_experts):
    tokens, counts = [], []
    for expert in range(num_experts):
        mine = [token for token, row in enumerate(expert_index.tolist()) if expert in row]
        tokens += mine
        counts.append(len(mine))
    return np.array(tokens), np.array(counts)


def gather_places(expert_index, num_experts):
    flat = expert_index.ravel()
    return np.argsort(flat, kind="stable"), np.bincount(flat, minlength=num_experts)


def gather_column_by_column(expert_index, num_experts):
    flat = expert_index.T.ravel()
    order = np.argsort(flat, kind="stable")
    return order % len(expert_index), np.bincount(flat, minlength=num_experts)


def gather_experts(expert_index, num_experts):
    flat = expert_index.ravel()
    return np.sort(flat), np.bincount(flat, minlength=num_experts)


def gather_without_idle_experts(expert_index, num_experts):
    tokens, counts = slow_gather(expert_index, num_experts)
    return tokens, counts[counts > 0]


gather = Exercise("gather", slow_gather, ((INDEX, 3), (MANY, 6), (THREE_EACH, 7)), {
    "these are places in the flat list; there are k of them per token": gather_places,
    "all first choices came before the second ones: flatten row by row": gather_column_by_column,
    "these are the sorted experts; the list should hold tokens": gather_experts,
    "an expert without tokens is missing in the counts: use minlength": gather_without_idle_experts})


def slow_scatter(answers, token, weight, num_tokens):
    output = np.zeros((num_tokens, answers.shape[1]))
    for answer, t, w in zip(answers, token, weight, strict=True):
        output[t] += w * answer
    return output


def scatter_overwriting(answers, token, weight, num_tokens):
    output = np.zeros((num_tokens, answers.shape[1]))
    output[token] += answers * weight[:, None]
    return output


def scatter_without_weights(answers, token, weight, num_tokens):
    return slow_scatter(answers, token, np.ones(len(weight)), num_tokens)


def scatter_in_sorted_order(answers, token, weight, num_tokens):
    return slow_scatter(answers, np.arange(len(token)) % num_tokens, weight, num_tokens)


def _answers(seed, num_answers, num_tokens):
    rng = np.random.default_rng(seed)
    token = rng.integers(0, num_tokens, num_answers)
    return rng.normal(size=(num_answers, 3)), token, rng.random(num_answers)


scatter = Exercise("scatter", slow_scatter, (
    (np.array([[1.0, 2.0], [4.0, 8.0], [6.0, 4.0]]), np.array([1, 0, 1]), np.array([0.5, 1.0, 0.25]), 3),
    (*_answers(7, 20, 8), 8)), {
    "a token that stands twice kept only one answer: use np.add.at": scatter_overwriting,
    "the weights are missing": scatter_without_weights,
    "the answers were added in list order; each belongs to its token's row": scatter_in_sorted_order})


def slow_waste(counts, seats):
    filled = dropped = empty = 0
    for count in counts.tolist():
        filled += min(count, seats)
        dropped += max(count - seats, 0)
        empty += max(seats - count, 0)
    return dropped / (filled + dropped), empty / (filled + empty)


def waste_as_counts(counts, seats):
    return np.maximum(counts - seats, 0).sum(), np.maximum(seats - counts, 0).sum()


def waste_borrowed(counts, seats):
    all_seats = seats * len(counts)
    return max(1 - all_seats / counts.sum(), 0), max(1 - counts.sum() / all_seats, 0)


def waste_of_assignments(counts, seats):
    filled = np.minimum(counts, seats).sum()
    return 1 - filled / counts.sum(), np.maximum(seats - counts, 0).sum() / counts.sum()


waste = Exercise("waste", slow_waste, (
    (np.array([3, 1]), 2), (np.array([5, 2, 0, 1]), 3), (np.array([4, 4, 4]), 4), (np.array([9, 1]), 20)), {
    "these are counts; the question asks for shares": waste_as_counts,
    "an expert cannot lend its empty seats to another": waste_borrowed,
    "empty seats are a share of all seats, not of the assignments": waste_of_assignments})

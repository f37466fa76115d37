"""Exercises of notebook 16: the causal mask, the norm before, an expert that is off, harm beyond chance."""

import math

import numpy as np

from moeviz.arrays import softmax, top_k_mask
from moeviz.exercises.cases import scores, whole
from moeviz.exercises.engine import Exercise


def slow_causal(scores):
    weights = np.zeros(scores.shape)
    for t in range(len(scores)):
        powers = [math.exp(scores[t, s] - max(scores[t, :t + 1])) for s in range(t + 1)]
        weights[t, :t + 1] = np.array(powers) / sum(powers)
    return weights


def draw_causal(rng):
    size, = whole(rng, (1, 7))
    return (3 * rng.standard_normal((size, size)),)


causal = Exercise("causal", 16, slow_causal, (
    (np.array([[0.0, 5.0], [1.0, 1.0]]),), (np.log([[1.0, 2.0, 3.0], [1.0, 3.0, 9.0], [1.0, 1.0, 2.0]]),)),
    draw_causal, {
    "the mask is missing: a position looks ahead, and training would copy the answer":
        softmax,
    "zeros after the softmax leave rows that sum to less than 1: mask the scores before it":
        lambda scores: np.tril(softmax(scores)),
    "a score of 0 still has weight: what must not be seen needs a score of minus infinity":
        lambda scores: softmax(np.tril(scores))})


@causal.mistake("a column was made to sum to 1: each position shares out one look, along its row")
def causal_down_the_columns(scores):
    masked = np.where(np.tri(len(scores), dtype=bool), scores, -np.inf)
    return softmax(masked, axis=0)


def slow_block_step(stream, scale, matrix):
    result = []
    for row in stream.tolist():
        size = math.sqrt(sum(x * x for x in row) / len(row))
        token = [g * x / size for g, x in zip(scale, row, strict=True)]
        change = [sum(token[i] * matrix[i, j] for i in range(len(row))) for j in range(len(row))]
        result.append([x + y for x, y in zip(row, change, strict=True)])
    return np.array(result)


def draw_block_step(rng):
    length, width = whole(rng, (1, 5), (2, 5))
    return (rng.standard_normal((length, width)) + 0.5, rng.uniform(0.5, 2, width),
            rng.standard_normal((width, width)))


def _norm(rows, scale):
    return rows / np.sqrt((rows * rows).mean(axis=1, keepdims=True)) * scale


block_step = Exercise("block_step", 16, slow_block_step, (
    (np.array([[3.0, -3.0]]), np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, 1.0]])),
    (np.array([[1.0, 7.0], [5.0, 5.0]]), np.array([1.0, 1.0]), np.array([[0.0, 1.0], [2.0, 0.0]]))),
    draw_block_step, {
    "the norm came after: norm what goes into the layer, and leave the stream alone":
        lambda stream, scale, matrix: _norm(stream + stream @ matrix, scale),
    "the stream itself is missing: a layer adds to it, it does not replace it":
        lambda stream, scale, matrix: _norm(stream, scale) @ matrix,
    "this is the length of the row: the root of the MEAN of the squares is asked for":
        lambda stream, scale, matrix: (
            stream + stream / np.linalg.norm(stream, axis=1, keepdims=True) * scale @ matrix)})


@block_step.mistake("the normed stream was passed on: add the change to the stream as it came")
def on_the_normed_stream(stream, scale, matrix):
    token = _norm(stream, scale)
    return token + token @ matrix


def slow_without(probs, k, off):
    weights = np.zeros(probs.shape)
    for t, row in enumerate(probs):
        best = sorted((e for e in range(len(row)) if e != off), key=lambda e, row=row: (-row[e], e))[:k]
        weights[t, best] = row[best] / sum(row[e] for e in best)
    return weights


def draw_without(rng):
    tokens, experts = whole(rng, (1, 6), (3, 7))
    k, = whole(rng, (1, experts - 1))
    return softmax(scores(rng, tokens, experts)), k, int(rng.integers(experts))


without = Exercise("without", 16, slow_without, (
    (np.array([[0.5, 0.3, 0.2]]), 1, 0), (np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]]), 2, 0)), draw_without)


@without.mistake("the weight of the expert that is off was not passed on: each row has to sum to 1")
def not_passed_on(probs, k, off):
    left = probs.copy()
    left[:, off] = -1
    return left * top_k_mask(left, k)


@without.mistake("nobody took the free place: a token that had chosen it goes to its next best")
def place_left_empty(probs, k, off):
    weights = probs * top_k_mask(probs, k)
    weights[:, off] = 0
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


@without.mistake("the expert was chosen and then silenced: choose among the others")
def chosen_and_silenced(probs, k, off):
    weights = probs * top_k_mask(probs, k)
    weights /= weights.sum(axis=1, keepdims=True)
    weights[:, off] = 0
    return weights


def slow_beyond_chance(damage, null, at):
    inside = [(r, t) for r in range(len(damage)) for t in range(damage.shape[1]) if at[r, t]]
    mean = sum(damage[place] for place in inside) / len(inside)
    chance = sum(run[place] for run in null for place in inside) / len(inside) / len(null)
    rows = len(damage)
    off = [sum(damage[r, t] - mean for t in range(damage.shape[1]) if at[r, t]) for r in range(rows)]
    return mean - chance, math.sqrt(sum(x * x for x in off) * rows / (rows - 1)) / len(inside)


def draw_beyond_chance(rng):
    rows, length, runs = whole(rng, (2, 6), (2, 6), (1, 4))
    at = rng.random((rows, length)) < 0.6
    at[0, 0] = True
    per_row = rng.standard_normal((rows, 1))
    return (per_row + 0.3 * rng.standard_normal((rows, length)), 0.2 + rng.random((runs, rows, length)), at)


beyond_chance = Exercise("beyond_chance", 16, slow_beyond_chance, (
    (np.array([[1.0, 1.0], [3.0, 3.0]]), np.array([[[0.5, 0.5], [0.5, 0.5]]]), np.array([[True] * 2] * 2)),
    (np.array([[1.0, 9.0], [3.0, 5.0]]), np.array([[[1.0, 0.0], [1.0, 1.0]]]),
     np.array([[True, False], [True, True]]))), draw_beyond_chance, {
    "bytes of one row go together: the error comes from rows, not from single bytes":
        lambda damage, null, at: (
            slow_beyond_chance(damage, null, at)[0], damage[at].std() / math.sqrt(at.sum())),
    "all bytes were taken; the question is about those where `at` is True":
        lambda damage, null, at: slow_beyond_chance(damage, null, np.ones_like(at)),
    "the null is missing: random choices that are off cost something too":
        lambda damage, null, at: (damage[at].mean(), slow_beyond_chance(damage, null, at)[1])})


@beyond_chance.mistake("rows with few such bytes count less: take the mean over bytes, not over rows")
def mean_of_rows(damage, null, at):
    rows = [r for r in range(len(at)) if at[r].any()]
    means = [damage[r][at[r]].mean() - null[:, r][:, at[r]].mean() for r in rows]
    return np.mean(means), slow_beyond_chance(damage, null, at)[1]

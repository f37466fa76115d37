"""Exercises of notebook 06: seats per expert, first choices first, sure tokens first."""

import math

import numpy as np

from moeviz.exercises.engine import Exercise


def slow_seats(num_tokens, num_experts, k, factor):
    seats = 1
    while seats * num_experts < k * num_tokens * factor:
        seats += 1
    return seats


def seats_rounded_down(num_tokens, num_experts, k, factor):
    return max(1, int(k * num_tokens * factor / num_experts))


def seats_for_first_choices(num_tokens, num_experts, k, factor):
    return max(1, math.ceil(num_tokens * factor / num_experts))


def seats_in_all(num_tokens, num_experts, k, factor):
    return math.ceil(k * num_tokens * factor)


def seats_possibly_none(num_tokens, num_experts, k, factor):
    return math.ceil(k * num_tokens / num_experts) * factor


seats = Exercise("seats", slow_seats, (
    (8, 4, 1, 1.0), (6, 3, 2, 1.25), (10, 4, 1, 1.5), (3, 8, 1, 0.25), (1000, 16, 2, 1.25)), {
    "round up: half a seat is no seat": seats_rounded_down,
    "every token needs k seats": seats_for_first_choices,
    "these are the seats of all experts together": seats_in_all,
    "multiply by the factor first, then round up": seats_possibly_none})


def _choices(seed, num_tokens, num_experts, k):
    order = np.tile(np.arange(num_experts), (num_tokens, 1))
    return np.random.default_rng(seed).permuted(order, axis=1)[:, :k]


def _serve(expert_index, seats, arrivals):
    """Seat (token, slot) pairs in the order of arrival; return (T, k) bool."""
    taken = np.zeros(expert_index.max() + 1, dtype=int)
    kept = np.zeros(expert_index.shape, dtype=bool)
    for token, slot in arrivals:
        expert = expert_index[token, slot]
        kept[token, slot] = taken[expert] < seats
        taken[expert] += 1
    return kept


def slow_seated(expert_index, seats):
    num_tokens, k = expert_index.shape
    return _serve(expert_index, seats, [(t, s) for s in range(k) for t in range(num_tokens)])


def seated_token_by_token(expert_index, seats):
    num_tokens, k = expert_index.shape
    return _serve(expert_index, seats, [(t, s) for t in range(num_tokens) for s in range(k)])


def seated_with_one_too_many(expert_index, seats):
    return slow_seated(expert_index, seats + 1)


def seated_column_by_column(expert_index, seats):
    columns = [slow_seated(expert_index[:, [slot]], seats) for slot in range(expert_index.shape[1])]
    return np.concatenate(columns, axis=1)


def seated_all_or_nothing(expert_index, seats):
    kept = slow_seated(expert_index, seats)
    return np.repeat(kept.all(axis=1)[:, None], kept.shape[1], axis=1)


FEW = np.array([[0, 1], [0, 2], [1, 0], [0, 1]])
MANY = _choices(11, 16, 4, 2)
MANY_3 = _choices(12, 12, 5, 3)

seated = Exercise("seated", slow_seated, ((FEW, 2), (MANY, 5), (MANY_3, 4)), {
    "all first choices sit down before any second choice": seated_token_by_token,
    "one too many: the places in a queue count from 0": seated_with_one_too_many,
    "second choices found all seats free again; the first choices sit there": seated_column_by_column,
    "a token that loses one choice keeps its other one": seated_all_or_nothing})


def slow_sure_first(expert_index, score, seats):
    order = sorted(range(len(score)), key=lambda token: (-score[token], token))
    arrivals = [(token, slot) for slot in range(expert_index.shape[1]) for token in order]
    return _serve(expert_index, seats, arrivals)


def sure_last(expert_index, score, seats):
    return slow_sure_first(expert_index, -score, seats)


def sure_first_in_sorted_rows(expert_index, score, seats):
    order = np.argsort(-score, kind="stable")
    return slow_seated(expert_index[order], seats)


def sure_first_in_wrong_rows(expert_index, score, seats):
    order = np.argsort(-score, kind="stable")
    return slow_seated(expert_index[order], seats)[order]


def position_first(expert_index, score, seats):
    return slow_seated(expert_index, seats)


SCORES = np.array([0.5, 0.9, 0.5, 0.8])

sure_first = Exercise("sure_first", slow_sure_first, (
    (FEW, SCORES, 2), (MANY, np.random.default_rng(13).random(16), 5),
    (MANY_3, np.random.default_rng(14).random(12), 4)), {
    "the least sure tokens came first: sort the scores downwards": sure_last,
    "the rows stayed sorted by score; bring them back to the order of the tokens": sure_first_in_sorted_rows,
    "sorting the rows again does not undo the sort: write kept[order] = ...": sure_first_in_wrong_rows,
    "the scores were not used": position_first})

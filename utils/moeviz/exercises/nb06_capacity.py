"""Exercises of notebook 06: seats per expert, first choices first, sure tokens first."""

import math

import numpy as np

from moeviz.exercises.cases import choices, whole
from moeviz.exercises.engine import Exercise


def slow_seats(num_tokens, num_experts, k, factor):
    seats = 1
    while seats * num_experts < k * num_tokens * factor:
        seats += 1
    return seats


def draw_seats(rng):
    num_tokens, num_experts = whole(rng, (1, 60), (2, 16))
    return num_tokens, num_experts, *whole(rng, (1, min(4, num_experts))), int(rng.integers(1, 9)) / 4


seats = Exercise("seats", 6, slow_seats, (
    (8, 4, 1, 1.0), (6, 3, 2, 1.25), (10, 4, 1, 1.5), (3, 8, 1, 0.25)), draw_seats, {
    "rounded down; round up, so that everyone fits":
        lambda num_tokens, num_experts, k, factor: max(1, int(k * num_tokens * factor / num_experts)),
    "one choice per token was counted; every token needs k seats":
        lambda num_tokens, num_experts, k, factor: max(1, math.ceil(num_tokens * factor / num_experts)),
    "these are the seats of all experts together; divide by their number":
        lambda num_tokens, num_experts, k, factor: math.ceil(k * num_tokens * factor),
    "rounded before the factor was applied; multiply first and round up last":
        lambda num_tokens, num_experts, k, factor: math.ceil(k * num_tokens / num_experts) * factor})


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


def draw_seated(rng):
    num_tokens, num_experts = whole(rng, (1, 10), (2, 5))
    expert_index = choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))
    return expert_index, *whole(rng, (1, 4))


FEW = np.array([[0, 1], [0, 2], [1, 0], [0, 1]])

seated = Exercise("seated", 6, slow_seated, ((FEW, 2), (FEW, 1)), draw_seated, {
    "one too many: the places in a queue count from 0":
        lambda expert_index, seats: slow_seated(expert_index, seats + 1),
    "second choices found all seats free again; the first choices sit there":
        lambda expert_index, seats: (
            np.hstack([slow_seated(choice[:, None], seats) for choice in expert_index.T])),
    "a token that lost one choice lost them all; it keeps the others":
        lambda *case: slow_seated(*case) & slow_seated(*case).all(axis=1, keepdims=True)})


@seated.mistake("seats were given token by token; all first choices come before any second choice")
def seated_token_by_token(expert_index, seats):
    num_tokens, k = expert_index.shape
    return _serve(expert_index, seats, [(t, s) for t in range(num_tokens) for s in range(k)])


def slow_sure_first(expert_index, score, seats):
    order = sorted(range(len(score)), key=lambda token: (-score[token], token))
    arrivals = [(token, slot) for slot in range(expert_index.shape[1]) for token in order]
    return _serve(expert_index, seats, arrivals)


def draw_sure_first(rng):
    expert_index, seats = draw_seated(rng)
    score = rng.random(len(expert_index))
    return expert_index, np.round(score, 1) if rng.random() < 0.4 else score, seats


sure_first = Exercise("sure_first", 6, slow_sure_first, (
    (FEW, np.array([0.5, 0.9, 0.5, 0.8]), 2), (FEW, np.array([0.1, 0.2, 0.3, 0.4]), 1)), draw_sure_first, {
    "the least sure tokens came first: sort the scores downwards":
        lambda expert_index, score, seats: slow_sure_first(expert_index, -score, seats),
    "the rows stayed sorted by score; bring them back to the order of the tokens":
        lambda expert_index, score, seats: (
            slow_seated(expert_index[np.argsort(-score, kind="stable")], seats)),
    "the scores were not used":
        lambda expert_index, score, seats: slow_seated(expert_index, seats)})


@sure_first.mistake("sorting the rows again does not undo the sort: write kept[order] = ...")
def sure_first_in_wrong_rows(expert_index, score, seats):
    order = np.argsort(-score, kind="stable")
    return slow_seated(expert_index[order], seats)[order]


@sure_first.mistake("among equal scores the later token came first: sort -score with kind='stable'")
def sure_first_ties_turned(expert_index, score, seats):
    kept, order = np.zeros(expert_index.shape, bool), np.argsort(score, kind="stable")[::-1]
    kept[order] = slow_seated(expert_index[order], seats)
    return kept

"""Exercises of notebook 10: what a routing captures, whether it looks ahead, and the next best seat."""

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.engine import Exercise

PROBS = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0], [0.25, 0.25, 0.5]])
INDEX = np.array([[0, 1], [0, 1], [2, -1]])
KEPT = np.array([[True, True], [False, True], [True, False]])
RANDOM = softmax(2 * np.random.default_rng(9).normal(size=(10, 5)))
ORDER = np.argsort(-RANDOM, axis=1)[:, :3]
SEATED = np.random.default_rng(10).random((10, 3)) < 0.6


def slow_reading(probs, expert_index, kept):
    score = experts = 0
    for row, chosen, seated in zip(probs, expert_index.tolist(), kept.tolist(), strict=True):
        for expert, has_seat in zip(chosen, seated, strict=True):
            if has_seat:
                score += row[expert]
                experts += 1
    return score / len(probs), experts / len(probs)


def reading_with_drops(probs, expert_index, kept):
    return slow_reading(probs, expert_index, expert_index >= 0)


def reading_with_empty_slots(probs, expert_index, kept):
    return slow_reading(probs, expert_index, np.ones_like(kept))


def reading_of_own_sum(probs, expert_index, kept):
    score, experts = slow_reading(probs, expert_index, kept)
    return score / slow_reading(probs, expert_index, expert_index >= 0)[0], experts


def reading_per_choice(probs, expert_index, kept):
    score, experts = slow_reading(probs, expert_index, kept)
    return score / experts, experts


def reading_with_right_score_and_drops(probs, expert_index, kept):
    return slow_reading(probs, expert_index, kept)[0], (expert_index >= 0).sum() / len(probs)


reading = Exercise("reading", slow_reading, ((PROBS, INDEX, KEPT), (RANDOM, ORDER, SEATED)), {
    "dropped choices were counted; they bring the token nothing": reading_with_drops,
    "every slot was counted; -1 would name the last expert": reading_with_empty_slots,
    "the score was divided by what its own choices hold; that hides what was given up": reading_of_own_sum,
    "the score was divided by choices; the question is what a token gets": reading_per_choice,
    "drops were counted as experts per token": reading_with_right_score_and_drops})


def _weights(seed, num_tokens, num_experts):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(num_tokens, num_experts))
    chosen = logits >= -np.sort(-logits, axis=1)[:, 1:2]
    return np.where(chosen, rng.integers(1, 9, size=logits.shape) / 8, 0)


BEFORE = np.array([[1.0, 0.0], [0.75, 0.25], [0.0, 1.0], [1.0, 0.0]])
AFTER = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
LONG = _weights(11, 12, 4)
LONG_AFTER = LONG.copy()
LONG_AFTER[[1, 4, 9, 10]] = LONG_AFTER[[1, 4, 9, 10], ::-1]
LONG_AFTER[6] *= 0.5
UNMOVED = LONG.copy()
UNMOVED[8:] = UNMOVED[8:, ::-1]


def slow_leaked(before, after, cut):
    moved = 0
    for token in range(cut):
        if any(abs(a - b) > 1e-9 for a, b in zip(before[token], after[token], strict=True)):
            moved += 1
    return moved / cut


def leaked_later(before, after, cut):
    return slow_leaked(before[cut:], after[cut:], len(before) - cut)


def leaked_everywhere(before, after, cut):
    return slow_leaked(before, after, len(before))


def leaked_of_all(before, after, cut):
    return slow_leaked(before, after, cut) * cut / len(before)


def leaked_experts_only(before, after, cut):
    return slow_leaked((before > 0) * 1.0, (after > 0) * 1.0, cut)


def leaked_first_choice(before, after, cut):
    return float((before[:cut].argmax(axis=1) != after[:cut].argmax(axis=1)).mean())


leaked = Exercise("leaked", slow_leaked, (
    (BEFORE, AFTER, 3), (LONG, LONG_AFTER, 8), (LONG, UNMOVED, 8)), {
    "you looked at the tokens that were changed; of course they moved": leaked_later,
    "all tokens were counted, also those that were changed": leaked_everywhere,
    "divide by the earlier tokens alone": leaked_of_all,
    "weights can leak too: compare them, not only who was chosen": leaked_experts_only,
    "only first choices were compared": leaked_first_choice})


def slow_next_best(logits, seats):
    free, chosen = [seats] * logits.shape[1], []
    for row in logits.tolist():
        order = sorted(range(len(row)), key=lambda expert: (-row[expert], expert))
        expert = next(expert for expert in order if free[expert] > 0)
        free[expert] -= 1
        chosen.append(expert)
    return np.array(chosen)


def next_best_without_seats(logits, seats):
    return logits.argmax(axis=1)


def next_best_dropping(logits, seats):
    first, taken = logits.argmax(axis=1), np.zeros(logits.shape[1], int)
    chosen = []
    for expert in first:
        taken[expert] += 1
        chosen.append(expert if taken[expert] <= seats else -1)
    return np.array(chosen)


def next_best_by_score(logits, seats):
    order = np.argsort(-logits.max(axis=1), kind="stable")
    chosen = np.empty(len(logits), int)
    chosen[order] = slow_next_best(logits[order], seats)
    return chosen


def next_best_one_seat_more(logits, seats):
    return slow_next_best(logits, seats + 1)


def next_best_in_rotation(logits, seats):
    return np.arange(len(logits)) % logits.shape[1]


CROWD = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [4.0, 0.0, 3.0]])
MANY = np.random.default_rng(12).normal(size=(12, 4)) + np.array([2.0, 0.5, 0.0, 0.0])

next_best = Exercise("next_best", slow_next_best, ((CROWD, 1), (MANY, 3), (MANY, 5)), {
    "nobody counted the seats: this is top-1": next_best_without_seats,
    "a token without its favourite goes to the next best expert instead of being dropped": next_best_dropping,
    "tokens were served by score: an earlier token then waits for later ones": next_best_by_score,
    "one seat too many was given": next_best_one_seat_more,
    "the load is even, but the scores were never read": next_best_in_rotation})

"""Exercises of notebook 10: what a routing captures, whether it looks ahead, and the next best seat."""

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.cases import choices, scores, whole
from moeviz.exercises.engine import Exercise

PROBS = np.array([[0.5, 0.25, 0.25], [0.75, 0.25, 0.0], [0.25, 0.25, 0.5]])
INDEX = np.array([[0, 1], [0, 1], [2, -1]])
KEPT = np.array([[True, True], [False, True], [True, False]])


def slow_reading(probs, expert_index, kept):
    score = experts = 0
    for row, chosen, seated in zip(probs, expert_index.tolist(), kept.tolist(), strict=True):
        for expert, has_seat in zip(chosen, seated, strict=True):
            if has_seat:
                score += row[expert]
                experts += 1
    return score / len(probs), experts / len(probs)


def draw_reading(rng):
    num_tokens, num_experts = whole(rng, (1, 8), (2, 6))
    index = choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))
    index[rng.random(index.shape) < 0.2] = -1
    return (softmax(scores(rng, num_tokens, num_experts)), index,
            (index >= 0) & (rng.random(index.shape) < 0.7))


def _score_of_choices(probs, expert_index):
    return slow_reading(probs, expert_index, expert_index >= 0)


reading = Exercise("reading", 10, slow_reading, ((PROBS, INDEX, KEPT),), draw_reading, {
    "dropped choices were counted; they bring the token nothing":
        lambda probs, expert_index, kept: _score_of_choices(probs, expert_index),
    "every slot was counted; -1 would name the last expert":
        lambda probs, expert_index, kept: slow_reading(probs, expert_index, np.ones_like(kept)),
    "drops were counted as experts per token":
        lambda probs, expert_index, kept: (
            slow_reading(probs, expert_index, kept)[0], (expert_index >= 0).sum() / len(probs)),
    "tokens that got nothing were left out; divide by all tokens":
        lambda probs, expert_index, kept: (
            np.divide(slow_reading(probs, expert_index, kept), kept.any(axis=1).mean()))})


@reading.mistake("the score was divided by what its own choices hold; that hides what was given up")
def reading_of_own_sum(probs, expert_index, kept):
    score, experts = slow_reading(probs, expert_index, kept)
    return score / _score_of_choices(probs, expert_index)[0], experts


@reading.mistake("the score was divided by choices; the question is what a token gets")
def reading_per_choice(probs, expert_index, kept):
    score, experts = slow_reading(probs, expert_index, kept)
    return score / experts, experts


BEFORE = np.array([[1.0, 0.0], [0.75, 0.25], [0.0, 1.0], [1.0, 0.0]])
AFTER = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])


def slow_leaked(before, after, cut):
    moved = 0
    for token in range(cut):
        if any(abs(a - b) > 1e-9 for a, b in zip(before[token], after[token], strict=True)):
            moved += 1
    return moved / cut


def draw_leaked(rng):
    num_tokens, num_experts = whole(rng, (2, 9), (2, 5))
    logits = scores(rng, num_tokens, num_experts)
    chosen = logits >= -np.sort(-logits, axis=1)[:, 1:2]
    before = np.where(chosen, rng.integers(1, 9, size=logits.shape) / 8, 0)
    after, cut = before.copy(), int(rng.integers(1, num_tokens))
    after[cut:] = before[cut:, ::-1]
    for token in np.flatnonzero(rng.random(cut) < rng.choice([0.0, 0.5])):
        after[token] = before[token, ::-1] if rng.random() < 0.4 else before[token] * rng.choice([0.5, 1.5])
    return before, after, cut


leaked = Exercise("leaked", 10, slow_leaked, (
    (BEFORE, AFTER, 3), (BEFORE, AFTER, 1), (AFTER, BEFORE, 2)), draw_leaked, {
    "you looked at the tokens that were changed; of course they moved":
        lambda before, after, cut: slow_leaked(before[cut:], after[cut:], len(before) - cut),
    "that is the number of the tokens that moved; divide by the number of earlier ones":
        lambda before, after, cut: slow_leaked(before, after, cut) * cut,
    "all tokens were counted, also those that were changed":
        lambda before, after, cut: slow_leaked(before, after, len(before)),
    "divided by all tokens; divide by the earlier ones alone":
        lambda before, after, cut: slow_leaked(before, after, cut) * cut / len(before),
    "only who was chosen was compared; weights can leak too":
        lambda before, after, cut: slow_leaked((before > 0) * 1.0, (after > 0) * 1.0, cut),
    "only first choices were compared":
        lambda before, after, cut: float((before[:cut].argmax(axis=1) != after[:cut].argmax(axis=1)).mean()),
    "weights that grew were not seen; compare the size of the change, not its sign":
        lambda before, after, cut: float(((before - after)[:cut] > 1e-9).any(axis=1).mean()),
    "that is the share of moved weights; a token with several of them counts once":
        lambda before, after, cut: float((np.abs(before - after)[:cut] > 1e-9).mean())})


def slow_next_best(logits, seats):
    free, chosen = [seats] * logits.shape[1], []
    for row in logits.tolist():
        order = sorted(range(len(row)), key=lambda expert: (-row[expert], expert))
        expert = next(expert for expert in order if free[expert] > 0)
        free[expert] -= 1
        chosen.append(expert)
    return np.array(chosen)


def draw_next_best(rng):
    num_tokens, num_experts = whole(rng, (1, 10), (2, 5))
    logits = scores(rng, num_tokens, num_experts, ties=rng.random() < 0.3) + 2 * (np.arange(num_experts) == 0)
    return logits - rng.choice([0, 0, 50]), -(-num_tokens // num_experts) + int(rng.integers(0, 2))


CROWD = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0], [4.0, 0.0, 3.0]])

next_best = Exercise("next_best", 10, slow_next_best, (
    (CROWD, 1), (CROWD - 9, 1), (CROWD, 2)), draw_next_best, {
    "nobody counted the seats: this is top-1":
        lambda logits, seats: logits.argmax(axis=1),
    "one seat too many was given":
        lambda logits, seats: slow_next_best(logits, seats + 1),
    "the load is even, but the scores were never read":
        lambda logits, seats: np.arange(len(logits)) % logits.shape[1]})


@next_best.mistake("a token without its favourite was dropped; it goes to the next best expert")
def next_best_dropping(logits, seats):
    first, taken = logits.argmax(axis=1), np.zeros(logits.shape[1], int)
    chosen = []
    for expert in first:
        taken[expert] += 1
        chosen.append(expert if taken[expert] <= seats else -1)
    return np.array(chosen)


@next_best.mistake("tokens were served by score: an earlier token then waits for later ones")
def next_best_by_score(logits, seats):
    order = np.argsort(-logits.max(axis=1), kind="stable")
    chosen = np.empty(len(logits), int)
    chosen[order] = slow_next_best(logits[order], seats)
    return chosen


@next_best.mistake("a full expert was given the score 0, which beats negative ones: use -inf")
def next_best_masked_with_zero(logits, seats):
    free, chosen = np.full(logits.shape[1], seats), []
    for row in logits:
        chosen.append(int(np.where(free > 0, row, 0).argmax()))
        free[chosen[-1]] -= 1
    return np.array(chosen)

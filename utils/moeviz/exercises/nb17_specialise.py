"""Exercises of notebook 17: repetition and its null, who is chosen together, language given script."""

from itertools import pairwise

import numpy as np

from moeviz.exercises.cases import choices, whole
from moeviz.exercises.engine import Exercise


def slow_repeated(experts, num_experts):
    pairs = same = 0
    for t in range(len(experts) - 1):
        pairs += 1
        same += experts[t] == experts[t + 1]
    chance = sum((np.mean(experts == e)) ** 2 for e in range(num_experts))
    return same / pairs, chance


def draw_repeated(rng):
    number, num_experts = whole(rng, (2, 20), (2, 8))
    return np.repeat(rng.integers(0, num_experts, number), rng.integers(1, 4, number)), num_experts


repeated = Exercise("repeated", 17, slow_repeated, (
    (np.array([0, 0, 1]), 2), (np.array([0, 0, 1, 2, 2, 0]), 4)), draw_repeated, {
    "1 / E is the chance under an even load only; here some experts get more":
        lambda experts, num_experts: (slow_repeated(experts, num_experts)[0], 1 / num_experts),
    "divided by T; T tokens have T - 1 pairs of neighbours":
        lambda experts, num_experts: (
            (experts[:-1] == experts[1:]).sum() / len(experts), slow_repeated(experts, num_experts)[1]),
    "the last token was compared with the first; they are no neighbours":
        lambda experts, num_experts: (
            (experts == np.roll(experts, 1)).mean(), slow_repeated(experts, num_experts)[1]),
    "that is the largest share; two tokens agree with the sum of the squared shares":
        lambda experts, num_experts: (
            slow_repeated(experts, num_experts)[0], np.bincount(experts).max() / len(experts))})


def slow_together(expert_index, num_experts):
    matrix = np.zeros((num_experts, num_experts))
    for i in range(num_experts):
        rows = [row for row in expert_index.tolist() if i in row]
        for j in range(num_experts):
            if j != i and rows:
                matrix[i, j] = sum(j in row for row in rows) / len(rows)
    return matrix


def draw_together(rng):
    num_tokens, num_experts = whole(rng, (1, 12), (2, 6))
    index = choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))
    return index, num_experts + int(rng.integers(0, 2))  # the last one may be chosen by nobody


together = Exercise("together", 17, slow_together, (
    (np.array([[0, 1], [0, 2], [0, 1]]), 3), (np.array([[0, 1, 2], [3, 0, 1]]), 4)), draw_together, {
    "turned over: row i is given that i was chosen":
        lambda *case: slow_together(*case).T})


@together.mistake("the diagonal was filled; an expert always comes with itself, so leave it 0")
def together_with_itself(expert_index, num_experts):
    chosen = (expert_index[:, :, None] == np.arange(num_experts)).any(axis=1)
    return slow_together(expert_index, num_experts) + np.diag(chosen.any(axis=0).astype(float))


@together.mistake("rows were divided by all tokens; divide each by the tokens that chose its expert")
def together_of_all_tokens(expert_index, num_experts):
    chosen = (expert_index[:, :, None] == np.arange(num_experts)).any(axis=1).astype(float)
    both = chosen.T @ chosen / len(expert_index)
    return both - np.diag(np.diag(both))


@together.mistake("with three choices there are three pairs; you counted neighbours in rank alone")
def together_in_rank_only(expert_index, num_experts):
    matrix = np.zeros((num_experts, num_experts))
    for row in expert_index.tolist():
        for i, j in pairwise(row):
            matrix[i, j] += 1
            matrix[j, i] += 1
    times = np.bincount(expert_index.ravel(), minlength=num_experts)
    return matrix / np.maximum(times, 1)[:, None]


def _information(experts, labels):
    total = 0.0
    for expert in set(experts.tolist()):
        for label in set(labels.tolist()):
            both = np.mean((experts == expert) & (labels == label))
            if both > 0:
                total += both * np.log2(both / np.mean(experts == expert) / np.mean(labels == label))
    return total


def slow_within(experts, languages, scripts):
    total = 0.0
    for script in set(scripts.tolist()):
        inside = scripts == script
        total += inside.mean() * _information(experts[inside], languages[inside])
    return total


def draw_within(rng):
    num_tokens, num_languages, num_scripts, num_experts = whole(rng, (2, 30), (1, 6), (1, 4), (2, 5))
    languages = rng.integers(0, num_languages, num_tokens)
    scripts = rng.integers(0, num_scripts, num_languages)[languages]
    experts = np.where(rng.random(num_tokens) < 0.5, languages, rng.integers(0, num_experts, num_tokens))
    return experts % num_experts, languages, scripts


def _each(experts, languages, scripts):
    inside = [scripts == script for script in np.unique(scripts)]
    return [_information(experts[rows], languages[rows]) for rows in inside]


within_script = Exercise("within_script", 17, slow_within, (
    (np.array([0, 1, 2, 2, 2, 2]), np.array([0, 1, 2, 3, 2, 2]), np.array([0, 0, 1, 1, 1, 1])),
    (np.array([0, 1, 0, 1, 2, 2]), np.array([0, 1, 2, 3, 4, 4]), np.array([0, 0, 1, 1, 2, 2]))),
    draw_within, {
    "the condition is missing: most of this is the script":
        lambda experts, languages, scripts: _information(experts, languages),
    "this is what experts tell about the script, not about the language in it":
        lambda experts, languages, scripts: _information(experts, scripts),
    "all scripts weighed the same; one with more tokens weighs more":
        lambda *case: np.mean(_each(*case)),
    "the scripts were summed; weigh each by its share of the tokens":
        lambda *case: sum(_each(*case)),
    "this is in nats; bits need the logarithm to base 2":
        lambda *case: slow_within(*case) * np.log(2)})

"""Exercises of notebook 17: repetition and its null, who is chosen together, language given script."""

from itertools import pairwise

import numpy as np

from moeviz.exercises.engine import Exercise

CHOICES = np.array([0, 0, 1, 2, 2, 0])
LONG = np.repeat(np.random.default_rng(3).integers(0, 5, 24), np.random.default_rng(4).integers(1, 4, 24))


def slow_repeated(experts, num_experts):
    pairs = same = 0
    for t in range(len(experts) - 1):
        pairs += 1
        same += experts[t] == experts[t + 1]
    chance = sum((np.mean(experts == e)) ** 2 for e in range(num_experts))
    return same / pairs, chance


def repeated_against_a_fair_router(experts, num_experts):
    return slow_repeated(experts, num_experts)[0], 1 / num_experts


def repeated_per_token(experts, num_experts):
    return (experts[:-1] == experts[1:]).sum() / len(experts), slow_repeated(experts, num_experts)[1]


def repeated_round_the_end(experts, num_experts):
    return (experts == np.roll(experts, 1)).mean(), slow_repeated(experts, num_experts)[1]


repeated = Exercise("repeated", slow_repeated, ((np.array([0, 0, 1]), 2), (CHOICES, 4), (LONG, 8)), {
    "1 / E is the null of an even load; here some experts get more": repeated_against_a_fair_router,
    "T tokens have T - 1 pairs of neighbours": repeated_per_token,
    "the last token and the first are no neighbours": repeated_round_the_end})


def slow_information(experts, labels):
    total = 0.0
    for expert in set(experts.tolist()):
        for label in set(labels.tolist()):
            both = np.mean((experts == expert) & (labels == label))
            if both > 0:
                total += both * np.log2(both / np.mean(experts == expert) / np.mean(labels == label))
    return total


def slow_together(expert_index, num_experts):
    matrix = np.zeros((num_experts, num_experts))
    for i in range(num_experts):
        rows = [row for row in expert_index.tolist() if i in row]
        for j in range(num_experts):
            if j != i and rows:
                matrix[i, j] = sum(j in row for row in rows) / len(rows)
    return matrix


def together_with_itself(expert_index, num_experts):
    chosen = (expert_index[:, :, None] == np.arange(num_experts)).any(axis=1)
    return slow_together(expert_index, num_experts) + np.diag(chosen.any(axis=0).astype(float))


def together_of_all_tokens(expert_index, num_experts):
    chosen = (expert_index[:, :, None] == np.arange(num_experts)).any(axis=1).astype(float)
    both = chosen.T @ chosen / len(expert_index)
    return both - np.diag(np.diag(both))


def together_the_other_way(expert_index, num_experts):
    return slow_together(expert_index, num_experts).T


def together_in_rank_only(expert_index, num_experts):
    matrix = np.zeros((num_experts, num_experts))
    for row in expert_index.tolist():
        for i, j in pairwise(row):
            matrix[i, j] += 1
            matrix[j, i] += 1
    times = np.bincount(expert_index.ravel(), minlength=num_experts)
    return matrix / np.maximum(times, 1)[:, None]


TRIPLES = np.random.default_rng(9).permuted(np.tile(np.arange(6), (25, 1)), axis=1)[:, :3]
SKEWED = np.where(TRIPLES == 5, 6, TRIPLES)  # expert 5 is never chosen

together = Exercise("together", slow_together, (
    (np.array([[0, 1], [0, 2], [0, 1]]), 3), (np.array([[0, 1, 2], [3, 0, 1]]), 4), (SKEWED, 7)), {
    "an expert is always chosen with itself; that says nothing: leave the diagonal 0": together_with_itself,
    "divide a row by the tokens that chose its expert, not by all tokens": together_of_all_tokens,
    "turned over: row i is given that i was chosen": together_the_other_way,
    "with three choices there are three pairs; you counted neighbours in rank alone": together_in_rank_only},
    tolerance=1e-9)


def slow_within(experts, languages, scripts):
    total = 0.0
    for script in set(scripts.tolist()):
        inside = scripts == script
        total += inside.mean() * slow_information(experts[inside], languages[inside])
    return total


def within_without_condition(experts, languages, scripts):
    return slow_information(experts, languages)


def within_of_scripts(experts, languages, scripts):
    return slow_information(experts, scripts)


def within_unweighted(experts, languages, scripts):
    return within_summed(experts, languages, scripts) / len(np.unique(scripts))


def within_summed(experts, languages, scripts):
    inside = [scripts == script for script in np.unique(scripts)]
    return sum(slow_information(experts[rows], languages[rows]) for rows in inside)


def _speakers(seed, num_tokens):
    rng = np.random.default_rng(seed)
    languages = rng.choice(5, num_tokens, p=[0.3, 0.2, 0.1, 0.3, 0.1])
    scripts = np.array([0, 0, 0, 1, 1])[languages]
    experts = np.where(rng.random(num_tokens) < 0.4, languages % 4, scripts + rng.integers(0, 2, num_tokens))
    return experts, languages, scripts


within_script = Exercise("within_script", slow_within, (
    (np.array([0, 1, 2, 2, 2, 2]), np.array([0, 1, 2, 3, 2, 2]), np.array([0, 0, 1, 1, 1, 1])),
    _speakers(1, 30), _speakers(2, 60)), {
    "the condition is missing: most of this is the script": within_without_condition,
    "this is what experts tell about the script, not about the language in it": within_of_scripts,
    "a script with more bytes weighs more in the mean": within_unweighted,
    "the scripts were summed; weigh each by its share of the bytes": within_summed}, tolerance=1e-9)

"""Exercises of notebook 08: one step of the bias rule, swings that an average hides, even over what."""

import numpy as np

from moeviz.exercises.cases import whole
from moeviz.exercises.engine import Exercise

BIAS = np.array([0.1, 0.0, -0.2])


def slow_thermostat(bias, load, rate):
    fair = sum(load.tolist()) / len(load)
    moved = []
    for old, now in zip(bias.tolist(), load.tolist(), strict=True):
        if now < fair:
            moved.append(old + rate)
        elif now > fair:
            moved.append(old - rate)
        else:
            moved.append(old)
    return np.array(moved)


def draw_thermostat(rng):
    num_experts, = whole(rng, (2, 8))
    load = rng.integers(0, 12, num_experts)
    load[-1] += -load.sum() % num_experts  # the mean is a whole number, and some experts have it
    return rng.uniform(-0.5, 0.5, num_experts), load, float(rng.choice([0.5, 0.1, 0.01]))


thermostat = Exercise("thermostat", 8, slow_thermostat, (
    (BIAS, np.array([9, 3, 3]), 0.5), (BIAS, np.array([5, 5, 5]), 0.5),
    (np.zeros(4), np.array([4, 8, 0, 4]), 0.1)), draw_thermostat, {
    "the sign is the wrong way round: a busy expert must lose bias":
        lambda bias, load, rate: bias + rate * np.sign(load - load.mean()),
    "the step grew with the difference; only its sign counts":
        lambda bias, load, rate: bias + rate * (load.mean() - load),
    "the step was 1; it is `rate`":
        lambda bias, load, rate: bias + np.sign(load.mean() - load),
    "the bias starts anew: add the step to the old bias":
        lambda bias, load, rate: rate * np.sign(load.mean() - load),
    "the load was compared with 1; compare it with its mean":
        lambda bias, load, rate: bias + rate * np.sign(1 - load),
    "the load was compared with the middle of its extremes; compare it with its mean":
        lambda bias, load, rate: bias + rate * np.sign((load.max() + load.min()) / 2 - load),
    "an expert with exactly the mean load was moved; it keeps its bias":
        lambda bias, load, rate: bias + rate * np.where(load < load.mean(), 1, -1)})


def slow_swings(loads):
    def violation(load):
        return max(load) / (sum(load) / len(load)) - 1
    rows = loads.tolist()
    average = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return sum(map(violation, rows)) / len(rows), violation(average)


def draw_swings(rng):
    loads = rng.integers(0, 10, whole(rng, (1, 5), (2, 5)))
    loads[np.arange(len(loads)), rng.integers(0, loads.shape[1], len(loads))] += 1
    return (loads,)


SWINGING = np.array([[2.0, 0.0], [0.0, 2.0]])
STEPS = np.array([[5, 1, 3, 3], [2, 6, 1, 3], [4, 4, 0, 4]])

swings = Exercise("swings", 8, slow_swings, ((SWINGING,), (STEPS,), (STEPS[:1],)), draw_swings, {
    "the two values are swapped: single steps first, the average second":
        lambda loads: slow_swings(loads)[::-1],
    "the 1 was not subtracted: MaxVio is the largest load over the mean, minus 1":
        lambda loads: np.add(slow_swings(loads), 1),
    "that is the worst step; take the mean over the steps":
        lambda loads: ((loads.max(axis=1) / loads.mean(axis=1) - 1).max(), slow_swings(loads)[1]),
    "the largest loads were taken down the columns; a step is a row":
        lambda loads: ((loads.max(axis=0) / loads.mean(axis=0) - 1).mean(), slow_swings(loads)[1]),
    "that averages the loads before it looks at a single step":
        lambda loads: 2 * slow_swings(loads)[1:]})


SPLIT = np.array([[[9.0, 1.0], [8.0, 2.0]], [[1.0, 9.0], [2.0, 8.0]]]) / 10  # (M, T, E): each its own


def slow_scopes(probs):
    parts, tokens, experts = probs.shape
    local = pooled = 0.0
    f_all = [0.0] * experts
    for part in range(parts):
        for token in range(tokens):
            f_all[int(probs[part, token].argmax())] += 1 / (parts * tokens)
    for part in range(parts):
        f = [0.0] * experts
        for token in range(tokens):
            f[int(probs[part, token].argmax())] += 1 / tokens
        for expert in range(experts):
            p = sum(probs[part, :, expert].tolist()) / tokens
            local += experts * f[expert] * p / parts
            pooled += experts * f_all[expert] * p / parts
    return local, pooled


def draw_scopes(rng):
    parts, tokens, experts = whole(rng, (1, 4), (1, 6), (2, 5))
    return (rng.dirichlet(np.full(experts, 0.7), size=(parts, tokens)),)


scopes = Exercise("scopes", 8, slow_scopes, ((SPLIT,), (SPLIT[:1],)), draw_scopes, {
    "the two values are swapped: micro-batch first, global second":
        lambda probs: slow_scopes(probs)[::-1],
    "the second value is the mean of local products: count f over all micro-batches first":
        lambda probs: 2 * slow_scopes(probs)[:1],
    "the first value pools too early: multiply f and P within each micro-batch, then average":
        lambda probs: 2 * slow_scopes(probs)[1:],
    "the micro-batches were added; take their mean":
        lambda probs: tuple(len(probs) * value for value in slow_scopes(probs)),
    "the factor E is missing; balance should give 1":
        lambda probs: tuple(value / probs.shape[-1] for value in slow_scopes(probs))})


@scopes.mistake("that is P times P; f must be counted from the choices")
def scopes_of_p(probs):
    mean = probs.mean(axis=1)
    return (probs.shape[-1] * (mean * mean).sum(axis=-1).mean(),
            probs.shape[-1] * (mean.mean(axis=0) ** 2).sum())

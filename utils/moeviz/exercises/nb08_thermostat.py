"""Exercises of notebook 08: a step of the bias rule, swings that an average hides, local, global counts."""

import numpy as np

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


def thermostat_turned(bias, load, rate):
    return bias + rate * np.sign(load - load.mean())


def thermostat_proportional(bias, load, rate):
    return bias + rate * (load.mean() - load)


def thermostat_from_nothing(bias, load, rate):
    return rate * np.sign(load.mean() - load)


def thermostat_one(bias, load, rate):
    return bias + rate * np.sign(1 - load)


def thermostat_without_rest(bias, load, rate):
    return bias + rate * np.where(load < load.mean(), 1, -1)


thermostat = Exercise("thermostat", slow_thermostat, (
    (BIAS, np.array([9, 3, 3]), 0.5), (BIAS, np.array([5, 5, 5]), 0.5),
    (BIAS, np.array([0.2, 0.1, 0.7]), 0.01), (np.zeros(4), np.array([4, 8, 0, 4]), 0.1)), {
    "the sign is turned: a busy expert must lose bias": thermostat_turned,
    "only the sign of the difference counts, not its size": thermostat_proportional,
    "the bias starts anew: add the step to the old bias": thermostat_from_nothing,
    "the load was compared with 1; compare it with its mean": thermostat_one,
    "an expert with exactly the mean load must keep its bias": thermostat_without_rest})


SWINGING = np.array([[2.0, 0.0], [0.0, 2.0]])
STEPS = np.array([[5, 1, 3, 3], [2, 6, 1, 3], [4, 4, 0, 4]])


def slow_swings(loads):
    def violation(load):
        return max(load) / (sum(load) / len(load)) - 1
    rows = loads.tolist()
    average = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    return sum(map(violation, rows)) / len(rows), violation(average)


def swings_swapped(loads):
    return slow_swings(loads)[::-1]


def swings_without_one(loads):
    single, average = slow_swings(loads)
    return single + 1, average + 1


def swings_of_the_worst(loads):
    return (loads.max(axis=1) / loads.mean(axis=1) - 1).max(), slow_swings(loads)[1]


def swings_down_the_columns(loads):
    return (loads.max(axis=0) / loads.mean(axis=0) - 1).mean(), slow_swings(loads)[1]


def swings_averaged_twice(loads):
    average = slow_swings(loads)[1]
    return average, average


swings = Exercise("swings", slow_swings, ((SWINGING,), (STEPS,), (STEPS[:1],)), {
    "the two values are swapped: single steps first, the average second": swings_swapped,
    "MaxVio is the largest load over the mean, minus 1": swings_without_one,
    "take the mean over the steps, not the worst step": swings_of_the_worst,
    "a step is a row: its largest load stands in that row": swings_down_the_columns,
    "that averages the loads before it looks at a single step": swings_averaged_twice})

SPLIT = np.array([[[9.0, 1.0], [8.0, 2.0]], [[1.0, 9.0], [2.0, 8.0]]]) / 10  # (M, T, E): each its own
MIXED = np.random.default_rng(5).dirichlet(np.ones(4), size=(3, 8))


def _shares(probs):
    """Return f (..., E): the share of tokens whose largest probability is at each expert."""
    return (probs.argmax(axis=-1)[..., None] == np.arange(probs.shape[-1])).mean(axis=-2)


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


def scopes_only_local(probs):
    local = probs.shape[-1] * (_shares(probs) * probs.mean(axis=1)).sum(axis=-1).mean()
    return local, local


def scopes_only_global(probs):
    pooled = slow_scopes(probs)[1]
    return pooled, pooled


def scopes_swapped(probs):
    return slow_scopes(probs)[::-1]


def scopes_summed(probs):
    return tuple(len(probs) * value for value in slow_scopes(probs))


def scopes_without_e(probs):
    return tuple(value / probs.shape[-1] for value in slow_scopes(probs))


def scopes_of_p(probs):
    mean = probs.mean(axis=1)
    return (probs.shape[-1] * (mean * mean).sum(axis=-1).mean(),
            probs.shape[-1] * (mean.mean(axis=0) ** 2).sum())


scopes = Exercise("scopes", slow_scopes, ((SPLIT,), (MIXED,), (MIXED[:1],)), {
    "the second value is the mean of local products: count f over all micro-batches first":
        scopes_only_local,
    "the first value pools too early: multiply f and P within each micro-batch, then average":
        scopes_only_global,
    "the two values are swapped: micro-batch first, global second": scopes_swapped,
    "average over the micro-batches; do not add": scopes_summed,
    "the factor E is missing; balance should give 1": scopes_without_e,
    "P times P: f must be counted from the choices": scopes_of_p})

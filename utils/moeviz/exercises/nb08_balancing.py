"""Exercises of notebook 08: the bias as a thermostat, a test for leaks, local against global counts."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from moeviz.exercises.engine import Exercise
from moeviz.routing import expert_choice, quantile_balanced, top_k

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

@dataclass(frozen=True, repr=False)
class Served:
    """A router as the learner sees it: logits (T, E) -> (T, E) bool, who is served by whom."""

    name: str
    route: Callable

    def __call__(self, logits):
        return self.route(logits).dispatch()

    def __repr__(self):
        return f"the router {self.name!r}"


SCORES = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
LONG = np.random.default_rng(3).normal(loc=[2, 1, 0, 0, 0, 0], size=(24, 6))
TOKENS_CHOOSE = Served("top-2", lambda logits: top_k(logits, 2))
EXPERTS_CHOOSE = Served("expert choice", lambda logits: expert_choice(logits, len(logits) * 2 // 6 or 1))
ONE_EACH = Served("balanced top-1", lambda logits: quantile_balanced(logits, 1))  # the number never changes


def slow_overheard(route, logits, cut):
    turned = [row if t < cut else row[::-1] for t, row in enumerate(logits.tolist())]
    before, after = route(logits).tolist(), route(np.array(turned)).tolist()
    return sum(before[t] != after[t] for t in range(cut))


def _both(route, logits, cut, first=None):
    turned = logits.copy()
    turned[cut if first is None else first:] = logits[cut if first is None else first:, ::-1]
    return route(logits), route(turned)


def overheard_by_count(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut].sum(axis=1) != after[:cut].sum(axis=1)).sum())


def overheard_by_load(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut].sum(axis=0) != after[:cut].sum(axis=0)).sum())


def overheard_everywhere(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before != after).any(axis=1).sum())


def overheard_later(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[cut:] != after[cut:]).any(axis=1).sum())


def overheard_choices(route, logits, cut):
    before, after = _both(route, logits, cut)
    return int((before[:cut] != after[:cut]).sum())


def overheard_all_turned(route, logits, cut):
    before, after = _both(route, logits, cut, first=0)
    return int((before[:cut] != after[:cut]).any(axis=1).sum())


overheard = Exercise("overheard", slow_overheard, (
    (EXPERTS_CHOOSE, SCORES, 3), (TOKENS_CHOOSE, LONG, 18), (EXPERTS_CHOOSE, LONG, 18),
    (ONE_EACH, LONG, 18)), {
    "a token may keep its number of experts and still get other ones: compare who, not how many":
        overheard_by_count,
    "loads say nothing about one token: two tokens can trade experts": overheard_by_load,
    "turned tokens may change; only those before `cut` must not": overheard_everywhere,
    "these are the turned tokens; the leak shows in the earlier ones": overheard_later,
    "that counts changed choices; count each token once": overheard_choices,
    "the earlier tokens were turned too; only what comes from `cut` on may be": overheard_all_turned})

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

"""Exercises of notebook 07: dead experts, the Switch loss and its gradient."""

import math

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.cases import scores, whole
from moeviz.exercises.engine import Exercise


def slow_dead(load):
    dead = 0
    for share in load.tolist():
        if share < 0.1 / len(load):
            dead += 1
    return dead


def draw_dead(rng):
    num_experts, = whole(rng, (2, 20))
    return (rng.dirichlet(np.full(num_experts, rng.choice([0.1, 0.3, 1.0]))),)


dead = Exercise("dead", 7, slow_dead, tuple((np.array(load),) for load in (
    [0.05, 0.95], [0.5, 0.49, 0.01, 0.0], [0.3, 0.3, 0.37, 0.03], [0.05] * 20,
    [0.976, 0.012, 0.012, 0, 0, 0, 0, 0])), draw_dead, {
    "only exact zeros counted; the threshold is a tenth of the fair share":
        lambda load: int((load == 0).sum()),
    "the threshold was a tenth of everything, not of the fair share: divide by E":
        lambda load: int((load < 0.1).sum()),
    "that counts every expert below the fair share":
        lambda load: int((load < 1 / len(load)).sum()),
    "the threshold was a tenth of the busiest expert's share; the fair share is 1 / E":
        lambda load: int((load < load.max() / 10).sum()),
    "an expert with exactly a tenth of the fair share was counted; it is not below it":
        lambda load: int((load <= 0.1 / len(load)).sum()),
    "these are the numbers of the dead experts; count them":
        lambda load: np.flatnonzero(load < 0.1 / len(load)),
    "that is the share of the experts that are dead; count them":
        lambda load: slow_dead(load) / len(load)})


def slow_switch_loss(logits):
    num_tokens, num_experts = logits.shape
    count, total = [0] * num_experts, [0.0] * num_experts
    for row in logits.tolist():
        powers = [math.exp(score - max(row)) for score in row]
        count[row.index(max(row))] += 1
        for expert in range(num_experts):
            total[expert] += powers[expert] / sum(powers)
    return num_experts * sum(c / num_tokens * p / num_tokens for c, p in zip(count, total, strict=True))


def draw_switch_loss(rng):
    return (scores(rng, *whole(rng, (1, 10), (2, 6))),)


SMALL = np.array([[2.0, 0.0], [1.0, 0.5], [0.0, 3.0]])

switch_loss = Exercise("switch_loss", 7, slow_switch_loss, ((SMALL,), (SMALL * 0,)), draw_switch_loss, {
    "the factor E is missing; balance should give 1":
        lambda logits: slow_switch_loss(logits) / logits.shape[1],
    "f was taken as a count; it is a share":
        lambda logits: slow_switch_loss(logits) * len(logits),
    "that is P times P; f must be counted from the choices":
        lambda logits: logits.shape[1] * (softmax(logits).mean(axis=0) ** 2).sum()})


def _parts(logits):
    probs = softmax(logits)
    return np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]) / len(probs), probs


@switch_loss.mistake("P was taken after top-k; it is the mean over all tokens")
def loss_after_top_k(logits):
    f, probs = _parts(logits)
    kept = np.where(probs == probs.max(axis=1, keepdims=True), probs, 0)
    return probs.shape[1] * (f * kept.mean(axis=0)).sum()


@switch_loss.mistake("P was averaged over an expert's own tokens; it is the mean over all tokens")
def loss_of_own_tokens(logits):
    f, probs = _parts(logits)
    own = probs.argmax(axis=1)[:, None] == np.arange(probs.shape[1])
    mean = (probs * own).sum(axis=0) / np.maximum(own.sum(axis=0), 1)
    return probs.shape[1] * (f * mean).sum()


@switch_loss.mistake("the softmax ran over the tokens (axis 0); it runs over the experts")
def loss_with_swapped_axis(logits):
    f, _ = _parts(logits)
    return logits.shape[1] * (f * softmax(logits, axis=0).mean(axis=0)).sum()


def slow_switch_gradient(probs, f):
    num_tokens, num_experts = probs.shape
    gradient = np.zeros(probs.shape)
    for t in range(num_tokens):
        for j in range(num_experts):
            for i in range(num_experts):
                slope = probs[t, i] * ((i == j) - probs[t, j])  # of p_i on logit j
                gradient[t, j] += num_experts * f[i] / num_tokens * slope
    return gradient


def draw_switch_gradient(rng):
    num_tokens, num_experts = whole(rng, (1, 5), (2, 5))
    return softmax(scores(rng, num_tokens, num_experts)), rng.dirichlet(np.ones(num_experts))


switch_gradient = Exercise("switch_gradient", 7, slow_switch_gradient, (
    (np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([1.0, 0.0])),
    (softmax(SMALL), np.array([2 / 3, 1 / 3]))), draw_switch_gradient, {
    "that is the gradient on the probabilities; carry it through softmax":
        lambda probs, f: np.tile(len(f) * f / len(probs), (len(probs), 1)),
    "half of the softmax is missing: what one expert gains, the others lose":
        lambda probs, f: probs * len(f) * f / len(probs),
    "that is each probability's slope on its own logit; a logit moves all of them":
        lambda probs, f: probs * (1 - probs) * len(f) * f / len(probs),
    "the division by T is missing: P is a mean over tokens":
        lambda probs, f: slow_switch_gradient(probs, f) * len(probs),
    "the sign is the wrong way round: this gradient points to a more even load":
        lambda *case: -slow_switch_gradient(*case),
    "the factor E of the loss is missing":
        lambda probs, f: slow_switch_gradient(probs, f) / len(f)})

"""Exercises of notebook 07: dead experts, the Switch loss and its gradient."""

import math

import numpy as np

from moeviz.arrays import softmax
from moeviz.exercises.engine import Exercise

LOADS = (np.array([0.5, 0.49, 0.01, 0.0]), np.array([0.3, 0.3, 0.37, 0.03]), np.full(20, 0.05),
         np.array([0.976, 0.012, 0.012, 0, 0, 0, 0, 0]))


def slow_dead(load):
    dead = 0
    for share in load.tolist():
        if share < 0.1 * (1 / len(load)):
            dead += 1
    return dead


dead = Exercise("dead", slow_dead, tuple((load,) for load in LOADS), {
    "only exact zeros counted; the threshold is a tenth of the fair share":
        lambda load: int((load == 0).sum()),
    "a tenth of everything is not a tenth of the fair share: divide by E":
        lambda load: int((load < 0.1).sum()),
    "that counts every expert below the fair share": lambda load: int((load < 1 / len(load)).sum()),
    "these are the numbers of the dead experts; count them":
        lambda load: np.flatnonzero(load < 0.1 / len(load))})


def slow_switch_loss(logits):
    num_tokens, num_experts = logits.shape
    count, total = [0] * num_experts, [0.0] * num_experts
    for row in logits.tolist():
        powers = [math.exp(score - max(row)) for score in row]
        count[row.index(max(row))] += 1
        for expert in range(num_experts):
            total[expert] += powers[expert] / sum(powers)
    return num_experts * sum(c / num_tokens * p / num_tokens for c, p in zip(count, total, strict=True))


def _parts(logits):
    probs = softmax(logits)
    return np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]) / len(probs), probs


def loss_after_top_k(logits):
    f, probs = _parts(logits)
    kept = np.where(probs == probs.max(axis=1, keepdims=True), probs, 0)
    return probs.shape[1] * (f * kept.mean(axis=0)).sum()


def loss_without_e(logits):
    f, probs = _parts(logits)
    return (f * probs.mean(axis=0)).sum()


def loss_with_counts(logits):
    f, probs = _parts(logits)
    return probs.shape[1] * (f * len(probs) * probs.mean(axis=0)).sum()


def loss_with_swapped_axis(logits):
    f, _ = _parts(logits)
    return logits.shape[1] * (f * softmax(logits, axis=0).mean(axis=0)).sum()


def loss_of_p_squared(logits):
    _, probs = _parts(logits)
    return probs.shape[1] * (probs.mean(axis=0) ** 2).sum()


SMALL = np.array([[2.0, 0.0], [1.0, 0.5], [0.0, 3.0]])
RANDOM = np.random.default_rng(8).normal(size=(12, 5))

switch_loss = Exercise("switch_loss", slow_switch_loss, ((SMALL,), (SMALL * 0,), (RANDOM,)), {
    "P was taken after top-k; it is the mean over all tokens": loss_after_top_k,
    "the factor E is missing; balance should give 1": loss_without_e,
    "f is a share, not a count": loss_with_counts,
    "the softmax ran over the tokens (axis 0); it runs over the experts": loss_with_swapped_axis,
    "P times P: f must be counted from the choices": loss_of_p_squared})


def slow_switch_gradient(probs, f):
    num_tokens, num_experts = probs.shape
    gradient = np.zeros(probs.shape)
    for t in range(num_tokens):
        for j in range(num_experts):
            for i in range(num_experts):
                slope = probs[t, i] * ((i == j) - probs[t, j])  # of p_i on logit j
                gradient[t, j] += num_experts * f[i] / num_tokens * slope
    return gradient


def gradient_on_probs(probs, f):
    return np.tile(len(f) * f / len(probs), (len(probs), 1))


def gradient_without_competition(probs, f):
    return probs * len(f) * f / len(probs)


def gradient_summed(probs, f):
    return slow_switch_gradient(probs, f) * len(probs)


def gradient_upwards(probs, f):
    return -slow_switch_gradient(probs, f)


switch_gradient = Exercise("switch_gradient", slow_switch_gradient, (
    (softmax(SMALL), np.array([2 / 3, 1 / 3])), (softmax(RANDOM), _parts(RANDOM)[0])), {
    "that is the gradient on the probabilities; carry it through softmax": gradient_on_probs,
    "softmax shares: what one expert gains the others lose": gradient_without_competition,
    "P is a mean over tokens: divide by T": gradient_summed,
    "the sign is turned: a step along it would make the load less even": gradient_upwards})

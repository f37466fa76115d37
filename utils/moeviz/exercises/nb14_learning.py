"""Exercises of notebook 14: FLOPs of a training run, FLOPs to reach a loss, and the factor saved."""

import math

import numpy as np

from moeviz.exercises.cases import asked, whole
from moeviz.exercises.engine import Exercise


def slow_training_flops(outside, router, expert, num_experts, k, tokens):
    multiply_adds = outside + router
    for _ in range(k):
        multiply_adds += expert
    forward = 2 * multiply_adds
    backward = 2 * forward  # two products for each one: for the input, and for the weights
    return (forward + backward) * tokens


def draw_training_flops(rng):
    outside, router, expert, num_experts = whole(rng, (1, 500), (1, 60), (1, 200), (1, 16))
    return outside, router, expert, num_experts, *whole(rng, (1, num_experts), (1, 1000))


training_flops = Exercise("training_flops", 14, slow_training_flops, (
    (10, 4, 3, 4, 1, 1), (100, 16, 20, 16, 2, 50), (24_576, 4096, 4096, 64, 2, 512_000)),
    draw_training_flops, {
    "all experts were counted; only k of them work on a token":
        lambda outside, router, expert, num_experts, k, tokens: (
            slow_training_flops(outside, router, expert, num_experts, num_experts, tokens)),
    "those are multiply-adds; each is 2 FLOPs":
        lambda *case: slow_training_flops(*case) / 2,
    "the backward pass is missing":
        lambda *case: slow_training_flops(*case) / 3,
    "backward costs twice the forward pass, not once":
        lambda *case: slow_training_flops(*case) * 2 / 3,
    "the router is missing: it scores all experts for every token":
        asked(slow_training_flops, router=0)})

FLOPS = np.array([1.0, 10.0, 100.0, 1000.0])
LOSS = np.array([3.0, 2.0, 1.5, 1.4])


def slow_reach(flops, loss, target):
    for at in range(1, len(flops)):
        if loss[at - 1] >= target >= loss[at]:
            share = (loss[at - 1] - target) / (loss[at - 1] - loss[at])
            start, end = math.log(flops[at - 1]), math.log(flops[at])
            return math.exp(start + share * (end - start))
    return math.nan


def draw_reach(rng):
    number, = whole(rng, (2, 6))
    flops, loss = np.cumprod(rng.uniform(1.2, 8, number)), 4 - np.cumsum(rng.uniform(0.1, 0.6, number))
    targets = [rng.uniform(loss[-1], loss[0])] * 3 + [loss[0], loss[-1], loss[0] + 0.1, loss[-1] - 0.1]
    return flops, loss, float(rng.choice(targets))


def _interpolate(flops, loss, target, outside=None):
    return float(np.interp(-target, -loss, flops, left=outside, right=outside))


reach = Exercise("reach", 14, slow_reach, (
    (FLOPS, LOSS, 2.0), (FLOPS, LOSS, 2.5), (FLOPS, LOSS, 1.45), (FLOPS, LOSS, 3.0), (FLOPS, LOSS, 1.4),
    (FLOPS, LOSS, 1.0), (FLOPS, LOSS, 3.5)), draw_reach, {
    "the line was drawn over the FLOPs; it runs over their logarithm":
        lambda flops, loss, target: _interpolate(flops, loss, target, math.nan),
    "a loss that no run reached got an answer; return nan":
        lambda flops, loss, target: math.exp(_interpolate(np.log(flops), loss, target)),
    "that is the logarithm of the FLOPs: undo it with exp":
        lambda flops, loss, target: _interpolate(np.log(flops), loss, target, math.nan),
    "np.interp wants rising places, and losses fall: turn their sign":
        lambda flops, loss, target: float(np.exp(np.interp(target, loss, np.log(flops))))})


@reach.mistake("that is the next run that was measured; the loss was reached between two runs")
def reach_of_the_next_run(flops, loss, target):
    below = np.flatnonzero(loss <= target)
    return float(flops[below[0]]) if len(below) and loss[0] >= target else math.nan


SPARSE = np.array([[2.5, 1.9, 1.5], [2.6, 2.0, 1.6], [2.4, 2.1, 1.7]])
DENSE = np.array([[2.6, 2.2, 1.7, 1.5], [2.7, 2.1, 1.9, 1.4], [2.5, 2.3, 1.8, 1.6]])
COSTS = np.array([1.1, 2.2, 4.4]), np.array([1.0, 2.0, 4.0, 8.0])


def slow_factor(flops_sparse, loss_sparse, flops_dense, loss_dense):
    target = sum(row[-1] for row in loss_sparse.tolist()) / len(loss_sparse)
    means = np.array([sum(column) / len(column) for column in loss_dense.T.tolist()])
    return slow_reach(flops_dense, means, target) / float(flops_sparse[-1])


def draw_factor(rng):
    seeds, measured = whole(rng, (1, 4), (2, 4))
    runs = measured + int(rng.integers(1, 3))
    flops, dense_flops = (np.cumprod(rng.uniform(1.3, 4, number)) for number in (measured, runs))
    dense = 4 - np.cumsum(rng.uniform(0.4, 0.7, (1, runs)), axis=1) + 0.15 * rng.random((seeds, runs))
    sparse = 4 - np.cumsum(rng.uniform(0.4, 0.7, (1, measured)), axis=1)
    sparse = sparse + 0.15 * rng.random((seeds, measured))
    ends = dense.mean(axis=0)
    sparse[:, -1] += rng.uniform(ends[-1], ends[0]) - sparse[:, -1].mean()  # the dense network gets there
    return flops, sparse, dense_flops, dense


factor = Exercise("factor", 14, slow_factor, (
    (COSTS[0], SPARSE, COSTS[1], DENSE), (3 * COSTS[0], SPARSE - 0.02, COSTS[1], DENSE)), draw_factor, {
    "best of the seeds on both sides: chance, not the network; take means":
        lambda flops_sparse, loss_sparse, flops_dense, loss_dense: (
            slow_reach(flops_dense, loss_dense.min(axis=0), loss_sparse[:, -1].min()) / flops_sparse[-1]),
    "the target is the luckiest seed's loss; the dense side is a mean":
        lambda flops_sparse, loss_sparse, flops_dense, loss_dense: (
            slow_reach(flops_dense, loss_dense.mean(axis=0), loss_sparse[:, -1].min()) / flops_sparse[-1]),
    "upside down: how many times as much the dense network needs":
        lambda *case: 1 / slow_factor(*case),
    "those are losses after equally many steps; ask for the cost of an equal loss":
        lambda flops_sparse, loss_sparse, flops_dense, loss_dense: (
            loss_dense[:, len(flops_sparse) - 1].mean() / loss_sparse[:, -1].mean())})


@factor.mistake("that is the median of the seeds; take their mean on both sides")
def factor_of_medians(flops_sparse, loss_sparse, flops_dense, loss_dense):
    target = np.median(loss_sparse[:, -1])
    return slow_reach(flops_dense, np.median(loss_dense, axis=0), target) / flops_sparse[-1]


@factor.mistake("those are steps; a step does not cost the same on both sides")
def factor_in_steps(flops_sparse, loss_sparse, flops_dense, loss_dense):
    target, steps = loss_sparse[:, -1].mean(), 2.0 ** np.arange(len(flops_dense))
    return slow_reach(steps, loss_dense.mean(axis=0), target) / 2.0 ** (len(flops_sparse) - 1)

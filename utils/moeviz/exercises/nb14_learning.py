"""Exercises of notebook 14: FLOPs of a training run, FLOPs to reach a loss, and the factor saved."""

import math

import numpy as np

from moeviz.exercises.engine import Exercise


def slow_training_flops(outside, router, expert, num_experts, k, tokens):
    multiply_adds = outside + router
    for _ in range(k):
        multiply_adds += expert
    forward = 2 * multiply_adds
    backward = 2 * forward  # two products for each one: for the input, and for the weights
    return (forward + backward) * tokens


def flops_of_all_experts(outside, router, expert, num_experts, k, tokens):
    return slow_training_flops(outside, router, expert, num_experts, num_experts, tokens)


def flops_as_multiply_adds(outside, router, expert, num_experts, k, tokens):
    return slow_training_flops(outside, router, expert, num_experts, k, tokens) / 2


def flops_of_the_forward_pass(outside, router, expert, num_experts, k, tokens):
    return slow_training_flops(outside, router, expert, num_experts, k, tokens) / 3


def flops_with_equal_halves(outside, router, expert, num_experts, k, tokens):
    return slow_training_flops(outside, router, expert, num_experts, k, tokens) * 2 / 3


def flops_without_router(outside, router, expert, num_experts, k, tokens):
    return slow_training_flops(outside, 0, expert, num_experts, k, tokens)


training_flops = Exercise("training_flops", slow_training_flops, (
    (10, 4, 3, 4, 1, 1), (100, 16, 20, 16, 2, 50), (24_576, 4096, 4096, 64, 2, 512_000)), {
    "total in place of active: only k experts work on a token": flops_of_all_experts,
    "those are multiply-adds; each is 2 FLOPs": flops_as_multiply_adds,
    "the backward pass is missing": flops_of_the_forward_pass,
    "backward costs twice the forward pass, not once": flops_with_equal_halves,
    "the router scores all experts for every token, and that costs too": flops_without_router})

FLOPS = np.array([1.0, 10.0, 100.0, 1000.0])
LOSS = np.array([3.0, 2.0, 1.5, 1.4])


def slow_reach(flops, loss, target):
    for at in range(1, len(flops)):
        if loss[at - 1] >= target >= loss[at]:
            share = (loss[at - 1] - target) / (loss[at - 1] - loss[at])
            start, end = math.log(flops[at - 1]), math.log(flops[at])
            return math.exp(start + share * (end - start))
    return math.nan


def reach_on_a_plain_line(flops, loss, target):
    return float(np.interp(-target, -loss, flops, left=np.nan, right=np.nan))


def reach_of_the_next_run(flops, loss, target):
    below = np.flatnonzero(loss <= target)
    return float(flops[below[0]]) if len(below) and loss[0] >= target else math.nan


def reach_of_the_last_run(flops, loss, target):
    return float(np.exp(np.interp(-target, -loss, np.log(flops))))


def reach_upside_down(flops, loss, target):
    return float(np.exp(np.interp(target, loss, np.log(flops), left=np.nan, right=np.nan)))


reach = Exercise("reach", slow_reach, (
    (FLOPS, LOSS, 2.0), (FLOPS, LOSS, 2.5), (FLOPS, LOSS, 1.45), (FLOPS, LOSS, 1.0), (FLOPS, LOSS, 3.5)), {
    "the line runs over the logarithm of the FLOPs": reach_on_a_plain_line,
    "that is the next run that was measured; the loss was reached between two runs": reach_of_the_next_run,
    "a loss that no run reached has no answer; return nan": reach_of_the_last_run,
    "np.interp wants rising places, and losses fall: turn their sign": reach_upside_down})

SPARSE = np.array([[2.5, 1.9, 1.5], [2.6, 2.0, 1.6], [2.4, 2.1, 1.7]])
DENSE = np.array([[2.6, 2.2, 1.7, 1.5], [2.7, 2.1, 1.9, 1.4], [2.5, 2.3, 1.8, 1.6]])
COSTS = np.array([1.1, 2.2, 4.4]), np.array([1.0, 2.0, 4.0, 8.0])


def slow_factor(flops_sparse, loss_sparse, flops_dense, loss_dense):
    target = sum(row[-1] for row in loss_sparse.tolist()) / len(loss_sparse)
    means = np.array([sum(column) / len(column) for column in loss_dense.T.tolist()])
    return slow_reach(flops_dense, means, target) / float(flops_sparse[-1])


def factor_of_best_seeds(flops_sparse, loss_sparse, flops_dense, loss_dense):
    return slow_reach(flops_dense, loss_dense.min(axis=0), loss_sparse[:, -1].min()) / flops_sparse[-1]


def factor_of_one_lucky_seed(flops_sparse, loss_sparse, flops_dense, loss_dense):
    return slow_reach(flops_dense, loss_dense.mean(axis=0), loss_sparse[:, -1].min()) / flops_sparse[-1]


def factor_of_losses(flops_sparse, loss_sparse, flops_dense, loss_dense):
    steps = len(flops_sparse) - 1
    return loss_dense[:, steps].mean() / loss_sparse[:, -1].mean()


def factor_upside_down(flops_sparse, loss_sparse, flops_dense, loss_dense):
    return 1 / slow_factor(flops_sparse, loss_sparse, flops_dense, loss_dense)


def factor_in_steps(flops_sparse, loss_sparse, flops_dense, loss_dense):
    target, steps = loss_sparse[:, -1].mean(), 2.0 ** np.arange(len(flops_dense))
    return slow_reach(steps, loss_dense.mean(axis=0), target) / 2.0 ** (len(flops_sparse) - 1)


factor = Exercise("factor", slow_factor, (
    (COSTS[0], SPARSE, COSTS[1], DENSE), (3 * COSTS[0], SPARSE - 0.02, COSTS[1], DENSE),
    (COSTS[0], SPARSE[:2], COSTS[1], DENSE[:2])), {
    "best of the seeds on both sides: chance, not the network; take means": factor_of_best_seeds,
    "the target is the luckiest seed's loss; the dense side is a mean": factor_of_one_lucky_seed,
    "those are losses after equally many steps; ask for the cost of an equal loss": factor_of_losses,
    "upside down: how many times as much the dense network needs": factor_upside_down,
    "those are steps; a step does not cost the same on both sides": factor_in_steps})

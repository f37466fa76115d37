"""Exercises of notebook 13: FLOPs per byte, the time of a step, and the batch that pays for its bytes."""

import numpy as np

from moeviz.exercises.engine import Exercise


def slow_intensity(batch, num_experts, k, bytes_per_weight):
    assignments = 0
    for _ in range(batch):
        assignments += k
    tokens_of_an_expert = assignments / num_experts
    return 2 * tokens_of_an_expert / bytes_per_weight  # a multiplication and an addition for each weight


def intensity_of_a_dense_layer(batch, num_experts, k, bytes_per_weight):
    return 2 * batch / bytes_per_weight


def intensity_without_k(batch, num_experts, k, bytes_per_weight):
    return 2 * batch / num_experts / bytes_per_weight


def intensity_in_multiply_adds(batch, num_experts, k, bytes_per_weight):
    return batch * k / num_experts / bytes_per_weight


def intensity_per_weight(batch, num_experts, k, bytes_per_weight):
    return 2 * batch * k / num_experts


intensity = Exercise("intensity", slow_intensity, ((8, 4, 1, 4), (64, 8, 2, 2), (4096, 256, 8, 1)), {
    "that is a dense layer: an expert sees only its share of the tokens": intensity_of_a_dense_layer,
    "every token makes k choices; you counted one": intensity_without_k,
    "these are multiply-adds; each is 2 FLOPs": intensity_in_multiply_adds,
    "that is FLOPs per weight; a weight has bytes_per_weight bytes": intensity_per_weight})


def slow_step_time(expert_index, weights_per_expert, bytes_per_weight, peak, bandwidth):
    flops, touched = 0.0, set()
    for row in expert_index:
        for expert in row:
            flops += 2 * weights_per_expert
            touched.add(int(expert))
    moved = len(touched) * weights_per_expert * bytes_per_weight
    return max(flops / peak, moved / bandwidth)


def step_time_of(experts_read, join=max):
    """Return the exercise's answer with another count of the experts that are read, or another join."""
    def step_time(expert_index, weights_per_expert, bytes_per_weight, peak, bandwidth):
        flops = 2 * expert_index.size * weights_per_expert
        moved = experts_read(expert_index) * weights_per_expert * bytes_per_weight
        return join(flops / peak, moved / bandwidth)
    return step_time


def distinct(expert_index):
    return len(np.unique(expert_index))


step_time = Exercise("step_time", slow_step_time, (
    (np.array([[0, 3]]), 100, 2, 1000.0, 10.0),
    (np.array([[1, 2], [1, 5], [2, 5], [1, 2]]), 100, 4, 50.0, 100.0),
    (np.array([[0], [2], [2], [2], [7]]), 1000, 2, 2000.0, 500.0)), {
    "an expert is read once, however many tokens chose it": step_time_of(lambda index: index.size),
    "only the experts that somebody chose are read": step_time_of(lambda index: index.max() + 1),
    "arithmetic and reading overlap: the longer one counts, not the sum": step_time_of(
        distinct, join=lambda *both: sum(both)),
    "the step waits for the longer of the two, not for the shorter": step_time_of(distinct, join=min)})


def slow_break_even(num_experts, k, bytes_per_weight, peak, bandwidth):
    tokens_of_an_expert = bytes_per_weight / 2 * peak / bandwidth  # 2 m FLOPs for each weight it reads
    return tokens_of_an_expert * num_experts / k


def break_even_of_a_dense_layer(num_experts, k, bytes_per_weight, peak, bandwidth):
    return bytes_per_weight / 2 * peak / bandwidth


def break_even_upside_down(num_experts, k, bytes_per_weight, peak, bandwidth):
    return bytes_per_weight / 2 * peak / bandwidth * k / num_experts


def break_even_for_one_choice(num_experts, k, bytes_per_weight, peak, bandwidth):
    return bytes_per_weight / 2 * peak / bandwidth * num_experts


def break_even_in_multiply_adds(num_experts, k, bytes_per_weight, peak, bandwidth):
    return 2 * slow_break_even(num_experts, k, bytes_per_weight, peak, bandwidth)


break_even = Exercise("break_even", slow_break_even, (
    (4, 1, 4, 100.0, 10.0), (8, 2, 2, 989.4e12, 3.35e12), (256, 8, 1, 989.4e12, 3.35e12)), {
    "that is where a dense layer breaks even: the experts share the tokens": break_even_of_a_dense_layer,
    "E / k is upside down: more experts need a larger batch": break_even_upside_down,
    "every token makes k choices; you counted one": break_even_for_one_choice,
    "each weight takes 2 FLOPs per token, a multiplication and an addition": break_even_in_multiply_adds})

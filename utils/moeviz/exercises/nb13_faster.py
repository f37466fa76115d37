"""Exercises of notebook 13: FLOPs per byte, the time of a step, and the cheapest chip that is fast enough."""

import numpy as np

from moeviz.exercises.cases import asked, choices, whole
from moeviz.exercises.engine import Exercise


def slow_intensity(batch, num_experts, k, bytes_per_weight):
    assignments = 0
    for _ in range(batch):
        assignments += k
    tokens_of_an_expert = assignments / num_experts
    return 2 * tokens_of_an_expert / bytes_per_weight  # a multiplication and an addition for each weight


def draw_intensity(rng):
    batch, num_experts = whole(rng, (1, 300), (1, 32))
    return batch, num_experts, *whole(rng, (1, min(8, num_experts))), int(rng.choice([1, 2, 4]))


intensity = Exercise("intensity", 13, slow_intensity, (
    (8, 4, 1, 4), (3, 4, 1, 2), (64, 8, 2, 2), (4096, 256, 8, 1)), draw_intensity, {
    "that is a dense layer: an expert sees only its share of the tokens":
        lambda batch, num_experts, k, bytes_per_weight: 2 * batch / bytes_per_weight,
    "every token makes k choices; you counted one":
        lambda batch, num_experts, k, bytes_per_weight: 2 * batch / num_experts / bytes_per_weight,
    "these are multiply-adds; each is 2 FLOPs":
        lambda batch, num_experts, k, bytes_per_weight: batch * k / num_experts / bytes_per_weight,
    "that is FLOPs per weight; a weight has bytes_per_weight bytes":
        lambda batch, num_experts, k, bytes_per_weight: 2 * batch * k / num_experts,
    "the share of the tokens was rounded; it need not be a whole number":
        lambda batch, num_experts, k, bytes_per_weight: 2 * (batch * k // num_experts) / bytes_per_weight})


def slow_step_time(expert_index, weights_per_expert, bytes_per_weight, peak, bandwidth):
    flops, touched = 0.0, set()
    for row in expert_index:
        for expert in row:
            flops += 2 * weights_per_expert
            touched.add(int(expert))
    moved = len(touched) * weights_per_expert * bytes_per_weight
    return max(flops / peak, moved / bandwidth)


def draw_step_time(rng):
    num_tokens, num_experts = whole(rng, (1, 12), (2, 8))
    index = choices(rng, num_tokens, num_experts, *whole(rng, (1, min(3, num_experts))))
    weights, width = int(rng.integers(1, 20)) * 100, int(rng.choice([1, 2, 4]))
    balanced = 2 * index.size / (width * len(np.unique(index)))  # FLOPs over bytes
    bandwidth = float(rng.uniform(10, 500))
    return index, weights, width, bandwidth * balanced * float(rng.uniform(0.4, 2)), bandwidth


def step_time_of(experts_read, join=max):
    """Return the exercise's answer with another count of the experts that are read, or another join."""
    def step_time(expert_index, weights_per_expert, bytes_per_weight, peak, bandwidth):
        flops = 2 * expert_index.size * weights_per_expert
        moved = experts_read(expert_index) * weights_per_expert * bytes_per_weight
        return join(flops / peak, moved / bandwidth)
    return step_time


def _distinct(expert_index):
    return len(np.unique(expert_index))


step_time = Exercise("step_time", 13, slow_step_time, (
    (np.array([[0, 3]]), 100, 2, 1000.0, 10.0),
    (np.array([[1, 2], [1, 5], [2, 5], [1, 2]]), 100, 4, 50.0, 100.0),
    (np.array([[0], [2], [2], [2], [7]]), 1000, 2, 2000.0, 500.0)), draw_step_time, {
    "weights were read for every choice; an expert is read once, however many tokens chose it":
        step_time_of(np.size),
    "experts that nobody chose were read as well":
        step_time_of(lambda index: index.max() + 1),
    "the two times were added; arithmetic and reading overlap, so the longer one counts":
        step_time_of(_distinct, join=lambda *both: sum(both)),
    "that is the shorter of the two times; the step waits for the longer one":
        step_time_of(_distinct, join=min),
    "these are multiply-adds; each is 2 FLOPs":
        asked(slow_step_time, peak=lambda peak: 2 * peak)})


@step_time.mistake("the FLOPs of one choice per token were counted; every choice costs its own")
def step_time_of_tokens(expert_index, weights_per_expert, bytes_per_weight, peak, bandwidth):
    return slow_step_time(expert_index, weights_per_expert, bytes_per_weight,
                          expert_index.shape[1] * peak, bandwidth)


def slow_chip(flops, moved, peak, bandwidth, price, limit):
    best = -1
    for chip in range(len(price)):
        in_time = flops / peak[chip] <= limit and moved / bandwidth[chip] <= limit
        if in_time and (best < 0 or price[chip] < price[best]):
            best = chip
    return best


def draw_chip(rng):
    number, = whole(rng, (1, 5))
    flops, moved = map(float, np.exp(rng.uniform(-1, 4, 2)))
    peak, bandwidth = rng.uniform(2, 20, (2, number))
    close = rng.choice(np.maximum(flops / peak, moved / bandwidth))  # one chip is just fast enough, or not
    return (flops, moved, peak, bandwidth, rng.integers(1, 9, number).astype(float),
            float(close * rng.choice([0.995, 1.005])))


PEAK, BANDWIDTH, PRICE = np.array([10.0, 40.0, 40.0]), np.array([20.0, 5.0, 20.0]), np.array([1.0, 2.0, 4.0])


def _cheapest(fits, price):
    return int(np.where(fits, price, np.inf).argmin()) if fits.any() else -1


chip = Exercise("chip", 13, slow_chip, (
    (100.0, 10.0, PEAK, BANDWIDTH, PRICE, 3.0), (100.0, 40.0, PEAK, BANDWIDTH, PRICE, 3.0),
    (100.0, 10.0, PEAK, BANDWIDTH, PRICE, 10.0), (100.0, 10.0, PEAK, BANDWIDTH, PRICE, 1.0)), draw_chip, {
    "the bytes were left out: a step also waits until its weights are read":
        lambda flops, moved, peak, bandwidth, price, limit: _cheapest(flops / peak <= limit, price),
    "the FLOPs were left out: a step also waits for its arithmetic":
        lambda flops, moved, peak, bandwidth, price, limit: _cheapest(moved / bandwidth <= limit, price),
    "the two times were added; arithmetic and reading overlap, so the longer one counts":
        lambda flops, moved, peak, bandwidth, price, limit: (
            _cheapest(flops / peak + moved / bandwidth <= limit, price)),
    "a chip was named although none is fast enough; the answer is -1 then":
        lambda flops, moved, peak, bandwidth, price, limit: (
            int(np.where(np.maximum(flops / peak, moved / bandwidth) <= limit, price, np.inf).argmin()))})


@chip.mistake("that is the fastest chip; a cheaper one is fast enough")
def chip_fastest(flops, moved, peak, bandwidth, price, limit):
    time = np.maximum(flops / peak, moved / bandwidth)
    return int(time.argmin()) if time.min() <= limit else -1


@chip.mistake("that is the first chip in the list that is fast enough; look for the cheapest")
def chip_first(flops, moved, peak, bandwidth, price, limit):
    fits = np.maximum(flops / peak, moved / bandwidth) <= limit
    return int(fits.argmax()) if fits.any() else -1


@chip.mistake("that is the price of the chip; return its number")
def chip_price(flops, moved, peak, bandwidth, price, limit):
    best = slow_chip(flops, moved, peak, bandwidth, price, limit)
    return price[best] if best >= 0 else -1

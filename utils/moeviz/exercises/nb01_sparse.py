"""Exercises of notebook 01: cut a dense layer, count its parameters, run only the active experts."""

import numpy as np

from moeviz.exercises.cases import whole
from moeviz.exercises.engine import Exercise


def slow_split(w_in, w_out, num_experts):
    width, hidden = w_in.shape[0], w_in.shape[1] // num_experts
    cut_in, cut_out = np.zeros((num_experts, width, hidden)), np.zeros((num_experts, hidden, width))
    for unit in range(w_in.shape[1]):
        cut_in[unit // hidden, :, unit % hidden] = w_in[:, unit]
        cut_out[unit // hidden, unit % hidden] = w_out[unit]
    return cut_in, cut_out


def draw_split(rng):
    width, num_experts, hidden = whole(rng, (1, 5), (1, 4), (1, 4))
    shape = width, num_experts * hidden
    return rng.normal(size=shape), rng.normal(size=shape[::-1]), num_experts


SMALL_IN, SMALL_OUT = np.arange(8.0).reshape(2, 4), 10 + np.arange(8.0).reshape(4, 2)

split = Exercise("split", 1, slow_split, (
    (SMALL_IN, SMALL_OUT, 2), (SMALL_IN, SMALL_OUT, 4),
    (np.arange(24.0).reshape(4, 6), np.arange(24.0).reshape(6, 4), 2)), draw_split, {
    "you cut the token's width; cut the hidden units":
        lambda w_in, w_out, num_experts: (
            np.stack(np.split(w_in, num_experts, axis=0)), np.stack(np.split(w_out, num_experts, axis=1)))})


@split.mistake("reshape cuts rows of w_in in pieces; an expert owns whole columns of it")
def split_by_reshape(w_in, w_out, num_experts):
    width, hidden = w_in.shape[0], w_in.shape[1] // num_experts
    return w_in.reshape(num_experts, width, hidden), w_out.reshape(num_experts, hidden, width)


@split.mistake("the units are dealt out one by one; here each expert gets neighbours")
def split_every_eth_unit(w_in, w_out, num_experts):
    cut_in = np.stack([w_in[:, e::num_experts] for e in range(num_experts)])
    return cut_in, np.stack([w_out[e::num_experts] for e in range(num_experts)])


def slow_count(width, hidden, num_experts, k):
    total = active = 0
    for expert in range(num_experts):
        gate_column, matrices = width, width * hidden + hidden * width
        total += gate_column + matrices
        active += gate_column + (matrices if expert < k else 0)
    return total, active


def draw_count(rng):
    width, hidden, num_experts = whole(rng, (1, 64), (1, 64), (1, 16))
    return width, hidden, num_experts, *whole(rng, (1, num_experts))


count = Exercise("count", 1, slow_count, ((2, 3, 4, 1), (64, 256, 8, 2), (64, 32, 64, 8)), draw_count, {
    "the gate is missing: it has a column per expert":
        lambda width, hidden, num_experts, k: (num_experts * 2 * width * hidden, k * 2 * width * hidden),
    "only the gate's columns of the chosen experts were counted; a token needs all scores":
        lambda width, hidden, num_experts, k: (
            num_experts * (2 * width * hidden + width), k * (2 * width * hidden + width))})


@count.mistake("one matrix was counted for each expert; it has two, one in and one out")
def count_one_matrix(width, hidden, num_experts, k):
    gate = width * num_experts
    return num_experts * width * hidden + gate, k * width * hidden + gate


@count.mistake("every expert has a gate of its own here; the layer has one, with a column per expert")
def count_a_gate_each(width, hidden, num_experts, k):
    total, active = slow_count(width, hidden, num_experts, k)
    gate = width * num_experts
    return total + (num_experts - 1) * gate, active + (k - 1) * gate


def slow_sparse(tokens, w_in, w_out, active):
    output = np.zeros_like(tokens)
    for t in range(len(tokens)):
        for e in range(len(w_in)):
            if active[t, e]:
                output[t] += np.maximum(tokens[t] @ w_in[e], 0) @ w_out[e]
    return output


def draw_sparse(rng):
    num_tokens, width, hidden, num_experts = whole(rng, (1, 8), (1, 4), (1, 4), (1, 5))
    w_in, w_out = (rng.normal(size=(num_experts, *shape)) for shape in ((width, hidden), (hidden, width)))
    return (rng.normal(size=(num_tokens, width)), w_in, w_out,
            rng.random((num_tokens, num_experts)) < rng.choice([0.3, 0.6]))


W_IN = np.array([[[1.0, -1.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]]])
W_OUT = np.array([[[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0], [1.0, 1.0]]])
TOKENS = np.array([[1.0, 0.0], [1.0, 2.0], [-1.0, 1.0]])
ACTIVE = np.array([[True, False], [True, True], [False, False]])

sparse = Exercise("sparse", 1, slow_sparse, ((TOKENS, W_IN, W_OUT, ACTIVE),), draw_sparse, {
    "the ReLU between the two matrices is missing":
        lambda tokens, w_in, w_out, active: np.einsum("te,td,edh,eho->to", active, tokens, w_in, w_out),
    "you averaged; the experts' answers add up":
        lambda tokens, w_in, w_out, active: (
            slow_sparse(tokens, w_in, w_out, active) / np.maximum(active.sum(axis=1, keepdims=True), 1)),
    "every expert ran for every token; look at active":
        lambda tokens, w_in, w_out, active: slow_sparse(tokens, w_in, w_out, np.ones_like(active))})


@sparse.mistake("a later expert overwrites an earlier one: add with +=")
def sparse_last_expert_only(tokens, w_in, w_out, active):
    output = np.zeros_like(tokens)
    for e in range(len(w_in)):
        output[active[:, e]] = np.maximum(tokens[active[:, e]] @ w_in[e], 0) @ w_out[e]
    return output

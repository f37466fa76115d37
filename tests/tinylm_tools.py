"""A byte model small enough to differentiate by hand, for the test files of tinylm to share."""

from functools import partial

import numpy as np

from gradient_tools import assert_is_gradient
from moeviz import tinylm
from moeviz.arrays import softmax
from moeviz.record import Routing
from moeviz.tinylm import network

SMALL = tinylm.Config(context=3, embedding=4, width=6, num_experts=4, hidden=5, k=2, batch=32, warm_up=2)


def windows_of(rng, count, config=SMALL):
    return (rng.integers(97, 102, size=(count, config.context), dtype=np.uint8),
            rng.integers(0, 256, size=count, dtype=np.uint8))


def spread_out(rng, config=SMALL):
    """Return float64 weights whose gates differ enough for a choice to survive a small step."""
    weights = dict(tinylm.init(rng, config, dtype=np.float64).weights)
    return weights | {f"gate_{n}": weights[f"gate_{n}"] * 50 for n in (1, 2)}


def frozen_choice(done):
    """Return a router whose choice is fixed, while its weights still follow the logits."""
    index = [layer.routed.expert_index for layer in done.layers]

    def route(logits, layer):
        probs = softmax(logits)
        weight = np.take_along_axis(probs, index[layer - 1], axis=1)
        weight = weight / weight.sum(axis=1, keepdims=True)
        return Routing(logits, probs, index[layer - 1], weight, np.ones(weight.shape, dtype=bool))
    return route


def far_from_ties(done):
    for layer in done.layers:
        ordered = -np.sort(-layer.routed.logits, axis=1)
        if (ordered[:, 1] - ordered[:, 2]).min() < 1e-3:
            return False
    return True


def assert_gradients(gradients, weights, config, windows, targets, *, route, balance, rng):
    """Hold {name: gradient} to differences of the surprise plus aux_weight * balance(routing) per layer."""
    def loss(name, array):
        done = network.forward({**weights, name: array}, config, windows, route=route)
        surprise = -np.log(softmax(done.logits)[np.arange(len(targets)), targets]).mean()
        return surprise + config.aux_weight * sum(balance(layer.routed) for layer in done.layers)

    for name, exact in gradients.items():
        places = [*rng.permutation(np.flatnonzero(exact))[:12], *rng.permutation(exact.size)[:6]]
        assert_is_gradient(exact, partial(loss, name), weights[name], places, name)

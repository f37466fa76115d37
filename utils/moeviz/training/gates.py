"""Gates: from tokens (T, D) and the gate's weights (D, E) to logits (T, E), and back to the weights."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_number


class Gate(NamedTuple):
    """forward(tokens, weights) -> logits; backward(tokens, weights, dlogits) -> dweights (D, E)."""

    forward: Callable
    backward: Callable


def linear_gate():
    """Return the usual gate: logits = tokens @ weights.

    >>> linear_gate().forward(np.ones((1, 2)), np.ones((2, 3))).tolist()
    [[2.0, 2.0, 2.0]]
    """
    return Gate(lambda tokens, weights: tokens @ weights,
                lambda tokens, weights, dlogits: tokens.T @ dlogits)


def cosine_gate(temperature=0.1):
    """Return the gate whose logits are cosine(token, column of the weights) / temperature.

    The lengths of tokens and columns do not matter: with `routers.top_k` it makes X-MoE's router,
    `routing.cosine_top_k`. Raises ValueError unless temperature > 0.
    Source: Chi et al. 2022 (X-MoE), arXiv 2204.09179.

    >>> cosine_gate(0.5).forward(np.array([[5.0, 0.0]]), np.array([[0.0, 2.0], [1.0, 0.0]])).tolist()
    [[0.0, 2.0]]
    """
    temperature = check_number(temperature, "temperature", low=1e-6)

    def forward(tokens, weights):
        return _unit(tokens, axis=1) @ _unit(weights, axis=0) / temperature

    def backward(tokens, weights, dlogits):
        dunit = _unit(tokens, axis=1).T @ dlogits / temperature
        unit = _unit(weights, axis=0)
        return (dunit - unit * (unit * dunit).sum(axis=0)) / _length(weights, axis=0)

    return Gate(forward, backward)


def _length(vectors, axis):
    return np.maximum(np.linalg.norm(vectors, axis=axis, keepdims=True), 1e-12)


def _unit(vectors, axis):
    return vectors / _length(vectors, axis)

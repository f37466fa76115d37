"""The three activations of an expert's hidden units, and their derivatives."""

import math

import numpy as np

from moeviz.arrays import check_choice

ACTIVATIONS = ("relu", "gelu", "silu")
FEW = 2**15  # values: so many zeros are made sooner than one row of them is gone through again
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def check_activation(activation):
    """Return `activation` if its name is known, or raise ValueError.

    >>> check_activation("relu")
    'relu'
    """
    return check_choice(activation, "activation", ACTIVATIONS)


def activate(values, activation, out=None):
    """Return relu, gelu or silu of values (..., H), in `out` where one is given.

    gelu is the tanh form of Hendrycks & Gimpel 2016, which GPT-2 uses; silu(x) = x * sigmoid(x).

    >>> activate(np.array([-1.0, 2.0]), "relu").tolist()
    [0.0, 2.0]
    """
    if activation == "relu":
        return _relu(values, np.empty_like(values) if out is None else out)
    return np.divide(values, _inverse_share(values, activation), out=out)


def slope(values, activation):
    """Return the derivative of the activation at values (..., H); relu's is 0 at 0, and comes as bool.

    >>> slope(np.array([-1.0, 0.0, 2.0]), "relu").tolist()
    [False, False, True]
    """
    if activation == "relu":
        return values > 0
    share = 1 / _inverse_share(values, activation)
    growth = 1 if activation == "silu" else 2 * _GELU_SCALE * (1 + 3 * _GELU_CUBIC * values * values)
    return share + values * share * (1 - share) * growth


def make_activate(activation, length, hidden, dtype):
    """Return a function that activates arrays (n, H) in place, for many of them with n of at most `length`.

    >>> values = np.array([[-1.0, 2.0]])
    >>> make_activate("relu", 4, 2, float)(values).tolist()
    [[0.0, 2.0]]
    """
    if activation != "relu":
        return lambda values: activate(values, activation, out=values)
    zeros = _zeros((length, hidden), dtype)
    return lambda values: np.maximum(values, zeros[:len(values)], out=values)


def _relu(values, out):
    return np.maximum(values, _zeros(values.shape, values.dtype), out=out)


def _zeros(shape, dtype):
    """Return zeros to compare with: NumPy does that far faster than with 0, fastest with as many."""
    return np.zeros(shape if math.prod(shape) <= FEW else (*(1 for _ in shape[1:]), shape[-1]), dtype)


def _inverse_share(values, activation):
    """Return 1 + exp(-z), whose inverse sigmoid(z) is the share of each value that passes.

    silu has z = value; gelu's tanh form is the same with z = 2 sqrt(2 / pi) (value + 0.044715 value^3).
    NumPy's exp takes half the time of its tanh.
    """
    inverse = np.negative(values)
    if activation == "gelu":
        inverse *= 2 * _GELU_SCALE * (1 + _GELU_CUBIC * values * values)
    with np.errstate(over="ignore"):  # infinite where nothing passes
        np.exp(inverse, out=inverse)
    inverse += 1
    return inverse

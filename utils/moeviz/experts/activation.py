"""The three activations of an expert's hidden units, in place, and their derivatives."""

import math

import numpy as np

ACTIVATIONS = ("relu", "gelu", "silu")
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def check_activation(activation):
    """Return `activation` if its name is known, or raise ValueError.

    >>> check_activation("relu")
    'relu'
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    return activation


def activate(values, activation):
    """Overwrite values (n, H) with relu, gelu or silu of themselves, and return them.

    In place, because the hidden units are the largest array of the layer. gelu is the tanh form that
    GPT-2 uses (Hendrycks & Gimpel 2016, section 2); silu(x) = x * sigmoid(x) is also called swish.

    >>> activate(np.array([-1.0, 2.0]), "relu").tolist()
    [0.0, 2.0]
    """
    if activation == "relu":
        return np.maximum(values, 0, out=values)
    share = _half_tanh(_gelu_inner(values) if activation == "gelu" else values * 0.5)
    return np.multiply(values, share, out=values)


def slope(values, activation):
    """Return the derivative of the activation at values (n, H); relu's is 0 at 0.

    >>> slope(np.array([-1.0, 0.0, 2.0]), "relu").tolist()
    [0.0, 0.0, 1.0]
    """
    if activation == "relu":
        return (values > 0).astype(values.dtype)
    if activation == "silu":
        share = _half_tanh(values * 0.5)
        return share * (1 + values * (1 - share))
    share = _half_tanh(_gelu_inner(values))
    inner_slope = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * values * values)
    return share + 2 * values * share * (1 - share) * inner_slope


def _gelu_inner(values):
    return _GELU_SCALE * values * (1 + _GELU_CUBIC * values * values)


def _half_tanh(values):
    """Return (1 + tanh(values)) / 2 in place of values: sigmoid(2 * values), safe at both ends."""
    np.tanh(values, out=values)
    values += 1
    values *= 0.5
    return values

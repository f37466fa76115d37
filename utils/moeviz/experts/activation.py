"""The three activations of an expert's hidden units, and their derivatives."""

import math

import numpy as np

ACTIVATIONS = ("relu", "gelu", "silu")
TILE = 32  # rows
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715


def check_activation(activation):
    """Return `activation` if its name is known, or raise ValueError.

    >>> check_activation("relu")
    'relu'
    """
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    return activation


def activate(values, activation, out=None):
    """Return relu, gelu or silu of values (..., H), in `out` where one is given.

    gelu is the tanh form of Hendrycks & Gimpel 2016, which GPT-2 uses; silu(x) = x * sigmoid(x).

    >>> activate(np.array([-1.0, 2.0]), "relu").tolist()
    [0.0, 2.0]
    """
    if activation == "relu":
        return _relu(values, np.empty_like(values) if out is None else out)
    return np.multiply(values, _share(values, activation), out=out)


def slope(values, activation):
    """Return the derivative of the activation at values (..., H); relu's is 0 at 0.

    >>> slope(np.array([-1.0, 0.0, 2.0]), "relu").tolist()
    [0.0, 0.0, 1.0]
    """
    if activation == "relu":
        return (values > 0).astype(values.dtype)
    share = _share(values, activation)
    growth = 1 if activation == "silu" else 2 * _GELU_SCALE * (1 + 3 * _GELU_CUBIC * values * values)
    return share + values * share * (1 - share) * growth


def _relu(values, out):
    """Write max(values, 0) to out; NumPy compares with a tile of zeros far faster than with the number 0."""
    tiles = (-1, TILE, values.shape[-1])
    zeros = np.zeros(tiles[1:], values.dtype)
    whole = len(values) // TILE * TILE if values.ndim == 2 else 0
    np.maximum(values[:whole].reshape(tiles), zeros, out=out[:whole].reshape(tiles))
    np.maximum(values[whole:], zeros[0], out=out[whole:])
    return out


def _share(values, activation):
    """Return sigmoid(z) = (1 + tanh(z / 2)) / 2, the share of each value that passes.

    silu has z = value; gelu's tanh form is the same with z = 2 sqrt(2 / pi) (value + 0.044715 value^3).
    """
    share = values * 0.5
    if activation == "gelu":
        share *= 2 * _GELU_SCALE * (1 + _GELU_CUBIC * values * values)
    np.tanh(share, out=share)
    share += 1
    share *= 0.5
    return share

"""Causal attention with rotary positions, and its gradient derived by hand.

B sequences, T new positions, S positions seen (those before them included), A heads of D / A numbers.
"""

import numpy as np

from moeviz.arrays import softmax

BASE = 10_000.0


def split_heads(rows, heads):
    """Return rows (B, T, D) as (B, A, T, D / A): every head has numbers of its own.

    >>> split_heads(np.arange(4.0).reshape(1, 1, 4), 2).tolist()
    [[[[0.0, 1.0]], [[2.0, 3.0]]]]
    """
    batch, length, width = rows.shape
    return rows.reshape(batch, length, heads, width // heads).swapaxes(1, 2)


def merge_heads(rows):
    """Return (B, A, T, D / A) as (B, T, D), the inverse of `split_heads`.

    >>> merge_heads(np.arange(4.0).reshape(1, 2, 1, 2)).tolist()
    [[[0.0, 1.0, 2.0, 3.0]]]
    """
    batch, heads, length, size = rows.shape
    return rows.swapaxes(1, 2).reshape(batch, length, heads * size)


def rotate(rows, positions, *, back=False):
    """Turn each pair of neighbouring numbers of rows (..., T, n) by an angle that grows with the position.

    Pair i turns by position / 10,000^(2 i / n), so a product of two turned rows depends on how far apart
    they stand, and not on where. A pair is read as one complex number, and turned by a product.
    back=True turns the other way, which is the gradient.
    Source: Su et al. 2021 (RoPE), arXiv 2104.09864.

    >>> rotate(np.array([[1.0, 0.0]]), np.array([np.pi / 2])).round(6).tolist()
    [[0.0, 1.0]]
    """
    pairs = np.ascontiguousarray(rows).view(np.result_type(rows, np.complex64))
    angle = positions[:, None] * BASE ** (-np.arange(pairs.shape[-1]) / pairs.shape[-1])
    return (pairs * np.exp((-1j if back else 1j) * angle).astype(pairs.dtype)).view(rows.dtype)


def causal_mask(new, seen, context):
    """Return (T, S), 0 where a position may look and -inf where not: ahead, or `context` or more back.

    The T new positions are the last of the S.

    >>> causal_mask(2, 3, 2).tolist()
    [[0.0, 0.0, -inf], [-inf, 0.0, 0.0]]
    """
    distance = np.arange(seen - new, seen)[:, None] - np.arange(seen)
    return np.where((distance >= 0) & (distance < context), 0.0, -np.inf)


def attend(query, key, value, mask):
    """Return (output (B, A, T, n), attention weights (B, A, T, S)): a softmax over what may be seen.

    query: (B, A, T, n). key, value: (B, A, S, n). mask: (T, S). The scores are divided by sqrt(n).
    Source: Vaswani et al. 2017, arXiv 1706.03762, equation 1.

    >>> one = np.ones((1, 1, 2, 2))
    >>> attend(one, one, one, causal_mask(2, 2, 2))[1].tolist()
    [[[[1.0, 0.0], [0.5, 0.5]]]]
    """
    scores = (query * query.dtype.type(query.shape[-1] ** -0.5)) @ key.swapaxes(2, 3)
    scores += mask.astype(scores.dtype)
    weights = softmax(scores)
    return weights @ value, weights


def attend_backward(query, key, value, weights, output, doutput):
    """Carry a gradient from the output of `attend`, (B, A, T, n), back to query, key and value.

    >>> one = np.ones((1, 1, 2, 2))
    >>> output, weights = attend(one, one, one, causal_mask(2, 2, 2))
    >>> [gradient.shape for gradient in attend_backward(one, one, one, weights, output, one)]
    [(1, 1, 2, 2), (1, 1, 2, 2), (1, 1, 2, 2)]
    """
    scale = query.dtype.type(query.shape[-1] ** -0.5)
    dscores = doutput @ value.swapaxes(2, 3)
    dscores -= (doutput * output).sum(axis=-1, keepdims=True)  # softmax: less the mean gradient of its row
    dscores *= weights
    dquery, dkey = dscores @ (key * scale), dscores.swapaxes(2, 3) @ (query * scale)
    return dquery, dkey, weights.swapaxes(2, 3) @ doutput

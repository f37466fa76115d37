"""The Transformer as pure functions: its forward pass, which can be read from top to bottom.

B sequences of T bytes, S positions seen (those before them included), D model width, A heads of D / A
numbers, L blocks, E experts, k choices. The experts take rows, so the B T positions are laid out as one list
for them. Weights are a mapping from names to arrays (see `decoder.weight_shapes`); nothing here keeps state.
"""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import softmax
from moeviz.tinylm.parts import bank, rms_norm, run_experts

BASE = 10_000.0


class Attention(NamedTuple):
    """What the attention of one block saw and did."""

    tokens: np.ndarray   # (B, T, D) the normalised stream
    query: np.ndarray    # (B, A, T, D / A) turned by their positions
    key: np.ndarray      # (B, A, S, D / A) turned, those of the positions before included
    value: np.ndarray    # (B, A, S, D / A)
    weights: np.ndarray  # (B, A, T, S) who looks at whom
    merged: np.ndarray   # (B, T, D) what the heads found, side by side
    output: np.ndarray   # (B, T, D) what is added to the stream


class Layer(NamedTuple):
    """What one block saw and did."""

    before: np.ndarray    # (B, T, D) the stream before the block
    attention: Attention
    between: np.ndarray   # (B, T, D) the stream after attention, before the experts
    tokens: np.ndarray    # (B T, D) normalised: what gate and experts see
    routed: object        # Routing of the B T positions
    output: np.ndarray    # (B, T, D) what the experts add to the stream
    cache: object         # of experts.forward_cached, for training alone


class Pass(NamedTuple):
    """A forward pass: logits of the next byte, (B, T, 256), and what stood on the way."""

    logits: np.ndarray
    layers: tuple
    stream: np.ndarray  # (B, T, D) after the last block
    positions: np.ndarray  # (T,) counted from the first byte that was ever seen


def forward(weights, config, text, route, *, past=None, look_at=None, known=(), training=False):
    """Run text (B, T) of bytes through the model and return a Pass.

    route(logits, layer) -> Routing, with logits (B T, E) and the layer from 1 on. past: the Pass of the
    bytes before, whose keys and values are seen too, up to `config.context` bytes back. look_at: {layer:
    (key, value)} of another run, which attention looks at in the place of its own: the way to block what
    one position does to the others. known: the first Layers of another run of this text; the last of
    them is routed anew, and nothing before its route is computed again. training: keep what the gradient
    of the experts needs.
    """
    start = 0 if past is None else past.positions[-1] + 1
    positions = np.arange(start, start + text.shape[1])
    stream, layers = known[-1].before if known else weights["embedding"][text], list(known[:-1])
    for number in range(len(layers) + 1, config.layers + 1):
        before = None if past is None else past.layers[number - 1].attention
        other = None if look_at is None else look_at.get(number)
        heard = (known[-1].attention if number == len(known) else
                 _attention(weights, config, number, stream, positions, before, other))
        between = stream + heard.output
        tokens = rms_norm(between, weights[f"norm_experts_{number}"]).reshape(-1, config.width)
        routed = route(tokens @ weights[f"gate_{number}"], number)
        output, cache = run_experts(tokens, bank(weights, number), routed, training)
        output = output.reshape(between.shape)
        layers.append(Layer(stream, heard, between, tokens, routed, output, cache))
        stream = between + output
    logits = rms_norm(stream, weights["norm_read"]) @ weights["w_read"]
    return Pass(logits, tuple(layers), stream, positions)


def _attention(weights, config, number, stream, positions, before, other):
    tokens = rms_norm(stream, weights[f"norm_attention_{number}"])
    query, key, value = (split_heads(tokens @ weights[f"w_{part}_{number}"], config.heads)
                         for part in ("query", "key", "value"))
    query, key = rotate(query, positions), rotate(key, positions)
    if other is not None:
        key, value = other
    if before is not None:  # a position needs no more than the context - 1 before it
        key = np.concatenate([before.key[:, :, 1 - config.context:], key], axis=2)
        value = np.concatenate([before.value[:, :, 1 - config.context:], value], axis=2)
    mask = causal_mask(query.shape[2], key.shape[2], config.context)
    found, looks = attend(query, key, value, mask)
    merged = merge_heads(found)
    output = merged @ weights[f"w_merge_{number}"]
    return Attention(tokens, query, key, value, looks, merged, output)


# --- attention ---------------------------------------------------------------------------------------


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

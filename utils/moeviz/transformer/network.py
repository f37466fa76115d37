"""The Transformer as pure functions: its forward pass, which can be read from top to bottom.

B sequences of T bytes, D model width, A heads, L blocks, E experts, k choices. The experts take rows, so
the B T positions are laid out as one list for them. Weights are a mapping from names to arrays (see
`config.weight_shapes`); nothing here keeps state.
"""

from typing import NamedTuple

import numpy as np

from moeviz.tinylm.parts import bank, rms_norm, run_experts
from moeviz.transformer.attention import attend, causal_mask, merge_heads, rotate, split_heads


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


def forward(weights, config, text, route, *, past=None, look_at=None, training=False):
    """Run text (B, T) of bytes through the model and return a Pass.

    route(logits, layer) -> Routing, with logits (B T, E) and the layer from 1 on. past: the Pass of the
    bytes before, whose keys and values are seen too, up to `config.context` bytes back. look_at: {layer:
    (key, value)} of another run, which attention looks at in the place of its own: the way to block what
    one position does to the others. training: keep what the gradient of the experts needs.
    """
    start = 0 if past is None else past.positions[-1] + 1
    positions = np.arange(start, start + text.shape[1])
    stream, layers = weights["embedding"][text], []
    for number in range(1, config.layers + 1):
        before = None if past is None else past.layers[number - 1].attention
        other = None if look_at is None else look_at.get(number)
        heard = _attention(weights, config, number, stream, positions, before, other)
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

"""The loss of the Transformer and its gradient, derived by hand: the forward pass read backwards.

The same letters as in `blocks`.
"""

import numpy as np

from moeviz import losses
from moeviz.tinylm.parts import (
    add_rows,
    balance,
    cross_entropy,
    experts_backward,
    rms_norm,
    rms_norm_backward,
)
from moeviz.training import Context
from moeviz.transformer.blocks import attend_backward, forward, merge_heads, rotate, split_heads


def loss_and_gradients(weights, config, text, targets, *, router, bias, rng=None):
    """Return the loss (nats per byte), the balancing loss, {name: gradient of both}, the Pass.

    text, targets: (B, T) bytes and those that follow each. router: a `training.Router`. bias: (L, E), the
    selection bias that some routers add. rng: for routers that draw. The balancing loss is Switch's, over
    all positions of the batch, times config.aux_weight, summed over the layers.
    """
    def route(logits, layer):
        return router.route(logits, Context(logits, None, bias[layer - 1], None, rng, True))

    done = forward(weights, config, text, route, training=True)
    loss, dlogits = cross_entropy(done.logits.reshape(-1, done.logits.shape[-1]), targets.ravel())
    penalty, pushes = 0.0, [0.0] * config.layers
    if config.aux_weight and config.num_experts > 1:
        penalty, pushes = balance(done.layers, config.aux_weight, losses.switch_loss)
    gradients = _backward(weights, done, text, dlogits, pushes, router.backward)
    return loss, penalty, gradients, done


def _backward(weights, done, text, dlogits, pushes, route_backward):
    width = weights["embedding"].shape[1]
    last = done.stream.reshape(-1, width)
    gradients = {"w_read": rms_norm(last, weights["norm_read"]).T @ dlogits}
    dstream, gradients["norm_read"] = rms_norm_backward(last, weights["norm_read"],
                                                        dlogits @ weights["w_read"].T)
    for number in range(len(done.layers), 0, -1):
        layer, push = done.layers[number - 1], pushes[number - 1]
        dstream = experts_backward(weights, gradients, number, layer, layer.between.reshape(-1, width),
                                   f"norm_experts_{number}", dstream, push, route_backward)
        dstream = _attention_backward(weights, gradients, number, layer, dstream, done.positions)
    gradients["embedding"] = add_rows(dstream, text.ravel(), weights["embedding"])
    return gradients


def _attention_backward(weights, gradients, number, layer, dstream, positions):
    """Return the gradient (B T, D) of the stream before attention, given that after it."""
    seen, heads, (batch, length, width) = layer.attention, layer.attention.query.shape[1], layer.before.shape
    gradients[f"w_merge_{number}"] = seen.merged.reshape(-1, width).T @ dstream
    dfound = split_heads((dstream @ weights[f"w_merge_{number}"].T).reshape(batch, length, width), heads)
    dquery, dkey, dvalue = attend_backward(seen.query, seen.key, seen.value, seen.weights,
                                           split_heads(seen.merged, heads), dfound)
    dquery, dkey = rotate(dquery, positions, back=True), rotate(dkey, positions, back=True)
    tokens, dtokens = seen.tokens.reshape(-1, width), np.zeros_like(dstream)
    for part, gradient in (("query", dquery), ("key", dkey), ("value", dvalue)):
        rows, name = merge_heads(gradient).reshape(-1, width), f"w_{part}_{number}"
        gradients[name] = tokens.T @ rows
        dtokens += rows @ weights[name].T
    name = f"norm_attention_{number}"
    through, gradients[name] = rms_norm_backward(layer.before.reshape(-1, width), weights[name], dtokens)
    return dstream + through

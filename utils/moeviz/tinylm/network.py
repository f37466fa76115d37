"""The model as pure functions: forward over windows of bytes, and the gradient derived by hand.

N windows, D model width, E experts, k choices. Weights are a mapping from names (see
`model.weight_shapes`) to arrays; nothing here keeps state.
"""

from typing import NamedTuple

import numpy as np

from moeviz import losses, routing
from moeviz.tinylm.parts import (
    add_rows,
    balance,
    bank,
    cross_entropy,
    experts_backward,
    rms_norm,
    run_experts,
)


class Layer(NamedTuple):
    """What one MoE layer saw and did, kept for the backward pass and for `TinyLM.trace`."""

    stream: np.ndarray   # (N, D) the residual stream before the layer
    tokens: np.ndarray   # (N, D) normalised: what gate and experts see
    routed: object      # Routing of the N tokens
    output: np.ndarray   # (N, D) what the layer adds to the stream
    cache: object        # of experts.forward_cached, in training alone


class Pass(NamedTuple):
    """A forward pass: logits of the next byte, (N, 256), and all that the backward pass needs."""

    logits: np.ndarray
    windows: np.ndarray
    mixed: np.ndarray    # (N, D) the stream that enters the first layer
    layers: tuple
    stream: np.ndarray   # (N, D) the stream that is read out


def forward(weights, config, windows, *, route=None, known=(), training=False):
    """Run windows (N, context) of bytes through the model and return a Pass.

    route(logits, layer) -> Routing replaces the router (top-k). known: the first Layers of another run of
    these windows; the last of them is routed anew, and none before it is computed again. training: keep
    what the gradient of the experts needs; without it the layers go the fast way and keep nothing.
    """
    route = route or (lambda logits, layer: routing.top_k(logits, config.k))
    mixed = np.maximum(_embed(weights, windows) @ weights["w_mix"] + weights["b_mix"], 0)
    layers, stream = list(known[:-1]), known[-1].stream if known else mixed
    for number in range(len(layers) + 1, config.layers + 1):
        tokens = rms_norm(stream, weights[f"norm_{number}"])
        chosen = route(tokens @ weights[f"gate_{number}"], number)
        output, cache = run_experts(tokens, bank(weights, number), chosen, training)
        layers.append(Layer(stream, tokens, chosen, output, cache))
        stream = stream + output
    logits = stream @ weights["w_read"] + weights["b_read"]
    return Pass(logits, windows, mixed, tuple(layers), stream)


def loss_and_gradients(weights, config, windows, targets, *, route=None, part=None, penalty=None,
                       backward=routing.weights_backward):
    """Return the loss (nats per byte), the balancing loss, the gradient of both per weight, the Pass.

    windows: (N, context) bytes, targets: (N,) the byte that follows each. part: (N,) int, the micro-batch
    of each window: with it the balancing loss counts f and P within each micro-batch and averages its
    values, so that every micro-batch has to be even. Without it f is counted over all N windows, which
    only have to be even together. (P may be taken per micro-batch even then: f is the same for all, so
    the mean over micro-batches, by their sizes, is this loss.)
    penalty(routed) -> (value, dlogits): another balancing loss in place of the Switch loss.
    backward(routed, dweight) -> dlogits: from the weights of `route` to its logits; the default is top-k's.
    """
    done = forward(weights, config, windows, route=route, training=True)
    loss, dlogits = cross_entropy(done.logits, targets)
    part = np.zeros(len(windows), dtype=int) if part is None else part
    penalty = penalty or (lambda routed: losses.sequence_loss(routed, part, scoring="softmax"))
    penalty, pushes = balance(done.layers, config.aux_weight, penalty)
    return loss, penalty, _backward(weights, done, dlogits, pushes, backward), done


def _embed(weights, windows):
    return weights["embedding"][windows].reshape(len(windows), -1)


def _backward(weights, done, dlogits, pushes, route_backward):
    gradients = {"w_read": done.stream.T @ dlogits, "b_read": dlogits.sum(axis=0)}
    dstream = dlogits @ weights["w_read"].T
    for number in range(len(done.layers), 0, -1):
        layer, push = done.layers[number - 1], pushes[number - 1]
        dstream = experts_backward(weights, gradients, number, layer, layer.stream, f"norm_{number}", dstream,
                                   push, route_backward)
    dmixed = dstream * (done.mixed > 0)
    gradients["w_mix"] = _embed(weights, done.windows).T @ dmixed
    gradients["b_mix"] = dmixed.sum(axis=0)
    dembedded = (dmixed @ weights["w_mix"].T).reshape(-1, weights["embedding"].shape[1])
    gradients["embedding"] = add_rows(dembedded, done.windows.ravel(), weights["embedding"])
    return gradients

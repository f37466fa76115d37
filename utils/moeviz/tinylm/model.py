"""TinyLM: the trained model as one frozen record, its sizes, its file, and what notebooks ask of it.

T bytes of a sentence, D model width, E experts, k choices, L MoE layers. The arrays of a file are stored, not
compressed, so a small one cannot unfold into a large one, and their dates are fixed, so the same weights give
the same bytes.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_count, check_number, check_rng, softmax
from moeviz.checks import check_kind, store
from moeviz.files import stored
from moeviz.record import Routing
from moeviz.text import encode
from moeviz.tinylm import network
from moeviz.tinylm.parts import (
    PAD,
    SYMBOLS,
    ByteModel,
    Settings,
    read_model,
    save_model,
    stacked,
    surprise,
)

CHUNK, BLOCK, MOST = 8192, 2**15, 2**18  # windows: of a loss, of a routing; that are kept whole
FORMAT = "moeviz.tinylm 1"
STORED = stored("tiny_moe.npz")


@dataclass(frozen=True)
class Config(Settings):
    """Sizes and hyper-parameters of a TinyLM; every one is checked.

    context: bytes that a position sees, itself included. embedding: numbers per byte. width: D.
    num_experts: E. hidden: H, the width inside an expert. k: choices per byte. layers: L, the MoE layers.
    aux_weight: weight of the Switch loss. batch: windows per step. learning_rate: of Adam.
    warm_up: steps until the full rate. decay_share: last share of the steps, falling to 0.
    Raises ValueError naming the field that is wrong.

    >>> Config(k=9)
    Traceback (most recent call last):
    ValueError: k must be a whole number between 1 and 8, got 9
    """

    context: int = 8
    embedding: int = 16
    width: int = 96
    num_experts: int = 8
    hidden: int = 48
    k: int = 2
    layers: int = 2
    aux_weight: float = 0.02
    batch: int = 512
    learning_rate: float = 3e-3
    warm_up: int = 50
    decay_share: float = 0.3

    def __post_init__(self):
        self.check_counts(context=64, embedding=256, width=1024, num_experts=256, hidden=4096,
                          k=self.num_experts, layers=8, batch=65_536, warm_up=100_000)
        store(self, check_number, "aux_weight", low=0.0, high=10.0)
        store(self, check_number, "learning_rate", "decay_share", low=0.0, high=1.0)


def weight_shapes(config):
    """Return {name: shape} of every weight array, in the order of the forward pass.

    Raises ValueError for what is no Config.

    >>> weight_shapes(Config())["gate_1"]
    (96, 8)
    """
    check_kind(config, "config", Config)
    d, h, e = config.width, config.hidden, config.num_experts
    shapes = {"embedding": (SYMBOLS, config.embedding), "w_mix": (config.context * config.embedding, d),
              "b_mix": (d,)}
    for layer in range(1, config.layers + 1):
        shapes |= {f"norm_{layer}": (d,), f"gate_{layer}": (d, e), f"w_in_{layer}": (e, d, h),
                   f"w_out_{layer}": (e, h, d)}
    return shapes | {"w_read": (d, SYMBOLS), "b_read": (SYMBOLS,)}


class LayerTrace(NamedTuple):
    """One MoE layer at work on T bytes: `tokens @ gate` is `logits`, and routing is top-k of those."""

    tokens: np.ndarray   # (T, D) normalised vectors that enter the gate and the experts
    gate: np.ndarray     # (D, E)
    logits: np.ndarray   # (T, E)
    routed: Routing
    output: np.ndarray   # (T, D) weighted sum of the chosen experts, added to the stream


class TinyLM(ByteModel):
    """A byte language model with L residual MoE layers: a `parts.ByteModel` with a Config of this module."""

    shapes = staticmethod(weight_shapes)

    def route(self, sentence, **steering):
        """Return one Routing per MoE layer for every byte of `sentence` (text, bytes or uint8 array).

        Position t sees the `config.context` bytes up to and including byte t; before the first byte
        it sees newlines. steering: k, temperature, bias, off, capacity, order, where, as in
        `moeviz.steering.make_route`; without any of it the model runs as it was trained.
        A long text runs in blocks. Raises ValueError if the sentence is empty or not text, and for wrong
        steering.

        >>> from moeviz import tinylm
        >>> tinylm.load().route("moe", k=1, off={1: [3]})[0].k
        1
        """
        windows = self._windows(sentence)
        if len(windows) <= BLOCK or {"capacity", "where"} & set(steering):  # these see all bytes together
            return tuple(layer.routed for layer in self.trace(sentence, **steering))
        blocks = [[layer.routed for layer in self._run(windows[start:start + BLOCK], **steering).layers]
                  for start in range(0, len(windows), BLOCK)]
        return tuple(stacked(parts, f"layer {number}")
                     for number, parts in enumerate(zip(*blocks, strict=True), start=1))

    def trace(self, sentence, **steering):
        """Return one LayerTrace per MoE layer: the token vectors, the gate, its logits, the routing.

        Steering and ValueErrors as in `route`; everything is kept, so that a text of more than 262,144 bytes
        is refused too.
        """
        windows = self._windows(sentence)
        if len(windows) > MOST:
            raise ValueError(f"sentence must have at most {MOST} bytes where all that a layer does is kept "
                             f"or a capacity is set, got {len(windows)}; route takes longer ones without")
        layers = self._run(windows, **steering).layers
        return tuple(self._named(layer, number) for number, layer in enumerate(layers, start=1))

    def hidden(self, sentence, *, layer=1):
        """Return the vectors (T, D) that enter the gate of `layer`, counted from 1.

        Raises ValueError as `route` does, and for another layer.
        """
        return self.trace(sentence)[check_count(layer, "layer", high=self.config.layers) - 1].tokens

    def predict(self, sentence, **steering):
        """Return (T, 256): after each byte, the probability of each possible next byte.

        Steering and ValueErrors as in `route`.
        """
        return softmax(self._run(self._windows(sentence), **steering).logits)

    def losses(self, sentence, **steering):
        """Return the loss (T,) of each byte in nats; what stands before the first one takes no seat.

        Steering and ValueErrors as in `route`.
        """
        text = encode(sentence)
        seats = {"capacity", "order", "where"}
        alone = {name: value for name, value in steering.items() if name not in seats}
        first = self._run(np.full((1, self.config.context), PAD, dtype=np.uint8), **alone).logits
        rest = self._run(self._windows(text), **steering).logits[:-1]
        return surprise(np.concatenate([first, rest]), text)

    def window_losses(self, windows, targets):
        """Return the loss (N,) in nats of each target byte (N,) after its window (N, context), both uint8.

        Raises ValueError for windows or targets of another kind or shape.
        """
        windows, targets = self._check_windows(windows), encode(targets, "targets")
        if len(targets) != len(windows):
            raise ValueError(f"targets must have shape ({len(windows)},), got shape {targets.shape}")
        return np.concatenate([surprise(self._run(windows[i:i + CHUNK]).logits, targets[i:i + CHUNK])
                               for i in range(0, len(windows), CHUNK)])

    def row_losses(self, rows, *, route=None, known=()):
        """Return the losses (R, T) of bytes 1..T of rows (R, T + 1), each row a text cut out of another one.

        Newlines stand before a row. route(logits (R T, E), layer) -> Routing; the trained one if None.
        known: Layers of another run of these rows, see `network.forward`.
        """
        logits = self.run_rows(rows, route=route, known=known).logits
        return surprise(logits.reshape(len(rows), -1, SYMBOLS), rows[:, 1:])

    def run_rows(self, rows, *, route=None, known=()):
        """Return the `network.Pass` of rows (R, T + 1) without their last byte; arguments as `row_losses`."""
        padded = np.pad(rows[:, :-1], ((0, 0), (self.config.context - 1, 0)), constant_values=PAD)
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.config.context, axis=1)
        return network.forward(self.weights, self.config, windows.reshape(-1, self.config.context),
                               route=self.steered() if route is None else route, known=known)

    def route_windows(self, windows):
        """Return one Routing per MoE layer for windows (N, context) of uint8 bytes, oldest byte first.

        Raises ValueError for windows of another kind or shape.
        """
        layers = self._run(self._check_windows(windows)).layers
        return tuple(self._named(layer, number).routed for number, layer in enumerate(layers, start=1))

    def _run(self, windows, **steering):
        return network.forward(self.weights, self.config, windows, route=self.steered(**steering))

    def _check_windows(self, value):
        windows, width = as_array(value, "windows"), self.config.context
        if windows.dtype != np.uint8 or windows.ndim != 2 or windows.shape[1] != width or not len(windows):
            raise ValueError(f"windows must be uint8 of shape (N, {width}), got {windows.dtype} of shape "
                             f"{windows.shape}")
        return windows

    def _windows(self, sentence):
        padding = np.full(self.config.context - 1, PAD, dtype=np.uint8)
        padded = np.concatenate([padding, encode(sentence)])
        return np.lib.stride_tricks.sliding_window_view(padded, self.config.context)

    def _named(self, layer, number):
        chosen = layer.routed.relabel(f"layer {number}")
        return LayerTrace(layer.tokens, self.gate(number), chosen.logits, chosen, layer.output)

    def __repr__(self):
        c, count = self.config, sum(array.size for array in self.weights.values())
        return (f"TinyLM: {count} weights, {c.layers} MoE layers, "
                f"E = {c.num_experts}, k = {c.k}, D = {c.width}")


def init(rng, config, *, dtype=np.float32):
    """Draw an untrained TinyLM: weights scaled to their inputs, gates small (std 0.02), biases 0.

    Raises ValueError for a bad rng or what is no Config.

    >>> init(np.random.default_rng(0), Config()).config.num_experts
    8
    """
    rng, shapes = check_rng(rng), weight_shapes(config)
    weights = {name: _draw(rng, name, shape).astype(dtype) for name, shape in shapes.items()}
    return TinyLM(weights, config, {"trained": False})


def _draw(rng, name, shape):
    kind = name.rstrip("_0123456789")
    if kind in ("b_mix", "b_read"):
        return np.zeros(shape)
    if kind == "norm":
        return np.ones(shape)
    scale = {"embedding": 1.0, "gate": 0.02, "w_read": shape[0] ** -0.5}.get(kind, (2 / shape[-2]) ** 0.5)
    return rng.normal(size=shape) * scale


@functools.cache
def load():
    """Return the trained course model that is stored with the package; read once, then shared.

    >>> len(load().route("moe"))
    2
    """
    return load_weights(STORED)


def save(model, path):
    """Write a TinyLM to `path` (.npz); the same model gives the same bytes.

    The file is complete or not there at all. Raises ValueError for what is no TinyLM.
    """
    save_model(path, FORMAT, check_kind(model, "model", TinyLM), model.weights)


def load_weights(path):
    """Read a TinyLM from `path` (.npz). Raises ValueError or OSError as `parts.read_model` does."""
    return read_model(path, FORMAT, TinyLM, _config, weight_shapes)


def _config(values):
    """Return the Config of what a file says; files that are older than the name k call it top_k."""
    if isinstance(values, dict):
        values = {"k" if name == "top_k" else name: value for name, value in values.items()}
    return Config.from_dict(values)

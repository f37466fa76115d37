"""Transformer: the trained model as one frozen record, its sizes, its file, and what notebooks ask of it.

T bytes of a text, D model width, A heads, E experts, k choices, L blocks. A file holds the weights rounded to
half precision, 2 bytes each; what is loaded, and what pages compute with, are the rounded numbers as float32.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count, check_number, check_rng, softmax
from moeviz.checks import check_kind, store
from moeviz.files import stored
from moeviz.record import Routing
from moeviz.text import encode
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
from moeviz.transformer import blocks

FORMAT = "moeviz.transformer 1"
STORED = stored("transformer.npz")


@dataclass(frozen=True)
class Config(Settings):
    """Sizes and hyper-parameters of a Transformer; every one is checked.

    context: bytes that a position sees, itself included. width: D. heads: attention heads, D / heads numbers
    each, an even count. layers: L blocks. num_experts: E, 1 for a dense layer. hidden: H, the width inside
    an expert. k: choices per byte. aux_weight: weight of the Switch loss. bias_rate: step of the bias rule,
    0 for none. batch: sequences per step. learning_rate: of AdamW. warm_up: steps until the full rate.
    decay_share: last share of the steps, falling to 0. weight_decay: of all matrices. clip: longest gradient.
    Raises ValueError naming the field that is wrong.

    >>> Config(k=9)
    Traceback (most recent call last):
    ValueError: k must be a whole number between 1 and 8, got 9
    """

    context: int = 128
    width: int = 96
    heads: int = 4
    layers: int = 3
    num_experts: int = 8
    hidden: int = 96
    k: int = 2
    aux_weight: float = 0.01
    bias_rate: float = 0.0
    batch: int = 16
    learning_rate: float = 3e-3
    warm_up: int = 100
    decay_share: float = 0.25
    weight_decay: float = 0.05
    clip: float = 1.0

    def __post_init__(self):
        self.check_counts(context=4096, width=1024, heads=64, layers=32, num_experts=256, hidden=4096,
                          k=self.num_experts, batch=4096, warm_up=100_000)
        store(self, check_number, "aux_weight", "bias_rate", "learning_rate", "weight_decay", low=0.0,
              high=10.0)
        store(self, check_number, "decay_share", low=0.0, high=1.0)
        store(self, check_number, "clip", low=1e-9, high=1e9)
        if self.width % (2 * self.heads):
            raise ValueError(f"heads must cut the width {self.width} into even parts, got {self.heads}")


def weight_shapes(config):
    """Return {name: shape} of every weight array, in the order of the forward pass.

    Raises ValueError for what is no Config.

    >>> weight_shapes(Config())["gate_1"]
    (96, 8)
    """
    check_kind(config, "config", Config)
    d, h, e = config.width, config.hidden, config.num_experts
    shapes = {"embedding": (SYMBOLS, d)}
    for layer in range(1, config.layers + 1):
        shapes |= {f"norm_attention_{layer}": (d,), f"w_query_{layer}": (d, d), f"w_key_{layer}": (d, d),
                   f"w_value_{layer}": (d, d), f"w_merge_{layer}": (d, d), f"norm_experts_{layer}": (d,),
                   f"gate_{layer}": (d, e), f"w_in_{layer}": (e, d, h), f"w_out_{layer}": (e, h, d)}
    return shapes | {"norm_read": (d,), "w_read": (d, SYMBOLS)}


class BlockTrace(NamedTuple):
    """One block at work on T bytes, every value by its name; `before + attention + output` is `after`."""

    before: np.ndarray     # (T, D) the residual stream before the block
    query: np.ndarray      # (A, T, D / A) turned by their positions
    key: np.ndarray        # (A, T, D / A)
    value: np.ndarray      # (A, T, D / A)
    looks: np.ndarray      # (A, T, T) attention weights: how much position t takes from position s
    attention: np.ndarray  # (T, D) what attention adds to the stream
    tokens: np.ndarray     # (T, D) normalised vectors that enter the gate and the experts
    logits: np.ndarray     # (T, E)
    routed: Routing
    output: np.ndarray     # (T, D) weighted sum of the chosen experts, added to the stream
    after: np.ndarray      # (T, D) the residual stream after the block


class Written(NamedTuple):
    """What `Transformer.write` wrote after a prompt."""

    text: bytes           # the N bytes, without the prompt
    routed: tuple         # one Routing per block, of the N written bytes
    chances: np.ndarray   # (N,) how probable each of them was


class Transformer(ByteModel):
    """A byte language model of L blocks, each attention and then experts.

    It is a `tinylm.parts.ByteModel` with a Config of this module.
    A position sees itself and the config.context - 1 bytes before it, and before the first byte one
    newline, which has no row in any result. A text may be as long as you like.
    """

    shapes = staticmethod(weight_shapes)

    def route(self, sentence, **steering):
        """Return one Routing per block for every byte of a text (text, bytes or uint8 array).

        steering: k, temperature, bias, off, capacity, order, where, as in `moeviz.steering.make_route`;
        without any of it the model runs as it was trained. A capacity counts the seats of each stretch of
        config.context bytes.
        Raises ValueError if the text is empty or not text, and for wrong steering.

        >>> model = init(np.random.default_rng(0), Config(width=8, heads=2, hidden=4))
        >>> [routed.num_tokens for routed in model.route("moe", k=1, off={1: [0]})]
        [3, 3, 3]
        """
        return join(self._routed(encode(sentence), steering)[1])

    def predict(self, sentence, **steering):
        """Return (T, 256): after each byte, the probability of each possible next byte."""
        return softmax(self._routed(encode(sentence), steering)[0][1:])

    def losses(self, sentence, **steering):
        """Return the loss (T,) of each byte in nats, predicted from those before it."""
        text = encode(sentence)
        return surprise(self._routed(text, steering)[0][:-1], text)

    def trace(self, sentence, **steering):
        """Return one BlockTrace per block. Steering and ValueErrors as in `route`.

        Raises ValueError for a text of config.context bytes or more, too, whose attention would be too large.
        """
        text = encode(sentence)
        if len(text) >= self.config.context:
            raise ValueError(f"sentence must have at most {self.config.context - 1} bytes to be traced, "
                             f"got {len(text)}")
        padded = np.concatenate([[np.uint8(PAD)], text])[None]
        done = blocks.forward(self.weights, self.config, padded, self._seated(steering, padded=True))
        return tuple(_block(layer, number) for number, layer in enumerate(done.layers, start=1))

    def write(self, prompt, length, *, rng, temperature=0.7, **steering):
        """Write `length` bytes after a prompt and return them as Written, one byte at a time.

        temperature: of the next byte's chances; 0 always takes the most probable. Keys and values of the
        bytes before are kept, so that each byte costs one row. steering: k, bias, off.
        Raises ValueError for an empty prompt, a length below 1, a wrong rng or temperature.

        >>> model = init(np.random.default_rng(0), Config(width=8, heads=2, hidden=4))
        >>> len(model.write("The ", 5, rng=np.random.default_rng(0)).text)
        5
        """
        length, rng = check_count(length, "length"), check_rng(rng)
        temperature = check_number(temperature, "temperature", low=0.0)
        route = self.steered(**steering)
        past = None
        for part in self._parts(encode(prompt, "prompt")):
            past = blocks.forward(self.weights, self.config, part[None], route, past=past)
        written, chances, seen = [], [], []
        for _ in range(length):
            byte, chance = _draw_byte(past.logits[0, -1], temperature, rng)
            written.append(byte)
            chances.append(chance)
            part = np.array([[byte]], dtype=np.uint8)
            past = blocks.forward(self.weights, self.config, part, route, past=past)
            seen.append(tuple(layer.routed for layer in past.layers))
        return Written(bytes(written), join(seen), np.array(chances))

    def row_losses(self, rows, *, route=None, look_at=None, known=()):
        """Return the losses (B, T) of bytes 1..T of rows (B, T + 1), each row a text cut out of another one.

        No newline stands before a row. route(logits (B T, E), layer) -> Routing; the trained one if None.
        look_at, known: {layer: (key, value)} and Layers of another run of these rows, see `blocks.forward`.
        """
        done = self.run_rows(rows, route=route, look_at=look_at, known=known)
        return surprise(done.logits, rows[:, 1:])

    def run_rows(self, rows, *, route=None, look_at=None, known=()):
        """Return the `blocks.Pass` of rows (B, T + 1) without their last byte; arguments as `row_losses`."""
        route = self.steered() if route is None else route
        return blocks.forward(self.weights, self.config, rows[:, :-1], route, look_at=look_at, known=known)

    def _seated(self, steering, *, padded):
        """Return the route of a text; where seats are counted, a newline in front is routed for itself."""
        route = self.steered(**steering)
        if not padded or (steering.get("capacity") is None and steering.get("where") is None):
            return route
        some = {"bias", "off"} if steering.get("where") is not None else set()
        left = {"capacity", "order", "where"} | some
        alone = {name: value for name, value in steering.items() if name not in left}
        first = self.steered(**alone)
        return lambda logits, layer: stacked([first(logits[:1], layer), route(logits[1:], layer)], "seated")

    def _parts(self, text):
        """Return the text in parts of up to config.context bytes, the first one with a newline in front."""
        size = self.config.context
        parts = [text[start:start + size] for start in range(0, len(text), size)]
        return [np.concatenate([[np.uint8(PAD)], parts[0]]), *parts[1:]]

    def _routed(self, text, steering):
        """Return (logits (T + 1, 256) from the newline on, [the Routing of each block] of each part)."""
        where, at = steering.pop("where", None), 0
        logits, routed, past = [], [], None
        for number, part in enumerate(self._parts(text)):
            length = len(part) - (number == 0)
            own = {} if where is None else {"where": np.asarray(where)[at:at + length]}
            route = self._seated({**steering, **own}, padded=number == 0)
            past = blocks.forward(self.weights, self.config, part[None], route, past=past)
            logits.append(past.logits[0])
            routed.append(tuple(_rows(layer.routed, number == 0) for layer in past.layers))
            at += length
        return np.concatenate(logits), routed

    def __repr__(self):
        c, count = self.config, sum(array.size for array in self.weights.values())
        return (f"Transformer: {count:,} weights, {c.layers} blocks of {c.heads} heads, "
                f"E = {c.num_experts}, k = {c.k}, D = {c.width}")


def join(parts):
    """Return one Routing per block of [the Routings of each block] for one part of a text after the other.

    >>> from moeviz.routing import top_k
    >>> join([(top_k([[1.0, 0.0]], k=1),), (top_k([[0.0, 1.0]], k=1),)])[0].expert_index.tolist()
    [[0], [1]]
    """
    return tuple(stacked(layer, f"block {number}")
                 for number, layer in enumerate(zip(*parts, strict=True), start=1))


def init(rng, config, *, dtype=np.float32):
    """Draw an untrained Transformer: weights scaled to their inputs, gates small (std 0.02).

    What is added to the stream is drawn smaller the more layers add to it.
    Raises ValueError for a bad rng or what is no Config.

    >>> init(np.random.default_rng(0), Config()).config.num_experts
    8
    """
    rng, shapes = check_rng(rng), weight_shapes(config)
    weights = {name: _draw(rng, name, shape, config.layers).astype(dtype) for name, shape in shapes.items()}
    return Transformer(weights, config, {"trained": False})


def _draw(rng, name, shape, layers):
    if name.startswith("norm"):
        return np.ones(shape)
    kind, into = name.rstrip("_0123456789"), shape[-2] ** -0.5
    adds = (2 * layers) ** -0.5
    scale = {"embedding": 0.5, "gate": 0.02, "w_in": into * 2**0.5, "w_merge": into * adds,
             "w_out": into * adds}.get(kind, into)
    return rng.normal(size=shape) * scale


def _rows(routed, padded):
    """Return the Routing without its first token where that is the newline in front."""
    if not padded:
        return routed
    return Routing(routed.logits[1:], routed.probs[1:], routed.expert_index[1:], routed.combine_weight[1:],
                   routed.kept[1:], routed.label)


def _block(layer, number):
    """Return the BlockTrace of a Layer, without the newline in front."""
    heard, width = layer.attention, layer.before.shape[-1]
    before, between, output = layer.before[0, 1:], layer.between[0, 1:], layer.output[0, 1:]
    routed = _rows(layer.routed, True).relabel(f"block {number}")
    return BlockTrace(before, heard.query[0, :, 1:], heard.key[0, :, 1:], heard.value[0, :, 1:],
                      heard.weights[0, :, 1:, 1:], heard.output[0, 1:], layer.tokens.reshape(-1, width)[1:],
                      routed.logits, routed, output, between + output)


def _draw_byte(logits, temperature, rng):
    """Return a next byte and its chance."""
    if temperature == 0:
        byte = int(np.argmax(logits))
        return byte, float(softmax(logits)[byte])
    chances = softmax(logits.astype(float) / temperature)
    byte = int(rng.choice(len(chances), p=chances))
    return byte, float(chances[byte])


@functools.cache
def load():
    """Return the trained Transformer that is stored with the package; read once, then shared."""
    return load_weights(STORED)


def save(model, path):
    """Write a Transformer to `path` (.npz), its weights as float16; the same model gives the same bytes.

    The file is complete or not there at all. Raises ValueError for what is no Transformer.
    """
    weights = check_kind(model, "model", Transformer).weights
    save_model(path, FORMAT, model, {name: array.astype(np.float16) for name, array in weights.items()})


def rounded(model):
    """Return the Transformer with the weights that it would have after `save` and `load_weights`."""
    weights = {name: array.astype(np.float16).astype(np.float32) for name, array in model.weights.items()}
    return Transformer(weights, model.config, model.provenance)


def load_weights(path):
    """Read a Transformer from `path` (.npz). Raises ValueError or OSError as `tinylm.load_weights` does."""
    return read_model(path, FORMAT, _of_halves, Config.from_dict, weight_shapes)


def _of_halves(weights, config, provenance):
    halves = {name: array.dtype for name, array in weights.items() if array.dtype != np.float16}
    if halves:
        raise ValueError(f"its arrays must be float16, got {halves}")
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    return Transformer(weights, config, provenance)

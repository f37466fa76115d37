"""What the byte model and the Transformer are both made of: settings, norm, cross-entropy, weights and files.

N positions, D model width.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType

import numpy as np

from moeviz import experts
from moeviz.arrays import check_count, softmax
from moeviz.checks import check_kind, store
from moeviz.files import load_npz, read_about, read_array, write_npz, write_whole
from moeviz.record import EMPTY, Routing
from moeviz.steering import make_route

SYMBOLS = 256
EPSILON = 1e-6
PAD = 10  # newline: what stands before the first byte
MAX_BYTES = 4_000_000  # of a file of weights


@dataclass(frozen=True, eq=False, repr=False)
class ByteModel:
    """What the two models have in common: frozen records of weights, a Config and provenance.

    weights: {name: array} with the names and shapes of `shapes(config)`; copied, read-only.
    provenance: plain facts about the training (seed, steps, hash of the text, held-out losses).
    Raises ValueError naming the array that is missing, of the wrong shape or dtype, or not finite.
    """

    weights: MappingProxyType
    config: object
    provenance: MappingProxyType = field(default_factory=dict)

    def __post_init__(self):
        check_kind(self.weights, "weights", Mapping)
        check_kind(self.provenance, "provenance", Mapping)
        checked = check_weights(self.weights, self.shapes(self.config))
        object.__setattr__(self, "weights", MappingProxyType(checked))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    def steered(self, **steering):
        """Return route(logits, layer) -> Routing, as trained or as `moeviz.steering.make_route` is told."""
        config = self.config
        return make_route(config.layers, config.num_experts, config.k, **steering)

    def loss(self, sentence, **steering):
        """Return the mean loss in nats per byte, each byte predicted from those before it.

        The first bytes are predicted from newlines, so a short sentence has a high loss.
        Steering and ValueErrors as in `route`.
        """
        return float(self.losses(sentence, **steering).mean())

    def gate(self, layer):
        """Return the gate (D, E) of a layer, counted from 1; ValueError for another layer."""
        return self.weights[f"gate_{check_count(layer, 'layer', high=self.config.layers)}"]

    def bank(self, layer):
        """Return the ExpertBank of a layer, counted from 1; ValueError for another layer."""
        return bank(self.weights, check_count(layer, "layer", high=self.config.layers))


class Settings:
    """What the two Configs have in common; each is a frozen record of sizes and hyper-parameters."""

    def check_counts(self, **limits):
        """Check that each field named is a whole number between 1 and its limit; ValueError otherwise."""
        for name, high in limits.items():
            store(self, check_count, name, high=high)

    @classmethod
    def from_dict(cls, values):
        """Build one from a mapping that names every field and no other; ValueError otherwise."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            seen = sorted(values) if isinstance(values, dict) else values
            raise ValueError(f"config must hold the fields {', '.join(sorted(names))}, got {seen}")
        return cls(**values)


def bank(weights, layer):
    """Return the ExpertBank of a layer, 1..L, from weights named w_in_1, w_out_1 and so on."""
    return experts.ExpertBank(weights[f"w_in_{layer}"], weights[f"w_out_{layer}"])


def run_experts(tokens, layer_bank, routed, training):
    """Return the output (N, D) of a layer, and in training what its gradient needs.

    >>> from moeviz import routing
    >>> layer_bank = experts.random_bank(2, 2, 3, rng=np.random.default_rng(0))
    >>> run_experts(np.eye(2), layer_bank, routing.top_k(np.eye(2)), training=False)[1] is None
    True
    """
    if training:
        return experts.forward_cached(tokens, layer_bank, routed)
    return experts.forward_grouped(tokens, layer_bank, routed), None


def rms_norm(stream, scale):
    """Return each row of stream (..., D) at root mean square 1, times scale (D,).

    Source: Zhang and Sennrich 2019, arXiv 1910.07467.

    >>> rms_norm(np.array([[3.0, -3.0]]), np.array([1.0, 2.0])).round(3).tolist()
    [[1.0, -2.0]]
    """
    return stream / row_size(stream) * scale


def rms_norm_backward(stream, scale, dtokens):
    """Carry a gradient (N, D) from the result of `rms_norm` to stream (N, D) and scale (D,).

    >>> dstream, dscale = rms_norm_backward(np.array([[1.0, 1.0]]), np.ones(2), np.array([[1.0, 1.0]]))
    >>> dscale.round(3).tolist()
    [1.0, 1.0]
    """
    size = row_size(stream)
    unit, dunit = stream / size, dtokens * scale
    dscale = np.einsum("nd,nd->d", dtokens, unit)
    unit *= np.einsum("nd,nd->n", dunit, unit)[:, None] / stream.shape[-1]
    dunit -= unit
    dunit /= size
    return dunit, dscale


def row_size(stream):
    """Return the root mean square of each row, (..., 1), a little more than 0."""
    squares = np.einsum("...d,...d->...", stream, stream)[..., None]
    return np.sqrt(squares / stream.shape[-1] + EPSILON)


def cross_entropy(logits, targets):
    """Return the mean of -log p(target) in nats and its gradient (N, 256).

    >>> loss, gradient = cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> round(float(loss), 4), gradient.tolist()
    (1.3863, [[0.25, 0.25, -0.75, 0.25]])
    """
    rows = np.arange(len(targets))
    probs = softmax(logits)
    loss = -np.log(np.maximum(probs[rows, targets], np.finfo(probs.dtype).tiny)).mean()
    probs[rows, targets] -= 1
    return loss, probs / len(targets)


def surprise(logits, targets):
    """Return the loss (...) of each target byte in nats, of logits (..., 256).

    >>> surprise(np.zeros((1, 4)), np.array([2])).round(4).tolist()
    [1.3863]
    """
    chances = np.take_along_axis(softmax(logits), targets[..., None].astype(int), axis=-1)[..., 0]
    return -np.log(np.maximum(chances, np.finfo(np.float32).tiny))


def experts_backward(weights, gradients, number, layer, stream, norm, dstream, push, route_backward):
    """Return the gradient (N, D) of the stream before the experts of a layer, given that after them.

    gradients: those of the layer's weights are put into it. stream: (N, D), what the norm of that name saw.
    push: a balancing loss's gradient on the gate's logits. route_backward: see `loss_and_gradients`.
    """
    back = experts.backward(layer.cache, dstream)
    dgate_logits = route_backward(layer.routed, back.combine_weight) + push
    gradients[f"w_in_{number}"], gradients[f"w_out_{number}"] = back.w_in, back.w_out
    gradients[f"gate_{number}"] = layer.tokens.T @ dgate_logits
    dtokens = back.tokens + dgate_logits @ weights[f"gate_{number}"].T
    through, gradients[norm] = rms_norm_backward(stream, weights[norm], dtokens)
    return dstream + through


def balance(layers, weight, penalty):
    """Return the weighted sum of the balancing losses, and per layer its gradient on the gate's logits."""
    values, gradients = zip(*(penalty(layer.routed) for layer in layers), strict=True)
    return weight * sum(values), [weight * gradient for gradient in gradients]


def add_rows(rows, index, like):
    """Sum the rows that share an index: sorted first, so that one reduceat does what a loop would.

    >>> add_rows(np.array([[1.0], [2.0], [4.0]]), np.array([1, 0, 1]), np.zeros((3, 1))).tolist()
    [[2.0], [5.0], [0.0]]
    """
    order = np.argsort(index, kind="stable")
    ordered = index[order].astype(np.int64)
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    total = np.zeros_like(like)
    total[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    return total


def check_weights(weights, shapes):
    """Return {name: read-only copy} of weights with these names and shapes, or raise ValueError.

    >>> check_weights({"a": np.ones(2)}, {"a": (3,)})
    Traceback (most recent call last):
    ValueError: weights['a'] must have shape (3,), got (2,)
    """
    if set(weights) != set(shapes):
        seen = ", ".join(map(str, weights))
        raise ValueError(f"weights must be named {', '.join(shapes)}, got {seen}")
    return {name: _check_weight(weights[name], name, shape) for name, shape in shapes.items()}


def _check_weight(value, name, shape):
    array = np.asarray(value)
    if array.shape != shape:
        raise ValueError(f"weights[{name!r}] must have shape {shape}, got {array.shape}")
    if array.dtype not in (np.float32, np.float64):
        raise ValueError(f"weights[{name!r}] must be float32 or float64, got {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"weights[{name!r}] must be finite, got {array[~np.isfinite(array)][0]}")
    array = array.copy()
    array.setflags(write=False)
    return array


def read_model(path, known, make, config_of, shapes_of):
    """Return make(weights, config, provenance) of a file of the format `known`.

    config_of makes a Config of what the file says, shapes_of(config) the names and shapes of its arrays.
    Raises ValueError saying what is wrong when the file is too large, truncated, compressed, of another
    format, made to be unpickled, or holds arrays of wrong names, shapes, dtypes or values; OSError when
    it cannot be read at all. Nothing in the file is ever unpickled.
    """
    return load_npz(Path(path), lambda *opened: make(*_unpack(*opened, known, config_of, shapes_of)),
                    max_bytes=MAX_BYTES, kind="weights file")


def _unpack(archive, members, known, config_of, shapes_of):
    if any(info.compress_type for info in members.values()):
        raise ValueError("its arrays are compressed")
    about = read_about(archive, members.pop("about", None), known)
    if not isinstance(about.get("provenance"), dict) or "config" not in about:
        raise ValueError("`about` must hold config and provenance")
    config = config_of(about["config"])
    wanted = set(shapes_of(config))
    if set(members) != wanted:
        missing, extra = sorted(wanted - set(members)), sorted(set(members) - wanted)
        raise ValueError(f"arrays missing: {missing}, not expected: {extra}")
    weights = {name: read_array(archive, info) for name, info in members.items()}
    return weights, config, about["provenance"]


def save_model(path, known, model, arrays):
    """Write what is known of a model, and its arrays, to a file that is complete or not there at all."""
    about = {"format": known, "config": vars(model.config), "provenance": dict(model.provenance)}
    arrays = {"about": np.array(json.dumps(about, sort_keys=True)), **arrays}
    write_whole(Path(path), lambda file: write_npz(file, arrays))


def stacked(parts, label):
    """Return one Routing of the tokens of several; where they have unequally many choices, some are EMPTY.

    >>> from moeviz.routing import top_k
    >>> stacked([top_k([[1.0, 0.0]], k=1), top_k([[0.0, 1.0]], k=2)], "both").expert_index.tolist()
    [[0, -1], [1, 0]]
    """
    most = max(each.k for each in parts)

    def stack(name, fill=None):
        arrays = [getattr(each, name) for each in parts]
        if fill is not None:
            arrays = [np.pad(each, ((0, 0), (0, most - each.shape[1])), constant_values=fill)
                      if each.shape[1] < most else each for each in arrays]
        return np.concatenate(arrays)

    return Routing(stack("logits"), stack("probs"), stack("expert_index", EMPTY), stack("combine_weight", 0),
                   stack("kept", False), label)

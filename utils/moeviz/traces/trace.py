"""Trace: what the MoE layers of a model chose for the same tokens, held small until a layer is asked for.

T tokens, E experts, k choices, L MoE layers, N domains.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from moeviz.arrays import all_finite, as_array, check_choice, check_count, check_vector, sigmoid, softmax
from moeviz.checks import check_several, check_texts
from moeviz.record import EMPTY, Routing, check_routing

SCORES = ("softmax", "sigmoid", "weights")
PER_LAYER = ("index", "weight", "logits", "kept")
PER_TOKEN = ("tokens", "sequence", "domain")


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """The routing of T tokens in L MoE layers of one model.

    model: its name. num_experts: E, the same in every layer. layers: L numbers, as the model counts them.
    index: L arrays (T, k), the chosen experts, best first; EMPTY (-1) pads unused slots.
    weight: L arrays (T, k), the weight of each in the output; 0 where EMPTY.
    logits: L arrays (T, E) of router logits, or None where they were not recorded.
    kept: L arrays (T, k) bool, or None where nothing was dropped.
    scores: how a layer's shares come about: "softmax" or "sigmoid" of the logits, or the "weights".
    tokens, sequence, domain: (T,) whole numbers or None: token ids, the text a token is from, its domain.
    domain_names: N texts. Arrays are kept in the smallest dtype that fits and are read-only.
    Raises ValueError naming the field that is wrong.
    """

    model: str
    num_experts: int
    layers: tuple
    index: tuple
    weight: tuple
    logits: tuple | None = None
    kept: tuple | None = None
    scores: str = "softmax"
    tokens: np.ndarray | None = None
    sequence: np.ndarray | None = None
    domain: np.ndarray | None = None
    domain_names: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "num_experts", check_count(self.num_experts, "num_experts", high=2**15 - 1))
        layers = check_layers(self.layers)
        if not isinstance(self.model, str):
            raise ValueError(f"model must be text, got {self.model!r}")
        if self.scores not in SCORES or (self.scores == "weights") != (self.logits is None):
            raise ValueError(f"scores must be softmax or sigmoid with logits and weights without, "
                             f"got {self.scores!r}")
        object.__setattr__(self, "layers", layers)
        for name in PER_LAYER:
            object.__setattr__(self, name, self._checked_layers(name))
        for name in PER_TOKEN:
            object.__setattr__(self, name, self._checked_tokens(name))
        self._check_domains()

    @property
    def num_tokens(self):
        return len(self.index[0])

    def routing(self, layer):
        """Return the Routing of a layer, numbered as in `layers`; made anew each time.

        Raises ValueError for a layer that the trace does not have.

        >>> from moeviz.routing import top_k
        >>> trace_of([top_k([[2.0, 1.0]], k=1)], model="one gate", layers=[7]).routing(7).label
        'one gate, layer 7'
        """
        at = self.place(layer)
        logits = None if self.logits is None else self.logits[at]
        index, weight = self.index[at], self.weight[at]
        kept = index != EMPTY if self.kept is None else self.kept[at]
        probs = shares(self.scores, logits, index, weight, self.num_experts)
        return Routing(logits, probs, index, weight, kept, f"{self.model}, layer {layer}")

    def place(self, layer):
        """Return where a layer stands in `layers`, or raise a ValueError that lists them."""
        return self.layers.index(check_choice(layer, "layer", self.layers))

    def _checked_layers(self, name):
        arrays = getattr(self, name)
        if arrays is None and name in ("logits", "kept"):
            return None
        if not isinstance(arrays, (tuple, list)) or len(arrays) != len(self.layers):
            raise ValueError(f"{name} must hold one array for each of the {len(self.layers)} layers")
        return tuple(_frozen(self._checked(name, at, layer, arrays[at]))
                     for at, layer in enumerate(self.layers))

    def _checked(self, name, at, layer, array):
        label = f"{name} of layer {layer}"
        array = as_array(array, label)
        if name == "index":
            return _check_index(array, label, self.num_experts, len(self.index[0]))
        index = self.index[at]
        wanted = (len(index), self.num_experts) if name == "logits" else index.shape
        if array.shape != wanted:
            raise ValueError(f"{label} must have shape {wanted}, got {array.shape}")
        if name == "kept":
            return _check_kept(array, label, index)
        array = _check_floats(array, label)
        if name == "weight" and (array.min() < 0 or (array[index == EMPTY] != 0).any()):
            raise ValueError(f"{label} must be at least 0, and 0 where the index is EMPTY (-1)")
        return array

    def _checked_tokens(self, name):
        if getattr(self, name) is None:
            return None
        array = check_vector(getattr(self, name), name, self.num_tokens, kind="iu")
        if array.min() < 0:
            raise ValueError(f"{name} must be at least 0, got {array.min()}")
        return _frozen(array.astype(np.min_scalar_type(array.max())))

    def _check_domains(self):
        names = check_texts(self.domain_names, "domain_names")
        if (self.domain is None) != (not names):
            raise ValueError("domain and domain_names must be given together")
        if names and self.domain.max() >= len(names):
            raise ValueError(f"domain must lie in 0..{len(names) - 1}, got {self.domain.max()}")
        object.__setattr__(self, "domain_names", names)

    def __repr__(self):
        held = [name for name in ("logits", *PER_TOKEN) if getattr(self, name) is not None]
        choices = sum(index.size for index in self.index)
        return (f"Trace of {self.model!r}: {self.num_tokens} tokens, {len(self.layers)} layers, "
                f"E = {self.num_experts}, {choices} choices; with {', '.join(held) or 'nothing else'}")


def trace_of(routings, *, model, layers=None, tokens=None, sequence=None, domain=None, domain_names=()):
    """Return the Trace of one Routing per layer, all of the same tokens and number of experts.

    layers: L numbers; None counts from 1. tokens, sequence, domain: (T,) whole numbers or None.
    Raises ValueError when the routings do not fit together, or when their probs are neither the softmax
    or the sigmoid shares of the logits nor the shares of the weights, since a trace rebuilds them so.

    >>> from moeviz.routing import top_k
    >>> trace_of([top_k([[2.0, 1.0]], k=1)], model="one gate").layers
    (1,)
    """
    routings = [check_routing(routed, "routings") for routed in check_several(routings, "routings")]
    if not routings:
        raise ValueError("routings must hold at least one Routing")
    scores = next((name for name in SCORES if all(_rebuilds(name, made) for made in routings)), None)
    if scores is None:
        raise ValueError("the probs of these routings cannot be rebuilt from their logits or weights")
    dropped = any((made.kept != (made.expert_index != EMPTY)).any() for made in routings)
    return Trace(model, routings[0].num_experts,
                 range(1, len(routings) + 1) if layers is None else layers,
                 tuple(made.expert_index for made in routings),
                 tuple(made.combine_weight for made in routings),
                 None if scores == "weights" else tuple(made.logits for made in routings),
                 tuple(made.kept for made in routings) if dropped else None,
                 scores, tokens, sequence, domain, domain_names)


def check_layers(value):
    """Return the numbers of layers as a tuple, or raise a ValueError.

    >>> check_layers([3, 5])
    (3, 5)
    """
    layers = tuple(check_count(layer, "layers", low=0) for layer in check_several(value, "layers"))
    if not layers or len(set(layers)) != len(layers):
        raise ValueError(f"layers must be one or more different numbers, got {list(layers)}")
    return layers


def shares(scores, logits, index, weight, num_experts):
    """Return the probs (T, E) of a layer: shares of its logits (T, E), or of its weights (T, k)."""
    if scores == "softmax":
        return softmax(logits)
    if scores == "sigmoid":
        gates = sigmoid(logits) + np.finfo(np.float32).tiny
        return gates / gates.sum(axis=1, keepdims=True)
    spread = np.zeros((len(index), num_experts + 1), dtype=np.float32)  # EMPTY writes to the last column
    np.put_along_axis(spread, index.astype(np.intp), weight, axis=1)
    spread = spread[:, :num_experts]
    total = spread.sum(axis=1, keepdims=True)
    return np.divide(spread, total, out=np.full_like(spread, 1 / num_experts), where=total > 0)


def _rebuilds(scores, made):
    if (made.logits is None) != (scores == "weights"):
        return False
    built = shares(scores, made.logits, made.expert_index, made.combine_weight, made.num_experts)
    return np.allclose(built, made.probs, atol=1e-5)


def _check_index(array, label, num_experts, num_tokens):
    if array.ndim != 2 or array.size == 0 or len(array) != num_tokens:
        raise ValueError(f"{label} must have shape ({num_tokens}, k), got {array.shape}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{label} must hold whole numbers, got dtype {array.dtype}")
    if array.min() < EMPTY or array.max() >= num_experts:
        raise ValueError(f"{label} must lie in 0..{num_experts - 1} (or be EMPTY, -1), "
                         f"got {array.min()} to {array.max()}")
    array = array.astype(np.int8 if num_experts <= 127 else np.int16)
    columns = np.ascontiguousarray(array.T)
    for one, other in itertools.combinations(columns, 2):  # k is small: faster than sorting the rows
        twice = (one == other) & (one != EMPTY)
        if twice.any():
            raise ValueError(f"{label} names an expert twice for token {np.argmax(twice)}")
    return array


def _check_floats(array, label):
    if array.dtype.kind != "f":
        raise ValueError(f"{label} must hold real numbers, got dtype {array.dtype}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    if not all_finite(array):
        raise ValueError(f"{label} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _check_kept(array, label, index):
    if array.dtype != bool or (array & (index == EMPTY)).any():
        raise ValueError(f"{label} must be bool, and False where the index is EMPTY (-1)")
    return array


def _frozen(array):
    if array.flags.writeable:  # an array that owns nothing writable needs no copy
        array = array.copy()
        array.setflags(write=False)
    return array

"""Trace: what the MoE layers of a model chose for the same tokens, held small until a layer is asked for.

T tokens, E experts, k choices, L MoE layers, N domains. On disk, in version 1 of the format, a trace is an
.npz file with these arrays:

about        one text, JSON: format "moeviz.trace", version 1, model, num_experts, layers (their numbers),
             scores ("softmax" or "sigmoid" of the logits, "weights", or "choices" alone), domain_names
index_N      (T, k) whole numbers: the experts chosen in layer N, best first; -1 pads
weight_N     (T, k) real numbers: the weight of each in the output; in every layer, or in none where they
             are not known
logits_N     (T, E) real numbers: the router's logits; in every layer or in none
kept_N       (T, k) bool: False where capacity dropped the choice; in every layer or in none
tokens, sequence, domain    (T,) whole numbers, each of them optional

N is the number of the layer. Where both index_N and weight_N are missing, they are the top-k of the softmax
of logits_N, and `about` holds "router": {"top_k": k, "renormalize": true or false}.
"""

import itertools
import json
import mmap
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moeviz.arrays import (
    all_finite,
    as_array,
    check_choice,
    check_count,
    check_matrix,
    check_vector,
    sigmoid,
    softmax,
    softplus,
)
from moeviz.checks import check_kind, check_several, check_texts
from moeviz.files import load_npz, read_about, read_array, refuse_programs, write_npz, write_whole
from moeviz.record import EMPTY, Routing, check_routing
from moeviz.routing import top_k

SCORES = ("softmax", "sigmoid", "sqrtsoftplus", "weights", "choices")
BLOCK = 2**16  # tokens that are looked at together
FEW = 16  # choices of which every pair is compared
PER_LAYER = ("index", "weight", "logits", "kept")
PER_TOKEN = ("tokens", "sequence", "domain")
FORMAT, VERSION = "moeviz.trace", 1
MAX_SAVED = 1_000_000_000
_ABOUT = {"model": str, "num_experts": int, "layers": list, "scores": str, "domain_names": list}


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """The routing of T tokens in L MoE layers of one model.

    model: its name. num_experts: E, the same in every layer. layers: L numbers, as the model counts them.
    index: L arrays (T, k), the chosen experts, best first; EMPTY (-1) pads unused slots. Or one array
    (T, L, k), as servers return it; a memory map of whole numbers stays one.
    weight: L arrays (T, k), the weight of each in the output, 0 where EMPTY; None where it is not known.
    logits: L arrays (T, E) of router logits, or None where they were not recorded.
    kept: L arrays (T, k) bool, or None where nothing was dropped.
    scores: how a layer's shares come about: "softmax", "sigmoid" or "sqrtsoftplus" of the logits, the
    "weights", or "choices" where nothing but the experts is known; None takes what fits.
    tokens, sequence, domain: (T,) whole numbers or None: token ids, the text a token is from, its domain.
    domain_names: N texts. Arrays are kept in the smallest dtype that fits and are read-only.
    Raises ValueError naming the field that is wrong: where weights alone are known they must fall along
    each row, since the order of choices cannot be seen otherwise.
    """

    model: str
    num_experts: int
    layers: tuple
    index: tuple
    weight: tuple | None = None
    logits: tuple | None = None
    kept: tuple | None = None
    scores: str | None = None
    tokens: np.ndarray | None = None
    sequence: np.ndarray | None = None
    domain: np.ndarray | None = None
    domain_names: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "num_experts", check_count(self.num_experts, "num_experts", high=2**15 - 1))
        if not isinstance(self.model, str):
            raise ValueError(f"model must be text, got {self.model!r}")
        object.__setattr__(self, "layers", check_layers(self.layers))
        object.__setattr__(self, "scores", self._check_scores())
        object.__setattr__(self, "index", self._check_index())
        for name in ("weight", "logits", "kept"):
            object.__setattr__(self, name, self._checked_layers(name))
        for name in PER_TOKEN:
            object.__setattr__(self, name, self._checked_tokens(name))
        self._check_domains()

    def _check_scores(self):
        with_logits = self.logits is not None
        fits = SCORES[:3] if with_logits else SCORES[3:4] if self.weight is not None else SCORES[4:]
        scores = fits[0] if self.scores is None else self.scores
        if scores not in fits or (with_logits and self.weight is None):
            raise ValueError("scores must be softmax, sigmoid or sqrtsoftplus with logits and weights, "
                             f"weights with weights alone, choices without, got {self.scores!r}")
        return scores

    def _check_index(self):
        given = self.index
        if not isinstance(given, (tuple, list)):
            given = as_array(given, "index")
            if given.ndim != 3 or given.shape[1] != len(self.layers):
                raise ValueError(f"index must hold one array for each of the {len(self.layers)} layers, or "
                                 f"have shape (T, {len(self.layers)}, k), got shape {given.shape}")
            if is_mapped(given):
                check_experts(given, "index", self.num_experts)
                return tuple(given[:, at] for at in range(len(self.layers)))
            given = tuple(given[:, at] for at in range(len(self.layers)))
        if len(given) != len(self.layers):
            raise ValueError(f"index must hold one array for each of the {len(self.layers)} layers")
        length = len(given[0]) if np.ndim(given[0]) else 0
        named = [(f"index of layer {layer}", array) for layer, array in zip(self.layers, given, strict=True)]
        return tuple(_frozen(_check_index(as_array(array, name), name, self.num_experts, length))
                     for name, array in named)

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
        index, weight = self.index[at], None if self.weight is None else self.weight[at]
        kept = index != EMPTY if self.kept is None else self.kept[at]
        label = f"{self.model}, layer {layer}"
        if weight is None:
            return Routing(None, None, index, None, kept, label, self.num_experts)
        probs = shares(self.scores, logits, index, weight, self.num_experts)
        return Routing(logits, probs, index, weight, kept, label)

    def part(self, tokens, *, layers=None):
        """Return the Trace of some tokens and some layers.

        tokens: a slice, T bools or whole numbers. layers: their numbers; None takes all.
        Raises ValueError for a layer that is not there, or where no token is left.

        >>> from moeviz.routing import top_k
        >>> trace_of([top_k([[2.0, 1.0], [0.0, 1.0]], k=1)], model="one gate").part(slice(1, None)).num_tokens
        1
        """
        layers = self.layers if layers is None else tuple(layers)
        places = [self.place(layer) for layer in layers]
        chosen = tokens if isinstance(tokens, slice) else np.asarray(tokens)
        per_layer = {name: None if getattr(self, name) is None else
                     tuple(getattr(self, name)[at][chosen] for at in places) for name in PER_LAYER}
        if len(per_layer["index"][0]) == 0:
            raise ValueError(f"tokens must leave at least one of the {self.num_tokens} tokens, got none")
        per_token = {name: None if getattr(self, name) is None else getattr(self, name)[chosen]
                     for name in PER_TOKEN}
        return replace(self, layers=layers, **per_layer, **per_token)

    def blocks(self, size=BLOCK):
        """Yield (place of the first token, L arrays (n, k) of choices), `size` tokens at a time.

        A memory map is let go of after each block, so that the memory stays constant.
        """
        for start in range(0, self.num_tokens, size):
            yield start, [index[start:start + size] for index in self.index]
            if is_mapped(self.index[0]):
                release(self.index[0])

    def place(self, layer):
        """Return where a layer stands in `layers`, or raise a ValueError that lists them."""
        return self.layers.index(check_choice(layer, "layer", self.layers))

    def _checked_layers(self, name):
        arrays = getattr(self, name)
        if arrays is None:
            return None
        if not isinstance(arrays, (tuple, list)) or len(arrays) != len(self.layers):
            raise ValueError(f"{name} must hold one array for each of the {len(self.layers)} layers")
        return tuple(_frozen(self._checked(name, at, layer, arrays[at]))
                     for at, layer in enumerate(self.layers))

    def _checked(self, name, at, layer, array):
        label, index = f"{name} of layer {layer}", self.index[at]
        array = as_array(array, label)
        wanted = (len(index), self.num_experts) if name == "logits" else index.shape
        if array.shape != wanted:
            raise ValueError(f"{label} must have shape {wanted}, got {array.shape}")
        if name == "kept":
            return _check_kept(array, label, index)
        array = _check_floats(array, label)
        if name == "weight" and (array.min() < 0 or (array[index == EMPTY] != 0).any()):
            raise ValueError(f"{label} must be at least 0, and 0 where the index is EMPTY (-1)")
        if name == "weight" and self.scores == "weights" and (np.diff(array, axis=1) > 1e-6).any():
            token = np.nonzero((np.diff(array, axis=1) > 1e-6).any(axis=1))[0][0]
            raise ValueError(f"{label} must fall along each row, best choice first, not so for token "
                             f"{token}; moeviz.traces.read brings them into order")
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
    scores = next((name for name in SCORES[:4] if all(_rebuilds(name, made) for made in routings)), None)
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


def join(traces, *, names=None):
    """Return the Trace of several requests, one after the other; `sequence` says which a token is from.

    traces: of the same model, layers, k and E, all with weights or none. names: one text per trace, which
    become its domains. What not all of them have (logits, kept, tokens) is left out.
    Raises ValueError where they do not fit together.

    >>> from moeviz.routing import top_k
    >>> one = trace_of([top_k([[2.0, 1.0]], k=1)], model="one gate")
    >>> join([one, one]).sequence.tolist()
    [0, 1]
    """
    traces = [check_kind(trace, "traces", Trace) for trace in check_several(traces, "traces")]
    if not traces:
        raise ValueError("traces must hold at least one Trace")
    first = traces[0]
    for trace in traces[1:]:
        for name in ("num_experts", "layers", "scores"):
            if getattr(trace, name) != getattr(first, name):
                raise ValueError(f"traces must have one {name}, got {getattr(first, name)!r} and "
                                 f"{getattr(trace, name)!r}")
        if [index.shape[1] for index in trace.index] != [index.shape[1] for index in first.index]:
            raise ValueError("traces must have the same k in every layer")
    per_layer = {name: _joined_layers(traces, name) for name in PER_LAYER}
    lengths = [trace.num_tokens for trace in traces]
    tokens = [trace.tokens for trace in traces]
    names = None if names is None else check_texts(names, "names")
    if names is not None and len(names) != len(traces):
        raise ValueError(f"names must hold one text for each of the {len(traces)} traces, got {len(names)}")
    return Trace(first.model, first.num_experts, first.layers, **per_layer, scores=first.scores,
                 tokens=None if any(each is None for each in tokens) else np.concatenate(tokens),
                 sequence=_joined_sequences(traces),
                 domain=None if names is None else np.repeat(np.arange(len(traces)), lengths),
                 domain_names=names or ())


def _joined_layers(traces, name):
    if any(getattr(trace, name) is None for trace in traces):
        return None
    return tuple(map(np.concatenate, zip(*(getattr(trace, name) for trace in traces), strict=True)))


def _joined_sequences(traces):
    """Return (T,): texts numbered on through all traces; a trace without `sequence` is one text."""
    parts, start = [], 0
    for trace in traces:
        own = np.zeros(trace.num_tokens, int) if trace.sequence is None else trace.sequence.astype(int)
        parts.append(own + start)
        start += int(own.max()) + 1
    return np.concatenate(parts)


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
    if scores in ("sigmoid", "sqrtsoftplus"):
        gates = sigmoid(logits) if scores == "sigmoid" else np.sqrt(softplus(logits))
        gates = gates + np.finfo(np.float32).tiny
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


def is_mapped(array):
    """Return whether an array is a view of a file that was mapped into memory."""
    return _map_of(array) is not None


def release(array):
    """Give back the memory that looking at a mapped array took; it is read again when needed."""
    mapped = _map_of(array)
    if mapped is not None and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _map_of(array):
    while array is not None:
        if isinstance(array, mmap.mmap):
            return array
        array = getattr(array, "base", None)
    return None


def check_experts(array, label, num_experts):
    """Raise a ValueError unless every row of `array` (T, ..., k) names different experts of E, or EMPTY.

    >>> check_experts(np.array([[0, 1], [1, 1]]), "index", 2)
    Traceback (most recent call last):
    ValueError: index names an expert twice for token 1
    """
    if array.dtype.kind not in "iu":
        raise ValueError(f"{label} must hold whole numbers, got dtype {array.dtype}")
    for start in range(0, len(array), BLOCK):
        block = np.ascontiguousarray(array[start:start + BLOCK])
        low, high = int(block.min()), int(block.max())
        if low < EMPTY or high >= num_experts:
            raise ValueError(f"{label} must lie in 0..{num_experts - 1} (or be EMPTY, -1), "
                             f"got {low} to {high}")
        twice = _twice(block.reshape(-1, block.shape[-1]))
        if twice is not None:
            token = start + twice // (block.size // (len(block) * block.shape[-1]))
            raise ValueError(f"{label} names an expert twice for token {token}")
        release(array)


def _twice(rows):
    """Return the first row that names an expert twice, or None."""
    if rows.shape[1] > FEW:
        ordered = np.sort(rows, axis=1)
        twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != EMPTY)).any(axis=1)
        return int(np.argmax(twice)) if twice.any() else None
    columns = np.ascontiguousarray(rows.T)
    found = [np.argmax(twice) for one, other in itertools.combinations(columns, 2)  # faster than sorting rows
             if (twice := (one == other) & (one != EMPTY)).any()]
    return int(min(found)) if found else None


def _check_index(array, label, num_experts, num_tokens):
    if array.ndim != 2 or array.size == 0 or len(array) != num_tokens:
        raise ValueError(f"{label} must have shape ({num_tokens}, k), got {array.shape}")
    check_experts(array, label, num_experts)
    if is_mapped(array):
        return array
    return array.astype(np.int8 if num_experts <= 127 else np.int16, copy=False)


def _check_floats(array, label):
    if array.dtype.kind != "f":
        raise ValueError(f"{label} must hold real numbers, got dtype {array.dtype}")
    if array.dtype.itemsize > 8:
        array = array.astype(float)
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


# On disk.


def save_trace(trace, path):
    """Write a Trace to `path` (.npz); the file is complete or not there at all.

    The same trace gives the same bytes. Raises ValueError for what is no Trace, OSError where the folder
    cannot be written to.
    """
    check_kind(trace, "trace", Trace)
    write_whole(Path(path), lambda file: write_npz(file, _arrays(trace)))


def load_trace(path, *, max_bytes=MAX_SAVED):
    """Read a Trace from `path` (.npz).

    max_bytes: how large the file and the arrays in it may be; known before an array is read.
    Raises ValueError saying what is wrong when the file is too large, truncated, of another format or
    version, or holds Python objects, too few arrays, or shapes and indices that do not fit; OSError when
    it cannot be read at all. Nothing in the file is ever unpickled or executed.
    """
    max_bytes = check_count(max_bytes, "max_bytes")
    if not isinstance(path, (str, Path)):
        raise ValueError(f"path must be text or a Path, got {path!r}")
    refuse_programs(Path(path))
    return load_npz(Path(path), lambda *file: _fits(_trace(*file), max_bytes), max_bytes=max_bytes,
                    kind="trace")


def _fits(trace, max_bytes):
    """Refuse a small file whose routings would be huge: a layer has T x E shares."""
    size = 4 * trace.num_tokens * trace.num_experts
    if size > max_bytes:
        raise ValueError(f"the shares of a layer would take {size} bytes, more than the {max_bytes} allowed")
    return trace


def _arrays(trace):
    """Return {name: array} as the file holds them."""
    about = {"format": FORMAT, "version": VERSION, **{name: getattr(trace, name) for name in _ABOUT}}
    per_token = {name: getattr(trace, name) for name in PER_TOKEN if getattr(trace, name) is not None}
    per_layer = {f"{name}_{layer}": array for name in PER_LAYER
                 for layer, array in zip(trace.layers, getattr(trace, name) or (), strict=False)}
    return {"about": np.array(json.dumps(about))} | per_token | per_layer


def _trace(archive, members):
    about = _about(archive, members.pop("about", None))
    expected = {*PER_TOKEN, *(f"{name}_{layer}" for name in PER_LAYER for layer in about["layers"])}
    extra = sorted(set(members) - expected)
    if extra:
        raise ValueError(f"it holds arrays that are not part of the format: {extra[:5]}")

    def read(name):
        return read_array(archive, members[name]) if name in members else None

    per_token = {name: read(name) for name in PER_TOKEN}
    layers = [{name: read(f"{name}_{layer}") for name in PER_LAYER} for layer in about["layers"]]
    layers = [_chosen(arrays, layer, about) for arrays, layer in zip(layers, about["layers"], strict=True)]
    per_layer = {name: _everywhere([arrays[name] for arrays in layers], name) for name in PER_LAYER}
    return Trace(about["model"], about["num_experts"], tuple(about["layers"]), **per_layer,
                 scores=about["scores"], **per_token, domain_names=tuple(about["domain_names"]))


def _about(archive, info):
    about = read_about(archive, info, FORMAT)
    if about.get("version") != VERSION:
        raise ValueError(f"its version must be {VERSION}, got {about.get('version')!r}")
    for name, kind in _ABOUT.items():
        if not isinstance(about.get(name), kind):
            raise ValueError(f"`about` must hold {name} as {kind.__name__}, got {about.get(name)!r}")
    return about


def _chosen(arrays, layer, about):
    """Fill in index and weight where a layer has logits alone; choices alone are enough."""
    if arrays["index"] is not None and (arrays["weight"] is not None or about["scores"] == "choices"):
        return arrays
    router = about.get("router")
    if arrays["logits"] is None or arrays["index"] is not None or arrays["weight"] is not None:
        raise ValueError(f"layer {layer} must have index_{layer} and weight_{layer}, or logits_{layer} alone")
    if not isinstance(router, dict) or not isinstance(router.get("renormalize"), bool):
        raise ValueError("logits alone need `router` with top_k and renormalize in `about`")
    logits = check_matrix(arrays["logits"], f"logits_{layer}")
    k = check_count(router.get("top_k"), "top_k", high=logits.shape[1])
    made = top_k(logits, k, renormalize=router["renormalize"])
    return {**arrays, "index": made.expert_index, "weight": made.combine_weight}


def _everywhere(arrays, name):
    missing = sum(array is None for array in arrays)
    if missing and missing < len(arrays):
        raise ValueError(f"{name} must be there for every layer or for none, {missing} are missing")
    return None if missing else tuple(arrays)

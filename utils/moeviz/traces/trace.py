"""Trace: what the MoE layers of a model chose for the same tokens, held small until a layer is asked for.

Counts: how often each text domain used each expert, and each pair of experts in two layers.
T tokens, E experts, k choices, L MoE layers, N domains.
"""

import itertools
import mmap
from dataclasses import dataclass, replace

import numpy as np

from moeviz.arrays import (
    all_finite,
    as_array,
    check_choice,
    check_count,
    check_vector,
    sigmoid,
    softmax,
    softplus,
)
from moeviz.checks import check_kind, check_several, check_text, check_texts
from moeviz.record import EMPTY, Routing, check_routing

SCORES = ("softmax", "sigmoid", "sqrtsoftplus", "weights", "choices")
BLOCK = 2**16  # tokens that are looked at together
FEW = 16  # choices of which every pair is compared
PER_LAYER = ("index", "weight", "logits", "kept")
PER_TOKEN = ("tokens", "sequence", "domain")


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
            raise ValueError(f"scores must be softmax, sigmoid or sqrtsoftplus with logits and weights, "
                             f"weights "
                             f"with weights alone, choices without, got {self.scores!r}")
        return scores

    def _check_index(self):
        given = self.index
        if not isinstance(given, (tuple, list)):
            given = as_array(given, "index")
            if given.ndim != 3 or given.shape[1] != len(self.layers):
                raise ValueError(f"index must hold one array for each of the {len(self.layers)} layers, or "
                                 f"have "
                                 f"shape (T, {len(self.layers)}, k), got shape {given.shape}")
            if is_mapped(given):
                check_experts(given, "index", self.num_experts)
                return tuple(given[:, at] for at in range(len(self.layers)))
            given = tuple(given[:, at] for at in range(len(self.layers)))
        if len(given) != len(self.layers):
            raise ValueError(f"index must hold one array for each of the {len(self.layers)} layers")
        length = len(given[0]) if np.ndim(given[0]) else 0
        return tuple(_frozen(_check_index(as_array(array, f"index of layer {layer}"),
                                          f"index of layer {layer}",
                                          self.num_experts, length))
                     for layer, array in zip(self.layers, given, strict=True))

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

    def part(self, tokens=None, *, layers=None):
        """Return the Trace of some tokens and some layers.

        tokens: a slice, T bools or whole numbers; None takes all. layers: their numbers; None takes all.
        Raises ValueError for a layer that is not there, or where no token is left.

        >>> from moeviz.routing import top_k
        >>> trace_of([top_k([[2.0, 1.0], [0.0, 1.0]], k=1)], model="one gate").part(slice(1, None)).num_tokens
        1
        """
        places = range(len(self.layers)) if layers is None else [self.place(layer) for layer in layers]
        chosen = slice(None) if tokens is None else tokens if isinstance(tokens,
                                                                         slice) else np.asarray(tokens)
        per_layer = {name: None if getattr(self, name) is None else
                     tuple(getattr(self, name)[at][chosen] for at in places) for name in PER_LAYER}
        if len(per_layer["index"][0]) == 0:
            raise ValueError(f"tokens must leave at least one of the {self.num_tokens} tokens, got none")
        per_token = {name: None if getattr(self, name) is None else getattr(self, name)[chosen]
                     for name in PER_TOKEN}
        return replace(self, layers=tuple(self.layers[at] for at in places), **per_layer, **per_token)

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
                             f"{token}; "
                             f"moeviz.traces.read brings them into order")
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
    tokens = ([trace.tokens for trace in traces] if all(trace.tokens is not None for trace in traces)
              else None)
    names = None if names is None else check_texts(names, "names")
    if names is not None and len(names) != len(traces):
        raise ValueError(f"names must hold one text for each of the {len(traces)} traces, got {len(names)}")
    return Trace(first.model, first.num_experts, first.layers, **per_layer, scores=first.scores,
                 tokens=None if tokens is None else np.concatenate(tokens),
                 sequence=_joined_sequences(traces),
                 domain=None if names is None else np.repeat(np.arange(len(traces)), lengths),
                 domain_names=names or ())


def _joined_layers(traces, name):
    if any(getattr(trace, name) is None for trace in traces):
        return None
    return tuple(np.concatenate(arrays) for arrays in zip(*(getattr(trace, name) for trace in traces),
                                                          strict=True))


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
    if scores == "sqrtsoftplus":
        gates = np.sqrt(softplus(logits)) + np.finfo(np.float32).tiny
        return gates / gates.sum(axis=1, keepdims=True)
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
            raise ValueError(f"{label} must lie in 0..{num_experts - 1} (or be EMPTY, -1), got {low} to "
                             f"{high}")
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


@dataclass(frozen=True, eq=False, repr=False)
class Counts:
    """Choices of experts by domain, without the tokens that made them.

    model: its name. layers: L numbers, as the model counts them. domain_names: N texts.
    experts: (N, L, E) whole numbers, choices of each expert.
    pairs: (N, L - 1, E, E) whole numbers, how often the same rank chose expert i in a layer and expert j
    in the next one of `layers`: first choice with first choice, second with second. None where not known.
    Arrays are copied and read-only. Raises ValueError naming the field that is wrong.
    """

    model: str
    layers: tuple
    domain_names: tuple
    experts: np.ndarray
    pairs: np.ndarray | None = None

    def __post_init__(self):
        layers, names = check_layers(self.layers), check_texts(self.domain_names, "domain_names")
        check_text(self.model, "model")
        experts = _whole(self.experts, "experts")
        wanted = (len(names), len(layers))
        if experts.ndim != 3 or experts.shape[:2] != wanted or experts.size == 0:
            raise ValueError(f"experts must have shape {wanted} and E, got {experts.shape}")
        pairs = None if self.pairs is None else _whole(self.pairs, "pairs")
        wanted = (wanted[0], wanted[1] - 1, experts.shape[2], experts.shape[2])
        if pairs is not None and pairs.shape != wanted:
            raise ValueError(f"pairs must have shape {wanted}, got {pairs.shape}")
        for name, value in {"layers": layers, "domain_names": names, "experts": experts,
                            "pairs": pairs}.items():
            object.__setattr__(self, name, value)

    @property
    def num_experts(self):
        return self.experts.shape[2]

    def table(self, layer):
        """Return (N, E): how often each domain chose each expert of a layer, numbered as in `layers`.

        Raises ValueError for a layer that is not there.
        """
        return self.experts[:, self._place(layer)]

    def flow(self, layer):
        """Return (E, E): choices of an expert in `layer` and of one in the next, all domains together.

        Raises ValueError for a layer that is not there, for the last one, and where pairs are not known.
        """
        if self.pairs is None:
            raise ValueError(f"the pairs of {self.model!r} are not known")
        if self._place(layer) == len(self.layers) - 1:
            raise ValueError(f"layer must not be the last one, got {layer}")
        return self.pairs[:, self._place(layer)].sum(axis=0)

    def _place(self, layer):
        return self.layers.index(check_choice(layer, "layer", self.layers))

    def __repr__(self):
        return (f"Counts of {self.model!r}: {self.experts[:, 0].sum()} choices in each of the layers "
                f"{', '.join(map(str, self.layers))}, E = {self.num_experts}, "
                f"domains {', '.join(self.domain_names)}")


def counts_of(trace):
    """Return the Counts of a Trace; without domains in it, all tokens count as one domain, "all".

    Dropped choices count, EMPTY slots do not. Raises ValueError for what is no Trace, or when layers differ
    in k.

    >>> from moeviz.routing import top_k
    >>> gate = top_k([[2.0, 1.0], [2.0, 1.0]], k=1)
    >>> counts_of(trace_of([gate, gate], model="one gate twice")).flow(1).tolist()
    [[2, 0], [0, 0]]
    """
    names = check_kind(trace, "trace", Trace).domain_names or ("all",)
    domain = np.zeros(trace.num_tokens, int) if trace.domain is None else trace.domain.astype(int)
    if len({index.shape for index in trace.index}) > 1:
        raise ValueError("layers must have the same k to be counted in pairs")
    size = trace.num_experts
    experts = [_tally((domain[:, None], index), (len(names), size)) for index in trace.index]
    pairs = [_tally((domain[:, None], here, there), (len(names), size, size))
             for here, there in zip(trace.index, trace.index[1:], strict=False)]
    empty = np.zeros((len(names), 0, size, size), int)
    return Counts(trace.model, trace.layers, names, np.stack(experts, axis=1),
                  np.stack(pairs, axis=1) if pairs else empty)


def _tally(codes, shape):
    """Count rows of codes that broadcast to (T, k), leaving out those with an EMPTY one."""
    used = np.logical_and.reduce([code != EMPTY for code in np.broadcast_arrays(*codes[1:])])
    cell = codes[0] * shape[1] + codes[1]
    for code, size in zip(codes[2:], shape[2:], strict=True):
        cell = cell * size + code
    return np.bincount(cell[used], minlength=np.prod(shape)).reshape(shape)


def _whole(value, name):
    array = as_array(value, name)
    if array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise ValueError(f"{name} must hold whole numbers of at least 0, got dtype {array.dtype}")
    array = array.astype(np.int64)
    array.setflags(write=False)
    return array

"""Counts: how often each text domain used each expert, of a trace and as the authors of OLMoE published it.

The published counts are of their model and of Mixtral 8x7B: 102 stretches of 2,048 tokens per domain, router
logits of layers 0, 7 and 15 (which ends OLMoE but stands in the middle of Mixtral's 32). The choices of each
expert are part of the package (`real_counts`); `moeviz.traces.read` takes their files too, pickled counters.
Unpickling runs whatever the file names: here a name can only mean one of the stand-ins below, which make
plain dicts and ints; every other instruction is refused beforehand.
Source: github.com/allenai/OLMoE, scripts/run_routing_analysis.py (Apache-2.0).
"""

import functools
import io
import pickle
import pickletools
from dataclasses import dataclass

import numpy as np

from moeviz.arrays import as_array, check_choice
from moeviz.checks import check_kind, check_text, check_texts
from moeviz.files import stored_json
from moeviz.record import EMPTY
from moeviz.traces.trace import Trace, check_layers

MOST_PICKLED = 1_000_000  # bytes
MAX_COUNT = 2**53
_ALLOWED = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "NONE", "NEWTRUE", "NEWFALSE", "BININT",
    "BININT1", "BININT2", "LONG1", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES",
    "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "STACK_GLOBAL", "REDUCE",
    "BUILD"))
_PUT, _GET = ("MEMOIZE", "BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_CODES = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))
_BROKEN = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, EOFError, MemoryError,
           RecursionError, pickle.UnpicklingError)


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
    >>> from moeviz.traces import trace_of
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


# As others published them.


def real_counts():
    """Return {model name: Counts} of OLMoE-1B-7B and Mixtral 8x7B: five domains, three layers, no pairs.

    They are part of the package, so that pictures of real models are there without a download.
    Source: as above; moeviz/data/real_counts.json names it with the licence.

    >>> {name: counts.experts.shape for name, counts in real_counts().items()}
    {'OLMoE-1B-7B': (5, 3, 64), 'Mixtral 8x7B': (5, 3, 8)}
    """
    return {name: Counts(name, each["layers"], each["domains"], each["experts"])
            for name, each in stored_json("real_counts.json")["models"].items()}


# Pickled.


def load_counters(content, name):
    """Return the list of {key: count} in a pickle of Counters; a key is an int or a pair of ints.

    content: bytes. name: what ValueErrors call it. Raises ValueError for anything else in it, before
    anything of it could run.

    >>> import collections
    >>> load_counters(pickle.dumps([collections.Counter({(0, 3): 5})]), "one pair")
    [{(0, 3): 5}]
    """
    if len(content) > MOST_PICKLED:
        raise ValueError(f"{name} has {len(content)} bytes, more than the {MOST_PICKLED} allowed")
    try:
        _check_instructions(content)
        counters = _Restricted(io.BytesIO(content)).load()
        return [_checked(counter) for counter in counters] if type(counters) is list else _refuse(counters)
    except _BROKEN as error:
        raise ValueError(f"{name} is no list of counters: {error}") from None


class _Integer:
    """Stands in for numpy.dtype: a whole number of so many bytes, signed or not."""

    def __init__(self, code, *flags):
        if not isinstance(code, str) or code not in _CODES:
            raise ValueError(f"numpy.dtype {code!r} is no whole number")
        self.size, self.signed, self.order = int(code[1]), code[0] == "i", "little"

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("numpy.dtype has a state that is not known")
        self.order = "big" if state[1] == ">" else "little"


def _scalar(kind, raw):
    """Stands in for numpy's scalar: the int in these bytes."""
    if not isinstance(kind, _Integer) or not isinstance(raw, bytes) or len(raw) != kind.size:
        raise ValueError("a NumPy scalar that is no whole number")
    return int.from_bytes(raw, kind.order, signed=kind.signed)


def _counter(counts=None):
    """Stands in for collections.Counter: a plain dict."""
    if type(counts) is not dict:
        raise ValueError("a Counter of something that is no dict")
    return counts


_KNOWN = {("collections", "Counter"): _counter, ("numpy", "dtype"): _Integer,
          ("numpy.core.multiarray", "scalar"): _scalar, ("numpy._core.multiarray", "scalar"): _scalar}


class _Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}")
        known = _KNOWN[module, name]
        return functools.partial(known)  # a new one each time: a state would stay on it


def _check_instructions(content):
    """Refuse instructions of no use here, and tuples that are used twice: nested, they take ages to hash."""
    slots, memoized, previous = set(), 0, ""
    for code, argument, _ in pickletools.genops(content):
        if code.name not in _ALLOWED:
            raise ValueError(f"it has the instruction {code.name}")
        if code.name in _PUT and code.name != "MEMOIZE" and argument > len(content):
            raise ValueError(f"it keeps a thing at place {argument}, far beyond what it holds")
        if code.name in _PUT:
            slot = memoized if code.name == "MEMOIZE" else argument
            slots.update([slot] if "TUPLE" in previous else [])
            memoized += 1
        elif code.name in _GET and argument in slots:
            raise ValueError("it uses a tuple twice")
        elif code.name != "FRAME":
            previous = code.name


def _checked(counter):
    if type(counter) is not dict:
        _refuse(counter)
    for key, count in counter.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) > 2 or not all(type(part) is int and 0 <= part < 2**15 for part in parts):
            raise ValueError("a key must be an expert or a pair of experts")
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            raise ValueError("a count must be a whole number of at least 0")
    return counter


def _refuse(value):
    raise ValueError(f"it holds {type(value).__name__} where counters belong")

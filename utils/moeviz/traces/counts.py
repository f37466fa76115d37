"""Counts: how often each text domain used each expert, and each pair of experts in two layers.

N domains, L layers, E experts.
"""

from dataclasses import dataclass

import numpy as np

from moeviz.arrays import as_array, check_choice
from moeviz.checks import check_kind, check_text, check_texts
from moeviz.record import EMPTY
from moeviz.traces.trace import Trace, check_layers


@dataclass(frozen=True, eq=False, repr=False)
class Counts:
    """Choices of experts by domain, without the tokens that made them.

    model: its name. layers: L numbers, as the model counts them. domain_names: N texts.
    experts: (N, L, E) whole numbers, choices of each expert.
    pairs: (N, L - 1, E, E) whole numbers, how often the same rank chose expert i in a layer and expert j
    in the next one of `layers`: first choice with first choice, second with second.
    Arrays are copied and read-only. Raises ValueError naming the field that is wrong.
    """

    model: str
    layers: tuple
    domain_names: tuple
    experts: np.ndarray
    pairs: np.ndarray

    def __post_init__(self):
        layers, names = check_layers(self.layers), check_texts(self.domain_names, "domain_names")
        check_text(self.model, "model")
        experts = _whole(self.experts, "experts")
        wanted = (len(names), len(layers))
        if experts.ndim != 3 or experts.shape[:2] != wanted or experts.size == 0:
            raise ValueError(f"experts must have shape {wanted} and E, got {experts.shape}")
        pairs, num_experts = _whole(self.pairs, "pairs"), experts.shape[2]
        wanted = (wanted[0], wanted[1] - 1, num_experts, num_experts)
        if pairs.shape != wanted:
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

        Raises ValueError for a layer that is not there, and for the last one.
        """
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

"""What a trace says, as plain numbers: one trace, or two beside each other.

Numbers that need much time are read from the first tokens and say of how many.
"""

import math
import sys

import numpy as np

from moeviz import traces
from moeviz.checks import check_kind
from moeviz.metrics import (
    cache_hits,
    dead_experts,
    information_of_table,
    information_of_table_null,
    load_entropy,
    max_violation,
    repetition,
    repetition_if_independent,
    repetition_if_shuffled,
    repetition_if_uniform,
)
from moeviz.record import EMPTY

SAMPLE, CACHED = 2**15, 2**12  # tokens of which neighbours, pairs and flow are read; of which caches are
BATCHES = tuple(2**power for power in range(11))
PAIRS = 5
QUIET = 2.0  # seconds before a progress bar shows


def measure(trace, *, rng):
    """Return what a Trace says as a dictionary of plain numbers, layer by layer, ready for JSON.

    Per layer: load of each expert, busiest, max_violation, entropy in bits, dead experts, repetition of
    neighbours and its nulls, pairs chosen together, information about domains and its null, hit rates of
    caches, experts touched by batches of consecutive tokens. Between layers: information of first choices.
    And what looks broken. Raises ValueError for what is no Trace.

    >>> routed = traces.read(np.array([[0, 1], [1, 2], [2, 0], [0, 1]]))
    >>> measure(routed, rng=np.random.default_rng(0))["layers"][0]["load"]
    [3, 3, 2]
    """
    check_kind(trace, "trace", traces.Trace)
    seen = traces.inspect(trace)
    loads = _loads(trace)
    head = trace.part(slice(0, SAMPLE)) if trace.num_tokens > SAMPLE else trace
    places = _bar(list(enumerate(trace.layers)), "layers")
    layers = [_layer(head, at, layer, loads[at], rng) for at, layer in places]
    return {"model": trace.model, "tokens": trace.num_tokens, "experts": trace.num_experts,
            "k": [int(index.shape[1]) for index in trace.index], "scores": trace.scores,
            "read_from_the_first": head.num_tokens, "layers": layers, "flow": _flow(head, rng),
            "findings": [{"name": each.name, "text": each.text, "rows": len(each.rows),
                          "layers": list(each.layers)} for each in seen.findings],
            "without_them": seen.without_rows and {
                str(layer): each for layer, each in seen.without_rows.items()}}


def _loads(trace):
    """Return (L, E): choices of each expert, block by block."""
    size = trace.num_experts
    loads = np.zeros((len(trace.layers), size), np.int64)
    for _, block in trace.blocks():
        for at, ids in enumerate(block):
            loads[at] += np.bincount(ids.ravel().astype(np.int64) + 1, minlength=size + 1)[1:size + 1]
    return loads


def _layer(head, at, layer, load, rng):
    index, size = np.array(head.index[at]), head.num_experts
    made = of_load(layer, load) | {
        "busiest": int(load.argmax()), "entropy_bits_if_even": math.log2(size),
        "busiest_share": float(load.max() / load.sum()) if load.any() else None}
    return made | _neighbours(index, size, rng) | {
        "pairs": _together(index, size), "information": _about_domains(head, at, rng),
        "cache": _caches(index, size), "touched": _touched(index)}


def of_load(layer, load):
    """Return what the load (E,) of a layer says as plain numbers; None for what nobody's choices say.

    >>> of_load(3, np.array([2, 0]))["dead"]
    [1]
    """
    used, size = load.any(), len(load)
    return {"layer": layer, "load": load.tolist(),
            "max_violation": float(max_violation(load)) if used else None,
            "entropy_bits": float(load_entropy(load) * math.log2(size)) if used else None,
            "dead": dead_experts(load).tolist() if used else list(range(size))}


def _neighbours(index, size, rng):
    """Return the repetition of neighbouring tokens beside what chance would give."""
    if len(index) < 2 or not (index[:, 0] != EMPTY).all():
        return {"repetition": None}
    return {"repetition": float(repetition(index)), "repetition_any": float(repetition(index, kind="any")),
            "repetition_if_uniform": float(repetition_if_uniform(size)),
            "repetition_if_independent": float(repetition_if_independent(index)),
            "repetition_if_shuffled": float(repetition_if_shuffled(index, rng=rng, repeats=2))}


def _together(index, size):
    """Return the strongest pairs: [expert, other, share of the expert's tokens that choose the other too]."""
    if index.shape[1] == 1:
        return []
    table = np.zeros((len(index), size + 1), np.float32)
    np.put_along_axis(table, index.astype(np.int64), 1, axis=1)  # EMPTY writes to the last column
    table = table[:, :size]
    both = table.T @ table
    alone = np.maximum(np.diag(both).copy(), 1)
    np.fill_diagonal(both, 0)
    share = both / alone[:, None]
    best = np.argsort(-share, axis=None, kind="stable")[:PAIRS]
    return [[int(cell // size), int(cell % size), float(share.ravel()[cell])] for cell in best
            if share.ravel()[cell] > 0]


def _about_domains(head, at, rng):
    """Return the bits that a choice says about the domain, and the null of a shuffle; None without."""
    if head.domain is None or len(set(head.domain.tolist())) < 2:
        return None
    table = traces.counts_of(head).table(head.layers[at])
    return {"bits": float(information_of_table(table)),
            "if_shuffled": float(information_of_table_null(table, rng=rng, repeats=3))}


def _caches(index, size):
    """Return [[experts in the cache, hit rate]] of a cache that forgets the longest unused."""
    part = index[:CACHED]
    if not (part != EMPTY).any():
        return []
    sizes = sorted({max(1, size // 8), max(1, size // 4), max(1, size // 2), size})
    return [[each, cache_hits(part, each)] for each in sizes]


def _touched(index):
    """Return [[batch, mean number of experts that a batch of so many consecutive tokens touches]]."""
    found = []
    for batch in BATCHES:
        whole = len(index) // batch
        if not whole:
            break
        parts = index[:whole * batch].reshape(whole, -1)[:max(1, CACHED // batch)]
        found.append([batch, float(np.mean([len(np.unique(part[part != EMPTY])) for part in parts]))])
    return found


def _flow(head, rng):
    """Return, for each layer and the next, the bits that first choices share, the null, and the strongest."""
    flows = []
    for at, (here, there) in enumerate(zip(head.index, head.index[1:], strict=False)):
        one, other = here[:, 0].astype(np.int64), there[:, 0].astype(np.int64)
        both = (one != EMPTY) & (other != EMPTY)
        table = np.bincount(one[both] * head.num_experts + other[both], minlength=head.num_experts**2)
        table = table.reshape(head.num_experts, -1)
        if not table.any():
            continue
        best = np.argsort(-table, axis=None, kind="stable")[:PAIRS]
        used = table[table.any(axis=1)][:, table.any(axis=0)]
        flows.append({"from": head.layers[at], "to": head.layers[at + 1],
                      "bits": float(information_of_table(used)),
                      "if_shuffled": float(information_of_table_null(used, rng=rng, repeats=1)),
                      "strongest": [[int(cell // head.num_experts), int(cell % head.num_experts),
                                     int(table.ravel()[cell])] for cell in best if table.ravel()[cell]]})
    return flows


def compare(one, other):
    """Return how equal two traces of the same tokens choose, layer by layer, as plain numbers.

    sets: share of tokens with the same set of experts. shared: mean share of experts in common. first: share
    of tokens with the same first choice. load_distance: half the sum of differences of the shares of the
    load. Where the traces hold different numbers of tokens only load_distance is given.
    Raises ValueError for what is no Trace, or where no layer is in both.

    >>> a, b = (traces.read(np.array(rows)) for rows in ([[0, 1], [1, 2]], [[1, 0], [1, 0]]))
    >>> compare(a, b)["layers"][0]["sets"]
    0.5
    """
    for name, trace in (("one", one), ("other", other)):
        check_kind(trace, name, traces.Trace)
    both = [layer for layer in one.layers if layer in other.layers]
    if not both:
        raise ValueError(f"the traces share no layer: {list(one.layers)[:8]} and {list(other.layers)[:8]}")
    aligned = one.num_tokens == other.num_tokens
    loads = [_shares_of(trace, max(one.num_experts, other.num_experts)) for trace in (one, other)]
    layers = []
    for layer in both:
        places = one.place(layer), other.place(layer)
        distance = float(np.abs(loads[0][places[0]] - loads[1][places[1]]).sum() / 2)
        made = {"layer": layer, "load_distance": distance}
        if aligned:
            made |= _equal(np.array(one.index[places[0]]), np.array(other.index[places[1]]))
        layers.append(made)
    return {"one": one.model, "other": other.model, "tokens": [one.num_tokens, other.num_tokens],
            "aligned": aligned, "layers": layers}


def _shares_of(trace, size):
    loads = np.pad(_loads(trace), ((0, 0), (0, size - trace.num_experts))).astype(float)
    return loads / np.maximum(loads.sum(axis=1, keepdims=True), 1)


def _equal(one, other):
    common = ((one[:, :, None] == other[:, None, :]) & (one[:, :, None] != EMPTY)).any(axis=2).sum(axis=1)
    size = np.maximum((one != EMPTY).sum(axis=1), (other != EMPTY).sum(axis=1))
    share = common / np.maximum(size, 1)
    return {"sets": float((common == size).mean()), "shared": float(share.mean()),
            "first": float((one[:, 0] == other[:, 0]).mean())}


def _bar(items, unit):
    """Return the items behind a progress bar, which shows once they take more than QUIET seconds."""
    from tqdm import tqdm

    return tqdm(items, unit=unit, delay=QUIET, leave=False, file=sys.stderr)

"""What looks broken in a capture, with the rows concerned, and the metrics with and without them.

A public log of Qwen1.5-MoE under vLLM began with two blocks of identical rows, most likely the server's
profiling run; read as text they make a balanced router look biased. Nothing here changes a trace.
"""

from dataclasses import dataclass
from html import escape

import numpy as np

from moeviz.arrays import check_rng
from moeviz.checks import check_kind
from moeviz.files import stored_json
from moeviz.metrics import load_entropy, max_violation, repetition
from moeviz.record import EMPTY
from moeviz.tables import as_html, as_text, decimals_of
from moeviz.traces.trace import BLOCK, Trace

COLUMNS = {"share": "busiest", "max_violation": "MaxVio", "entropy_bits": "entropy, bits",
           "repetition": "repetition"}
RUN = 16  # so many equal rows in a row, or in all, that no text makes them


@dataclass(frozen=True, eq=False, repr=False)
class Finding:
    """One thing that looks wrong in a capture.

    name: what it is. text: one sentence with the numbers. rows: (n,) the tokens concerned. layers: their
    numbers. suspect: whether metrics should be read without these rows.
    """

    name: str
    text: str
    rows: np.ndarray
    layers: tuple
    suspect: bool = True

    def __repr__(self):
        return f"{self.name}: {self.text}"


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """What `inspect` found, and the metrics of every layer with and without the rows concerned.

    findings: a tuple of `Finding`. suspect: (T,) bool, the rows that they name. with_rows, without_rows:
    {layer: {"share": of the busiest expert, "max_violation", "entropy_bits", "repetition"}}; without_rows
    is None where every row is suspect, or none.
    """

    findings: tuple
    suspect: np.ndarray
    with_rows: dict
    without_rows: dict | None

    def _lines(self):
        return [str(finding) for finding in self.findings] or ["nothing looks broken"]

    def _rows(self):
        """Yield the name of each layer and its metrics with and without the rows; nothing without both."""
        if not self.without_rows:
            return
        decimals = {name: max(decimals_of([layer[name] for layer in (*self.with_rows.values(),
                                                                      *self.without_rows.values())], 3), 2)
                    for name in COLUMNS}
        for layer, full in self.with_rows.items():
            clean = self.without_rows[layer]
            yield str(layer), *(f"{full[name]:.{places}f} -> {clean[name]:.{places}f}"
                                for name, places in decimals.items())

    def __repr__(self):
        lines, rows = self._lines(), list(self._rows())
        if rows:
            lines.append(f"{'layer':>6}" + "".join(f"{name:>18}" for name in COLUMNS.values()))
        lines += [f"{layer:>6}" + "".join(f"{cell:>18}" for cell in cells) for layer, *cells in rows]
        return "\n".join(lines)

    def _repr_html_(self):
        said = "".join(f"<p>{escape(line)}</p>" for line in self._lines())
        rows = [[cell.replace("->", "→") for cell in row] for row in self._rows()]
        return said + (as_html({"columns": ["layer", *COLUMNS.values()], "rows": rows}) if rows else "")


def inspect(trace):
    """Return an `Inspection` of a Trace: what is typical of broken captures, and metrics with and without.

    Looked for: runs of identical rows (a server's profiling run), rows that come back again and again (stale
    buffers), blocks of rows that come twice (turns joined twice), rows without choices (padding), choices
    sorted by id, experts that no 8-bit id can name, layers in which every token chooses the same.
    Rows are compared over all layers together. Raises ValueError for what is no Trace.

    >>> from moeviz.traces import read
    >>> trace = read(np.repeat([[[3, 1]], [[0, 2]]], [20, 1], axis=0))
    >>> inspect(trace).findings[0].text
    '20 of 21 rows stand in 1 run of identical rows; the longest, 20 rows from token 0, chooses [3, 1]'
    """
    check_kind(trace, "trace", Trace)
    codes, empty = _codes(trace)
    found = [_runs(trace, codes, empty), _stale(trace, codes, empty), _twice_joined(trace, codes, empty),
             _without_choices(trace, empty), *_dead_layers(trace), _sorted_ids(trace), _wrapped(trace)]
    found = tuple(finding for finding in found if finding is not None)
    suspect = np.zeros(trace.num_tokens, bool)
    for finding in found:
        suspect[finding.rows] |= finding.suspect
    clean = _meters(trace, ~suspect) if suspect.any() and not suspect.all() else None
    return Inspection(found, suspect, _meters(trace, np.ones(trace.num_tokens, bool)), clean)


def _codes(trace):
    """Return (T,) one number per row that equal rows share, and (T,) whether it holds no choice at all."""
    rng = np.random.default_rng(0)
    factors = [rng.integers(1, 2**63, index.shape[1], dtype=np.uint64) | np.uint64(1)
               for index in trace.index]
    codes, empty = np.zeros(trace.num_tokens, np.uint64), np.ones(trace.num_tokens, bool)
    for start, block in trace.blocks():
        part = np.zeros(len(block[0]), np.uint64)
        for ids, factor in zip(block, factors, strict=True):
            ids_above_zero = (ids.astype(np.int64) + 2).astype(np.uint64)
            part = part * np.uint64(0x9E3779B97F4A7C15)
            part += (ids_above_zero * factor).sum(axis=1, dtype=np.uint64)
            empty[start:start + len(part)] &= (ids == EMPTY).all(axis=1)
        codes[start:start + len(part)] = part
    return codes, empty


def _long_runs(values, wanted):
    """Return (starts, lengths, all rows) of the runs of at least RUN equal values whose first is wanted."""
    cuts = np.flatnonzero(np.r_[True, values[1:] != values[:-1], True])
    long = (np.diff(cuts) >= RUN) & wanted[cuts[:-1]]
    starts, lengths = cuts[:-1][long], np.diff(cuts)[long]
    pairs = zip(starts, lengths, strict=True)
    return starts, lengths, np.concatenate([[], *(np.arange(at, at + n) for at, n in pairs)]).astype(int)


def _runs(trace, codes, empty):
    """Find at least RUN identical rows one after the other."""
    starts, lengths, rows = _long_runs(codes, ~empty)
    if not len(rows):
        return None
    best, runs = np.argmax(lengths), len(starts)
    text = (f"{as_text(len(rows))} of {as_text(trace.num_tokens)} rows stand in {runs} "
            f"run{'s' * (runs > 1)} of identical rows; the longest, {as_text(lengths[best])} rows from "
            f"token {as_text(starts[best])}, chooses {trace.index[0][starts[best]].tolist()}")
    return Finding("identical rows", text, rows, trace.layers)


def _stale(trace, codes, empty):
    """Find rows that come at least RUN times in all, apart from runs of identical ones."""
    alone = np.r_[True, codes[1:] != codes[:-1]] & ~empty
    values, back, counts = np.unique(codes[alone], return_inverse=True, return_counts=True)
    expected = alone.sum() / max(len(values), 1)
    often = counts >= max(RUN, 8 * expected)
    if not often.any() or len(trace.layers) * trace.index[0].shape[1] < 4:
        return None
    rows = np.flatnonzero(alone)[often[back]]
    text = (f"{int(often.sum())} rows come again and again, {len(rows)} times in all, the most frequent "
            f"{int(counts.max())} times: a buffer that was not filled anew, or a text that repeats itself")
    return Finding("stale rows", text, rows, trace.layers)


def _twice_joined(trace, codes, empty):
    """Find blocks of at least RUN different rows that stood in the trace before."""
    order = np.argsort(codes, kind="stable")
    same = np.flatnonzero(codes[order][1:] == codes[order][:-1])
    back = np.zeros(len(codes), np.int64)
    back[order[same + 1]] = order[same + 1] - order[same]
    back[empty] = 0
    starts, _, rows = _long_runs(back, back >= RUN)
    if not len(rows) or len(np.unique(codes[rows])) * 2 < len(rows):
        return None  # none, or a few rows over and over: stale, not joined
    text = (f"{len(rows)} rows in {len(starts)} block{'s' * (len(starts) > 1)} stood in the trace before, "
            f"{back[starts[0]]} rows earlier: turns that were joined twice")
    return Finding("repeated turns", text, rows, trace.layers)


def _without_choices(trace, empty):
    if not empty.any():
        return None
    text = (f"{as_text(empty.sum())} of {as_text(trace.num_tokens)} rows name no expert in any "
            "layer: padding, or tokens that the server did not keep")
    return Finding("rows without choices", text, np.flatnonzero(empty), trace.layers)


def _dead_layers(trace):
    """Find layers in which every token with a choice chooses the same experts."""
    for layer, index in zip(trace.layers, trace.index, strict=True):
        first = next((row for row in index[:BLOCK] if (row != EMPTY).any()), None)
        if first is None or trace.num_tokens < RUN:
            continue
        if all(_alike(index[start:start + BLOCK], first) for start in range(0, trace.num_tokens, BLOCK)):
            yield Finding("dead layer", f"every token of layer {layer} chooses {first.tolist()}",
                          np.zeros(0, int), (layer,), suspect=False)


def _alike(part, first):
    """Whether all rows of a part that hold a choice are equal to `first`."""
    return bool((part == first).all(axis=1)[(part != EMPTY).any(axis=1)].all())


def _sorted_ids(trace):
    """Find choices in the order of their ids, which says nothing of which is best."""
    if trace.weight is not None or any(index.shape[1] == 1 for index in trace.index):
        return None
    rising = [float((np.diff(index[:BLOCK].astype(int), axis=1) > 0).all(axis=1).mean())
              for index in trace.index]
    if np.mean(rising) < 0.9:
        return None
    text = (f"{np.mean(rising):.0%} of the rows list their experts by rising id, so the first is not the "
            "best: read nothing that goes by first choices")
    return Finding("choices sorted by id", text, np.zeros(0, int), trace.layers, suspect=False)


def _wrapped(trace):
    if trace.num_experts <= 256 or max(int(index[:2**20].max()) for index in trace.index) > 255:
        return None
    text = f"no id of the {trace.num_experts} experts is above 255: they may have wrapped in 8 bits"
    return Finding("ids below 256", text, np.zeros(0, int), trace.layers, suspect=False)


def _meters(trace, rows):
    """Return the metrics of every layer over some rows (T,) bool."""
    size = trace.num_experts
    loads, again = np.zeros((len(trace.layers), size), np.int64), np.zeros(len(trace.layers))
    for start, block in trace.blocks():
        keep = rows[start:start + len(block[0])]
        for at, ids in enumerate(block):
            loads[at] += np.bincount(ids[keep].ravel().astype(np.int64) + 1, minlength=size + 1)[1:size + 1]
    sample = np.flatnonzero(rows)[:2**16]
    for at, index in enumerate(trace.index):
        chosen = np.array(index[sample])
        again[at] = repetition(chosen) if len(chosen) > 1 and (chosen[:, 0] != EMPTY).any() else np.nan
    return {layer: {"share": float(load.max() / max(load.sum(), 1)),
                    "max_violation": float(max_violation(load)) if load.any() else float("nan"),
                    "entropy_bits": float(load_entropy(load) * np.log2(size)) if load.any() else float("nan"),
                    "repetition": float(again[at])}
            for at, (layer, load) in enumerate(zip(trace.layers, loads, strict=True))}


# The public log, rebuilt.


def broken_capture(*, rng):
    """Return the Trace of a public capture that begins with the server's own rows, rebuilt from its counts.

    Qwen1.5-MoE-A2.7B under vLLM: 12,805 rows of layers 0, 12 and 23, E = 60, k = 4. The first 8,192 rows
    repeat one row and the next 256 another, as in the log; the other rows are drawn from `rng` so that every
    expert is chosen exactly as often as there. Their order means nothing.
    Source: moeviz/data/broken_capture.json names the log.

    >>> broken_capture(rng=np.random.default_rng(0))
    Trace of 'Qwen1.5-MoE, rebuilt': 12805 tokens, 3 layers, E = 60, 153660 choices; with nothing else
    """
    check_rng(rng)
    known = stored_json("broken_capture.json")
    layers = {int(layer): each for layer, each in known["layers"].items()}
    index = []
    for each in layers.values():
        head = [np.tile(np.roll(each["head_experts"], turn), (rows, 1))
                for turn, rows in enumerate(each["head"])]
        index.append(np.concatenate([*head, _rows_of(np.array(each["counts"]), known["k"], rng)]))
    return Trace("Qwen1.5-MoE, rebuilt", known["experts"], tuple(layers), tuple(index))


def _rows_of(counts, k, rng):
    """Return random rows (T, k) of different experts, each as often as counts (E,) say."""
    experts = rng.permutation(len(counts))
    rows = np.repeat(experts, counts[experts]).reshape(k, -1).T.copy()
    for _ in range(20 * k):  # trade one entry between two rows wherever both stay without a double
        one, other = rng.permutation(len(rows))[:len(rows) // 2 * 2].reshape(2, -1)
        here, there = rng.integers(k, size=2)
        clash = (rows[one] == rows[other, there, None]).any(axis=1) | (
            rows[other] == rows[one, here, None]).any(axis=1)
        one, other = one[~clash], other[~clash]
        rows[one, here], rows[other, there] = rows[other, there], rows[one, here].copy()
    return rng.permuted(rng.permutation(rows), axis=1)

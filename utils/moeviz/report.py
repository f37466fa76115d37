"""The report of a router: what a trace says, as numbers, as text and as one page; and the ledger of a model.

    python -m moeviz trace FILE [FILE ...] [--config config.json] [--html report.html] [--json numbers.json]
    python -m moeviz trace FILE --compare OTHER
    python -m moeviz count config.json [--context 32768] [--json -]

Numbers that need much time are read from the first tokens and say of how many.
"""

import argparse
import json
import math
import sys
import warnings
from html import escape
from pathlib import Path

import numpy as np

from moeviz import traces
from moeviz.checks import check_kind
from moeviz.cost import ModelSpec, count_parameters, flops_per_token, kv_cache_bytes
from moeviz.files import write_whole
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
from moeviz.tables import as_html, as_lines, as_table

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
            "without_them": seen.without_rows and {str(layer): each for layer,
                                                   each in seen.without_rows.items()}}


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
    used = load.any()
    made = {"layer": layer, "load": load.tolist(), "busiest": int(load.argmax()),
            "busiest_share": float(load.max() / load.sum()) if used else None,
            "max_violation": float(max_violation(load)) if used else None,
            "entropy_bits": float(load_entropy(load) * math.log2(size)) if used else None,
            "entropy_bits_if_even": math.log2(size),
            "dead": dead_experts(load).tolist() if used else list(range(size))}
    return made | _neighbours(index, size, rng) | {
        "pairs": _together(index, size), "information": _about_domains(head, at, rng),
        "cache": _caches(index, size), "touched": _touched(index)}


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


# As text.


def as_text(report):
    """Return the numbers of `measure` as lines for a terminal."""
    k = sorted(set(report["k"]))
    head = [f"{report['model']}: {report['tokens']} tokens, {len(report['layers'])} layers, "
            f"E = {report['experts']}, k = {', '.join(map(str, k))}"]
    if report["read_from_the_first"] < report["tokens"]:
        head.append(f"neighbours, pairs, flow, caches and batches: read from the first "
                    f"{report['read_from_the_first']} tokens")
    head += ["", "What looks broken:", *([f"  {each['name']}: {each['text']}" for each in report["findings"]]
                                       or ["  nothing"])]
    if report["without_them"]:
        head += ["", as_lines(_clean_table(report))]
    return "\n".join([*head, "", as_lines(_layer_table(report)), "", as_lines(_more_table(report)), "",
                      *([as_lines(_flow_table(report))] if report["flow"] else [])])


def _layer_table(report):
    rows = [[each["layer"], each["busiest"], each["busiest_share"], each["max_violation"],
             each["entropy_bits"],
             len(each["dead"]), each["repetition"], each.get("repetition_if_independent"),
             each.get("repetition_if_shuffled")] for each in report["layers"]]
    return as_table("Load and repetition", ["layer", "busiest", "its share", "MaxVio", "entropy, bits",
                                            "dead",
                                            "repetition", "if independent", "if shuffled"],
                    _blank(rows), most=200)


def _more_table(report):
    rows = []
    for each in report["layers"]:
        pair = each["pairs"][0] if each["pairs"] else None
        known = each["information"]
        cache = dict(map(tuple, each["cache"]))
        half = min(cache, key=lambda size: abs(size - report["experts"] / 4)) if cache else None
        touched = dict(map(tuple, each["touched"]))
        at = 64 if 64 in touched else max(touched, default=None)
        rows.append([each["layer"], "" if pair is None else f"{pair[0]} with {pair[1]}", pair and pair[2],
                     known and known["bits"], known and known["if_shuffled"], half, cache.get(half), at,
                     touched.get(at)])
    return as_table("Pairs, domains, caches, batches", [
        "layer", "pair", "share", "bits of domain", "if shuffled", "in the cache", "hits", "batch",
        "touched"],
        _blank(rows), most=200)


def _flow_table(report):
    rows = [[f"{each['from']} to {each['to']}", each["bits"], each["if_shuffled"],
             ", ".join(f"{one} to {other} ({count})" for one, other, count in each["strongest"][:3])]
            for each in report["flow"]]
    return as_table("From layer to layer", ["layers", "bits shared", "if shuffled", "strongest"], rows,
                    most=200)


def _clean_table(report):
    rows = [[each["layer"], each["busiest_share"], clean["share"], each["max_violation"],
             clean["max_violation"],
             each["entropy_bits"], clean["entropy_bits"], each["repetition"], clean["repetition"]]
            for each in report["layers"] if (clean := report["without_them"][str(each["layer"])])]
    return as_table("With and without the rows named above", [
        "layer", "busiest", "without", "MaxVio", "without", "entropy", "without", "repetition", "without"],
        _blank(rows), most=200)


def _blank(rows):
    return [["" if cell is None else cell for cell in row] for row in rows]


def compare_text(found):
    """Return the numbers of `compare` as lines for a terminal."""
    head = [f"{found['one']} ({found['tokens'][0]} tokens) beside {found['other']} ({found['tokens'][1]} "
            f"tokens)"]
    if not found["aligned"]:
        head.append("different numbers of tokens: only the loads can be compared")
    return "\n".join([*head, "", as_lines(_compare_table(found))])


def _compare_table(found):
    rows = [[each["layer"], each.get("sets"), each.get("shared"), each.get("first"), each["load_distance"]]
            for each in found["layers"]]
    return as_table("Equal choices", ["layer", "same set", "experts shared", "same first",
                                      "distance of loads"],
                    _blank(rows), most=200)


# As one page.

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}}
svg{{width:100%;height:auto}} rect:hover,circle:hover{{stroke:#000;stroke-width:2}} .bad{{background:#fff3e0;
padding:.5rem 1rem;border-left:4px solid #b45309}} text{{font-size:12px;fill:#333}}</style></head>
<body><h1>{title}</h1>
{body}
</body></html>
"""
INK = ("#1f4e8c", "#b45309", "#1b7f5c", "#7b2d8b")


def as_page(report, *, against=None, text=None):
    """Return the report as one page of HTML that needs nothing else; against: what `compare` returned.

    text: texts of the tokens, for the tooltips of the strip of first choices.
    """
    parts = [f"<p>{report['tokens']} tokens, {len(report['layers'])} layers, E = {report['experts']}, "
             f"k = {', '.join(map(str, sorted(set(report['k']))))}. Numbers of neighbours, pairs, flow, "
             f"caches and "
             f"batches: from the first {report['read_from_the_first']} tokens.</p>"]
    bad = "".join(f"<li><b>{escape(each['name'])}</b>: {escape(each['text'])}</li>"
                  for each in report["findings"])
    parts.append(f"<div class='bad'><h2>What looks broken</h2><ul>{bad}</ul></div>" if bad
                 else "<p>Nothing looks broken.</p>")
    if report["without_them"]:
        parts.append(as_html(_clean_table(report)))
    parts += ["<h2>Load of every expert</h2>", _heat(report), as_html(_layer_table(report)),
              "<h2>Caches and batches</h2>", _curves(report), as_html(_more_table(report))]
    if report["flow"]:
        parts += ["<h2>From layer to layer</h2>", as_html(_flow_table(report))]
    if text:
        parts += ["<h2>The text</h2>", f"<p>{''.join(map(escape, text[:2000]))}</p>"]
    if against is not None:
        parts += [f"<h2>Beside {escape(against['other'])}</h2>", as_html(_compare_table(against))]
    return PAGE.format(title=escape(f"Routing of {report['model']}"), body="\n".join(parts))


def _heat(report):
    """Return the loads as a picture: a row for each layer, a cell for each expert."""
    size, rows = report["experts"], report["layers"]
    width, height = 1000 / size, 18
    cells = []
    for at, each in enumerate(rows):
        total = sum(each["load"]) or 1
        cells.append(f'<text x="0" y="{at * height + 13}">{each["layer"]}</text>')
        for expert, load in enumerate(each["load"]):
            share = load / total
            shade = min(1.0, share * size / 2)
            ink = ",".join(str(255 - round(depth * shade)) for depth in (224, 177, 115))
            cells.append(f'<rect x="{40 + expert * width:.2f}" y="{at * height}" width="{width:.2f}" '
                         f'height="{height - 1}" fill="rgb({ink})"><title>layer {each["layer"]}, expert '
                         f'{expert}: {load} choices, {share:.2%}</title></rect>')
    label = "Share of the choices that each expert of each layer got; dark is twice the even share or more"
    return (f'<svg viewBox="0 0 1045 {len(rows) * height}" role="img" aria-label="{label}">'
            f'{"".join(cells)}</svg>')


def _curves(report):
    """Return two small pictures: hits over the size of the cache, and experts touched over the batch."""
    size = report["experts"]
    hits = _lines([[(x / size, y) for x, y in each["cache"]] for each in report["layers"]],
                  "share of the experts in the cache", "hits", report)
    top = math.log2(BATCHES[-1])
    met = _lines([[(math.log2(x) / top, y / size) for x, y in each["touched"]] for each in report["layers"]],
                 f"batch, 1 to {BATCHES[-1]} tokens, doubled each step", "experts touched", report)
    return f'<div style="display:flex;gap:1rem;flex-wrap:wrap">{hits}{met}</div>'


def _lines(curves, across, up, report):
    drawn = []
    for at, (curve, each) in enumerate(zip(curves, report["layers"], strict=True)):
        ink = INK[at % len(INK)]
        points = " ".join(f"{50 + 400 * x:.1f},{220 - 200 * y:.1f}" for x, y in curve)
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-opacity=".5"/>')
        drawn += [f'<circle cx="{50 + 400 * x:.1f}" cy="{220 - 200 * y:.1f}" r="3" fill="{ink}"><title>layer '
                  f'{each["layer"]}: {y:.1%}</title></circle>' for x, y in curve]
    return (f'<svg viewBox="0 0 470 260" style="flex:1 1 20rem" role="img" aria-label="{escape(up)} over '
            f'{escape(across)}, a line for each layer"><path d="M50 20V220H450" fill="none" stroke="#555"/>'
            f'<text x="50" y="14">{escape(up)}: 0 to 100 %</text><text x="50" y="245">{escape(across)}</text>'
            f'{"".join(drawn)}</svg>')


# The ledger of a model.


def ledger(config, *, context=4096):
    """Return the ledger of a config.json as plain numbers: parameters by part, FLOPs and cache at a context.

    Raises ValueError as `ModelSpec.from_hf_config` does.

    >>> ledger({"model_type": "mixtral"})["total"]
    46702792704
    """
    spec = ModelSpec.from_hf_config(config)
    count = count_parameters(spec)
    return {"model": spec.name, "shape": repr(spec), "total": count.total, "active": count.active,
            "active_without_embedding": count.active_without_embedding,
            "active_without_tables": count.active_without_tables, "by_part": count.by_part,
            "active_by_part": count.active_by_part, "context": context,
            "flops_per_token": flops_per_token(spec, context).total,
            "cache_bytes_per_sequence": kv_cache_bytes(spec, context), "table": repr(count)}


def ledger_text(found):
    """Return the ledger as lines for a terminal."""
    return "\n".join([found["shape"], "", found["table"], "",
                      f"active without the embedding {found['active_without_embedding']:,}, without both "
                      f"tables "
                      f"{found['active_without_tables']:,}",
                      f"at {found['context']:,} tokens: {found['flops_per_token']:,.0f} FLOP for the next "
                      f"token, "
                      f"{found['cache_bytes_per_sequence']:,} bytes of cache in bfloat16"])


# The commands.


def main(argv):
    """Run `trace` or `count`; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *more, **named: print(f"warning: {message}",
                                                                         file=sys.stderr)
            warnings.simplefilter("always", UserWarning)
            print(_trace(options) if options.command == "trace" else _count(options))
    except (ValueError, OSError, MemoryError) as error:
        print(f"{parser.prog} {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser("python -m moeviz",
                                     description="The report of a router, the ledger of a model.")
    commands = parser.add_subparsers(dest="command", required=True)
    trace = commands.add_parser("trace", help="what a captured routing says")
    trace.add_argument("files", nargs="+", help="captures; several are joined")
    trace.add_argument("--config", help="config.json of the model")
    trace.add_argument("--experts", type=int, help="E, where there is no config")
    trace.add_argument("--k", type=int, help="choices per token, where there is no config")
    trace.add_argument("--text", help="texts or ids of the tokens, as a JSON list")
    trace.add_argument("--html", help="write the report as one page")
    trace.add_argument("--json", help="write the numbers; - prints them")
    trace.add_argument("--compare", help="another capture of the same tokens")
    count = commands.add_parser("count", help="parameters, FLOPs and cache of a config.json")
    count.add_argument("config")
    count.add_argument("--context", type=int, default=4096)
    count.add_argument("--json", help="write the numbers; - prints them")
    return parser


def _trace(options):
    given = {"config": options.config, "num_experts": options.experts, "k": options.k}
    files = options.files[0] if len(options.files) == 1 else options.files
    trace = traces.read(files, **given, model=Path(options.files[0]).stem)
    if isinstance(trace, traces.Counts):
        return _counts(trace, options)
    against = None
    if options.compare:
        against = compare(trace, traces.read(options.compare, **given, model=Path(options.compare).stem))
    report = measure(trace, rng=np.random.default_rng(0))
    text = _token_texts(options.text)
    if options.html:
        page = as_page(report, against=against, text=text)
        write_whole(Path(options.html), lambda file: file.write(page.encode("utf-8")))
    if options.json:
        return _numbers(options.json, report | ({"compare": against} if against else {}))
    return "\n\n".join([as_text(report), *([compare_text(against)] if against else [])])


def _counts(counts, options):
    """Return the loads of counters, which know nothing of tokens."""
    found = {"model": counts.model, "layers": []}
    for layer in counts.layers:
        load = counts.table(layer).sum(axis=0)
        found["layers"].append({"layer": layer, "load": load.tolist(),
                                "max_violation": float(max_violation(load)),
                                "entropy_bits": float(load_entropy(load) * math.log2(len(load))),
                                "dead": dead_experts(load).tolist()})
    if options.json:
        return _numbers(options.json, found)
    rows = [[each["layer"], each["max_violation"], each["entropy_bits"], len(each["dead"])]
            for each in found["layers"]]
    return "\n".join([repr(counts), "", as_lines(as_table("load",
                                                          ["layer", "MaxVio", "entropy, bits",
                                                           "dead"], rows))])


def _token_texts(path):
    if path is None:
        return None
    try:
        texts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON list of texts: {error}") from None
    if not isinstance(texts, list):
        raise ValueError(f"{path} must hold a list of texts")
    return [str(each) for each in texts]


def _count(options):
    try:
        config = json.loads(Path(options.config).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{options.config} is no config.json: {error}") from None
    found = ledger(config, context=options.context)
    return _numbers(options.json, found) if options.json else ledger_text(found)


def _numbers(path, found):
    text = json.dumps(found, indent=1)
    if path == "-":
        return text
    write_whole(Path(path), lambda file: file.write(text.encode("utf-8")))
    return f"written to {path}"


def _bar(items, unit):
    """Return the items behind a progress bar, which shows once they take more than QUIET seconds."""
    from tqdm import tqdm

    return tqdm(items, unit=unit, delay=QUIET, leave=False, file=sys.stderr)

"""The numbers of a report as lines for a terminal, and as one page that needs nothing else."""

import math
from html import escape

from moeviz.record import EMPTY
from moeviz.report.numbers import BATCHES
from moeviz.tables import as_html, as_lines, as_table

ROWS = 200  # of a table, at most


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
    head += ["", as_lines(_layer_table(report)), "", as_lines(_more_table(report)), ""]
    return "\n".join([*head, as_lines(_flow_table(report))] if report["flow"] else head)


def _layer_table(report):
    rows = [[each["layer"], each["busiest"], each["busiest_share"], each["max_violation"],
             each["entropy_bits"], len(each["dead"]), each["repetition"],
             each.get("repetition_if_independent"), each.get("repetition_if_shuffled")]
            for each in report["layers"]]
    return as_table("Load and repetition", [
        "layer", "busiest", "its share", "MaxVio", "entropy, bits", "dead", "repetition", "if independent",
        "if shuffled"], rows, most=ROWS)


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
    columns = ["layer", "pair", "share", "bits of domain", "if shuffled", "in the cache", "hits", "batch",
               "touched"]
    return _known("Pairs, domains, caches, batches", columns, rows)


def _known(title, columns, rows):
    """Return a table of the columns in which anything stands."""
    known = [at for at in range(len(columns)) if any(row[at] not in (None, "") for row in rows)]
    return as_table(title, [columns[at] for at in known], [[row[at] for at in known] for row in rows],
                    most=ROWS)


def _flow_table(report):
    rows = [[f"{each['from']} to {each['to']}", each["bits"], each["if_shuffled"],
             ", ".join(f"{one} to {other} ({count})" for one, other, count in each["strongest"][:3])]
            for each in report["flow"]]
    return as_table("From layer to layer", ["layers", "bits shared", "if shuffled", "strongest"], rows,
                    most=ROWS)


def _clean_table(report):
    rows = [[each["layer"], each["busiest_share"], clean["share"], each["max_violation"],
             clean["max_violation"], each["entropy_bits"], clean["entropy_bits"], each["repetition"],
             clean["repetition"]]
            for each in report["layers"] if (clean := report["without_them"][str(each["layer"])])]
    return as_table("With and without the rows named above", [
        "layer", "busiest", "without", "MaxVio", "without", "entropy", "without", "repetition", "without"],
        rows, most=ROWS)


def compare_text(found):
    """Return the numbers of `compare` as lines for a terminal."""
    here, there = found["tokens"]
    head = [f"{found['one']} ({here} tokens) beside {found['other']} ({there} tokens)"]
    if not found["aligned"]:
        head.append("different numbers of tokens: only the loads can be compared")
    return "\n".join([*head, "", as_lines(_compare_table(found))])


def _compare_table(found):
    rows = [[each["layer"], each.get("sets"), each.get("shared"), each.get("first"), each["load_distance"]]
            for each in found["layers"]]
    return _known("Equal choices" if found["aligned"] else "Loads", [
        "layer", "same set", "experts shared", "same first", "distance of loads"], rows)


# As one page.

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>:root{{color-scheme:light dark;--ink:#1b1b1b;--ground:#fff;--bad:#fff3e0;--line0:#1f4e8c;
--line1:#b45309;--line2:#1b7f5c;--line3:#7b2d8b}}
@media (prefers-color-scheme:dark){{:root{{--ink:#e8eaed;--ground:#14171c;--bad:#3a2a12;--line0:#8ab8ff;
--line1:#ffb059;--line2:#6fd3ac;--line3:#dba0ea}}}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:var(--ink);background:var(--ground)}}
svg{{width:100%;height:auto}} rect:hover,circle:hover{{stroke:var(--ink);stroke-width:2}}
.bad{{background:var(--bad);padding:.5rem 1rem;border-left:4px solid #b45309}}
text{{font-size:12px;fill:var(--ink)}} @media (max-width:600px){{text{{font-size:15px}}}}
.heat div{{display:flex;height:1.2rem;margin-bottom:1px;font-size:.8rem;line-height:1.2rem}}
.heat b{{width:2.2rem;font-weight:400}} .heat i{{flex:1;min-width:0;background:var(--line0)}}
.heat i:hover{{outline:2px solid var(--ink)}}
@media print{{.heat i{{print-color-adjust:exact;-webkit-print-color-adjust:exact}}}}
.strip{{display:flex;flex-wrap:wrap;gap:.5rem 2px;font:13px/1.4 ui-monospace,monospace}}
.token{{display:flex;flex-direction:column;text-align:center;min-width:1.7rem}} .token span{{padding:0 3px}}
</style></head>
<body><main><h1>{title}</h1>
{body}
</main></body></html>
"""
STRIP, STRIP_LAYERS = 240, 8  # tokens and layers of the strip of choices
LINES = 4  # colours, used in turn
MANY = 64  # experts from which their cells touch


def as_page(report, *, against=None, text=None, trace=None):
    """Return the report as one page of HTML that needs nothing else; against: what `compare` returned.

    text: T texts of the tokens of `trace`, which label the strip of choices.
    """
    parts = [f"<p>{report['tokens']} tokens, {len(report['layers'])} layers, E = {report['experts']}, "
             f"k = {', '.join(map(str, sorted(set(report['k']))))}. Numbers of neighbours, pairs, flow, "
             f"caches and batches: from the first {report['read_from_the_first']} tokens.</p>"]
    bad = "".join(f"<li><b>{escape(each['name'])}</b>: {escape(each['text'])}</li>"
                  for each in report["findings"])
    parts.append(f"<div class='bad'><h2>What looks broken</h2><ul>{bad}</ul></div>" if bad
                 else "<p>No fault of the capture was found. How even its loads are is shown below.</p>")
    if report["without_them"]:
        parts.append(as_html(_clean_table(report)))
    parts += ["<h2>Load of every expert</h2>", _heat(report), as_html(_layer_table(report)),
              "<h2>Caches and batches</h2>", _curves(report), as_html(_more_table(report))]
    if report["flow"]:
        parts += ["<h2>From layer to layer</h2>", as_html(_flow_table(report))]
    if text:
        parts += ["<h2>The text and its experts</h2>", _strip(trace, text)]
    if against is not None:
        parts += [f"<h2>Beside {escape(against['other'])}</h2>", as_html(_compare_table(against))]
    return PAGE.format(title=escape(f"Routing of {report['model']}"), body="\n".join(parts))


def _strip(trace, text):
    """Return the first tokens, each above the experts that a few layers chose, the best one printed."""
    from moeviz.style import expert_colors, ink_on

    colors = expert_colors(trace.num_experts)
    places = sorted({round(at * (len(trace.layers) - 1) / (STRIP_LAYERS - 1)) for at in range(STRIP_LAYERS)})
    layers = [trace.layers[at] for at in places]
    columns = []
    for token, word in enumerate(text[:STRIP]):
        cells = []
        for at, layer in zip(places, layers, strict=True):
            chosen = [int(expert) for expert in trace.index[at][token] if expert != EMPTY]
            color = colors[chosen[0]] if chosen else "#ffffff"
            label = f"{word!r}, layer {layer}: " + (", ".join(map(str, chosen)) or "no choice")
            cells.append(f'<span style="background:{color};color:{ink_on(color)}" title="{escape(label)}">'
                         f'{chosen[0] if chosen else "-"}</span>')
        shown = escape(word.replace("\n", "\u21b5").replace(" ", "\u00b7")) or "&nbsp;"
        columns.append(f'<div class="token"><b>{shown}</b>{"".join(cells)}</div>')
    rest = f", the first {STRIP} of {len(text)} tokens" if len(text) > STRIP else ""
    return (f"<p>Each column is a token{rest}; below it stands its first choice in the layers "
            f"{', '.join(map(str, layers))}, from top to bottom. Point at a number for all of them.</p>"
            f'<div class="strip">{"".join(columns)}</div>')


def _heat(report):
    """Return the loads as a picture and what its shades say: a row for each layer, a cell for each expert."""
    size, rows = report["experts"], []
    for each in report["layers"]:
        shares = [load / (sum(each["load"]) or 1) for load in each["load"]]
        cells = [f'<i style="opacity:{min(1.0, share * size / 2):.2f}" title="layer {each["layer"]}, '
                 f'expert {expert}: {load} choices, {share:.2%}"></i>'
                 for expert, (load, share) in enumerate(zip(each["load"], shares, strict=True))]
        gap = 0 if size > MANY else 1
        rows.append(f'<div style="gap:{gap}px"><b>{each["layer"]}</b>{"".join(cells)}</div>')
    label = ("Share of the choices that each expert of each layer got. The ground's own colour is none, the "
             "full colour twice the even share or more.")
    return f'<p>{label}</p><div class="heat" role="img" aria-label="{label}">{"".join(rows)}</div>'


def _curves(report):
    """Return two small pictures: hits over the size of the cache, and experts touched over the batch."""
    size = report["experts"]
    hits = _lines([[(x / size, y) for x, y in each["cache"]] for each in report["layers"]],
                  "share of the experts in the cache", "hits", report)
    top = math.log2(BATCHES[-1])
    met = _lines([[(math.log2(x) / top, y / size) for x, y in each["touched"]] for each in report["layers"]],
                 f"batch, 1 to {BATCHES[-1]} tokens, doubled each step", "experts touched", report)
    key = "".join(f'<li style="color:var(--line{first})"><b>{", ".join(map(str, layers))}</b></li>'
                  for first in range(LINES)
                  if (layers := [each["layer"] for each in report["layers"]][first::LINES]))
    return ('<ul style="display:flex;flex-wrap:wrap;gap:0 2rem;margin:0"><li style="list-style:none">'
            f'lines of the layers</li>{key}</ul>'
            f'<div style="display:flex;gap:1rem;flex-wrap:wrap">{hits}{met}</div>')


def _lines(curves, across, up, report):
    drawn = []
    for at, (curve, each) in enumerate(zip(curves, report["layers"], strict=True)):
        ink = f"var(--line{at % LINES})"
        points = " ".join(f"{50 + 400 * x:.1f},{220 - 200 * y:.1f}" for x, y in curve)
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-opacity=".6"/>')
        drawn += [f'<circle cx="{50 + 400 * x:.1f}" cy="{220 - 200 * y:.1f}" r="3" fill="{ink}"><title>layer '
                  f'{each["layer"]}: {y:.1%}</title></circle>' for x, y in curve]
    return (f'<svg viewBox="0 0 470 260" style="flex:1 1 20rem" role="img" aria-label="{escape(up)} over '
            f'{escape(across)}, a line for each layer">'
            '<path d="M50 20V220H450" fill="none" stroke="currentColor"/>'
            f'<text x="50" y="14">{escape(up)}: 0 to 100 %</text><text x="50" y="245">{escape(across)}</text>'
            f'{"".join(drawn)}</svg>')

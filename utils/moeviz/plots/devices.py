"""Where do experts live? Traffic between devices, the time line of a step, a cache of experts."""

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import FancyArrowPatch
from matplotlib.patheffects import withStroke

from moeviz.arrays import as_array, check_count
from moeviz.cluster.traffic import check_home, serving_device
from moeviz.metrics import CacheRun
from moeviz.plots.draw import (
    SANS,
    bare,
    boxes,
    check_labels,
    draw_bars,
    draw_colour_bar,
    draw_heatmap,
    draw_outlines,
    extremes,
    outline,
    plain_ticks,
    readable,
    time_unit,
)
from moeviz.record import EMPTY
from moeviz.style import (
    DROPPED,
    DROPPED_LINES,
    FAINT,
    HATCH,
    INK,
    MUTED,
    SERIES,
    axes_or_new,
    expert_colors,
    fixed_axes,
    headline,
    ink_on,
    on_white,
    set_description,
    set_matrix,
    set_table,
    tint,
)
from moeviz.tables import as_text, decimals_of

MOST_PRINTED, FULLEST_TO_LABEL = 10, 16
HOME = "#b0b0b0"
# purple, olive and pink differ in lightness too, for readers and printers without colour
KINDS = {"dispatch": (SERIES[0], "send tokens"), "compute": (SERIES[1], "compute"),
         "combine": ("#e7a8ec", "send answers"), "wait": (DROPPED, "wait")}
MAX_REQUESTS = 120


def plot_traffic(matrix, *, title="", ax=None):
    """Draw how much each device sends to each other one; what stays at home is grey and hatched.

    matrix: (N, N) whole numbers, from row to column, as of `cluster.traffic_matrix`. The darkest colour is
    the largest that leaves home. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_traffic([[5, 1], [2, 6]]).get_ylabel()
    'from device'
    """
    matrix, size = _check_counts(matrix, "matrix", square=True), len(matrix)
    away = np.where(np.eye(size, dtype=bool), 0, matrix)
    ax = axes_or_new(ax, (max(0.7 * min(size, 12) + 2.6, 5.4), max(0.55 * min(size, 12) + 2.0, 4.4)))
    mesh = draw_heatmap(ax, away, low=0, high=max(away.max(), 1))
    devices = np.arange(size)
    draw_bars(ax, devices, devices, 1, 1, facecolor=DROPPED, edgecolor=HOME, hatch=HATCH, linewidth=0)
    _print_counts(ax, matrix, mesh)
    ticks = _numbered(size)
    ax.set_xticks(ticks + 0.5, ticks)
    ax.set_yticks(ticks + 0.5, ticks)
    ax.set(xlabel="to device", ylabel="from device", ylim=(size, 0))
    moved, total = away.sum(), max(matrix.sum(), 1)
    headline(ax, f"{as_text(moved)} of {as_text(matrix.sum())} rows leave home "
                 f"({100 * moved / total:.0f}%)", title)
    set_matrix(ax, matrix, rows=("from device", range(size)), columns=("to device", range(size)))
    source, target = np.unravel_index(away.argmax(), away.shape)
    return set_description(ax, (
        f"Heatmap, {title or 'traffic'}: {total} rows from {size} devices (down) to as many (across); "
        f"{moved} ({100 * moved / total:.0f}%) leave home; most from device {source} to device {target} "
        f"({away.max()})."))


def plot_device_load(served, *, title="", top=None, ax=None):
    """Draw one bar per device, stacked from its experts in their colours, and the mean as a dashed line.

    served: (N, E) rows that each device computes for each expert, as of `cluster.served_rows`. top: the
    upper end of the scale, to compare pictures; None fits the bars. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_device_load([[3, 0], [0, 1]])
    >>> ax.get_ylabel()
    'assignments to compute'
    """
    served = _check_counts(served, "served")
    load, num_devices = served.sum(axis=1), len(served)
    ax = axes_or_new(ax, (9, 4.6))
    base = np.zeros(num_devices)
    for expert, color in enumerate(expert_colors(served.shape[1])):
        here = np.flatnonzero(served[:, expert])
        bars = draw_bars(ax, here - 0.4, base[here], 0.8, served[here, expert], facecolor=color,
                         edgecolor="white", linewidth=1.0)
        if served.shape[1] <= FULLEST_TO_LABEL:
            _name_expert(ax, bars, expert, color, load.max())
        base += served[:, expert]
    ax.axhline(load.mean(), color=INK, linestyle=(0, (5, 4)), linewidth=1.8,
               path_effects=[withStroke(linewidth=4, foreground="white")])
    ax.annotate(f"mean\n{load.mean():.0f}", (num_devices - 0.4, load.mean()), va="center", xytext=(4, 0),
                textcoords="offset points", bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})
    slowest, ratio = _name_slowest(ax, load)
    headline(ax, f"device {slowest} computes {ratio:.3f} times the mean", title)
    ax.set(xlabel="device", ylabel="assignments to compute",
           xlim=(-0.6, 1.12 * num_devices - 0.3),
           ylim=(0, 1.15 * max(load.max(), 1) if top is None else top))
    ticks = _numbered(num_devices)
    ax.set_xticks(ticks, ticks)
    plain_ticks(ax.yaxis)
    ax.tick_params(axis="x", length=0)
    parts = [", ".join(f"expert {expert}: {row[expert]}" for expert in np.flatnonzero(row)) for row in served]
    set_table(ax, ["device", "in all", "of these for"], zip(range(num_devices), load, parts, strict=True))
    return set_description(ax, f"Stacked bars, {title or 'load of devices'}: {load.sum()} assignments on "
                               f"{num_devices} devices; {extremes(load, 'device')}; mean {load.mean():.4g}.")


def _numbered(num_devices):
    """Return the devices that get a number: all up to 10, else at most 8, for numbers of two digits."""
    return np.arange(0, num_devices, 1 if num_devices <= 10 else -(-num_devices // 8))


def _name_slowest(ax, load):
    """Write above the busiest device how many times the mean it computes; return both."""
    slowest, ratio = int(np.argmax(load)), load.max() / max(load.mean(), 1e-12)
    at_edge = slowest < len(load) / 8  # its words would run over the scale
    ax.annotate(f"{ratio:.3f} × mean", (slowest - 0.4 * at_edge, load[slowest]), xytext=(0, 6),
                ha="left" if at_edge else "center", textcoords="offset points", fontweight="bold")
    return slowest, ratio


def plot_device_loads(placements):
    """Draw the load of devices under several placements side by side, on one scale; return the Axes (P,).

    placements: {name: served (N, E)}, P of them, as of `plot_device_load`.
    Raises ValueError naming the wrong argument.

    >>> [ax.get_ylabel() for ax in plot_device_loads({"a": [[3, 0], [0, 1]], "b": [[2, 0], [1, 1]]})]
    ['assignments to compute', '']
    """
    checked = {name: _check_counts(served, "placements") for name, served in placements.items()}
    if not checked:
        raise ValueError("placements must hold at least one, got none")
    top = 1.15 * max(served.sum(axis=1).max() for served in checked.values())
    axes = np.atleast_1d(fixed_axes((10, 4.4), left=0.85, right=0.3, top=1.05, columns=len(checked),
                                    gap=(0.6, 0), sharey=True))
    for ax, (name, served) in zip(axes, checked.items(), strict=True):
        plot_device_load(served, title=name, top=top, ax=ax)
        ax.label_outer()
    return axes


def plot_exchange(routed, placement, *, home=None, moves=None, title="", ax=None):
    """Draw tokens above the experts of their devices, and the first moves of an exchange as arrows.

    A row goes out for each of the R kept choices, token by token and best first; then the answers come back
    in the same order. home: (T,) as of `cluster.traffic_matrix`. moves: how many of these 2 R are made; None
    for the R rows out. What stays on its device is grey and dashed; the last move is thick. For few tokens.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.cluster import contiguous
    >>> from moeviz.routing import top_k
    >>> plot_exchange(top_k([[2.0, 1.0], [2.0, 1.0]], 1), contiguous(2, 2)).get_title()
    '1 of 2 moves went from device to device'
    """
    device = serving_device(routed, placement)
    home = check_home(home, routed.num_tokens, placement.num_devices)
    ways = [(token, expert, host) for token, row in enumerate(routed.expert_index)
            for expert, host in zip(row, device[token], strict=True) if host != EMPTY]
    moves = check_count(len(ways) if moves is None else moves, "moves", low=0, high=2 * len(ways))
    ax = axes_or_new(ax, (10, 4.6), left=0.15, right=0.15, bottom=0.5)
    tokens, experts = _draw_devices(ax, placement, home)
    made = [(*way, back) for back in (False, True) for way in ways][:moves]
    crosses = [host != home[token] for token, _, host, _ in made]
    for at, (token, expert, host, back) in enumerate(made):
        if back or at + len(ways) >= moves:  # a way is drawn once: the row, until the answer is back
            ends = tokens[token] - (0, 0.1), experts[host, expert] + (0, 0.1)
            _draw_move(ax, *ends[::-1 if back else 1], crosses=crosses[at], last=at == moves - 1,
                       color=expert_colors(placement.num_experts)[expert])
    headline(ax, f"{sum(crosses)} of {moves} moves went from device to device", title)
    places = [(f"token {t} on device {home[t]}", f"expert {e} on device {d}") for t, e, d, _ in made]
    set_table(ax, ["from", "to", "crosses"],
              [(*ends[::-1 if back else 1], "yes" if cross else "no")
               for ends, cross, (*_, back) in zip(places, crosses, made, strict=True)]
              or [("none yet", "", "")])
    return set_description(ax, f"Exchange, {title or 'rows and answers'}: {len(home)} tokens on "
                               f"{placement.num_devices} devices; {moves} moves, of which {sum(crosses)} "
                               "went from device to device.")


def _draw_devices(ax, placement, home):
    """Draw a box per device; return the places of tokens {t: (2,)} and of experts {(n, e): (2,)}."""
    tokens, experts, colors = {}, {}, expert_colors(placement.num_experts)
    count = placement.num_devices
    draw_bars(ax, np.arange(count) + 0.04, np.zeros(count), 0.92, 1, facecolor=FAINT, edgecolor=HOME,
              linewidth=1)
    for device in range(count):
        for at, token in _spread(np.flatnonzero(home == device), device):
            tokens[token] = _write_box(ax, at, 0.86, f"token {token}", INK)
        for at, expert in _spread(placement.experts_on(device), device):
            experts[device, expert] = _write_box(ax, at, 0.14, f"e{expert}", colors[expert])
    ax.set(xlim=(0, count), ylim=(0, 1), yticks=[])
    ax.set_xticks(np.arange(count) + 0.5, [f"device {device}" for device in range(count)])
    bare(ax)
    return tokens, experts


def _spread(numbers, device):
    """Return (x, number) of what stands side by side on a device."""
    return [(device + (at + 1) / (len(numbers) + 1), number) for at, number in enumerate(numbers)]


def _write_box(ax, x, y, text, color):
    ax.text(x, y, text, color=ink_on(color), ha="center", va="center", zorder=4,
            bbox={"facecolor": color, "edgecolor": "none", "boxstyle": "round,pad=0.4"})
    return np.array([x, y])


def _draw_move(ax, start, end, *, crosses, last, color):
    look = {"color": on_white(color)} if crosses else {"color": MUTED, "linestyle": (0, (3, 2))}
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=22 if last else 14, shrinkA=0,
                                 shrinkB=0, linewidth=4 if last else 2, zorder=3, **look))


def _print_counts(ax, matrix, mesh):
    if len(matrix) > MOST_PRINTED:
        draw_colour_bar(ax, mesh, "rows")
        return
    size = 14 if len(matrix) <= 8 and matrix.max() < 10_000 else 12
    home = np.eye(len(matrix), dtype=bool).ravel()
    digits = [outline(str(count), SANS) for count in matrix.flat]
    places = np.stack(np.indices(matrix.shape)[::-1], axis=2).reshape(-1, 2) + 0.5
    inks = [INK if is_home else ink_on(color)
            for is_home, color in zip(home, mesh.to_rgba(matrix).reshape(-1, 4), strict=True)]
    draw_outlines(ax, digits[::len(matrix) + 1], places[home], size=size, facecolors=DROPPED,
                  edgecolors=DROPPED, linewidths=7)  # a plain ground on the hatching
    draw_outlines(ax, digits, places, size=size, facecolors=inks, label="_counts")


def _name_expert(ax, bars, expert, color, most):
    for bar in bars:
        if bar.get_height() > 0.07 * most:
            middle = bar.get_y() + bar.get_height() / 2
            ax.text(bar.get_x() + bar.get_width() / 2, middle, f"e{expert}", ha="center", va="center",
                    color=ink_on(color), fontsize=13, zorder=5,
                    bbox={"facecolor": color, "edgecolor": "none", "pad": 1})  # above the line of the mean


def _check_counts(value, name, *, square=False):
    counts = as_array(value, name)
    if counts.ndim != 2 or counts.size == 0 or (square and counts.shape[0] != counts.shape[1]):
        raise ValueError(f"{name} must be a {'square ' if square else ''}matrix, got shape {counts.shape}")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError(f"{name} must hold whole numbers of at least 0, got dtype {counts.dtype}")
    return counts


def plot_timeline(spans, *, title="", ax=None):
    """Draw the spans of a step as bars over time, a row per device; waiting is grey and hatched.

    spans: of `cluster.timeline`. With more than one chunk each device has two lanes, the network above
    the processor, since both work at once; only waits of the processor's own phase are then drawn.
    Returns the Axes. Raises ValueError for no spans or spans of an unknown kind.

    >>> from moeviz.cluster import Phases, timeline
    >>> plot_timeline(timeline(Phases([1.0], [2.0], [1.0]))).get_xlabel()
    'time (s)'
    """
    spans = _check_spans(spans)
    devices, chunks = (1 + max(getattr(span, field) for span in spans) for field in ("device", "chunk"))
    last = max(span.stop for span in spans)
    scale, unit = time_unit(last)
    ax = axes_or_new(ax, (10, 0.62 * devices * (1.5 if chunks > 1 else 1) + 2.0))
    for kind in KINDS:
        _draw_kind(ax, kind, spans, scale, lanes=2 if chunks > 1 else 1)
    ax.axvline(last / scale, color=INK, linewidth=1.8)
    waits = _waits(spans, devices) / scale
    decimals = decimals_of([last / scale, waits.max()])
    ax.annotate(f"{last / scale:.{decimals}f} {unit}", (last / scale, -0.62), xytext=(-6, 0),
                textcoords="offset points", ha="right", va="bottom", fontweight="bold")
    ax.set(xlim=(0, 1.01 * last / scale or 1), ylim=(devices - 0.4, -1.0),
           xlabel=f"time ({unit})", ylabel="device")
    ax.set_yticks(range(devices))
    ax.tick_params(axis="y", length=0)
    below = -0.62 * ax.figure.dpi / ax.get_window_extent().height  # inches
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncols=4, frameon=False,
              columnspacing=1.2, handlelength=1.6)
    headline(ax, f"one step takes {last / scale:.{decimals}f} {unit}, and device {waits.argmax()} waits for "
                 f"{waits.max():.{decimals}f} {unit} of it", title)
    _tabulate_timeline(ax, spans, devices, scale, unit)
    return set_description(ax, _describe(spans, devices, chunks, last, scale, unit, title))


def _draw_kind(ax, kind, spans, scale, lanes):
    mine = [span for span in spans if span.kind == kind and not (lanes == 2 and kind == "wait")]
    if not mine:
        return
    height = 0.72 / lanes
    shift = 0 if lanes == 1 else (height / 2 if kind == "compute" else -height / 2)
    color, label = KINDS[kind]
    hatched = {"hatch": HATCH, "edgecolor": DROPPED_LINES, "linewidth": 0} if kind == "wait" else {
        "edgecolor": "white", "linewidth": 1}
    device, start, stop = (np.array([getattr(span, part) for span in mine])
                           for part in ("device", "start", "stop"))
    ax.barh(device + shift, (stop - start) / scale, left=start / scale, height=height, color=color,
            label=label, **hatched)


def _check_spans(spans):
    spans = tuple(spans)
    if not spans:
        raise ValueError("spans must hold at least one span, got none")
    for span in spans:
        if getattr(span, "kind", None) not in KINDS:
            raise ValueError(f"spans must be of the kinds {', '.join(KINDS)}, got {span!r}")
    return spans


def _waits(spans, devices):
    """Return the seconds (devices,) that each device waits for others."""
    waits = np.zeros(devices)
    for span in spans:
        waits[span.device] += (span.stop - span.start) * (span.kind == "wait")
    return waits


def _tabulate_timeline(ax, spans, devices, scale, unit):
    """Attach a row per device: how long it does what, over all chunks."""
    times = np.zeros((devices, len(KINDS)))
    for span in spans:
        times[span.device, list(KINDS).index(span.kind)] += (span.stop - span.start) / scale
    set_table(ax, ["device", *(f"{words} ({unit})" for _, words in KINDS.values())],
              zip(range(devices), *times.T, strict=True))


def _describe(spans, devices, chunks, last, scale, unit, title):
    waits = _waits(spans, devices)
    return (f"Time line, {title or 'one step'}: {devices} devices, {chunks} parts, "
            f"{last / scale:.3g} {unit} in all; device {waits.argmax()} waits longest for others "
            f"({waits.max() / scale:.3g} {unit}), device {waits.argmin()} shortest "
            f"({waits.min() / scale:.3g} {unit}).")


def plot_cache(run, num_experts, *, labels=None, title="", ax=None):
    """Draw the cache after each request, a column each: pale cells are held, the full one was asked for.

    A dot marks a hit, a cross a miss. run: a CacheRun of up to 120 requests; cut a longer one before.
    labels: one text per request, such as the byte that asked. Returns the Axes.
    Raises ValueError for no CacheRun, too many requests or an expert out of range.

    >>> from moeviz.metrics import cache_run
    >>> plot_cache(cache_run([0, 1, 0], 2), 2).get_title()
    '1 of 3 requests hit'
    """
    if not isinstance(run, CacheRun) or not 0 < len(run.expert) <= MAX_REQUESTS:
        raise ValueError(f"run must be a CacheRun of 1 to {MAX_REQUESTS} requests")
    check_count(num_experts, "num_experts", low=int(run.expert.max()) + 1)
    count = len(run.expert)
    names = readable(check_labels(labels, count))
    ax = axes_or_new(ax, (10, 0.42 * num_experts + 1.9), left=0.62)
    held = held_after(run, num_experts)
    _draw_cells(ax, run, held, expert_colors(num_experts))
    every = 1 if labels is not None and count <= 60 else max(1, count // 15)
    family = {"family": "DejaVu Sans Mono"} if labels is not None else {}
    ax.set_xticks(np.arange(0, count, every) + 0.5, names[::every], parse_math=False, **family)
    ax.set_yticks(np.arange(num_experts) + 0.5, range(num_experts))
    said = f"{run.hit.sum()} of {count} requests hit"
    ax.set(xlim=(0, count), ylim=(num_experts, 0), xlabel="request, in reading order", ylabel="expert")
    headline(ax, f"{title}: {said}" if title else said)
    bare(ax)
    asked = [np.bincount(run.expert[which], minlength=num_experts) for which in (run.hit, ~run.hit)]
    set_table(ax, ["expert", "requests", "hits", "misses", "share of the time in the cache (%)"],
              zip(range(num_experts), sum(asked), *asked, 100 * held.mean(axis=0), strict=True))
    largest = held.sum(axis=1).max()
    return set_description(ax, f"Cache over time, {title or 'expert cache'}: {count} requests for "
                               f"{num_experts} experts, at most {largest} held at a time; {said}.")


def held_after(run, num_experts):
    """Return (N, E) bool: which experts the cache holds after each request.

    >>> from moeviz.metrics import cache_run
    >>> held_after(cache_run([0, 1, 0], 1), 2).astype(int).tolist()
    [[1, 0], [0, 1], [1, 0]]
    """
    change = np.zeros((len(run.expert), num_experts), dtype=int)
    loads = np.flatnonzero(~run.hit)
    leaves = np.flatnonzero(run.evicted != EMPTY)
    change[loads, run.expert[loads]] += 1
    change[leaves, run.evicted[leaves]] -= 1
    return np.cumsum(change, axis=0) > 0


def _draw_cells(ax, run, held, colors):
    at, expert = np.nonzero(held)  # of the experts held after a request one is the one asked for
    shades = np.array([[tint(color, 0.3), color.lower()] for color in colors])
    full = (run.expert[at] == expert).astype(int)
    ax.add_collection(PolyCollection(boxes(at, expert + 0.08, 1, 0.84), facecolors=shades[expert, full]),
                      autolim=False)
    for hit, marker in ((True, "o"), (False, "x")):
        at = np.flatnonzero(run.hit == hit)
        ink = [ink_on(colors[expert]) for expert in run.expert[at]]
        if len(at):
            ax.scatter(at + 0.5, run.expert[at] + 0.5, marker=marker, s=22, c=ink, linewidths=1.6, zorder=3)

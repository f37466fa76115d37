"""What does a model cost? Ledgers by part, shares over the context, roofs of chips, a map of models."""

from collections.abc import Mapping
from itertools import compress

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import offset_copy
from numpy.lib.stride_tricks import sliding_window_view

from moeviz.arrays import check_choice, check_mask, check_number, check_vector
from moeviz.cost import Hardware
from moeviz.plots.draw import (
    HALO,
    ROW_LETTERS,
    bare,
    check_labels,
    draw_bars,
    legend_below,
    plain_ticks,
    write_rows,
)
from moeviz.plots.names import RADIUS, crossings, overlaps, write_names
from moeviz.style import (
    FAINT,
    INK,
    LINE,
    MUTED,
    PALE,
    SERIES,
    axes_or_new,
    headline,
    ink_on,
    on_phone,
    phone_axes,
    set_description,
    set_matrix,
    set_narrow,
    set_table,
)
from moeviz.tables import as_range, as_text, as_tick, with_minus

PART_COLORS = {
    "experts": SERIES[0], "shared experts": "#8465b4", "dense FFN": "#bfaede", "attention": SERIES[1],
    "attention projections": SERIES[1], "attention scores": SERIES[2], "state layers": SERIES[5],
    "router": INK, "embedding": SERIES[3], "head": "#4d8f8c", "norms": "#A6A6A6", "other": "#D6D6D6",
    "weights": SERIES[0], "gradients": "#8465b4", "master weights": "#bfaede", "Adam averages": SERIES[5],
    "activations": "#b7cf7a", "cache": SERIES[2],
}
BAR = 0.66  # height of a bar
AREA_NAME, AREA_LINE = 15, 20  # points: type of the name of an area, and the height that it needs
VISIBLE = 0.0015  # of the axis, about a pixel
SHARES_MARGINS = {"left": 0.95, "right": 0.3, "bottom": 1.75, "top": 1.0}  # inches, for a key of three rows
ROOF_MARGINS = {"left": 1.3, "right": 0.3, "bottom": 0.75, "top": 0.8}
SIDES = ((0, 1), (-0.8, 0.8), (-1, 0), (0.8, 0.8), (1, 0), (-0.8, -0.8), (0.8, -0.8), (0, -1))  # of a point
LETTER = 0.66  # mean width of a letter, of the type size
UNITS = ((1e15, "PFLOP/s"), (1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"))
STYLES = ("-", (0, (7, 3)), (0, (2, 2)))
RATIOS = (1, 4, 16, 64, 256, 1024)
MARKERS = "osD^vPX*"
GROUP_COLORS = (*SERIES, INK)
CROWD = 25  # models from which the map is drawn larger


def plot_ledger(ledgers, *, unit, scale=1e9, limit=None, mark=None, key_columns=None, ax=None, title=""):
    """Draw one bar per ledger, stacked by part, with the sum at its end.

    ledgers: {name of the bar: {part: amount}}; a part keeps its colour in every picture of costs.
    unit: what the axis counts, in `scale` of the amounts' own unit. limit: right end of the axis.
    mark: an amount to draw as a dashed line behind all bars, or {words: amount} for several. Parts
    without room for their name go to the key, but for those thinner than a pixel; it stands below the
    axes, in key_columns, or beside given axes where that is None. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_ledger({"all": {"experts": 45e9, "attention": 1.3e9}}, unit="billion parameters")
    >>> [text.get_text() for text in ax.texts]
    ['experts\\n45', '46.3']
    """
    rows = {name: _check_parts(parts, f"ledgers[{name!r}]") for name, parts in _check_map(ledgers).items()}
    scale = check_number(scale, "scale", low=1e-300)
    marks, own = mark if isinstance(mark, Mapping) else {"": mark} if mark else {}, ax is None
    longest = max(map(len, rows))
    ax = axes_or_new(ax, (10, 0.7 * len(rows) + 2.2), bottom=1.4, right=0.2, left=0.3 + 0.095 * longest)
    if own:
        set_narrow(ax, lambda: plot_ledger(
            ledgers, unit=unit, scale=scale, limit=limit, mark=mark, key_columns=2, title=title,
            ax=phone_axes(ax, bottom=2.0, top=1.0, left=0.3 + 0.105 * min(longest, ROW_LETTERS),
                          height=0.7 * len(rows) + 3.4)))
    sums = {name: sum(parts.values()) / scale for name, parts in rows.items()}
    right = check_number(limit, "limit", low=0.0) if limit is not None else 1.2 * max(sums.values())
    ax.set(xlim=(0, right or 1), ylim=(len(rows) - 0.5, -0.9 if any(marks) else -0.5),
           xlabel=unit)
    headline(ax, _largest_part(rows, scale, unit), title)
    named = set().union(*(_draw_bar(ax, row, parts, scale) for row, parts in enumerate(rows.values())))
    _write_sums(ax, sums.values(), [at / scale for at in marks.values()])
    _draw_limits(ax, marks, scale)
    write_rows(ax, list(rows))
    bare(ax, "y")
    ax.tick_params(axis="y", labelsize=14)
    _draw_key_cost(ax, [part for parts in rows.values() for part, amount in parts.items()
                   if part not in named and amount / scale > VISIBLE * ax.get_xlim()[1]],
                   key_columns or 3 * own)
    _tabulate(ax, rows, sums, scale, ", ".join(filter(None, [title, unit])))
    return set_description(ax, _describe_ledgers(rows, sums, scale, unit, title))


def plot_shares(x, parts, *, x_label, key_columns=None, ax=None, title="", marks=None):
    """Draw the shares of a cost in percent over x, stacked by part, each named where it is widest, or below.

    x: (N,) rising, on a log scale. parts: {part: (N,) amounts}, stacked from below in their order.
    marks: {words: place on x}, drawn as lines through the areas with the words above them.
    key_columns: of the key of parts without room for their name; it stands below the axes, or beside
    given axes where that is None.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_shares([1, 10], {"experts": [3, 3], "attention scores": [1, 9]}, x_label="context (tokens)")
    >>> [text.get_text() for text in ax.texts]
    ['experts', 'attention scores']
    """
    x = check_vector(x, "x")
    if len(x) < 2 or not (np.diff(x) > 0).all() or x[0] <= 0:
        raise ValueError(f"x must be two or more rising numbers above 0, got {x.tolist()}")
    amounts = {name: check_vector(values, f"parts[{name!r}]", len(x)) for name, values in parts.items()}
    shares = _as_percent(amounts)
    own, ax = ax is None, axes_or_new(ax, (10, 6.4), **SHARES_MARGINS)
    if own:
        set_narrow(ax, lambda: plot_shares(x, parts, x_label=x_label, key_columns=2, title=title, marks=marks,
                                           ax=phone_axes(ax, **SHARES_MARGINS)))
    edges = np.vstack([np.zeros(len(x)), np.cumsum(list(shares.values()), axis=0)])
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 100), xscale="log", xlabel=x_label, ylabel="share of the FLOPs (%)")
    unnamed = _draw_areas(ax, x, edges, list(shares))
    _draw_key_cost(ax, unnamed, key_columns or 3 * own)
    _draw_marks(ax, marks or {})
    plain_ticks(ax.xaxis)
    part = max(shares, key=lambda name: np.ptp(shares[name]))
    headline(ax, "{} go from {} to {}".format(part, *_percents(shares[part][[0, -1]])), title,
             pad=30 if marks else None)
    set_matrix(ax, np.transpose(list(shares.values())), rows=(x_label, map(as_tick, x)),
               columns=("", shares), title=": ".join(filter(None, [title, "share of the FLOPs (%)"])))
    return set_description(ax, _describe_shares(x, shares, x_label, title))


def _write_sums(ax, sums, marks):
    """Write each sum after its bar, or after a mark that would run through it."""
    points = ax.get_window_extent().width * 72 / ax.figure.dpi / ax.get_xlim()[1]  # per unit of the axis
    for row, total in enumerate(sums):
        text, start = as_text(total, 3), total
        for mark in sorted(marks):
            if -4 < points * (mark - start) < 10 + LETTER * 15 * len(text):
                start = mark
        ax.annotate(text, (start, row), xytext=(7, 0), textcoords="offset points", va="center", fontsize=15,
                    fontweight="bold", path_effects=HALO, zorder=5)


def _draw_limits(ax, marks, scale):
    for row, (words, amount) in enumerate(marks.items()):
        at = check_number(amount, "mark", low=0.0) / scale
        ax.axvline(at, color=INK, linestyle=(0, (4, 3)), linewidth=1.8, zorder=0.5)
        ax.annotate(words, (at, 1), xycoords=("data", "axes fraction"), xytext=(4, 2 - 17 * row), color=INK,
                    fontsize=13, textcoords="offset points", zorder=4, va="top", path_effects=HALO)


def _largest_part(rows, scale, unit):
    """Say which part of the longest bar is largest, and how large."""
    parts = max(rows.values(), key=lambda row: sum(row.values()))
    part, whole = max(parts, key=parts.get, default="nothing"), sum(parts.values())
    amounts = f"{as_text(parts.get(part, 0) / scale, 3)} of {as_text(whole / scale, 3)} {unit}".rstrip()
    return f"{amounts} are {part}"


def _check_map(ledgers):
    if not isinstance(ledgers, Mapping) or not ledgers:
        raise ValueError(f"ledgers must be a dictionary with at least one bar, got {ledgers!r}")
    return ledgers


def _check_parts(parts, name):
    if not isinstance(parts, Mapping):
        raise ValueError(f"{name} must be a dictionary of parts, got {type(parts).__name__}")
    return {part: amount for part, amount in parts.items()
            if check_number(amount, f"{name}[{part!r}]", low=0.0) and _color(part)}


def _color(part):
    return PART_COLORS[check_choice(part, "part", PART_COLORS)]


def _draw_bar(ax, row, parts, scale):
    """Draw one stacked bar; return the parts whose names found room on it."""
    widths = np.array(list(parts.values())) / scale
    lefts, named = np.cumsum(widths) - widths, set()
    draw_bars(ax, lefts, row - BAR / 2, widths, BAR, facecolor=[PART_COLORS[part] for part in parts],
              edgecolor="white", linewidth=1)
    points = ax.get_window_extent().width * 72 / ax.figure.dpi / ax.get_xlim()[1]  # per unit of the axis
    for part, left, width in zip(parts, lefts, widths, strict=True):
        if LETTER * 13 * len(part) < points * width:
            ax.text(left + width / 2, row, f"{part}\n{as_text(width, 3)}", ha="center", va="center",
                    fontsize=13, color=ink_on(PART_COLORS[part]), linespacing=1.25, clip_on=True)
            named.add(part)
    return named


def _draw_key_cost(ax, parts, columns):
    """Draw the key of parts below the axes in so many columns, or beside them for none."""
    patches = [Patch(color=PART_COLORS[part], label=part) for part in dict.fromkeys(parts)]
    if patches and columns:
        legend_below(ax, columns, handles=patches)
    elif patches:
        ax.legend(handles=patches, loc="upper left", bbox_to_anchor=(1.02, 1.0))


def _as_percent(amounts):
    whole = sum(amounts.values()) if amounts else np.zeros(1)
    if any((values < 0).any() for values in amounts.values()) or not (whole > 0).all():
        raise ValueError("parts must hold amounts of at least 0 with a sum above 0 at every x")
    return {part: 100 * values / whole for part, values in amounts.items()}


def _percents(shares):
    """Write two shares alike: in whole percent, with a decimal where that would say all or nothing."""
    form = "{:.0f}%" if all(1 <= share < 99 for share in shares) else "{:.1f}%"
    return [form.format(share) for share in shares]


def _draw_areas(ax, x, edges, parts):
    """Draw the area of each part between edges (P + 1, N); return those without room for a name."""
    unnamed = []
    for part, low, high in zip(parts, edges[:-1], edges[1:], strict=True):
        color, place = _color(part), _room_for(ax, part, x, low, high)
        area = ax.fill_between(x, low, high, facecolor=color, edgecolor="white", linewidth=0.8)
        if place:
            name = ax.text(*place, part, ha="center", va="center", color=ink_on(color), fontsize=AREA_NAME,
                           bbox={"facecolor": color, "edgecolor": "none", "pad": 2})  # where marks end
            name.get_bbox_patch().set_clip_path(area.get_paths()[0], ax.transData)
        elif (high - low).max() > 100 * VISIBLE:
            unnamed.append(part)
    return unnamed


def _room_for(ax, name, x, low, high):
    """Return (x, y) of the middle of a name where its area, from low to high (N,), holds all of it, or None.

    Of all such places the one where the area is widest; of several as wide the middle one.
    """
    width, height = ax.get_window_extent().size * 72 / ax.figure.dpi  # points
    across = np.linspace(0, 1, 401)
    places = np.log(x / x[0]) / np.log(x[-1] / x[0])
    steps = 1 + int((LETTER * AREA_NAME * len(name) + 12) / width * (len(across) - 1))  # below the name
    if steps > len(across):
        return None
    floor, roof = (sliding_window_view(np.interp(across, places, edge), steps) for edge in (low, high))
    floor, roof = floor.max(axis=1), roof.min(axis=1)
    room = roof - floor
    if room.max() * height / 100 < AREA_LINE:
        return None
    best = np.flatnonzero(room >= 0.999 * room.max())
    at = int(best[len(best) // 2])
    return x[0] * (x[-1] / x[0]) ** across[at + steps // 2], (floor[at] + roof[at]) / 2


def _draw_marks(ax, marks):
    for words, place in marks.items():
        ax.axvline(check_number(place, f"marks[{words!r}]"), color="white", linewidth=2)
        ax.annotate(words, (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 6), ha="center",
                    textcoords="offset points", color=MUTED)


def _tabulate(ax, ledgers, sums, scale, title):
    """Attach a row per part and one for the sum, a column per bar."""
    parts = dict.fromkeys(part for ledger in ledgers.values() for part in ledger)
    amounts = [[part, *(ledger[part] / scale if part in ledger else None for ledger in ledgers.values())]
               for part in parts]
    names = [name.replace("\n", " ") or "amount" for name in ledgers]
    set_table(ax, ["part", *names], [*amounts, ["sum", *sums.values()]], title=title)


def _describe_ledgers(rows, sums, scale, unit, title):
    words = []
    for name, parts in rows.items():
        listed = ", ".join(f"{part} {as_text(amount / scale, 3)}" for part, amount in parts.items())
        words.append(f"{name} {as_text(sums[name], 3)} ({listed})".replace("\n", " "))
    return f"Stacked bars, {title or 'ledger'}, in {unit}: {'; '.join(words)}."


def _describe_shares(x, shares, x_label, title):
    words = [f"{part} from {share[0]:.3g}% to {share[-1]:.3g}%" for part, share in shares.items()]
    return (f"Stacked areas, {title or 'shares'}: shares over {x_label} from {as_tick(x[0])} to "
            f"{as_tick(x[-1])}; {', '.join(words)}.")


def plot_roofline(chips, points=None, *, labels=(), ax=None, title=""):
    """Draw the roof of each chip over FLOPs per byte, its ridge marked, and measured points below it.

    chips: up to three `moeviz.cost.Hardware`. points: {name: (FLOPs per byte (N,), FLOP/s (N,))}, joined
    in order, or None. labels: N texts for the points of each series, "" for none, so that series can be
    paired. Both axes are logarithmic. Returns the Axes. Raises ValueError naming the wrong
    argument. Source of the picture: Williams and others, CACM 52(4), 2009.

    >>> from moeviz.cost import hardware
    >>> plot_roofline([hardware()], {"layer": ([2.0, 8.0], [5e12, 2e13])}).get_xscale()
    'log'
    """
    chips, points = _check_chips(chips), _check_points(points)
    own, ax = ax is None, axes_or_new(ax, (9.7, 6), **ROOF_MARGINS)
    if own:
        set_narrow(ax, lambda: plot_roofline(chips, points, labels=labels, title=title,
                                             ax=phone_axes(ax, **ROOF_MARGINS)))
    ridges = [chip.ridge for chip in chips]
    reached = [at for x, _ in points.values() for at in x]
    left, right = min([*ridges, *reached]) / 6, max([*ridges, *reached]) * 12
    ax.set(xscale="log", yscale="log", xlim=(left, right),
           xlabel="arithmetic intensity (FLOP per byte read)", ylabel="speed (FLOP/s)")
    for number, (chip, line) in enumerate(zip(chips, STYLES, strict=False)):
        _draw_roof(ax, chip, line, (left, right), number)
    for number, (name, (x, y)) in enumerate(points.items()):
        ax.plot(x, y, color=SERIES[number % len(SERIES)], marker=MARKERS[number % len(MARKERS)],
                markersize=9, label=name)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: speed(value)))
    plain_ticks(ax.xaxis)
    headline(ax, _fastest(chips, points), title)
    if points:
        ax.legend(loc="lower right")
        _write_labels(ax, points, labels)
    ax.grid(which="major")
    rows = [[f"ridge of {chip.name}", chip.ridge, speed(chip.peak_flops)] for chip in chips]
    rows += [[name, at, speed(reached)]
             for name, pair in points.items() for at, reached in zip(*pair, strict=True)]
    set_table(ax, ["series", "FLOP per byte", "speed"], rows)
    return set_description(ax, _describe_roofline(chips, points, title))


def _write_labels(ax, points, labels):
    """Write N labels beside the points of each series, where the fewest lines, points and texts are met."""
    scale = 72 / ax.figure.dpi
    lines = [ax.transData.transform(line.get_xydata()) * scale for line in ax.lines]
    starts, ends = (np.concatenate([line[part] for line in lines]) for part in (slice(-1), slice(1, None)))
    places = [ax.transData.transform(np.column_stack(pair)) * scale for pair in points.values()]
    taken = np.vstack([*(np.hstack([each - 5, each + 5]) for each in places),
                       *(text.get_window_extent().extents * scale for text in ax.texts)])
    for number, spots in enumerate(places):
        for words, spot in zip(map(str, labels), spots, strict=False):
            size, sides = np.array([LETTER * 13 * len(words), 17]), np.array(SIDES)[::-1 if number else 1]
            middles = spot + np.vstack([sides * (size / 2 + gap) for gap in (7, 14, 21, 28)])
            boxes = np.hstack([middles - size / 2, middles + size / 2])
            met = crossings(starts, ends, boxes).sum(axis=0) + overlaps(boxes, taken).sum(axis=1)
            best = int(np.argmin(met))
            ax.annotate(words, ax.transData.inverted().transform(spot / scale), xytext=middles[best] - spot,
                        textcoords="offset points", ha="center", va="center", fontsize=13)
            taken = np.vstack([taken, boxes[best]]) if words else taken


def _fastest(chips, points):
    """Say how much of the first roof the fastest point of each series reaches, or where the ridge is."""
    chip, told = chips[0], []
    for name, (x, y) in points.items():
        best = int(np.argmax(y))
        roof = min(x[best] * chip.bandwidth, chip.peak_flops)
        told.append(f"{name} reaches {100 * y[best] / roof:.0f}%")
    return ", ".join(told) + " of the roof" if told else f"{chip.name} needs {chip.ridge:.3g} FLOP per byte"


def speed(flops):
    """Return FLOP/s in words, with up to three digits.

    >>> speed(989.4e12), speed(3e10)
    ('989 TFLOP/s', '30 GFLOP/s')
    """
    size, unit = next((each for each in UNITS if flops >= each[0]), (1.0, "FLOP/s"))
    return f"{flops / size:.3g} {unit}"


def _draw_roof(ax, chip, line, ends, number):
    """Draw the roof of a chip between two ends; its name stands at the ridge, on a phone above."""
    (left, right), at = ends, np.array([ends[0], chip.ridge, ends[1]])
    ax.plot(at, np.minimum(at * chip.bandwidth, chip.peak_flops), color=INK, linestyle=line, linewidth=2.4)
    ax.plot([chip.ridge], [chip.peak_flops], "o", color=INK, markersize=7)
    words = f"{chip.name}: {speed(chip.peak_flops)}\nridge at {chip.ridge:.3g} FLOP per byte"
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, left * chip.bandwidth / 3), max(high, chip.peak_flops * 9))
    if on_phone(ax):
        ax.annotate(words, (0.03, 0.98 - 0.12 * number), xycoords="axes fraction", va="top", fontsize=13)
        return
    room = np.log(chip.ridge / left) > 0.3 * np.log(right / left)  # left of the slope, where no point stands
    ax.annotate(words, (chip.ridge, chip.peak_flops), xytext=(-4 if room else 4, 8),
                textcoords="offset points", va="bottom", ha="right" if room else "left", fontsize=13)


def _check_chips(chips):
    if isinstance(chips, Hardware):
        chips = [chips]
    if not isinstance(chips, list | tuple) or not 1 <= len(chips) <= len(STYLES):
        raise ValueError(f"chips must be 1 to {len(STYLES)} Hardware records, got {chips!r}")
    for chip in chips:
        if not isinstance(chip, Hardware):
            raise ValueError(f"chips must hold Hardware records such as cost.hardware(), got {chip!r}")
    return chips


def _check_points(points):
    if points is not None and not isinstance(points, Mapping):
        raise ValueError(f"points must map names to (FLOP per byte, FLOP/s), got {points!r}")
    checked = {}
    for name, pair in (points or {}).items():
        x = check_vector(pair[0], f"points[{name!r}]")
        checked[name] = x, check_vector(pair[1], f"points[{name!r}]", len(x))
        if min(*x, *checked[name][1]) <= 0:
            raise ValueError(f"points[{name!r}] must be above 0 on logarithmic axes")
    return checked


def _describe_roofline(chips, points, title):
    roofs = [f"{chip.name} reaches {speed(chip.peak_flops)} from {chip.ridge:.3g} FLOP per byte on"
             for chip in chips]
    found = [f"{name} from {speed(y[0])} at {x[0]:.3g} to {speed(y[-1])} at {x[-1]:.3g} FLOP per byte"
             for name, (x, y) in points.items()]
    return f"Roofline, {title or 'speed over intensity'}: {'; '.join([*roofs, *found])}."


def plot_model_map(names, total, active, *, groups=None, hollow=None, hollow_label="", limits=None,
                   shown=None, named=None, grey=None, ax=None, title=""):
    """Draw models by active and total parameters, on log axes with lines of equal ratio, and name each.

    names: N texts. total, active: (N,) parameters, 0 < active <= total. groups: N labels (a year, say)
    that give colour and marker, at most 8 different ones. hollow: (N,) bool, drawn as rings, and
    hollow_label what the key says of them. limits: (low, high) of active and of total in billions.
    shown: (N,) bool, which models to draw; the others only keep their room, so that the map and its names
    stand still from one picture to the next. named: names that are written; None names them all. grey:
    (N,) bool, models that are grey points; None takes those without a name. Returns the Axes. Raises
    ValueError naming the wrong argument.

    >>> ax = plot_model_map(["Mixtral 8x7B"], [46.7e9], [12.9e9])
    >>> ax.get_xlabel()
    'active parameters (billion)'
    """
    total, active = check_vector(total, "total") / 1e9, check_vector(active, "active") / 1e9
    names = check_labels(names, len(total), "names")
    kinds = _check_groups(groups, len(names))
    hollow = np.zeros(len(names), bool) if hollow is None else hollow
    rings = check_vector(hollow, "hollow", len(names), kind="b")
    if len(active) != len(total) or not len(total) or not ((active > 0) & (active <= total)).all():
        raise ValueError("active must hold one number above 0 and at most the total for each model")
    shown = check_mask(shown, len(names), "shown")
    own, ax = ax is None, axes_or_new(ax, (10, 7.4) if len(names) > CROWD else (10, 7))
    if own:
        set_narrow(ax, lambda: plot_model_map(
            names, total * 1e9, active * 1e9, groups=groups, hollow=hollow, hollow_label=hollow_label,
            limits=limits, shown=shown, named=named, grey=grey, title=title, ax=phone_axes(ax, height=8)))
    x_limits, y_limits = limits or (_around(active, 1.6), _around(total, 1.6))
    ax.set(xlim=x_limits, ylim=y_limits, xscale="log", yscale="log", xlabel="active parameters (billion)",
           ylabel="total parameters (billion)")
    wide = int(np.argmax(np.where(shown, total / active, 0)))
    headline(ax, f"{names[wide]} holds {as_text(total[wide] / active[wide], 2)} times what it uses", title,
             pad=30)
    _draw_ratios(ax)
    told = np.ones(len(names), bool) if named is None else np.isin(names, list(named))
    bright = told if grey is None else ~check_mask(grey, len(names), "grey")
    _draw_points(ax, active, total, kinds, rings, shown, bright)
    _draw_key_model_map(ax, kinds, kinds[bright], hollow_label if rings.any() else "")
    _label_ticks(ax)
    places = np.stack([active, total], axis=1)
    write_names(ax, list(compress(names, told)), places[told], shown=shown[told], others=places[~told])
    return _tell_models(ax, list(compress(names, shown)), total[shown], active[shown], kinds[shown], title)


def _tell_models(ax, names, total, active, kinds, title):
    set_table(ax, ["model", "total (billion)", "active (billion)", "total / active", "group"],
              zip(names, total, active, total / active, kinds, strict=True))
    return set_description(ax, _describe_model_map(names, total, active, title))


def _check_groups(groups, count):
    kinds = [""] * count if groups is None else check_labels(groups, count, "groups")
    if len(set(kinds)) > len(MARKERS):
        raise ValueError(f"groups must be at most {len(MARKERS)} different ones, got {len(set(kinds))}")
    return np.array(kinds)


def _around(values, factor):
    return values.min() / factor, values.max() * factor


def _draw_ratios(ax):
    """Draw the lines total = r x active, named where they leave the map, and shade what cannot be."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ends = np.array([left, right])
    ax.fill_between(ends, bottom, ends, color=FAINT, zorder=0, linewidth=0)
    lines = [np.stack([ends, ratio * ends], axis=1) for ratio in RATIOS]
    ax.add_collection(LineCollection(lines, colors=LINE, linewidths=1.2, zorder=0.5), autolim=False)
    beside = offset_copy(ax.transData, ax.figure, x=7, units="points")
    above = offset_copy(ax.transData, ax.figure, y=5, units="points")
    for ratio in RATIOS:
        words = f"{ratio}×" if ratio > 1 else "total =\nactive"
        if bottom <= ratio * right <= top:
            ax.text(right, ratio * right, words, transform=beside, va="center", color=MUTED, fontsize=13)
        elif ratio * left < top < ratio * right:
            ax.text(top / ratio, top, words, transform=above, ha="center", color=MUTED, fontsize=13)


def _label_ticks(ax):
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        axis.set_major_locator(LogLocator(subs=(1,) if high / low > 200 else (1, 2, 5)))
        axis.set_major_formatter(lambda value, _: with_minus(f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _draw_points(ax, active, total, kinds, rings, shown, told):
    grey = shown & ~told
    ax.plot(active[grey], total[grey], "o", color=PALE, markersize=9, zorder=2.5)
    shown = shown & told
    for at, kind in enumerate(sorted(set(kinds))):
        color = GROUP_COLORS[at]
        for ring in (False, True):
            here = (kinds == kind) & (rings == ring) & shown
            if here.any():
                ax.plot(active[here], total[here], MARKERS[at], markersize=2 * RADIUS - 2, zorder=3,
                        markeredgecolor=color, markerfacecolor="white" if ring else color, markeredgewidth=2)


def _draw_key_model_map(ax, kinds, drawn, hollow_label):
    """Draw the key: the groups of which a model is drawn in colour, each as it looks among all of them."""
    looks = [(kind, MARKERS[at], {"color": GROUP_COLORS[at]}) for at, kind in enumerate(sorted(set(kinds)))
             if kind in drawn]
    if hollow_label:
        looks.append((hollow_label, "o", {"color": MUTED, "markerfacecolor": "white", "markeredgewidth": 2}))
    handles = [Line2D([], [], linestyle="none", marker=marker, markersize=10, label=label, **look)
               for label, marker, look in looks if label]
    if handles:
        ax.legend(handles=handles, loc="lower right", ncols=2 if len(handles) > 4 else 1)


def _describe_model_map(names, total, active, title):
    ratio = total / active
    low, high = int(ratio.argmin()), int(ratio.argmax())
    return (f"Scatter chart, {title or 'total against active parameters'}: "
            f"{len(names)} {'model' if len(names) == 1 else 'models'}, active {as_range(active)} and total "
            f"{as_range(total)} billion parameters; total over active from "
            f"{ratio[low]:.3g} ({names[low]}) to {ratio[high]:.3g} ({names[high]}).")

"""Charts of any numbers: curves, measured times, a matrix, the loss over what training costs."""

from itertools import cycle

import numpy as np
from matplotlib.ticker import LogLocator

from moeviz.arrays import check_choice, check_matrix, check_number, check_vector
from moeviz.plots.draw import (
    BACKED,
    HALO,
    bare,
    check_labels,
    draw_colour_bar,
    draw_heatmap,
    legend_below,
    plain_ticks,
    time_unit,
)
from moeviz.plots.names import name_lines, write_names
from moeviz.style import (
    FONTS,
    INK,
    MUTED,
    PHONE,
    SERIES,
    axes_or_new,
    headline,
    on_phone,
    on_white,
    phone_axes,
    set_description,
    set_matrix,
    set_narrow,
)
from moeviz.tables import as_text, decimals_of

MAX_NUMBERED_CELLS, MAX_NUMBERED_COLUMNS, MAX_NAMES = 144, 14, 40
LONG_NAME = 6  # letters of a column that need a slant on a phone
NOTEWORTHY = 0.1  # of a line's range: so far it has to go beyond both of its ends to be told
LINE_DASHES = ["-", *((0, dash) for dash in ((3.5, 1.2), (1, 0.8), (5, 1, 1, 1), (1.8, 0.8), (7, 1.5),
                                              (3, 0.8, 1, 0.8, 1, 0.8)))]  # in widths of the line
AXES = {"flops": "training FLOPs", "steps": "training steps", "seconds": "processor seconds of training"}
# of 4, 16, 64, 256 experts
MIXTURES = list(zip((SERIES[4], SERIES[1], SERIES[0], SERIES[2]), "o^Dv", strict=True))
DENSE = ((INK, (6, 2)), ("#8a5a00", (1.5, 1.5)), ("#7a1f5c", (6, 2, 1.5, 2)), (MUTED, (3, 3)),
         ("#4d4d4d", (9, 3)), ("#a0522d", (4, 1, 1, 1)))  # of width 64, 128, 256, ...
NAME_WIDTH, NAME_PITCH = 95, 17  # points
MOVES = sorted(range(-90, 91, 2), key=abs)  # points that the name of a line may rise
ABOVE = 11  # points from a line to a name above or below it
FEW_LINES = 3  # whose names find room beside them on a phone
FOOT = 0.12  # of the height is added below the lines for the texts of marks


def plot_matrix(matrix, *, row_label, column_label, row_names=None, column_names=None, title="",
                value_format="{:.2f}", value_label="", limits=None, middle=None, ax=None):
    """Draw a matrix as a heatmap from white; up to 144 cells have their value printed, more get a colour bar.

    matrix: (R, N). row_label, column_label: what the axes count, with units. row_names, column_names:
    R and N texts or None for the numbers. title: what the matrix is; its largest cell is named after it.
    value_label: what the colour bar counts. limits: (low, high) of the colours; None means from 0 (or the
    lowest value) to the highest. middle: the value that is nothing special, such as a fair share, drawn
    white between two colours. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_matrix([[0.25, 0.75]], row_label="token", column_label="slot")
    >>> [text.get_text() for text in ax.texts], ax.get_title()
    (['0.25', '0.75'], 'Largest 0.75 at token 0, slot 1')
    """
    matrix = check_matrix(matrix, "matrix", "(R, N)")
    low, high = _check_limits(limits, matrix)
    row_names = check_labels(row_names, matrix.shape[0], "row_names")
    column_names = check_labels(column_names, matrix.shape[1], "column_names")
    numbered = matrix.size <= MAX_NUMBERED_CELLS and matrix.shape[1] <= MAX_NUMBERED_COLUMNS
    own, ax = ax is None, axes_or_new(ax, _figure_size(*matrix.shape, numbered))
    if own and numbered and max(map(len, column_names)) > LONG_NAME and ax.figure.get_figwidth() > PHONE:
        set_narrow(ax, lambda: plot_matrix(
            matrix, row_label=row_label, column_label=column_label, row_names=row_names, limits=limits,
            column_names=column_names, title=title, value_format=value_format, value_label=value_label,
            middle=middle, ax=phone_axes(ax, height=ax.figure.get_figheight() + 0.6)))
    mesh = draw_heatmap(ax, matrix, low=low, high=high, middle=_between(middle, low, high),
                        cell_text=value_format.format if numbered else None)
    if not numbered:
        draw_colour_bar(ax, mesh, value_label)
    _name(ax.set_xticks, column_names)
    if on_phone(ax) and max(map(len, column_names)) > LONG_NAME:
        ax.set_xticks(ax.get_xticks(), [name.replace("\n", " ") for name in column_names], rotation=60,
                      ha="right", rotation_mode="anchor")
    _name(ax.set_yticks, row_names)
    ax.set(xlabel=column_label, ylabel=row_label, ylim=(len(matrix), 0))
    row, column = np.unravel_index(matrix.argmax(), matrix.shape)
    headline(ax, f"largest {value_format.format(matrix[row, column])} at {row_label} {row_names[row]}, "
                 f"{column_label} {column_names[column]}".replace("\n", " "), title)
    set_matrix(ax, matrix, rows=(row_label, row_names), columns=(column_label, column_names),
               title=title or None)
    return set_description(ax, _describe_matrix(matrix, row_names, column_names, (row_label, column_label),
                                                title))


def _between(middle, low, high):
    """Return the middle of the colours if it lies between their ends, else None."""
    return middle if middle is not None and low < check_number(middle, "middle") < high else None


def _figure_size(rows, columns, numbered):
    if numbered:
        return min(max(0.95 * columns + 2.2, 5), 10), max(0.55 * rows + 1.7, 3)
    return np.clip(0.2 * columns + 3, 7, 10), np.clip(0.2 * rows + 2, 4, 8)


def _check_limits(limits, matrix):
    low, high = (min(matrix.min(), 0.0), matrix.max()) if limits is None else map(float, limits)
    if limits is not None and not low < high:
        raise ValueError(f"limits must be (low, high) with low < high, got {limits}")
    return low, high if high > low else low + 1.0


def _name(set_ticks, names):
    every = -(-len(names) // MAX_NAMES)
    family = {"family": FONTS} if max(map(len, names)) == 1 and not "".join(names).isdigit() else {}
    set_ticks(np.arange(0, len(names), every) + 0.5, names[::every], parse_math=False, **family)


def _describe_matrix(matrix, row_names, column_names, labels, title):
    def place(at):
        row, column = np.unravel_index(at, matrix.shape)
        where = f"{labels[0]} {row_names[row]}, {labels[1]} {column_names[column]}"
        return f"{matrix[row, column]:.3g} at {where}"
    rows, columns = matrix.shape
    return (f"Heatmap, {title or 'matrix'}: {rows} rows ({labels[0]}) by {columns} columns ({labels[1]}); "
            f"largest {place(matrix.argmax())}, smallest {place(matrix.argmin())}.")


def plot_timing(names, seconds, *, mark=None, ax=None, title=""):
    """Draw measured times as horizontal bars with their values, in one unit that suits the longest.

    The title compares the longest with the shortest. names: N texts. seconds: (N,). mark: (seconds, text)
    to compare with, drawn as a dashed line.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_timing(["loop", "grouped"], [0.020, 0.004]).get_xlabel()
    'time (ms)'
    """
    seconds = check_vector(seconds, "seconds")
    names = check_labels(names, len(seconds), "names")
    if not len(seconds) or (seconds < 0).any():
        raise ValueError(f"seconds must be one or more non-negative times, got {seconds.tolist()}")
    scale, unit = time_unit(seconds.max())
    ax = axes_or_new(ax, (9, 0.65 * len(names) + 1.6))
    ax.set(xlim=(0, 1.18 * seconds.max() / scale or 1), ylim=(len(names) - 0.5, -0.6),
           xlabel=f"time ({unit})")
    headline(ax, _compare_times(names, seconds / scale, unit), title)
    bars = ax.barh(np.arange(len(names)), seconds / scale, height=0.62, color=SERIES[0])
    decimals = decimals_of(seconds / scale, 3)
    ax.bar_label(bars, [f"{value / scale:.{decimals}f} {unit}" for value in seconds], padding=6, fontsize=14,
                 zorder=4, bbox=BACKED)
    if mark is not None:
        place = check_number(mark[0], "mark", low=0.0) / scale
        ax.axvline(place, color=INK, linestyle=(0, (4, 3)), linewidth=1.8)
        ax.annotate(f"{mark[1]}: {place:.{decimals}f} {unit}", (place, -0.75), xytext=(6, 0),
                    textcoords="offset points", va="center")
        ax.set_ylim(top=-1.1)
    ax.set_yticks(range(len(names)), names, fontsize=14)
    bare(ax, "y")
    return set_description(ax, f"Bar chart, {title or 'measured time'}: " + ", ".join(
        f"{name} {value / scale:.3g} {unit}" for name, value in zip(names, seconds, strict=True)) + ".")


def _compare_times(names, times, unit):
    longest, shortest = int(times.argmax()), int(times.argmin())
    if longest == shortest or times[shortest] == 0:
        return f"{names[longest]} takes {as_text(times[longest], 3)} {unit}"
    return (f"{names[longest]} takes {as_text(times[longest] / times[shortest], 2)} times as long as "
            f"{names[shortest]}")


def plot_curves(x, curves, *, x_label, y_label, ax=None, title="", colors=None, x_scale="linear",
                y_scale="linear", cut=None):
    """Draw lines over x, each named where the lines are apart; a (low, middle, high) triple gets a band.

    Each colour has a dash of its own, so that lines which cross can be followed without colour.

    x: (N,). curves: {name: (N,) or three of (N,)}. title: a sentence with its number; to a few words
    it is added where the lines end. colors: {name: colour} for some or all of them.
    x_scale, y_scale: "linear" or "log", set here because the names are placed on the final scale.
    cut: (x, words on its left, words on its right) where every line jumps. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_curves([0, 1], {"dense": [1.0, 2.0]}, x_label="step", y_label="loss (nats)")
    >>> ax.texts[0].get_text(), ax.get_title()
    ('dense', 'Dense goes from 1 to 2')
    """
    x = check_vector(x, "x")
    bands = {name: _check_band(values, name, len(x)) for name, values in curves.items()}
    if not bands or not len(x):
        raise ValueError("curves must hold at least one line over at least one x")
    ax = axes_or_new(ax)
    palette = dict(zip(bands, np.resize(SERIES, len(bands)), strict=True)) | dict(colors or {})
    palette = {name: on_white(palette[name]) for name in bands}
    dashes = dict(zip(dict.fromkeys(palette.values()), cycle(LINE_DASHES), strict=False))
    for name, band in bands.items():
        _draw_line(ax, name, x, band, palette[name], dashes[palette[name]], cut)
    ax.set(xlabel=x_label, ylabel=y_label, xscale=x_scale, yscale=y_scale, xmargin=0.01)
    plain_ticks(ax.xaxis, ax.yaxis)
    if x_scale == "log" and len(x) < 16 and not (np.log2(x) % 1).any():  # doublings are marked themselves
        marks = x[::1 + len(x) // 8]
        ax.set_xticks(marks, [f"{mark:g}" for mark in marks])
    ax.grid(axis="y")
    headline(ax, _compare_ends(bands), title)
    name_lines(ax, x, {name: band[1] for name, band in bands.items()}, palette)
    if cut is not None:
        _draw_cut(ax, *cut)
    set_matrix(ax, zip(*_told(bands.values()), strict=True), rows=(x_label, x),
               columns=("", bands), title=": ".join(dict.fromkeys(filter(None, [title, y_label]))))
    return set_description(ax, _describe_curves(x, bands, x_label, y_label, title))


def _draw_line(ax, name, x, band, color, dash, cut):
    """Draw a line and its band, in two parts where it is cut."""
    (low, middle, high), gap = band, () if cut is None else np.searchsorted(x, [cut[0]], side="right")
    parts = zip(*(np.split(values, gap) for values in (x, low, middle, high)), strict=True)
    for number, (places, least, values, most) in enumerate(parts):
        ax.plot(places, values, color=color, linestyle=dash, label=name if number == 0 else "_")
        if low is not middle:
            ax.fill_between(places, least, most, color=color, alpha=0.18, linewidth=0)


def _draw_cut(ax, place, left, right):
    """Mark a jump by a vertical line, with words on both of its sides."""
    ax.axvline(place, color=INK, linestyle=(0, (2, 2)), linewidth=1.4)
    for words, side, shift in ((left, "right", -8), (right, "left", 8)):
        ax.annotate(words, (place, 0.96), xycoords=ax.get_xaxis_transform(), xytext=(shift, 0), ha=side,
                    va="top", textcoords="offset points", color=MUTED, path_effects=HALO)


def _compare_ends(bands):
    """Say from where to where the only line goes, or where the highest and the lowest of several end."""
    ends = {name: middle[-1] for name, (_, middle, _) in bands.items()}
    if len(ends) == 1:
        (name, (_, middle, _)), = bands.items()
        return f"{name} goes from {as_text(middle[0], 3)} to {as_text(middle[-1], 3)}"
    most, least = max(ends, key=ends.get), min(ends, key=ends.get)
    return f"{most} ends at {as_text(ends[most], 3)}, {least} at {as_text(ends[least], 3)}"


def _check_band(values, name, length):
    if len(values) == 3 and np.ndim(values[0]) == 1:
        low, middle, high = (check_vector(part, f"curves[{name!r}]", length) for part in values)
        if (low > high).any():
            raise ValueError(f"curves[{name!r}] must be (low, middle, high), got low above high")
        return low, middle, high
    line = check_vector(values, f"curves[{name!r}]", length)
    return line, line, line


def _told(bands):
    """Return each line's values for the table, each with its band where there is one, in decimals alike."""
    decimals = min(decimals_of(np.concatenate([middle for _, middle, _ in bands])), 4)
    return [middle if low is middle else [f"{at:.{decimals}f} ({least:.{decimals}f} to {most:.{decimals}f})"
                                          for least, at, most in zip(low, middle, high, strict=True)]
            for low, middle, high in bands]


def _describe_curves(x, bands, x_label, y_label, title):
    lines = "; ".join(f"{name} {_course(x, middle)}" for name, (_, middle, _) in bands.items())
    about = ": ".join(filter(None, [title, f"{y_label} over {x_label}"]))
    return f"Line chart, {about} from {as_text(x[0], 3)} to {as_text(x[-1], 3)}; {lines}."


def _course(x, values):
    """Say where a line begins and ends, and where in between it goes further up or down than that."""
    course = f"from {as_text(values[0], 3)} to {as_text(values[-1], 3)}"
    for word, at, beyond in (("highest", values.argmax(), values.max() - max(values[0], values[-1])),
                             ("lowest", values.argmin(), min(values[0], values[-1]) - values.min())):
        if beyond > NOTEWORTHY * np.ptp(values):
            course += f", {word} {as_text(values[at], 3)} at {as_text(x[at], 3)}"
    return course


def plot_learning(curves, *, of="flops", target=None, marks=(), ax=None, title="", limits=None):
    """Draw the held-out loss over the cost of training, with a band from the lowest to the highest seed.

    curves: {name: Curve}, see `moeviz.learning`. of: "flops", "steps" or "seconds". target: a loss, drawn
    as a level line. marks: pairs (amount, text) on that line, in units of the axis, with an arrow from
    the least to the most; the texts stand at the foot. limits: (low, high) of the loss, to keep two
    pictures on one scale. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.learning import load_curves
    >>> plot_learning(load_curves()).get_xlabel()
    'training FLOPs'
    """
    check_choice(of, "of", AXES)
    if not isinstance(curves, dict) or not curves:
        raise ValueError(f"curves must be a dictionary with at least one curve, got {curves!r}")
    own, ax = ax is None, axes_or_new(ax, (10, 6))
    if own:
        set_narrow(ax, lambda: plot_learning(curves, of=of, target=target, marks=marks, title=title,
                                             limits=limits, ax=phone_axes(ax, height=6.8)))
    styles = {name: _style(curve) for name, curve in curves.items()}
    for name, curve in curves.items():
        _draw(ax, name, getattr(curve, of), curve.loss, **styles[name])
    ax.set(xscale="log", xlabel=AXES[of], ylabel="held-out loss (nats per byte)")
    headline(ax, _compare_losses(curves, of, target, marks), title)
    if of != "flops":  # few decades
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    plain_ticks(ax.xaxis)
    ax.margins(x=0.13)
    low, high = ax.get_ylim()
    ax.set_ylim(*(limits or (low - FOOT * (high - low) * bool(len(marks)), high)))
    ax.grid(axis="y")
    lines = {name: (getattr(curve, of), curve.mean, styles[name]["color"]) for name, curve in curves.items()}
    # over FLOPs dense lines begin apart, over steps and seconds they end apart
    at_start = {name for name, curve in curves.items() if curve.is_dense and of == "flops"}
    if on_phone(ax) and len(lines) > FEW_LINES:
        legend_below(ax, 2, handlelength=3)
    else:
        _name_lines(ax, lines, at_start, target)
    if target is not None:
        _draw_target(ax, check_number(target, "target"), marks)
    return set_description(ax, _describe_learning(curves, of, target, marks, title))


def _compare_losses(curves, of, target, marks):
    """Say how far apart the marks are; without any, which curve ends lowest and which highest."""
    if target is not None and len(marks) > 1:
        least, *_, most = sorted(amount for amount, _ in marks)
        return f"reaching a loss of {target:.3f} takes up to {as_text(most / least)} times as many {AXES[of]}"
    ends = {name: curve.mean[-1] for name, curve in curves.items()}
    best, worst = min(ends, key=ends.get), max(ends, key=ends.get)
    return f"{best} ends at {ends[best]:.3f}" + (f", {worst} at {ends[worst]:.3f}" if best != worst else "")


def _style(curve):
    """Return the look of a curve: solid with its own marker for a mixture, dashed for dense."""
    if curve.is_dense:
        color, dash = DENSE[(curve.width.bit_length() - 7) % len(DENSE)]
        return {"color": color, "linestyle": (0, dash), "marker": "s", "dash_capstyle": "butt"}
    color, marker = MIXTURES[(curve.experts.bit_length() // 2 - 1) % len(MIXTURES)]
    return {"color": color, "marker": marker}


def _draw(ax, name, amount, loss, **line):
    color, mean = line["color"], loss.mean(axis=0)
    ax.fill_between(amount, loss.min(axis=0), loss.max(axis=0), color=color, alpha=0.2, linewidth=0)
    ax.plot(amount, mean, markersize=6, label=name, **line)


def _name_lines(ax, lines, at_start, target):
    """Write each name above the start of its line or beside its end: lines are {name: (x, y, color)}."""
    ax.autoscale_view()  # the limits are final only now
    ends = {name: (x[-1], y[-1]) for name, (x, y, _) in lines.items() if name not in at_start}
    shifts = _shifts(ax, ends, lines, target)
    for name, (x, y, color) in lines.items():
        at = ends.get(name, (x[0], y[0]))
        ax.annotate(name, at, xytext=(9, shifts.get(name, ABOVE)), textcoords="offset points", va="center",
                    color=color, fontweight="bold", fontsize=14, path_effects=HALO, zorder=5)


def _shifts(ax, ends, lines, target):
    """Return by how many points each name moves, {name: points}, to be struck by nothing, or by the least.

    ends: {name: (x, y)} of the lines whose name stands there. A name keeps clear of all other lines, of lower
    names and of the target.
    """
    to_points, taken, shifts = 72 / ax.figure.dpi, [], {}
    curves = {name: ax.transData.transform(np.column_stack([x, y])) * to_points
              for name, (x, y, _) in lines.items()}
    level = [] if target is None else [ax.transData.transform((1, target))[1] * to_points]
    for name in sorted(ends, key=lambda each: curves[each][-1, 1]):
        left, height = curves[name][-1]
        near = [*level, *_heights({other: curve for other, curve in curves.items() if other != name},
                                  left, left + NAME_WIDTH / 2)]
        beside = [up for x, up in taken if abs(x - left) < NAME_WIDTH]
        shifts[name] = min(MOVES, key=lambda move: (
            sum(abs(height + move - up) < ABOVE for up in near)
            + 100 * sum(abs(height + move - up) < NAME_PITCH for up in beside), abs(move)))
        taken.append((left, height + shifts[name]))
    return shifts


def _heights(curves, left, right):
    """Return how high curves {name: (N, 2)} stand at nine places between two."""
    places, heights = np.linspace(left, right, 9), []
    for across, up in (curve.T for curve in curves.values()):
        inside = places[(places > across[0]) & (places < across[-1])]
        heights += np.interp(inside, across, up).tolist()
    return heights


def _draw_target(ax, target, marks):
    ax.axhline(target, color=MUTED, linewidth=1.4)
    places = sorted((check_number(amount, "marks", low=0.0), text) for amount, text in marks)
    if len(places) > 1:
        arrow = {"arrowstyle": "<->", "color": INK, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (places[-1][0], target), (places[0][0], target), arrowprops=arrow)
    for at, (amount, text) in enumerate(places):
        side, shift = ("right", -5) if at == 0 and len(places) > 1 else ("left", 5)
        ax.plot([amount, amount], [ax.get_ylim()[0], target], color=INK, linestyle=":", linewidth=1.4)
        ax.plot([amount], [target], "D", color=INK, markersize=8, zorder=6)
        foot = 0.03 + 0.11 * (at % 2) * on_phone(ax)
        ax.annotate(text, (amount, foot), xycoords=ax.get_xaxis_transform(), xytext=(shift, 0), ha=side,
                    textcoords="offset points", path_effects=HALO, zorder=6, fontsize=14)


def _describe_learning(curves, of, target, marks, title):
    ends = [f"{name} from {curve.mean[0]:.3f} to {curve.mean[-1]:.3f} at {getattr(curve, of)[-1]:.3g}, "
            f"seeds within {np.ptp(curve.loss, axis=0).max():.3f}" for name, curve in curves.items()]
    level = f" Level line at {target:.3f}" if target is not None else ""
    reached = "".join(f", {text} at {amount:.3g}" for amount, text in marks)
    return (f"Line chart, {title or 'learning'}: held-out loss in nats per byte over {AXES[of]}; "
            f"{'; '.join(ends)}.{level}{reached + '.' if level else ''}")


def plot_ratios(ratios, *, x_label="times as much", ax=None, title=""):
    """Draw one dot per row on a log axis around 1, joined to it: how many times as much of each thing.

    ratios: {what: ratio > 0}, N of them. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_ratios({"steps": 0.25, "seconds": 4.0}).get_title()
    'From 0.25 times (steps) to 4 times (seconds)'
    """
    names, values = list(map(str, ratios)), check_vector(list(dict(ratios).values()), "ratios")
    if not len(values) or values.min() <= 0:
        raise ValueError(f"ratios must hold one or more numbers above 0, got {values.tolist()}")
    ax = axes_or_new(ax, (9, 0.6 * len(values) + 1.9))
    rows = np.arange(len(values))
    colors = [SERIES[0] if value > 1 else SERIES[2] for value in values]
    ax.axvline(1, color=INK, linewidth=1.6)
    ax.hlines(rows, np.minimum(values, 1), np.maximum(values, 1), colors=colors, linewidth=4, zorder=2)
    ax.scatter(values, rows, s=130, c=colors, zorder=3)
    for row, value in enumerate(values):
        ax.annotate(f"{value:.3f} ×", (value, row), xytext=(10 if value >= 1 else -10, 0),
                    va="center", ha="left" if value >= 1 else "right", textcoords="offset points",
                    fontsize=14, fontweight="bold")
    reach = 1.9 * max(values.max(), 1 / values.min(), 1.2)
    ax.set(xscale="log", xlim=(1 / reach, reach), ylim=(len(values) - 0.5, -0.5), xlabel=x_label)
    ax.set_yticks(rows, names)
    plain_ticks(ax.xaxis)
    if reach < 20:
        ticks = 2.0 ** np.arange(-4, 5)
        ax.set_xticks(ticks[(ticks * reach > 1) & (ticks < reach)], minor=False)
        ax.set_xticks([], minor=True)
    bare(ax, "y")
    least, most = int(values.argmin()), int(values.argmax())
    headline(ax, f"from {as_text(values[least], 2)} times ({names[least]}) to "
                 f"{as_text(values[most], 2)} times ({names[most]})", title)
    set_matrix(ax, values[:, None], rows=("what", names), columns=(x_label, [""]), title=title or x_label)
    told = ", ".join(f"{name} {as_text(value, 3)}" for name, value in zip(names, values, strict=True))
    return set_description(ax, f"Dots around 1, {title or x_label}: {told}.")


def _spread_out(dates):
    """Return dates (N,) with those that are whole years spread over their year, in their order."""
    spread, whole = dates.copy(), dates == dates.astype(int)
    for year in np.unique(dates[whole]):
        here = dates == year
        spread[here] += 0.05 + 0.87 * (np.arange(here.sum()) + 0.5) / here.sum()
    return spread


def _steps(ax, years, medians):
    """Return the boxes (Y, 4) of the steps of yearly medians, in shares of the axes."""
    ends = np.column_stack([years, medians / 1.04, years + 0.97, medians * 1.04]).reshape(-1, 2)
    return (ax.transData + ax.transAxes.inverted()).transform(ends).reshape(-1, 4)


def plot_years(dates, values, names, *, y_label, named=(), ax=None, title=""):
    """Draw one dot per model over its date, named where asked, and the median of each year as a step.

    dates: (N,) years, with fractions; whole ones are spread over their year, one by one. values: (N,) above
    0, on a log axis. names: N texts; named: which of them are written. Returns the Axes. Raises ValueError
    naming the wrong argument.

    >>> plot_years([2023.5, 2024.2], [4.0, 8.0], ["a", "b"], y_label="total / active").get_title()
    'Median 4 in 2023, 8 in 2024'
    """
    dates, values = check_vector(dates, "dates").astype(float), check_vector(values, "values", len(dates))
    names = check_labels(names, len(dates), "names")
    if not len(dates) or min(values) <= 0:
        raise ValueError("values must hold one or more numbers above 0")
    own, ax = ax is None, axes_or_new(ax, (10, 5.6))
    if own:
        set_narrow(ax, lambda: plot_years(dates, values, names, y_label=y_label, named=named, title=title,
                                          ax=phone_axes(ax)))
    years, dates = np.unique(dates.astype(int)), _spread_out(dates)
    medians = np.array([np.median(values[dates.astype(int) == year]) for year in years])
    ax.hlines(medians, years, years + 0.97, colors=SERIES[2], linewidth=3, zorder=2,
              label="median of the year")
    ax.plot(dates, values, "o", color=SERIES[0], markersize=9, alpha=0.75, zorder=3)
    ax.set(yscale="log", xlim=(years[0] - 0.1, years[-1] + 1.15), xlabel="published", ylabel=y_label,
           xticks=[*years, years[-1] + 1])
    ax.xaxis.set_major_formatter(lambda year, _: f"{year:.0f}")
    plain_ticks(ax.yaxis)
    legend_below(ax, 1)
    written = [at for at, name in enumerate(names) if name in named]
    headline(ax, f"median {as_text(medians[0], 2)} in {years[0]}, {as_text(medians[-1], 2)} in {years[-1]}",
             title)
    set_matrix(ax, medians[:, None], rows=("year", years.astype(str)), columns=("median,", [y_label]))
    if written:
        places = np.column_stack([dates, values])
        write_names(ax, [names[at] for at in written], places[written],
                    others=np.delete(places, written, axis=0), taken=_steps(ax, years, medians))
    told = ", ".join(f"{year} {as_text(at, 3)}" for year, at in zip(years, medians, strict=True))
    return set_description(ax, f"Dots over years, {title or y_label}: {len(dates)} models; medians: {told}.")

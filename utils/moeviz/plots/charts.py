"""Charts of any numbers: curves, measured times, a matrix, the loss over what training costs."""

from itertools import cycle

import numpy as np
from matplotlib.patheffects import withStroke

from moeviz.arrays import check_choice, check_matrix, check_number, check_vector
from moeviz.plots.draw import check_labels, name_power
from moeviz.plots.names import spread
from moeviz.style import (
    INK,
    MONO,
    MUTED,
    OKABE_ITO,
    axes_or_new,
    ink_on,
    on_white,
    set_description,
    set_matrix,
)
from moeviz.tables import as_text

MAX_NUMBERED_CELLS, MAX_NUMBERED_COLUMNS, MAX_NAMES = 144, 14, 40
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
LABEL_PITCH = 19  # points
NOTEWORTHY = 0.1  # of a line's range: so far it has to go beyond both of its ends to be told
LINE_COLORS = [on_white(OKABE_ITO[at]) for at in (4, 5, 2, 0, 6, 1, 7)]
LINE_DASHES = ["-", *((0, dash) for dash in ((3.5, 1.2), (1, 0.8), (5, 1, 1, 1), (1.8, 0.8), (7, 1.5),
                                              (3, 0.8, 1, 0.8, 1, 0.8)))]  # in widths of the line
AXES = {"flops": "training FLOPs", "steps": "training steps", "seconds": "processor time of training (s)"}
# of 4, 16, 64, 256 experts
MIXTURES = [(OKABE_ITO[at], marker) for at, marker in ((5, "o"), (2, "^"), (4, "D"), (6, "v"))]
DENSE = ((INK, (6, 2)), ("#8a5a00", (1.5, 1.5)), ("#7a1f5c", (6, 2, 1.5, 2)), (MUTED, (3, 3)),
         ("#4d4d4d", (9, 3)), ("#a0522d", (4, 1, 1, 1)))  # of width 64, 128, 256, ...
NAME_WIDTH, NAME_PITCH = 95, 17  # points
ABOVE = 11  # points from a line to a name above or below it
FOOT = 0.12  # of the height is added below the lines for the texts of marks
HALO = [withStroke(linewidth=3.5, foreground="white")]


def plot_matrix(matrix, *, row_label, column_label, row_names=None, column_names=None, title="",
                value_format="{:.2f}", value_label="", limits=None, ax=None):
    """Draw a matrix as a heatmap in cividis; up to 144 cells have their value printed, more get a colour bar.

    matrix: (R, N). row_label, column_label: what the axes count, with units. row_names, column_names:
    R and N texts or None for the numbers. value_label: what the colour bar counts. limits: (low, high)
    of the colours; None means from 0 (or the lowest value) to the highest. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_matrix([[0.25, 0.75]], row_label="token", column_label="slot")
    >>> [text.get_text() for text in ax.texts]
    ['0.25', '0.75']
    """
    matrix = check_matrix(matrix, "matrix", "(R, N)")
    low, high = _check_limits(limits, matrix)
    row_names = check_labels(row_names, matrix.shape[0], "row_names")
    column_names = check_labels(column_names, matrix.shape[1], "column_names")
    numbered = matrix.size <= MAX_NUMBERED_CELLS and matrix.shape[1] <= MAX_NUMBERED_COLUMNS
    ax = axes_or_new(ax, _figure_size(*matrix.shape, numbered))
    mesh = ax.pcolormesh(matrix, cmap="cividis", vmin=low, vmax=high, edgecolors="white",
                         linewidth=2 if numbered else 0)
    if numbered:
        _print_values(ax, matrix, mesh, value_format)
    else:
        ax.figure.colorbar(mesh, ax=ax, label=value_label).outline.set_visible(False)
    _name(ax.set_xticks, column_names)
    _name(ax.set_yticks, row_names)
    ax.set(xlabel=column_label, ylabel=row_label, title=title, ylim=(len(matrix), 0))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    set_matrix(ax, matrix, rows=(row_label, row_names), columns=(column_label, column_names))
    return set_description(ax, _describe_matrix(matrix, row_names, column_names, (row_label, column_label),
                                                title))


def _figure_size(rows, columns, numbered):
    if numbered:
        return max(0.95 * columns + 2.2, 5), max(0.55 * rows + 1.7, 3)
    return np.clip(0.2 * columns + 3, 7, 13), np.clip(0.2 * rows + 2, 4, 8)


def _check_limits(limits, matrix):
    low, high = (min(matrix.min(), 0.0), matrix.max()) if limits is None else map(float, limits)
    if limits is not None and not low < high:
        raise ValueError(f"limits must be (low, high) with low < high, got {limits}")
    return low, high if high > low else low + 1.0


def _print_values(ax, matrix, mesh, value_format):
    colors = mesh.to_rgba(matrix)
    for (row, column), value in np.ndenumerate(matrix):
        ax.text(column + 0.5, row + 0.5, value_format.format(value), ha="center", va="center", fontsize=14,
                color=ink_on(colors[row, column]))


def _name(set_ticks, names):
    every = -(-len(names) // MAX_NAMES)
    family = {"family": MONO} if max(map(len, names)) == 1 and not "".join(names).isdigit() else {}
    set_ticks(np.arange(0, len(names), every) + 0.5, names[::every], parse_math=False, **family)


def _describe_matrix(matrix, row_names, column_names, labels, title):
    def place(at):
        row, column = np.unravel_index(at, matrix.shape)
        where = f"{labels[0]} {row_names[row]}, {labels[1]} {column_names[column]}"
        return f"{matrix[row, column]:.3g} at {where}"
    rows, columns = matrix.shape
    return (f"Heatmap, {title or 'matrix'}: {rows} rows ({labels[0]}) by {columns} columns ({labels[1]}); "
            f"largest {place(matrix.argmax())}, smallest {place(matrix.argmin())}.")


def plot_timing(names, seconds, *, floor=None, ax=None, title="measured time"):
    """Draw measured times as horizontal bars with their values, in one unit that suits the longest.

    names: N texts. seconds: (N,). floor: seconds that no version can beat, drawn as a dashed line.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_timing(["loop", "grouped"], [0.020, 0.004]).get_xlabel()
    'time (ms)'
    """
    seconds = check_vector(seconds, "seconds")
    names = check_labels(names, len(seconds), "names")
    if not len(seconds) or (seconds < 0).any():
        raise ValueError(f"seconds must be one or more non-negative times, got {seconds.tolist()}")
    scale, unit = next((size, name) for size, name in UNITS if seconds.max() >= size or size == 1e-6)
    ax = axes_or_new(ax, (9, 0.65 * len(names) + 1.6))
    ax.set(xlim=(0, 1.18 * seconds.max() / scale or 1), ylim=(len(names) - 0.5, -0.6), title=title,
           xlabel=f"time ({unit})")
    bars = ax.barh(np.arange(len(names)), seconds / scale, height=0.62, color=LINE_COLORS[0])
    ax.bar_label(bars, [f"{value / scale:.3g} {unit}" for value in seconds], padding=6, fontsize=14)
    if floor is not None:
        _draw_floor(ax, check_number(floor, "floor", low=0.0) / scale, unit)
    ax.set_yticks(range(len(names)), names, fontsize=14)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return set_description(ax, f"Bar chart, {title}: " + ", ".join(
        f"{name} {value / scale:.3g} {unit}" for name, value in zip(names, seconds, strict=True)) + ".")


def _draw_floor(ax, floor, unit):
    ax.axvline(floor, color=INK, linestyle=(0, (4, 3)), linewidth=1.8)
    ax.annotate(f"floor {floor:.3g} {unit}", (floor, -0.75), xytext=(6, 0), textcoords="offset points",
                va="center")
    ax.set_ylim(top=-1.1)


def plot_curves(x, curves, *, x_label, y_label, ax=None, title="", colors=None, x_scale="linear",
                y_scale="linear"):
    """Draw lines over x, each named at its right end; a (low, middle, high) triple gets a band.

    Each colour has a dash of its own, so that lines which cross can be followed without colour.

    x: (N,). curves: {name: (N,) or three of (N,)}. colors: {name: colour} for some or all of them.
    x_scale, y_scale: "linear" or "log", set here because the names are placed on the final scale.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_curves([0, 1], {"dense": [1.0, 2.0]}, x_label="step", y_label="loss (nats)")
    >>> ax.texts[0].get_text()
    'dense'
    """
    x = check_vector(x, "x")
    bands = {name: _check_band(values, name, len(x)) for name, values in curves.items()}
    if not bands or not len(x):
        raise ValueError("curves must hold at least one line over at least one x")
    ax = axes_or_new(ax)
    palette = dict(zip(bands, np.resize(LINE_COLORS, len(bands)), strict=True)) | dict(colors or {})
    palette = {name: on_white(palette[name]) for name in bands}
    dashes = dict(zip(dict.fromkeys(palette.values()), cycle(LINE_DASHES), strict=False))
    for name, (low, middle, high) in bands.items():
        ax.plot(x, middle, color=palette[name], linestyle=dashes[palette[name]], label=name)
        if low is not middle:
            ax.fill_between(x, low, high, color=palette[name], alpha=0.18, linewidth=0)
    ax.set(xlabel=x_label, ylabel=y_label, title=title, xscale=x_scale, yscale=y_scale, xmargin=0.01)
    ax.grid(axis="y")
    _name_ends(ax, x, {name: band[1] for name, band in bands.items()}, palette)
    set_matrix(ax, zip(*(_told(*band) for band in bands.values()), strict=True), rows=(x_label, x),
               columns=("", bands), title=": ".join(dict.fromkeys(filter(None, [title, y_label]))))
    return set_description(ax, _describe_curves(x, bands, x_label, y_label, title))


def _check_band(values, name, length):
    if len(values) == 3 and np.ndim(values[0]) == 1:
        low, middle, high = (check_vector(part, f"curves[{name!r}]", length) for part in values)
        if (low > high).any():
            raise ValueError(f"curves[{name!r}] must be (low, middle, high), got low above high")
        return low, middle, high
    line = check_vector(values, f"curves[{name!r}]", length)
    return line, line, line


def _told(low, middle, high):
    """Return a line's values for its table, each with its band where there is one."""
    return middle if low is middle else [f"{as_text(at)} ({as_text(least)} to {as_text(most)})"
                                         for least, at, most in zip(low, middle, high, strict=True)]


def _name_ends(ax, x, lines, palette):
    """Write each line's name at its right end, pushed apart where ends lie close together."""
    ax.autoscale_view()  # the limits are final only now, and the names stand where the lines end
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = {name: to_axes.transform((x[-1], line[-1]))[1] for name, line in lines.items()}
    gap = LABEL_PITCH / (ax.get_window_extent().height * 72 / ax.figure.dpi)
    for name, at in zip(sorted(ends, key=ends.get), spread(sorted(ends.values()), gap, 0.03), strict=True):
        ax.annotate(name, (1, at), xycoords="axes fraction", xytext=(8, 0), textcoords="offset points",
                    va="center", color=palette[name], fontweight="bold", fontsize=14)


def _describe_curves(x, bands, x_label, y_label, title):
    lines = "; ".join(f"{name} {_course(x, middle)}" for name, (_, middle, _) in bands.items())
    return (f"Line chart, {title or y_label}: {y_label} over {x_label} "
            f"from {x[0]:.3g} to {x[-1]:.3g}; {lines}.")


def _course(x, values):
    """Say where a line begins and ends, and where in between it goes further up or down than that."""
    course = f"from {values[0]:.3g} to {values[-1]:.3g}"
    for word, at, beyond in (("highest", values.argmax(), values.max() - max(values[0], values[-1])),
                             ("lowest", values.argmin(), min(values[0], values[-1]) - values.min())):
        if beyond > NOTEWORTHY * np.ptp(values):
            course += f", {word} {values[at]:.3g} at {x[at]:.3g}"
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
    ax = axes_or_new(ax, (11, 6.2))
    styles = {name: _style(curve) for name, curve in curves.items()}
    for name, curve in curves.items():
        _draw(ax, name, getattr(curve, of), curve.loss, **styles[name])
    ax.set(xscale="log", xlabel=AXES[of], ylabel="held-out loss (nats per byte)", title=title)
    ax.xaxis.set_major_formatter(name_power)
    ax.margins(x=0.13)
    low, high = ax.get_ylim()
    ax.set_ylim(*(limits or (low - FOOT * (high - low) * bool(len(marks)), high)))
    ax.grid(axis="y")
    lines = {name: (getattr(curve, of), curve.mean, styles[name]["color"]) for name, curve in curves.items()}
    # over FLOPs dense lines begin apart, over steps and seconds they end apart
    at_start = {name for name, curve in curves.items() if curve.is_dense and of == "flops"}
    _name_lines(ax, lines, at_start, target)
    if target is not None:
        _draw_target(ax, check_number(target, "target"), marks)
    return set_description(ax, _describe_learning(curves, of, target, marks, title))


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
    shifts = dict(zip(ends, _shifts(ax, list(ends.values()), target), strict=True))
    for name, (x, y, color) in lines.items():
        at = ends.get(name, (x[0], y[0]))
        ax.annotate(name, at, xytext=(9, shifts.get(name, ABOVE)), textcoords="offset points", va="center",
                    color=color, fontweight="bold", fontsize=14, path_effects=HALO, zorder=5)


def _shifts(ax, ends, target):
    """Return by how many points each name (x, y) has to move to keep clear of lower names and the target."""
    places = ax.transData.transform(ends) * 72 / ax.figure.dpi if ends else np.empty((0, 2))
    heights, taken = places[:, 1].copy(), []
    if target is not None:
        level = ax.transData.transform((1, target))[1] * 72 / ax.figure.dpi
        heights[np.abs(heights - level) < ABOVE] = level - ABOVE
    for at in np.argsort(heights, kind="stable"):
        for x, height in taken:
            if abs(x - places[at, 0]) < NAME_WIDTH:
                heights[at] = max(heights[at], height + NAME_PITCH)
        taken.append((places[at, 0], heights[at]))
    return heights - places[:, 1]


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
        ax.annotate(text, (amount, 0.03), xycoords=ax.get_xaxis_transform(), xytext=(shift, 0),
                    textcoords="offset points", ha=side, path_effects=HALO, zorder=6, fontsize=14)


def _describe_learning(curves, of, target, marks, title):
    ends = [f"{name} from {curve.mean[0]:.3f} to {curve.mean[-1]:.3f} at {getattr(curve, of)[-1]:.3g}, "
            f"seeds within {np.ptp(curve.loss, axis=0).max():.3f}" for name, curve in curves.items()]
    level = f" Level line at {target:.3f}" if target is not None else ""
    reached = "".join(f", {text} at {amount:.3g}" for amount, text in marks)
    return (f"Line chart, {title or 'learning'}: held-out loss in nats per byte over {AXES[of]}; "
            f"{'; '.join(ends)}.{level}{reached + '.' if level else ''}")

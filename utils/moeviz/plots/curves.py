"""Measured numbers: times as bars, and curves with their names at the line ends."""

from itertools import cycle

import numpy as np

from moeviz.arrays import check_number, check_vector
from moeviz.figure_data import as_text, set_matrix
from moeviz.plots.inputs import check_labels
from moeviz.style import INK, OKABE_ITO, axes_or_new, on_white, set_description

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
LABEL_PITCH = 19  # points
NOTEWORTHY = 0.1  # of a line's range: so far it has to go beyond both of its ends to be told
LINE_COLORS = [on_white(OKABE_ITO[at]) for at in (4, 5, 2, 0, 6, 1, 7)]
LINE_DASHES = ["-", *((0, dash) for dash in ((3.5, 1.2), (1, 0.8), (5, 1, 1, 1), (1.8, 0.8), (7, 1.5),
                                              (3, 0.8, 1, 0.8, 1, 0.8)))]  # in widths of the line


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
    return set_description(ax, _describe(x, bands, x_label, y_label, title))


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


def spread(places, gap, low=-np.inf):
    """Move sorted places (N,) apart until neighbours are `gap` away, around their old middle and above `low`.

    >>> spread([0.0, 0.0], 1.0)
    [-0.5, 0.5]
    """
    moved = list(places)
    for at in range(1, len(moved)):
        moved[at] = max(moved[at], moved[at - 1] + gap)
    lift = (sum(moved) - sum(places)) / len(moved)
    return [place - min(lift, moved[0] - low) for place in moved]


def _describe(x, bands, x_label, y_label, title):
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

"""The roofline: what a chip can reach at a given number of FLOPs per byte, and what was reached."""

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import FuncFormatter

from moeviz.arrays import check_vector
from moeviz.cost import Hardware
from moeviz.figure_data import set_table
from moeviz.plots.curves import LINE_COLORS
from moeviz.style import INK, axes_or_new, set_description

UNITS = ((1e15, "PFLOP/s"), (1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"))
STYLES = ("-", (0, (7, 3)), (0, (2, 2)))
MARKERS = "osD^v"


def plot_roofline(chips, points=None, *, ax=None, title="roofline"):
    """Draw the roof of each chip over FLOPs per byte, its ridge marked, and measured points below it.

    chips: up to three `moeviz.cost.Hardware`. points: {name: (FLOPs per byte (N,), FLOP/s (N,))}, joined
    in order, or None. Both axes are logarithmic. Returns the Axes. Raises ValueError naming the wrong
    argument. Source of the picture: Williams and others, CACM 52(4), 2009.

    >>> from moeviz.cost import hardware
    >>> plot_roofline([hardware()], {"layer": ([2.0, 8.0], [5e12, 2e13])}).get_xscale()
    'log'
    """
    chips, points = _check_chips(chips), _check_points(points)
    ax = axes_or_new(ax, (11, 6))
    ridges = [chip.ridge for chip in chips]
    reached = [at for x, _ in points.values() for at in x]
    left, right = min([*ridges, *reached]) / 6, max([*ridges, *reached]) * 12
    ax.set(xscale="log", yscale="log", xlim=(left, right), title=title,
           xlabel="arithmetic intensity (FLOP per byte read)", ylabel="speed (FLOP/s)")
    for chip, line in zip(chips, STYLES, strict=False):
        _draw_roof(ax, chip, line, left, right)
    for number, (name, (x, y)) in enumerate(points.items()):
        ax.plot(x, y, color=LINE_COLORS[number % len(LINE_COLORS)], marker=MARKERS[number % len(MARKERS)],
                markersize=9, label=name)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: speed(value)))
    if points:
        ax.legend(loc="lower right")
    ax.grid(which="major")
    rows = [[f"ridge of {chip.name}", chip.ridge, chip.peak_flops] for chip in chips]
    rows += [[name, *pair] for name, (x, y) in points.items() for pair in zip(x, y, strict=True)]
    set_table(ax, ["series", "FLOP per byte", "FLOP/s"], rows)
    return set_description(ax, _describe(chips, points, title))


def speed(flops):
    """Return FLOP/s in words, with up to three digits.

    >>> speed(989.4e12), speed(3e10)
    ('989 TFLOP/s', '30 GFLOP/s')
    """
    size, unit = next((each for each in UNITS if flops >= each[0]), (1.0, "FLOP/s"))
    return f"{flops / size:.3g} {unit}"


def _draw_roof(ax, chip, line, left, right):
    at = np.array([left, chip.ridge, right])
    ax.plot(at, np.minimum(at * chip.bandwidth, chip.peak_flops), color=INK, linestyle=line, linewidth=2.4)
    ax.plot([chip.ridge], [chip.peak_flops], "o", color=INK, markersize=7)
    ax.annotate(f"{chip.name}: {speed(chip.peak_flops)}\nridge at {chip.ridge:.3g} FLOP per byte",
                (chip.ridge, chip.peak_flops), xytext=(4, 8), textcoords="offset points", va="bottom",
                fontsize=13)
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, left * chip.bandwidth / 3), max(high, chip.peak_flops * 9))


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


def _describe(chips, points, title):
    roofs = [f"{chip.name} reaches {speed(chip.peak_flops)} from {chip.ridge:.3g} FLOP per byte on"
             for chip in chips]
    found = [f"{name} from {speed(y[0])} at {x[0]:.3g} to {speed(y[-1])} at {x[-1]:.3g} FLOP per byte"
             for name, (x, y) in points.items()]
    return f"Roofline, {title}: {'; '.join([*roofs, *found])}."

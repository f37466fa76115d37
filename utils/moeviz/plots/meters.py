"""Several loads as rows, each with its bars and with what every meter reads on it."""

import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_vector
from moeviz.figure_data import set_table
from moeviz.style import FAINT, INK, LINE, MUTED, OKABE_ITO, axes_or_new, expert_colors, set_description

WORST, OTHERS = OKABE_ITO[5], "#b9c4cc"
LOAD_WIDTH, METER_WIDTH, NAME_WIDTH, GAP = 3.4, 1.15, 2.1, 0.75  # inches, at the default figure size
ROW_HEIGHT = 0.95


def plot_meters(loads, meters, *, ax=None, title=""):
    """Draw one row per load: its experts' shares as bars, then a bar for every meter's reading of it.

    loads: {name: (E,)}, counts or shares, N of them. meters: {heading: (N,)}, not negative and higher
    where the load is less even. Bars of one meter share a scale; its highest reading is marked.
    The line across a load is the fair share. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_meters({"even": [2, 2], "uneven": [4, 0]}, {"MaxVio": [0.0, 1.0]})
    >>> [text.get_text() for text in ax.texts][-3:]
    ['MaxVio', '0.00', '1.00']
    """
    shares = _check_loads(loads)
    readings = {name: _check_readings(values, name, len(shares)) for name, values in dict(meters).items()}
    width = NAME_WIDTH + LOAD_WIDTH + len(readings) * (METER_WIDTH + GAP)
    ax = axes_or_new(ax, (width + 0.4, ROW_HEIGHT * len(shares) + 1.2))
    for row, (name, share) in enumerate(shares.items()):
        ax.text(NAME_WIDTH - 0.2, row + 0.75, name, ha="right", va="center", fontsize=15)
        _draw_load(ax, share, row, max(map(max, shares.values())))
    ax.text(NAME_WIDTH, -0.1, "load, share per expert", color=MUTED, fontsize=14)
    for column, (name, values) in enumerate(readings.items()):
        _draw_readings(ax, name, values, NAME_WIDTH + LOAD_WIDTH + GAP / 2 + column * (METER_WIDTH + GAP))
    ax.set(xlim=(0, width), ylim=(len(shares) + 0.05, -0.4), title=title)
    ax.set_axis_off()
    said = [", ".join(f"{100 * part:.3g}" for part in share) for share in shares.values()]
    set_table(ax, ["load", *readings, "shares of the experts, in order (%)"],
              zip(shares, *readings.values(), said, strict=True), title=title or "loads and their meters")
    return set_description(ax, _describe(list(shares), readings, title))


def _check_loads(loads):
    if not isinstance(loads, dict) or not loads:
        raise ValueError(f"loads must be {{name: (E,)}} with at least one load, got {loads!r}")
    checked = {str(name): check_vector(load, f"loads[{name!r}]") for name, load in loads.items()}
    for name, load in checked.items():
        if not len(load) or load.min() < 0 or load.sum() <= 0:
            raise ValueError(f"loads[{name!r}] must be non-negative with a positive sum, got {load.tolist()}")
    return {name: load / load.sum() for name, load in checked.items()}


def _check_readings(values, name, length):
    readings = check_vector(values, f"meters[{name!r}]", length)
    if readings.min() < 0:
        raise ValueError(f"meters[{name!r}] must be non-negative, got {readings.min()}")
    return readings


def _draw_load(ax, share, row, top):
    step = (LOAD_WIDTH - 0.3) / len(share)
    left, height = NAME_WIDTH + step * np.arange(len(share)), 0.88 * share / top
    floor = row + 0.98
    ax.add_collection(PolyCollection(_boxes(left, floor - height, 0.86 * step, height), edgecolors=MUTED,
                                     facecolors=expert_colors(len(share)), linewidths=0.8))
    fair = floor - 0.88 / len(share) / top
    ax.plot([NAME_WIDTH, NAME_WIDTH + LOAD_WIDTH - 0.3], [floor, floor], color=INK, linewidth=1.0)
    ax.plot([NAME_WIDTH - 0.06, NAME_WIDTH + LOAD_WIDTH - 0.24], [fair, fair], color=LINE,
            linestyle=(0, (5, 4)), linewidth=1.6, zorder=0.5)


def _draw_readings(ax, name, values, left):
    top = values.max()
    worst = (values == top) & (top > 0)
    length = METER_WIDTH * values / (top or 1.0)
    rows = np.arange(len(values))
    ax.add_collection(PolyCollection(_boxes(np.full(len(rows), left), rows + 0.82, METER_WIDTH, 0.16),
                                     facecolors=FAINT))
    ax.add_collection(PolyCollection(_boxes(np.full(len(rows), left), rows + 0.82, length, 0.16),
                                     facecolors=np.where(worst, WORST, OTHERS)))
    ax.text(left, -0.1, name, color=MUTED, fontsize=14)
    form = "{:.0f}" if values.dtype.kind in "iu" else "{:.2f}"
    for row, value in enumerate(values):
        ax.text(left, row + 0.75, form.format(value), va="bottom", fontsize=17,
                fontweight="bold" if worst[row] else "normal")


def _boxes(left, top, width, height):
    left, top, width, height = np.broadcast_arrays(left, top, width, height)
    x = np.stack([left, left + width, left + width, left], axis=1)
    return np.stack([x, np.stack([top, top, top + height, top + height], axis=1)], axis=2)


def _describe(names, readings, title):
    worst = [f"{meter} highest on {names[int(np.argmax(values))]} ({values.max():.3g})"
             for meter, values in readings.items()]
    return (f"Table of bars, {title or 'loads and their meters'}: loads {', '.join(names)}; "
            f"{', '.join(worst)}.")

"""Experts on devices: who sends how much to whom, and what each device has to compute."""

import numpy as np
from matplotlib.patheffects import withStroke

from moeviz.arrays import as_array, check_count
from moeviz.figure_data import set_matrix, set_table
from moeviz.plots.bars import draw_bars
from moeviz.plots.glyphs import SANS, draw_outlines, outline
from moeviz.plots.inputs import extremes
from moeviz.style import DROPPED, HATCH, INK, axes_or_new, expert_colors, ink_on, set_description

MOST_PRINTED, FULLEST_TO_LABEL = 10, 16
HOME = "#b0b0b0"


def plot_traffic(matrix, *, devices_per_node=1, place="device", title="", limits=None, ax=None):
    """Draw how much each device sends to each other one; what stays at home is grey and hatched.

    matrix: (N, N) whole numbers, from row to column, as of `cluster.traffic_matrix`. devices_per_node:
    thick lines are drawn between nodes. place: what rows and columns are called. limits: (low, high) of
    the colours; None means 0 to the largest that leaves home. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> plot_traffic([[5, 1], [2, 6]]).get_ylabel()
    'from device'
    """
    matrix, size = _check_counts(matrix, "matrix", square=True), len(matrix)
    check_count(devices_per_node, "devices_per_node", high=size)
    away = np.where(np.eye(size, dtype=bool), 0, matrix)
    ax = axes_or_new(ax, (max(0.7 * min(size, 12) + 2.6, 5.4), max(0.55 * min(size, 12) + 2.0, 4.4)))
    low, high = (0, max(away.max(), 1)) if limits is None else limits
    mesh = ax.pcolormesh(away, cmap="cividis", vmin=low, vmax=high, edgecolors="white",
                         linewidth=1.5 if size <= 16 else 0)
    devices = np.arange(size)
    draw_bars(ax, devices, devices, 1, 1, facecolor=DROPPED, edgecolor=HOME, hatch=HATCH, linewidth=0)
    _print_counts(ax, matrix, mesh)
    for edge in range(devices_per_node, size, devices_per_node) if devices_per_node > 1 else ():
        ax.axhline(edge, color=INK, linewidth=2.5)
        ax.axvline(edge, color=INK, linewidth=2.5)
    ticks = np.arange(0, size, -(-size // 16))
    ax.set_xticks(ticks + 0.5, ticks)
    ax.set_yticks(ticks + 0.5, ticks)
    ax.set(xlabel=f"to {place}", ylabel=f"from {place}", title=title, ylim=(size, 0))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    set_matrix(ax, matrix, rows=(f"from {place}", range(size)), columns=(f"to {place}", range(size)))
    return set_description(ax, _describe_traffic(matrix, away, place, title))


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
    slowest = int(np.argmax(load))
    ax.annotate(f"{load[slowest] / max(load.mean(), 1e-12):.2f} x mean", (slowest, load[slowest]),
                xytext=(0, 6), textcoords="offset points", ha="center", fontweight="bold")
    ax.set(title=title, xlabel="device", ylabel="assignments to compute",
           xlim=(-0.6, 1.12 * num_devices - 0.3),
           ylim=(0, 1.15 * max(load.max(), 1) if top is None else top))
    ticks = np.arange(0, num_devices, -(-num_devices // 16))
    ax.set_xticks(ticks, ticks)
    ax.tick_params(axis="x", length=0)
    parts = [", ".join(f"expert {expert}: {row[expert]}" for expert in np.flatnonzero(row)) for row in served]
    set_table(ax, ["device", "in all", "of these for"], zip(range(num_devices), load, parts, strict=True))
    return set_description(ax, f"Stacked bars, {title or 'load of devices'}: {load.sum()} assignments on "
                               f"{num_devices} devices; {extremes(load, 'device')}; mean {load.mean():.4g}.")


def _print_counts(ax, matrix, mesh):
    if len(matrix) > MOST_PRINTED:
        ax.figure.colorbar(mesh, ax=ax, label="rows").outline.set_visible(False)
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
                    color=ink_on(color), fontsize=13)


def _check_counts(value, name, *, square=False):
    counts = as_array(value, name)
    if counts.ndim != 2 or counts.size == 0 or (square and counts.shape[0] != counts.shape[1]):
        raise ValueError(f"{name} must be a {'square ' if square else ''}matrix, got shape {counts.shape}")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError(f"{name} must hold whole numbers of at least 0, got dtype {counts.dtype}")
    return counts


def _describe_traffic(matrix, away, place, title):
    source, target = np.unravel_index(away.argmax(), away.shape)
    moved, total = away.sum(), max(matrix.sum(), 1)
    return (f"Heatmap, {title or 'traffic'}: {total} rows from {len(matrix)} {place}s (down) to as many "
            f"(across); {moved} ({100 * moved / total:.0f}%) leave home; most from {place} {source} to "
            f"{place} {target} ({away.max()}).")

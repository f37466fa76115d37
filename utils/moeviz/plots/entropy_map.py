"""The map of routers: how sure each one is, against how evenly it loads its experts."""

from itertools import cycle

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from moeviz.arrays import check_matrix
from moeviz.figure_data import evenly, set_table
from moeviz.plots.curves import LINE_COLORS, LINE_DASHES
from moeviz.style import FAINT, INK, MUTED, axes_or_new, set_description

QUARTERS = {(0, 1): "sure and even:\nexperts can differ",
            (1, 1): "undecided and even:\nhardly a choice at all",
            (0, 0): "sure and collapsed:\none expert gets all",
            (1, 0): "undecided and collapsed:\nby a hair, but always"}
MARGIN = 0.045
MOST_OF_A_PATH = 12  # points in the table


def plot_entropy_map(points, *, paths=None, ax=None, title=""):
    """Draw routers as points in the square of router entropy (across) and load entropy (up), both 0 to 1.

    points: {name: (router entropy, load entropy)}. paths: {name: (M, 2)}, lines of the same two numbers,
    for instance over a temperature. Each quarter of the square carries its meaning. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> plot_entropy_map({"fair": (1.0, 1.0)}).get_xlabel()
    'router entropy (0 sure, 1 undecided)'
    """
    spots = {str(name): _check_spots([spot], f"points[{name!r}]")[0] for name, spot in dict(points).items()}
    lines = {str(name): _check_spots(line, f"paths[{name!r}]") for name, line in dict(paths or {}).items()}
    ax = axes_or_new(ax, (9.5, 6.6))
    _draw_quarters(ax)
    looks = zip(cycle(LINE_COLORS[1:]), cycle(LINE_DASHES), strict=False)
    for (name, line), (color, dash) in zip(lines.items(), looks, strict=False):
        ax.plot(*line.T, color=color, linestyle=dash, label=name, zorder=2.5)
    for name, spot in spots.items():
        _draw_spot(ax, name, spot)
    if lines:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines), fontsize=14)
    ax.set(xlim=(-MARGIN, 1 + MARGIN), ylim=(-MARGIN, 1 + MARGIN), title=title,
           xlabel="router entropy (0 sure, 1 undecided)", ylabel="load entropy (0 one expert, 1 even)")
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    _tabulate(ax, spots, lines, title)
    return set_description(ax, _describe(spots, lines, title))


def _check_spots(value, name):
    spots = check_matrix(value, name, "(M, 2)")
    if spots.shape[1] != 2:
        raise ValueError(f"{name} must have two columns, router and load entropy, got shape {spots.shape}")
    if spots.min() < -1e-9 or spots.max() > 1 + 1e-9:
        raise ValueError(f"{name} must lie between 0 and 1, got {spots.min():.4g} to {spots.max():.4g}")
    return np.clip(spots, 0.0, 1.0)  # so that nobody reads of an entropy of -0.00


def _draw_quarters(ax):
    for (right, up), words in QUARTERS.items():
        ax.add_patch(Rectangle((0.5 * right, 0.5 * up), 0.5, 0.5, facecolor=FAINT, edgecolor="white",
                               linewidth=4, zorder=0))
        ax.text(0.25 + 0.5 * right, 0.25 + 0.5 * up, words, ha="center", va="center", color=MUTED,
                fontsize=14, zorder=2.8, path_effects=[withStroke(linewidth=5, foreground=FAINT)])


def _draw_spot(ax, name, spot):
    """Mark a router and write its name towards the middle of the square, where there is room."""
    across, up = np.where(spot > 0.5, -1, 1)
    ax.plot(*spot, "o", color=INK, markersize=11, zorder=3, clip_on=False)
    ax.annotate(name, spot, xytext=(9 * across, 16 * up), textcoords="offset points", zorder=4,
                ha="left" if across > 0 else "right", va="center", fontsize=14, fontweight="bold",
                path_effects=[withStroke(linewidth=5, foreground=FAINT)])


def _tabulate(ax, spots, lines, title):
    rows = [[name, *spot] for name, spot in spots.items()]
    rows += [[name, *spot] for name, line in lines.items()
             for spot in line[evenly(len(line), MOST_OF_A_PATH)]]
    set_table(ax, ["router", "router entropy", "load entropy"], rows, title=title or "map of routers")


def _describe(spots, lines, title):
    places = [f"{name} at router entropy {x:.2f}, load entropy {y:.2f}" for name, (x, y) in spots.items()]
    ways = [f"{name} from ({line[0, 0]:.2f}, {line[0, 1]:.2f}) to ({line[-1, 0]:.2f}, {line[-1, 1]:.2f})"
            for name, line in lines.items()]
    words = "; ".join(places + ways) or "no router"
    return f"Map, {title or 'router entropy against load entropy'}: {words}."

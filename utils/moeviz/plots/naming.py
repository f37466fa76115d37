"""Names beside the points of a chart, placed so that none covers another, on the axes as they finally are."""

import numpy as np
from matplotlib.patheffects import withStroke

from moeviz.plots.placing import place_names
from moeviz.style import MUTED

NAME_SIZE, RADIUS = 12, 6.0  # points
FRAME = np.array([3, 3, -3, -3])  # points that names keep from the frame
LEADER_FROM = 13  # points between the middle of a marker and its name from which a line joins them


def write_names(ax, names, places, *, bold=()):
    """Write each name near its point, joined by a line where it had to go further away.

    names: N texts. places: (N, 2) in the units of the axes. bold: names that stand out. Draw everything
    else first: limits and legend have to be final.
    """
    if ax.figure.get_layout_engine():  # it moves the axes, and names are placed on the final ones
        ax.figure.draw_without_rendering()
    to_points = 72 / ax.figure.dpi
    sizes = np.array(_measure(ax, names, bold)) * to_points
    points = ax.transData.transform(places) * to_points
    frame = ax.get_window_extent().extents * to_points
    legend = ax.get_legend()
    taken = [legend.get_window_extent().extents * to_points] if legend else []
    corners = place_names(points, sizes, frame + FRAME, radius=RADIUS, taken=taken)
    for name, place, offset, size in zip(names, places, corners - points, sizes, strict=True):
        _write_name(ax, name, place, offset, size, _weight(name in bold))


def share_names(names, places):
    """Return one name for each place, its N names joined where several stand there, and the places (M, 2).

    >>> share_names(["a", "b", "c"], np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 1.0]]))[0]
    ['a, c', 'b']
    """
    shared = {}
    for name, place in zip(names, np.round(places, 9).tolist(), strict=True):
        shared.setdefault(tuple(place), []).append(str(name))
    return [", ".join(together) for together in shared.values()], np.array(list(shared))


def _measure(ax, names, bold):
    """Return the width and height of each name in pixels."""
    text = ax.text(0, 0, "", fontsize=NAME_SIZE)
    sizes = []
    for name in names:
        text.set(text=name, fontweight=_weight(name in bold))
        sizes.append(text.get_window_extent().size)
    text.remove()
    return sizes


def _weight(bold):
    return "bold" if bold else "normal"


def _write_name(ax, name, place, offset, size, weight):
    gap = np.maximum(np.maximum(offset, -offset - size), 0)
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.9, "shrinkA": 0, "shrinkB": RADIUS - 1}
    arrow = line if np.hypot(*gap) > LEADER_FROM else None
    note = ax.annotate(name, place, xytext=offset, textcoords="offset points", va="bottom",
                       fontsize=NAME_SIZE, fontweight=weight, arrowprops=arrow, zorder=4)
    note.set_path_effects([withStroke(linewidth=3, foreground="white")])
    note.set_in_layout(False)

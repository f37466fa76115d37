"""Names beside the points of a chart, placed so that none covers another, on the axes as they finally are."""

from functools import lru_cache
from itertools import compress

import numpy as np
from matplotlib.path import Path

from moeviz.plots.glyphs import SANS, draw_outlines, outline
from moeviz.plots.placing import place_names
from moeviz.style import INK, MUTED

NAME_SIZE, NAME_HEIGHT, RADIUS = 12, 12.5, 6.0  # points
LIFT = np.array([0, 1.2])  # points from the middle of a name to that of its capitals: what g and y need below
FRAME = np.array([3, 3, -3, -3])  # points that names keep from the frame
LEADER_FROM = 13  # points between the middle of a marker and its name from which a line joins them


def write_names(ax, names, places, *, bold=(), shown=None):
    """Write each name near its point, joined by a line where it had to go further away.

    names: N texts. places: (N, 2) in the units of the axes. bold: names that stand out. shown: (N,) bool,
    which to write; the others only keep their room. Draw everything else first: limits and legend have to
    be final.
    """
    if ax.figure.get_layout_engine():  # it moves the axes, and names are placed on the final ones
        ax.figure.draw_without_rendering()
    to_points = 72 / ax.figure.dpi
    outlines = [outline(name, SANS, "bold" if name in bold else "normal") for name in names]
    sizes = np.array([(NAME_SIZE * np.ptp(path.vertices[:, 0]) + 1, NAME_HEIGHT) for path in outlines])
    points = ax.transData.transform(places) * to_points
    frame = ax.get_window_extent().extents * to_points
    legend = ax.get_legend()
    taken = [legend.get_window_extent().extents * to_points] if legend else []
    boxes = (tuple(map(tuple, rows)) for rows in (points, sizes, taken))
    corners = _place(*boxes, bounds=tuple(frame + FRAME))
    shifts = corners + sizes / 2 - points
    if shown is not None:
        outlines = list(compress(outlines, shown))
        places, shifts, sizes = places[shown], shifts[shown], sizes[shown]
    _draw_leaders(ax, places, shifts, sizes)
    look = {"size": NAME_SIZE, "shifts": shifts + LIFT, "zorder": 4}
    draw_outlines(ax, outlines, places, facecolors="white", edgecolors="white", linewidths=3, **look)
    draw_outlines(ax, outlines, places, facecolors=INK, label="_names", **look)


@lru_cache(maxsize=64)
def _place(points, sizes, taken, bounds):
    """Return what `place_names` does, and remember it: a picture that is drawn again has its names sooner."""
    return place_names(points, sizes, bounds, radius=RADIUS, taken=taken)


def share_names(names, places):
    """Return one name for each place, its N names joined where several stand there, and the places (M, 2).

    >>> share_names(["a", "b", "c"], np.array([[0.0, 1.0], [2.0, 2.0], [0.0, 1.0]]))[0]
    ['a, c', 'b']
    """
    shared = {}
    for name, place in zip(names, np.round(places, 9).tolist(), strict=True):
        shared.setdefault(tuple(place), []).append(str(name))
    return [", ".join(together) for together in shared.values()], np.array(list(shared))


def _draw_leaders(ax, places, shifts, sizes):
    """Join each point to its name, whose middle is a shift away, unless the name stands beside it."""
    far = np.hypot(*np.maximum(np.abs(shifts) - sizes / 2, 0).T) > LEADER_FROM
    at_marker = (RADIUS - 1) / np.hypot(*shifts.T)
    at_name = 1 - (sizes / 2 / np.maximum(np.abs(shifts), 1e-9)).min(axis=1)
    lines = [Path([start * shift, end * shift]) for start, end, shift in
             zip(at_marker[far], at_name[far], shifts[far], strict=True)]
    draw_outlines(ax, lines, places[far], size=1, facecolors="none", edgecolors=MUTED, linewidths=0.9,
                  label="_leaders", zorder=3.5)

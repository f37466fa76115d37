"""Names beside points and at the ends of lines, placed so that none covers another."""

from functools import lru_cache
from itertools import compress

import numpy as np
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from moeviz.plots.draw import SANS, draw_outlines, legend_below, outline
from moeviz.style import INK, MUTED

DISTANCES = (0, 4, 8, 13, 19, 26, 34, 43, 54, 66, 80, 96, 115, 135)
ANGLES = np.radians(sorted(np.arange(0, 360, 11.25), key=lambda angle: min(angle % 180, 180 - angle % 180)))
COVERED, CROSSED, MISREAD, OUTSIDE = 1e5, 200.0, 100.0, 1e7
CLEAR = 8.0  # how much nearer than any other marker a name should be to its own
GAP, KEPT, SWEEPS = 3.0, 140, 3  # least gap to the own marker, candidates per name, rounds
NAME_SIZE, NAME_HEIGHT, RADIUS = 12, 12.5, 6.0  # points
LIFT = np.array([0, 1.2])  # points from the middle of a name to that of its capitals: what g and y need below
FRAME = np.array([3, 3, -3, -3])  # points that names keep from the frame
LABEL_PITCH = 19  # points between the names of lines
LINE_SIZE, LINE_LIFT = 14, 7  # points: the type of a line's name, and how far above the line it stands
KEY_LINE, LETTER = 50, 8.0  # points of a line and its gap in a key, and of a letter there
LEADER_FROM = 13  # points between the middle of a marker and its name from which a line joins them


def place_names(points, sizes, bounds, *, radius=6.0, taken=()):
    """Return the lower left corner of each name's box (N, 2): near its point, off all points and names.

    points: (N, 2). sizes: (N, 2) width and height of each name. bounds: (left, bottom, right, top) that
    no box leaves. radius: of a point's marker. taken: (M, 4) boxes that stay free. All in one unit,
    meant to be points (1/72 inch). Names are placed one by one, then each again while the others stand,
    in several orders until every name has its best place; else the best result is kept. Where there is no
    room at all, a name covers something rather than being lost.

    >>> place_names([[50, 50]], [[20, 10]], (0, 0, 100, 100)).tolist()
    [[59.0, 45.0]]
    """
    points, sizes = np.asarray(points, float), np.asarray(sizes, float)
    taken = np.reshape(np.asarray(taken, float), (-1, 4))
    choices = [_choices(at, points, sizes, bounds, radius, taken) for at in range(len(points))]
    least = sum(cost[0] for cost, _ in choices)
    results = []
    for order in _orders(points, sizes):
        results.append(_improve(order, points, sizes, choices))
        if results[-1][0] <= least + 1e-6:  # no order can do better
            break
    return min(results, key=lambda result: result[0])[1]


def overlaps(boxes, others):
    """Return (N, M) bool: whether box n and box m share any area. Boxes are (left, bottom, right, top).

    >>> overlaps(np.array([[0, 0, 2, 2]]), np.array([[1, 1, 3, 3], [2, 0, 3, 1]])).tolist()
    [[True, False]]
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return (low < high).all(axis=2)


def crossings(starts, ends, boxes):
    """Return (N, M) bool: whether the line from start n to end n runs through box m.

    >>> start, end, boxes = [[0.0, 1.0]], [[9.0, 1.0]], [[4, 0, 5, 2], [4, 2, 5, 3]]
    >>> crossings(np.array(start), np.array(end), np.array(boxes)).tolist()
    [[True, False]]
    """
    step = (ends - starts)[:, None, :]
    pace = 1 / np.where(np.abs(step) < 1e-9, 1e-9, step)
    first, second = ((boxes[None, :, side] - starts[:, None, :]) * pace for side in (slice(2), slice(2, 4)))
    low, high = np.minimum(first, second), np.maximum(first, second)
    enter, leave = np.maximum(low[..., 0], low[..., 1]), np.minimum(high[..., 0], high[..., 1])
    return (enter < leave) & (leave > 0) & (enter < 1)


def _orders(points, sizes):
    """Return orders in which to place the names: crowded ones first, then from each side."""
    crowd = (np.abs(points[:, None] - points[None]) < sizes[:, None] + 10).all(axis=2).sum(axis=1)
    keys = (-crowd, -points[:, 1], points[:, 1], points[:, 0], -points[:, 0])
    return [np.argsort(key, kind="stable") for key in keys]


def _choices(at, points, sizes, bounds, radius, taken):
    """Return the best candidates of one name, whatever the others do: costs (K,) and corners (K, 2)."""
    far, corners = _candidates(points[at], sizes[at], radius)
    half, cost = len(far) // 2, []
    for part in (slice(half), slice(half, None)):
        cost = np.append(cost, _costs(at, far[part], corners[part], points, sizes, bounds, radius, taken))
        best = np.argsort(cost, kind="stable")[:KEPT]
        if cost[best[-1]] <= _pull(far[half]):  # mostly so: the far half cannot be any better
            break
    return cost[best], corners[best]


def _pull(far):
    """Return what a name costs for its distance alone."""
    return far + far**2 / 80


def _costs(at, far, corners, points, sizes, bounds, radius, taken):
    """Return what candidates (K,) of one name cost, whatever the other names do."""
    point, size, strangers = points[at], sizes[at], np.delete(points, at, axis=0)
    boxes = np.hstack([corners, corners + size])
    away = far.max() + radius + GAP + CLEAR  # from where on a stranger makes no difference
    low, high = boxes[:, :2].min(axis=0) - away, boxes[:, 2:].max(axis=0) + away
    strangers = strangers[((strangers > low) & (strangers < high)).all(axis=1)]
    solid = np.vstack([taken, np.hstack([strangers - radius, strangers + radius])])
    outside = (boxes[:, :2] < bounds[:2]).any(axis=1) | (boxes[:, 2:] > bounds[2:]).any(axis=1)
    crossed = crossings(np.broadcast_to(point, corners.shape), corners + size / 2, solid).sum(axis=1)
    nearer = _gaps(boxes, strangers) - far[:, None] - radius - GAP  # than a stranger's marker
    misread = np.clip(1 - nearer / CLEAR, 0, 1).sum(axis=1)
    return (_pull(far) + COVERED * overlaps(boxes, solid).sum(axis=1) + CROSSED * crossed
            + MISREAD * misread + OUTSIDE * outside)


def _candidates(point, size, radius):
    """Return the distances (C,) and lower left corners (C, 2) of boxes around a point, near ones first."""
    distance, angle = (grid.ravel() for grid in np.meshgrid(DISTANCES, ANGLES, indexing="ij"))
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    reach = np.clip(1.5 * direction, -1, 1) * size / 2  # from a box's middle to the side that faces the point
    middle = point + (distance + radius + GAP)[:, None] * direction + reach
    return distance, middle - size / 2


def _gaps(boxes, points):
    """Return (C, N): how far each point lies from each box, 0 inside of it."""
    below, above = boxes[:, None, :2] - points[None], points[None] - boxes[:, None, 2:]
    away = np.maximum(np.maximum(below, above), 0)
    return np.sqrt(away[..., 0]**2 + away[..., 1]**2)


def _improve(order, points, sizes, choices):
    """Place every name, in this order, SWEEPS times; return the sum of the last costs and the corners."""
    corners = np.full(points.shape, np.nan)
    reach = np.array([_reach(*each) for each in zip(points, sizes, choices, strict=True)])
    for _ in range(SWEEPS):
        before, total = corners.copy(), 0.0
        for at in order:
            spans = np.hstack([np.minimum(points, corners), np.maximum(points, corners + sizes)])
            near = overlaps(reach[at:at + 1], spans)[0]  # never a name that has no place yet: that is NaN
            near[at] = False
            cost = choices[at][0] + _trouble(points[at], sizes[at], choices[at][1], points[near],
                                             np.hstack([corners, corners + sizes])[near])
            best = int(np.argmin(cost))
            corners[at], total = choices[at][1][best], total + cost[best]
        if (corners == before).all():  # nobody moved, so nobody will
            break
    return total, corners


def _reach(point, size, choices):
    """Return the box (4,) that holds a point, all candidates of its name and the lines between them."""
    corners = choices[1]
    return np.hstack([np.minimum(point, corners.min(axis=0)), np.maximum(point, corners.max(axis=0) + size)])


def _trouble(point, size, corners, others, names):
    """Return (K,): what candidates cost because of the names (N, 4) that stand, of the points (N, 2)."""
    boxes = np.hstack([corners, corners + size])
    crossed = crossings(np.broadcast_to(point, corners.shape), corners + size / 2, names).sum(axis=1)
    crossed += crossings(others, (names[:, :2] + names[:, 2:]) / 2, boxes).sum(axis=0)
    return COVERED * overlaps(boxes, names).sum(axis=1) + CROSSED * crossed


def write_names(ax, names, places, *, bold=(), shown=None, others=(), taken=()):
    """Write each name near its point, joined by a line where it had to go further away.

    names: N texts. places: (N, 2) in the units of the axes. bold: names that stand out. shown: (N,) bool,
    which to write; the others only keep their room. others: (M, 2) markers without names, in the same units;
    taken: (K, 4) boxes in shares of the axes; names cover neither. Draw everything else first: limits and
    legend have to be final.
    """
    if ax.figure.get_layout_engine():  # it moves the axes, and names are placed on the final ones
        ax.figure.draw_without_rendering()
    to_points = 72 / ax.figure.dpi
    outlines = [outline(name, SANS, "bold" if name in bold else "normal") for name in names]
    sizes = np.array([(NAME_SIZE * np.ptp(path.vertices[:, 0]) + 1, NAME_HEIGHT) for path in outlines])
    points = ax.transData.transform(places) * to_points
    frame = ax.get_window_extent().extents * to_points
    legend = ax.get_legend()
    taken = [*_boxes(ax, taken), *_around(ax, others)]
    taken = [box * to_points for box in ([*taken, legend.get_window_extent().extents] if legend else taken)]
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


def _boxes(ax, shares):
    """Return boxes (K, 4), in shares of the axes, in pixels."""
    return ax.transAxes.transform(np.reshape(shares, (-1, 2))).reshape(-1, 4) if len(shares) else []


def _around(ax, places):
    """Return the boxes (M, 4) of markers at places (M, 2) of the axes, in pixels."""
    radius = RADIUS * ax.figure.dpi / 72
    middles = ax.transData.transform(places) if len(places) else []
    return [np.hstack([middle - radius, middle + radius]) for middle in middles]


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


def name_lines(ax, x, lines, palette):
    """Write each line's name at its end; where ends lie close, above it where the lines are furthest apart.

    Names that lines would run through there, and those of lines that are one, stand below the chart.
    The lines are drawn, and labelled. The limits are final from here on.
    x: (N,). lines: {name: (N,)}. palette: {name: colour}.
    """
    ax.autoscale_view()
    names, (width, height) = list(lines), ax.get_window_extent().size * 72 / ax.figure.dpi
    to_axes = ax.transData + ax.transAxes.inverted()
    spots = np.array([to_axes.transform(np.column_stack([x, lines[name]])) for name in names])  # (L, N, 2)
    at = _roomiest(spots[..., 1] * height, spots[0, :, 0])
    one = len(names) > 1 and np.ptp(spots[..., 1] * height, axis=0).max() < 1  # in points
    if one or (at is not None and _struck(names, spots * (width, height), at)):
        abreast = sum(KEY_LINE + LETTER * len(name) for name in names) <= width
        return legend_below(ax, len(names) if abreast else 2)
    if at is not None:
        _make_room(ax, spots[:, at, 1].max(), (LINE_LIFT + LINE_SIZE) / height)
    gap = LABEL_PITCH / height
    order = np.argsort(spots[:, -1, 1], kind="stable")
    ends = dict(zip(order, spread(list(spots[order, -1, 1]), gap, 0.03), strict=True))
    for row, name in enumerate(names):
        look = {"textcoords": "offset points", "color": palette[name], "fontweight": "bold", "zorder": 5,
                "fontsize": LINE_SIZE, "path_effects": [withStroke(linewidth=4, foreground="white")]}
        if at is None:
            ax.annotate(name, (1, ends[row]), xycoords="axes fraction", xytext=(8, 0), va="center", **look)
        else:
            spot = x[at], lines[name][at]
            ax.annotate(name, spot, xytext=(0, LINE_LIFT), ha="center", va="bottom", **look)


def _make_room(ax, top, need):
    """Raise the upper limit where a name above a line at `top` would stand outside; shares of the height."""
    if top + need > 1:
        ax.set_ylim(top=ax.transData.inverted().transform(ax.transAxes.transform((0, top + need)))[1])


def _struck(names, spots, at):
    """Return whether any line (L, N, 2), in points, runs through a name that stands above its spot `at`."""
    wide = [LINE_SIZE * np.ptp(outline(name, SANS, "bold").vertices[:, 0]) for name in names]
    half = np.column_stack([wide, np.full(len(names), LINE_SIZE)]) / 2
    middle = spots[:, at] + (0, LINE_LIFT + LINE_SIZE / 2)
    starts, ends = (np.reshape(part, (-1, 2)) for part in (spots[:, :-1], spots[:, 1:]))
    return crossings(starts, ends, np.hstack([middle - half, middle + half])).any()


def _roomiest(heights, across):
    """Return where the lines (L, N) are furthest apart, if their ends are too close for names; else None."""
    if len(heights) < 2 or heights.shape[1] < 5:
        return None
    apart = np.diff(np.sort(heights, axis=0), axis=0).min(axis=0)
    inside = (across > 0.12) & (across < 0.8)
    best = int(np.argmax(np.where(inside, apart, -1)))
    return best if apart[-1] < LABEL_PITCH and apart[best] >= 1.25 * LABEL_PITCH and inside[best] else None

"""Other forms of a figure, made without its plot knowing: in panels, and narrow.

Panels that stand side by side can stack on a narrow screen; one panel is drawn anew, less wide, with letters
of the same size.
"""

import contextlib

import numpy as np
from matplotlib.text import Text

from moeviz.style import TITLE_LETTER, Layout, wrapped

OVERLAP = 4  # pixels that neighbouring panels may share
NARROW, ROOMY = 6.2, 0.7  # inches: letters of 12 points are 10 pixels high where it fills a phone; beyond it


def panels_of(figure, frame):
    """Return the panels of a figure that has some side by side, in reading order; an empty list otherwise.

    A panel is [left, top, right, bottom] in pixels of the picture. frame: what the picture shows of the
    figure, a box in inches.
    """
    renderer = figure.canvas.get_renderer()
    left, _, _, top = np.array(frame.extents) * figure.dpi
    parts = [part for part in (*figure.axes, *figure.texts, *figure.legends) if part.get_visible()]
    table = _table_of(figure)
    if len(parts) < 2:
        return [] if table is None else _parts(table, frame, table.moeviz_columns[1])
    boxes = {part: box.extents for part in parts if (box := part.get_tightbbox(renderer))}
    for bar in [part for part in boxes if part.get_label() == "<colorbar>"]:
        box = boxes.pop(bar)  # belongs to what stands before it
        host = min(boxes, key=lambda part: abs(box[0] - boxes[part][2]))
        boxes[host] = united([boxes[host], box])
    titled = [ax.get_position().y0 for ax in figure.axes if ax.get_title() or ax.get_title(loc="left")]
    heads = len(titled) < len(figure.axes) and np.ptp(titled or [0, 1]) == 0  # of columns
    panels = cut([(x0 - left, top - y1, x1 - left, top - y0) for x0, y0, x1, y1 in boxes.values()],
                 (0, 1) if heads else (1, 0))
    rows = apart(panels, 1)
    return [[round(value) for value in panel] for panel in panels] if len(rows) < len(panels) else []


def _table_of(figure):
    """Return the axes of a figure that is a drawn table alone, else None."""
    return figure.axes[0] if len(figure.axes) == 1 and hasattr(figure.axes[0], "moeviz_columns") else None


def _parts(ax, frame, sides, first=True):
    """Return parts of a drawn table, (left, right) of each, as boxes in pixels; the first has the title."""
    dpi, (left, low, _, high) = ax.figure.dpi, frame.extents
    tall = round((high - low) * dpi)
    titles = [text for text in ax.get_children() if isinstance(text, Text)
              and text.get_text() in {ax.get_title(), ax.get_title(loc="left")} - {""}]
    below = max((round(high * dpi - text.get_window_extent().y0) for text in titles), default=0)
    ends = [[round(ax.transData.transform((x, 0))[0] - left * dpi) for x in side] for side in sides]
    return [[start, 0 if first and not at else below, end, tall] for at, (start, end) in enumerate(ends)]


def cut(boxes, sides=(1, 0)):
    """Return boxes (left, top, right, bottom) united to rows and columns wherever no gap is between them.

    sides: what is cut first, rows (1) or columns (0).

    >>> cut([(0, 0, 40, 9), (50, 0, 90, 9), (0, 20, 40, 35), (0, 29, 40, 50)])
    [(0, 0, 40, 9), (50, 0, 90, 9), (0, 20, 40, 50)]
    """
    for low in sides:
        groups = apart(boxes, low)
        if len(groups) > 1:
            return [panel for group in groups for panel in cut(group, sides)]
    return [united(boxes)]


def apart(boxes, low):
    """Return the boxes in groups with a gap between them, along x (low 0) or y (low 1)."""
    groups, end = [], -np.inf
    for box in sorted(boxes, key=lambda box: box[low]):
        if box[low] >= end - OVERLAP:
            groups.append([])
        groups[-1].append(box)
        end = max(end, box[low + 2])
    return groups


def united(boxes):
    """Return the box around boxes."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def labels_of(figure, frame, panels):
    """Return for each panel where the labels of its rows stand: [left, top, right, bottom], or None.

    Panels in a row may share one scale, whose labels only the first of them has; a panel that stands alone
    takes them along. frame, panels: as in `panels_of`.
    """
    renderer = figure.canvas.get_renderer()
    left, _, _, top = np.array(frame.extents) * figure.dpi
    found, table = [None] * len(panels), _table_of(figure)
    if table is not None and panels:
        return [None, *_parts(table, frame, table.moeviz_columns[:1], first=False) * (len(panels) - 1)]
    for ax in figure.axes:
        place = ax.get_window_extent(renderer)
        x, y = (place.x0 + place.x1) / 2 - left, top - (place.y0 + place.y1) / 2
        at = next((at for at, (x0, y0, x1, y1) in enumerate(panels) if x0 <= x <= x1 and y0 <= y <= y1), None)
        first = None if at is None or _has_labels(ax) else _first_of(ax)
        if first is not None:
            box = first.yaxis.get_tightbbox(renderer)  # what stands lower belongs to the other scale
            found[at] = [round(box.x0 - left), panels[at][1], round(first.bbox.x0 - left),
                         min(panels[at][3], round(top - box.y0))]
    return found


def _has_labels(ax):
    return bool(ax.yaxis.get_tick_params().get("labelleft", True))


def _first_of(ax):
    """Return the axes in the row of `ax` that has the labels of the scale they share, or None."""
    row = sorted(ax.get_shared_y_axes().get_siblings(ax), key=lambda other: other.bbox.x0)
    return next((other for other in row
                 if _has_labels(other) and abs(other.bbox.y0 - ax.bbox.y0) < OVERLAP), None)


@contextlib.contextmanager
def narrowed(figure):
    """Make a figure with panels in one column less wide for a while; yield whether it can be read like that.

    It cannot where a drawing keeps its shape, where outlines of letters were placed for the old width, or
    where texts would run into each other.
    """
    wide = figure.get_figwidth()
    if wide <= NARROW + ROOMY / 2 or not all(map(_may_change, figure.axes)) or not _is_one_column(figure):
        yield False
        return
    before, state = clashes(figure), _state(figure)
    _wrap(figure, wide)
    _squeeze(figure, wide)
    figure.draw_without_rendering()
    yield clashes(figure) <= before and figure.get_tightbbox().width <= NARROW + ROOMY
    _restore(figure, wide, *state)


def _wrap(figure, wide):
    """Write titles in more lines, and keys that are too wide in one column."""
    for title in (title for ax in figure.axes for title in (ax.title, ax._left_title) if title.get_text()):
        room = NARROW - title.axes.get_position().x0 * wide
        title.set_text(wrapped(title.get_text().replace("\n", " "), int(room / TITLE_LETTER)))
    for legend in filter(None, (ax.get_legend() for ax in figure.axes)):
        if legend.get_window_extent().width > NARROW * figure.dpi:
            legend.set_ncols(1)


def _state(figure):
    """Return what `narrowed` changes: the layout engine, titles, places of axes, columns of keys."""
    titles = [(title, title.get_text()) for ax in figure.axes for title in (ax.title, ax._left_title)]
    places = [(ax, ax.get_position(original=True)) for ax in figure.axes]
    keys = [(legend, legend._ncols) for legend in (ax.get_legend() for ax in figure.axes) if legend]
    return figure.get_layout_engine(), titles, places, keys


def _restore(figure, wide, engine, titles, places, keys):
    figure.set_figwidth(wide)
    figure.set_layout_engine(engine or "none")
    for title, text in titles:
        title.set_text(text)
    for ax, place in places:
        ax.set_position(place)
        ax.set_in_layout(True)
    for legend, columns in keys:
        legend.set_ncols(columns)


def _may_change(ax):
    return ax.get_aspect() == "auto" and all(each.get_in_layout() for each in ax.collections)


def _is_one_column(figure):
    starts = [ax.get_position().x0 for ax in figure.axes if ax.get_label() != "<colorbar>"]
    return np.ptp(starts or [1]) < 1e-3


def _squeeze(figure, wide):
    """Give a figure that was `wide` its new width; margins stay as wide as they are, in inches."""
    engine = figure.get_layout_engine()
    figure.set_figwidth(NARROW)
    if isinstance(engine, Layout):
        figure.set_layout_engine(Layout())
        return
    boxes = {ax: ax.get_position(original=True).bounds for ax in figure.axes}
    left = min(x for x, *_ in boxes.values()) * wide
    right = wide - max(x + width for x, _, width, _ in boxes.values()) * wide
    share = (NARROW - left - right) / (wide - left - right)
    for ax, (x, y, width, height) in boxes.items():
        place = (left + (x * wide - left) * share, width * wide * share)
        ax.set_position((place[0] / NARROW, y, place[1] / NARROW, height))


def clashes(figure):
    """Return how many pairs of texts run into each other."""
    renderer = figure.canvas.get_renderer()
    boxes = np.array([Text.get_window_extent(text, renderer).padded(-1.5).extents for text in _texts(figure)])
    low, high = boxes[:, None], boxes[None]
    over = np.minimum(low[..., 2:], high[..., 2:]) - np.maximum(low[..., :2], high[..., :2])
    return int(np.triu((over > 0).all(axis=2), 1).sum())


def _texts(figure):
    """Return the texts of a figure that are drawn; ticks beyond the ends of an axis are not."""
    ticks = [(axis, tick) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)
             for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())]
    beyond = {id(label) for axis, tick in ticks for label in (tick.label1, tick.label2)
              if not axis.axes.axison or not _within(axis, tick)}
    return [text for text in figure.findobj(Text)
            if text.get_visible() and text.get_text().strip() and id(text) not in beyond]


def _within(axis, tick):
    low, high = sorted(axis.get_view_interval())
    return low <= tick.get_loc() <= high

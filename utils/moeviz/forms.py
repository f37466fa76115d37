"""Other forms of a figure, made without its plot knowing: for a dark ground, in panels, and narrow.

A plot chooses colours for white paper. They are exchanged while a figure is drawn: each colour of the style
has a partner on the dark ground, an expert keeps its own, and a text is light or dark as what it stands on
asks. Panels that stand side by side can stack on a narrow screen; one panel is drawn anew, less wide, with
letters of the same size.
"""

import contextlib
import functools

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from moeviz.style import (
    AROUND,
    HEAT,
    OKABE_ITO,
    PALER,
    SERIES,
    TITLE_LETTER,
    Layout,
    contrast,
    on_white,
    wrapped,
)

GROUND, LIGHT = "#14171c", "#eceff2"  # the page's; of ink
HEAT_DARK = [GROUND, "#23395f", "#3f66ad", "#86a9e0", "#dbe7fb"]
AROUND_DARK = ["#eccf9c", "#8a6536", GROUND, "#4a74ba", "#cfe0fb"]
STEPS = 128  # shades of a ramp
MOST = 4096  # colours of what is drawn; more have photographs, which stay as they are
NEAR = 0.05  # in RGB; a colour farther from every ramp is no shade of the style's
SEEN, READ = 3.0, 4.5  # contrast of what is to be seen, and of what is to be read
OVERLAP = 4  # pixels that neighbouring panels may share
NARROW, ROOMY = 6.2, 0.7  # inches: letters of 12 points are 10 pixels high where it fills a phone; beyond it
COLOURED = {"draw_path": (2,), "draw_markers": (4,), "draw_path_collection": (5, 6), "draw_quad_mesh": (6, 8),
            "draw_gouraud_triangles": (1,), "draw_image": (2,), "draw_text": (),
            "draw_tex": ()}  # places of colours among the arguments after the first


class BothCanvas(FigureCanvasAgg):
    """A canvas that draws a figure as it is and for the dark theme at once, which takes little longer.

    What takes time is to measure and to place everything, and that is done for both.

    >>> from matplotlib.figure import Figure
    >>> canvas = BothCanvas(Figure())
    >>> canvas.draw(), to_hex(canvas.night()[0, 0] / 255)
    (None, '#14171c')
    """

    def get_renderer(self):
        """Return matplotlib's renderer; whatever it draws, another one draws in other colours."""
        renderer = super().get_renderer()
        if not hasattr(renderer, "night"):
            night = renderer.night = RendererAgg(renderer.width, renderer.height, renderer.dpi)
            for each in (renderer, night):
                each.get_text_width_height_descent = functools.partial(_measured, renderer.dpi)
                each.draw_text = functools.partial(_write, each, each.draw_text)
            for name, places in COLOURED.items():
                setattr(renderer, name, _both(getattr(renderer, name), _exchanged(night, name, places)))
            renderer.clear = _both(renderer.clear, night.clear)
        return renderer

    def night(self):
        """Return the pixels (H, W, 4) uint8 of the dark form, of the size of `buffer_rgba`."""
        return np.array(self.renderer.night.buffer_rgba())


def _both(one, other):
    """Return a function that calls two in turn."""
    def both(*given, **more):
        one(*given, **more)
        other(*given, **more)

    return both


def _exchanged(renderer, name, places):
    """Return a method of the renderer that draws with the partners of its colours."""
    draw = getattr(renderer, name)

    def drawn(gc, *given, **more):
        own = renderer.new_gc()
        own.copy_properties(gc)
        own.set_foreground(partner(tuple(gc.get_rgb())), isRGBA=True)
        if gc.get_hatch_color() is not None:
            own.set_hatch_color(partner(tuple(gc.get_hatch_color())))
        given = [partner(each) if at in places else each for at, each in enumerate(given)]
        if name == "draw_text":
            x, y, words, prop, angle = given[:5]
            own.set_foreground(_ink(own.get_rgb(), _below_text(renderer, x, y, words, prop, angle)))
        if name == "draw_path_collection" and not np.any(given[7]):  # filled outlines, letters among them
            given[5] = given[6] = _inks(renderer, *given[:6])
        elif name == "draw_path_collection" and len(given[1]) == 1:  # marks, of which black ones were chosen
            given[5], given[6] = (_inks(renderer, *given[:5], colors, inks=(LIGHT,)) for colors in given[5:7])
        return draw(own, *given, **more)

    return drawn


class _Letters(list):
    """What stands in for matplotlib's drawing of pixels, and keeps the pictures of letters it is given."""

    def draw_text_image(self, image, x, y, angle, gc):
        self.append((np.array(image), x, y, angle))


def _write(renderer, draw, gc, x, y, words, prop, angle, ismath=False, mtext=None):
    """Draw a text from pictures of its letters, made once for both themes and for every frame of a film.

    draw: matplotlib's own way, which takes ten times as long; formulas need it, and what features of a font
    or a language change.
    """
    if ismath or any(getattr(mtext, f"get_{name}", bool)() for name in ("fontfeatures", "language")):
        return draw(gc, x, y, words, prop, angle, ismath=ismath, mtext=mtext)
    smooth = bool(gc.get_antialiased())
    for image, left, top, turn in _letters(words, prop, x, y, angle, renderer.height, renderer.dpi, smooth):
        renderer._renderer.draw_text_image(image, left, top, turn, gc)


@functools.lru_cache(maxsize=5_000)
def _letters(words, prop, x, y, angle, height, dpi, smooth):
    """Return the pictures of letters that a text at a place consists of, [(pixels, x, y, angle), ...]."""
    writer = RendererAgg(1, 1, dpi)
    writer.height, writer._renderer, gc = height, _Letters(), writer.new_gc()
    gc.set_antialiased(smooth)
    writer.draw_text(gc, x, y, words, prop, angle)
    return tuple(writer._renderer)


@functools.lru_cache(maxsize=10_000)
def _measured(dpi, words, prop, ismath):
    """Return the width, the height and the descent of a text in pixels."""
    return RendererAgg(1, 1, dpi).get_text_width_height_descent(words, prop, ismath)


def _below_text(renderer, x, y, words, prop, angle):
    """Return the pixels (N, 3) on which a text will stand."""
    wide, high, _ = _measured(renderer.dpi, words, prop, False)
    if 45 < angle % 180 < 135:
        x, wide, high = x - high, high, wide
    left, top, right, bottom = (max(round(edge), 0) for edge in (x, y - high, x + wide, y))
    return np.asarray(renderer.buffer_rgba())[top:bottom, left:right, :3].reshape(-1, 3)


def _inks(renderer, master, paths, transforms, offsets, offset_transform, colors, inks=(LIGHT, GROUND)):
    """Return colours (N, 4) of N outlines: ink that can be read where they stand, all others as they are."""
    if not len(colors):
        return colors
    seen, places = np.asarray(renderer.buffer_rgba()), offset_transform.transform(offsets)
    colors = np.resize(colors, (max(len(paths), len(places)) if len(paths) else 0, 4))
    for at in np.flatnonzero([to_hex(color) in inks for color in colors]):
        own = Affine2D(transforms[at % len(transforms)]) if len(transforms) else Affine2D()
        points = (own + master).transform(_drawn(paths[at % len(paths)]))
        x, y = np.rint((points.min(axis=0) + points.max(axis=0)) / 2 + places[at % len(places)])
        if 0 <= x < seen.shape[1] and 0 < y <= len(seen):
            colors[at] = _ink(colors[at], seen[len(seen) - int(y), int(x)][None, :3])
    return colors


def _drawn(path):
    """Return the points (N, 2) of a path; one that closes it counts for nothing."""
    return path.vertices if path.codes is None else path.vertices[path.codes != Path.CLOSEPOLY]


def _ink(color, below):
    """Return a colour, or light or dark ink where it cannot be read on the pixels (N, 3) below it."""
    ground = np.median(below, axis=0) / 255 if len(below) else to_rgb(GROUND)
    return _ink_on(tuple(color), tuple(ground))


@functools.lru_cache(maxsize=10_000)
def _ink_on(color, ground):
    if contrast(color[:3], ground) >= READ:
        return color
    if np.ptp(color[:3]) > NEAR:  # an expert's or a line's: it stays recognisable
        shades = (tuple(1 - (1 - np.array(color[:3])) * share) for share in np.linspace(1, 0, 21))
        tinted = next((shade for shade in shades if contrast(shade, ground) >= READ), None)
        if tinted is not None:
            return (*tinted, 1.0)
    return (*to_rgb(max((LIGHT, GROUND), key=lambda ink: contrast(ink, ground))), 1.0)


def partner(colors):
    """Return what stands for colours on a dark ground; opacity stays.

    colors: (..., 3) or (..., 4), as numbers up to 1 or as bytes; None stays None. White becomes the ground,
    ink light, a tint a tint of the same colour on the ground, and a colour darkened for white paper itself.

    >>> to_hex(partner(to_rgb("white"))), to_hex(partner(to_rgb("#E69F00")))
    ('#14171c', '#e69f00')
    """
    if colors is None or not len(colors):
        return colors
    if isinstance(colors, tuple):  # one colour, as most are
        return (*_partner(*colors[:3]), *colors[3:])
    given = np.asarray(colors)
    scale = 255 if given.dtype == np.uint8 else 1
    different, places = np.unique(given[..., :3].reshape(-1, 3) / scale, axis=0, return_inverse=True)
    if len(different) > MOST:
        return given
    exchanged = np.array([_partner(*color) for color in different.tolist()])[places.ravel()]
    changed = given.astype(float)
    changed[..., :3] = exchanged.reshape(given[..., :3].shape) * scale
    return np.rint(changed).astype(np.uint8) if scale == 255 else changed


@functools.lru_cache(maxsize=100_000)
def _partner(*color):
    if (name := to_hex(color)) in PALER:
        return to_rgb(PALER[name])
    if own := _darkened().get(to_hex(color)):
        return own
    light, dark = _ramps()
    distance = np.abs(light - color).max(axis=1)
    place = int(distance.argmin())
    return tuple(dark[place]) if distance[place] <= NEAR else lifted(color)


@functools.cache
def _darkened():
    """Return {hex: colour}: experts' colours made darker for lines on white, like tints of others."""
    return {to_hex(on_white(color)): lifted(to_rgb(color)) for color in OKABE_ITO[:7]}


@functools.cache
def _ramps():
    """Return shades of the style (N, 3) and their partners (N, 3): tints, darkened ones, maps of values."""
    pairs = [_between(("white", "black"), (GROUND, LIGHT))]
    pairs += [(_shades(ramp), _shades(LinearSegmentedColormap.from_list("dark", there)))
              for ramp, there in ((HEAT, HEAT_DARK), (AROUND, AROUND_DARK))]
    for color in (*OKABE_ITO[:7], *SERIES):
        own = to_hex(lifted(to_rgb(color), READ if color in SERIES else SEEN))
        pairs += [_between(("white", color), (GROUND, own)),
                  _between((color, "black"), (own, own), end=0.5)]
    many = [tuple(shade) for shade in _shades(colormaps["viridis"])]  # experts beyond eight keep theirs, too
    pairs.append((np.array(many), np.array([lifted(shade) for shade in many])))
    light, dark = zip(*pairs, strict=True)
    return np.concatenate(light), np.concatenate(dark)


def _between(here, there, end=1.0):
    share = np.linspace(0, end, STEPS)[:, None]
    return tuple((1 - share) * to_rgb(first) + share * to_rgb(last) for first, last in (here, there))


def _shades(ramp):
    return ramp(np.linspace(0, 1, 2 * STEPS))[:, :3]


def lifted(color, least=SEEN):
    """Return a colour (3,), or a lighter shade of it that has this contrast to the dark ground.

    >>> to_hex(lifted((0.0, 0.0, 0.0)))
    '#666666'
    """
    shades = (tuple(1 - (1 - np.array(color)) * share) for share in np.linspace(1, 0, 51))
    return next(shade for shade in shades if contrast(shade, GROUND) >= least)


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


def _parts(ax, frame, sides):
    """Return parts of a drawn table from top to bottom: (left, right) of each as boxes in pixels."""
    dpi, (left, low, _, high) = ax.figure.dpi, frame.extents
    tall = round((high - low) * dpi)
    ends = [[round(ax.transData.transform((x, 0))[0] - left * dpi) for x in side] for side in sides]
    return [[start, 0, end, tall] for start, end in ends]


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
        return [None, *_parts(table, frame, table.moeviz_columns[:1]) * (len(panels) - 1)]
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

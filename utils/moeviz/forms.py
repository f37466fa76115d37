"""Other forms of a figure, made without its plot knowing: for a dark ground, and taken apart into panels.

A plot chooses colours for white paper. They are exchanged while a figure is drawn: each colour of the style
has a partner on the dark ground, an expert keeps its own, and a text is light or dark as what it stands on
asks. Panels that stand side by side can stack on a narrow screen.
"""

import functools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.transforms import Affine2D

from moeviz.style import AROUND, HEAT, OKABE_ITO, SERIES, contrast

GROUND, LIGHT = "#14171c", "#eceff2"  # the page's; of ink
HEAT_DARK = [GROUND, "#23395f", "#3f66ad", "#86a9e0", "#dbe7fb"]
AROUND_DARK = ["#eccf9c", "#8a6536", GROUND, "#4a74ba", "#cfe0fb"]
STEPS = 128  # shades of a ramp
MOST = 4096  # colours of what is drawn; more have photographs, which stay as they are
NEAR = 0.05  # in RGB; a colour farther from every ramp is no shade of the style's
SEEN, READ = 3.0, 4.5  # contrast of what is to be seen, and of what is to be read
OVERLAP = 4  # pixels that neighbouring panels may share
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
        own.set_foreground(tuple(partner(gc.get_rgb())), isRGBA=True)
        if gc.get_hatch_color() is not None:
            own.set_hatch_color(tuple(partner(gc.get_hatch_color())))
        given = [partner(each) if at in places else each for at, each in enumerate(given)]
        if name == "draw_text":
            x, y, words, prop, angle = given[:5]
            own.set_foreground(_ink(own.get_rgb(), _below_text(renderer, x, y, words, prop, angle)))
        if name == "draw_path_collection" and not np.any(given[7]):  # filled outlines, letters among them
            given[5] = given[6] = _inks(renderer, *given[:6])
        return draw(own, *given, **more)

    return drawn


def _below_text(renderer, x, y, words, prop, angle):
    """Return the pixels (N, 3) on which a text will stand."""
    wide, high, _ = renderer.get_text_width_height_descent(words, prop, ismath=False)
    if 45 < angle % 180 < 135:
        x, wide, high = x - high, high, wide
    left, top, right, bottom = (max(round(edge), 0) for edge in (x, y - high, x + wide, y))
    return np.asarray(renderer.buffer_rgba())[top:bottom, left:right, :3].reshape(-1, 3)


def _inks(renderer, master, paths, transforms, offsets, offset_transform, colors):
    """Return colours (N, 4) of N outlines: ink that can be read where they stand, all others as they are."""
    seen, places = np.asarray(renderer.buffer_rgba()), offset_transform.transform(offsets)
    colors = np.resize(colors, (max(len(paths), len(places)) if len(paths) else 0, 4))
    for at in np.flatnonzero([to_hex(color) in (LIGHT, GROUND) for color in colors]):
        own = Affine2D(transforms[at % len(transforms)]) if len(transforms) else Affine2D()
        box = paths[at % len(paths)].get_extents((own + master).frozen())
        x, y = np.rint((box.min + box.max) / 2 + places[at % len(places)])
        if 0 <= x < seen.shape[1] and 0 < y <= len(seen):
            colors[at] = _ink(colors[at], seen[len(seen) - int(y), int(x)][None, :3])
    return colors


def _ink(color, below):
    """Return a colour, or light or dark ink where it cannot be read on the pixels (N, 3) below it."""
    ground = np.median(below, axis=0) / 255 if len(below) else to_rgb(GROUND)
    if contrast(color[:3], ground) >= READ:
        return color
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
    light, dark = _ramps()
    distance = np.abs(light - color).max(axis=1)
    place = int(distance.argmin())
    return tuple(dark[place]) if distance[place] <= NEAR else lifted(color)


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

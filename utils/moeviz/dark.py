"""A figure for a dark ground, drawn at once with the one for white paper, without its plot knowing.

A plot chooses colours for white paper. They are exchanged while a figure is drawn: each colour of the style
has a partner on the dark ground, an expert keeps its own, and a text is light or dark as what it stands on
asks.
"""

import functools
from io import BytesIO

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from PIL import Image

from moeviz.palette import AROUND, HEAT, OKABE_ITO, PALER, SERIES, contrast, on_white

GROUND, LIGHT = "#14171c", "#eceff2"  # the page's; of ink
HEAT_DARK = [GROUND, "#23395f", "#3f66ad", "#86a9e0", "#dbe7fb"]
AROUND_DARK = ["#eccf9c", "#8a6536", GROUND, "#4a74ba", "#cfe0fb"]
STEPS = 128  # shades of a ramp
MOST = 4096  # colours of what is drawn; more have photographs, which stay as they are
NEAR = 0.05  # in RGB; a colour farther from every ramp is no shade of the style's
SEEN, READ = 3.0, 4.5  # contrast of what is to be seen, and of what is to be read
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


def small(pixels):
    """Return pixels (H, W, 4) as the bytes of a PNG of up to 256 colours: a third of one with all of them.

    >>> small(np.zeros((2, 2, 4), np.uint8))[:4]
    b'\\x89PNG'
    """
    file = BytesIO()
    Image.fromarray(pixels[..., :3]).quantize(256, Image.Quantize.FASTOCTREE).save(file, "png")
    return file.getvalue()

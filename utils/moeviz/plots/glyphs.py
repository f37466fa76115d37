"""Many small texts as outlines, drawn five times faster than as many Text artists: in data coordinates, where
they scale with the cells they stand in, or in points."""

from functools import lru_cache

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from moeviz.style import MONO

SANS = ("DejaVu Sans",)
CAP_HEIGHT = 0.73  # of the type size, in DejaVu


@lru_cache(maxsize=4096)
def outline(text, family=MONO, weight="normal"):
    """Return the outline of `text` in units of the type size, centred sideways and on a capital's height."""
    if not text.strip():
        return Path(np.zeros((1, 2)))
    path = TextPath((0, 0), text, size=100, prop=FontProperties(family=family, weight=weight))
    x, y = path.vertices.T / 100
    return Path(np.stack([x - (x.min() + x.max()) / 2, y - CAP_HEIGHT / 2], axis=1), path.codes)


@lru_cache(maxsize=4096)
def can_draw(text):
    """Say whether every character is printable and has a glyph in the course's fonts.

    >>> can_draw("a"), can_draw("語")
    (True, False)
    """
    fonts = [get_font(findfont(family)) for family in MONO]
    return text.isprintable() and all(
        any(font.get_char_index(ord(char)) for font in fonts) for char in text)


def readable(labels, text_bytes=None):
    """Replace each label that the fonts cannot draw by the hex of its byte.

    labels: T texts. text_bytes: the T bytes of the text; without it the first byte of the label's UTF-8.

    >>> readable(["a", "語"])
    ['a', 'e8']
    """
    if text_bytes is None:
        text_bytes = [label.encode("utf-8", "surrogatepass")[0] if label else 0 for label in labels]
    return [label if can_draw(label) else f"{int(value):02x}"
            for label, value in zip(labels, text_bytes, strict=True)]


def draw_glyphs(ax, texts, places, *, size, colors, cell, zorder=3):
    """Draw each text centred on its place (N, 2) as one artist, and return it.

    size: points, one for all or one per text. cell: (width, height) in inches of one data unit, which
    makes the points come true at the default figure size; a negative height for an axis that points down.
    """
    sizes = np.broadcast_to(size, len(texts))[:, None] / (72 * np.asarray(cell))
    paths = [Path(outline(text).vertices * scale + place, outline(text).codes)
             for text, scale, place in zip(texts, sizes, np.reshape(places, (-1, 2)), strict=True)]
    glyphs = PathCollection(paths, facecolors=colors, edgecolors="none", linewidths=0, zorder=zorder,
                            transform=ax.transData)
    glyphs.set_in_layout(False)  # the layout would measure every outline
    return ax.add_collection(glyphs, autolim=False)


def draw_outlines(ax, outlines, places, *, size, shifts=((0, 0),), **look):
    """Draw each outline at its place (N, 2) as one artist, `size` points large, and return it.

    shifts: (N, 2) or one for all, in points. The size stays where the axes or their figure change theirs.
    """
    shifts = np.broadcast_to(shifts, (len(outlines), 2))
    paths = [Path(path.vertices * size + shift, path.codes)
             for path, shift in zip(outlines, shifts, strict=True)]
    glyphs = PathCollection(paths, offsets=places, offset_transform=ax.transData, **{"linewidths": 0} | look)
    glyphs.set_transform(Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans)
    glyphs.set_in_layout(False)
    return ax.add_collection(glyphs, autolim=False)

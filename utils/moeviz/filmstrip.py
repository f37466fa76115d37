"""A plot over a parameter as self-contained HTML: a slider over pictures, without kernel or network.

The frames are drawn by the same functions as everywhere else, for both themes; below stand the words and the
tables of the frame that is shown. Where scripts do not run, one frame stands still; the player is the file
data/filmstrip.html.
"""

import json
from base64 import b64encode
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.transforms import Bbox

from moeviz.arrays import check_count
from moeviz.dark import BothCanvas
from moeviz.forms import labels_of, panels_of, united
from moeviz.style import describe, tables_of
from moeviz.tables import as_html

MAX_BYTES = 700_000  # with the pictures of both themes
SHADES = 31  # per channel: what is rounded away is never more than 4 of 255, and half the bytes go with it
NEAR, FINE = 24, 3.0  # of 255: shades so near to the ground differ by less, for pale tints to keep their hue
PLAYER = Path(__file__).with_name("data") / "filmstrip.html"


class TooLargeError(ValueError):
    """A filmstrip of more than MAX_BYTES."""


class Shot(NamedTuple):
    """One frame: pixels (H, W, 4) uint8, the same for the dark theme; alt text, tables, panels.

    panels: each its boxes from left to right, with the labels of its rows first where others have them.
    """

    pixels: np.ndarray
    night: np.ndarray
    alt: str
    tables: list
    panels: list
    sources: dict  # {(height, width): its two pictures}, packed once for all strips


class Html(str):
    """A text that notebooks show as HTML."""

    def _repr_html_(self):
        return str(self)


def filmstrip(plot, frames, *, captions, label, start=0):
    """Return HTML with a slider over the pictures that `plot(frame)` draws, one per frame.

    plot: returns the Axes, array of Axes or Figure of a new figure, which is closed here, or a Shot. Smaller
    figures get white margins, so that nothing jumps. captions: one text per frame. label: what moves.
    start: the frame that is shown first, and the only one without scripts. The alt text of a frame is
    `style.describe`, its tables are `style.tables_of`. Raises ValueError naming a wrong argument, and
    TooLargeError, a ValueError, for more than 700 kB.

    >>> from moeviz import plots
    >>> loads = [[[0.5, 0.5]] * 9, [[0.9, 0.1]] * 9]
    >>> page = filmstrip(plots.plot_load_film, loads, captions=["even", "uneven"], label="routers")
    >>> page.count('type="range"'), len(page) < MAX_BYTES
    (1, True)
    """
    frames, captions = list(frames), [str(caption) for caption in captions]
    if not frames or len(frames) != len(captions):
        raise ValueError(f"captions must be one per frame, got {len(captions)} for {len(frames)} frames")
    if not str(label).strip():
        raise ValueError("label must say what moves, got an empty text")
    start = check_count(start, "start", low=0, high=len(frames) - 1)
    page = _page([shoot(plot(frame)) for frame in frames], captions, str(label), start)
    if len(page.encode()) > MAX_BYTES:
        raise TooLargeError(f"frames make {len(page.encode()):,} bytes of HTML, more than {MAX_BYTES:,}")
    return page


def picture(pixels):
    """Return (type, bytes) of a small image file of pixels (H, W, 4) uint8: lossless WebP, or else PNG.

    >>> picture(np.full((2, 2, 4), 255, dtype=np.uint8))[0]
    'image/webp'
    """
    ground = pixels[0, 0].astype(float)  # stays what it is, no seam shows
    away = np.arange(256)[:, None] - ground  # (256, 4), for a picture has many pixels
    step = np.where(np.abs(away) <= NEAR, FINE, 255 / SHADES)
    shades = np.rint(ground + np.rint(away / step) * step).clip(0, 255).astype(np.uint8)
    rounded = np.empty_like(pixels)
    for channel in range(4):
        rounded[..., channel] = np.take(shades[:, channel], pixels[..., channel])
    small = {"lossless": True, "quality": 60, "method": 2}  # more effort gains nothing
    for name, options in (("webp", small), ("png", {"optimize": True})):
        file = BytesIO()
        try:
            plt.imsave(file, rounded, format=name, pil_kwargs=options)
        except (KeyError, OSError):  # a Pillow that was built without WebP
            continue
        return f"image/{name}", file.getvalue()
    raise ValueError("pixels could not be written: Pillow knows neither WebP nor PNG")


def shoot(drawn):
    """Return the Shot of what was drawn, and close its figure; a Shot stays as it is."""
    if isinstance(drawn, Shot):
        return drawn
    figure = _figure_of(drawn)
    canvas = BothCanvas(figure)
    canvas.draw()
    pixels = np.array(canvas.buffer_rgba()), canvas.night()
    frame = Bbox.from_bounds(0, 0, *figure.get_size_inches())
    panels = panels_of(figure, frame)
    panels = [[strip, panel] if strip else [panel]
              for strip, panel in zip(labels_of(figure, frame, panels), panels, strict=True)]
    plt.close(figure)
    return Shot(*pixels, describe(figure), tables_of(figure), panels, {})


def still(drawn):
    """Return the pixels (H, W, 4) uint8 and the alt text of what was drawn, and close its figure."""
    figure = _figure_of(drawn)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    plt.close(figure)
    return np.array(canvas.buffer_rgba()), describe(figure)


def _figure_of(drawn):
    return drawn if hasattr(drawn, "savefig") else np.ravel(drawn)[0].figure


def _page(shots, captions, label, start):
    """Fill the player with shots and their captions."""
    height, width = np.max([shot.pixels.shape[:2] for shot in shots], axis=0)
    forms = [_sources(shot, height, width) for shot in shots]
    frames = [{"caption": caption, "alt": shot.alt, **form}
              for caption, shot, form in zip(captions, shots, forms, strict=True)]
    frames[start] |= dict.fromkeys(forms[start], "")  # it stands in the page
    player = Template(PLAYER.read_text(encoding="utf-8"))
    return Html(player.substitute(
        label=escape(label), caption=escape(captions[start]), alt=escape(shots[start].alt), width=width,
        height=height, **forms[start], start=start, last=len(frames) - 1,
        frames=_safe(frames), panels=_safe(_panels(shots)),
        numbers="\n".join(_numbers(shot, hidden=at != start) for at, shot in enumerate(shots))))


def _safe(value):
    return json.dumps(value).replace("<", "\\u003c")  # a caption must not end the script


def _panels(shots):
    """Return the panels of all frames, each as large as it is in any; none where frames differ in number."""
    every = [shot.panels for shot in shots]
    if len({tuple(map(len, panels)) for panels in every}) > 1:
        return []
    return [[list(united(boxes)) for boxes in zip(*same, strict=True)] for same in zip(*every, strict=True)]


def _numbers(shot, *, hidden):
    """Return the words and the tables of a frame."""
    tables = "".join(map(as_html, shot.tables))
    return f'<div class="numbers"{" hidden" * hidden}><p>{escape(shot.alt)}</p>{tables}</div>'


def _sources(shot, height, width):
    """Return {"day", "night"}: addresses of a shot with margins."""
    if (height, width) not in shot.sources:
        shot.sources[height, width] = {"day": _source(shot.pixels, height, width),
                                       "night": _source(shot.night, height, width)}
    return shot.sources[height, width]


def _source(pixels, height, width):
    """Return pixels with margins as an address that holds the picture itself."""
    if pixels.shape[:2] != (height, width):
        wide = np.broadcast_to(pixels[0, 0], (height, width, 4)).copy()
        wide[:pixels.shape[0], :pixels.shape[1]] = pixels
        pixels = wide
    kind, data = picture(pixels)
    return f"data:{kind};base64,{b64encode(data).decode()}"

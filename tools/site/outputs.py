"""Outputs of cells as HTML: printed text, figures as small files with alt text and data, filmstrips."""

import base64
import hashlib
import re
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from moeviz.filmstrip import picture
from moeviz.forms import BothCanvas
from moeviz.tables import as_html

PICTURE = re.compile(r"data:image/(webp|png);base64,([A-Za-z0-9+/=]+)")
LONG_LINE = 40  # characters
NARROW, ROOM = 700, 6  # pixels: of a page whose panels stack; around a panel that stands alone
LEGIBLE = 9.5  # pixels of letters that can be read
SMALLEST, DPI = 12, 100  # points of the smallest letters that are drawn, pixels per inch


class Figures:
    """Writes each picture once into the folder `images` of the site."""

    def __init__(self, folder):
        self.folder = folder / "images"
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, pixels):
        """Write pixels (H, W, 4) and return their address in the site."""
        kind, data = picture(pixels)
        return self.write(data, kind.rpartition("/")[2])

    def card(self, drawn):
        """Write the figure of a card for both themes and return {class: address in the site}."""
        canvas = BothCanvas(drawn)
        canvas.draw()
        forms = {"by-day": np.asarray(canvas.buffer_rgba()), "by-night": canvas.night()}
        return {name: self._exact(pixels) for name, pixels in forms.items()}

    def _exact(self, pixels):
        """Write pixels (H, W, 4) with every shade they have."""
        file = BytesIO()
        Image.fromarray(pixels).convert("RGB").save(file, "webp", lossless=True)
        return self.write(file.getvalue(), "webp")

    def write(self, data, suffix):
        """Write the bytes of a picture and return their address in the site."""
        file = self.folder / f"{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"
        file.write_bytes(data)
        return f"images/{file.name}"


def join_streams(outputs):
    """Return outputs with neighbouring prints made one."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last["text"] += output.text
        else:
            joined.append(output.copy())
    return joined


def show(output, figures):
    """Return the HTML of one output, with the figure, if it is one, written to a file."""
    if output.output_type == "stream":
        lines = "\n".join(map(_line, output.text.split("\n")))
        return f'<pre class="printed {escape(output.name)}">{lines}</pre>'
    data = output.get("data", {})
    if "image/png" in data:
        return figure(data["image/png"], output.metadata.get("image/png", {}), figures)
    if "text/html" in data:
        return f'<div class="scroll">{with_files(data["text/html"], figures)}</div>'
    return f'<pre class="printed">{escape(data.get("text/plain", ""))}</pre>'


def with_files(html, figures):
    """Return HTML with the pictures of its filmstrips as files, each but once and in fewer bytes."""
    return PICTURE.sub(lambda found: figures.write(base64.b64decode(found[2]), found[1]), html)


def _line(text):
    """Return a printed line; a sentence, unlike a row of a table, may break on a narrow screen."""
    return escape(text) if "  " in text or len(text) < LONG_LINE else f"<span>{escape(text)}</span>"


def figure(png, metadata, figures):
    """Return a figure, by day and by night, with its alt text and its data folded below."""
    words, narrow = metadata.get("alt", ""), metadata.get("narrow", {})
    smallest = metadata.get("seen", {}).get("smallest") or SMALLEST
    forms = {"by-day": (png, narrow.get("day"))}
    if "dark" in metadata:
        forms["by-night"] = metadata["dark"], narrow.get("dark")
    pictures = "".join(
        picture_of(pixels_of(wide), narrow_of(wide, thin, metadata), words, name, figures, smallest)
        for name, (wide, thin) in forms.items())
    tables = "".join(as_html(each) for each in metadata.get("tables", []))
    return (f'<figure><div class="picture">{pictures}</div><details><summary>In words and numbers</summary>'
            f"<p>{escape(words)}</p>{tables}</details></figure>")


def pixels_of(png):
    """Return the pixels (H, W, 4) of a PNG in base64."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGBA"))


def narrow_of(wide, thin, metadata):
    """Return the pixels of a figure for a narrow screen: drawn for it, its panels in a stack, or None."""
    if thin:
        return pixels_of(thin)
    panels = metadata.get("panels")
    return stacked(pixels_of(wide), panels, metadata.get("labels")) if panels else None


def picture_of(pixels, narrow, words, name, figures, smallest=SMALLEST):
    """Return the HTML of a picture of class `name`, with other pixels for a narrow screen or None.

    Where its smallest letters, in points, would become too small it does not shrink further, but scrolls.
    """
    height, width = pixels.shape[:2]
    source = ""
    if narrow is not None:
        source = (f'<source media="(max-width: {NARROW}px)" srcset="{figures.save(narrow)}" '
                  f'width="{narrow.shape[1]}" height="{narrow.shape[0]}">')
    least = round((width if narrow is None else narrow.shape[1]) * LEGIBLE / (smallest * DPI / 72))
    return (f'<picture class="{name}">{source}<img style="--least: {least}px" src="{figures.save(pixels)}" '
            f'alt="{escape(words)}" width="{width}" height="{height}" loading="lazy"></picture>')


def stacked(pixels, panels, labels=None):
    """Return panels of a picture one below the other: each [left, top, right, bottom] in pixels.

    labels: for each panel where the labels of its rows stand, to be set before it, or None.

    >>> stacked(np.zeros((20, 90, 4), np.uint8), [[0, 0, 40, 20], [50, 0, 90, 18]]).shape
    (40, 46, 4)
    """
    crops = []
    for (left, top, right, bottom), strip in zip(panels, labels or [None] * len(panels), strict=True):
        crop = pixels[max(top - ROOM, 0):bottom + ROOM, max(left - ROOM, 0):right + ROOM]
        if strip:
            names = pixels[max(top - ROOM, 0):strip[3], max(strip[0] - ROOM, 0):strip[2]]
            rest = np.broadcast_to(pixels[0, 0], (len(crop) - len(names), *names.shape[1:]))
            crop = np.concatenate([np.concatenate([names, rest]), crop], axis=1)
        crops.append(crop)
    width = max(crop.shape[1] for crop in crops)
    stack = np.broadcast_to(pixels[0, 0], (sum(map(len, crops)), width, 4)).copy()
    bottom = 0
    for crop in crops:
        stack[bottom:bottom + len(crop), :crop.shape[1]] = crop
        bottom += len(crop)
    return stack

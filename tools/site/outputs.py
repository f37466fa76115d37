"""Outputs of cells as HTML: printed text, figures as small files with alt text and data, filmstrips."""

import base64
import hashlib
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from moeviz.filmstrip import picture
from moeviz.forms import BothCanvas
from moeviz.tables import as_html

LONG_LINE = 40  # characters
WIDE = 680  # pixels; a wider figure is not shrunk below this on a phone, it scrolls
NARROW, ROOM = 700, 6  # of a page whose panels stack; around a panel that stands alone


class Figures:
    """Writes each picture once into the folder `images` of the site."""

    def __init__(self, folder):
        self.folder = folder / "images"
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, pixels):
        """Write pixels (H, W, 4) and return their address in the site."""
        kind, data = picture(pixels)
        return self._write(data, kind.rpartition("/")[2])

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
        return self._write(file.getvalue(), "webp")

    def _write(self, data, suffix):
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
        return f'<div class="scroll">{data["text/html"]}</div>'
    return f'<pre class="printed">{escape(data.get("text/plain", ""))}</pre>'


def _line(text):
    """Return a printed line; a sentence, unlike a row of a table, may break on a narrow screen."""
    return escape(text) if "  " in text or len(text) < LONG_LINE else f"<span>{escape(text)}</span>"


def figure(png, metadata, figures):
    """Return a figure, by day and by night, with its alt text and its data folded below."""
    words, panels = metadata.get("alt", ""), metadata.get("panels", [])
    forms = {"by-day": png} | ({"by-night": metadata["dark"]} if "dark" in metadata else {})
    pictures = "".join(picture_of(pixels_of(data), panels, words, name, figures)
                       for name, data in forms.items())
    tables = "".join(as_html(each) for each in metadata.get("tables", []))
    return (f'<figure><div class="picture">{pictures}</div><details><summary>In words and numbers</summary>'
            f"<p>{escape(words)}</p>{tables}</details></figure>")


def pixels_of(png):
    """Return the pixels (H, W, 4) of a PNG in base64."""
    return np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGBA"))


def picture_of(pixels, panels, words, name, figures):
    """Return the HTML of a picture of class `name`, whose panels stack on a narrow screen."""
    height, width = pixels.shape[:2]
    narrow, least = "", width
    if panels:
        stack = stacked(pixels, panels)
        high, least = stack.shape[:2]
        narrow = (f'<source media="(max-width: {NARROW}px)" srcset="{figures.save(stack)}" width="{least}" '
                  f'height="{high}">')
    wide = ' class="wide"' if least > WIDE else ""
    return (f'<picture class="{name}">{narrow}<img{wide} src="{figures.save(pixels)}" alt="{escape(words)}" '
            f'width="{width}" height="{height}" loading="lazy"></picture>')


def stacked(pixels, panels):
    """Return panels of a picture one below the other: each [left, top, right, bottom] in pixels.

    >>> stacked(np.zeros((20, 90, 4), np.uint8), [[0, 0, 40, 20], [50, 0, 90, 18]]).shape
    (40, 46, 4)
    """
    crops = [pixels[max(top - ROOM, 0):bottom + ROOM, max(left - ROOM, 0):right + ROOM]
             for left, top, right, bottom in panels]
    width = max(crop.shape[1] for crop in crops)
    stack = np.broadcast_to(pixels[0, 0], (sum(map(len, crops)), width, 4)).copy()
    bottom = 0
    for crop in crops:
        stack[bottom:bottom + len(crop), :crop.shape[1]] = crop
        bottom += len(crop)
    return stack

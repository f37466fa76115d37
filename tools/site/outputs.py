"""Outputs of cells as HTML: printed text, figures as small files with alt text and data, filmstrips."""

import base64
import hashlib
import re
from html import escape
from io import BytesIO

import numpy as np
from PIL import Image

from moeviz.dark import BothCanvas
from moeviz.filmstrip import picture
from moeviz.tables import as_html

PICTURE = re.compile(r"data:image/(webp|png);base64,([A-Za-z0-9+/=]+)")
WAITING = re.compile(r"(?:.+: not (?:attempted|named) yet\n?)+")  # what a handout need not say
LONG_LINE = 40  # characters
NARROW, ROOM = 700, 6  # pixels: of a page whose panels stack; around a panel that stands alone
LEGIBLE = 9.5  # pixels of letters that can be read
PHONE = 364  # pixels that a figure has on a page of 400
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
        waiting = " waiting" if WAITING.fullmatch(output.text) else ""
        return f'<pre class="printed {escape(output.name)}{waiting}">{lines}</pre>'
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
    return stacked(pixels_of(wide), panels, metadata.get("labels"), room_of(metadata)) if panels else None


def room_of(metadata):
    """Return how many pixels wide a figure may be whose smallest letters can still be read on a phone."""
    smallest = metadata.get("seen", {}).get("smallest") or SMALLEST
    return PHONE * smallest * DPI / 72 / LEGIBLE


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


def stacked(pixels, panels, labels=None, room=0):
    """Return panels of a picture one below the other, or as many abreast as have room and stood abreast.

    panels: each [left, top, right, bottom] in pixels. labels: for each panel where the labels of its rows
    stand, to be set before it, or None. room: pixels that panels may take abreast.

    >>> pixels, panels = np.zeros((20, 90, 4), np.uint8), [[0, 0, 40, 20], [50, 0, 90, 18]]
    >>> stacked(pixels, panels).shape, stacked(pixels, panels, room=100).shape
    ((40, 46, 4), (20, 92, 4))
    """
    rows, last = [], None
    for panel, strip in zip(panels, labels or [None] * len(panels), strict=True):
        crop = _panel_of(pixels, panel, strip)
        beside = last is not None and panel[1] < last[3] and last[1] < panel[3]
        if beside and sum(each.shape[1] for each, _ in rows[-1]) + crop.shape[1] <= room:
            rows[-1].append((crop, panel[1]))
        else:
            rows.append([(crop, panel[1])])
        last = panel
    lines = [_abreast(row, pixels[0, 0]) for row in rows]
    width = max(line.shape[1] for line in lines)
    return np.concatenate([_on_ground(line, (len(line), width), pixels[0, 0]) for line in lines])


def _panel_of(pixels, panel, strip):
    """Return the pixels of a panel and a little around it, after the labels of its rows, if it needs any."""
    left, top, right, bottom = panel
    crop = pixels[max(top - ROOM, 0):bottom + ROOM, max(left - ROOM, 0):right + ROOM]
    if not strip:
        return crop
    names = pixels[max(top - ROOM, 0):strip[3], max(strip[0] - ROOM, 0):strip[2]]
    return np.concatenate([_on_ground(names, (len(crop), names.shape[1]), pixels[0, 0]), crop], axis=1)


def _abreast(row, ground):
    """Return panels [(pixels, top), ...] side by side, each as high as it stood."""
    highest = min(top for _, top in row)
    tall = max(top - highest + len(crop) for crop, top in row)
    return np.concatenate([_on_ground(crop, (tall, crop.shape[1]), ground, top - highest)
                           for crop, top in row], axis=1)


def _on_ground(pixels, size, ground, top=0):
    """Return pixels (H, W, 4) from `top` on within a larger picture of this size and one colour."""
    whole = np.broadcast_to(ground, (*size, 4)).copy()
    whole[top:top + len(pixels), :pixels.shape[1]] = pixels
    return whole

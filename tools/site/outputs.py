"""Outputs of cells as HTML: printed text, figures as small files with alt text and data, filmstrips."""

import base64
import hashlib
from html import escape
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from moeviz.filmstrip import picture
from moeviz.tables import as_html

LONG_LINE = 40  # characters
WIDE = 680  # pixels; a wider figure is not shrunk below this on a phone, it scrolls


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
        """Write the figure of a card, close it, and return its address in the site."""
        drawn.canvas.draw()
        image = Image.fromarray(np.asarray(drawn.canvas.buffer_rgba())).convert("RGB")
        plt.close(drawn)
        file = BytesIO()
        image.save(file, "webp", lossless=True)
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
    """Return a figure with its alt text and its data folded below."""
    pixels = np.asarray(Image.open(BytesIO(base64.b64decode(png))).convert("RGBA"))
    height, width = pixels.shape[:2]
    wide = ' class="wide"' if width > WIDE else ""
    words = escape(metadata.get("alt", ""))
    image = (f'<img{wide} src="{figures.save(pixels)}" alt="{words}" width="{width}" height="{height}" '
             'loading="lazy">')
    tables = "".join(as_html(each) for each in metadata.get("tables", []))
    return (f'<figure><div class="picture">{image}</div><details><summary>In words and numbers</summary>'
            f"<p>{words}</p>{tables}</details></figure>")

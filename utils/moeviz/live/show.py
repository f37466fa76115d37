"""From views to HTML: ES modules joined into one script, the state beside it as JSON, a figure for the rest.

The modules in `moe/` hold mathematics and no document, those in `views/` draw. A page needs no bundler: the
files that a view imports are put one after the other, without their `import` and `export`.
"""

import json
import re
from base64 import b64encode
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from moeviz.dark import partner
from moeviz.filmstrip import picture, still
from moeviz.style import expert_colors, ink_on

HERE = Path(__file__).resolve().parent
IMPORT = re.compile(r'^import [^;]*? from "(\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=function|const|class|let)", re.MULTILINE)


class Live:
    """HTML that lives: notebooks show it, and `str` gives its text for a page of one's own."""

    def __init__(self, html):
        self._html = html

    def _repr_html_(self):
        return self._html

    def __str__(self):
        return self._html

    def __repr__(self):
        return f"Live view, {len(self._html.encode()):,} bytes of HTML"


def page(view, state, *, label, fallback):
    """Return the Live view that `views/<view>.js` builds from `state`.

    state: what `json` can write. label: what the view is, for those who cannot see it. fallback: the Axes or
    Figure that stands there where scripts do not run; it is closed here.
    """
    pixels, alt = still(fallback)
    kind, data = picture(pixels)
    source = f"data:{kind};base64,{b64encode(data).decode()}"
    safe = json.dumps({"view": view, **state}, separators=(",", ":")).replace("<", "\\u003c")
    return Live(
        f'<div class="moeviz-live" data-view="{view}" role="group" aria-label="{escape(label)}">\n'
        f'<style>\n{_read("live.css")}</style>\n'
        f'<div class="still"><img src="{source}" alt="{escape(alt)}" style="max-width: 100%"></div>\n'
        f'<script type="application/json">{safe}</script>\n'
        f'<script>\n(() => {{\n"use strict";\n{join(f"views/{view}.js")}'
        f'open(document.currentScript.closest(".moeviz-live"));\n}})();\n</script>\n</div>')


@cache
def join(*entries):
    """Return the text of modules and of all they import, each once and after what it needs."""
    texts = {}
    for entry in entries:
        _collect(HERE / entry, texts)
    return "\n".join(texts.values())


def _collect(path, texts):
    if path in texts:
        return
    source = path.read_text(encoding="utf-8")
    for name in IMPORT.findall(source):
        _collect((path.parent / name).resolve(), texts)
    texts[path] = EXPORT.sub("", IMPORT.sub("", source))


@cache
def _read(name):
    return (HERE / name).read_text(encoding="utf-8")


def pack(arrays, *, half=False):
    """Return {"shapes", "weights", "half"}: arrays by name as one base64 text of little-endian float32.

    half: float16 instead, for numbers that this leaves as they are.

    >>> pack({"gate": np.zeros((1, 2))}, half=True)
    {'shapes': {'gate': [1, 2]}, 'weights': 'AAAAAA==', 'half': True}
    """
    raw = b"".join(np.ascontiguousarray(array, dtype="<f2" if half else "<f4").tobytes()
                   for array in arrays.values())
    return {"shapes": {name: list(array.shape) for name, array in arrays.items()},
            "weights": b64encode(raw).decode(), "half": half}


def colors(num_experts):
    """Return {"colors", "inks", "night"}: the experts' colours and what is written on them, as in figures.

    night: {"colors", "inks"} on the dark ground.

    >>> every = colors(8)
    >>> every["colors"][7], every["inks"][7], every["night"]["colors"][7], every["night"]["inks"][7]
    ('#000000', 'white', '#eceff2', 'black')
    """
    day = [to_hex(color) for color in expert_colors(num_experts)]
    night = [to_hex(partner(to_rgb(color))) for color in day]
    return {"colors": day, "inks": [ink_on(color) for color in day],
            "night": {"colors": night, "inks": [ink_on(color) for color in night]}}

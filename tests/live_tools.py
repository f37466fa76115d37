"""What the tests of live views share: NumPy's side of the comparison, and pages in Chromium."""

import contextlib
import dataclasses
from typing import NamedTuple

import numpy as np

from accessible import faults
from moeviz.live import show
from moeviz.text import encode
from moeviz.tinylm.parts import surprise
from moeviz.transformer.decoder import Transformer, join
from tools import browser


class Ran(NamedTuple):
    """NumPy's answer: one Routing per layer, the loss (T,) of each byte."""

    layers: list
    loss: np.ndarray


def in_double(model):
    """Return a model of the same weights as float64, in which JavaScript computes."""
    return dataclasses.replace(model, weights={name: w.astype(float) for name, w in model.weights.items()})


def run(model, sentence, **steering):
    """Run a sentence otherwise than trained, by the model's own words; the large one only once."""
    if isinstance(model, Transformer):
        logits, parts = model._routed(encode(sentence), steering)
        return Ran(join(parts), surprise(logits[:-1], encode(sentence)))
    return Ran(model.route(sentence, **steering), model.losses(sentence, **steering))


@contextlib.contextmanager
def blank(modules, names):
    """Open an empty page in Chromium with functions of some modules as `moe`."""
    browser.needed()
    code = f'(() => {{ "use strict"; {show.join(*modules)}\nwindow.moe = {{ {", ".join(names)} }}; }})()'
    with browser.browse() as page:
        page.set_content("<!DOCTYPE html><title>live</title>")
        page.evaluate(code)
        yield page


@contextlib.contextmanager
def opened(view, folder):
    """Open a page with a live view in Chromium, with mouse and touch.

    `page.first` is its address, `page.said` and `page.asked` hold its complaints and what it asked for.
    """
    browser.needed()
    file = write(view, folder)
    with browser.browse(viewport={"width": 1280, "height": 900}, has_touch=True) as page:
        page.set_default_timeout(10_000)
        page.said, page.asked, page.first = [], [], file.as_uri()
        page.on("console", lambda line: line.type in ("error", "warning") and page.said.append(line.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(page.first)
        yield page


def write(view, folder):
    """Write a page with a live view into a folder and return its file."""
    file = folder / "live.html"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>live</title>'
    file.write_text(f'<!DOCTYPE html><html lang="en"><head>{head}</head><body><main><h1>Live</h1>'
                    f"<h2>View</h2><h3>Part</h3>{view}</main></body></html>", encoding="utf-8")
    return file


def violations(page):
    """Return what axe finds: {rule: the first element}."""
    return {rule: element for rule, _, element in faults(page)}


def settle(page):
    """Wait until what was asked for is painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def drag_by_finger(page, start, end):
    """Put a finger down at (x, y) of the window, move it and lift it."""
    session = page.context.new_cdp_session(page)
    touch = [("touchStart", start), ("touchMove", end), ("touchEnd", None)]
    for kind, place in touch:
        points = [] if place is None else [dict(zip("xy", place, strict=True))]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def assert_accessible(page, scheme, width):
    """Hold a view to axe, and to the width of a screen, in a theme."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_selector(f".moeviz-live[data-theme='{scheme}']")
    assert violations(page) == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= width

"""What the tests of live views share: NumPy's side of the comparison, and pages in Chromium."""

import contextlib
import dataclasses
import json
from typing import NamedTuple

import numpy as np

from moeviz import capacity, text
from moeviz.arrays import softmax, top_k_index
from moeviz.live import show
from moeviz.record import Routing
from moeviz.tinylm import network
from moeviz.tinylm.model import PAD
from tools import browser


class Ran(NamedTuple):
    """NumPy's answer: one Routing per layer, the next bytes' chances (T, 256), the loss (T,)."""

    layers: list
    predictions: np.ndarray
    loss: np.ndarray


def in_double(model):
    """Return a TinyLM of the same weights as float64, in which JavaScript computes."""
    return dataclasses.replace(model, weights={name: w.astype(float) for name, w in model.weights.items()})


def run(model, sentence, *, k=None, temperature=1.0, bias=None, off=None, factor=None, order="choice"):
    """Run a sentence otherwise than trained; bias and off: (L, E)."""
    raw = text.encode(sentence)
    shape = model.config.layers, model.config.num_experts
    bias = np.zeros(shape) if bias is None else np.asarray(bias)
    off = np.zeros(shape, dtype=bool) if off is None else np.asarray(off)

    def route(logits, layer, factor=factor):
        routed = route_otherwise(logits, k or model.config.top_k, temperature, bias[layer - 1], off[layer - 1])
        if factor is None:
            return routed
        seats = capacity.expert_capacity(len(logits), shape[1], routed.expert_index.shape[1], factor)
        return capacity.apply_capacity(routed, seats, order=order)

    padded = np.concatenate([np.full(model.config.context - 1, PAD, np.uint8), raw])
    windows = np.lib.stride_tricks.sliding_window_view(padded, model.config.context)
    done = network.forward(model.weights, model.config, windows, route=route)
    first = network.forward(model.weights, model.config, np.full((1, windows.shape[1]), PAD, np.uint8),
                            route=lambda logits, layer: route(logits, layer, factor=None))
    chances = softmax(done.logits)
    before = np.concatenate([softmax(first.logits), chances[:-1]])
    return Ran([layer.routing for layer in done.layers], chances, -np.log(before[np.arange(len(raw)), raw]))


def route_otherwise(logits, k, temperature, bias, off):
    """Choose by share + bias among the experts that are on; weigh by the share alone."""
    probs = softmax(np.where(off, -np.inf, logits / temperature))
    index = top_k_index(np.where(off, -np.inf, probs + bias), min(k, (~off).sum()))
    weight = np.take_along_axis(probs, index, axis=1)
    weight = weight / weight.sum(axis=1, keepdims=True)
    return Routing(logits, probs, index, weight, np.ones(index.shape, dtype=bool))


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
def opened(view, folder, **options):
    """Open a page with a live view in Chromium; `said` and `asked` hold its complaints and its requests."""
    browser.needed()
    file = folder / "live.html"
    file.write_text('<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
                    f'content="width=device-width"><title>live</title><body><main>{view}</main></body></html>',
                    encoding="utf-8")
    with browser.browse() as page:
        page.said, page.asked = [], []
        page.on("console", lambda line: line.type in ("error", "warning") and page.said.append(line.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        if options:
            page.emulate_media(**options)
        page.goto(file.as_uri())
        yield page


def as_json(value):
    """Return a value as text, arrays as lists."""
    return json.dumps(value, default=lambda array: array.tolist())

"""Notebook 00: type a sentence and see where it goes."""

import ipywidgets

from moeviz import plots, text
from moeviz.arrays import check_count
from moeviz.widgets.core import explore

MAX_BYTES = 400


def explore_sentence(model, sentence, *, layer=0):
    """Type a sentence and see every byte in the colour of its expert, with the load of the experts beside it.

    model: a TinyLM, or anything whose `route(sentence)` gives one Routing per layer. layer: 0 for all.
    """
    choices = [("all layers", 0)] + [(f"layer {at}", at) for at in range(1, len(model.route(sentence)) + 1)]
    return explore(
        lambda sentence, layer: draw_sentence(model, sentence, layer=layer),
        caption="Type a sentence. Every byte takes the colour and the number of its first-choice expert.",
        film=["layer"],
        sentence=ipywidgets.Text(sentence, description="sentence"),
        layer=ipywidgets.Dropdown(options=choices, value=layer, description="show"))


def draw_sentence(model, sentence, *, layer=0):
    """Draw a sentence layer by layer, or one layer (counted from 1) alone; return the array of Axes.

    Raises ValueError for an empty sentence, more than 400 bytes, or a layer that is not there.
    """
    raw = sentence.encode("utf-8", "replace")
    if not 1 <= len(raw) <= MAX_BYTES:
        raise ValueError(f"sentence must have 1 to {MAX_BYTES} bytes, got {len(raw)}")
    routings = model.route(raw.decode())
    layer = check_count(layer, "layer", low=0, high=len(routings))
    shown = routings if layer == 0 else routings[layer - 1:layer]
    return plots.plot_text_layers(shown, text.byte_labels(raw.decode()), text_bytes=raw)

"""Notebook 17: the bytes of one expert, and what class they are."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from moeviz import plots
from moeviz.arrays import check_count
from moeviz.record import EMPTY, Routing
from moeviz.style import expert_colors
from moeviz.text import BYTE_CLASS_NAMES, byte_classes, byte_labels, encode
from moeviz.widgets.core import explore

MARGINS = {"left": 0.01, "right": 0.985, "bottom": 0.13, "top": 0.9, "wspace": 0.26, "width_ratios": (2.5, 1)}


def explore_expert(nets, sentence, *, layer=1, expert=0):
    """Pick a net, a layer and an expert; see its bytes in the text, and name what they share.

    nets: {name: TinyLM}, all of one size. sentence: text, bytes or a uint8 array.
    """
    config = next(iter(nets.values())).config
    return explore(
        lambda net, **values: draw_expert(nets[net], sentence, net=net, **values),
        caption="What do this expert's bytes share? Name it before you look at the bars. "
                "Then do the same for the net that never trained.",
        film=["expert"],
        expert=ipywidgets.Dropdown(options=range(config.num_experts), value=expert, description="expert"),
        layer=ipywidgets.Dropdown(options=range(1, config.layers + 1), value=layer, description="layer"),
        net=ipywidgets.Dropdown(options=list(nets), description="net"))


def draw_expert(model, sentence, *, layer=1, expert=0, net="trained", per_row=36):
    """Draw the text with the bytes of one expert alone in colour, and their classes; return Axes (2,).

    model: a TinyLM. sentence: text, bytes or a uint8 array. Raises ValueError for a layer or expert that
    the model does not have.
    """
    layer = check_count(layer, "layer", high=model.config.layers)
    expert = check_count(expert, "expert", low=0, high=model.config.num_experts - 1)
    text = encode(sentence)
    title = f"{net}, layer {layer}: first choice is expert {expert}"
    routed = only(model.route(text)[layer - 1], expert, title)
    mine, classes = routed.expert_index[:, 0] != EMPTY, byte_classes(text)
    counts = [np.bincount(part, minlength=len(BYTE_CLASS_NAMES)) for part in (classes[mine], classes)]
    axes = plt.subplots(1, 2, figsize=(15, 5.6), layout="none", gridspec_kw=MARGINS)[1]
    plots.plot_text(routed, byte_labels(text), per_row=per_row, text_bytes=text, ax=axes[0])
    plots.plot_profile(*counts, BYTE_CLASS_NAMES, ax=axes[1], title=f"{mine.sum()} of {len(mine)} bytes",
                       color=expert_colors(model.config.num_experts)[expert])
    return axes


def only(routed, expert, label):
    """Return the first choices of a Routing with all experts but one left out, as a Routing with k = 1."""
    mine = routed.expert_index[:, :1] == expert
    index = np.where(mine, routed.expert_index[:, :1], EMPTY)
    weight = np.where(mine, routed.combine_weight[:, :1], 0)
    return Routing(routed.logits, routed.probs, index, weight, mine, label)

"""Explorers: move a control, see the picture change. The only module that imports ipywidgets and IPython.

Each `explore_x` puts controls over one pure `draw_x(...)`, which draws on a new figure and can be called
by itself. `explore` shows the figure, with its description as alt text, and closes it.
"""

from base64 import b64encode
from html import escape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

from moeviz import capacity, metrics, plots, routing, text
from moeviz.arrays import check_count, check_matrix, check_number, check_rng
from moeviz.record import check_routing
from moeviz.style import describe

MAX_CONTROLS = 4
MAX_BYTES = 400
HOLD = 0.7  # of a picture's height is held for the next one; pages narrower than the picture shrink it
ORDERS = ("choice", "token", "score")


def explore(redraw, *, caption, **controls):
    """Show controls over the picture that `redraw(**values)` draws; return them as one widget.

    redraw: takes one keyword per control and returns the Axes (or array of Axes) of a new figure. A
    ValueError it raises is shown as text in the picture's place. caption: a line above the controls.
    Raises ValueError for no control or more than four.
    """
    if not 1 <= len(controls) <= MAX_CONTROLS:
        raise ValueError(f"controls must be 1 to {MAX_CONTROLS}, got {len(controls)}")
    seen = {}
    output = ipywidgets.interactive_output(lambda **now: seen.update(height=show(redraw, now)), controls)
    output.layout.min_height = f"{round(HOLD * seen['height'])}px"
    for control in controls.values():
        control.style.description_width = "initial"
        control.layout.width = "max-content" if hasattr(control, "options") else "min(460px, 100%)"
    row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap", "grid_gap": "4px 28px"})
    return ipywidgets.VBox([ipywidgets.Label(caption), row, output])


def show(redraw, values):
    """Draw once, display the figure as one image with alt text, close it; return its height in pixels."""
    try:
        figure = np.ravel(redraw(**values))[0].figure
    except ValueError as error:
        print(error)
        return 0
    image = BytesIO()
    figure.savefig(image, format="png", dpi=figure.dpi, pil_kwargs={"compress_level": 1})
    plt.close(figure)
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    source = f"data:image/png;base64,{b64encode(image.getvalue()).decode()}"
    # as HTML, because notebook front ends drop the alt text of a plain image output
    display(HTML(f'<img width="{width}" style="max-width: 100%; height: auto" '
                 f'alt="{escape(describe(figure))}" src="{source}">'))
    return height


# --- notebook 00: a sentence ---

def explore_sentence(model, sentence, *, layer=0):
    """Type a sentence and see every byte in the colour of its expert, with the load of the experts beside it.

    model: a TinyLM, or anything whose `route(sentence)` gives one Routing per layer. layer: 0 for all.
    """
    choices = [("all layers", 0)] + [(f"layer {at}", at) for at in range(1, len(model.route(sentence)) + 1)]
    return explore(
        lambda sentence, layer: draw_sentence(model, sentence, layer=layer),
        caption="Type a sentence. Every byte takes the colour and the number of its first-choice expert.",
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


# --- notebook 02: a gate in the plane ---

def explore_gate(gate, tokens, *, expert=0, turn=0.0, length=1.0, bias=0.0):
    """Turn, stretch and bias one expert's gate vector; watch its region and the load of all experts move.

    gate: (2, E). tokens: (T, 2). turn in degrees; length as a factor; bias is added to the expert's score.
    """
    gate = check_matrix(gate, "gate", "(2, E)")
    return explore(
        lambda **values: draw_gate(gate, tokens, **values),
        caption="Turn, stretch or bias the gate vector of one expert: which tokens does it win or lose?",
        expert=ipywidgets.Dropdown(options=range(gate.shape[1]), value=expert, description="expert"),
        turn=_slider("turn (degrees)", turn, -180.0, 180.0, 5.0),
        length=_slider("length (factor)", length, 0.0, 3.0, 0.1),
        bias=_slider("bias (added to the score)", bias, -3.0, 3.0, 0.1))


def draw_gate(gate, tokens, *, expert=0, turn=0.0, length=1.0, bias=0.0):
    """Draw the routing regions of a gate with one expert's vector changed, beside the load; return Axes (2,).

    gate: (2, E). tokens: (T, 2), routed top-1. turn: degrees. length: a factor. bias: added to the score.
    """
    gate = check_matrix(gate, "gate", "(2, E)").astype(float)
    expert = check_count(expert, "expert", low=0, high=gate.shape[1] - 1)
    angle = np.radians(check_number(turn, "turn"))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    gate[:, expert] = check_number(length, "length") * rotation @ gate[:, expert]
    offsets = np.zeros(gate.shape[1])
    offsets[expert] = check_number(bias, "bias")
    axes = _two_panels((12, 6), (1.3, 1))
    plots.plot_regions(gate, tokens=tokens, bias=offsets, ax=axes[0])
    routed = routing.top_k(tokens @ gate + offsets, k=1)
    plots.plot_load(routed, ax=axes[1], compact=True).set_title("load, top-1")
    _fix_scale(axes[1], routed)
    return axes


# --- notebook 03: temperature and noise ---

def explore_temperature(logits, *, rng, labels=None, temperature=1.0, k=2, noise=0.0, token=0):
    """Change temperature, k and noise; watch one token's weights and the load of all tokens.

    logits: (T, E) of real tokens. labels: T texts. rng draws the noise once, so that the same settings
    give the same picture.
    """
    logits = check_matrix(logits, "logits")
    draws = check_rng(rng).standard_normal(logits.shape)
    return explore(
        lambda **values: draw_temperature(logits, draws, labels=labels, **values),
        caption="Heat makes the weights even, noise changes who is chosen. Which of the two moves the load?",
        temperature=ipywidgets.FloatLogSlider(temperature, min=-1, max=1, step=0.05,
                                              description="temperature"),
        noise=_slider("noise (standard deviation)", noise, 0.0, 4.0, 0.1),
        k=ipywidgets.IntSlider(k, 1, logits.shape[1], description="k"),
        token=ipywidgets.IntSlider(token, 0, len(logits) - 1, description="token"))


def draw_temperature(logits, draws, *, labels=None, temperature=1.0, k=2, noise=0.0, token=0):
    """Draw one token's way from score to weight at a temperature, beside the load of all; return Axes (2,).

    logits, draws: (T, E), clean scores and standard normal noise; routed are
    (logits + noise * draws) / temperature.
    """
    heat, width = check_number(temperature, "temperature", low=1e-6), check_number(noise, "noise", low=0.0)
    token = check_count(token, "token", low=0, high=len(logits) - 1)
    routed = routing.top_k((logits + width * draws) / heat, k=k)
    name = f"token {token}" if labels is None else f"token {token}: {labels[token]}"
    stages = [("score", routed.logits[token]), ("softmax", routed.probs[token]),
              (f"top-{k}, renormalised", routed.combine()[token])]
    axes = _two_panels((12.5, 5.6), (2.3, 1))
    plots.plot_gate_steps(stages, routed.dispatch()[token], ax=axes[0], title=name)
    plots.plot_load(routed, ax=axes[1], compact=True)
    entropy = metrics.router_entropy(routed)
    axes[1].set_title(f"mean router entropy {entropy:.2f}", fontsize=14)
    _fix_scale(axes[1], routed)
    return axes


# --- notebooks 04 and 06: capacity ---

def explore_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Change the capacity factor and the order; watch the seats fill, choice by choice, and who is dropped.

    routed: a Routing without drops. labels: T texts. step: how many choices have arrived; None for all.
    """
    total = int((check_routing(routed).expert_index >= 0).sum())
    return explore(
        lambda **values: draw_capacity(routed, labels=labels, **values),
        caption="Fewer seats drop more choices. Does the order change how many are dropped, or only who?",
        factor=_slider("capacity factor", factor, 0.25, 3.0, 0.05),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"),
        step=ipywidgets.IntSlider(total if step is None else step, 0, total, description="choices arrived"))


def draw_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Draw the seats at a capacity factor and an order, beside the load with its drops; return Axes (2,)."""
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.top_k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order)
    places = capacity.seat_positions(routed, order=order)
    axes = _two_panels((13.5, 5), (3, 1))
    plots.plot_seats(routed, seats, seats=places, step=step, labels=labels, ax=axes[0])
    axes[0].set_title(limited.label)
    plots.plot_load(limited, ax=axes[1], compact=True)
    axes[1].set_title(f"{100 * metrics.drop_rate(limited):.0f}% of choices dropped", fontsize=14)
    _fix_scale(axes[1], routed)
    return axes


def _two_panels(size, width_ratios):
    """Return the Axes (2,) of a new figure; fixed margins keep the panels still between two pictures."""
    margins = {"left": 0.065, "right": 0.985, "bottom": 0.14, "top": 0.89, "wspace": 0.2}
    return plt.subplots(1, 2, figsize=size, width_ratios=width_ratios, layout="none", gridspec_kw=margins)[1]


def _fix_scale(ax, routed):
    """Keep the scale of a load still between two pictures, unless a bar grows out of it."""
    ax.set_ylim(0, max(ax.get_ylim()[1], 300 / routed.num_experts))


def _slider(description, value, low, high, step):
    return ipywidgets.FloatSlider(value, min=low, max=high, step=step, description=description,
                                  readout_format=".2f" if step < 0.1 else ".1f")

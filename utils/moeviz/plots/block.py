"""What is inside of a block? Dense and sparse side by side, and one FFN cut into experts."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from moeviz.arrays import check_count, check_matrix, check_number, check_same_shape
from moeviz.plots.draw import draw_tile
from moeviz.style import (
    HEAT,
    INK,
    LINE,
    MUTED,
    Layout,
    axes_or_new,
    expert_colors,
    headline,
    on_phone,
    phone_axes,
    set_description,
    set_narrow,
    set_table,
    tint,
)
from moeviz.tables import as_text

WIDTH = 4.0  # of attention and of the dense FFN; the unit of the drawing is free
ATTENTION_HEIGHT = 1.2
FIRST_PLUS_Y, ROUTER_Y, FFN_Y = 1.65, 2.5, 3.2
SPARSE_X, BYPASS, BLOCK_GAP = 6.8, 0.9, 4.8
GREY = "#cfd4da"
STREAM = {"color": INK, "linewidth": 2, "zorder": 1}
BOX = {"fontsize": 15, "linespacing": 1.4, "zorder": 2}
GAP, KEY = 0.26, 0.2  # of D: between the two matrices, and the height of the experts' swatches
MAX_NUMBERED = 32
PALEST = 0.12  # so that a weight of 0 still shows whose it is


def plot_block(num_experts, k, *, d_model=128, d_hidden=512, ax=None):
    """Draw a dense Transformer block beside a sparse one, whose FFN is replaced by a router and experts.

    Every box has an area true to its number of weights (biases and norms left out): attention 4 D D,
    FFN 2 D H, router D E, and E experts that the FFN is cut into, so that H must be a multiple of E.
    k experts are lit: as many as one token uses. Returns the Axes. Raises ValueError naming the wrong
    argument.

    >>> plot_block(8, 2).texts[-1].get_text()
    'each expert\\n16,384'
    """
    num_experts = check_count(num_experts, "num_experts")
    k, d_model = check_count(k, "k", high=num_experts), check_count(d_model, "d_model")
    expert_hidden = cut_width(check_count(d_hidden, "d_hidden"), num_experts)
    weights = {"attention": 4 * d_model**2, "FFN": 2 * d_model * d_hidden, "router": d_model * num_experts,
               "expert": 2 * d_model * expert_hidden}
    area = WIDTH * ATTENTION_HEIGHT / weights["attention"]  # of the drawing, per weight
    top = FFN_Y + weights["FFN"] * area / WIDTH
    own, ax = ax is None, axes_or_new(ax, (10, 7.2))
    if own:
        set_narrow(ax, lambda: plot_block(num_experts, k, d_model=d_model, d_hidden=d_hidden,
                                          ax=phone_axes(ax, 13)))
    high = top + BLOCK_GAP
    _draw_dense(ax, weights, top, (0.0, high if on_phone(ax) else 0.0))
    right = _draw_sparse(ax, weights, area, top, num_experts, k, (0.0 if on_phone(ax) else SPARSE_X, 0.0))
    ax.set(xlim=(-1.0, right + 2.4), ylim=(-1.0, top + 3.3 + on_phone(ax) * high), aspect="equal")
    ax.set_axis_off()
    headline(ax, f"a token works with {100 * k / num_experts:.3g}% of the FFN's weights")
    attention, ffn, router, expert = weights.values()
    set_table(ax, ["weights of", "dense block", "mixture of experts"], title="weights of both blocks", rows=[
        ["attention", attention, attention], ["router", None, router], ["FFN", ffn, num_experts * expert],
        ["one expert", None, expert], ["FFN, at work for one token", ffn, k * expert]])
    attention, ffn, router, expert = map(as_text, weights.values())
    return set_description(ax, (
        f"Schematic: a dense Transformer block with attention ({attention} weights) and FFN ({ffn}) "
        f"beside a sparse one with the same attention, a router ({router}) and {num_experts} experts "
        f"({expert} each), {k} of them lit; areas are true to the number of weights."))


def cut_width(d_hidden, num_experts):
    """Return the hidden width of one of E equal pieces of an FFN; ValueError if they do not come out even.

    >>> cut_width(512, 8)
    64
    """
    if d_hidden % num_experts:
        raise ValueError(f"num_experts must divide the hidden width {d_hidden}, got {num_experts}")
    return d_hidden // num_experts


def _draw_dense(ax, weights, top, at):
    note = f"the whole FFN works\nfor each token: {as_text(weights['FFN'])} weights"
    _draw_frame(ax, at, top, "dense block", note, weights)
    left, low = at
    ax.plot([left + WIDTH / 2] * 2, [low + FIRST_PLUS_Y, low + top + 0.8], **STREAM)
    draw_tile(ax, left, low + FFN_Y, WIDTH, top - FFN_Y, GREY, f"FFN\n2 D H = {as_text(weights['FFN'])}",
              **BOX)


def _draw_sparse(ax, weights, area, top, num_experts, k, at):
    """Draw router and experts, side by side and as high as the dense FFN; return the right end."""
    note = f"{k} of {num_experts} experts work\nfor one token: {as_text(k * weights['expert'])} weights"
    _draw_frame(ax, at, top, "mixture of experts", note, weights)
    middle, router_height = at[0] + WIDTH / 2, weights["router"] * area / WIDTH
    ax.plot([middle] * 2, [FIRST_PLUS_Y, ROUTER_Y], **STREAM)
    draw_tile(ax, at[0], ROUTER_Y - router_height / 2, WIDTH, router_height, INK, zorder=2)
    ax.text(at[0] + WIDTH + 0.2, ROUTER_Y, f"router\nD E = {as_text(weights['router'])}", va="center",
            fontsize=15)
    width = weights["expert"] * area / (top - FFN_Y)
    pitch = width + min(0.12, 0.3 * width)
    start = middle - (pitch * num_experts - pitch + width) / 2
    for expert, color in enumerate(expert_colors(num_experts)):
        left, lit = start + expert * pitch, expert in spread_lit(num_experts, k)
        if lit:
            ax.plot([middle, left + width / 2, left + width / 2, middle], [ROUTER_Y, FFN_Y, top, top + 0.8],
                    color=color, linewidth=3.5, zorder=1.5)
        draw_tile(ax, left, FFN_Y, width, top - FFN_Y, color if lit else tint(color, 0.22),
                  str(expert) if width > 0.3 else "", **BOX)
    right = middle + (middle - start)
    ax.text(right + 0.2, (FFN_Y + top) / 2, f"each expert\n{as_text(weights['expert'])}", va="center",
            fontsize=15)
    return right


def _draw_frame(ax, at, height, name, note, weights):
    """Draw what both blocks share: the stream of tokens, its two bypasses, attention, and the headings."""
    left, base = at
    middle, side, top, plus = left + WIDTH / 2, left - BYPASS, base + height, base + FIRST_PLUS_Y
    ax.plot([middle] * 2, [base - 0.9, plus], **STREAM)
    ax.annotate("", (middle, top + 1.6), (middle, top + 0.8),
                arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 2, "shrinkA": 0, "shrinkB": 0})
    for low, high in ((base - 0.35, plus), (plus + 0.35, top + 0.8)):
        ax.plot([middle, side, side, middle], [low, low, high, high], color=LINE, linewidth=2, zorder=0.9)
        ax.plot(middle, high, "o", color="white", markeredgecolor=INK, markersize=17, zorder=2)
        ax.plot(middle, high, "+", color=INK, markersize=10, markeredgewidth=1.6, zorder=3)
    draw_tile(ax, left, base, WIDTH, ATTENTION_HEIGHT, GREY,
              f"attention\n4 D D = {as_text(weights['attention'])}", **BOX)
    ax.text(left - BYPASS, top + 2.6, name, fontsize=18, fontweight="bold", va="bottom")
    ax.text(left - BYPASS, top + 2.4, note, color=MUTED, fontsize=15, va="top", linespacing=1.3)


def spread_lit(num_experts, k):
    """Return k expert numbers spread over all of them, the ones a drawing lights up.

    >>> spread_lit(8, 2)
    [2, 6]
    """
    return [int((2 * choice + 1) * num_experts / (2 * k)) for choice in range(k)]


def plot_dense_blocks(w_in, num_experts, *, w_out=None, ax=None):
    """Draw the weights of a dense FFN, each column block in the colour of the expert it becomes.

    w_in: (D, H), cut into E blocks of H / E columns. w_out: (H, D) or None, drawn turned, so that a
    hidden unit stands in the same column above and below. The darker, the larger the absolute weight.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_dense_blocks(np.ones((2, 8)), 4).get_xlabel()
    'expert (2 hidden units each)'
    """
    w_in = check_matrix(w_in, "w_in", "(D, H)")
    d_model, d_hidden = w_in.shape
    each = cut_width(d_hidden, check_count(num_experts, "num_experts"))
    parts = [("w_in  (D, H)", w_in)]
    if w_out is not None:
        turned = check_same_shape(check_matrix(w_out, "w_out").T, "w_out, turned,", w_in, "w_in")
        parts.append(("w_out, turned  (D, H)", turned))
    ax = axes_or_new(ax, (10, 2.2 * len(parts) + 1.9))
    tops = d_model * (1 + GAP) * np.arange(len(parts))
    for top, (name, weights) in zip(tops, parts, strict=True):
        ax.imshow(_color_blocks(weights, each), extent=(0, d_hidden, top + d_model, top), aspect="auto",
                  interpolation="nearest")
        ax.text(0, top - 0.03 * d_model, name, va="bottom", fontsize=15)
    key = tops[-1] + 1.06 * d_model
    _name_experts(ax, num_experts, each, key, KEY * d_model)
    ax.set(xlim=(0, d_hidden), ylim=(key + KEY * d_model, -0.2 * d_model), yticks=[], xticks=[],
           xlabel=f"expert ({each} hidden units each)")
    headline(ax, f"one FFN of {d_hidden} hidden units, cut into {num_experts} experts of {each}")
    ax.spines[:].set_visible(False)
    _tabulate_dense_blocks(ax, dict(parts), each)
    which = "both layers" if len(parts) == 2 else "the first layer"
    return set_description(ax, (
        f"Weights of {which} of an FFN with D = {d_model} and H = {d_hidden}, cut into {num_experts} experts "
        f"of {each} hidden units, each block in its expert's colour; the largest weight is "
        f"{np.abs(w_in).max():.3g}."))


def _color_blocks(weights, each):
    """Return an RGB image (D, H, 3): white mixed with the block's colour by the size of the weight."""
    colors = np.array([to_rgb(color) for color in expert_colors(weights.shape[1] // each)])
    amount = PALEST + (1 - PALEST) * np.abs(weights) / max(np.abs(weights).max(), 1e-12)
    return 1 - amount[..., None] * (1 - np.repeat(colors, each, axis=0))


def _name_experts(ax, num_experts, each, top, height):
    for expert, color in enumerate(expert_colors(num_experts)):
        name = str(expert) if num_experts <= MAX_NUMBERED else ""
        draw_tile(ax, expert * each, top, each, height, color, name, edgecolor="white", fontsize=14)


def _tabulate_dense_blocks(ax, parts, each):
    means = [np.abs(weights).mean(axis=0).reshape(-1, each).mean(axis=1) for weights in parts.values()]
    units = [f"{start} to {start + each - 1}" for start in range(0, each * len(means[0]), each)]
    set_table(ax, ["expert", "hidden units", *(f"mean absolute weight, {name}" for name in parts)],
              zip(range(len(units)), units, *means, strict=True))


def plot_network(w_in, w_out, num_experts, *, ax=None):
    """Draw a small FFN as a net of nodes, its hidden ones cut into experts of one colour each.

    w_in: (D, H). w_out: (H, D). A line is as thick as its weight; a negative one is dashed. Nothing joins two
    experts: that is why the FFN can be cut. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_network(np.ones((2, 4)), np.ones((4, 2)), 2).get_title()[:33]
    '0 of 16 weights join two experts:'
    """
    w_in = check_matrix(w_in, "w_in", "(D, H)")
    w_out = check_same_shape(check_matrix(w_out, "w_out", "(H, D)").T, "w_out, turned,", w_in, "w_in").T
    width, hidden = w_in.shape
    each = cut_width(hidden, check_count(num_experts, "num_experts"))
    ax = axes_or_new(ax, (9, 5))
    ends, middle = np.linspace(-1, 1, width) * (hidden - 1) / 4, np.arange(hidden) - (hidden - 1) / 2
    middle = middle + 0.5 * (np.arange(hidden) // each - (num_experts - 1) / 2)
    colors = np.repeat(expert_colors(num_experts), each)
    largest = max(np.abs(w_in).max(), np.abs(w_out).max(), 1e-12)
    for unit, node in np.ndindex(hidden, width):
        for weight, low in ((w_in[node, unit], True), (w_out[unit, node], False)):
            ax.plot([ends[node], middle[unit]], [0, 1] if low else [2, 1], color=colors[unit], zorder=1,
                    linewidth=0.8 + 5 * abs(weight) / largest, linestyle="-" if weight >= 0 else (0, (2, 1)))
    for places, y, ground in ((ends, 0, GREY), (middle, 1, colors), (ends, 2, GREY)):
        ax.scatter(places, np.full(len(places), y), s=700, c=ground, edgecolors=INK, zorder=3)
    for y, words in ((0, "token (D)"), (1, "hidden (H)"), (2, "output (D)")):
        ax.text(middle.max() + 0.6, y, words, va="center", fontsize=14)
    ax.text(0, -0.42, "the thicker a line, the larger its weight; dashed: negative", ha="center", va="top",
            color=MUTED)
    ax.set(xlim=(middle.min() - 0.6, middle.max() + 1.6), ylim=(-0.62, 2.35))
    ax.set_axis_off()
    headline(ax, f"0 of {w_in.size + w_out.size} weights join two experts: {hidden} hidden units become "
                 f"{num_experts} experts of {each}")
    set_table(ax, ["hidden unit", "expert", "weights in", "weights out"],
              [[unit, unit // each, as_text(w_in[:, unit], 3), as_text(w_out[unit], 3)]
               for unit in range(hidden)])
    return set_description(ax, f"Net of nodes: {width} inputs, {hidden} hidden units in {num_experts} "
                               f"experts of {each}, {width} outputs; no line joins two experts.")


def plot_masks(context, *, window, latent, ax=None):
    """Draw what a token may look at in four kinds of attention, and how much each keeps per layer.

    context: tokens. window: tokens that a window reaches back. latent: the part of a full cache entry that a
    latent one takes. A cell is a pair of tokens (row looks at column); a state keeps no pairs at all. Returns
    Axes (4,) of a new figure. Raises ValueError naming the wrong argument.

    >>> [ax.get_title().split() for ax in plot_masks(8, window=3, latent=0.25)][1]
    ['Window', 'keeps', '3']
    """
    size = check_count(context, "context", low=2)
    reach, share = check_count(window, "window", high=size), check_number(latent, "latent", 0.0, 1.0)
    rows, columns = np.indices((size, size))
    full = columns <= rows
    kinds = {"full": (full, size, 1.0), "window": (full & (columns > rows - reach), reach, 1.0),
             "latent": (full, share * size, share), "state": (rows == columns, 1, 1.0)}
    axes = plt.subplots(1, 4, figsize=(10, 3.3), layout=Layout())[1]
    for ax, (name, (mask, keeps, depth)) in zip(axes, kinds.items(), strict=True):
        ax.imshow(np.where(mask, depth, 0), cmap=HEAT, vmin=0, vmax=1.2, interpolation="nearest")
        if name == "latent":  # so pale that its edge would be lost
            stairs = np.repeat(np.arange(size + 1) - 0.5, 2)
            ax.plot(stairs[1:], stairs[:-1], color=LINE, linewidth=1.8)
        ax.set(xticks=[], yticks=[], xlabel="looked at", ylabel="token" if name == "full" else "")
        ax.set_title(f"{name.capitalize()}\nkeeps {as_text(keeps, 2)}")
        set_table(ax, ["kind", "pairs", "tokens' worth kept"], [[name, mask.sum(), keeps]], title=name)
        set_description(ax, f"Mask of {name} attention over {size} tokens: {mask.sum()} pairs, "
                            f"{as_text(keeps, 2)} tokens' worth kept.")
    return axes

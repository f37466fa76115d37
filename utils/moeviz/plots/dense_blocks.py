"""One dense FFN, cut into experts: its two weight matrices with one colour per block."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from moeviz.arrays import check_count, check_matrix, check_same_shape
from moeviz.figure_data import set_table
from moeviz.plots.block import cut_width
from moeviz.style import axes_or_new, expert_colors, ink_on, set_description

GAP, KEY = 0.26, 0.2  # of D: between the two matrices, and the height of the experts' swatches
MAX_NUMBERED = 32
PALEST = 0.12  # so that a weight of 0 still shows whose it is


def plot_dense_blocks(w_in, num_experts, *, w_out=None, ax=None):
    """Draw the weights of a dense FFN, each column block in the colour of the expert it becomes.

    w_in: (D, H), cut into E blocks of H / E columns. w_out: (H, D) or None, drawn turned, so that a
    hidden unit stands in the same column above and below. The darker, the larger the absolute weight.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_dense_blocks(np.ones((2, 8)), 4).get_xlabel()
    'hidden unit (2 per expert)'
    """
    w_in = check_matrix(w_in, "w_in", "(D, H)")
    d_model, d_hidden = w_in.shape
    each = cut_width(d_hidden, check_count(num_experts, "num_experts"))
    parts = [("w_in  (D, H)", w_in)]
    if w_out is not None:
        turned = check_same_shape(check_matrix(w_out, "w_out").T, "w_out, turned,", w_in, "w_in")
        parts.append(("w_out, turned  (D, H)", turned))
    ax = axes_or_new(ax, (11, 2.2 * len(parts) + 1.9))
    tops = d_model * (1 + GAP) * np.arange(len(parts))
    for top, (name, weights) in zip(tops, parts, strict=True):
        ax.imshow(_color_blocks(weights, each), extent=(0, d_hidden, top + d_model, top), aspect="auto",
                  interpolation="nearest")
        ax.text(0, top - 0.03 * d_model, name, va="bottom", fontsize=15)
    key = tops[-1] + 1.06 * d_model
    _name_experts(ax, num_experts, each, key, KEY * d_model)
    ax.set(xlim=(0, d_hidden), ylim=(key + KEY * d_model, -0.2 * d_model), yticks=[], xticks=[],
           xlabel=f"hidden unit ({each} per expert)", title=f"One FFN, cut into {num_experts} experts")
    ax.spines[:].set_visible(False)
    _tabulate(ax, dict(parts), each)
    return set_description(ax, _describe(w_in, num_experts, each, len(parts)))


def _color_blocks(weights, each):
    """Return an RGB image (D, H, 3): white mixed with the block's colour by the size of the weight."""
    colors = np.array([to_rgb(color) for color in expert_colors(weights.shape[1] // each)])
    amount = PALEST + (1 - PALEST) * np.abs(weights) / max(np.abs(weights).max(), 1e-12)
    return 1 - amount[..., None] * (1 - np.repeat(colors, each, axis=0))


def _name_experts(ax, num_experts, each, top, height):
    for expert, color in enumerate(expert_colors(num_experts)):
        ax.add_patch(Rectangle((expert * each, top), each, height, facecolor=color, edgecolor="white"))
        if num_experts <= MAX_NUMBERED:
            name = f"expert {expert}" if num_experts <= 8 else str(expert)
            ax.text((expert + 0.5) * each, top + height / 2, name, color=ink_on(color), ha="center",
                    va="center", fontsize=14)


def _tabulate(ax, parts, each):
    means = [np.abs(weights).mean(axis=0).reshape(-1, each).mean(axis=1) for weights in parts.values()]
    units = [f"{start} to {start + each - 1}" for start in range(0, each * len(means[0]), each)]
    set_table(ax, ["expert", "hidden units", *(f"mean absolute weight, {name}" for name in parts)],
              zip(range(len(units)), units, *means, strict=True))


def _describe(w_in, num_experts, each, parts):
    which = "both layers" if parts == 2 else "the first layer"
    return (f"Weights of {which} of an FFN with D = {w_in.shape[0]} and H = {w_in.shape[1]}, cut into "
            f"{num_experts} experts of {each} hidden units, each block in its expert's colour; "
            f"the largest weight is {np.abs(w_in).max():.3g}.")

"""The token by expert matrix: who chose whom, and with which weight."""

import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.plots.glyphs import readable
from moeviz.plots.inputs import check_labels, set_weights
from moeviz.record import EMPTY, check_routing
from moeviz.style import FAINT, MONO, axes_or_new, dropped_patch, expert_colors, set_description

MAX_NUMBERED = 12
MAX_LABELLED = 72


def plot_assignment(routed, *, labels=None, ax=None):
    """Draw the matrix of tokens and experts: a choice is a bar in its expert's colour, as long as its weight.

    Up to 12 tokens and experts: tokens are the rows, as in the array (T, E), and each choice has its
    weight printed. More tokens run along the x axis, as text does. Dropped choices are grey, hatched.
    labels: T texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_assignment(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).get_ylabel()
    'token'
    """
    labels = readable(check_labels(labels, check_routing(routed).num_tokens))
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    choices = (token, routed.expert_index[token, slot], routed.combine_weight[token, slot],
               routed.kept[token, slot])
    numbered = max(routed.num_tokens, routed.num_experts) <= MAX_NUMBERED
    draw = _draw_numbered if numbered else _draw_wide
    ax = draw(ax, routed, labels, *choices)
    ax.set_title(routed.label)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    set_weights(ax, routed, labels)
    return set_description(ax, _describe(routed, choices[2], choices[3]))


def _draw_numbered(ax, routed, labels, token, expert, weight, kept):
    rows, columns = routed.probs.shape
    ax = axes_or_new(ax, (1.2 * columns + 1.4, 0.72 * rows + 1.4))
    _draw_ground(ax, np.arange(columns), np.arange(rows), 0.46, 0.45)
    length = 0.84 * weight / max(1.0, weight.max(initial=0.0))
    _draw_bars(ax, routed, expert, kept, _boxes(expert - 0.42, token + 0.1, length, 0.24))
    for t, e, w in zip(token, expert, weight, strict=True):
        ax.text(e, t - 0.15, f"{w:.2f}", ha="center", va="center", fontsize=16)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), ylabel="token",
           xlabel="expert (bar length: combine weight)")
    ax.set_xticks(range(columns))
    ax.set_yticks(range(rows), labels, family=MONO, fontsize=15, parse_math=False)
    return ax


def _draw_wide(ax, routed, labels, token, expert, weight, kept):
    columns, rows = routed.probs.shape
    ax = axes_or_new(ax, (np.clip(0.19 * columns + 1, 7, 13), np.clip(0.5 * rows + 1.4, 3, 8)))
    _draw_ground(ax, [(columns - 1) / 2], np.arange(rows), columns / 2, 0.46)
    length = 0.88 * weight / max(1.0, weight.max(initial=0.0))
    _draw_bars(ax, routed, expert, kept, _boxes(token - 0.44, expert + 0.44, 0.88, -length))
    ax.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.5, -0.5), ylabel="expert",
           xlabel="token (bar height: combine weight)")
    ax.set_yticks(range(0, rows, 1 if rows <= 16 else rows // 8))
    if columns <= MAX_LABELLED:
        ax.set_xticks(range(columns), labels, family=MONO, parse_math=False)
    return ax


def _draw_ground(ax, x, y, half_width, half_height):
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    boxes = _boxes(x - half_width, y - half_height, 2 * half_width, 2 * half_height)
    ax.add_collection(PolyCollection(boxes, facecolors=FAINT, edgecolors="none", zorder=0))


def _draw_bars(ax, routed, expert, kept, boxes):
    colors = np.array(expert_colors(routed.num_experts))[expert]
    ax.add_collection(PolyCollection(boxes[kept], facecolors=colors[kept], edgecolors="none"))
    if not kept.all():
        ax.add_collection(PolyCollection(boxes[~kept], **dropped_patch()))


def _boxes(left, top, width, height):
    left, top, width, height = np.broadcast_arrays(left, top, width, height)
    x = np.stack([left, left + width, left + width, left], axis=1)
    return np.stack([x, np.stack([top, top, top + height, top + height], axis=1)], axis=2)


def _describe(routed, weight, kept):
    spread = f"{weight.min():.3g} to {weight.max():.3g}" if len(weight) else "none"
    return (f"Matrix, {routed.label}: {routed.num_tokens} tokens by {routed.num_experts} experts, "
            f"{len(weight)} choices with weights {spread}, {(~kept).sum()} dropped.")

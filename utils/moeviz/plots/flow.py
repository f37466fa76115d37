"""The flow of tokens from the text through the gate to the experts."""

import numpy as np
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from moeviz.plots.glyphs import readable
from moeviz.plots.inputs import check_labels, extremes, set_weights
from moeviz.plots.load import count_assignments
from moeviz.record import EMPTY, check_routing
from moeviz.style import LINE, MONO, MUTED, axes_or_new, dropped_patch, expert_colors, set_description

TEXT_X, GATE_X, STOP_X, EXPERT_X, END_X = 0.03, 0.16, 0.88, 1.0, 1.05


def plot_flow(routed, *, labels=None, ax=None):
    """Draw a ribbon from each token through the gate to each of its experts, as wide as the combine weight.

    An expert's block is as high as its load, a slot per choice. Where capacity dropped the choice, slot
    and ribbon are grey and hatched, and the ribbon ends before the block. Reads well for 6 to 40 tokens.
    labels: T texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_flow(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).texts[-1].get_text()
    'expert 1: 0'
    """
    labels = readable(check_labels(labels, check_routing(routed).num_tokens))
    ax = axes_or_new(ax, (11, np.clip(0.2 * routed.num_tokens + 1.5, 5, 9)))
    loads, height = sum(count_assignments(routed)), routed.num_tokens
    tops, slot_height = _stack_experts(loads, height)
    _draw_ribbons(ax, routed, tops, slot_height)
    _draw_text_and_gate(ax, labels)
    _draw_experts(ax, routed, tops, slot_height)
    ax.set(xlim=(-0.01, 1.22), ylim=(1.01 * height, -0.08 * height), title=routed.label)
    ax.set_axis_off()
    set_weights(ax, routed, labels)
    return set_description(ax, _describe(routed, loads))


def _draw_ribbons(ax, routed, tops, slot_height):
    token, expert, weight, kept = _sorted_choices(routed)
    unit = _weight_unit(routed, slot_height)
    starts = _stack_ribbons(routed, unit)[token, expert]
    ends = tops[expert] + slot_height * (_rank_within(expert) + 0.5)
    colors = expert_colors(routed.num_experts)
    for start, end, width, e, is_kept in zip(starts, ends, weight * unit, expert, kept, strict=True):
        look = {"facecolor": colors[e], "alpha": 0.8, "linewidth": 0} if is_kept else {
            **dropped_patch(), "linewidth": 0.7, "zorder": 0.8}
        stop = EXPERT_X if is_kept else STOP_X
        ax.add_patch(PathPatch(_ribbon(GATE_X, start, stop, end, width), **look))


def _sorted_choices(routed):
    """Return token, expert, weight, kept of every choice, by expert, the dropped last, then by token."""
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    expert, kept = routed.expert_index[token, slot], routed.kept[token, slot]
    order = np.lexsort((token, ~kept, expert))
    return token[order], expert[order], routed.combine_weight[token, slot][order], kept[order]


def _stack_experts(loads, height):
    """Return the tops of the experts' blocks (E,) and the height of a slot; blocks and gaps fill `height`."""
    gap = min(0.045 * height, 0.4 * height / len(loads))
    slot_height = (height - gap * len(loads)) / max(loads.sum(), 1)
    return gap / 2 + np.cumsum(loads * slot_height + gap) - (loads * slot_height + gap), slot_height


def _weight_unit(routed, slot_height):
    """Return the ribbon width of weight 1: as wide as token rows and expert slots allow."""
    row, single = routed.combine_weight.sum(axis=1).max(), routed.combine_weight.max()
    return min(0.8 / max(row, 1e-12), 0.9 * slot_height / max(single, 1e-12), 0.8)


def _stack_ribbons(routed, unit):
    """Return where on its token's row each ribbon starts, (T, E); a token's ribbons lie in expert order."""
    chosen = np.zeros(routed.probs.shape)
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    chosen[token, routed.expert_index[token, slot]] = routed.combine_weight[token, slot] * unit
    middle = np.cumsum(chosen, axis=1) - chosen / 2 - chosen.sum(axis=1, keepdims=True) / 2
    return middle + np.arange(routed.num_tokens)[:, None] + 0.5


def _rank_within(expert):
    """Return the place of each entry among the equal entries before it; `expert` is sorted."""
    return np.arange(len(expert)) - np.searchsorted(expert, expert)


def _ribbon(x0, y0, x1, y1, width):
    half, middle = width / 2, (x0 + x1) / 2
    there = [(x0, y0 - half), (middle, y0 - half), (middle, y1 - half), (x1, y1 - half)]
    back = [(x1, y1 + half), (middle, y1 + half), (middle, y0 + half), (x0, y0 + half)]
    curve = [Path.CURVE4] * 3
    return Path([*there, *back, there[0]], [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def _draw_text_and_gate(ax, labels):
    rows = np.arange(len(labels)) + 0.5
    ax.hlines(rows, TEXT_X + 0.012, GATE_X, color=LINE, linewidth=1.2)
    size = 16 if len(labels) <= 24 else 12
    for y, label in zip(rows, labels, strict=True):
        ax.text(TEXT_X, y, label, family=MONO, fontsize=size, ha="right", va="center", parse_math=False)
    ax.add_patch(FancyBboxPatch((GATE_X - 0.012, 0.1), 0.012, len(labels) - 0.2, facecolor=MUTED, linewidth=0,
                                boxstyle="round,pad=0,rounding_size=0.006", mutation_aspect=len(labels)))
    for x, word, side in ((TEXT_X, "text", "right"), (GATE_X, "gate", "center")):
        _write_heading(ax, x, word, side, len(labels))


def _write_heading(ax, x, word, side, num_tokens):
    ax.text(x, -0.045 * num_tokens, word, color=MUTED, ha=side, va="center", fontsize=14)


def _draw_experts(ax, routed, tops, slot_height):
    kept, dropped = count_assignments(routed)
    heading = "experts: kept + dropped" if dropped.any() else "experts: tokens"
    _write_heading(ax, EXPERT_X, heading, "left", routed.num_tokens)
    for expert, color in enumerate(expert_colors(routed.num_experts)):
        height, lost = kept[expert] * slot_height, dropped[expert] * slot_height
        ax.add_patch(Rectangle((EXPERT_X, tops[expert]), END_X - EXPERT_X, height, facecolor=color,
                               edgecolor=color, linewidth=1.0))
        if lost:
            ax.add_patch(Rectangle((EXPERT_X, tops[expert] + height), END_X - EXPERT_X, lost,
                                   **dropped_patch()))
        ax.text(END_X + 0.012, tops[expert] + (height + lost) / 2, va="center", fontsize=14,
                s=f"expert {expert}: {kept[expert]}" + (f" + {dropped[expert]}" if lost else ""))


def _describe(routed, loads):
    dropped = count_assignments(routed)[1].sum()
    return (f"Flow diagram, {routed.label}: {loads.sum()} choices of {routed.num_tokens} tokens run "
            f"through the gate to {routed.num_experts} experts; {extremes(loads)}; {dropped} dropped.")

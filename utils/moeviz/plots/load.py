"""How many assignments each expert gets."""

import numpy as np

from moeviz.figure_data import set_table
from moeviz.plots.bars import draw_bars
from moeviz.plots.inputs import extremes
from moeviz.record import EMPTY, check_routing
from moeviz.style import LINE, MUTED, axes_or_new, dropped_patch, expert_colors, set_description

MAX_LABELLED, MAX_LABELLED_COMPACT = 16, 10


def count_assignments(routed):
    """Return two (E,) vectors of whole numbers: assignments kept, and assignments dropped, per expert."""
    taken = routed.expert_index != EMPTY
    kept, dropped = (np.bincount(routed.expert_index[taken & is_kept], minlength=routed.num_experts)
                     for is_kept in (routed.kept, ~routed.kept))
    return kept, dropped


def plot_load(routed, *, ax=None, compact=False):
    """Draw one bar per expert: its share of the assignments in percent, dropped ones hatched on top.

    The number under each share counts the assignments, the dashed line is the fair share 1/E.
    `compact` leaves the counts and the scale out, for a small panel beside something else.
    Returns the Axes. Raises ValueError when routed is no Routing.

    >>> from moeviz.record import Routing
    >>> plot_load(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).get_xlabel()
    'expert'
    """
    kept, dropped = count_assignments(check_routing(routed))
    num_experts, total = len(kept), max((kept + dropped).sum(), 1)
    ax = axes_or_new(ax, (10, 5))
    experts = np.arange(num_experts)
    shares, lost = 100 * kept / total, 100 * dropped / total
    draw_bars(ax, experts - 0.4, 0, 0.8, shares, facecolor=expert_colors(num_experts), edgecolor=MUTED,
              linewidth=0.8)
    if dropped.any():
        bars = draw_bars(ax, experts - 0.4, shares, 0.8, lost, **dropped_patch())
        ax.legend(bars[:1], ["dropped"], loc="upper right")
    _label_bars(ax, kept + dropped, shares + lost, compact)
    top = 1.2 * max((shares + lost).max(), 100 / num_experts)
    ax.set(title=routed.label, xlabel="expert", ylabel=f"share of {(kept + dropped).sum()} assignments (%)",
           xlim=(-0.6, num_experts - 0.4), ylim=(0, top))
    _draw_fair_share(ax, 100 / num_experts, compact)
    ax.set_xticks(experts if num_experts <= MAX_LABELLED else experts[::num_experts // 8])
    ax.tick_params(axis="x", length=0)
    set_table(ax, ["expert", "assignments", "share (%)", "dropped"], title=f"{routed.label}: load",
              rows=zip(experts, kept + dropped, shares + lost, dropped, strict=True))
    return set_description(ax, _describe(routed, kept + dropped, dropped))


def _draw_fair_share(ax, fair, compact):
    ax.axhline(fair, color=LINE, linestyle=(0, (5, 4)), linewidth=1.8, zorder=0.5)
    if compact:
        ax.set_yticks([fair], [f"fair\n{fair:.3g}%"])
        ax.set_ylabel("share (%)")
    else:
        ax.annotate(f"fair share\n{fair:.3g}%", (1, fair), xycoords=("axes fraction", "data"), xytext=(6, 0),
                    textcoords="offset points", va="center", color=MUTED, annotation_clip=False)


def _label_bars(ax, numbers, heights, compact):
    """Write share and count over each bar; over the longest alone where bars are many."""
    many = len(heights) > (MAX_LABELLED_COMPACT if compact else MAX_LABELLED)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 3.5}
    shown = [np.argmax(heights)] if many else range(len(heights))
    for expert in shown:
        share = f"{heights[expert]:.0f}" if compact else f"{heights[expert]:.0f}%\n{numbers[expert]}"
        ax.annotate(share, (expert, heights[expert]), xytext=(0, 6), textcoords="offset points",
                    ha="center", va="bottom", bbox=ground, in_layout=False)


def _describe(routed, numbers, dropped):
    return (f"Bar chart, {routed.label}: share of {numbers.sum()} assignments per expert, experts 0 to "
            f"{len(numbers) - 1}; {extremes(numbers)}; fair share {100 / len(numbers):.3g}%; "
            f"{dropped.sum()} dropped.")

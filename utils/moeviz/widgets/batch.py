"""Notebook 13: move the batch, and see whether the experts wait for memory."""

import ipywidgets
import numpy as np
from matplotlib.ticker import StrMethodFormatter

from moeviz import plots
from moeviz.arrays import check_count
from moeviz.cost import break_even_batch, experts_touched, time_against_dense
from moeviz.plots.draw import merge_minor_ticks
from moeviz.style import INK, fixed_axes
from moeviz.widgets.core import explore

BATCHES = tuple(2 ** power for power in range(15))
EXPERTS = (8, 16, 32, 64, 128, 256)


def explore_batch(chips, *, batch=64, num_experts=8, k=2, bytes_per_weight=2):
    """Change batch, experts, k and chip; watch the hump of an MoE layer against dense of equal active size.

    chips: Hardware records, of which the first is shown at the start.
    """
    by_name = {chip.name: chip for chip in chips}
    return explore(
        lambda chip, **values: draw_batch(by_name[chip], bytes_per_weight=bytes_per_weight, **values),
        caption="Which batches pay for experts that they hardly use? Where does the hump end?",
        batch=ipywidgets.SelectionSlider(options=BATCHES, value=batch, description="batch (tokens)"),
        num_experts=ipywidgets.SelectionSlider(options=EXPERTS, value=num_experts, description="experts"),
        k=ipywidgets.IntSlider(k, 1, 8, description="k"),
        chip=ipywidgets.Dropdown(options=list(by_name), description="chip"))


def draw_batch(chip, *, batch, num_experts, k, bytes_per_weight=2):
    """Draw time against a dense layer of equal active size over the batch, one batch marked; return Axes.

    chip: a Hardware. batch: tokens in a step. Raises ValueError as `time_against_dense` does.
    """
    check_count(batch, "batch")
    sizes = {"ridge": chip.ridge, "bytes_per_weight": bytes_per_weight}
    ratio = time_against_dense(num_experts, k, batch, **sizes)
    touched = experts_touched(num_experts, k, batch)
    over = np.geomspace(1, BATCHES[-1], 200)
    ax = plots.plot_curves(
        over, {"dense": np.ones(len(over)), "MoE": time_against_dense(num_experts, k, over, **sizes)},
        x_label="batch (tokens in a step)", y_label="time (1 = dense of equal active size)", x_scale="log",
        ax=fixed_axes((10, 5), left=0.8, right=0.9),
        title=f"{chip.name}: {batch:,} tokens read {touched:.1f} of {num_experts} experts: {ratio:.2f} x")
    ax.plot([batch], [ratio], "o", color="black", markersize=11)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _mark_break_even(ax, break_even_batch(num_experts, k, **sizes), over[-1])
    merge_minor_ticks(ax)
    return ax


def _mark_break_even(ax, bound, end):
    if not 1 <= bound <= end:
        return
    ax.axvline(bound, color=INK, linestyle=(0, (4, 3)), linewidth=1.8)
    side = "right" if bound > end / 8 else "left"
    ax.annotate(f"break-even\n{bound:,.0f} tokens", (bound, ax.get_ylim()[1]), va="top", ha=side, fontsize=14,
                xytext=(-8 if side == "right" else 8, -6), textcoords="offset points")

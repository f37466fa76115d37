"""Notebooks 04 and 06: seats per expert, and who goes first."""

import ipywidgets

from moeviz import capacity, metrics, plots
from moeviz.record import check_routing
from moeviz.widgets.core import explore, fix_scale, slider, two_panels

ORDERS = ("choice", "token", "score")


def explore_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Change the capacity factor and the order; watch the seats fill, choice by choice, and who is dropped.

    routed: a Routing without drops. labels: T texts. step: how many choices have arrived; None for all.
    """
    total = int((check_routing(routed).expert_index >= 0).sum())
    return explore(
        lambda **values: draw_capacity(routed, labels=labels, **values),
        caption="Fewer seats drop more choices. Does the order change how many are dropped, or only who?",
        film=["factor", "step"],
        factor=slider("capacity factor", factor, 0.25, 3.0, 0.05),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"),
        step=ipywidgets.IntSlider(total if step is None else step, 0, total, description="choices arrived"))


def draw_capacity(routed, *, labels=None, factor=1.0, order="choice", step=None):
    """Draw the seats at a capacity factor and an order, beside the load with its drops; return Axes (2,)."""
    seats = capacity.expert_capacity(routed.num_tokens, routed.num_experts, routed.k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order)
    places = capacity.seat_positions(routed, order=order)
    axes = two_panels((13.5, 5), (3, 1))
    plots.plot_seats(routed, seats, seats=places, step=step, labels=labels, ax=axes[0])
    axes[0].set_title(limited.label)
    plots.plot_load(limited, ax=axes[1], compact=True)
    axes[1].set_title(f"{100 * metrics.drop_rate(limited):.0f}% of choices dropped", fontsize=14)
    fix_scale(axes[1], routed)
    return axes

"""Notebook 06: who is dropped in the text itself, over the factor, the order and the size of the group."""

import ipywidgets

from moeviz import capacity, metrics, plots
from moeviz.record import check_routing
from moeviz.widgets.core import explore, fix_scale, slider, two_panels

ORDERS = ("choice", "token", "score")
MOST_GROUPS = 8


def explore_drops(routed, labels, *, factor=1.0, order="choice", groups=1):
    """Change the factor, the order and the groups; watch in the text itself who is dropped.

    routed: a Routing without drops. labels: T texts. groups: divisors of T, up to 8.
    """
    total = check_routing(routed).num_tokens
    sizes = [(f"{at} of {total // at} tokens", at) for at in range(1, MOST_GROUPS + 1) if total % at == 0]
    return explore(
        lambda **values: draw_drops(routed, labels, **values),
        caption="The factor stays, the groups shrink: why does the same text lose more?",
        film=["groups", "factor"],
        factor=slider("capacity factor", factor, 0.25, 3.0, 0.05),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"),
        groups=ipywidgets.Dropdown(options=sizes, value=groups, description="groups"))


def draw_drops(routed, labels, *, factor=1.0, order="choice", groups=1):
    """Draw the text with both choices, dropped ones hatched, beside the load; return Axes (2,).

    Each of the `groups` stretches of text has its own seats, so many that the factor is the same.
    """
    size = check_routing(routed).num_tokens // groups
    seats = capacity.expert_capacity(size, routed.num_experts, routed.k, factor)
    limited = capacity.apply_capacity(routed, seats, order=order, groups=groups)
    axes = two_panels((14, 5), (3.2, 1))
    plots.plot_text(limited, labels, ax=axes[0], show_second=True)
    axes[0].set_title(f"{seats} seats per expert and group, by {order}")
    plots.plot_load(limited, ax=axes[1], compact=True)
    axes[1].set_title(f"{100 * metrics.drop_rate(limited):.0f}% of choices dropped", fontsize=14)
    fix_scale(axes[1], routed)
    return axes

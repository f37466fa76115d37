"""Who is dropped, in the text itself: the same text once per order of serving."""

import matplotlib.pyplot as plt

from moeviz.plots.inputs import check_labels
from moeviz.plots.text import MIN_COLUMNS, TITLE_ROOM, TWO_CHOICES, plot_text
from moeviz.record import EMPTY, check_routing

KEY_ROOM = 0.6  # inches


def plot_text_orders(routings, labels, *, per_row=44):
    """Draw the same text once per routing, one below the other, with both choices; dropped ones hatched.

    routings: {name: Routing} of the same T tokens, for instance one per drop order. labels: T texts.
    The title counts the dropped choices and the tokens left with none. Returns an array of Axes (N,).
    Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> axes = plot_text_orders({"token": Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[False]])}, ["a"])
    >>> axes[0].get_title()
    'token: 1 of 1 choices dropped, 1 of 1 tokens left with none'
    """
    if not isinstance(routings, dict) or not routings:
        raise ValueError(f"routings must be {{name: Routing}} with at least one entry, got {routings!r}")
    labels = [check_labels(labels, check_routing(routed).num_tokens) for routed in routings.values()].pop()
    columns = min(max(len(labels), MIN_COLUMNS), per_row)
    cell, rows = TWO_CHOICES, -(-len(labels) // per_row)
    size = (cell.width * columns + 0.4, len(routings) * (cell.height * rows + TITLE_ROOM + KEY_ROOM))
    axes = plt.subplots(len(routings), 1, figsize=size, squeeze=False)[1][:, 0]
    for ax, (name, routed) in zip(axes, routings.items(), strict=True):
        plot_text(routed, labels, ax=ax, per_row=per_row, show_second=True)
        ax.set_title(f"{name}: {_count(routed)}")
    return axes


def _count(routed):
    chosen, kept = routed.expert_index != EMPTY, routed.kept.any(axis=1)
    return (f"{(chosen & ~routed.kept).sum()} of {chosen.sum()} choices dropped, "
            f"{(~kept).sum()} of {len(kept)} tokens left with none")

"""Gating by hand: one token's numbers from score to weight, stage by stage."""

import numpy as np

from moeviz.arrays import check_count, check_vector
from moeviz.figure_data import set_table
from moeviz.plots.bars import draw_bars
from moeviz.style import INK, LINE, MUTED, axes_or_new, expert_colors, ink_on, set_description, tint

PITCH = 1.3  # from one column to the next, in units of the longest bar


def plot_gate_steps(stages, chosen, *, step=None, ax=None, title="gating by hand"):
    """Draw one column of bars per stage, a row per expert, with every number printed.

    stages: list of (name, values (E,)), such as score, softmax, top-k, renormalised. chosen: (E,) bool,
    the experts that survive; the others fade. step: show only the first `step` stages; None shows all.
    Columns of shares share one scale, a column with other numbers has its own.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_gate_steps([("score", [2.0, 1.0]), ("softmax", [0.73, 0.27])], [True, False])
    >>> [text.get_text() for text in ax.texts][:3]
    ['score', '2.00', '1.00']
    """
    stages, chosen = _check(stages, chosen)
    shown = len(stages) if step is None else check_count(step, "step", low=0, high=len(stages))
    ax = axes_or_new(ax, (2.6 * len(stages) + 1, 0.62 * len(chosen) + 1.5))
    colors = expert_colors(len(chosen))
    for column, (name, values) in enumerate(stages[:shown]):
        if column:
            ax.annotate("", (column * PITCH - 0.04, -0.85), (column * PITCH - 0.22, -0.85),
                        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 2})
        ax.text(column * PITCH, -0.85, name, fontsize=15, fontweight="bold", va="center")
        _draw_column(ax, column * PITCH, values, chosen, colors)
    draw_bars(ax, -0.3, np.arange(len(colors)) - 0.3, 0.2, 0.6, facecolor=colors)
    for row, color in enumerate(colors):
        ax.text(-0.2, row, str(row), color=ink_on(color), ha="center", va="center", fontsize=15,
                in_layout=False)
    ax.set(xlim=(-0.35, PITCH * len(stages) - 0.05), ylim=(len(chosen) - 0.4, -1.25), title=title)
    ax.set_axis_off()
    set_table(ax, ["expert", *(name for name, _ in stages[:shown]), "chosen"],
              zip(range(len(chosen)), *(values for _, values in stages[:shown]),
                  np.where(chosen, "yes", "no"), strict=True))
    return set_description(ax, _describe(stages[:shown], chosen, title))


def _check(stages, chosen):
    chosen = check_vector(chosen, "chosen", kind="b")
    checked = [(str(name), check_vector(values, f"stages[{at}]", len(chosen)).astype(float))
               for at, (name, values) in enumerate(stages)]
    if not checked or not len(chosen):
        raise ValueError("stages must hold at least one (name, values) with at least one expert")
    return checked, chosen


def _draw_column(ax, left, values, chosen, colors):
    """Draw one stage; a column with negative numbers has its zero line inside."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    is_share = low == 0 and high <= 1
    scale = 0.72 if is_share else (0.72 if low == 0 else 0.5) / max(high - low, 1e-12)
    zero = left + (0.36 - low * scale if low < 0 else 0)
    ax.plot([zero, zero], [-0.4, len(values) - 0.6], color=LINE, linewidth=1.5, zorder=1)
    draw_bars(ax, zero, np.arange(len(values)) - 0.3, values * scale, 0.6, facecolor=[
        color if is_chosen else tint(color, 0.35) for color, is_chosen in zip(colors, chosen, strict=True)])
    for row, value in enumerate(values):
        side, gap = ("left", 5) if value >= 0 else ("right", -5)
        ax.annotate(format_number(value), (zero + value * scale, row), xytext=(gap, 0), ha=side, va="center",
                    textcoords="offset points", fontsize=15, color=INK if chosen[row] else MUTED,
                    in_layout=False)


def format_number(value):
    """Write a number with two decimals and a true minus sign; zero is just 0.

    >>> format_number(-0.5), format_number(0.0)
    ('−0.50', '0')
    """
    return "0" if value == 0 else f"{value:.2f}".replace("-", "−")


def _describe(stages, chosen, title):
    told = "; ".join(f"{name} " + ", ".join(f"{value:.2f}" for value in values) for name, values in stages)
    return (f"Bars in {len(stages)} columns, {title}: {told or 'no stage yet'}; chosen experts: "
            f"{', '.join(map(str, np.flatnonzero(chosen))) or 'none'}.")

"""The load of every expert over training, as a stacked film."""

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.figure_data import set_matrix
from moeviz.style import axes_or_new, expert_colors, ink_on, set_description

DEAD = 0.1  # of the fair share, as in metrics.dead_experts


def plot_load_film(load, *, smooth=1, ax=None, title="load over training"):
    """Draw the shares of E experts over S steps as stacked bands, each named at its right end.

    load: (S, E), each row sums to 1, such as `History.load`. smooth: steps to average over, so that the
    noise of single batches does not hide the film. Experts below a tenth of the fair share over the last
    tenth of the steps are listed as dead. Returns the Axes. Raises ValueError naming a wrong argument.

    >>> plot_load_film([[0.5, 0.5], [1.0, 0.0]]).get_xlabel()
    'step'
    """
    load = check_matrix(load, "load", shape="(S, E)")
    if (load < 0).any() or not np.allclose(load.sum(axis=1), 1, atol=1e-4):
        raise ValueError("load must be shares: every row non-negative with sum 1")
    if not 1 <= smooth <= len(load):
        raise ValueError(f"smooth must lie between 1 and the number of steps {len(load)}, got {smooth}")
    ax = axes_or_new(ax, (10, 4.6))
    steps, shown = _averages(load, smooth)
    colors = expert_colors(load.shape[1])
    ax.stackplot(steps, 100 * shown.T, colors=colors, edgecolor="white", linewidth=0.6)
    last = load[-max(1, len(load) // 10):].mean(axis=0)
    dead = np.flatnonzero(last < DEAD / load.shape[1])
    _name_bands(ax, shown[-1], colors, steps[-1])
    names = ", ".join(map(str, dead)) or "none"
    ax.set(xlabel="step", ylabel="share of assignments (%)", ylim=(0, 100), xlim=(steps[0], steps[-1]))
    ax.set_title(f"{title}; dead at the end: {names}", loc="left")
    set_matrix(ax, 100 * shown, rows=("step", steps), columns=("expert", range(load.shape[1])),
               title=f"{title}: share of assignments (%)")
    return set_description(ax, (
        f"Stacked area chart, {title}: share of assignments of {load.shape[1]} experts over {len(load)} "
        f"steps; at the end the busiest is expert {last.argmax()} with {100 * last.max():.0f}%; "
        f"dead: {names}."))


def _averages(load, smooth):
    """Return the middle step of each stretch of `smooth` steps and the mean load over it."""
    starts = np.arange(0, len(load) - smooth + 1, smooth)
    return starts + (smooth - 1) / 2, np.array([load[s:s + smooth].mean(axis=0) for s in starts])


def _name_bands(ax, shares, colors, x):
    tops = 100 * np.cumsum(shares)
    for expert, (top, share) in enumerate(zip(tops, 100 * shares, strict=True)):
        if share > 4:  # a thinner band has no room for its number
            ax.annotate(str(expert), (x, top - share / 2), xytext=(-14, 0), textcoords="offset points",
                        ha="center", va="center", color=ink_on(colors[expert]), fontweight="bold")

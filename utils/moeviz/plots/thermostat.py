"""The selection bias as a thermostat: the load that it reads, above the bias that it sets."""

import numpy as np
from matplotlib.colors import to_rgb

from moeviz.arrays import check_count
from moeviz.checks import check_kind
from moeviz.figure_data import set_matrix
from moeviz.plots.curves import spread
from moeviz.plots.naming import NAME_SIZE
from moeviz.style import LINE, contrast, expert_colors, fixed_axes, set_description
from moeviz.training import History

MAX_NAMED = 16
PANEL = (5.2, 6.4)  # inches


def plot_thermostat(histories, *, smooth=1):
    """Draw one column per run: each expert's load over the steps, and below it each expert's bias.

    histories: a training.History, or {title: History} for N runs side by side. smooth: steps to average the
    load over; 1 shows every step, as a run that swings needs it. The dashed line is the fair share, the
    numbers at the right ends name the experts. The loads share a scale, each bias has its own. Of a bias
    only the differences choose, so each step's mean is taken off; it drifts, since signs need not sum to 0.
    Returns an array of Axes (2, N): loads, biases. Raises ValueError naming the wrong argument.

    >>> from moeviz.training import History
    >>> plot_thermostat(History([1.0], [0.0], [[0.5, 0.5]], [[0.0, 0.0]], [1.0])).shape
    (2, 1)
    """
    runs = {"": histories} if isinstance(histories, History) else histories
    _check(runs, check_count(smooth, "smooth"))
    size = (max(PANEL[0] * len(runs), 8), PANEL[1])
    axes = fixed_axes(size, left=1.2, right=0.45, rows=2, columns=len(runs), gap=(1.3, 0.27), sharex="col",
                      squeeze=False, height_ratios=(1.25, 1))
    top = 105 * max(_means(history.load, smooth)[1].max() for history in runs.values())
    for (upper, lower), (title, history) in zip(axes.T, runs.items(), strict=True):
        upper.set_ylim(0, top)
        upper.set_title(title, loc="left")
        _draw_lines(upper, *_means(100 * history.load, smooth))
        upper.axhline(100 / history.num_experts, color=LINE, linestyle=(0, (5, 4)), linewidth=1.8, zorder=3)
        _draw_lines(lower, np.arange(history.num_steps), _centred(history.bias))
        lower.set(xlabel="step")
        _tabulate(upper, lower, history, smooth, title)
        set_description(upper, _describe(history, title))
    axes[0, 0].set_ylabel("load (% of choices)")
    axes[1, 0].set_ylabel("bias, less its mean")
    return axes


def _check(runs, smooth):
    if not isinstance(runs, dict) or not runs:
        raise ValueError(f"histories must be a History or {{title: History}}, got {runs!r}")
    for title, history in runs.items():
        check_kind(history, f"histories[{title!r}]", History)
        if history.num_steps < smooth:
            raise ValueError(f"smooth must be at most the {history.num_steps} steps of {title!r}, "
                             f"got {smooth}")


def _means(values, smooth):
    """Return the middle step of each stretch of `smooth` steps, and the mean of values (S, E) over it."""
    whole = len(values) // smooth
    means = values[:whole * smooth].reshape(whole, smooth, -1).mean(axis=1)
    return np.arange(whole) * smooth + (smooth - 1) / 2, means


def _centred(bias):
    return bias - bias.mean(axis=1, keepdims=True)


def _draw_lines(ax, steps, values):
    """Draw one line per expert in its colour, with its number at the right end.

    Hard edges, since thousands of soft ones make a picture several times as large.
    """
    colors = expert_colors(values.shape[1])
    for line, color in zip(values.T, colors, strict=True):
        ax.plot(steps, line, color=color, linewidth=0.9, antialiased=False)
    ax.set_xmargin(0.01)
    if len(colors) <= MAX_NAMED:
        _name_ends(ax, values[-1], colors)


def _name_ends(ax, ends, colors):
    """Write the experts' numbers in two columns beside the line ends, neighbours in turn."""
    ax.autoscale_view()
    low, high = ax.get_ylim()
    order = np.argsort(ends, kind="stable")
    places = (ends[order] - low) / (high - low)
    gap = 0.55 * NAME_SIZE / (72 * PANEL[1] / 3)
    for rank, (expert, at) in enumerate(zip(order, spread(list(places), gap, 0.02), strict=True)):
        ax.annotate(str(expert), (1, at), xycoords="axes fraction", xytext=(5 + 13 * (rank % 2), 0),
                    textcoords="offset points", va="center", fontsize=NAME_SIZE, fontweight="bold",
                    color=_readable(colors[expert]))


def _readable(color):
    """Return the colour, darker where it would be too pale for a number on white."""
    return color if contrast(color, "white") >= 3 else tuple(0.6 * channel for channel in to_rgb(color))


def _tabulate(upper, lower, history, smooth, title):
    experts, start = ("expert", range(history.num_experts)), f"{title}: " if title else ""
    steps, load = _means(100 * history.load, smooth)
    set_matrix(upper, load, rows=("step", steps), columns=experts, title=f"{start}load (% of choices)")
    set_matrix(lower, _centred(history.bias), rows=("step", range(history.num_steps)), columns=experts,
               title=f"{start}bias, less its mean")


def _describe(history, title):
    last = history.load[-max(1, history.num_steps // 10):]
    worst = last.max(axis=1).mean()
    low, high = (bound(_centred(history.bias)[-1]) for bound in (np.min, np.max))
    return (f"Line charts, {title or 'bias as a thermostat'}: load and selection bias of "
            f"{history.num_experts} experts over {history.num_steps} steps; over the last tenth the busiest "
            f"expert of a step has {100 * worst:.0f}% of the choices on average, fair is "
            f"{100 / history.num_experts:.3g}%; at the end the biases less their mean lie between {low:.3g} "
            f"and {high:.3g}.")

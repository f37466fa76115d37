"""Evidence about a routing step: dots that belong on a diagonal, or bars in pairs, side by side."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_vector
from moeviz.figure_data import set_table
from moeviz.style import LINE, MUTED, OKABE_ITO, fixed_axes, set_description

BLUE, ORANGE = OKABE_ITO[4], OKABE_ITO[5]
PANEL = (4.4, 4.4)  # inches
FURTHEST = 12  # dots in the table


class Evidence(NamedTuple):
    """What one picture holds. With names it is bars in pairs, without them dots.

    x, y: (N,). Dots: what a value should be (x) and what it is (y). Bars: the left and the right bar of each
    pair. labels: of the two axes, or of the two kinds of bars. names: N texts. axes: what the names are, and
    what the bars count.
    """

    x: np.ndarray
    y: np.ndarray
    labels: tuple
    names: tuple = ()
    axes: tuple = ("", "")


def plot_evidence(found):
    """Draw Evidence side by side on equal scales: dots beside the diagonal they belong on, or pairs of bars.

    found: {title: Evidence} of the same kind, such as the right step and a suspect. Returns an array of Axes
    (N,) of a new figure. Raises ValueError for anything else, or for values that are not finite.

    >>> axes = plot_evidence({"right": Evidence([0.2, 0.4], [0.2, 0.4], ("before", "after"))})
    >>> axes[0].get_xlabel(), axes[0].get_title()
    ('before', 'right')
    """
    checked = _check(found)
    bars = bool(next(iter(checked.values())).names)
    size = (max(len(checked) * PANEL[0], 8), PANEL[1])
    axes = fixed_axes(size, left=0.8, columns=len(checked), gap=(0.2, 0), squeeze=False, sharex=True,
                      sharey=True)[0]
    for ax, (title, evidence) in zip(axes, checked.items(), strict=True):
        (_draw_pairs if bars else _draw_dots)(ax, evidence)
        (_tabulate_pairs if bars else _tabulate_dots)(ax, evidence, title)
        ax.set_title(title)
        set_description(ax, (_describe_pairs if bars else _describe_dots)(title, evidence))
    for ax in axes[1:]:
        ax.set_ylabel("")
    if bars:
        axes[0].set_ylim(0, 1.28 * max(max(e.x.max(), e.y.max()) for e in checked.values()) or 1.0)
        axes[0].legend(loc="upper left", fontsize=13)
    return axes


def _check(found):
    if not isinstance(found, dict) or not found or not all(isinstance(e, Evidence) for e in found.values()):
        raise ValueError(f"found must be {{title: Evidence}} with at least one, got {found!r}")
    if len({bool(evidence.names) for evidence in found.values()}) > 1:
        raise ValueError("found must hold one kind of Evidence, got dots and bars")
    return {title: _check_values(title, evidence) for title, evidence in found.items()}


def _check_values(title, evidence):
    x = check_vector(evidence.x, f"found[{title!r}].x", len(evidence.names) or None)
    return evidence._replace(x=x, y=check_vector(evidence.y, f"found[{title!r}].y", len(x)))


def _draw_dots(ax, evidence):
    ax.plot([0, 1], [0, 1], color=LINE, linestyle=(0, (5, 4)), linewidth=1.8, zorder=1)
    on = np.isclose(evidence.x, evidence.y, atol=1e-9)
    ax.scatter(evidence.x[on], evidence.y[on], s=22, color=BLUE, alpha=0.5, linewidth=0, zorder=2)
    ax.scatter(evidence.x[~on], evidence.y[~on], s=22, color=ORANGE, alpha=0.5, linewidth=0, marker="D",
               zorder=3)
    ax.set(xlabel=evidence.labels[0], ylabel=evidence.labels[1], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03),
           aspect="equal")
    if not len(evidence.x):
        ax.text(0.5, 0.5, "nothing to see", ha="center", color=MUTED)


def _draw_pairs(ax, evidence):
    places = np.arange(len(evidence.names))
    ax.bar(places - 0.2, evidence.x, 0.38, color=BLUE, label=evidence.labels[0])
    ax.bar(places + 0.2, evidence.y, 0.38, color=ORANGE, label=evidence.labels[1], hatch="//",
           edgecolor="white", linewidth=0)
    ax.set_xticks(places, evidence.names)
    ax.tick_params(axis="x", length=0)
    ax.set(xlabel=evidence.axes[0], ylabel=evidence.axes[1])


def _tabulate_pairs(ax, evidence, title):
    set_table(ax, [evidence.axes[0] or "pair", *evidence.labels],
              zip(evidence.names, evidence.x, evidence.y, strict=True), title=f"{title}: {evidence.axes[1]}")


def _tabulate_dots(ax, evidence, title):
    """Attach the dots that are furthest from the diagonal, furthest first."""
    furthest = np.argsort(-np.abs(evidence.x - evidence.y), kind="stable")[:FURTHEST]
    set_table(ax, ["dot", *evidence.labels],
              zip(furthest, evidence.x[furthest], evidence.y[furthest], strict=True),
              title=f"{title}: the {len(furthest)} of {len(evidence.x)} dots furthest from the diagonal")


def _describe_dots(title, evidence):
    gap = np.abs(evidence.x - evidence.y)
    most = f", largest distance {gap.max():.3g}" if len(gap) else ""
    return (f"Scatter plot, {title}: {evidence.labels[1]} over {evidence.labels[0]}, {len(gap)} dots, "
            f"{(gap > 1e-9).sum()} of them off the diagonal{most}.")


def _describe_pairs(title, evidence):
    at = int(np.abs(evidence.x - evidence.y).argmax())
    return (f"Bars in pairs, {title}: {evidence.axes[1]}, {evidence.labels[0]} and {evidence.labels[1]}, for "
            f"{evidence.axes[0]} {', '.join(evidence.names)}; they differ most at {evidence.names[at]}, "
            f"{evidence.x[at]:.3g} and {evidence.y[at]:.3g}.")

"""Published models on one map: total parameters against active ones, every model with its name."""

from itertools import compress

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import offset_copy

from moeviz.arrays import check_mask, check_vector
from moeviz.figure_data import set_table
from moeviz.plots.inputs import check_labels
from moeviz.plots.naming import RADIUS, write_names
from moeviz.style import FAINT, INK, LINE, MUTED, axes_or_new, set_description

RATIOS = (1, 4, 16, 64, 256, 1024)
MARKERS = "osD^vPX*"
GROUP_COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#6B6B6B", INK)
CROWD = 25  # models from which the map is drawn larger


def plot_model_map(names, total, active, *, groups=None, hollow=None, hollow_label="", limits=None,
                   shown=None, ax=None, title="total against active parameters"):
    """Draw models by active and total parameters, on log axes with lines of equal ratio, and name each.

    names: N texts. total, active: (N,) parameters, 0 < active <= total. groups: N labels (a year, say)
    that give colour and marker, at most 8 different ones. hollow: (N,) bool, drawn as rings, and
    hollow_label what the key says of them. limits: (low, high) of active and of total in billions.
    shown: (N,) bool, which models to draw; the others only keep their room, so that the map and its names
    stand still from one picture to the next. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_model_map(["Mixtral 8x7B"], [46.7e9], [12.9e9])
    >>> ax.get_xlabel()
    'active parameters (billion)'
    """
    total, active = check_vector(total, "total") / 1e9, check_vector(active, "active") / 1e9
    names = check_labels(names, len(total), "names")
    kinds = _check_groups(groups, len(names))
    hollow = np.zeros(len(names), bool) if hollow is None else hollow
    rings = check_vector(hollow, "hollow", len(names), kind="b")
    if len(active) != len(total) or not len(total) or not ((active > 0) & (active <= total)).all():
        raise ValueError("active must hold one number above 0 and at most the total for each model")
    shown = check_mask(shown, len(names), "shown")
    ax = axes_or_new(ax, (14, 10.5) if len(names) > CROWD else (12, 8))
    x_limits, y_limits = limits or (_around(active, 1.6), _around(total, 1.6))
    ax.set(xlim=x_limits, ylim=y_limits, xscale="log", yscale="log", xlabel="active parameters (billion)",
           ylabel="total parameters (billion)")
    ax.set_title(title, pad=30)
    _draw_ratios(ax)
    _draw_points(ax, active, total, kinds, rings, shown)
    _draw_key(ax, kinds, hollow_label if rings.any() else "")
    _label_ticks(ax)
    write_names(ax, names, np.stack([active, total], axis=1), shown=shown)
    names, total, active = list(compress(names, shown)), total[shown], active[shown]
    set_table(ax, ["model", "total (billion)", "active (billion)", "total / active", "group"],
              zip(names, total, active, total / active, kinds[shown], strict=True))
    return set_description(ax, _describe(names, total, active, title))


def _check_groups(groups, count):
    kinds = [""] * count if groups is None else check_labels(groups, count, "groups")
    if len(set(kinds)) > len(MARKERS):
        raise ValueError(f"groups must be at most {len(MARKERS)} different ones, got {len(set(kinds))}")
    return np.array(kinds)


def _around(values, factor):
    return values.min() / factor, values.max() * factor


def _draw_ratios(ax):
    """Draw the lines total = r x active, named where they leave the map, and shade what cannot be."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    ends = np.array([left, right])
    ax.fill_between(ends, bottom, ends, color=FAINT, zorder=0, linewidth=0)
    lines = [np.stack([ends, ratio * ends], axis=1) for ratio in RATIOS]
    ax.add_collection(LineCollection(lines, colors=LINE, linewidths=1.2, zorder=0.5), autolim=False)
    beside = offset_copy(ax.transData, ax.figure, x=7, units="points")
    above = offset_copy(ax.transData, ax.figure, y=5, units="points")
    for ratio in RATIOS:
        words = f"{ratio}×" if ratio > 1 else "total = active"
        if ratio * right <= top:
            ax.text(right, ratio * right, words, transform=beside, va="center", color=MUTED, fontsize=13)
        elif ratio * left < top:
            ax.text(top / ratio, top, words, transform=above, ha="center", color=MUTED, fontsize=13)


def _label_ticks(ax):
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        axis.set_major_locator(LogLocator(subs=(1,) if high / low > 200 else (1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())


def _draw_points(ax, active, total, kinds, rings, shown):
    for at, kind in enumerate(sorted(set(kinds))):
        color = GROUP_COLORS[at]
        for ring in (False, True):
            here = (kinds == kind) & (rings == ring) & shown
            if here.any():
                ax.plot(active[here], total[here], MARKERS[at], markersize=2 * RADIUS - 2, zorder=3,
                        markeredgecolor=color, markerfacecolor="white" if ring else color, markeredgewidth=2)


def _draw_key(ax, kinds, hollow_label):
    looks = [(kind, MARKERS[at], {"color": GROUP_COLORS[at]}) for at, kind in enumerate(sorted(set(kinds)))]
    if hollow_label:
        looks.append((hollow_label, "o", {"color": MUTED, "markerfacecolor": "white", "markeredgewidth": 2}))
    handles = [Line2D([], [], linestyle="none", marker=marker, markersize=10, label=label, **look)
               for label, marker, look in looks if label]
    if handles:
        ax.legend(handles=handles, loc="lower right", ncols=2 if len(set(kinds)) > 4 else 1)


def _describe(names, total, active, title):
    ratio = total / active
    low, high = int(ratio.argmin()), int(ratio.argmax())
    return (f"Scatter chart, {title}: {len(names)} models, active {active.min():.3g} to {active.max():.3g} "
            f"and total {total.min():.3g} to {total.max():,.4g} billion parameters; total over active from "
            f"{ratio[low]:.3g} ({names[low]}) to {ratio[high]:.3g} ({names[high]}).")

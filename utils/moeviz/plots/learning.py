"""Loss over what training costs: one line per network, mixtures solid, dense networks dashed, all named."""

import numpy as np
from matplotlib.patheffects import withStroke

from moeviz.arrays import check_choice, check_number
from moeviz.plots.ticks import name_power
from moeviz.style import INK, MUTED, OKABE_ITO, axes_or_new, set_description

AXES = {"flops": "training FLOPs", "steps": "training steps", "seconds": "processor time of training (s)"}
# of 4, 16, 64, 256 experts
MIXTURES = [(OKABE_ITO[at], marker) for at, marker in ((5, "o"), (2, "^"), (4, "D"), (6, "v"))]
DENSE = ((INK, (6, 2)), ("#8a5a00", (1.5, 1.5)), ("#7a1f5c", (6, 2, 1.5, 2)), (MUTED, (3, 3)),
         ("#4d4d4d", (9, 3)), ("#a0522d", (4, 1, 1, 1)))  # of width 64, 128, 256, ...
NAME_WIDTH, NAME_PITCH = 95, 17  # points
ABOVE = 11  # points from a line to a name above or below it
FOOT = 0.12  # of the height is added below the lines for the texts of marks
HALO = [withStroke(linewidth=3.5, foreground="white")]


def plot_learning(curves, *, of="flops", target=None, marks=(), ax=None, title="", limits=None):
    """Draw the held-out loss over the cost of training, with a band from the lowest to the highest seed.

    curves: {name: Curve}, see `moeviz.learning`. of: "flops", "steps" or "seconds". target: a loss, drawn
    as a level line. marks: pairs (amount, text) on that line, in units of the axis, with an arrow from
    the least to the most; the texts stand at the foot. limits: (low, high) of the loss, to keep two
    pictures on one scale. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.learning import load_curves
    >>> plot_learning(load_curves()).get_xlabel()
    'training FLOPs'
    """
    check_choice(of, "of", AXES)
    if not isinstance(curves, dict) or not curves:
        raise ValueError(f"curves must be a dictionary with at least one curve, got {curves!r}")
    ax = axes_or_new(ax, (11, 6.2))
    styles = {name: _style(curve) for name, curve in curves.items()}
    for name, curve in curves.items():
        _draw(ax, name, getattr(curve, of), curve.loss, **styles[name])
    ax.set(xscale="log", xlabel=AXES[of], ylabel="held-out loss (nats per byte)", title=title)
    ax.xaxis.set_major_formatter(name_power)
    ax.margins(x=0.13)
    low, high = ax.get_ylim()
    ax.set_ylim(*(limits or (low - FOOT * (high - low) * bool(len(marks)), high)))
    ax.grid(axis="y")
    lines = {name: (getattr(curve, of), curve.mean, styles[name]["color"]) for name, curve in curves.items()}
    # over FLOPs dense lines begin apart, over steps and seconds they end apart
    at_start = {name for name, curve in curves.items() if curve.is_dense and of == "flops"}
    _name_lines(ax, lines, at_start, target)
    if target is not None:
        _draw_target(ax, check_number(target, "target"), marks)
    return set_description(ax, _describe(curves, of, target, marks, title))


def _style(curve):
    """Return the look of a curve: solid with its own marker for a mixture, dashed for dense."""
    if curve.is_dense:
        color, dash = DENSE[(curve.width.bit_length() - 7) % len(DENSE)]
        return {"color": color, "linestyle": (0, dash), "marker": "s", "dash_capstyle": "butt"}
    color, marker = MIXTURES[(curve.experts.bit_length() // 2 - 1) % len(MIXTURES)]
    return {"color": color, "marker": marker}


def _draw(ax, name, amount, loss, **line):
    color, mean = line["color"], loss.mean(axis=0)
    ax.fill_between(amount, loss.min(axis=0), loss.max(axis=0), color=color, alpha=0.2, linewidth=0)
    ax.plot(amount, mean, markersize=6, label=name, **line)


def _name_lines(ax, lines, at_start, target):
    """Write each name above the start of its line or beside its end: lines are {name: (x, y, color)}."""
    ax.autoscale_view()  # the limits are final only now
    ends = {name: (x[-1], y[-1]) for name, (x, y, _) in lines.items() if name not in at_start}
    shifts = dict(zip(ends, _shifts(ax, list(ends.values()), target), strict=True))
    for name, (x, y, color) in lines.items():
        at = ends.get(name, (x[0], y[0]))
        ax.annotate(name, at, xytext=(9, shifts.get(name, ABOVE)), textcoords="offset points", va="center",
                    color=color, fontweight="bold", fontsize=14, path_effects=HALO, zorder=5)


def _shifts(ax, ends, target):
    """Return by how many points each name (x, y) has to move to keep clear of lower names and the target."""
    places = ax.transData.transform(ends) * 72 / ax.figure.dpi if ends else np.empty((0, 2))
    heights, taken = places[:, 1].copy(), []
    if target is not None:
        level = ax.transData.transform((1, target))[1] * 72 / ax.figure.dpi
        heights[np.abs(heights - level) < ABOVE] = level - ABOVE
    for at in np.argsort(heights, kind="stable"):
        for x, height in taken:
            if abs(x - places[at, 0]) < NAME_WIDTH:
                heights[at] = max(heights[at], height + NAME_PITCH)
        taken.append((places[at, 0], heights[at]))
    return heights - places[:, 1]


def _draw_target(ax, target, marks):
    ax.axhline(target, color=MUTED, linewidth=1.4)
    places = sorted((check_number(amount, "marks", low=0.0), text) for amount, text in marks)
    if len(places) > 1:
        arrow = {"arrowstyle": "<->", "color": INK, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (places[-1][0], target), (places[0][0], target), arrowprops=arrow)
    for at, (amount, text) in enumerate(places):
        side, shift = ("right", -5) if at == 0 and len(places) > 1 else ("left", 5)
        ax.plot([amount, amount], [ax.get_ylim()[0], target], color=INK, linestyle=":", linewidth=1.4)
        ax.plot([amount], [target], "D", color=INK, markersize=8, zorder=6)
        ax.annotate(text, (amount, 0.03), xycoords=ax.get_xaxis_transform(), xytext=(shift, 0),
                    textcoords="offset points", ha=side, path_effects=HALO, zorder=6, fontsize=14)


def _describe(curves, of, target, marks, title):
    ends = [f"{name} from {curve.mean[0]:.3f} to {curve.mean[-1]:.3f} at {getattr(curve, of)[-1]:.3g}, "
            f"seeds within {np.ptp(curve.loss, axis=0).max():.3f}" for name, curve in curves.items()]
    level = f" Level line at {target:.3f}" if target is not None else ""
    reached = "".join(f", {text} at {amount:.3g}" for amount, text in marks)
    return (f"Line chart, {title or 'learning'}: held-out loss in nats per byte over {AXES[of]}; "
            f"{'; '.join(ends)}.{level}{reached + '.' if level else ''}")

"""How does a gate choose? Its steps by hand, its regions in the plane, its noise."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_count, check_matrix, check_number, check_vector, sigmoid, softmax
from moeviz.plots.draw import BACKED, HALO, bare, check_labels, draw_bars, legend_below
from moeviz.style import (
    INK,
    LINE,
    MUTED,
    PALE,
    SERIES,
    Layout,
    axes_or_new,
    expert_colors,
    fixed_axes,
    headline,
    ink_on,
    on_phone,
    phone_axes,
    set_description,
    set_matrix,
    set_narrow,
    set_table,
    tint,
)
from moeviz.tables import with_minus

PITCH = 1.3  # from one column to the next, in units of the longest bar
CLOSE = 2.1  # inches from column to column that leave room for letters of 12 points only
TOLD = 3  # experts that a title names one by one
LINE_GAP = 2  # rows between the stages above each other on a phone
SMALLEST_LABELLED = 0.004  # of the plane
REACH = 3.6  # standard deviations drawn to each side
PEAK = 0.82  # of a row
FARTHEST, FLAT = 8.0, 0.01  # scores drawn to each side; a slope that hardly teaches


def plot_gate_steps(stages, chosen, *, ax=None, title=""):
    """Draw one column of bars per stage, a row per expert, with every number printed.

    stages: list of (name, values (E,)), such as score, softmax, top-k, renormalised. chosen: (E,) bool,
    the experts that survive; the others fade. Columns of shares share one scale, a column with other numbers
    has its own.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_gate_steps([("score", [2.0, 1.0]), ("softmax", [0.73, 0.27])], [True, False])
    >>> [text.get_text() for text in ax.texts][:3]
    ['score', '2.00', '1.00']
    """
    stages, chosen = _check_gate_steps(stages, chosen)
    own, ax = ax is None, axes_or_new(ax, (min(2.6 * len(stages) + 1, 10), 0.62 * len(chosen) + 1.5))
    across = min(len(stages), 2) if on_phone(ax) else len(stages)
    lines = -(-len(stages) // across)
    if own and len(stages) > 2:
        set_narrow(ax, lambda: plot_gate_steps(stages, chosen, title=title, ax=phone_axes(
            ax, -(-len(stages) // 2) * (0.62 * len(chosen) + 0.9) + 0.6)))
    deep = len(chosen) + LINE_GAP
    ax.set(xlim=(-0.35, PITCH * across - 0.05), ylim=(lines * deep - LINE_GAP - 0.05, -1.25))
    _draw_stages(ax, stages, chosen, across, deep)
    headline(ax, _end_of(stages, chosen), title)
    ax.set_axis_off()
    set_table(ax, ["expert", *(name for name, _ in stages), "chosen"],
              zip(range(len(chosen)), *(values for _, values in stages),
                  np.where(chosen, "yes", "no"), strict=True))
    told = "; ".join(f"{name} " + ", ".join(f"{value:.2f}" for value in values) for name, values in stages)
    return set_description(ax, (
        f"Bars in {len(stages)} columns, {title or 'gating by hand'}: {told}; "
        f"chosen experts: {', '.join(map(str, np.flatnonzero(chosen))) or 'none'}."))


def _draw_stages(ax, stages, chosen, across, deep):
    """Draw the stages, so many side by side, and the experts' numbers before the first of each line."""
    colors, size = expert_colors(len(chosen)), _letters(ax)
    for at, (name, values) in enumerate(stages):
        left, top = at % across * PITCH, at // across * deep
        if at:
            ax.annotate("", (left - 0.04, top - 0.85), (left - 0.22, top - 0.85),
                        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 2})
        ax.text(left, top - 0.85, name, fontsize=size, fontweight="bold", va="center")
        _draw_column(ax, left, values, chosen, colors, top)
    for top in range(0, -(-len(stages) // across) * deep, deep):
        draw_bars(ax, -0.3, top + np.arange(len(colors)) - 0.3, 0.2, 0.6, facecolor=colors)
        for row, color in enumerate(colors):
            ax.text(-0.2, top + row, str(row), color=ink_on(color), ha="center", va="center", fontsize=size,
                    in_layout=False)


def _letters(ax):
    """Return the size of letters, in points, with which a stage's numbers stand beside its bars."""
    pitch = PITCH * ax.get_position().width * ax.figure.get_figwidth() / np.ptp(ax.get_xlim())  # inches
    return 15 if pitch > CLOSE else 12


def _end_of(stages, chosen):
    """Say what the last stage changes for the first chosen expert, or what all of them have."""
    name, values = stages[-1]
    first = int(np.argmax(chosen))
    before, after = (format_number(stage[1][first]) for stage in (stages[-2:] * 2)[:2])
    if chosen.any() and before != after:
        return f"{name} takes expert {first} from {before} to {after}"
    if chosen.sum() > TOLD:
        return f"{chosen.sum()} experts are chosen, most {values.max():.2f} for expert {values.argmax()}"
    told = ", ".join(f"{values[at]:.2f} for expert {at}" for at in np.flatnonzero(chosen))
    return f"after {name} {told or '0 experts are chosen'}"


def _check_gate_steps(stages, chosen):
    chosen = check_vector(chosen, "chosen", kind="b")
    checked = [(str(name), check_vector(values, f"stages[{at}]", len(chosen)).astype(float))
               for at, (name, values) in enumerate(stages)]
    if not checked or not len(chosen):
        raise ValueError("stages must hold at least one (name, values) with at least one expert")
    return checked, chosen


def _draw_column(ax, left, values, chosen, colors, top):
    """Draw one stage below `top`; a column with negative numbers has its zero line inside."""
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    is_share = low == 0 and high <= 1
    scale = 0.72 if is_share else (0.72 if low == 0 else 0.5) / max(high - low, 1e-12)
    zero = left + (0.36 - low * scale if low < 0 else 0)
    ax.plot([zero, zero], [top - 0.4, top + len(values) - 0.6], color=LINE, linewidth=1.5, zorder=1)
    draw_bars(ax, zero, top + np.arange(len(values)) - 0.3, values * scale, 0.6, facecolor=[
        color if is_chosen else tint(color, 0.35) for color, is_chosen in zip(colors, chosen, strict=True)])
    for row, value in enumerate(values):
        side, gap = ("left", 5) if value >= 0 else ("right", -5)
        ax.annotate(format_number(value), (zero + value * scale, top + row), xytext=(gap, 0), ha=side,
                    va="center", textcoords="offset points", fontsize=_letters(ax), in_layout=False,
                    color=INK if chosen[row] else MUTED)
    ends = "0 to 1" if is_share else f"{format_number(low)} to {format_number(high)}"
    ax.text(left, top + len(values) - 0.45, f"scale {ends}", color=MUTED, fontsize=12, va="top")


def format_number(value):
    """Write a number with two decimals, or one from 10 on, and a true minus sign; zero is just 0.

    >>> format_number(-0.5), format_number(-27.21), format_number(0.0), format_number(-0.001)
    ('−0.50', '−27.2', '0', '0.00')
    """
    return "0" if value == 0 else with_minus(f"{value:z.{1 if abs(value) >= 10 else 2}f}")


def plot_regions(gate, *, tokens=None, labels=None, bias=None, ax=None, span=3.0, title=""):
    """Tint each part of the plane in the colour of its best expert, the argmax of x @ gate + bias.

    gate: (2, E), drawn as arrows. tokens: (T, 2) or None, drawn as dots. labels: T texts beside
    them. bias: (E,) or None. The plane
    runs from -span to span. Ties go to the lowest expert index, as in a router: of equal experts only
    the first owns a region. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_regions([[1.0, -1.0], [0.0, 0.0]])
    >>> [text.get_text() for text in ax.texts]
    ['0', '1']
    """
    gate, bias, tokens = _check_regions(gate, bias, tokens)
    span = check_number(span, "span", low=1e-6)
    ax = axes_or_new(ax, (7.5, 7))
    regions = find_regions(gate, bias, span)
    shares = np.array([polygon_area(region) for region in regions]) / (2 * span) ** 2
    colors = expert_colors(gate.shape[1])
    owned = [expert for expert, region in enumerate(regions) if len(region)]
    ax.add_collection(PolyCollection([regions[e] for e in owned], edgecolors="white", linewidths=2.5,
                                     facecolors=[tint(colors[e], 0.34) for e in owned], zorder=0))
    _draw_gate(ax, gate, colors)
    owner = np.argmax(tokens @ gate + bias, axis=1)
    ax.scatter(*tokens.T, s=42, c=np.array(colors)[owner], edgecolors=INK, linewidths=0.8, zorder=3)
    names = [""] * len(tokens) if labels is None else check_labels(labels, len(tokens))
    for place, label in zip(tokens, names, strict=True) if labels is not None else ():
        ax.annotate(label, place, xytext=(7, 5), textcoords="offset points", fontsize=14, zorder=5,
                    path_effects=HALO)
    for expert in np.flatnonzero(shares > SMALLEST_LABELLED):
        _draw_number(ax, expert, _free_place(regions[expert], tokens, span), colors[expert])
    ax.set(xlim=(-span, span), ylim=(-span, span), aspect="equal",
           xlabel="token, dimension 0", ylabel="token, dimension 1")
    headline(ax, _who_owns(100 * shares), title)
    owned = np.bincount(owner, minlength=len(shares))
    set_table(ax, ["expert", "gate, dimension 0", "gate, dimension 1", "bias", "share of the plane (%)",
                   "tokens"], zip(range(len(shares)), *gate, bias, 100 * shares, owned, strict=True))
    return set_description(ax, _describe_regions(shares, tokens, span, title))


def plot_region_change(gates, *, tokens=None, labels=None):
    """Draw the regions of several gates side by side, on one scale.

    gates: {title: gate (2, E)}, N of them. tokens, labels: as for `plot_regions`. Returns Axes (N,) of
    a new figure. Raises ValueError naming the wrong argument.

    >>> plot_region_change({"before": np.eye(2), "after": 2 * np.eye(2)}).shape
    (2,)
    """
    if not isinstance(gates, dict) or not gates:
        raise ValueError(f"gates must be {{title: gate}} with at least one, got {gates!r}")
    axes = plt.subplots(1, len(gates), figsize=(min(5 * len(gates), 10), 5.4), sharey=True, squeeze=False,
                        layout=Layout())[1][0]
    for ax, (title, gate) in zip(axes, gates.items(), strict=True):
        plot_regions(gate, tokens=tokens, labels=labels, ax=ax, title=title)
    for ax in axes[1:]:
        ax.set_ylabel("")
    return axes


def find_regions(gate, bias, span):
    """Return one convex polygon (N, 2) per expert: where it scores best in the square; (0, 2) if nowhere."""
    return [_find_region(expert, gate, bias, span) for expert in range(gate.shape[1])]


def _find_region(expert, gate, bias, span):
    region = span * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    for rival in range(gate.shape[1]):
        slope, offset = gate[:, expert] - gate[:, rival], bias[expert] - bias[rival]
        if rival < expert and not slope.any() and offset == 0:
            return np.zeros((0, 2))
        region = clip_polygon(region, slope, offset)
    return region


def clip_polygon(polygon, slope, offset):
    """Cut away the part of a convex polygon (N, 2) where x @ slope + offset < 0 (Sutherland, Hodgman 1974).

    >>> clip_polygon(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]), np.array([-1.0, 0.0]), 1.0).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    lead = polygon @ slope + offset
    corners = []
    for at in range(len(polygon)):
        here, following = lead[at], lead[(at + 1) % len(polygon)]
        if here >= 0:
            corners.append(polygon[at])
        if (here > 0 > following) or (here < 0 < following):
            step = here / (here - following)
            corners.append(polygon[at] + step * (polygon[(at + 1) % len(polygon)] - polygon[at]))
    return np.array(corners) if len(corners) > 2 else np.zeros((0, 2))


def polygon_area(polygon):
    """Return the area of a polygon (N, 2) whose corners run anticlockwise; 0 for an empty one."""
    following = np.roll(polygon, -1, axis=0)
    return 0.5 * float((polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]).sum())


def _find_centre(polygon):
    following = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]
    return ((polygon + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())


def _check_regions(gate, bias, tokens):
    gate = check_matrix(gate, "gate", "(2, E)")
    if len(gate) != 2:
        raise ValueError(f"gate must have shape (2, E), got shape {gate.shape}")
    bias = np.zeros(gate.shape[1]) if bias is None else check_vector(bias, "bias", gate.shape[1])
    if tokens is None:
        return gate, bias, np.zeros((0, 2))
    tokens = check_matrix(tokens, "tokens", "(T, 2)")
    if tokens.shape[1] != 2:
        raise ValueError(f"tokens must have shape (T, 2), got shape {tokens.shape}")
    return gate, bias, tokens


def _draw_gate(ax, gate, colors):
    ax.plot(0, 0, "o", color=INK, markersize=5, zorder=3)
    ax.quiver(*np.zeros_like(gate), *gate, color=colors, edgecolor=INK, linewidth=1.0, width=0.013,
              angles="xy", scale_units="xy", scale=1, headwidth=3.2, headlength=4, headaxislength=4, zorder=2)


def _free_place(region, tokens, span):
    """Return the centre of a region, or a place between it and a corner where no token and its name stand."""
    centre = _find_centre(region)
    places = [centre, *(centre + 0.45 * (region - centre))]
    names = tokens + np.array([0.1, 0.05]) * span
    apart = [np.abs((names - place) / (2, 1)).max(axis=1).min(initial=np.inf) for place in places]
    return places[int(np.argmax(np.array(apart) > 0.09 * span))]


def _draw_number(ax, expert, place, color):
    ax.text(*place, str(expert), color=ink_on(color), fontsize=17, fontweight="bold",
            ha="center", va="center", zorder=4,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": color, "edgecolor": "white", "linewidth": 2})


def _who_owns(shares):
    """Say which expert owns most and which least of the plane, in percent, or that all own the same."""
    most, least = int(np.argmax(shares)), len(shares) - 1 - int(np.argmin(shares[::-1]))
    if f"{shares[most]:.0f}" == f"{shares[least]:.0f}":
        return f"each of {len(shares)} experts owns {shares[most]:.0f}% of the plane"
    return f"expert {most} owns {shares[most]:.0f}% of the plane, expert {least} {shares[least]:.0f}%"


def _describe_regions(shares, tokens, span, title):
    most, least = int(np.argmax(shares)), int(np.argmin(shares))
    return (f"Map, {title or 'routing regions'}: the plane from {-span:g} to {span:g} split among "
            f"{len(shares)} experts; expert {most} owns most ({100 * shares[most]:.0f}%), "
            f"expert {least} least ({100 * shares[least]:.0f}%); {len(tokens)} tokens.")


def plot_noisy_threshold(logits, noise_std, threshold, chance, *, ax=None, title=""):
    """Draw a row per expert: the Gaussian of its noisy logit, and the part of it beyond the threshold.

    logits: (E,) clean scores of one token. noise_std: (E,) widths > 0. threshold: (E,) the score each
    expert has to beat. chance: (E,) the shaded areas P(x, i), printed at the right. Every Gaussian is
    drawn equally high, so compare areas within a row. Returns the Axes. Raises ValueError naming the
    wrong argument. Source of the quantities: Shazeer et al. 2017, arXiv 1701.06538.

    >>> ax = plot_noisy_threshold([1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.84, 0.16])
    >>> [text.get_text() for text in ax.texts][:2]
    ['P = 0.84', 'P = 0.16']
    """
    logits, std, threshold, chance = _check_noise(logits, noise_std, threshold, chance)
    ax = axes_or_new(ax, (10, 0.8 * len(logits) + 1.6))
    for row, color in enumerate(expert_colors(len(logits))):
        _draw_row(ax, row, logits[row], std[row], threshold[row], color)
        ax.annotate(f"P = {chance[row]:.2f}", (1, row - 0.3), xycoords=("axes fraction", "data"),
                    xytext=(8, 0), textcoords="offset points", va="center", fontsize=15,
                    annotation_clip=False)
    ax.text(threshold[0], -1.05, "threshold", ha="center", va="bottom")
    ends = np.concatenate([logits - REACH * std, logits + REACH * std, threshold - 0.1, threshold + 0.1])
    ax.set(xlim=(ends.min(), ends.max()), ylim=(len(logits) - 0.6, -1.35), ylabel="expert",
           xlabel="noisy logit (dot: without noise)", yticks=range(len(logits)))
    order = np.argsort(-chance, kind="stable")
    headline(ax, f"expert {order[0]} is chosen with chance {chance[order[0]]:.2f}, expert {order[-1]} "
                 f"with {chance[order[-1]]:.2f}", title)
    bare(ax, "y")
    set_table(ax, ["expert", "clean logit", "noise", "threshold", "chance"],
              zip(range(len(logits)), logits, std, threshold, chance, strict=True))
    best, worst = int(np.argmax(chance)), int(np.argmin(chance))
    return set_description(ax, (
        f"Ridge plot, {title or 'noisy top-k'}: noisy logits of {len(logits)} experts, clean logits "
        f"{logits.min():.3g} to {logits.max():.3g}, noise {std.min():.3g} to {std.max():.3g}, "
        f"threshold {threshold.min():.3g} to {threshold.max():.3g}; chance largest for "
        f"expert {best} ({chance[best]:.2f}), smallest for expert {worst} ({chance[worst]:.2f})."))


def _check_noise(logits, noise_std, threshold, chance):
    logits = check_vector(logits, "logits")
    named = {"noise_std": noise_std, "threshold": threshold, "chance": chance}
    std, threshold, chance = (check_vector(value, name, len(logits)) for name, value in named.items())
    if not len(logits) or not (std > 0).all():
        raise ValueError(f"noise_std must be above 0 for every expert, got {std.tolist()}")
    return logits, std, threshold, chance


def _draw_row(ax, row, logit, std, threshold, color):
    x = logit + std * np.linspace(-REACH, REACH, 181)
    y = row - PEAK * np.exp(-0.5 * ((x - logit) / std) ** 2)
    ax.fill_between(x, row, y, facecolor=tint(color, 0.25), edgecolor="none", zorder=1)
    beyond = np.union1d(x[x > threshold], [np.clip(threshold, x[0], x[-1])])
    ax.fill_between(beyond, row, row - PEAK * np.exp(-0.5 * ((beyond - logit) / std) ** 2),
                    facecolor=color, edgecolor="none", zorder=2)
    ax.plot(x, y, color=INK, linewidth=1.3, zorder=3)
    ax.plot([threshold, threshold], [row, row - 0.96], color=INK, linewidth=2.6, zorder=4)
    ax.plot(logit, row, "o", color=color, markeredgecolor=INK, markersize=8, zorder=5, clip_on=False)
    ax.axhline(row, color=MUTED, linewidth=0.8, zorder=0.5)


def plot_products(token, gate, *, label="token", ax=None):
    """Draw a token and the gate's vectors in the plane, and the foot of the token on each of them.

    token: (2,). gate: (2, E). A score x . w is the length of the foot times the length of the vector; it
    stands at the vector's tip. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_products([2.0, 1.0], [[1.0, 0.0], [0.0, 1.0]]).get_title()
    'Token scores highest with expert 0: 2.00'
    """
    token, gate = check_vector(token, "token", 2), check_matrix(gate, "gate", "(2, E)")
    scores, colors = token @ gate, expert_colors(gate.shape[1])
    ax = axes_or_new(ax, (7, 6.6))
    for expert in np.argsort(scores):  # feet may fall together; the one with the highest score is seen
        vector, color = gate[:, expert], colors[expert]
        foot = scores[expert] / max(vector @ vector, 1e-12) * vector
        ax.plot(*np.stack([token, foot], axis=1), color=color, linestyle=(0, (2, 2)), linewidth=1.8)
        ax.plot(*foot, "o", color=color, markeredgecolor=INK, markersize=8, zorder=4)
        _draw_arrow(ax, vector, color, f"expert {expert}\nscore {format_number(scores[expert])}")
    _draw_arrow(ax, token, INK, label)
    reach = 1.35 * max(np.abs(gate).max(), np.abs(token).max())
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="dimension 0",
           ylabel="dimension 1")
    best = int(np.argmax(scores))
    headline(ax, f"{label} scores highest with expert {best}: {scores[best]:.2f}")
    set_table(ax, ["expert", "dimension 0", "dimension 1", "score"],
              zip(range(len(scores)), *gate, scores, strict=True))
    told = ", ".join(f"expert {expert} {score:.2f}" for expert, score in enumerate(scores))
    return set_description(ax, f"Arrows in the plane: {label} at {token[0]:g}, {token[1]:g} and "
                               f"{len(scores)} experts; scores: {told}.")


def _draw_arrow(ax, tip, color, words):
    ax.annotate("", tip, (0, 0), zorder=3, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 2.6,
                                                       "mutation_scale": 18, "shrinkA": 0, "shrinkB": 0})
    aside = 8 * np.where(tip, np.sign(tip), [0, -1] if tip[0] else [1, 0])
    ax.annotate(words, tip, xytext=aside, textcoords="offset points", fontsize=13, zorder=5,
                path_effects=HALO, ha="center" if tip[0] == 0 else "left" if tip[0] > 0 else "right",
                va="bottom" if tip[1] > 0 else "top")


def plot_settings(shares, *, limit=None, ax=None, title=""):
    """Draw one row of bars per setting of a gate: the experts' shares, or their running sum up to a limit.

    shares: {setting: (E,)} that sum to 1, such as one per temperature. limit: draw each row from the most
    probable expert on as a staircase of running sums, with a line at this sum, as top-p cuts it; None draws
    plain bars. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_settings({"T = 1": [0.7, 0.3], "T = 2": [0.6, 0.4]}).get_title()
    'The largest share goes from 0.70 (T = 1) to 0.60 (T = 2)'
    """
    rows = {str(name): check_vector(values, f"shares[{name!r}]") for name, values in dict(shares).items()}
    if not rows or len({len(values) for values in rows.values()}) > 1:
        raise ValueError("shares must hold at least one row, and rows of one length")
    ax = axes_or_new(ax, (9, 1.1 * len(rows) + 1.6))
    count, needed = len(next(iter(rows.values()))), []
    for row, values in enumerate(rows.values()):
        order = np.argsort(-values, kind="stable") if limit is not None else np.arange(count)
        base = np.cumsum(values[order]) - values[order] if limit is not None else 0 * values
        needed.append(int((base < (1 if limit is None else limit) - 1e-12).sum()))
        colors = np.array(expert_colors(count))[order]
        kept = np.arange(count) < needed[-1]
        draw_bars(ax, np.arange(count) - 0.4, row + 0.92 - 0.84 * (base + values[order]), 0.8,
                  0.84 * values[order], edgecolor=MUTED, linewidth=0.8,
                  facecolor=[c if keep else tint(c, 0.2) for c, keep in zip(colors, kept, strict=True)])
        ax.axhline(row + 0.92, color=LINE, linewidth=1)
        if limit is not None:
            ax.plot([-0.5, count - 0.5], [row + 0.92 - 0.84 * limit] * 2, color=INK, linestyle=(0, (4, 3)),
                    linewidth=1.4)
        for at, (expert, value) in enumerate(zip(order, values[order], strict=True)):
            words = f"{value:.2f}" if limit is None else f"{expert}"
            ax.text(at, row + 0.9 - 0.84 * (base[at] + value), words, ha="center", va="bottom", fontsize=12,
                    bbox=BACKED)
    ax.set(xlim=(-0.6, count - 0.4), ylim=(len(rows) + 0.05, -0.25),
           xlabel="expert" if limit is None else "experts, the most probable first")
    ax.set_yticks(np.arange(len(rows)) + 0.5, list(rows))
    ax.set_xticks(range(count), [] if limit is not None else range(count))
    bare(ax)
    return _say_settings(ax, rows, needed, limit, title)


def _say_settings(ax, rows, needed, limit, title):
    """Write title, table and description of `plot_settings`."""
    names, values = list(rows), list(rows.values())
    if limit is None:
        first, last = (f"{values[at].max():.2f} ({names[at]})" for at in (0, -1))
        found = f"the largest share goes from {first} to {last}"
    else:
        found = f"a sum of {limit:g} takes {min(needed)} to {max(needed)} experts"
    headline(ax, found, title)
    set_matrix(ax, values, rows=("setting", names), columns=("expert", range(len(values[0]))),
               title=title or "shares of the experts")
    return set_description(ax, f"Rows of bars, {title or 'settings of a gate'}: {', '.join(names)}; {found}.")


def plot_saturation(score, *, others=0.0, num_experts=4):
    """Draw what one expert's score becomes by sigmoid and by softmax, and beside it both slopes.

    score: of this expert, -8 to 8. others: the score of each other expert. num_experts: E, at least 2. Where
    the sigmoid's slope is below 0.01 the ground is grey. Returns Axes (2,) of a new figure. Raises ValueError
    naming the wrong argument.

    >>> plot_saturation(0.0)[0].get_title()
    'The score 0 becomes 0.500 by\\nsigmoid, 0.250 by softmax'
    """
    score = check_number(score, "score", -FARTHEST, FARTHEST)
    others, count = check_number(others, "others"), check_count(num_experts, "num_experts", low=2)
    axes = fixed_axes((10, 5.4), left=0.85, bottom=1.45, top=0.8, columns=2, gap=(1.0, 0))
    x = np.linspace(-FARTHEST, FARTHEST, 161)
    lines, here = (_scored(np.atleast_1d(at), others, count) for at in (x, score))
    for ax, part, label in zip(axes, (0, 1), ("value", "slope"), strict=True):
        for name, color, dash, size in (("sigmoid", SERIES[0], "-", 13), ("softmax", SERIES[1], "--", 7)):
            ax.plot(x, lines[name][part], color=color, linestyle=dash, label=name)
            ax.plot([score], here[name][part], "o", color=color, markersize=size)
        edge = x[lines["sigmoid"][1] >= FLAT].max()
        for low, high, told in ((-FARTHEST, -edge, "sigmoid flat"), (edge, FARTHEST, None)):
            ax.axvspan(low, high, color=PALE, alpha=0.4, linewidth=0, zorder=0, label=told)
        ax.axvline(score, color=LINE, linewidth=1, zorder=0)
        ax.set(xlim=(-FARTHEST, FARTHEST), xlabel="score of one expert", ylabel=label)
        ax.set_xticks(np.linspace(-FARTHEST, FARTHEST, 5))
        legend_below(ax, 2)
        set_matrix(ax, [each[part] for each in here.values()], rows=(label, here),
                   columns=("score", [f"{score:g}"]))
    axes[0].set_ylim(0, 1.04)
    axes[1].set_ylim(0, 0.27)
    return _say_saturation(axes, score, others, count, {name: np.ravel(both) for name, both in here.items()})


def _scored(scores, others, count):
    """Return {name: (value, slope)} of scores (N,) beside count - 1 others."""
    alone, among = sigmoid(scores), softmax(np.c_[scores, np.full((len(scores), count - 1), others)])[:, 0]
    return {name: (value, value * (1 - value)) for name, value in (("sigmoid", alone), ("softmax", among))}


def _say_saturation(axes, score, others, count, here):
    """Write titles and descriptions of `plot_saturation`; here: {name: (value, slope)} at the score."""
    (alone, slope), (among, steep) = here["sigmoid"], here["softmax"]
    rest = sigmoid(np.array([others]))[0]
    headline(axes[0], f"the score {score:g} becomes {alone:.3f} by sigmoid, {among:.3f} by softmax")
    headline(axes[1], f"the slope there is {slope:.4f} by sigmoid, {steep:.4f} by softmax")
    set_description(axes[0], f"Two curves: beside {count - 1} experts at a score of {others:g}, a score of "
                             f"{score:g} becomes {alone:.3f} by sigmoid and {among:.3f} by softmax. All "
                             f"experts together have {alone + (count - 1) * rest:.2f} and 1.")
    set_description(axes[1], f"Their slopes: {slope:.4f} and {steep:.4f}.")
    return axes

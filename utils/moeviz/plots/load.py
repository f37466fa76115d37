"""How even is the load? Per expert, over training, beside its metrics, on a map, under a bias."""

from itertools import cycle

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle

from moeviz.arrays import check_matrix, check_same_shape, check_vector
from moeviz.checks import check_kind
from moeviz.plots.charts import LINE_DASHES
from moeviz.plots.draw import BACKED, boxes, draw_bars, extremes, legend_below
from moeviz.plots.names import NAME_SIZE, spread
from moeviz.record import EMPTY, check_routing
from moeviz.style import (
    FAINT,
    INK,
    LINE,
    MUTED,
    PALE,
    PHONE,
    SERIES,
    axes_or_new,
    dropped_patch,
    expert_colors,
    fixed_axes,
    headline,
    ink_on,
    on_phone,
    on_white,
    phone_axes,
    set_description,
    set_matrix,
    set_narrow,
    set_table,
    wrapped,
)
from moeviz.tables import as_text, evenly
from moeviz.training import History

MAX_LABELLED, MAX_LABELLED_COMPACT = 16, 10
DEAD = 0.1  # of the fair share, as in metrics.dead_experts
WORST, OTHERS = SERIES[2], PALE
LOAD_WIDTH, METER_WIDTH, NAME_WIDTH, GAP = 2.0, 0.72, 1.65, 0.26  # inches, at the default figure size
ROW_HEIGHT = 0.95
PHONE_NAME = 10  # letters in a line of a load's name
CORNERS = {(0, 1): "this corner:\nsure, even\nexperts can differ",
           (1, 1): "this corner:\nundecided, even\nscores nearly tie",
           (0, 0): "this corner:\nsure, collapsed\none expert gets all",
           (1, 0): "this corner:\nundecided, collapsed\nby a hair, but always"}
MARGIN = 0.045
MOST_OF_A_PATH = 12  # points in the table
MAX_NAMED = 9  # as many numbers have room in a column
PANEL, LAST = (3.3, 7), 30  # inches of a run; steps that are shown one by one


def count_assignments(routed):
    """Return two (E,) vectors of whole numbers: assignments kept, and assignments dropped, per expert."""
    taken = routed.expert_index != EMPTY
    kept, dropped = (np.bincount(routed.expert_index[taken & is_kept], minlength=routed.num_experts)
                     for is_kept in (routed.kept, ~routed.kept))
    return kept, dropped


def name_busiest(counts, *, counted=False):
    """Say which expert gets most, and how many times its fair share that is.

    counted: where a picture shows the choices one by one, and not their shares.

    >>> name_busiest(np.array([3, 1]))
    'expert 0 gets 75% of the choices, 1.5 times its fair share'
    >>> name_busiest(np.array([3, 1]), counted=True)
    'expert 0 gets 3 of 4 choices, 1.5 times its fair share'
    """
    busiest, total = int(np.argmax(counts)), max(counts.sum(), 1)
    part = f"{counts[busiest]} of {total}" if counted else f"{100 * counts[busiest] / total:.0f}% of the"
    return (f"expert {busiest} gets {part} choices, "
            f"{as_text(len(counts) * counts[busiest] / total, 2)} times its fair share")


def plot_load(routed, *, ax=None, compact=False):
    """Draw one bar per expert: its share of the assignments in percent, dropped ones hatched on top.

    The number under each share counts the assignments, the dashed line is the fair share 1/E.
    `compact` leaves the counts and the scale out, for a small panel beside something else.
    Returns the Axes. Raises ValueError when routed is no Routing.

    >>> from moeviz.record import Routing
    >>> plot_load(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).get_xlabel()
    'expert'
    """
    kept, dropped = count_assignments(check_routing(routed))
    num_experts, total = len(kept), max((kept + dropped).sum(), 1)
    ax = axes_or_new(ax, (10, 5))
    experts = np.arange(num_experts)
    shares, lost = 100 * kept / total, 100 * dropped / total
    draw_bars(ax, experts - 0.4, 0, 0.8, shares, facecolor=expert_colors(num_experts), edgecolor=MUTED,
              linewidth=0.8)
    if dropped.any():
        bars = draw_bars(ax, experts - 0.4, shares, 0.8, lost, **dropped_patch())
        ax.legend(bars[:1], ["dropped"], loc="upper right")
    _label_bars(ax, kept + dropped, shares + lost, compact)
    top = 1.2 * max((shares + lost).max(), 100 / num_experts)
    ax.set(xlabel="expert", ylabel=f"share of {(kept + dropped).sum()} assignments (%)",
           xlim=(-0.6, num_experts - 0.4), ylim=(0, top))
    headline(ax, name_busiest(kept + dropped), routed.label)
    _draw_fair_share(ax, 100 / num_experts, compact)
    ax.set_xticks(experts if num_experts <= MAX_LABELLED else experts[::num_experts // 8])
    ax.tick_params(axis="x", length=0)
    set_table(ax, ["expert", "assignments", "share (%)", "dropped"], title=f"{routed.label}: load",
              rows=zip(experts, kept + dropped, shares + lost, dropped, strict=True))
    return set_description(ax, (
        f"Bar chart, {routed.label}: share of {(kept + dropped).sum()} assignments per expert, experts 0 to "
        f"{num_experts - 1}; {extremes(kept + dropped)}; fair share {100 / num_experts:.3g}%; "
        f"{dropped.sum()} dropped."))


def _draw_fair_share(ax, fair, compact):
    ax.axhline(fair, color=LINE, linestyle=(0, (5, 4)), linewidth=1.8, zorder=0.5)
    if compact:
        ax.set_yticks([fair], [f"fair\n{fair:.3g}%"])
        ax.set_ylabel("share (%)")
    else:
        ax.annotate(f"fair share\n{fair:.3g}%", (1, fair), xycoords=("axes fraction", "data"), xytext=(6, 0),
                    textcoords="offset points", va="center", color=MUTED, annotation_clip=False)


def _label_bars(ax, numbers, heights, compact):
    """Write share and count over each bar; over the longest alone where bars are many."""
    many = len(heights) > (MAX_LABELLED_COMPACT if compact else MAX_LABELLED)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 3.5}
    shown = [np.argmax(heights)] if many else range(len(heights))
    for expert in shown:
        is_fair = compact and np.isclose(heights[expert], 100 / len(heights))  # written as beside its line
        share = f"{heights[expert]:{'.3g' if is_fair else '.0f'}}"
        share += "" if compact else f"%\n{numbers[expert]}"
        ax.annotate(share, (expert, heights[expert]), xytext=(0, 6), textcoords="offset points",
                    ha="center", va="bottom", bbox=ground, in_layout=False)


def plot_push(routed, gradient, *, ax=None):
    """Draw the load of each expert, and an arrow: where a step against the gradient moves its mean logit.

    gradient: (T, E) of a loss on the logits. The arrows are in proportion to each other; the longest is a
    third of the axis. Returns the Axes. Raises ValueError for a gradient of another shape than the probs.

    >>> from moeviz.record import Routing
    >>> one = Routing([[2.0, 0.0]], [[0.9, 0.1]], [[0]], [[1.0]], [[True]], "one")
    >>> plot_push(one, [[0.1, -0.1]]).get_xlabel()
    'expert'
    """
    check_routing(routed)
    move = -check_same_shape(gradient, "gradient", routed.probs, "probs").mean(axis=0)
    shares = 100 * sum(count_assignments(routed)) / max((routed.expert_index != EMPTY).sum(), 1)
    experts, top = np.arange(len(shares)), 1.7 * max(shares.max(), 100 / len(shares))
    ax = axes_or_new(ax, (10, 4.6))
    draw_bars(ax, experts - 0.4, 0, 0.8, shares, facecolor=expert_colors(len(shares)), edgecolor=MUTED,
              linewidth=0.8)
    longest = max(np.abs(move).max(), np.finfo(float).tiny)
    for expert, height in enumerate(top / 3 * move / longest):
        start = shares[expert] + 0.02 * top + max(-height, 0)
        ax.annotate("", (expert, start + height), (expert, start), annotation_clip=False,
                    arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 2.4, "mutation_scale": 18})
    headline(ax, f"one step pushes {(move < 0).sum()} of {len(shares)} experts down", routed.label)
    ax.set(xlabel="expert", ylabel="share of assignments (%)", xlim=(-0.6, len(shares) - 0.4), ylim=(0, top),
           xticks=experts)
    ax.set_yticks([mark for mark in ax.get_yticks() if mark <= 100])  # an arrow may stand above all shares
    _draw_fair_share(ax, 100 / len(shares), compact=False)
    set_table(ax, ["expert", "share (%)", "mean move of the logit"],
              zip(experts, shares, move, strict=True), title=f"{routed.label}: share and push")
    down = ", ".join(map(str, np.flatnonzero(move < 0))) or "none"
    return set_description(ax, f"Bar chart, {routed.label}: shares of {len(shares)} experts with an arrow "
                               f"each; one step pushes these down: {down}; {extremes(shares, unit='%')}.")


def plot_load_film(load, *, smooth=1, ax=None, title=""):
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
    headline(ax, f"{len(dead)} of {load.shape[1]} experts are dead at the end"
             + (f" ({names})" if len(dead) else ""), title)
    set_matrix(ax, 100 * shown, rows=("step", steps), columns=("expert", range(load.shape[1])),
               title=f"{title or 'load over training'}: share of assignments (%)")
    return set_description(ax, (
        f"Stacked area chart, {title or 'load over training'}: share of assignments of {load.shape[1]} "
        f"experts over {len(load)} steps; at the end the busiest is expert {last.argmax()} with "
        f"{100 * last.max():.0f}%; "
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


def plot_meters(loads, meters, *, ax=None, title=""):
    """Draw one row per load: its experts' shares as bars, then a bar for every metric's reading of it.

    loads: {name: (E,)}, counts or shares, N of them. meters: {heading: (N,)}, not negative and higher
    where the load is less even. Bars of one metric share a scale; its highest reading is marked.
    The line across a load is the fair share. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_meters({"even": [2, 2], "uneven": [4, 0]}, {"MaxVio": [0.0, 1.0]})
    >>> [text.get_text() for text in ax.texts][-3:]
    ['MaxVio', '0.00', '1.00']
    """
    shares = _check_loads(loads)
    readings = {name: _check_readings(values, name, len(shares)) for name, values in dict(meters).items()}
    wide = NAME_WIDTH + LOAD_WIDTH + len(readings) * (METER_WIDTH + GAP)
    own, ax = ax is None, axes_or_new(ax, (wide + 0.4, ROW_HEIGHT * len(shares) + 1.2))
    if own and wide > PHONE:
        set_narrow(ax, lambda: plot_meters(loads, meters, title=title, ax=phone_axes(
            ax, ROW_HEIGHT * (2 * len(shares) + 0.7) + 1.2)))
    below = on_phone(ax)  # the metrics stand below the loads, with names of their own
    tops = (0, len(shares) + 0.7) if below else (0,)
    for row, (name, share) in enumerate(shares.items()):
        for top in tops:
            words = wrapped(name, PHONE_NAME) if below else name
            ax.text(NAME_WIDTH - 0.2, top + row + 0.75, words, ha="right", va="center", fontsize=15)
        _draw_load(ax, share, row, max(map(max, shares.values())))
    ax.text(NAME_WIDTH, -0.1, "share per expert", color=MUTED, fontsize=13)
    start = NAME_WIDTH + (0 if below else LOAD_WIDTH + GAP / 2)
    for column, (name, values) in enumerate(readings.items()):
        _draw_readings(ax, name, values, start + column * (METER_WIDTH + GAP), tops[-1])
    ax.set(xlim=(0, start + len(readings) * (METER_WIDTH + GAP) if below else wide),
           ylim=(tops[-1] + len(shares) + 0.05, -0.4))
    headline(ax, _worst_load(list(shares), readings), title)
    ax.set_axis_off()
    said = [as_text(100 * share, 3) for share in shares.values()]
    set_table(ax, ["load", *readings, "shares of the experts, in order (%)"],
              zip(shares, *readings.values(), said, strict=True), title=title or "loads and their metrics")
    worst = [f"{meter} highest on {list(shares)[int(np.argmax(values))]} ({values.max():.3g})"
             for meter, values in readings.items()]
    return set_description(ax, f"Table of bars, {title or 'loads and their metrics'}: loads "
                               f"{', '.join(shares)}; {', '.join(worst)}.")


def _worst_load(names, readings):
    for meter, values in readings.items():
        worst = int(np.argmax(values))
        return f"least even is {names[worst]}, {meter} {_reading(values[worst])}"
    return f"{len(names)} loads"


def _check_loads(loads):
    if not isinstance(loads, dict) or not loads:
        raise ValueError(f"loads must be {{name: (E,)}} with at least one load, got {loads!r}")
    checked = {str(name): check_vector(load, f"loads[{name!r}]") for name, load in loads.items()}
    for name, load in checked.items():
        if not len(load) or load.min() < 0 or load.sum() <= 0:
            raise ValueError(f"loads[{name!r}] must be non-negative with a positive sum, got {load.tolist()}")
    return {name: load / load.sum() for name, load in checked.items()}


def _check_readings(values, name, length):
    readings = check_vector(values, f"meters[{name!r}]", length)
    if readings.min() < 0:
        raise ValueError(f"meters[{name!r}] must be non-negative, got {readings.min()}")
    return readings


def _draw_load(ax, share, row, top):
    step = (LOAD_WIDTH - 0.3) / len(share)
    left, height = NAME_WIDTH + step * np.arange(len(share)), 0.88 * share / top
    floor = row + 0.98
    ax.add_collection(PolyCollection(boxes(left, floor - height, 0.86 * step, height), edgecolors=MUTED,
                                     facecolors=expert_colors(len(share)), linewidths=0.8))
    fair = floor - 0.88 / len(share) / top
    ax.plot([NAME_WIDTH, NAME_WIDTH + LOAD_WIDTH - 0.3], [floor, floor], color=INK, linewidth=1.0)
    ax.plot([NAME_WIDTH - 0.06, NAME_WIDTH + LOAD_WIDTH - 0.24], [fair, fair], color=LINE,
            linestyle=(0, (5, 4)), linewidth=1.6, zorder=0.5)


def _reading(value):
    """Write a metric as in its cell: a count whole, all else with two decimals."""
    return f"{value:.0f}" if value.dtype.kind in "iu" else f"{value:.2f}"


def _draw_readings(ax, name, values, left, top):
    most = values.max()
    worst = (values == most) & (most > 0)
    length = METER_WIDTH * values / (most or 1.0)
    rows = top + np.arange(len(values))
    ax.add_collection(PolyCollection(boxes(left, rows + 0.82, METER_WIDTH, 0.16),
                                     facecolors=FAINT))
    ax.add_collection(PolyCollection(boxes(left, rows + 0.82, length, 0.16),
                                     facecolors=np.where(worst, WORST, OTHERS)))
    ax.text(left, top - 0.1, name, color=MUTED, fontsize=12)
    for row, value in enumerate(values):
        ax.text(left, rows[row] + 0.75, _reading(value), va="bottom", fontsize=15,
                fontweight="bold" if worst[row] else "normal")


def plot_entropy_map(points, *, paths=None, ax=None, title=""):
    """Draw routers as points in the square of router entropy (across) and load entropy (up), both 0 to 1.

    points: {name: (router entropy, load entropy)}. paths: {name: (M, 2)}, lines of the same two numbers,
    for instance over a temperature. Each corner of the square carries its meaning. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> plot_entropy_map({"fair": (1.0, 1.0)}).get_xlabel()
    'router entropy (0 sure, 1 undecided)'
    """
    spots = {str(name): _check_spots([spot], f"points[{name!r}]")[0] for name, spot in dict(points).items()}
    lines = {str(name): _check_spots(line, f"paths[{name!r}]") for name, line in dict(paths or {}).items()}
    ax = axes_or_new(ax, (9.5, 6.6))
    _draw_corners(ax)
    looks = zip(cycle(SERIES), cycle(LINE_DASHES), strict=False)
    for (name, line), (color, dash) in zip(lines.items(), looks, strict=False):
        ax.plot(*line.T, color=color, linestyle=dash, label=name, zorder=2.5)
    corners = [tuple(spot > 0.5) for spot in spots.values()]
    for at, (name, spot) in enumerate(spots.items()):
        _draw_spot(ax, name, spot, line=corners[:at].count(corners[at]))
    if lines:
        legend_below(ax, len(lines))
    headline(ax, _first_spot({**{name: line[0] for name, line in lines.items()}, **spots}), title)
    ax.set(xlim=(-MARGIN, 1 + MARGIN), ylim=(-MARGIN, 1 + MARGIN),
           xlabel="router entropy (0 sure, 1 undecided)", ylabel="load entropy (0 one expert, 1 even)")
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    rows = [[name, *spot] for name, spot in spots.items()]
    rows += [[name, *spot] for name, line in lines.items()
             for spot in line[evenly(len(line), MOST_OF_A_PATH)]]
    set_table(ax, ["router", "router entropy", "load entropy"], rows, title=title or "map of routers")
    return set_description(ax, _describe_entropy_map(spots, lines, title))


def _first_spot(spots):
    for name, (doubt, even) in spots.items():
        return f"{name} has router entropy {doubt:.2f} and load entropy {even:.2f}"
    return "no router of 0"


def _check_spots(value, name):
    spots = check_matrix(value, name, "(M, 2)")
    if spots.shape[1] != 2:
        raise ValueError(f"{name} must have two columns, router and load entropy, got shape {spots.shape}")
    if spots.min() < -1e-9 or spots.max() > 1 + 1e-9:
        raise ValueError(f"{name} must lie between 0 and 1, got {spots.min():.4g} to {spots.max():.4g}")
    return np.clip(spots, 0.0, 1.0)  # so that nobody reads of an entropy of -0.00


def _draw_corners(ax):
    ax.add_patch(Rectangle((0, 0), 1, 1, facecolor=FAINT, zorder=0))
    for (right, up), words in CORNERS.items():
        ax.text(0.25 + 0.5 * right, 0.25 + 0.5 * up, words, ha="center", va="center", color=MUTED,
                fontsize=14, zorder=2.8, bbox=BACKED | {"facecolor": FAINT})


def _draw_spot(ax, name, spot, line):
    """Mark a router and write its name towards the middle of the square, `line` lines further in."""
    across, up = np.where(spot > 0.5, -1, 1)
    ax.plot(*spot, "o", color=INK, markersize=11, zorder=3, clip_on=False)
    ax.annotate(name, spot, xytext=(9 * across, (16 + 20 * line) * up), textcoords="offset points", zorder=4,
                ha="left" if across > 0 else "right", va="center", fontsize=14, fontweight="bold",
                bbox=BACKED | {"facecolor": FAINT})


def _describe_entropy_map(spots, lines, title):
    places = [f"{name} at router entropy {x:.2f}, load entropy {y:.2f}" for name, (x, y) in spots.items()]
    ways = [f"{name} from ({line[0, 0]:.2f}, {line[0, 1]:.2f}) to ({line[-1, 0]:.2f}, {line[-1, 1]:.2f})"
            for name, line in lines.items()]
    words = "; ".join(places + ways) or "no router"
    return f"Map, {title or 'router entropy against load entropy'}: {words}."


def plot_thermostat(histories):
    """Draw one column per run: the experts' load over all steps, over the last 30, and below their biases.

    histories: a training.History, or {title: History} for N runs side by side. Loads are bands that sum to
    100%. The biases of all runs share a scale. Of a bias only the differences choose, so each step's mean is
    taken off; it drifts, since signs need not sum to 0. The numbers at the right ends name the experts.
    Returns an array of Axes (3, N). Raises ValueError naming the wrong argument.

    >>> from moeviz.training import History
    >>> plot_thermostat(History([1.0], [0.0], [[0.5, 0.5]], [[0.0, 0.0]], [1.0])).shape
    (3, 1)
    """
    runs = {"": histories} if isinstance(histories, History) else histories
    _check(runs)
    size = (max(PANEL[0] * len(runs), 8), PANEL[1])
    axes = fixed_axes(size, left=1.0, right=0.45, top=0.75, rows=3, columns=len(runs), gap=(0.8, 0.75),
                      sharey="row", squeeze=False, height_ratios=(1, 1, 1.15))
    for column, (title, history) in zip(axes.T, runs.items(), strict=True):
        steps, last = np.arange(history.num_steps), max(history.num_steps - LAST, 0)
        _draw_bands(column[0], steps, 100 * history.load)
        _draw_bands(column[1], steps[last:], 100 * history.load[last:])
        _draw_lines(column[2], steps, _centred(history.bias))
        for ax, words in zip(column, ("", f", the last {min(LAST, history.num_steps)}", ""), strict=True):
            ax.set_xlabel(f"step{words}")
        _tabulate_thermostat(column[0], column[2], history, title)
        headline(column[0], f"busiest {_busiest(history):.0f}%", title)
        set_description(column[0], _describe_thermostat(history, title))
    for ax, history in zip(axes[2], runs.values(), strict=True):  # the limits that all share are known now
        _name_ends(ax, _centred(history.bias)[-1])
    for row, label in enumerate(("load (%)", "load (%)", "bias, centred")):
        axes[row, 0].set_ylabel(label)
    return axes


def _check(runs):
    if not isinstance(runs, dict) or not runs:
        raise ValueError(f"histories must be a History or {{title: History}}, got {runs!r}")
    for title, history in runs.items():
        check_kind(history, f"histories[{title!r}]", History)


def _centred(bias):
    return bias - bias.mean(axis=1, keepdims=True)


def _draw_bands(ax, steps, load):
    """Draw the loads (S, E) in percent as bands on top of each other."""
    if len(steps) == 1:  # a band needs two ends
        steps, load = steps + np.array([0, 1]), np.repeat(load, 2, axis=0)
    ax.stackplot(steps, load.T, colors=expert_colors(load.shape[1]), linewidth=0)
    ax.set(xlim=(steps[0], steps[-1]), ylim=(0, 100))


def _draw_lines(ax, steps, values):
    """Draw one line per expert in its colour, with its number at the right end.

    Hard edges, since thousands of soft ones make a picture several times as large.
    """
    for line, color in zip(values.T, expert_colors(values.shape[1]), strict=True):
        ax.plot(steps, line, color=color, linewidth=0.9, antialiased=False)
    ax.set_xmargin(0.01)


def _name_ends(ax, ends):
    """Write the experts' numbers in a column, each joined to the end of its line, no joint through a number.

    ends: (E,), at most MAX_NAMED are named. The limits are final from here on.
    """
    colors, (low, high) = expert_colors(len(ends)), ax.get_ylim()
    order, height = np.argsort(ends, kind="stable"), ax.get_window_extent().height * 72 / ax.figure.dpi
    places = (ends[order] - low) / (high - low)
    apart = spread(list(places), 1.1 * NAME_SIZE / height, 0.02)
    for expert, place, at in zip(order, places, apart, strict=True) if len(ends) <= MAX_NAMED else ():
        color = on_white(colors[expert])
        ax.annotate(str(expert), (1, place), xycoords="axes fraction", color=color, va="center",
                    xytext=(20, height * (at - place)), fontweight="bold",
                    textcoords="offset points", fontsize=NAME_SIZE, annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.8, "shrinkB": 0})


def _tabulate_thermostat(upper, lower, history, title):
    experts, start = ("expert", range(history.num_experts)), f"{title}: " if title else ""
    for ax, values, name in ((upper, 100 * history.load, "load (% of choices)"),
                             (lower, _centred(history.bias), "bias, less its mean")):
        set_matrix(ax, values, rows=("step", range(len(values))), columns=experts, title=start + name)


def _busiest(history):
    """Return the share (%) of the busiest expert of a step, as the mean over the last tenth of the steps."""
    return 100 * history.load[-max(1, history.num_steps // 10):].max(axis=1).mean()


def _describe_thermostat(history, title):
    low, high = (bound(_centred(history.bias)[-1]) for bound in (np.min, np.max))
    return (f"Line charts, {title or 'bias as a thermostat'}: load and selection bias of "
            f"{history.num_experts} experts over {history.num_steps} steps; over the last tenth the busiest "
            f"expert of a step has {_busiest(history):.0f}% of the choices on average, fair is "
            f"{100 / history.num_experts:.3g}%; at the end the biases less their mean lie between {low:.3g} "
            f"and {high:.3g}.")

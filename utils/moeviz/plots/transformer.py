"""What a Transformer with experts does: its block, who looks at what, who is needed for what."""

from itertools import cycle

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from moeviz.arrays import check_count, check_matrix
from moeviz.interventions import in_words
from moeviz.plots.draw import bare, check_labels, draw_tile, legend_below, plain_ticks, write_rows
from moeviz.record import check_routing
from moeviz.style import (
    AROUND,
    HEAT,
    INK,
    LINE,
    MUTED,
    SERIES,
    axes_or_new,
    expert_colors,
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
from moeviz.tables import as_range, as_text

STONE = "#B8BCC4"  # weights that are no expert
GAP = 0.8          # columns between two matrices
RARE = 0.03        # a smaller share of bytes hardly uses an expert
SEED_MARKS = list(zip(SERIES[:3], "o^s", strict=True))
GROUP_MARKS = list(zip((INK, *SERIES[:3]), "o^Ds", strict=True))
NEWLINE = "\n"
MOST_LETTERS = 72  # that fit under one axis at 12 points


def plot_transformer_block(sizes, *, active, title="", ax=None):
    """Draw the parts of one block as boxes, their areas their numbers of weights, in the order of the data.

    sizes: {part: weights}, such as {"attention": 36864, "gate": 768, "expert": 18432}; "expert" is one of
    them. active: (number of experts that a byte uses, number of experts). Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_transformer_block({"attention": 400, "gate": 20, "expert": 100}, active=(2, 4))
    >>> " ".join(ax.get_title().split())
    'A byte passes through 620 of the 820 weights of its block'
    """
    used, experts = (check_count(value, "active") for value in active)
    rest = {part: size for part, size in sizes.items() if part != "expert"}
    total, passed = (sum(rest.values()) + count * sizes["expert"] for count in (experts, used))
    own, ax = ax is None, axes_or_new(ax, (9.6, 3.6))
    if own:
        set_narrow(ax, lambda: plot_transformer_block(sizes, active=active, title=title, ax=phone_axes(ax)))
    unit = 2.0 / np.sqrt(max(sizes.values()))
    left = 0.0
    for part, size in rest.items():
        side = unit * np.sqrt(size)
        ax.add_patch(Rectangle((left, -side / 2), side, side, facecolor=STONE, edgecolor=INK, linewidth=0.8))
        ax.text(left + side / 2, -1.25, f"{part}\n{as_text(size)}", ha="center", va="top", color=INK)
        left += side + 0.58  # where the arrow to the next part ends
        ax.annotate("", (left - 0.08, 0), (left - 0.5, 0), arrowprops={"arrowstyle": "-|>", "color": INK})
    left = _experts(ax, left, unit * np.sqrt(sizes["expert"]), used, experts, sizes["expert"])
    ax.set(xlim=(-0.2, left + 0.2), ylim=(-2.5, 1.6), aspect="equal")
    ax.set_axis_off()
    part_of = f"{as_text(passed)} of the {as_text(total)} weights"
    headline(ax, f"A byte passes through {part_of} of its block", title)
    rows = [[part, size, 1] for part, size in rest.items()] + [["each expert", sizes["expert"], used]]
    set_table(ax, ["part", "weights", "used per byte"], rows)
    return set_description(ax, f"Diagram: the data flow through {', '.join(rest)} and {used} of {experts} "
                               f"experts; a byte passes through {part_of}, which are areas.")


def plot_attended_text(layers, looks, labels, *, at, title="", ax=None):
    """Draw a text once per block, coloured by first choice, with what one byte looks at above each row.

    layers: L Routings of T bytes. looks: (L, T), the attention of byte `at`, the mean over heads. labels: T
    texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.routing import top_k
    >>> routed = top_k(np.eye(3), k=1)
    >>> ax = plot_attended_text([routed], [[0.2, 0.8, 0.0]], ["a", "b", "c"], at=1)
    >>> len(ax.texts)
    4
    """
    looks = check_matrix(looks, "looks", "(L, T)")
    labels = check_labels(labels, looks.shape[1])
    at = check_count(at, "at", low=0, high=len(labels) - 1)
    if len(layers) != len(looks):
        raise ValueError(f"layers must be {len(looks)} Routings like the rows of looks, got {len(layers)}")
    ax = axes_or_new(ax, (9.8, 1.2 * len(looks) + 0.8))
    for row, (routed, look) in enumerate(zip(layers, looks / max(looks.max(), 1e-12), strict=True)):
        _attended_row(ax, 2.0 * row, check_routing(routed), look, labels, at)
    farthest = [int(look.argmax()) for look in looks]
    ax.set(xlim=(-3.2, len(labels)), ylim=(2.0 * len(looks), -0.1))
    ax.set_axis_off()
    ax.set_title(title or "Byte {} {!r} looks most at {}".format(
        at, labels[at], ", ".join(f"{labels[far]!r} ({100 * look[far]:.0f}%)"
                                  for far, look in zip(farthest, looks, strict=True))))
    set_table(ax, ["byte", *(f"block {block + 1}" for block in range(len(looks)))], [
        [label, *(f"e{routed.expert_index[t, 0]}, {100 * look[t]:.0f}%"
                  for routed, look in zip(layers, looks, strict=True))] for t, label in enumerate(labels)])
    return set_description(ax, f"Text in {len(looks)} rows, one per block, coloured by first expert; bars "
                               f"show what byte {at} looks at: most at {', '.join(map(str, farthest))}.")


def plot_damage(use, damage, class_names, *, title="", ax=None):
    """Draw who uses each expert, who is harmed without it, and the difference: three matrices, E by C.

    use: (E, C), the share of a class's bytes that chose the expert. damage: (E, C), nats that they lose
    without it. Both are drawn as shares of their column, so that they can be compared; the numbers in
    the cells are in percent. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_damage([[0.9], [0.1]], [[0.1], [0.1]], ["digit"])
    >>> ax.get_title()
    'Of the damage, 40% falls where use does not say it'
    """
    use, damage = check_matrix(use, "use", "(E, C)"), check_matrix(damage, "damage", "(E, C)")
    names = check_labels(class_names, use.shape[1], "class_names")
    shares = [each / np.maximum(each.sum(axis=0), 1e-12) for each in (use, np.maximum(damage, 0))]
    moved = float(np.abs(shares[1] - shares[0]).sum(axis=0).mean() / 2)
    own, ax = ax is None, axes_or_new(ax, (9.9, 0.42 * len(use) + 2.2))
    if own:
        set_narrow(ax, lambda: plot_damage(use, damage, names, title=title,
                                           ax=phone_axes(ax, 1.26 * len(use) + 3.6)))
    _draw_three(ax, [*shares, shares[1] - shares[0]], names, on_phone(ax))
    headline(ax, f"Of the damage, {100 * moved:.0f}% falls where use does not say it", title)
    harm = damage.round(2) + 0.0  # without a minus before nothing
    cells = [[f"{100 * use[e, c]:.0f}% use, {harm[e, c]:+.2f} nats" for c in range(len(names))]
             for e in range(len(use))]
    set_matrix(ax, cells, rows=("expert", range(len(use))), columns=("", names))
    worst = np.unravel_index(np.argmax(shares[1] - shares[0]), use.shape)
    return set_description(ax, f"Three matrices of {len(use)} experts by {len(names)} classes: use, damage "
                               f"and their difference; {100 * moved:.0f}% of the damage falls elsewhere. "
                               f"Expert {worst[0]} is needed for {names[worst[1]]} most beyond its use.")


def plot_use_and_harm(use, harm, correlation, *, seeds, title="", ax=None):
    """Draw what a class of bytes loses without an expert over how many of its bytes use it, layer by layer.

    use, harm: (N, L, E, C), shares and nats per byte of N seeds, a dot for each expert and class.
    correlation: (N, L) of the two, which stands above the layer. seeds: N names. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_use_and_harm([[[[0.0, 1.0]]]], [[[[0.0, 0.5]]]], [[1.0]], seeds=["seed 0"])
    >>> " ".join(ax.get_title().split())
    'Experts that hardly any byte of a class uses cost it up to 0.00 nats'
    """
    use, harm, correlation = (np.asarray(each, float) for each in (use, harm, correlation))
    if use.ndim != 4 or use.shape != harm.shape or correlation.shape != use.shape[:2]:
        raise ValueError(f"use and harm must be (N, L, E, C) and correlation (N, L), got {use.shape}, "
                         f"{harm.shape} and {correlation.shape}")
    names, layers = check_labels(seeds, len(use), "seeds"), use.shape[1]
    own, ax = ax is None, axes_or_new(ax, (9.8, 4.8))
    if own:
        set_narrow(ax, lambda: plot_use_and_harm(use, harm, correlation, seeds=seeds, title=title,
                                                 ax=phone_axes(ax)))
    starts = (1 + GAP / 4) * np.arange(layers)
    for name, points, heights, (color, marker) in zip(names, use, harm, cycle(SEED_MARKS), strict=False):
        across = points + starts[:, None, None]
        ax.scatter(across.ravel(), heights.ravel(), s=34, marker=marker, facecolor="none", edgecolor=color,
                   linewidth=1.3, label=name)
    ax.axhline(0, color=MUTED, linewidth=1)
    _name_layers(ax, starts, correlation)
    ax.set(xlabel="share of the bytes of a class that use the expert (%)",
           ylabel="harm without it (nats per byte)")
    ax.legend(loc="best", frameon=False)
    unused = float(harm[use < RARE].max(initial=0))
    headline(ax, f"Experts that hardly any byte of a class uses cost it up to {unused:.2f} nats", title,
             pad=50 if on_phone(ax) else 30)
    set_table(ax, ["seed", *(f"correlation in layer {n + 1}" for n in range(layers))],
              [[name, *map("{:.2f}".format, row)] for name, row in zip(names, correlation, strict=True)])
    return set_description(ax, f"Dots for each expert and class of bytes in {layers} layers and {len(names)} "
                               f"seeds: harm without the expert over the share that uses it. They correlate "
                               f"at {as_range(correlation, '.2f')}; where fewer than 3% use an expert, its "
                               f"absence costs up to {unused:.2f} nats per byte.")


def _name_layers(ax, starts, correlation):
    gap = "\n" if on_phone(ax) else " "
    for layer, start in enumerate(starts):
        ax.text(start + 0.5, 1.01, f"layer {layer + 1}:{gap}r = {as_range(correlation[:, layer], '.2f')}",
                ha="center", va="bottom", transform=ax.get_xaxis_transform(), color=INK)
    inner = ["0", "50", "" if on_phone(ax) else "100"]  # there 100 would run into the next layer's 0
    ax.set_xticks((starts[:, None] + [0, 0.5, 1]).ravel(), inner * (len(starts) - 1) + ["0", "50", "100"])


def plot_told(told, *, title="", ax=None):
    """Draw how much of each layer's first choice the byte tells, the byte before, and the place in the word.

    told: (L, 3) shares of the choice's entropy, parts that add up. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> plot_told([[0.9, 0.05, 0.0], [0.5, 0.2, 0.1]]).get_title()
    'The byte alone tells 90%, 50% of the first choice, by layer'
    """
    told = check_matrix(told, "told", "(L, 3)")
    own, ax = ax is None, axes_or_new(ax, (9, 0.7 * len(told) + 2.1))
    if own:
        set_narrow(ax, lambda: plot_told(told, title=title, ax=phone_axes(ax, 0.7 * len(told) + 3)))
    names = ("the byte itself", "the byte before it", "its place in the word")
    colors = ("#5A6B8C", "#A4B0C8", LINE)
    starts = np.cumsum(told, axis=1) - told
    for part, (name, color) in enumerate(zip(names, colors, strict=True)):
        bars = ax.barh(np.arange(len(told)), told[:, part], left=starts[:, part], color=color,
                       label=name, height=0.62, edgecolor="white")
        for bar, value in zip(bars, told[:, part], strict=True):
            if value > 0.06:
                ax.text(bar.get_x() + value / 2, bar.get_y() + 0.31, f"{100 * value:.0f}%", ha="center",
                        va="center", color=ink_on(color))
    ax.set(xlim=(0, 1), ylim=(len(told) - 0.4, -0.6), xlabel="share of the entropy of the first choice",
           yticks=range(len(told)), yticklabels=[f"layer {n + 1}" for n in range(len(told))])
    legend_below(ax, 1 if on_phone(ax) else 3, frameon=False)
    shares = ", ".join(f"{100 * row[0]:.0f}%" for row in told)
    headline(ax, f"The byte alone tells {shares} of the first choice, by layer", title)
    set_matrix(ax, told, rows=("layer", range(1, len(told) + 1)), columns=("", names))
    return set_description(ax, "Bars of what tells the first choice: " + "; ".join(
        f"layer {n + 1} byte {100 * a:.0f}%, previous byte {100 * b:.0f}%, place {100 * c:.0f}%"
        for n, (a, b, c) in enumerate(told)) + ".")


def plot_effects(effects, *, groups=("",), title="", ax=None):
    """Draw losses that changes cost, {name: (nats per byte, standard error)}, as dots with two errors.

    groups: names of G groups of bytes, each with a dot of its own; nats and errors are then (G,), and the
    axis is logarithmic where all cost something.
    Returns the Axes. Raises ValueError where there is nothing to draw, or no number for each group.

    >>> plot_effects({"off": (0.8, 0.03), "off there": (0.0, 0.0)}).get_title()
    'Off costs 0.800 nats per byte,\\noff at these bytes alone 0.000'
    """
    effects, groups = {in_words(name): effect for name, effect in effects.items()}, list(map(str, groups))
    names = _check_effects(effects, len(groups))
    values, errors = np.reshape([effects[name] for name in names], (len(names), 2, -1)).swapaxes(0, 1)
    own, ax = ax is None, axes_or_new(ax, (9, (0.5 if len(groups) == 1 else 0.65) * len(names) + 1.6))
    if own:
        set_narrow(ax, lambda: plot_effects(effects, groups=groups, title=title, ax=phone_axes(
            ax, 0.75 * len(names) + 2.9, left=2.0, right=0.2, bottom=1.8, top=0.85)))
    ax.axvline(0, color=MUTED, linewidth=1)
    for g, (group, (color, marker)) in enumerate(zip(groups, GROUP_MARKS, strict=False)):
        ax.errorbar(values[:, g], np.arange(len(names)) + 0.18 * (g - (len(groups) - 1) / 2), label=group,
                    xerr=2 * errors[:, g], fmt=marker, color=color, markersize=8, capsize=4)
    write_rows(ax, names)
    ax.set(ylim=(len(names) - 0.5, -0.5),
           xlabel=f"change of loss (nats per byte),{NEWLINE if on_phone(ax) else ' '}two standard errors")
    if len(groups) > 1:
        legend_below(ax, 2 if on_phone(ax) else 4, frameon=False)
        ax.set_xscale("log" if values.min() > 0 else "linear")
    plain_ticks(ax.xaxis)
    means = values.mean(axis=1)
    headline(ax, f"{names[0]} costs {means[0]:.3f} nats per byte" + (
        f", {names[1]} {means[1]:.3f}" if len(names) > 1 else ""), title)
    rows = [(f"{name} {group}".rstrip(), values[n, g], errors[n, g])
            for n, name in enumerate(names) for g, group in enumerate(groups)]
    set_table(ax, ["run", "change of loss", "standard error"],
              [[name, f"{value:.3f}", f"{error:.3f}"] for name, value, error in rows])
    return set_description(ax, "Dots: " + "; ".join(f"{name} {value:+.2f} nats per byte"
                                                    for name, value, _ in rows) + ".")


def _check_effects(effects, groups):
    """Return the names of effects that hold two numbers for each of so many groups."""
    if not effects:
        raise ValueError("effects must hold something to draw, got none")
    for name, each in effects.items():
        if np.size(each) != 2 * groups:
            raise ValueError(f"effects[{name!r}] must be nats and errors of {groups}, got {each}")
    return list(effects)


def plot_written(routed, labels, *, window=16, title="", ax=None):
    """Draw the load of the experts over a written text: of the last `window` bytes, who got which share.

    routed: a Routing of T bytes, in the order in which they were written. labels: T texts, which stand along
    the axis where there are 72 or fewer. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.routing import top_k
    >>> plot_written(top_k(np.eye(2), k=1), ["a", "b"], window=1).get_title()
    'While it writes, the busiest expert changes 1 time'
    """
    labels = check_labels(labels, check_routing(routed).num_tokens)
    window = check_count(window, "window", high=len(labels))
    got = np.cumsum(routed.dispatch(), axis=0, dtype=float)
    got[window:] -= got[:-window].copy()
    share = got / got.sum(axis=1, keepdims=True)
    busiest = share.argmax(axis=1)
    changes = int((np.diff(busiest) != 0).sum())
    own, ax = ax is None, axes_or_new(ax, (9.8, 4.2))
    if own:
        set_narrow(ax, lambda: plot_written(routed, labels, window=window, title=title,
                                            ax=phone_axes(ax, 5.2)))
    most = 0 if on_phone(ax) else MOST_LETTERS
    colors = expert_colors(routed.num_experts)
    ax.stackplot(np.arange(len(labels)), share.T, colors=colors, edgecolor="white", linewidth=0.3,
                 labels=[f"e{e}" for e in range(routed.num_experts)])
    if len(labels) <= most:
        ax.set_xticks(np.arange(len(labels)), labels, family="DejaVu Sans Mono")
        ax.tick_params(axis="x", length=0, labelsize=12)
    ax.set(xlim=(0, max(1, len(labels) - 1)), ylim=(0, 1), ylabel=f"share of the last {window} bytes",
           xlabel="the text as it was written" if len(labels) <= most else "bytes written")
    if on_phone(ax):
        legend_below(ax, 4, frameon=False)
    else:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, reverse=True)
    headline(ax, f"While it writes, the busiest expert changes {changes} time{'s' * (changes != 1)}", title)
    kept = np.linspace(0, len(labels) - 1, min(len(labels), 12)).astype(int)
    set_matrix(ax, share[kept], rows=("after byte", kept), columns=("expert", range(routed.num_experts)))
    return set_description(ax, f"Areas: shares of {routed.num_experts} experts over {len(labels)} written "
                               f"bytes; the busiest one changes {changes} times.")


def _experts(ax, left, side, used, experts, size):
    """Draw the experts in two rows, those that a byte uses filled, and return where they end."""
    columns = -(-experts // 2)
    for expert, color in enumerate(expert_colors(experts)):
        x, y = left + (expert % columns) * (side + 0.1), 0.05 - (expert // columns) * (side + 0.1)
        face = color if expert < used else tint(color, 0.25)
        draw_tile(ax, x, y, side, side, face, f"e{expert}", edgecolor=color, linewidth=1.5)
    right = left + columns * (side + 0.1) - 0.1
    words = f"experts, {as_text(size)} each,\n{used} of {experts} per byte"
    ax.text((left + right) / 2, -0.25 - side, words, ha="center", va="top", color=INK)
    return right


def _attended_row(ax, top, routed, look, labels, at):
    colors = np.array(expert_colors(routed.num_experts))[routed.expert_index[:, 0]]
    for t, (color, label) in enumerate(zip(colors, labels, strict=True)):
        ax.add_patch(Rectangle((t, top + 0.95), 0.94, 0.85, facecolor=color, linewidth=0))
        ax.add_patch(Rectangle((t, top + 0.9), 0.94, -0.85 * look[t], facecolor=INK, linewidth=0))
        ax.text(t + 0.47, top + 1.38, label, ha="center", va="center", color=ink_on(color), fontsize=12,
                family="DejaVu Sans Mono")
    ax.add_patch(Rectangle((at, top + 0.95), 0.94, 0.85, fill=False, edgecolor=INK, linewidth=2.5))
    ax.text(-0.3, top + 1.38, routed.label, ha="right", va="center", color=INK)


def _draw_three(ax, matrices, names, below):
    """Draw use, damage and their difference side by side, or one below the other."""
    experts, classes = matrices[0].shape
    step, count = (0 if below else classes + GAP, experts + 2 * GAP if below else 0), 1 if below else 3
    heads = ("uses it", "is harmed without it", "harm less use")
    for place, (values, head) in enumerate(zip(matrices, heads, strict=True)):
        _matrix(ax, place * step[0], place * step[1], values, head, signed=place == 2)
    ticks = np.add.outer(step[0] * np.arange(count), np.arange(classes) + 0.5).ravel()
    ax.set_xticks(ticks, names * count, rotation=60, ha="right", rotation_mode="anchor")
    ticks = np.add.outer(step[1] * np.arange(4 - count), np.arange(experts) + 0.5).ravel()
    ax.set_yticks(ticks[:experts * (3 if below else 1)], [*range(experts)] * (3 if below else 1))
    ax.set(xlim=(0, 2 * step[0] + classes), ylim=(2 * step[1] + experts, -0.7), ylabel="expert",
           xlabel="class of byte; cells in percent of a column")
    bare(ax)


def _matrix(ax, left, top, values, head, *, signed):
    for (row, column), value in np.ndenumerate(values):
        face = to_hex(AROUND(0.5 + value / 2) if signed else HEAT(float(value)))
        ax.add_patch(Rectangle((left + column, top + row), 0.96, 0.96, facecolor=face, linewidth=0))
        if abs(value) >= 0.05:
            words = f"{100 * value:+.0f}" if signed else f"{100 * value:.0f}"
            ax.text(left + column + 0.48, top + row + 0.5, words, ha="center", va="center", fontsize=12,
                    color=ink_on(face))
    ax.text(left + values.shape[1] / 2, top - 0.2, head, ha="center", va="bottom", color=INK)

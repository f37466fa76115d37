"""What does an expert stand for? Domains, chance and profiles."""

import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.patches import Rectangle

from moeviz.arrays import check_matrix, check_same_shape, check_vector
from moeviz.plots.charts import plot_matrix
from moeviz.plots.draw import (
    ROW_LETTERS,
    bare,
    check_labels,
    draw_colour_bar,
    draw_heatmap,
    legend_below,
    ribbon,
    write_rows,
)
from moeviz.style import (
    INK,
    LINE,
    MUTED,
    SERIES,
    Layout,
    axes_or_new,
    expert_colors,
    headline,
    phone_axes,
    set_description,
    set_matrix,
    set_narrow,
    set_table,
)
from moeviz.tables import as_range

DARKEST = 3.0  # times the fair share
GAP = 0.6  # rows between the measured matrix and its null
LETTER = 0.1  # inches that a letter of a row's name takes at most
MOST_NUMBERED = 10  # experts whose shares are printed in the cells
WIDEST = 12  # ribbons in the table
LEFT, RIGHT, BLOCK = 0.0, 1.0, 0.045
DRAWN = 64  # ribbons, the widest
LOUDEST, RIBBON = 8, "#c9ced6"  # ribbons in colour, those furthest above chance; the others
MARKERS = ("|", "x", "D", "s", "^", "v")
COLORS = (SERIES[2], SERIES[4], SERIES[1], SERIES[5], SERIES[0], SERIES[3])


def plot_domain_experts(shares, null, *, domain_names, title="", ax=None):
    """Draw how often each domain uses each expert, above the same table with the domains shuffled.

    shares, null: (N, E), in times the fair share 1 / E: 1 is an expert that a domain uses as often as an
    even router would, and 3 has the darkest colour. domain_names: N texts. Returns the Axes. Raises
    ValueError naming the wrong argument.

    >>> ax = plot_domain_experts([[1.5, 0.5]], [[1.0, 1.0]], domain_names=["prose"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['prose', 'prose, shuffled']
    """
    shares, null = check_matrix(shares, "shares", "(N, E)"), check_matrix(null, "null", "(N, E)")
    if null.shape != shares.shape:
        raise ValueError(f"null must have the shape of shares {shares.shape}, got {null.shape}")
    names = check_labels(domain_names, len(shares), "domain_names")
    rows, experts = shares.shape
    few, order = experts <= MOST_NUMBERED, np.arange(experts)
    if not few:  # beside each other stand the experts of one domain
        order = np.lexsort((-shares.max(axis=0), shares.argmax(axis=0)))
    ax = axes_or_new(ax, (max(9, min(10, 0.9 * experts + 4)), 0.5 * (2 * rows + 1) + 1.6))
    for values, start in ((shares, 0.0), (null, rows + GAP)):
        mesh = draw_heatmap(ax, values[:, order], low=0, high=DARKEST, middle=1.0, top=start,
                            cell_text="{:.1f}".format if few else None)
    draw_colour_bar(ax, mesh, "times the fair share")
    ax.axhline(rows + GAP / 2, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    places = [start + row + 0.5 for start in (0.0, rows + GAP) for row in range(rows)]
    both = [*names, *(f"{name}, shuffled" for name in names)]
    ax.set_yticks(places, both)
    set_matrix(ax, np.vstack([shares, null]), rows=("times the fair share", both),
               columns=("expert", range(experts)))
    ax.set_xticks(*((order + 0.5, order) if few else ([], [])))
    ax.set(xlabel="expert" if few else f"{experts} experts, by the domain that uses them most",
           ylabel="domain", ylim=(2 * rows + GAP, 0), xlim=(0, experts))
    row, column = np.unravel_index(shares.argmax(), shares.shape)
    headline(ax, f"{names[row]} uses expert {column} at {shares.max():.1f} times its fair share, by chance "
                 f"at most {null.max():.1f}", title)
    return set_description(ax, _describe(shares, null, names, title))


def plot_pair_flow(pairs, *, left="first layer", right="next layer", title="", ax=None):
    """Draw which expert of a layer hands on to which expert of a later one, ribbons as wide as the counts.

    pairs: (E, E) counts, row: expert on the left, column: expert on the right. left, right: names of the
    layers. The 64 widest ribbons are drawn; the eight furthest above chance have their expert's colour.
    Blocks are as high as all their choices. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_pair_flow([[3, 1], [0, 4]], left="layer 1", right="layer 2")
    >>> len(ax.collections[0].get_paths())
    3
    """
    pairs = check_matrix(pairs, "pairs", "(E, E)")
    if pairs.shape[0] != pairs.shape[1] or pairs.min() < 0 or pairs.sum() == 0:
        raise ValueError(f"pairs must be square counts >= 0, not all 0, got shape {pairs.shape}")
    share = pairs / pairs.sum()
    ax = axes_or_new(ax, (10, 6.4))
    gap = 0.25 / len(pairs)
    tops = [np.cumsum(side + gap) - side - gap for side in (share.sum(axis=1), share.sum(axis=0))]
    shown = np.sort(np.argsort(-share, axis=None, kind="stable")[:DRAWN])
    shown = shown[share.flat[shown] > 0]
    above = share - np.outer(share.sum(axis=1), share.sum(axis=0))
    loud = set(np.argsort(-above, axis=None, kind="stable")[:LOUDEST])
    _draw_ribbons(ax, share, tops, np.unravel_index(shown, share.shape), np.isin(shown, list(loud)))
    for x, side, top in ((LEFT - BLOCK, share.sum(axis=1), tops[0]), (RIGHT, share.sum(axis=0), tops[1])):
        _draw_blocks(ax, x, side, top)
    for x, name, where in ((LEFT - BLOCK, left, "left"), (RIGHT + BLOCK, right, "right")):
        ax.text(x, -0.03, name, color=INK, ha=where, va="bottom", fontsize=14)
    ax.set(xlim=(-0.14, 1.14), ylim=(1 + gap * len(pairs), -0.11))
    ax.set_axis_off()
    row, column = np.unravel_index(share.argmax(), share.shape)
    chance = share.sum(axis=1)[row] * share.sum(axis=0)[column]
    headline(ax, f"expert {row} hands on to expert {column}, {share.max() / chance:.1f} times as often as "
                 "by chance", title)
    held = share.flat[shown].sum()
    _tabulate_pairs(ax, share, left, right, title)
    return set_description(ax, f"Flow diagram, {title or 'pairs of experts'}: {len(shown)} ribbons with "
                               f"{100 * held:.0f}% of the choices from {left} to {right}; the widest runs "
                               f"from expert {row} to expert {column}, {100 * share.max():.1f}%.")


def _tabulate_pairs(ax, share, left, right, title):
    """Attach the widest ribbons, widest first."""
    widest = np.argsort(-share, axis=None, kind="stable")[:WIDEST]
    chance = np.outer(share.sum(axis=1), share.sum(axis=0))
    rows = [[f"{place + 1}", *np.unravel_index(at, share.shape), 100 * share.flat[at],
             f"{share.flat[at] / chance.flat[at]:.1f}"] for place, at in enumerate(widest) if share.flat[at]]
    set_table(ax, ["rank", f"expert, {left}", f"expert, {right}", "share of the choices (%)", "times chance"],
              rows, title=f"{title or 'pairs of experts'}: the {len(rows)} widest ribbons")


def _draw_ribbons(ax, share, tops, chosen, loud):
    """Stack the ribbons of a block in the order of the other side; those not drawn leave their room.

    loud: (N,) bool, which of them stand out in their expert's colour; the others are grey.
    """
    starts = tops[0][:, None] + np.cumsum(share, axis=1) - share
    ends = tops[1][None, :] + np.cumsum(share, axis=0) - share
    colors = np.array(expert_colors(len(share)))
    ribbons = [ribbon(LEFT, starts[at] + share[at] / 2, RIGHT, ends[at] + share[at] / 2, share[at])
               for at in zip(*chosen, strict=True)]
    ax.add_collection(PathCollection(ribbons, linewidths=0,
                                    facecolors=np.where(loud, colors[chosen[0]], RIBBON),
                                    alpha=np.where(loud, 0.85, 0.5)))


def _draw_blocks(ax, x, share, tops):
    outside = x < 0
    step = max(1, len(share) // 16)
    for expert, color in enumerate(expert_colors(len(share))):
        ax.add_patch(Rectangle((x, tops[expert]), BLOCK, share[expert], facecolor=color, linewidth=0))
        if expert % step == 0:
            at = x - 0.012 if outside else x + BLOCK + 0.012
            ax.text(at, tops[expert] + share[expert] / 2, str(expert), va="center", fontsize=12, color=INK,
                    ha="right" if outside else "left")


def _describe(shares, null, names, title):
    row, column = np.unravel_index(shares.argmax(), shares.shape)
    return (f"Two heatmaps, {title or 'domain by expert'}: {len(shares)} domains by {shares.shape[1]} "
            f"experts, times the fair share; most {shares.max():.2f}, {names[row]} at expert {column}, least "
            f"{shares.min():.2f}; with shuffled domains from {null.min():.2f} to {null.max():.2f}.")


def plot_against_null(counts, shuffled, *, row_label, row_names, title=""):
    """Draw a table of counts beside the same table shuffled, both as shares of each row in percent.

    counts, shuffled: (R, N) counts of label by expert, no row empty. row_names: R texts. Both panels have
    the same colours, so that what stands out on the left alone is more than chance.
    Returns Axes (2,). Raises ValueError naming the wrong argument.

    >>> plot_against_null([[3, 1]], [[2, 2]], row_label="domain", row_names=["prose"]).shape
    (2,)
    """
    counts = check_matrix(counts, "counts", "(R, N)").astype(float)
    shuffled = check_same_shape(shuffled, "shuffled", counts, "counts")
    row_names = check_labels(row_names, len(counts), "row_names")
    tables = [_row_shares(table, name) for table, name in ((counts, "counts"), (shuffled, "shuffled"))]
    rows, columns = counts.shape
    axes = plt.subplots(1, 2, figsize=(min(1.3 * columns + 4.4, 10), min(0.5 * rows + 2.1, 7.4)), sharey=True,
                        layout=Layout())[1]
    for ax, table, name in zip(axes, tables, (title, "after a shuffle"), strict=True):
        plot_matrix(table, row_label=row_label, row_names=row_names, column_label="expert", title=name,
                    value_format="{:.0f}", value_label="share of the row (%)", ax=ax,
                    limits=(0, max(part.max() for part in tables)))
        row, column = np.unravel_index(table.argmax(), table.shape)
        headline(ax, f"{table.max():.0f}% of {row_names[row]} go to expert {column}", name)
    axes[1].set_ylabel("")
    return axes


def _row_shares(table, name):
    total = table.sum(axis=1, keepdims=True)
    if table.min() < 0 or (total == 0).any():
        raise ValueError(f"{name} must hold counts >= 0 with no empty row, got row sums {total.ravel()}")
    return 100 * table / total


def plot_nulls(measured, nulls, *, x_label, title="", ax=None):
    """Draw measured values among what they would be by chance: a row each, a mark for each null.

    measured: {row name: one value or several, such as one per seed}. nulls: {null name: one entry per
    row: a value, several, or None where it does not apply}. Up to six nulls; every one has its own mark.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_nulls({"layer 1": [0.4, 0.5]}, {"1 / E": [0.125]}, x_label="repetition")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['measured', '1 / E']
    """
    rows = {name: check_vector(np.atleast_1d(values), f"measured[{name!r}]")
            for name, values in measured.items()}
    nulls = {name: _check_null(entries, name, len(rows)) for name, entries in nulls.items()}
    if not rows or len(nulls) > len(MARKERS):
        raise ValueError(f"measured must hold a row and nulls at most {len(MARKERS)}, got {len(rows)} rows, "
                         f"{len(nulls)} nulls")
    longest, height = max(map(len, rows)), min(0.62, 2.6 / len(rows) ** 0.75) * len(rows) + 2.4
    own, ax = ax is None, axes_or_new(ax, (10, height), bottom=1.7, top=0.75, left=0.3 + LETTER * longest)
    if own:
        set_narrow(ax, lambda: plot_nulls(measured, nulls, x_label=x_label, title=title, ax=phone_axes(
            ax, 0.68 * len(rows) + 3, bottom=2.0, top=0.85, left=0.4 + LETTER * min(longest, ROW_LETTERS))))
    ax.hlines(range(len(rows)), 0, 1, transform=ax.get_yaxis_transform(), color=LINE, linewidth=0.8, zorder=0)
    _mark(ax, list(rows.values()), "measured", marker="o", s=110, color=INK, zorder=3)
    for (name, entries), marker, color in zip(nulls.items(), MARKERS, COLORS, strict=False):
        _mark(ax, entries, name, marker=marker, s=120, linewidths=2.5,
              **({"color": color} if marker in "|x" else {"edgecolors": color, "facecolors": "none"}))
    write_rows(ax, list(rows))
    ax.set(xlabel=x_label, ylim=(len(rows) - 0.4, -0.6), xlim=(0, None))
    headline(ax, _furthest(rows, nulls), title)
    bare(ax, "y")
    ax.tick_params(axis="y", pad=14)
    legend_below(ax, 2)
    form = f".{_decimals(rows)}f"
    spans = ([as_range(entry, form) if len(entry) else None for entry in entries]
             for entries in (rows.values(), *nulls.values()))
    set_table(ax, ["row", "measured", *nulls], zip(rows, *spans, strict=True), title=title or x_label)
    return set_description(ax, _describe_nulls(rows, nulls, x_label, title))


def _furthest(rows, nulls):
    """Say which row is furthest above the highest of its nulls; rows with more nulls know better."""
    found = []
    for at, (name, values) in enumerate(rows.items()):
        chance = [entries[at].mean() for entries in nulls.values() if len(entries[at])]
        found.append((len(chance), values.mean() - max(chance, default=0.0), name, values.mean(),
                      max(chance, default=0.0)))
    _, _, name, value, chance = max(found, key=lambda each: each[:2])
    return f"{name}: {value:.3f}, by chance at most {chance:.3f}".replace("\n", " ")


def _check_null(entries, name, length):
    if len(entries) != length:
        raise ValueError(f"nulls[{name!r}] must have one entry per row ({length}), got {len(entries)}")
    return [np.zeros(0) if entry is None else check_vector(np.atleast_1d(entry), f"nulls[{name!r}]")
            for entry in entries]


def _mark(ax, entries, label, **look):
    places = np.repeat(np.arange(len(entries)), [len(entry) for entry in entries])
    ax.scatter(np.concatenate(entries), places, label=label, clip_on=False, **look)


def _decimals(rows):
    """Return how many decimals give the largest of what was measured three digits."""
    largest = max(np.abs(values).max() for values in rows.values())
    return max(2 - math.floor(math.log10(largest)), 0) if largest else 0


def _describe_nulls(rows, nulls, x_label, title):
    form, parts = f".{_decimals(rows)}f", []
    for at, (name, values) in enumerate(rows.items()):
        chance = [f"{null} {as_range(entries[at], form)}"
                  for null, entries in nulls.items() if len(entries[at])]
        parts.append(f"{name} {as_range(values, form)}" + (f" ({', '.join(chance)})" if chance else ""))
    about = ": ".join(filter(None, [title, x_label]))
    return f"Dot chart, {about}; {'; '.join(parts)}."


def plot_profile(mine, everyone, names, *, color=INK, ax=None, title="", x_label="share of the bytes (%)"):
    """Draw what one expert gets, class by class, beside what all experts get together.

    mine, everyone: (N,) counts per class; names: N texts. An expert without tokens has empty bars.
    color: of the expert. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> plot_profile([3, 0], [5, 5], ["digit", "lower"]).get_xlabel()
    'share of the bytes (%)'
    """
    mine = check_vector(mine, "mine")
    everyone = check_vector(everyone, "everyone", length=len(mine))
    names = check_labels(names, len(mine), "names")
    shares = [100 * part / max(part.sum(), 1) for part in (mine, everyone)]
    ax = axes_or_new(ax, (6, 0.6 * len(names) + 1.5))
    rows = np.arange(len(names))
    ax.barh(rows - 0.2, shares[0], height=0.38, color=color, label="this expert")
    ax.barh(rows + 0.2, shares[1], height=0.38, color="white", edgecolor=MUTED, hatch="..", label="all bytes")
    ax.set_yticks(rows, names)
    ax.set(xlabel=x_label, xlim=(0, 100), ylim=(len(names) - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    legend_below(ax, 2)
    top = int(shares[0].argmax())
    headline(ax, f"{names[top]}: {shares[0][top]:.0f}% here, {shares[1][top]:.0f}% of all", title)
    set_table(ax, ["class", "this expert (%)", "all bytes (%)"], zip(names, *shares, strict=True))
    return set_description(ax, f"Bar chart, {title or 'one expert'}: {mine.sum():g} bytes; most are "
                               f"{names[top]}, {shares[0][top]:.0f}%, against {shares[1][top]:.0f}% of all.")

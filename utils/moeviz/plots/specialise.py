"""Whether experts specialise: tables beside their shuffled null, measured values among their nulls."""

import matplotlib.pyplot as plt
import numpy as np

from moeviz.arrays import check_matrix, check_same_shape, check_vector
from moeviz.figure_data import set_table
from moeviz.plots.inputs import check_labels
from moeviz.plots.matrix import plot_matrix
from moeviz.style import INK, LINE, MUTED, OKABE_ITO, axes_or_new, set_description

MARKERS = ("|", "x", "D", "s", "^", "v")
COLORS = [OKABE_ITO[at] for at in (5, 0, 2, 6, 1, 3)]


def plot_against_null(counts, shuffled, *, row_label, row_names, column_label="expert", title="",
                      null_title="after a shuffle"):
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
    axes = plt.subplots(1, 2, figsize=(1.3 * columns + 4.4, 0.5 * rows + 1.9), sharey=True)[1]
    for ax, table, name in zip(axes, tables, (title, null_title), strict=True):
        plot_matrix(table, row_label=row_label, row_names=row_names, column_label=column_label, title=name,
                    value_format="{:.0f}", value_label="share of the row (%)", ax=ax,
                    limits=(0, max(part.max() for part in tables)))
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
    ax = axes_or_new(ax, (12, 0.62 * len(rows) + 1.9))
    ax.hlines(range(len(rows)), 0, 1, transform=ax.get_yaxis_transform(), color=LINE, linewidth=0.8, zorder=0)
    _mark(ax, list(rows.values()), "measured", marker="o", s=110, color=INK, zorder=3)
    for (name, entries), marker, color in zip(nulls.items(), MARKERS, COLORS, strict=False):
        _mark(ax, entries, name, marker=marker, s=120, linewidths=2.5,
              **({"color": color} if marker in "|x" else {"edgecolors": color, "facecolors": "none"}))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=x_label, title=title, ylim=(len(rows) - 0.4, -0.6), xlim=(0, None))
    ax.tick_params(axis="y", length=0, pad=14)
    ax.spines["left"].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    spans = ([_span(entry) if len(entry) else None for entry in entries]
             for entries in (rows.values(), *nulls.values()))
    set_table(ax, ["row", "measured", *nulls], zip(rows, *spans, strict=True), title=title or x_label)
    return set_description(ax, _describe_nulls(rows, nulls, x_label, title))


def _check_null(entries, name, length):
    if len(entries) != length:
        raise ValueError(f"nulls[{name!r}] must have one entry per row ({length}), got {len(entries)}")
    return [np.zeros(0) if entry is None else check_vector(np.atleast_1d(entry), f"nulls[{name!r}]")
            for entry in entries]


def _mark(ax, entries, label, **look):
    places = np.repeat(np.arange(len(entries)), [len(entry) for entry in entries])
    ax.scatter(np.concatenate(entries), places, label=label, clip_on=False, **look)


def _describe_nulls(rows, nulls, x_label, title):
    parts = []
    for at, (name, values) in enumerate(rows.items()):
        chance = [f"{null} {_span(entries[at])}" for null, entries in nulls.items() if len(entries[at])]
        parts.append(f"{name} {_span(values)}" + (f" ({', '.join(chance)})" if chance else ""))
    return f"Dot chart, {title or x_label}: {x_label}; {'; '.join(parts)}."


def _span(values):
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


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
    ax.set(xlabel=x_label, title=title, xlim=(0, 100), ylim=(len(names) - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="lower right")
    top = int(shares[0].argmax())
    set_table(ax, ["class", "this expert (%)", "all bytes (%)"], zip(names, *shares, strict=True))
    return set_description(ax, f"Bar chart, {title or 'one expert'}: {mine.sum():g} bytes; most are "
                               f"{names[top]}, {shares[0][top]:.0f}%, against {shares[1][top]:.0f}% of all.")

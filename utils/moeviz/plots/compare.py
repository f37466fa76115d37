"""Which router is better, and which is right? The scoreboard, two of its columns, evidence."""

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_vector
from moeviz.checks import check_kind
from moeviz.plots.draw import SANS, boxes, draw_bars, draw_outlines, legend_below, outline, plain_ticks
from moeviz.plots.load import METER_WIDTH
from moeviz.plots.names import RADIUS, share_names, write_names
from moeviz.scoreboard import Board, find_column
from moeviz.scoreboard.table import ARROWS, MARK, best_of, cell, shown, unknown
from moeviz.style import (
    FAINT,
    INK,
    LINE,
    MUTED,
    PALE,
    SERIES,
    axes_or_new,
    fixed_axes,
    headline,
    on_phone,
    phone_axes,
    set_columns,
    set_description,
    set_narrow,
    set_table,
)
from moeviz.tables import as_text

BEST = SERIES[0]
NAME_WIDTH, NUMBER_WIDTH, GAP, ROW_HEIGHT = 2.4, 0.74, 0.3, 0.36  # inches
COLUMN_WIDTH = GAP + NUMBER_WIDTH + METER_WIDTH
CELL_SIZE = 13  # points
BOTH = ("captured", "max_violation")  # across and up on the map
BETTER = {"low": " (lower is better)", "high": " (higher is better)"}
KINDS = ((True, "o", SERIES[0], "causal"), (False, "D", SERIES[2], "not causal"),
         (None, "s", MUTED, "not known"))
MARGIN = np.array([[0.1, 0.1], [0.2, 0.1]])  # low and high side; names need room on the right
RIGHT, WRONG = SERIES[0], SERIES[2]
PANEL = (3.3, 4.2)  # inches
FURTHEST = 12  # dots in the table


def plot_scoreboard(board, *, ax=None, title=""):
    """Draw a Board in its order: a row per router, a column per reading, bars on one scale per column.

    board: a `scoreboard.Board`; its columns are those of `scoreboard.table.shown`. The arrow of a heading
    says which side is better; the best readings of a column, if they are few, are bold and dark blue. The
    column of the order is underlined. A learner's own routers stand in a frame, bold, behind a triangle.
    Returns the Axes. Raises ValueError for an empty board.

    >>> from moeviz import routing, scoreboard
    >>> ax = plot_scoreboard(scoreboard.score({"top-k": routing.top_k}, np.eye(3)))
    >>> [text.get_text() for text in ax.texts]
    ['router', 'top-k', 'MaxVio ↓', 'captured ↑', 'drops ↓', 'leak ↓']
    """
    if not isinstance(board, Board) or not len(board):
        raise ValueError(f"board must be a Board with at least one row, got {board!r}")
    columns = list(map(find_column, shown(board.sorted_column)))
    width = NAME_WIDTH + COLUMN_WIDTH * len(columns)
    ax = axes_or_new(ax, (width + 0.26, ROW_HEIGHT * (len(board) + 1) + 1.1), left=0.08, bottom=0.08,
                     top=0.72)
    _draw_names(ax, board, width)
    for at, column in enumerate(columns):
        left = NAME_WIDTH + COLUMN_WIDTH * at
        _draw_heading(ax, column, left, column.name == board.sorted_column)
        _draw_column(ax, board, column, left)
    zeros = NAME_WIDTH + NUMBER_WIDTH + COLUMN_WIDTH * np.arange(len(columns))
    ax.plot(np.repeat(zeros, 3), np.tile([0, len(board), np.nan], len(zeros)), color=LINE, linewidth=1,
            zorder=1)
    ax.set(xlim=(-0.1, width), ylim=(len(board) + 0.1, -0.9))
    first = NAME_WIDTH + COLUMN_WIDTH * -(-len(columns) // 2)
    set_columns(ax, (-0.1, NAME_WIDTH), [(-0.1, first - 0.01), (first - 0.01, width)])
    headline(ax, _first_of(board, columns), title or _title(board), room=first)
    ax.set_axis_off()
    set_table(ax, ["router", *(column.heading + BETTER.get(column.best, "") for column in columns)],
              [[row.name, *(cell(row, column) for column in columns)] for row in board.rows])
    return set_description(ax, _describe_scoreboard(board, columns, title))


def _first_of(board, columns):
    """Say who is first, and its reading in the column of the order or else the first that is shown."""
    column = find_column(board.sorted_column) if board.sorted_column else columns[0]
    return f"{board.names[0]} first of {len(board)}, {column.heading} {cell(board.rows[0], column)}"


def _title(board):
    return f"sorted by {find_column(board.sorted_column).heading}" if board.sorted_column else ""


def _draw_names(ax, board, width):
    ax.text(0, -0.45, "router", va="center", color=MUTED, fontsize=14)
    draw_bars(ax, -0.1, np.arange(0, len(board), 2), width + 0.1, 1, facecolor=FAINT, zorder=0)
    for at, name in enumerate(board.names):
        own = name in board.own
        ax.text(0, at + 0.5, (MARK if own else "") + name, va="center", fontsize=14, color=INK,
                fontweight="bold" if own else "normal")
        if own:
            draw_bars(ax, -0.07, at + 0.03, width + 0.02, 0.94, facecolor="none", edgecolor=INK,
                      linewidth=2, zorder=4)


def _draw_heading(ax, column, left, is_order):
    ax.text(left, -0.45, column.heading + ARROWS[column.best], va="center", fontsize=14,
            color=INK if is_order else MUTED, fontweight="bold" if is_order else "normal")
    if is_order:
        ax.plot([left, left + COLUMN_WIDTH - GAP], [-0.1, -0.1], color=INK, linewidth=2.5)


def _draw_column(ax, board, column, left):
    values = [getattr(row, column.name) for row in board.rows]
    known = np.array([not unknown(value) for value in values])
    numbers = np.array([0.0 if unknown(value) else float(value) for value in values])
    best = best_of(values, column)
    _write_cells(ax, [cell(row, column) for row in board.rows], best, left + NUMBER_WIDTH - 0.1,
                 facecolors=[INK if is_known else MUTED for is_known in known], label=f"_{column.name}")
    length = METER_WIDTH * numbers / (numbers.max() or 1.0)
    bars = boxes(left + NUMBER_WIDTH, np.arange(len(numbers)) + 0.28, length, 0.44)
    colors = [BEST if is_best else PALE for is_best in best]
    ax.add_collection(PolyCollection(bars, zorder=2, facecolors=colors), autolim=False)


def _write_cells(ax, texts, best, right, **look):
    """Write the texts of a column so that they end at `right`, the best ones bold, all as one artist."""
    outlines = [outline(text, SANS, "bold" if is_best else "normal")
                for text, is_best in zip(texts, best, strict=True)]
    shifts = [(-CELL_SIZE * np.ptp(path.vertices[:, 0]) / 2, 0) for path in outlines]
    places = [(right, at + 0.5) for at in range(len(texts))]
    draw_outlines(ax, outlines, places, size=CELL_SIZE, shifts=shifts, **look)


def _describe_scoreboard(board, columns, title):
    parts = [f"{column.heading} from {cell(rows[0], column)} ({rows[0].name}) to {cell(rows[-1], column)} "
             f"({rows[-1].name})" for column in columns
             if (rows := [row for row in board.sorted_by(column.name).rows
                          if not unknown(getattr(row, column.name))])]
    own = f"; own: {', '.join(name for name in board.names if name in board.own)}" if board.own else ""
    return (f"Table of bars, {title or _title(board) or 'scoreboard'}: {len(board)} routers, first "
            f"{board.names[0]}; {'; '.join(parts)}{own}.")


def plot_tradeoff(board, *, ax=None, title=""):
    """Draw every router of a Board as a named point over two columns, with the front that none beats.

    board: a `scoreboard.Board`; rows with an unknown captured score or MaxVio are left out. Filled circles
    are causal, open diamonds are not; a learner's own routers are stars with bold names. Routers at the same
    place share a name. The dashed line joins `board.front("captured", "max_violation")`. Returns the Axes.
    Raises ValueError for a board without such rows.

    >>> from moeviz import routing, scoreboard
    >>> ax = plot_tradeoff(scoreboard.score({"top-k": routing.top_k, "soft": routing.soft}, np.eye(3)))
    >>> ax.get_xlabel()
    'captured (higher is better)'
    """
    check_kind(board, "board", Board)
    places = np.column_stack([board.column(name) for name in BOTH]).astype(float)
    front = np.isin(board.names, board.front(*BOTH).names)
    there = np.isfinite(places).all(axis=1)
    if not there.any():
        raise ValueError("board must have a row with a known captured score and MaxVio, got none")
    own, ax = ax is None, axes_or_new(ax, (10, 7.5))
    if own:
        set_narrow(ax, lambda: plot_tradeoff(board, title=title, ax=phone_axes(ax)))
    _set_limits(ax, places[there])
    steps = _draw_front(ax, places[front])
    box = _draw_arrow(ax, places[there], steps)
    _draw_points(ax, board, places, there)
    labels = [find_column(name).heading + BETTER[find_column(name).best] for name in BOTH]
    ax.set(xlabel=labels[0], ylabel=labels[1])
    headline(ax, _unbeaten(np.array(board.names)[front & there], there.sum()), title)
    legend_below(ax, 2 if on_phone(ax) else 5)
    _name_points(ax, board, places, there, [*box, *steps])
    words = {kind: word for kind, _, _, word in KINDS}
    set_table(ax, ["router", *labels, "kind", "beaten by none"], title=title or "routers",
              rows=[[row.name, *place, words[row.causal], "yes" if best else "no"] for row, place, best, here
                    in zip(board.rows, places, front, there, strict=True) if here])
    return set_description(ax, _describe_tradeoff(board, places, there, front, title))


def _set_limits(ax, places):
    low, high = places.min(axis=0), places.max(axis=0)
    pad = MARGIN * np.where(high > low, high - low, 1.0)
    left, bottom = low - pad[0]
    right, top = high + pad[1]
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _draw_front(ax, places):
    """Join the points that none beats by steps: what lies beyond a step would need a better router.

    Returns the boxes of the steps in shares of the axes, [left, bottom, right, top] each.
    """
    if len(places) < 2:
        return []
    places = places[np.argsort(places[:, 0])]
    ax.plot(*places.T, drawstyle="steps-post", color=LINE, linestyle=(0, (5, 4)), linewidth=1.8,
            label="beaten by none", zorder=1)
    turns = np.column_stack([places[1:, 0], places[:-1, 1]])
    corners = np.vstack([places[:-1], turns, places[1:]])
    first, turn, last = ax.transAxes.inverted().transform(ax.transData.transform(corners)).reshape(3, -1, 2)
    return [[*np.minimum(a, b) - 0.004, *np.maximum(a, b) + 0.004]
            for a, b in (*zip(first, turn, strict=True), *zip(turn, last, strict=True))]


def _unbeaten(names, count):
    """Say which routers no other beats in both columns; how many, where they are more than three."""
    said = f"{len(names)} of {count} routers"
    if 0 < len(names) <= 3:
        said = f"{' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}, {said},"
    return f"{said} {'are' if len(names) != 1 else 'is'} beaten by none"


def _draw_arrow(ax, places, steps):
    """Point to where both columns are better, in the emptiest corner; return its box in shares of axes.

    steps: (S, 4), boxes in shares of the axes in which nothing may stand.
    """
    shares = ax.transAxes.inverted().transform(ax.transData.transform(places))
    step = np.array([1, -1])
    corners = [(step, 0), (step * (-1, 1), 1), (step * (1, -1), 2), (-step, 3)]  # the good one if it is free
    boxes = np.reshape(steps, (-1, 4))
    def near(corner):
        center, around = 0.5 + 0.4 * corner[0], np.array([0.1, 0.07])
        crossed = ((boxes[:, :2] < center + around) & (boxes[:, 2:] > center - around)).all(axis=1)
        points = (np.abs(shares - (0.5 + 0.37 * corner[0])) < (0.2, 0.16)).all(axis=1)
        return points.sum() + crossed.sum(), corner[1]
    half = 0.5 / ax.figure.get_figwidth()  # of the word, as a share
    middle = 0.5 + (0.45 - half, 0.4) * min(corners, key=near)[0]
    tip, tail = middle + step * (0.05, 0.04), middle - step * (0.05, 0.04)
    ax.annotate("better", tip, xytext=tail, xycoords="axes fraction", textcoords="axes fraction", color=MUTED,
                fontsize=14, ha="center", va="center", zorder=0.6,
                arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 2})
    word = np.array([half, 0.03])
    return [[*np.minimum(tip, tail - word), *np.maximum(tip, tail + word)]]


def _draw_points(ax, board, places, there):
    own, causal = np.isin(board.names, board.own), [row.causal for row in board.rows]
    for kind, marker, color, label in KINDS:
        here = there & ~own & np.array([value is kind for value in causal])
        if here.any():
            ax.plot(*places[here].T, marker, color=color, markerfacecolor=color if kind else "white",
                    markeredgewidth=2, markersize=2 * RADIUS - 2, label=label, zorder=3)
    if (there & own).any():
        ax.plot(*places[there & own].T, "*", color=SERIES[1], markeredgecolor=INK, markersize=19,
                label="yours", zorder=3.5)


def _name_points(ax, board, places, there, taken):
    names, spots = share_names(np.array(board.names)[there], places[there])
    write_names(ax, names, spots, bold=[name for name in names if set(name.split(", ")) & set(board.own)],
                taken=taken)


def _describe_tradeoff(board, places, there, front, title):
    spots = [f"{name} ({x:.3g}, {y:.3g})"
             for name, (x, y), here in zip(board.names, places, there, strict=True) if here]
    beaten_by_none = [name for name, is_front in zip(board.names, front, strict=True) if is_front]
    return (f"Scatter chart, {title or 'captured against MaxVio'}: {len(spots)} routers, {', '.join(spots)}; "
            f"beaten by none: {', '.join(beaten_by_none)}.")


class Evidence(NamedTuple):
    """What one picture holds. With names it is bars in pairs, without them dots.

    x, y: (N,). Dots: what a value should be (x) and what it is (y). Bars: the left and the right bar of each
    pair. labels: of the two axes, or of the two kinds of bars. names: N texts. axes: what the names are, and
    what the bars count. apart: whether one bar of each pair belongs at 0; else both belong level.
    """

    x: np.ndarray
    y: np.ndarray
    labels: tuple
    names: tuple = ()
    axes: tuple = ("", "")
    apart: bool = False


def plot_evidence(found):
    """Draw Evidence side by side on equal scales: dots beside the diagonal they belong on, or pairs of bars.

    found: {title: Evidence} of the same kind, such as the right step and a suspect. Returns an array of Axes
    (N,) of a new figure. Raises ValueError for anything else, or for values that are not finite.

    >>> axes = plot_evidence({"right": Evidence([0.2, 0.4], [0.2, 0.4], ("before", "after"))})
    >>> axes[0].get_xlabel(), axes[0].get_title()
    ('before', 'Right: 0 of 2 off')
    """
    checked = _check(found)
    bars = bool(next(iter(checked.values())).names)
    size = (max(len(checked) * PANEL[0], 8), PANEL[1])
    axes = fixed_axes(size, left=0.8, top=0.75, columns=len(checked), gap=(0.2, 0), squeeze=False,
                      sharex=True, sharey=True)[0]
    for ax, (title, evidence) in zip(axes, checked.items(), strict=True):
        (_draw_pairs if bars else _draw_dots)(ax, evidence)
        (_tabulate_pairs if bars else _tabulate_dots)(ax, evidence, title)
        headline(ax, _worst_pair(evidence) if bars else
                 f"{(np.abs(evidence.x - evidence.y) > 1e-9).sum()} of {len(evidence.x)} off", title)
        set_description(ax, (_describe_pairs if bars else _describe_dots)(title, evidence))
    for ax in axes[1:]:
        ax.set_ylabel("")
    if bars:
        axes[0].set_ylim(0, 1.45 * max(max(e.x.max(), e.y.max()) for e in checked.values()) or 1.0)
        axes[0].legend(loc="upper left", fontsize=13)
    return axes


def _worst_pair(evidence):
    """Say how many pairs have both bars where one belongs at 0, else which pair is furthest from level."""
    if evidence.apart:
        return f"both bars at {((evidence.x > 0) & (evidence.y > 0)).sum()} of {len(evidence.x)}"
    gap = np.abs(evidence.x - evidence.y)
    if gap.max() <= 1e-9:
        return f"{len(gap)} of {len(gap)} level"
    at = int(gap.argmax())
    where = f" at {evidence.axes[0]} {evidence.names[at]}" if len(gap) > 1 else ""
    return f"{as_text([evidence.x[at], evidence.y[at]], 3).replace(', ', ' and ')}{where}"


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
    ax.scatter(evidence.x[on], evidence.y[on], s=22, color=RIGHT, alpha=0.5, linewidth=0, zorder=2)
    ax.scatter(evidence.x[~on], evidence.y[~on], s=22, color=WRONG, alpha=0.5, linewidth=0, marker="D",
               zorder=3)
    ax.set(xlabel=evidence.labels[0], ylabel=evidence.labels[1], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03),
           xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    plain_ticks(ax.xaxis, ax.yaxis)
    if not len(evidence.x):
        ax.text(0.5, 0.5, "nothing to see", ha="center", color=MUTED)


def _draw_pairs(ax, evidence):
    places = np.arange(len(evidence.names))
    ax.bar(places - 0.2, evidence.x, 0.38, color=RIGHT, label=evidence.labels[0])
    with plt.rc_context({"hatch.color": "white"}):  # what the style has would be lost on a colour
        ax.bar(places + 0.2, evidence.y, 0.38, color=WRONG, label=evidence.labels[1], hatch="//",
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
    wrong = np.minimum(evidence.x, evidence.y) if evidence.apart else np.abs(evidence.x - evidence.y)
    at = int(wrong.argmax())
    most = "the smaller one is largest" if evidence.apart else "they differ most"
    return (f"Bars in pairs, {title}: {evidence.axes[1]}, {evidence.labels[0]} and {evidence.labels[1]}, for "
            f"{evidence.axes[0]} {', '.join(evidence.names)}; {most} at {evidence.names[at]}, "
            f"{evidence.x[at]:.3g} and {evidence.y[at]:.3g}.")

"""The scoreboard as a picture: a row per router, and per column its number with a bar, a range or a word."""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection

from moeviz.figure_data import set_table
from moeviz.plots.bars import draw_bars
from moeviz.plots.glyphs import SANS, draw_outlines, outline
from moeviz.plots.meters import METER_WIDTH, OTHERS
from moeviz.scoreboard import Board, find_column
from moeviz.scoreboard.table import MARK, cell, unknown
from moeviz.style import FAINT, INK, LINE, MUTED, OKABE_ITO, axes_or_new, set_description

SHOWN = ("max_violation", "captured", "of_best", "drop_rate", "experts", "unserved", "leak", "causal",
         "needs_loss")
WORDS = ("causal", "needs_loss", "random")  # columns of yes and no
BEST, OWN = OKABE_ITO[4], OKABE_ITO[1]
NAME_WIDTH, NUMBER_WIDTH, WORD_WIDTH, GAP, ROW_HEIGHT = 2.6, 0.74, 0.75, 0.3, 0.36  # inches
CELL_SIZE = 13  # points
ARROWS = {"low": " ↓", "high": " ↑", "": ""}
BETTER = {"low": " (low is better)", "high": " (high is better)", "": ""}


def plot_scoreboard(board, *, columns=SHOWN, ax=None, title=""):
    """Draw a Board in its order: a row per router, a column per reading, bars on one scale per column.

    board: a `scoreboard.Board`. columns: names of its columns. The arrow of a heading says which side is
    better; the best readings of a column, if they are few, are bold and dark blue. The column of the order
    is underlined.
    "experts" is a line from the fewest to the most with a dot at the mean. A learner's own routers stand in
    a frame, bold, behind a triangle. Returns the Axes.
    Raises ValueError for an empty board or an unknown column.

    >>> from moeviz import routing, scoreboard
    >>> ax = plot_scoreboard(scoreboard.score({"top-k": routing.top_k}, np.eye(3)), columns=["captured"])
    >>> [text.get_text() for text in ax.texts]
    ['router', 'top-k', 'captured ↑']
    """
    if not isinstance(board, Board) or not len(board):
        raise ValueError(f"board must be a Board with at least one row, got {board!r}")
    columns = [find_column(name) for name in columns if name != "name"]
    width = NAME_WIDTH + sum(map(_width, columns))
    ax = axes_or_new(ax, (width + 0.3, ROW_HEIGHT * (len(board) + 1) + 0.8), left=0.08, bottom=0.08)
    _draw_names(ax, board, width)
    left = NAME_WIDTH
    for column in columns:
        _draw_heading(ax, column, left, column.name == board.sorted_column)
        _draw_column(ax, board, column, left)
        left += _width(column)
    _draw_zeros(ax, columns, len(board))
    ax.set(xlim=(-0.1, width), ylim=(len(board) + 0.1, -0.9))
    ax.set_title(title or _title(board))
    ax.set_axis_off()
    set_table(ax, ["router", *(column.heading + BETTER[column.best] for column in columns)],
              [[row.name, *(cell(row, column) for column in columns)] for row in board.rows])
    return set_description(ax, _describe(board, columns, title))


def _width(column):
    return GAP + (WORD_WIDTH if column.name in WORDS else NUMBER_WIDTH + METER_WIDTH)


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
        ax.plot([left, left + _width(column) - GAP], [-0.1, -0.1], color=INK, linewidth=2.5)


def _draw_column(ax, board, column, left):
    values = [getattr(row, column.name) for row in board.rows]
    known = np.array([not unknown(value) for value in values])
    numbers = np.array([0.0 if unknown(value) else float(value) for value in values])
    best = _is_best(numbers, known, column)
    word = column.name in WORDS
    weights = ["bold" if is_best and not word else "normal" for is_best in best]
    _write_cells(ax, [cell(row, column) for row in board.rows], weights,
                 left if word else left + NUMBER_WIDTH - 0.1, 1 if word else -1,
                 facecolors=[INK if is_known else MUTED for is_known in known], label=f"_{column.name}")
    if column.name == "experts":
        _draw_ranges(ax, board, left + NUMBER_WIDTH)
    elif not word:
        _draw_bars(ax, numbers, best, left + NUMBER_WIDTH)


def _write_cells(ax, texts, weights, x, side, **look):
    """Write the texts of a column right (side 1) or left (side -1) of x, all as one artist."""
    outlines = [outline(text, SANS, weight) for text, weight in zip(texts, weights, strict=True)]
    halves = [side * CELL_SIZE * np.ptp(path.vertices[:, 0]) / 2 for path in outlines]
    places = [(x, at + 0.5) for at in range(len(texts))]
    draw_outlines(ax, outlines, places, size=CELL_SIZE, shifts=[(half, 0) for half in halves], **look)


def _is_best(numbers, known, column):
    if not column.best or not known.any() or np.ptp(numbers[known]) == 0:
        return np.zeros(len(numbers), bool)
    extreme = numbers[known].max() if column.best == "high" else numbers[known].min()
    best = np.isclose(numbers, extreme, rtol=0, atol=1e-9) & known
    return best & (best.sum() <= known.sum() / 2)  # what most of them reach is no distinction


def _draw_bars(ax, numbers, best, left):
    length = METER_WIDTH * numbers / (numbers.max() or 1.0)
    top = np.arange(len(numbers)) + 0.28
    x = np.stack([np.full(len(top), left), left + length, left + length, np.full(len(top), left)], axis=1)
    y = np.stack([top, top, top + 0.44, top + 0.44], axis=1)
    colors = [BEST if is_best else OTHERS for is_best in best]
    ax.add_collection(PolyCollection(np.stack([x, y], axis=2), zorder=2, facecolors=colors), autolim=False)


def _draw_ranges(ax, board, left):
    scale = METER_WIDTH / max(1, *(row.most for row in board.rows))
    middle = np.arange(len(board)) + 0.5
    ends = [[(left + scale * row.fewest, y), (left + scale * row.most, y)]
            for row, y in zip(board.rows, middle, strict=True)]
    ax.add_collection(LineCollection(ends, colors=OTHERS, linewidths=4, zorder=2), autolim=False)
    ax.plot(left + scale * np.array([row.experts for row in board.rows]), middle, "o", color=INK,
            markersize=6, zorder=3)


def _draw_zeros(ax, columns, rows):
    """Draw the line that each column's bars begin at, all as one artist."""
    ends = NAME_WIDTH + np.cumsum([_width(column) for column in columns])
    zeros = [end - GAP - METER_WIDTH for end, column in zip(ends, columns, strict=True)
             if column.name not in WORDS]
    ax.plot(np.repeat(zeros, 3), np.tile([0, rows, np.nan], len(zeros)), color=LINE, linewidth=1, zorder=1)


def _describe(board, columns, title):
    parts = [f"{column.heading} from {cell(rows[0], column)} ({rows[0].name}) to {cell(rows[-1], column)} "
             f"({rows[-1].name})" for column in columns
             if (rows := [row for row in board.sorted_by(column.name).rows
                          if not unknown(getattr(row, column.name))])]
    own = f"; own: {', '.join(name for name in board.names if name in board.own)}" if board.own else ""
    return (f"Table of bars, {title or _title(board) or 'scoreboard'}: {len(board)} routers, first "
            f"{board.names[0]}; {'; '.join(parts)}{own}.")

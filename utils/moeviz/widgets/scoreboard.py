"""Notebook 10: the scoreboard, sorted by any column, under any number of seats."""

import math
from functools import lru_cache, partial

import ipywidgets

from moeviz import plots
from moeviz.scoreboard import COLUMNS, find_column, score, with_seats
from moeviz.widgets.core import explore

FACTORS = (("0.5", 0.5), ("0.75", 0.75), ("1", 1.0), ("1.25", 1.25), ("1.5", 1.5), ("2", 2.0),
           ("no limit", math.inf))
ORDERS = ("token", "choice", "score")


def explore_scoreboard(routers, logits, *, own=(), column="max_violation", factor=math.inf, order="token",
                       k=2):
    """Sort the scoreboard by any column and limit the seats; each new limit runs every router once.

    routers: {name: router}; logits: (T, E); own: the learner's names. k: choices a token that seats are for.
    """
    boards = lru_cache(partial(_score, routers, logits, own=own, k=k))
    return explore(
        lambda column, **seats: _draw(boards(**seats), column, **seats),
        caption="With fewer seats every load gets even. Who pays with drops, and who stops being causal?",
        film=["factor"],
        column=ipywidgets.Dropdown(options=[(c.heading, c.name) for c in COLUMNS], value=column,
                                   description="sort by"),
        factor=ipywidgets.SelectionSlider(options=FACTORS, value=factor, description="capacity factor",
                                          continuous_update=False),
        order=ipywidgets.Dropdown(options=ORDERS, value=order, description="who goes first"))


def draw_scoreboard(routers, logits, *, own=(), column="max_violation", factor=math.inf, order="token", k=2):
    """Draw the board of all routers, sorted by a column, with `factor` times the fair seats; return the Axes.

    factor: math.inf for no limit. Raises ValueError for an unknown column or order, or a negative factor.
    """
    find_column(column)  # before every router runs
    board = _score(routers, logits, own=own, k=k, factor=factor, order=order)
    return _draw(board, column, factor, order)


def _score(routers, logits, *, own, k, factor, order):
    limited = routers if factor == math.inf else with_seats(routers, factor, k=k, order=order)
    return score(limited, logits, own=own)


def _draw(board, column, factor, order):
    seats = "no limit of seats" if factor == math.inf else f"capacity factor {factor:g} by {order}"
    return plots.plot_scoreboard(board.sorted_by(column),
                                 title=f"sorted by {find_column(column).heading}, {seats}")

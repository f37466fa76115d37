"""Notebook 21: a budget for a router, and the check that says what it holds on the scoreboard."""

from typing import NamedTuple

from moeviz.scoreboard import Board


class Budget(NamedTuple):
    """What a design must keep on every board.

    captured: at least, as a share of what plain top-k captures there. max_violation, drop_rate, experts:
    at most. causal: whether it must not look ahead.
    """

    captured: float
    max_violation: float
    drop_rate: float
    causal: bool = True
    experts: float = 2.0


class Item(NamedTuple):
    """One line of the answer: the worst value over all boards beside its limit."""

    name: str
    value: object
    limit: str
    holds: bool


def budget(boards, name, limits, *, reference="top-k"):
    """Print which items of a Budget a router holds, with its worst value over the boards; return how many.

    boards: a Board, or several of other texts, each with a row of that name and one of the reference. A
    router whose row is missing holds nothing. Raises ValueError for no boards or limits that are no Budget.

    >>> from moeviz import routing, scoreboard
    >>> import numpy as np
    >>> board = scoreboard.score({"top-k": routing.top_k, "mine": routing.top_k}, np.eye(4))
    >>> budget(board, "mine", Budget(0.9, 0.25, 0.0))
    mine holds 4 of 5
      holds   captured, of top-k's: 1.000, at least 0.900
      MISSED  MaxVio: 1.000, at most 0.250
      holds   drops: 0.000, at most 0.000
      holds   experts per token: 2.000, at most 2.000
      holds   looks ahead: no
    4
    """
    items = weigh(boards, name, limits, reference)
    kept = sum(item.holds for item in items)
    print(f"{name} holds {kept} of {len(items)}")
    for item in items:
        value = item.value if isinstance(item.value, str) else f"{item.value:.3f}"
        print(f"  {'holds ' if item.holds else 'MISSED'}  {item.name}: {value}{item.limit}")
    return kept


def weigh(boards, name, limits, reference="top-k"):
    """Return the Items of a budget, or a single one that says why a router has no row.

    Arguments and errors are those of `budget`.
    """
    boards = [boards] if isinstance(boards, Board) else list(boards)
    if not boards or not all(isinstance(board, Board) for board in boards):
        raise ValueError(f"boards must be a Board or several, got {boards!r}")
    if not isinstance(limits, Budget):
        raise ValueError(f"limits must be a Budget, got {limits!r}")
    missing = [board.remarks.get(name, f"{name} has no row") for board in boards if name not in board.names]
    if missing:
        return [Item("a row on every board", f"no ({missing[0]})", "", False)]
    rows = [board[name] for board in boards]
    captured = min(board[name].captured / board[reference].captured for board in boards)
    looks = _looks_ahead(rows)
    return [Item("captured, of top-k's", captured, f", at least {limits.captured:.3f}",
                 captured >= limits.captured - 1e-9),
            _at_most("MaxVio", [row.max_violation for row in rows], limits.max_violation),
            _at_most("drops", [row.drop_rate for row in rows], limits.drop_rate),
            _at_most("experts per token", [row.experts for row in rows], limits.experts),
            Item("looks ahead", looks, "", looks == "no" or not limits.causal)]


def _at_most(name, values, limit):
    return Item(name, max(values), f", at most {limit:.3f}", max(values) <= limit + 1e-9)


def _looks_ahead(rows):
    if any(row.causal is None for row in rows):
        return "cannot be told, two calls differ"
    return "no" if all(row.causal for row in rows) else "yes"

"""The scoreboard: every router on one matrix of logits, with a row of readings each, one's own included."""

from moeviz.scoreboard.board import Board, score
from moeviz.scoreboard.contract import RouterError, route, takes_rng
from moeviz.scoreboard.lineup import NEEDS_LOSS, line_up, with_seats
from moeviz.scoreboard.measure import Row, best_captured, captured, changed_tokens, leak, measure
from moeviz.scoreboard.table import COLUMNS, Column, find_column

__all__ = [
    "COLUMNS", "NEEDS_LOSS", "Board", "Column", "RouterError", "Row", "best_captured", "captured",
    "changed_tokens", "find_column", "leak", "line_up", "measure", "route", "score", "takes_rng",
    "with_seats",
]

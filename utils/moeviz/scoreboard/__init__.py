"""The scoreboard: every router on one matrix of logits, with a row of readings each, one's own included."""

from moeviz.scoreboard.board import NEEDS_LOSS, Board, line_up, score, with_seats
from moeviz.scoreboard.measure import (
    RouterError,
    Row,
    best_captured,
    captured,
    changed_tokens,
    leak,
    measure,
    moved_early,
    route,
    takes_rng,
)
from moeviz.scoreboard.table import COLUMNS, Column, find_column

__all__ = [
    "COLUMNS", "NEEDS_LOSS", "Board", "Column", "RouterError", "Row", "best_captured", "captured",
    "changed_tokens", "find_column", "leak", "line_up", "measure", "moved_early", "route", "score",
    "takes_rng", "with_seats",
]

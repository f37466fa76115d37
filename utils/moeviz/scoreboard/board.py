"""Board: every router's row on the same logits, in an order, with the Routings that were measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.checks import check_kind, check_texts
from moeviz.scoreboard import table
from moeviz.scoreboard.contract import RouterError, check_routers
from moeviz.scoreboard.lineup import NEEDS_LOSS
from moeviz.scoreboard.measure import measure


@dataclass(frozen=True, eq=False, repr=False)
class Board:
    """Rows of routers, best first where sorted; made by `score`.

    rows: N Rows. routings: {name: Routing}, for every plot and metric. remarks: {name: sentence} on routers
    that are missing, or of which something could not be told. own: names that are the learner's, which
    tables and pictures mark. sorted_column: the column of the order, or None.
    """

    rows: tuple
    routings: Mapping
    remarks: Mapping = field(default_factory=dict)
    own: tuple = ()
    sorted_column: str | None = None

    @property
    def names(self):
        """The names of the rows, in order."""
        return tuple(row.name for row in self.rows)

    def __getitem__(self, name):
        """Return the Row of that router, or raise a KeyError that lists the names."""
        if name not in self.names:
            why = self.remarks.get(name, f"the board has {', '.join(self.names)}")
            raise KeyError(f"no row {name!r}: {why}")
        return self.rows[self.names.index(name)]

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        """Return one column as an array (N,) in the order of the rows; numbers that are not known are NaN."""
        table.find_column(name)
        values = [getattr(row, name) for row in self.rows]
        return np.array([np.nan if value is None else value for value in values])

    def sorted_by(self, column, *, reverse=False):
        """Return the board in the order of one column, best first; ties keep their order, unknowns come last.

        Raises ValueError naming the columns for any other name.
        """
        return replace(self, rows=table.ordered(self.rows, column, reverse=reverse), sorted_column=column)

    def where(self, keep):
        """Return the board of the rows for which keep(row) is true, such as lambda row: row.causal."""
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def front(self, *columns):
        """Return the board of the rows that no other row beats: none is as good everywhere and better once.

        columns: two or more that have a better side, such as "max_violation" and "captured". Rows with an
        unknown in one of them are left out. Raises ValueError for other columns.
        """
        values = np.array([table.goodness(self.rows, column) for column in columns]).reshape(len(columns), -1)
        known = np.isfinite(values).all(axis=0)
        as_good = (values[:, :, None] >= values[:, None, :]).all(axis=0)  # row n against row m
        better = (values[:, :, None] > values[:, None, :]).any(axis=0)
        beaten = (as_good & better & known[:, None]).any(axis=0)
        return replace(self, rows=tuple(row for row, out in zip(self.rows, beaten | ~known, strict=True)
                                        if not out))

    def __repr__(self):
        return table.as_text(self.rows, self.own, self.remarks.values(), self._caption())

    def _repr_html_(self):
        return table.as_html(self.rows, self.own, self.remarks.values(), self._caption())

    def _caption(self):
        heading = self.sorted_column and table.find_column(self.sorted_column).heading
        return f"{len(self)} routers" + (f", sorted by {heading}" if heading else "")


def score(routers, logits, *, own=(), needs_loss=None, seed=0):
    """Run every router on the same logits and return the Board of what each one did.

    routers: {name: router}, for instance `line_up(...)` with one's own added; `route` says what a router is.
    logits: (T, E). own: the name, or names, of the learner's routers. needs_loss: {name: bool}, declared
    for routers beyond the line-up. seed: of the draws. A router that fails costs the others nothing: its
    row is missing, and the board says why.
    Raises ValueError for bad logits, routers that are no {name: router}, names that are not in it, or a seed
    that is no whole number.

    >>> from moeviz import routing
    >>> board = score({"top-k": routing.top_k, "mine": lambda logits: None}, np.eye(3), own="mine")
    >>> board.names, board.remarks["mine"]
    (('top-k',), 'mine is missing: it returned None; does it end with `return ...`?')
    """
    logits = check_matrix(logits, "logits").astype(float)
    own = check_texts((own,) if isinstance(own, str) else own, "own")
    declared = check_kind({} if needs_loss is None else needs_loss, "needs_loss", Mapping)
    _check_names(check_routers(routers), own, declared)
    rows, routings, remarks = [], {}, {}
    for name, router in routers.items():
        loss = declared.get(name, NEEDS_LOSS.get(name))
        try:
            row, routings[name] = measure(router, logits, name=name, needs_loss=loss, seed=seed)
        except RouterError as error:
            remarks[name] = f"{name} is missing: it {error}"
        else:
            rows.append(row)
            remarks.update(_remark(row, len(logits)))
    return Board(tuple(rows), MappingProxyType(routings), MappingProxyType(remarks), own)


def _check_names(routers, own, declared):
    for argument, names in {"own": own, "needs_loss": declared}.items():
        strange = [name for name in names if name not in routers]
        if strange:
            raise ValueError(f"{argument} names {strange[0]!r}, which is not among the routers")


def _remark(row, num_tokens):
    if row.leak is None and num_tokens > 1:
        return {row.name: f"{row.name}: two calls with the same seed differ; to draw random numbers, "
                          "take them from an argument called rng"}
    return {}

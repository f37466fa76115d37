"""The columns of the scoreboard: their order, what is good, and how they are written as text or HTML."""

import math
from collections.abc import Callable
from html import escape
from typing import NamedTuple

from moeviz.arrays import check_choice

MARK = "▶ "


class Column(NamedTuple):
    """One field of a Row: its heading, whether low or high comes first ("" where neither is better)."""

    name: str
    heading: str
    best: str
    show: Callable


def _number(value):
    return f"{value:.2f}"


def _percent(value):
    return f"{100 * value:.1f}%"


def _yes_no(value):
    return "yes" if value else "no"


COLUMNS = (
    Column("name", "router", "", str), Column("max_violation", "MaxVio", "low", _number),
    Column("captured", "captured", "high", "{:.3f}".format), Column("of_best", "of best", "high", _percent),
    Column("drop_rate", "drops", "low", _percent), Column("experts", "experts", "", _number),
    Column("fewest", "min", "", str), Column("most", "max", "", str),
    Column("unserved", "no expert", "low", _percent), Column("router_entropy", "router H", "", _number),
    Column("load_entropy", "load H", "high", _number), Column("leak", "leak", "low", _percent),
    Column("causal", "causal", "high", _yes_no), Column("needs_loss", "loss", "low", _yes_no),
    Column("random", "draws", "low", _yes_no))


def find_column(name):
    """Return the Column of that field, or raise a ValueError that lists them all.

    >>> find_column("leak").best
    'low'
    """
    columns = {column.name: column for column in COLUMNS}
    return columns[check_choice(name, "column", columns)]


def cell(row, column):
    """Return what stands in the table for one field of a row; ? for what is not known.

    >>> cell(type("Row", (), {"leak": None}), find_column("leak"))
    '?'
    """
    value = getattr(row, column.name)
    return "?" if unknown(value) else column.show(value)


def unknown(value):
    """Return whether a value is None or NaN.

    >>> unknown(None), unknown(math.nan), unknown(0.0), unknown("top-k")
    (True, True, False, False)
    """
    return value is None or (isinstance(value, float) and math.isnan(value))


def ordered(rows, name, *, reverse=False):
    """Return rows by one column, best first (by name: from A on); what is not known comes last.

    Rows that are equal keep their order. reverse=True puts the worst first.
    """
    column = find_column(name)
    known = [row for row in rows if not unknown(getattr(row, name))]
    rest = [row for row in rows if unknown(getattr(row, name))]
    falling = (column.best == "high") != reverse
    return (*sorted(known, key=lambda row: getattr(row, name), reverse=falling), *rest)


def goodness(rows, name):
    """Return one number per row that is higher where the row is better in a column; NaN if not known.

    Raises ValueError for a column that has no better side.
    """
    column = find_column(name)
    if not column.best:
        raise ValueError(f"column {name!r} has no better side")
    sign = 1 if column.best == "high" else -1
    return [math.nan if unknown(value) else float(sign * value)
            for value in (getattr(row, name) for row in rows)]


def as_text(rows, own, remarks, caption):
    """Return the board as lines of text, a learner's own routers marked."""
    cells = [[(MARK if row.name in own else "  ") + row.name, *(cell(row, c) for c in COLUMNS[1:])]
             for row in rows]
    headings = ["  " + COLUMNS[0].heading, *(column.heading for column in COLUMNS[1:])]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    lines = [[text.rjust(width) if at else text.ljust(width)
              for at, (text, width) in enumerate(zip(line, widths, strict=True))]
             for line in (headings, *cells)]
    return "\n".join([caption, *("  ".join(line) for line in lines), *remarks])


def as_html(rows, own, remarks, caption):
    """Return the board as an HTML table with a caption, a learner's own routers bold and marked."""
    head = "".join(f'<th scope="col">{escape(column.heading)}</th>' for column in COLUMNS)
    body = "".join(_html_row(row, row.name in own) for row in rows)
    notes = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    return (f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}")


def _html_row(row, own):
    name = escape(row.name)
    first = f"<strong>{MARK}{name}</strong>" if own else name
    rest = "".join(f"<td>{escape(cell(row, column))}</td>" for column in COLUMNS[1:])
    return f'<tr><th scope="row" style="text-align: left">{first}</th>{rest}</tr>'

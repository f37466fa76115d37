"""The columns of the scoreboard: their order, what is good, and how they are written as text or HTML."""

import math
from collections.abc import Callable
from html import escape
from typing import NamedTuple

from moeviz.arrays import check_choice
from moeviz.tables import STYLE, whole

MARK = "▶ "
ARROWS = {"low": " ↓", "high": " ↑", "": ""}  # which side is better
CORE = ("max_violation", "captured", "drop_rate", "leak")  # what one reads first
WORD = ' class="word"'
SHADE = "color-mix(in srgb, #0072B2 35%, transparent)"  # of the bars, under numbers in the page's own ink
BAR = (' style="background: linear-gradient(to right, ' + SHADE + ' {0:.0f}%, transparent {0:.0f}%); '
       'background-origin: content-box; background-repeat: no-repeat; min-width: min(7em, 15vw)"')


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


def shown(order):
    """Return the names of the columns that one reads first; that of the order stands first, where it is none.

    >>> shown("leak") == shown(None) == CORE, shown("of_best")
    (True, ('of_best', 'captured', 'drop_rate', 'leak'))
    """
    return CORE if order in (None, "name", *CORE) else (order, *CORE[1:])


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


def ordered(rows, name):
    """Return rows by one column, best first (by name: from A on); what is not known comes last.

    Rows that are equal keep their order.
    """
    column = find_column(name)
    known = [row for row in rows if not unknown(getattr(row, name))]
    rest = [row for row in rows if unknown(getattr(row, name))]
    return (*sorted(known, key=lambda row: getattr(row, name), reverse=column.best == "high"), *rest)


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


def as_html(rows, own, remarks, caption, order=None):
    """Return the board as HTML: four columns with bars, the order's among them, and all of them on demand.

    The best reading of a column, if few reach it, is bold; a learner's own routers are bold and marked.
    """
    core = _html_table(rows, own, [find_column(name) for name in ("name", *shown(order))], caption, bars=True)
    every = _html_table(rows, own, COLUMNS, f"{caption}: all readings", bars=False)
    notes = "".join(f"<p>{escape(remark)}</p>" for remark in remarks)
    folded = f'<details class="more"><summary>All {len(COLUMNS) - 1} readings</summary>{every}</details>'
    return f"{core}{folded}{notes}"


def _html_table(rows, own, columns, caption, *, bars):
    head = "".join(f'<th scope="col"{"" if at else WORD}>{escape(column.heading + ARROWS[column.best])}</th>'
                   for at, column in enumerate(columns))
    looks = [_looks(rows, column, bars) for column in columns[1:]]
    body = "".join(_html_row(row, row.name in own, columns[1:], look)
                   for row, look in zip(rows, zip(*looks, strict=True), strict=True))
    name = escape(caption)
    return (f'{STYLE}<div class="moeviz-table" tabindex="0" role="group" aria-label="Table: {name}"><table>'
            f"<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>")


def _html_row(row, own, columns, looks):
    name = whole(escape(row.name))
    first = f"<strong>{MARK}{name}</strong>" if own else name
    rest = "".join(f"<td{bar}>{'<strong>' * best}{escape(cell(row, column))}{'</strong>' * best}</td>"
                   for column, (bar, best) in zip(columns, looks, strict=True))
    return f'<tr><th scope="row"{WORD}>{first}</th>{rest}</tr>'


def _looks(rows, column, bars):
    """Return (attribute that draws its bar, whether it is among the few best) for each row of a column."""
    values = [getattr(row, column.name) for row in rows]
    known = [float(value) for value in values if not unknown(value)]
    top = max(known, default=0.0) * bars
    drawn = ["" if unknown(value) or top <= 0 else BAR.format(100 * value / top) for value in values]
    return list(zip(drawn, best_of(values, column), strict=True))


def best_of(values, column):
    """Return for each value of a column whether it is the best, unless more than half of the known are.

    >>> best_of([0.1, 0.3, None], find_column("leak")), best_of([0.0, 0.0, 0.2], find_column("leak"))
    ([True, False, False], [False, False, False])
    """
    known = [float(value) for value in values if not unknown(value)]
    if not column.best or len(set(known)) < 2:
        return [False] * len(values)
    extreme = max(known) if column.best == "high" else min(known)
    best = [not unknown(value) and math.isclose(value, extreme, rel_tol=0, abs_tol=1e-9) for value in values]
    return best if 2 * sum(best) <= len(known) else [False] * len(values)

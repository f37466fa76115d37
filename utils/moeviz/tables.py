"""Numbers and tables as texts: one way to write a number, and tables for terminals and for readers of HTML.

A table is a dictionary {"title", "columns", "rows"} of texts; the first cell of a row names it.
"""

import math
import numbers
import re
from collections.abc import Mapping
from html import escape
from typing import NamedTuple

import numpy as np

MOST_ROWS, MOST_COLUMNS = 64, 13  # of a table, names included
ALL_OF = 2  # times as many rows are shown whole, for one row left out says less than it hides
ALL_COLUMNS = 17  # a name and sixteen experts
NOTHING = 1e-12  # what is closer to 0 is rounding
ROUNDING = 1e-6  # of single precision, as a part of a number
SEEN_BESIDE = 1000  # what is smaller than the largest number by more, no picture of both shows
MOST_DECIMALS = 6
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NUMBER = re.compile(r"[-+]?[\d.,]+(×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?( ?%|[kMBT])?")
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
HYPHEN = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")  # that says minus: a number begins with it
# what would leave a part of one or two letters on a line of its own, a number without its letter, or half a
# span of time: top-2, z-loss, E = 64, T × E, 2020 to 2022, 9:40-10:30
TIED = re.compile(r"(?<![\w:-])(?:\w{1,2}(?:-\w+)+|\w+(?:-\w+)*-\w{1,2}"
                  r"|[A-Za-z] = [\d.,]*\d|[A-Z] × [A-Z]|\d{4} to \d{4}|\d[\d:]*-\d[\d:]*)(?![\w:-])")
LONGEST = 24  # letters that stay together: on a phone, the width of a line
STYLE = """<style>
.moeviz-table { overflow-x: auto; max-width: 100% }
.moeviz-table table { border-collapse: collapse; font-size: 1em; margin: .3em 0 }
.moeviz-table.moeviz-table :is(th, td) { padding: .25em .8em; text-align: right; vertical-align: baseline;
  font-size: 1rem; font-variant-numeric: tabular-nums; white-space: normal; max-width: 38em;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent) }
.moeviz-table.moeviz-table .word { text-align: left }
.moeviz-table caption { text-align: left; font-weight: 600 }
.moeviz-table.moeviz-table tbody tr { background: none !important }
.moeviz-table tr > :first-child { position: sticky; left: 0; font-weight: 400;
  background: var(--jp-layout-color0, var(--ground, Canvas)) }
.moeviz-table tbody .word:first-child { min-width: 5.5em }
.moeviz-table td.word { min-width: 4em }
.moeviz-table.moeviz-table tr:has(> :nth-child(11)) > * { font-size: .84rem; padding-inline: .4em }
.moeviz-table tbody tr:has(> :nth-child(11)) > .word:first-child { min-width: 7em }
.moeviz-table .whole { white-space: nowrap }
.moeviz-table thead th, .moeviz-table thead tr > :first-child { font-weight: 600 }
@media print { .moeviz-table.moeviz-table :is(th, td) { padding: .15em .6em; font-size: .8rem } }
</style>"""


class Shown(NamedTuple):
    """Something to read: a text for terminals, and the same as HTML for notebooks and pages."""

    text: str
    html: str

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        return self.html


def as_text(value, digits=4):
    """Write any value briefly: numbers with so many digits, lists by commas, None and NaN as nothing.

    Five places or more are set apart by commas, and a number that only rounding keeps from 0 is 0.

    >>> as_text(0.123456), as_text(65536), as_text(3.21e-7), as_text([1.5, np.float64(2)]), as_text(None)
    ('0.1235', '65,536', '3.21×10⁻⁷', '1.5, 2.0', '')
    >>> as_text({"first": 2, "second": -1e-17}), as_text(1571.3, 3), as_text(np.True_)
    ('first 2, second 0', '1571', 'yes')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, Mapping):
        texts = _alike(list(value.values()), digits)
        return ", ".join(f"{as_text(name)} {text}" for name, text in zip(value, texts, strict=True))
    if isinstance(value, (list, tuple)) or np.ndim(value):
        return ", ".join(_alike(value, digits))
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return _number(value, digits) if isinstance(value, numbers.Real) else str(value)


def _alike(values, digits):
    """Write several values of one quantity, all numbers with a point with as many decimals."""
    texts = [as_text(value, digits) for value in values]
    broken = [value for value, text in zip(values, texts, strict=True) if _has_point(value, text)]
    if not all(DECIMAL.fullmatch(text) for value, text in zip(values, texts, strict=True)
               if isinstance(value, (float, np.floating)) and text):
        return texts
    return [_fixed(value, decimals_of(broken, digits)) if _has_point(value, text) else text
            for value, text in zip(values, texts, strict=True)]


def _has_point(value, text):
    return isinstance(value, (float, np.floating)) and bool(DECIMAL.fullmatch(text))


def _fixed(value, decimals):
    """Write a number with so many decimals, and what is closer to 0 than rounding as 0."""
    return f"{value if abs(value) >= NOTHING else 0:.{decimals}f}"


def decimals_of(values, digits=4):
    """Return how many decimals numbers of one quantity have, so that the largest has so many digits.

    No more than the longest of them needs, and enough for the smallest that is not lost beside the largest.

    >>> decimals_of([2.3333, 0.28577]), decimals_of([0.5, 0.25]), decimals_of([57.9339, 0.1311, 0.0003])
    (3, 2, 2)
    """
    sizes = np.abs(np.asarray([value for value in values if math.isfinite(value)], float))
    sizes = sizes[sizes >= NOTHING]
    if not len(sizes):
        return 0
    texts = [_number(size, digits) for size in sizes.tolist()]
    longest = max(len(text.partition(".")[2]) for text in texts)
    seen = sizes[sizes >= sizes.max() / SEEN_BESIDE]
    return max(0, min(longest, MOST_DECIMALS, max(digits - 1 - math.floor(math.log10(sizes.max())),
                                                   -math.floor(math.log10(seen.min())))))


def _number(value, digits):
    size = abs(value)
    if math.isnan(value):
        return ""
    if size < NOTHING:
        return "0"
    if isinstance(value, numbers.Integral) or (1e4 <= size < 1e12 and float(value).is_integer()):
        return f"{value:,.0f}" if size >= 1e4 else f"{value:.0f}"
    if size >= 1e7 or size < 1e-4:
        return as_power(value, digits)
    if size >= 1e4:
        return f"{value:,.0f}"
    digits = max(digits, len(f"{size:.0f}"))
    text = f"{value:.{digits}g}"
    exact = abs(float(text) - value) <= max(NOTHING, ROUNDING * size)
    return text if exact else f"{value:#.{digits}g}".rstrip(".")  # zeros of a rounded number are digits too


def with_minus(text):
    """Return a text with a minus sign before each number below 0, as pictures, pages and notebooks show it.

    In terminals and in code it stays the hyphen, which Python reads.

    >>> with_minus("from -1.5 to 2, top-2, 3-4, 1e-5"), with_minus("(-0.3)")
    ('from −1.5 to 2, top-2, 3-4, 1e-5', '(−0.3)')
    """
    return HYPHEN.sub("−", text)


def as_range(values, form=None):
    """Write the lowest and the highest of several numbers, or one number where both are written alike.

    >>> as_range([0.14, 0.17]), as_range([2, 2]), as_range([0.501, 0.5], ".2f")
    ('0.14 to 0.17', '2', '0.50')
    >>> as_range([0.7, 0.81])
    '0.70 to 0.81'
    """
    ends = [np.min(values), np.max(values)]
    low, high = _alike(ends, 4) if form is None else [format(end, form) for end in ends]
    return low if low == high else f"{low} to {high}"


def as_power(value, digits=4):
    """Write a number above 0 by its power of ten; between 0.001 and 1000 as it is, where it is a power.

    >>> as_power(4.51e10), as_power(1e13), as_power(1000.0), as_power(0.1)
    ('4.51×10¹⁰', '10¹³', '1000', '0.1')
    """
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa, exponent = f"{float(mantissa):g}", int(exponent)
    if mantissa == "1" and abs(exponent) < 4:
        return f"{value:g}"
    power = f"10{str(exponent).translate(RAISED)}"
    return power if mantissa == "1" else f"{mantissa}×{power}"


def as_tick(value, place=None):
    """Write a number as briefly as an axis needs it: thousands as k, millions as M, more by powers of ten.

    A multiple of 1024 below a million counts in steps of 1024. place: of the tick; matplotlib hands it over.

    >>> [as_tick(value) for value in (0.25, 64, 4096, 32_768, 200_000, 10**7, 1e13, 1e-4)]
    ['0.25', '64', '4096', '32k', '200k', '10M', '10¹³', '10⁻⁴']
    >>> as_tick(-0.5)
    '−0.5'
    """
    if value < -NOTHING:
        return f"−{as_tick(-value)}"
    size = abs(value)
    if size >= 1e9 or NOTHING < size < 1e-3:
        return as_power(value)
    if size < 1e4:
        return as_text(value)
    if size < 1e6:
        return f"{value / (1024 if value % 1024 == 0 else 1000):.4g}k"
    return f"{value / 1e6:.4g}M"


def as_column(values, digits):
    """Write the values of one column alike: as many decimals each, but four digits of large numbers.

    Up to two decimals more than `digits`, where the smallest needs them. The numbers of lists have as many
    decimals each as the longest of them all.

    >>> as_column([[0.7, 0.79], [6, 1]], 3)
    ['0.70, 0.79', '6.00, 1.00']
    >>> as_column([0.25, 1 / 3, 0.0], 2), as_column([1234.6, 0.5], 3), as_column(["a", 12345], 3)
    (['0.25', '0.33', '0.00'], ['1235', '0.500'], ['a', '12,345'])
    >>> as_column([212.5, 108.0, 79.83], 1), as_column([0.00049, 0.00123], 3)
    (['212.5', '108.0', '79.8'], ['0.0005', '0.0012'])
    """
    values = list(values)
    if any(isinstance(value, (list, tuple)) or np.ndim(value) == 1 for value in values):
        return _lists(values)
    digits = _enough(values, digits)
    return [_cell(value, digits) for value in values]


def as_names(values, digits):
    """Write the values of the column that names the rows: numbers that were typed without further zeros.

    >>> as_names([0.1, 0.25, 1.0], 3), as_names([1 / 3, 0.5], 3), as_names(["a", 2], 3)
    (['0.10', '0.25', '1.00'], ['0.333', '0.500'], ['a', '2'])
    """
    values = list(values)
    typed = all(isinstance(value, numbers.Real) and round(float(value), digits) == value for value in values)
    return _alike(values, 4) if typed else as_column(values, digits)


def _lists(values):
    """Write a column of lists, their numbers with as many decimals each; powers as they are."""
    several = [isinstance(value, (list, tuple)) or np.ndim(value) == 1 for value in values]
    flat = [each for value, many in zip(values, several, strict=True) if many for each in value]
    texts = list(map(as_text, flat))
    if not all(map(DECIMAL.fullmatch, texts)):
        return [as_text(value) for value in values]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [", ".join(_fixed(each, decimals) for each in value) if many else as_text(value)
            for value, many in zip(values, several, strict=True)]


def _enough(values, digits):
    """Return `digits`, or up to two more where the smallest number would be lost without them."""
    sizes = [abs(value) for value in values if isinstance(value, (float, np.floating))]
    lost = [size for size in sizes if NOTHING < size < 0.5 * 10.0**-digits]
    needed = -math.floor(math.log10(min(lost))) if lost else digits
    return needed if needed <= digits + 2 else digits


def _cell(value, digits):
    if not isinstance(value, numbers.Real) or isinstance(value, (numbers.Integral, bool, np.bool_)):
        return as_text(value)
    if 100 <= abs(value) < 1e4:
        digits = min(digits, 3 - int(math.log10(abs(value))))
    elif math.isfinite(value) and (abs(value) >= 1e4 or NOTHING < abs(value) < 0.5 * 10.0**-digits):
        return as_text(value, 4 if abs(value) >= 100 else 2)
    return "" if math.isnan(value) else _fixed(value, digits)


def as_table(title, columns, rows, *, most=MOST_ROWS):
    """Return {"title", "left_out", "columns", "rows"} of texts: all of up to 2 `most` rows and 17 columns.

    Of more rows `most` are kept, of more columns 13, evenly chosen; "left_out" says so in words.

    >>> as_table("load", ["step", "share"], [[step, step / 99] for step in range(100)], most=3)["rows"]
    [['0', '0.000'], ['50', '0.505'], ['99', '1.000']]
    """
    rows = list(rows)
    down = evenly(len(rows), most if len(rows) > ALL_OF * most else len(rows))
    few = MOST_COLUMNS if len(columns) > ALL_COLUMNS else len(columns)
    across = [0, *(evenly(len(columns) - 1, few - 1) + 1)] if len(columns) > 1 else [0]
    cut = [f"{kept} of {count} {what}" for kept, count, what in
           ((len(down), len(rows), "rows"), (len(across) - 1, len(columns) - 1, "columns")) if kept < count]
    left_out = f"{' and '.join(cut)}, evenly chosen" if cut else ""
    texts = [_aligned([rows[row][at] for row in down]) for at in across]
    return {"title": title, "left_out": left_out, "columns": [str(columns[at]) for at in across],
            "rows": [list(row) for row in zip(*texts, strict=True)]}


def _aligned(values):
    return as_one_quantity([values])[0]


def as_one_quantity(rows):
    """Write rows of values that are numbers of one quantity: those with a point with as many decimals each.

    Numbers of 100 and more have four digits; where one is a power of ten, all large ones are.

    >>> as_one_quantity([[92.578, 0.3906], [4, "x"]]), as_one_quantity([[619.366, 7.4149, 0.2241]])
    ([['92.58', '0.39'], ['4', 'x']], [['619.4', '7.415', '0.224']])
    >>> as_one_quantity([[2.5e10, 1.762e12]])
    [['2.5×10¹⁰', '1.762×10¹²']]
    """
    floats = [value for row in rows for value in row
              if isinstance(value, (float, np.floating)) and math.isfinite(value)]
    if any(abs(value) >= 1e7 and not as_text(value)[-1].isdecimal() for value in floats):
        return [[as_power(value) if _is_large(value) else as_text(value) for value in row] for row in rows]
    plain = [value for value in floats if DECIMAL.fullmatch(as_text(value))]
    if not any(abs(value) >= NOTHING for value in plain):  # all are too small for a point
        return [[as_text(value) for value in row] for row in rows]
    digits = 4 if max(map(abs, plain)) >= 1 else 3  # as a claim and a cell of `table` have them
    decimals = min(decimals_of([value for value in plain if abs(value) < 100] or plain, digits), 4)
    return [[_aligned_cell(value, decimals) for value in row] for row in rows]


def _is_large(value):
    return isinstance(value, (float, np.floating)) and 1e4 <= value < math.inf


def _aligned_cell(value, decimals):
    if not isinstance(value, (float, np.floating)) or not abs(value) < 1e4:
        return as_text(value)
    return _fixed(value, min(decimals, 3 - int(math.log10(abs(value)))) if abs(value) >= 100 else decimals)


def evenly(count, most):
    """Return up to `most` of the places 0 to count - 1, evenly chosen, both ends among them.

    >>> evenly(100, 3).tolist(), evenly(2, 3).tolist()
    ([0, 50, 99], [0, 1])
    """
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(int))


def as_lines(table):
    """Return a table as lines of text: words begin at the left, numbers end at the right.

    >>> print(as_lines({"columns": ["expert", "share"], "rows": [["first", "0.25"], ["last", "10.75"]]}))
    expert  share
    first    0.25
    last    10.75
    """
    sides = _sides(table)
    widths = [max(map(len, cells)) for cells in zip(table["columns"], *table["rows"], strict=True)]
    lines = [[text.rjust(width) if side else text.ljust(width)
              for text, width, side in zip(line, widths, sides, strict=True)]
             for line in (table["columns"], *table["rows"])]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def as_html(table):
    """Return a table as HTML that a screen reader can walk through; its title, if any, is the caption.

    >>> as_html({"title": "load", "columns": ["expert", "tokens"], "rows": [["0", "3"]]}).count("scope=")
    3
    """
    title, looks = table.get("title"), ["" if side else ' class="word"' for side in _sides(table)]
    head = "".join(f'<th scope="col"{look}>{whole(_shown(name))}</th>' if name.strip() else "<td></td>"
                   for name, look in zip(table["columns"], looks, strict=True))
    rows = "".join(f'<tr><th scope="row"{looks[0]}>{whole(_shown(name))}</th>'
                   + "".join(f"<td{look}>{whole(_shown(cell))}</td>"
                             for cell, look in zip(cells, looks[1:], strict=True)) + "</tr>\n"
                   for name, *cells in table["rows"])
    name = _shown(title or ", ".join(table["columns"]))
    caption = f"<caption>{name}</caption>" if title else ""
    return (f'{STYLE}<div class="moeviz-table" tabindex="0" role="group" aria-label="Table: {name}"><table>'
            f"{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")


def whole(words, which=TIED):
    """Return words as HTML in which those that no line's end may part keep to one line.

    >>> whole("a top-2 of well-known"), whole("E = 64")
    ('a <span class="whole">top-2</span> of well-known', '<span class="whole">E = 64</span>')
    """
    return which.sub(lambda found: found[0] if len(found[0]) > LONGEST
                     else f'<span class="whole">{found[0]}</span>', words)


def _shown(text):
    return escape(with_minus(text))


def _sides(table):
    """Return for each column whether it holds numbers alone."""
    columns = zip(*table["rows"], strict=True) if table["rows"] else [[]] * len(table["columns"])
    return [any(cells) and all(not cell or NUMBER.fullmatch(cell) for cell in cells) for cells in columns]

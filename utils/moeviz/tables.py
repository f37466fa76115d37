"""Numbers and tables as texts: how many digits, how many rows, and the HTML that readers walk through.

A table is a dictionary {"title", "columns", "rows"} of texts; the first cell of a row names it.
"""

from html import escape

import numpy as np

MOST_ROWS, MOST_COLUMNS = 64, 13  # of a table, names included


def as_table(title, columns, rows, *, most=MOST_ROWS):
    """Return {"title", "columns", "rows"} of texts with at most `most` rows and 13 columns.

    >>> as_table("load", ["step", "share"], [[step, step / 99] for step in range(100)], most=3)["rows"]
    [['0', '0'], ['50', '0.5051'], ['99', '1']]
    """
    rows = list(rows)
    down, across = evenly(len(rows), most), [0, *(evenly(len(columns) - 1, MOST_COLUMNS - 1) + 1)]
    cut = [f"{kept} of {count} {what}" for kept, count, what in
           ((len(down), len(rows), "rows"), (len(across) - 1, len(columns) - 1, "columns")) if kept < count]
    return {"title": title, "left_out": ", ".join(cut), "columns": [str(columns[at]) for at in across],
            "rows": [[as_text(rows[row][at]) for at in across] for row in down]}


def as_text(value):
    """Write a number with four digits, a text as it is, None and NaN as nothing.

    >>> as_text(0.123456), as_text(65536), as_text(3e9), as_text("kept"), as_text(None)
    ('0.1235', '65536', '3e+09', 'kept', '')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value + 0:.4g}"  # + 0: no minus before zero


def evenly(count, most):
    """Return up to `most` of the places 0 to count - 1, evenly chosen, both ends among them.

    >>> evenly(100, 3).tolist(), evenly(2, 3).tolist()
    ([0, 50, 99], [0, 1])
    """
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(int))


def as_html(table):
    """Return a table {"title", "columns", "rows"} as HTML that a screen reader can walk through.

    >>> as_html({"title": "load", "columns": ["expert", "tokens"], "rows": [["0", "3"]]}).count("scope=")
    3
    """
    title = escape(table["title"])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table["columns"])
    rows = "".join(f'<tr><th scope="row">{escape(name)}</th>'
                   + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
                   for name, *cells in table["rows"])
    return (f'<div class="scroll" tabindex="0" role="group" aria-label="Table: {title}"><table>'
            f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")

"""Tables as a plot gives them: numbers to texts, and no more of them than somebody listens to."""

import numpy as np

MOST_ROWS, MOST_COLUMNS = 64, 13  # of a table, names included
MOST_OF_A_MATRIX = 12


def set_table(ax, columns, rows, *, title=None):
    """Attach a table to an axes, for `tables_of` to find; return the axes.

    columns: N headings. rows: lists of N texts or numbers, the first of which names the row; None and NaN
    become empty cells. Of more than 64 rows or 13 columns as many are kept, evenly chosen, and the title
    says so. title: the one of the axes by default.

    >>> import matplotlib.pyplot as plt
    >>> ax = set_table(plt.subplots()[1], ["expert", "tokens"], [[0, 3], [1, 5]])
    >>> ax.moeviz_table["rows"]
    [['0', '3'], ['1', '5']]
    """
    ax.moeviz_table = as_table(title, columns, rows)
    return ax


def set_matrix(ax, values, *, rows, columns, title=None):
    """Attach a matrix (R, N) to an axes as a table of at most 12 by 12 cells, evenly chosen.

    values: numbers or texts. rows, columns: (what they are, R or N names), such as ("token", [0, 1, 2]).

    >>> import matplotlib.pyplot as plt
    >>> ax = set_matrix(plt.subplots()[1], [[0.5, 0.25]], rows=("token", "a"), columns=("slot", range(2)))
    >>> ax.moeviz_table["columns"], ax.moeviz_table["rows"]
    (['token', 'slot 0', 'slot 1'], [['a', '0.5', '0.25']])
    """
    headings = [rows[0], *(f"{columns[0]} {name}".strip() for name in columns[1])]
    body = [[name, *line] for name, line in zip(rows[1], values, strict=True)]
    ax.moeviz_table = as_table(title, headings, body, most=MOST_OF_A_MATRIX)
    return ax


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

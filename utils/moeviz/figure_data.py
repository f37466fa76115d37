"""The numbers behind a figure as tables, read from what was drawn: for readers who cannot see the picture."""

import numpy as np
from matplotlib.container import BarContainer

MAX_POINTS = 12  # of one line


def tables_of(figure):
    """Return a table {"title", "columns", "rows"} for each axes with bars or named lines; cells are texts.

    A line of many points gives up to 12 of them, evenly chosen. Text pictures and diagrams give no table.
    Names of bars are known once the figure has been drawn.

    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> ax.plot([0, 1], [2, 3], label="loss") and tables_of(ax.figure)[0]["rows"]
    [['loss', '0', '2'], ['loss', '1', '3']]
    """
    return [_table(ax, rows) for ax in figure.axes if (rows := _bars(ax) or _lines(ax))]


def _table(ax, rows):
    across, up = ax.get_xlabel() or "x", ax.get_ylabel() or "value"
    pair = [ax.get_ylabel() or "name", across] if _sideways(ax) else [across, up]
    first = 0 if any(series for series, _, _ in rows) else 1  # a column of nothing says nothing
    return {"title": ax.get_title(loc="left") or ax.get_title() or pair[1],
            "columns": ["series", *pair][first:], "rows": [row[first:] for row in rows]}


def _bars(ax):
    """Return [series, name, value] for each bar; none where several series carry no name."""
    groups = [each for each in ax.containers if isinstance(each, BarContainer)]
    unnamed = [each for each in groups if each.get_label().startswith("_")]
    if len(unnamed) > 1:
        return []
    axis = ax.yaxis if _sideways(ax) else ax.xaxis
    names = {round(place, 6): label.get_text() for place, label in
             zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)}
    return [[_name(group), *_bar(bar, names, _sideways(ax))] for group in groups for bar in group]


def _bar(bar, names, sideways):
    middle = bar.get_y() + bar.get_height() / 2 if sideways else bar.get_x() + bar.get_width() / 2
    name = names.get(round(middle, 6)) or f"{middle:.4g}"
    return [name, f"{bar.get_width() if sideways else bar.get_height():.4g}"]


def _sideways(ax):
    return any(getattr(group, "orientation", None) == "horizontal" for group in ax.containers)


def _name(artist):
    return "" if artist.get_label().startswith("_") else artist.get_label()


def _lines(ax):
    """Return [series, x, y] for points of each named line."""
    rows = []
    for line in ax.get_lines():
        points = np.column_stack(line.get_data()) if _name(line) else []
        if len(points) > 1:
            chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), MAX_POINTS)).astype(int))
            rows += [[_name(line), f"{x:.4g}", f"{y:.4g}"] for x, y in points[chosen]]
    return rows

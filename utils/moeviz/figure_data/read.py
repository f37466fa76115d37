"""Tables of a figure: those that its plots attached, and others read from bars and named lines."""

import numpy as np
from matplotlib.container import BarContainer

from moeviz.figure_data.attach import as_table, evenly

MOST_POINTS = 12  # of one line


def tables_of(figure):
    """Return a table for each axes that has one attached, or else bars or named lines; cells are texts.

    A line of many points gives up to 12 of them, evenly chosen. Diagrams without numbers give no table.
    Names of bars are known once the figure has been drawn.

    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> ax.plot([0, 1], [2, 3], label="loss") and tables_of(ax.figure)[0]["rows"]
    [['0', '2'], ['1', '3']]
    """
    return [_named(ax, table) for ax in figure.axes
            if (table := getattr(ax, "moeviz_table", None) or _bars(ax) or _lines(ax))]


def _named(ax, table):
    """Return the table under its own title or that of the axes, with what was left out."""
    title = table["title"] or _title(ax) or ax.get_ylabel() or ax.get_xlabel() or "numbers of the figure"
    left_out = f" ({table['left_out']})" if table["left_out"] else ""
    return {"title": title + left_out, "columns": table["columns"], "rows": table["rows"]}


def _title(ax):
    return ax.get_title(loc="left") or ax.get_title()


def _bars(ax):
    """Return the table of all bars; None where there are none, or several series carry no name."""
    groups = [each for each in ax.containers if isinstance(each, BarContainer)]
    series = [_name(group) for group in groups]
    if not groups or series.count("") > 1:
        return None
    sideways = groups[0].orientation == "horizontal"
    axis = ax.yaxis if sideways else ax.xaxis
    names = {round(place, 6): label.get_text() for place, label in
             zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)}
    rows = [[name or "unnamed", *_bar(bar, names, sideways)]
            for name, group in zip(series, groups, strict=True) for bar in group]
    across, up = ax.get_xlabel(), ax.get_ylabel()
    pair = [up or "name", across or "value"] if sideways else [across or "x", up or "value"]
    first = 0 if any(series) else 1  # a column of nothing says nothing
    return as_table(None, ["series", *pair][first:], [row[first:] for row in rows])


def _bar(bar, names, sideways):
    middle = bar.get_y() + bar.get_height() / 2 if sideways else bar.get_x() + bar.get_width() / 2
    return [names.get(round(middle, 6)) or middle, bar.get_width() if sideways else bar.get_height()]


def _name(artist):
    return "" if artist.get_label().startswith("_") else artist.get_label()


def _lines(ax):
    """Return the table of all named lines: a column each over the same x, or else a row per point."""
    lines = {_name(line): np.column_stack(line.get_data(orig=False)) for line in ax.get_lines()}
    lines = {name: points for name, points in lines.items() if name and len(points) > 1}
    if not lines:
        return None
    across, up = ax.get_xlabel() or "x", ax.get_ylabel() or "value"
    shared = next(iter(lines.values()))[:, 0]
    if all(np.array_equal(points[:, 0], shared) for points in lines.values()):
        rows = np.column_stack([shared, *(points[:, 1] for points in lines.values())])
        title = ": ".join(dict.fromkeys(filter(None, [_title(ax), up])))
        return as_table(title, [across, *lines], rows, most=MOST_POINTS)
    rows = [[name, *point] for name, points in lines.items()
            for point in points[evenly(len(points), MOST_POINTS)]]
    return as_table(None, ["series", across, up], rows)

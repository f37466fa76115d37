"""Any matrix as a heatmap: dispatch and combine of Soft MoE, expert by byte class, a table of orders."""

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.figure_data import set_matrix
from moeviz.plots.inputs import check_labels
from moeviz.style import MONO, axes_or_new, ink_on, set_description

MAX_NUMBERED_CELLS, MAX_NUMBERED_COLUMNS, MAX_NAMES = 144, 14, 40


def plot_matrix(matrix, *, row_label, column_label, row_names=None, column_names=None, title="",
                value_format="{:.2f}", value_label="", limits=None, ax=None):
    """Draw a matrix as a heatmap in cividis; up to 144 cells have their value printed, more get a colour bar.

    matrix: (R, N). row_label, column_label: what the axes count, with units. row_names, column_names:
    R and N texts or None for the numbers. value_label: what the colour bar counts. limits: (low, high)
    of the colours; None means from 0 (or the lowest value) to the highest. Returns the Axes.
    Raises ValueError naming the wrong argument.

    >>> ax = plot_matrix([[0.25, 0.75]], row_label="token", column_label="slot")
    >>> [text.get_text() for text in ax.texts]
    ['0.25', '0.75']
    """
    matrix = check_matrix(matrix, "matrix", "(R, N)")
    low, high = _check_limits(limits, matrix)
    row_names = check_labels(row_names, matrix.shape[0], "row_names")
    column_names = check_labels(column_names, matrix.shape[1], "column_names")
    numbered = matrix.size <= MAX_NUMBERED_CELLS and matrix.shape[1] <= MAX_NUMBERED_COLUMNS
    ax = axes_or_new(ax, _figure_size(*matrix.shape, numbered))
    mesh = ax.pcolormesh(matrix, cmap="cividis", vmin=low, vmax=high, edgecolors="white",
                         linewidth=2 if numbered else 0)
    if numbered:
        _print_values(ax, matrix, mesh, value_format)
    else:
        ax.figure.colorbar(mesh, ax=ax, label=value_label).outline.set_visible(False)
    _name(ax.set_xticks, column_names)
    _name(ax.set_yticks, row_names)
    ax.set(xlabel=column_label, ylabel=row_label, title=title, ylim=(len(matrix), 0))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    set_matrix(ax, matrix, rows=(row_label, row_names), columns=(column_label, column_names))
    return set_description(ax, _describe(matrix, row_names, column_names, (row_label, column_label), title))


def _figure_size(rows, columns, numbered):
    if numbered:
        return max(0.95 * columns + 2.2, 5), max(0.55 * rows + 1.7, 3)
    return np.clip(0.2 * columns + 3, 7, 13), np.clip(0.2 * rows + 2, 4, 8)


def _check_limits(limits, matrix):
    low, high = (min(matrix.min(), 0.0), matrix.max()) if limits is None else map(float, limits)
    if limits is not None and not low < high:
        raise ValueError(f"limits must be (low, high) with low < high, got {limits}")
    return low, high if high > low else low + 1.0


def _print_values(ax, matrix, mesh, value_format):
    colors = mesh.to_rgba(matrix)
    for (row, column), value in np.ndenumerate(matrix):
        ax.text(column + 0.5, row + 0.5, value_format.format(value), ha="center", va="center", fontsize=14,
                color=ink_on(colors[row, column]))


def _name(set_ticks, names):
    every = -(-len(names) // MAX_NAMES)
    family = {"family": MONO} if max(map(len, names)) == 1 and not "".join(names).isdigit() else {}
    set_ticks(np.arange(0, len(names), every) + 0.5, names[::every], parse_math=False, **family)


def _describe(matrix, row_names, column_names, labels, title):
    def place(at):
        row, column = np.unravel_index(at, matrix.shape)
        where = f"{labels[0]} {row_names[row]}, {labels[1]} {column_names[column]}"
        return f"{matrix[row, column]:.3g} at {where}"
    rows, columns = matrix.shape
    return (f"Heatmap, {title or 'matrix'}: {rows} rows ({labels[0]}) by {columns} columns ({labels[1]}); "
            f"largest {place(matrix.argmax())}, smallest {place(matrix.argmin())}.")

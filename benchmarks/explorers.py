"""Time the redraw of every explorer against bare matplotlib figures, and print one Markdown table.

    python benchmarks/explorers.py [NAME...]

A redraw is all that follows a move of a control: computing, drawing, the PNG and its alt text. Two things
are timed beside it, in turn in one process, as processor time: a bare figure of the same size with as many
empty panels, and matplotlib drawing the explorer's finished figure once more. The first says what a picture
costs that shows nothing, the second what matplotlib needs for what this one shows: at most WANTED times
that is wanted, so that what the course adds to matplotlib is less than half of it.
"""

import os
import pathlib
import platform
import sys
import warnings
from contextlib import ExitStack
from functools import partial
from statistics import median
from time import process_time
from unittest import mock

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is imported
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

import explorer_cells
from moeviz import style, widgets

WANTED, ROUNDS = 1.5, 9


def redraws(names):
    """Return {name: draw}, where draw() draws an explorer's picture at its defaults and returns its Axes."""
    modules = [module for name, module in sys.modules.items()
               if name.startswith("moeviz.widgets.") and hasattr(module, "explore")]
    kept, space = {}, {}

    def keep(redraw, *, caption, film=None, **controls):
        kept[name] = partial(redraw, **{key: control.value for key, control in controls.items()})

    exec(explorer_cells.SETUP, space)
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(mock.patch.object(module, "explore", keep))
        for name in names:
            exec(explorer_cells.CELLS[name], space)
    return kept


def bare(figure):
    """Return a function that draws a new figure of the same size with as many empty panels."""
    layout = "constrained" if figure.get_layout_engine() else "none"
    rows, columns = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()

    def draw():
        axes = plt.subplots(rows, columns, figsize=figure.get_size_inches(), layout=layout)[1]
        style.set_description(np.ravel(axes)[0], "Nothing.")
        return axes

    return draw


def measure(draw):
    """Return the milliseconds of a redraw, of a bare figure, and of drawing the finished figure once more."""
    figure = np.ravel(draw())[0].figure
    plt.close(figure)
    return time_in_turn([draw, bare(figure), lambda: figure.axes])


def time_in_turn(draws):
    """Return the median processor time of showing each picture, in milliseconds, from rounds in turn."""
    times = [[] for _ in draws]
    for _ in range(ROUNDS):
        for draw, taken in zip(draws, times, strict=True):
            start = process_time()
            widgets.core.show(draw, {})
            taken.append(1000 * (process_time() - start))
    return [median(taken) for taken in times]


def main(names):
    """Print the table for the explorers that the command line names, or for all."""
    mpl.use("agg")
    warnings.filterwarnings("ignore", "constrained_layout not applied")  # empty panels where text cells stood
    widgets.core.display = lambda picture: None
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, matplotlib {mpl.__version__}\n")
    print(f"| Explorer | redraw, ms | bare, ms | Ratio | again, ms | Ratio, <= {WANTED} |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, draw in redraws(names or list(explorer_cells.CELLS)).items():
        whole, empty, again = measure(draw)
        print(f"| {name} | {whole:.0f} | {empty:.0f} | {whole / empty:.2f} | {again:.0f} "
              f"| {whole / again:.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

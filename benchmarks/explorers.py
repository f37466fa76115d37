"""Time the redraw of every explorer against bare matplotlib figures, and print one Markdown table.

    python -m benchmarks.explorers [NAME...]

A redraw is all that follows a move of a control: computing, drawing, the PNG and its alt text. What an
explorer keeps from earlier choices (trained layers, scored routers) is not computed again. Timed beside it,
in turn in one process, as processor time:

- bare: what anyone needs to type for matplotlib to draw a figure of this size with as many panels, each with
  one line from (0, 0) to (1, 1), a title and names of its axes, with the ticks that matplotlib chooses, in
  the classroom style but without its search for a layout; matplotlib writes the PNG. At most WANTED times
  that is wanted.
- empty: the same panels without line, title and names, shown as an explorer shows its picture.
- cell: the bare figure as a notebook shows one, cut to its contents, which draws it twice.
- again: the explorer's finished figure, drawn and shown once more.
"""

import os
import platform
import sys
from functools import partial
from io import BytesIO
from time import process_time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when NumPy is imported

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from IPython.core.pylabtools import print_figure

from moeviz import style, widgets
from tools import explorers

WANTED, ROUNDS = 1.5, 9
BESIDE = ("bare", "empty", "cell", "again")


def panels(figure, dressed):
    """Return the panels of a new figure of the same size, with or without a line, a title and names."""
    rows, columns = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    axes = plt.subplots(rows, columns, figsize=figure.get_size_inches(), layout="none", squeeze=False)[1]
    for ax in axes.flat if dressed else ():
        ax.plot([0, 1], [0, 1])
        ax.set(title="A bare figure", xlabel="across", ylabel="up")
    style.set_description(axes[0, 0], "Nothing.")
    return axes


def write(write_png, figure):
    """Draw the bare figure, let `write_png(figure)` write it, close it."""
    bare = panels(figure, dressed=True)[0, 0].figure
    write_png(bare)
    plt.close(bare)


def measure(draw):
    """Return the milliseconds of a redraw and the figures BESIDE it (5,), and the ratios to those (4,).

    Medians over rounds; a ratio is taken within each round, so that a machine whose speed drifts tells
    little of it.
    """
    figure = np.ravel(draw())[0].figure
    plt.close(figure)
    show = widgets.core.show
    tasks = [partial(show, draw, {}),
             partial(write, lambda bare: bare.savefig(BytesIO(), dpi=bare.dpi), figure),
             partial(show, partial(panels, figure, dressed=False), {}),
             partial(write, partial(print_figure, base64=True), figure),
             partial(show, lambda: figure.axes, {})]
    times = np.array([[seconds(task) for task in tasks] for _ in range(ROUNDS)])
    return 1000 * np.median(times, axis=0), np.median(times[:, :1] / times[:, 1:], axis=0)


def seconds(task):
    """Return the processor time of a task."""
    start = process_time()
    task()
    return process_time() - start


def main(names):
    """Print the table for the explorers that the command line names, or for all."""
    mpl.use("agg")
    widgets.core.display = lambda picture: None
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, matplotlib {mpl.__version__}\n")
    print("| Explorer | redraw, ms | " + " | ".join(f"{name}, ms | ratio" for name in BESIDE) + " |")
    print("|---|--:|" + "--:|--:|" * len(BESIDE))
    for name, (redraw, controls) in explorers.handed_over().items():
        if name in (names or explorers.CELLS):
            draw = partial(redraw, **{key: control.value for key, control in controls.items()})
            (mine, *others), ratios = measure(draw)
            print(f"| {name} | {mine:.0f} | " + " | ".join(
                f"{other:.0f} | {ratio:.2f}" for other, ratio in zip(others, ratios, strict=True)) + " |",
                flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Every explorer has a cell, which the tests in a browser and the benchmarks run."""

import re

from moeviz import widgets
from tools import explorers, notebooks

NAMES = set(explorers.CELLS)


def test_every_explorer_of_the_package_is_tried():
    exported = {name.removeprefix("explore_") for name in widgets.__all__ if name.startswith("explore_")}
    assert exported == NAMES
    assert all(f"widgets.explore_{name}(" in cell for name, cell in explorers.CELLS.items())


def test_every_explorer_of_the_notebooks_is_tried():
    used = {name for path in notebooks.paths() for cell in notebooks.code_cells(notebooks.load(path))
            for name in re.findall(r"widgets\.explore_(\w+)\(", cell.source)}
    assert used <= NAMES

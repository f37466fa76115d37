"""One run of each notebook for all who need it: the tests, as shipped and solved, and the pages of the site.

A run goes through the notebook as shipped and then, in the same kernel, through its solutions and all cells
that use them. Runs are kept in build/runs under a hash of everything that they depend on. Whoever comes
second waits.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
import os
import re
import sys
import time

import nbformat
from nbformat.v4 import new_code_cell

from tools import notebooks

RUNS = notebooks.ROOT / "build" / "runs"
PACKAGE = notebooks.ROOT / "utils" / "moeviz"
LONGEST = 900  # seconds; an older lock was left behind by a run that was killed
EDITION = notebooks.ROOT / "tools" / "site" / "edition.py"
STARTUP = "from tools.site import edition\nedition.install()\ndel edition"
CLOCK = "import time\nprint(time.process_time())"


def executed(path, runs=RUNS):
    """Return the notebook after a run as shipped, in the edition for pages.

    `metadata.seconds` is the kernel's processor time up to there: other programs do not slow it down.
    `metadata.solved` holds what came after: {function: what its solution and the cells that use it wrote}.
    The first error of the notebook as shipped raises; errors of solutions are part of what they wrote.
    """
    notebook = notebooks.load(path)
    file = runs / f"{path.stem}-{fingerprint(notebook)}.ipynb"
    runs.mkdir(parents=True, exist_ok=True)
    with locked(file.with_suffix(".lock")):
        if not file.is_file():
            for old in runs.glob(f"{path.stem}-*.ipynb"):
                old.unlink()
            _write(timed_run(notebook, **for_pages()), file)
        return nbformat.read(file, as_version=4)


def for_pages():
    """Return options of `notebooks.execute` for the edition for pages, whose figures carry their forms."""
    places = os.pathsep.join([str(notebooks.ROOT), os.environ.get("PYTHONPATH", "")])
    return {"startup": STARTUP, "MOEVIZ_EDITION": "page", "PYTHONPATH": places}


def timed_run(notebook, **options):
    """Return an executed copy with `metadata.seconds` and `.solved`; the cells that gave these are gone.

    options: of `notebooks.execute`.
    """
    functions = {notebooks.stub_function(task.stub).name: task for task in notebooks.tasks(notebook)}
    solutions = {name: solved_cells(notebook, name, task) for name, task in functions.items()}
    added = [new_code_cell(CLOCK), *(cell for cells in solutions.values() for cell in cells)]
    longer = nbformat.from_dict({**notebook, "cells": [*notebook.cells, *added]})
    done = notebooks.execute(longer, **options)
    clock, *rest = done.cells[len(notebook.cells):]
    del done.cells[len(notebook.cells):]
    done.metadata["seconds"], rest = float(notebooks.printed(clock)), iter(rest)
    done.metadata["solved"] = {name: "".join(map(written, itertools.islice(rest, len(cells))))
                               for name, cells in solutions.items()}
    return done


def written(cell):
    """Return all that a cell wrote: prints, warnings, what it displayed as text, and its error."""
    return "".join(output.get("text", "") + output.get("data", {}).get("text/plain", "")
                   + "\n".join(output.get("traceback", ())) for output in cell.outputs)


def solved_cells(notebook, function, task):
    """Return cells to run after the notebook: the solution of an exercise and every cell that uses it."""
    users = [cell.source for cell in notebooks.code_cells(notebook)
             if re.search(rf"\b{function}\b", cell.source) and cell.source != task.stub]
    return [new_code_cell(source, metadata={"tags": ["raises-exception"]})
            for source in (task.solution, *users)]


def fingerprint(notebook):
    """Return a hash of the notebook's cells, the package and the versions that a run depends on."""
    cells = "\0".join(f"{cell.cell_type}{notebooks.tags(cell)}{cell.source}" for cell in notebook.cells)
    return hashlib.sha256(cells.encode() + _surroundings()).hexdigest()[:16]


@functools.cache
def _surroundings():
    files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    versions = [importlib.metadata.version(name) for name in ("numpy", "matplotlib", "ipywidgets", "pillow")]
    contents = [path.read_bytes() for path in (EDITION, *files)]
    return b"\0".join([sys.version.encode(), *map(str.encode, versions), *contents])


@contextlib.contextmanager
def locked(lock):
    """Hold a lock file; wait while somebody else does."""
    while True:
        try:
            with open(lock, "x", encoding="ascii") as file:
                file.write(str(os.getpid()))
            break
        except (FileExistsError, PermissionError):  # on Windows also while the file is being deleted
            with contextlib.suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > LONGEST or _is_left_behind(lock):
                    lock.unlink()
            time.sleep(0.1)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _is_left_behind(lock):
    """Tell whether the process that holds a lock is gone; unknown, and so no, on Windows."""
    holder = lock.read_text(encoding="ascii")
    if os.name == "nt" or not holder:  # there a signal of 0 would end it; an empty lock is just being made
        return False
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is somebody else's, and there
    return False


def _write(notebook, file):
    """Write in one step, so that nobody reads half a file."""
    part = file.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(file)

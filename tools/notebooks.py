"""Read, run, solve and tidy notebooks.

    python -m tools.notebooks strip NOTEBOOK...      remove outputs, except in cells tagged keep_output
    python -m tools.notebooks refresh NOTEBOOK...    run, then store the outputs of those cells

An exercise is a code cell tagged "exercise" that holds nothing but a stub `def my_x(...): ...`, a later code
cell that calls `check.x(my_x)`, and folded markdown below: `<summary>Hint 1</summary>`,
`<summary>Hint 2</summary>` and `<summary>Solution</summary>` with a python fence.
The notebook is the only place where the solution stands.
"""

import ast
import asyncio
import copy
import math
import os
import pathlib
import queue
import re
import statistics
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import nbformat

from moeviz.environment import THREAD_SETTINGS, run_command

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
ELSEWHERE = "# No moeviz? Run `python start.py`; in Colab, clone the project and `%pip install` it."
KEEP, EXERCISE = "keep_output", "exercise"
METADATA = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}
INLINE = "module://matplotlib_inline.backend_inline"  # figures in outputs, where others would show none
ONE_THREAD = dict.fromkeys(THREAD_SETTINGS, "1")
PLANNED = re.compile(r" · (\d+) min$")  # what a section's heading plans
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.DOTALL | re.MULTILINE)
_DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)


class Task(NamedTuple):
    """One exercise as a notebook holds it."""

    name: str  # x in check.x
    stub: str  # source of the stub cell
    cell: int  # position of the stub cell
    hints: int
    solution: str  # source of the folded solution; "" where there is none


def paths():
    """Return the course's notebooks in teaching order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def load(path):
    """Read a notebook, and fail where it is not a valid one."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def save(notebook, path):
    """Write a notebook with a newline at its end."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    pathlib.Path(path).write_text(text, encoding="utf-8", newline="\n")


def code_cells(notebook):
    """Return the code cells in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown_cells(notebook):
    """Return the markdown cells in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def num_lines(source):
    """Count the lines of a cell that hold something; what to do without moeviz is none of the lesson."""
    return sum(1 for line in source.splitlines() if line.strip() and line != ELSEWHERE)


def median_lines(notebook):
    """Return the median length of the code cells."""
    return statistics.median([num_lines(cell.source) for cell in code_cells(notebook)] or [0])


def parse(source):
    """Parse a cell's code; lines of IPython's own (% and !) count as comments."""
    return ast.parse(re.sub(r"^(\s*)[%!]", r"\1pass  # ", source, flags=re.MULTILINE))


def folded(cells):
    """Return (summary, text) of every <details> block of the markdown cells."""
    return [block for cell in cells if cell.cell_type == "markdown"
            for block in _DETAILS.findall(cell.source)]


def fences(text):
    """Return the contents of the code fences of Python."""
    return [body.rstrip("\n") for name, body in _FENCE.findall(text) if name == "python"]


def without_fences(text):
    """Return markdown without its code fences."""
    return _FENCE.sub("", text)


def stub_function(source):
    """Return the FunctionDef of a stub cell; ValueError where the cell holds anything else."""
    body = parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef) or not body[0].name.startswith("my_"):
        raise ValueError("an exercise cell holds one function `def my_x(...)` and nothing else")
    steps = body[0].body[1:] if ast.get_docstring(body[0]) else body[0].body
    if any(not _is_empty_step(step) for step in steps):
        raise ValueError(f"the stub {body[0].name} already does something")
    return body[0]


def _is_empty_step(step):
    return isinstance(step, ast.Pass) or ast.unparse(step) == "..."


def checked_name(notebook, function, start):
    """Return x of the first `check.x(function)` in a code cell after `start`, else None."""
    for cell in notebook.cells[start + 1:]:
        match = cell.cell_type == "code" and re.search(rf"\bcheck\.(\w+)\({function}\)", cell.source)
        if match:
            return match[1]
    return None


def tasks(notebook):
    """Return the exercises of a notebook in order."""
    starts = [place for place, cell in enumerate(notebook.cells)
              if cell.cell_type == "code" and EXERCISE in tags(cell)]
    return [_task(notebook, start, end) for start, end in zip(starts, [*starts, None][1:], strict=True)]


def _task(notebook, start, end):
    source = notebook.cells[start].source
    function = stub_function(source).name
    blocks = folded(notebook.cells[start:end])
    hints = sum(1 for summary, _ in blocks if re.fullmatch(r"Hint \d", summary.strip()))
    solutions = [code for summary, text in blocks if summary.strip() == "Solution" for code in fences(text)]
    solution = next((code for code in solutions if f"def {function}(" in code), "")
    return Task(checked_name(notebook, function, start), source, start, hints, solution)


def fill_solutions(notebook):
    """Return a copy with every stub replaced by its folded solution."""
    solved = copy.deepcopy(notebook)
    for task in tasks(notebook):
        solved.cells[task.cell].source = task.solution
    return solved


def strip(notebook):
    """Return a copy without outputs, counts and foreign metadata, but for cells tagged keep_output."""
    clean = copy.deepcopy(notebook)
    clean.metadata = nbformat.from_dict(METADATA)
    for cell in clean.cells:
        cell.metadata = nbformat.from_dict({"tags": list(tags(cell))} if tags(cell) else {})
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [_tidy(output) for output in cell.outputs] if KEEP in tags(cell) else []
    return clean


def _tidy(output):
    tidy = copy.deepcopy(output)
    if "execution_count" in tidy:
        tidy["execution_count"] = None
    if "metadata" in tidy:
        tidy["metadata"] = {kind: {"alt": about["alt"]} for kind, about in tidy["metadata"].items()
                            if isinstance(about, dict) and "alt" in about}
    if "image/png" in tidy.get("data", {}):  # the same picture a second time, with its alt text
        tidy["data"].pop("text/html", None)
    return tidy


def execute(notebook, timeout=120, startup="", **variables):
    """Return an executed copy: a fresh kernel in notebooks/, one BLAS thread; the first error raises.

    startup: code that the kernel runs before. variables: more of its environment.
    """
    from nbclient import NotebookClient

    done = copy.deepcopy(notebook)
    with tempfile.TemporaryDirectory() as home, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the machinery's own; the kernel's appear in the outputs
        first = pathlib.Path(home, "profile_default", "startup", "first.py")
        first.parent.mkdir(parents=True)
        first.write_text(startup, encoding="utf-8")
        client = NotebookClient(done, timeout=timeout, kernel_name="python3",
                                extra_arguments=["--log-level=40"],
                                shutdown_kernel="immediate",  # it has nothing to tidy, and tidies for long
                                resources={"metadata": {"path": str(NOTEBOOKS)}})
        client.on_notebook_start = lambda notebook: ask_often(client.kc.shell_channel)
        run = client.async_execute(env={**os.environ, **ONE_THREAD, "IPYTHONDIR": home, "MPLBACKEND": INLINE,
                                        "MOEVIZ_PROGRESS": "off", **variables})
        with ThreadPoolExecutor(1) as pool:  # nbclient's own way leaves event loops open
            pool.submit(asyncio.run, run).result()
    return done


def ask_often(channel, step=1.0):
    """Let `channel.get_msg` look for an answer each `step` seconds, not only when it is told of one.

    nbclient sends the state of widgets over the socket on which it waits, and so what wakes it may be
    lost: it then sat out its whole timeout with the answer at the door (jupyter/nbclient, issue 312).
    """
    get_once = channel.get_msg

    async def get_msg(timeout=None):
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            try:
                return await get_once(timeout=max(0.0, min(step, end - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= end:
                    raise

    channel.get_msg = get_msg


def printed(cell):
    """Return what a cell wrote to standard output."""
    return "".join(output.text for output in cell.outputs
                   if output.output_type == "stream" and output.name == "stdout")


def complaints(notebook):
    """Return everything that went to standard error: warnings above all."""
    return [f"{cell.source.splitlines()[0]}: {output.text}" for cell in code_cells(notebook)
            for output in cell.outputs if output.output_type == "stream" and output.name == "stderr"]


def main(arguments):
    """Strip or refresh the notebooks that the command line names."""
    if len(arguments) < 2 or arguments[0] not in ("strip", "refresh"):
        print(__doc__)
        return 2
    for path in arguments[1:]:
        notebook = load(path)
        save(strip(execute(notebook) if arguments[0] == "refresh" else notebook), path)
        print(f"{arguments[0]}: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

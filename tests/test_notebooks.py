"""Every notebook runs as shipped and with its solutions, quietly and in time; the harness sees what fails."""

import asyncio
import queue
import re
import time

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cases import cases
from tools import notebooks, runs

SECONDS = 30
FILM_SECONDS = 15  # for drawing the frames of a notebook's filmstrips
MOST_PIXELS = 1000
ODD = re.compile(r"\d\.?\d*e[+-]\d+|(?<![\w.])[-−]0\.0+(?!\d)")  # such as 8.05e+11, -0.00
NO_NUMBER = set()  # titles that need none
SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
WARNS = "import warnings\nwarnings.warn('beware')\n"
RIGHT = "def my_wanted(weights):\n    scores = np.log(weights)\n    return scores - scores[:, :1]"


def exercise_notebook(**solutions):
    """Return a notebook that asks for `wanted` in functions of these names; their solutions may be wrong."""
    cells = [new_code_cell("import numpy as np\nfrom moeviz.exercises import check")]
    for name, solution in solutions.items():
        cells += [new_code_cell(f"def {name}(weights):\n    ...", metadata={"tags": ["exercise"]}),
                  new_code_cell(f"check.wanted({name})"),
                  new_markdown_cell(SOLUTION.format(solution.replace("my_wanted", name)))]
    return new_notebook(metadata=notebooks.METADATA, cells=cells)


def verdicts(done):
    """Return what each exercise's check printed, by the name of the exercise."""
    return {task.name: notebooks.printed(cell) for task in notebooks.tasks(done)
            for cell in notebooks.code_cells(done) if f"check.{task.name}(" in cell.source}


@pytest.mark.notebook
@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_a_notebook_runs_as_shipped_and_with_its_solutions(path):
    done = runs.executed(path)  # filmstrips in the place of explorers: test_browser runs those
    assert done.metadata.seconds <= SECONDS + FILM_SECONDS
    assert notebooks.complaints(done) == []
    assert all("not attempted" in text for text in verdicts(done).values())
    assert {name: text for name, text in done.metadata.solved.items() if not solves(text)} == {}


@pytest.mark.notebook
@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_the_figures_of_a_notebook_keep_what_all_figures_promise(path):
    seen = figures(runs.executed(path))
    assert {cell: look for cell, look in seen.items() if not look or look["smallest"] < 12} == {}
    assert [cell for cell, look in seen.items() if not look["same"]] == []  # a second save gives its pixels
    assert {cell: look["width"] for cell, look in seen.items() if look["width"] > MOST_PIXELS} == {}
    titles = {cell: look["titles"] for cell, look in seen.items() if not all(map(has_number, look["titles"]))}
    assert {cell: each for cell, each in titles.items() if not each or not set(each) <= NO_NUMBER} == {}


@pytest.mark.notebook
@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_no_cell_shows_what_python_calls_its_axes(path):
    assert [cell.source for cell in runs.executed(path).cells for output in cell.get("outputs", ())
            if "<Axes" in output.get("data", {}).get("text/plain", "")] == []


def figures(done):
    """Return {number and last line of a cell: what was seen of its figure}; None of a reader's own figure."""
    return {f"{place}: {cell.source.splitlines()[-1]}": output.metadata["image/png"].get("seen")
            for place, cell in enumerate(done.cells) for output in cell.get("outputs", ())
            if "image/png" in output.get("data", {})}


def has_number(title):
    return any(map(str.isdigit, title))


def solves(text):
    """Tell whether a solution's cells said that it is right and nothing else than checks say."""
    return ": right" in text and not re.search(r"Traceback|Warning", text)


@pytest.mark.notebook
@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_no_number_stands_as_python_writes_it(path):
    cells = {place: ODD.findall(shown(cell)) for place, cell in enumerate(runs.executed(path).cells)}
    assert {place: odd for place, odd in cells.items() if odd} == {}


def shown(cell):
    """Return all words and numbers that a cell shows, those of its figures' descriptions and tables too."""
    said = []
    for output in cell.get("outputs", ()):
        about = output.get("metadata", {}).get("image/png", {})
        said += [output.get("text", ""), about.get("alt", ""), *about.get("seen", {}).get("titles", ()),
                 re.sub("<(style|script).*?</\\1>|<[^>]+>", " ", output.get("data", {}).get("text/html", ""),
                        flags=re.DOTALL)]
        said += [part for table in about.get("tables", ()) for row in table["rows"] for part in row]
    return " ".join(said)


@pytest.mark.notebook
def test_the_clock_counts_work():
    spin = "import time\nwhile time.process_time() < 1.5:\n    pass"
    done = runs.timed_run(new_notebook(cells=[new_code_cell(spin)]))
    assert 1.5 <= done.metadata.seconds < 5
    assert len(done.cells) == 1


@pytest.mark.notebook
def test_a_right_solution_is_right_and_a_wrong_one_is_not():
    shipped = exercise_notebook(my_wanted=RIGHT, my_wrong=RIGHT.replace("[:, :1]", "[0, 0]"),
                                my_broken=RIGHT.replace("np.log", "np.logg"), my_noisy=WARNS + RIGHT)
    done = runs.timed_run(shipped)
    assert "not attempted" in verdicts(done)["wanted"] and len(done.cells) == len(shipped.cells)
    assert [name for name, text in done.metadata.solved.items() if solves(text)] == ["my_wanted"]
    assert list(done.metadata.solved) == ["my_wanted", "my_wrong", "my_broken", "my_noisy"]


def test_every_cell_that_uses_a_solution_runs_with_it_too():
    shipped = exercise_notebook(my_wanted=RIGHT)
    shipped.cells += map(new_code_cell, ["print(my_wanted(1))", "my_wantedes = 2"])
    cells = runs.solved_cells(shipped, "my_wanted", notebooks.tasks(shipped)[0])
    assert [cell.source for cell in cells] == [RIGHT, "check.wanted(my_wanted)", "print(my_wanted(1))"]


@pytest.mark.notebook
class Deaf:
    """A channel on which nobody is told that a message came: only who asks anew finds it."""

    def __init__(self, messages):
        self.messages, self.asked = messages, 0

    async def get_msg(self, timeout=None):
        self.asked += 1
        await asyncio.sleep(timeout)
        if self.asked < 3 or not self.messages:
            raise queue.Empty
        return self.messages.pop()


def test_a_message_that_announced_itself_to_nobody_is_found_soon():
    channel = Deaf(["reply"])
    notebooks.ask_often(channel, step=0.01)
    begun = time.monotonic()
    assert asyncio.run(channel.get_msg(timeout=60)) == "reply" and time.monotonic() - begun < 30
    with pytest.raises(queue.Empty):
        asyncio.run(channel.get_msg(timeout=0.05))


def test_execute_raises_an_error_and_reports_a_warning():
    with pytest.raises(CellExecutionError, match="no such thing"):
        notebooks.execute(new_notebook(cells=[new_code_cell("raise RuntimeError('no such thing')")]))
    noisy = "import os, warnings\nwarnings.warn('beware')\nprint(os.getcwd(), os.environ['OMP_NUM_THREADS'])"
    done = notebooks.execute(new_notebook(cells=[new_code_cell(noisy)]))
    assert "beware" in notebooks.complaints(done)[0]
    assert notebooks.printed(done.cells[0]).strip() == f"{notebooks.NOTEBOOKS} 1"


def test_figures_are_shown_whatever_backend_the_environment_names(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    plot = new_code_cell("import matplotlib.pyplot as plt\nplt.plot(1)")
    done = notebooks.execute(new_notebook(cells=[plot]))
    assert any("image/png" in output.get("data", {}) for output in done.cells[0].outputs)


def test_fill_solutions_changes_the_stub_alone():
    shipped = exercise_notebook(my_wanted=RIGHT)
    filled = notebooks.fill_solutions(shipped)
    expected = [cell.source for cell in shipped.cells]
    expected[1] = RIGHT
    assert [cell.source for cell in filled.cells] == expected


@cases("source", ["def my_x(a):\n    return a", "x = 1", "def my_x():\n    ...\nprint(1)",
                                    "def other():\n    ..."])
def test_a_stub_cell_holds_a_stub_and_nothing_else(source):
    with pytest.raises(ValueError, match=r"stub|exercise cell"):
        notebooks.stub_function(source)


def test_a_stub_may_say_what_it_is_for():
    assert notebooks.stub_function('def my_x(a):  # (T,)\n    """Count."""\n    ...').name == "my_x"


def test_strip_keeps_the_tagged_outputs_alone(tmp_path):
    output = new_output("execute_result", {"text/plain": "1"}, execution_count=3, metadata={"x": 1})
    cells = [new_code_cell("1", outputs=[output], execution_count=3, metadata={"tags": tags, "x": True})
             for tags in (["keep_output"], [])]
    path = tmp_path / "a.ipynb"
    notebooks.save(new_notebook(cells=cells, metadata={"author": "somebody"}), path)
    assert notebooks.main(["strip", str(path)]) == 0
    clean = notebooks.load(path)
    assert clean.metadata == notebooks.METADATA
    assert [len(cell.outputs) for cell in clean.cells] == [1, 0]
    assert clean.cells[0].outputs[0].execution_count is clean.cells[0].execution_count is None
    assert [dict(cell.metadata) for cell in clean.cells] == [{"tags": ["keep_output"]}, {}]
    before = path.read_bytes()
    notebooks.main(["strip", str(path)])
    assert path.read_bytes() == before


@pytest.mark.notebook
def test_refresh_stores_the_outputs_of_tagged_cells(tmp_path):
    path = tmp_path / "a.ipynb"
    notebooks.save(new_notebook(cells=[new_code_cell("print(1)", metadata={"tags": ["keep_output"]}),
                                   new_code_cell("print(2)")]), path)
    notebooks.main(["refresh", str(path)])
    assert [[output.text for output in cell.outputs] for cell in notebooks.load(path).cells] == [["1\n"], []]


def test_the_command_line_explains_itself(capsys):
    assert notebooks.main(["polish", "x.ipynb"]) == 2
    assert "strip NOTEBOOK" in capsys.readouterr().out

"""Every notebook runs as shipped and with its solutions, quietly and in time; the harness sees what fails."""

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import notebooks, runs

SECONDS = 30
FILM_SECONDS = 15  # for drawing the frames of a notebook's filmstrips
SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"
RIGHT = ("def my_softmax(logits):\n    powers = np.exp(logits - logits.max(axis=1, keepdims=True))\n"
         "    return powers / powers.sum(axis=1, keepdims=True)")


def exercise_notebook(solution):
    """Return a notebook with one exercise, whose solution may be a wrong one."""
    return new_notebook(metadata=notebooks.METADATA, cells=[
        new_code_cell("import numpy as np\nfrom moeviz.exercises import check"),
        new_code_cell("def my_softmax(logits):\n    ...", metadata={"tags": ["exercise"]}),
        new_code_cell("check.softmax(my_softmax)"),
        new_markdown_cell(SOLUTION.format(solution))])


def verdicts(done):
    """Return what each exercise's check printed, by the name of the exercise."""
    return {task.name: notebooks.printed(cell) for task in notebooks.tasks(done)
            for cell in notebooks.code_cells(done) if f"check.{task.name}(" in cell.source}


def solved(notebook):
    """Return the solved notebook after a run, its stubs still known by their tags."""
    done = runs.timed_run(notebooks.fill_solutions(notebook))
    for task in notebooks.tasks(notebook):
        done.cells[task.cell].source = task.stub
    return done


each_notebook = pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)


@pytest.mark.notebook
class TestAsShipped:
    """A class is what a test worker takes as a whole: this one and the next run side by side."""

    @each_notebook
    def test_runs(self, path):
        done = runs.executed(path)  # with filmstrips in the place of explorers; below run the explorers
        assert done.metadata.seconds <= SECONDS + FILM_SECONDS
        assert notebooks.complaints(done) == []
        assert all("not attempted" in text for text in verdicts(done).values())


@pytest.mark.notebook
class TestWithSolutions:
    @each_notebook
    def test_runs(self, path):
        done = solved(notebooks.load(path))
        assert done.metadata.seconds <= SECONDS
        assert notebooks.complaints(done) == []
        assert {name: text for name, text in verdicts(done).items() if ": right" not in text} == {}


@pytest.mark.notebook
def test_the_clock_counts_work():
    spin = "import time\nwhile time.process_time() < 2.5:\n    pass"
    done = runs.timed_run(new_notebook(cells=[new_code_cell(spin)]))
    assert 2.5 <= done.metadata.seconds < 6
    assert len(done.cells) == 1


@pytest.mark.notebook
def test_a_right_solution_is_right_and_a_wrong_one_is_not():
    assert ": right" in verdicts(solved(exercise_notebook(RIGHT)))["softmax"]
    wrong = RIGHT.replace("powers.sum(axis=1, keepdims=True)", "powers.sum()")
    assert ": right" not in verdicts(solved(exercise_notebook(wrong)))["softmax"]
    assert "not attempted" in verdicts(notebooks.execute(exercise_notebook(RIGHT)))["softmax"]


@pytest.mark.notebook
def test_execute_raises_an_error_and_reports_a_warning():
    with pytest.raises(CellExecutionError, match="no such thing"):
        notebooks.execute(new_notebook(cells=[new_code_cell("raise RuntimeError('no such thing')")]))
    noisy = "import os, warnings\nwarnings.warn('beware')\nprint(os.getcwd(), os.environ['OMP_NUM_THREADS'])"
    done = notebooks.execute(new_notebook(cells=[new_code_cell(noisy)]))
    assert "beware" in notebooks.complaints(done)[0]
    assert notebooks.printed(done.cells[0]).strip() == f"{notebooks.NOTEBOOKS} 1"


def test_fill_solutions_changes_the_stub_alone():
    shipped = exercise_notebook(RIGHT)
    filled = notebooks.fill_solutions(shipped)
    expected = [cell.source for cell in shipped.cells]
    expected[1] = RIGHT
    assert [cell.source for cell in filled.cells] == expected


@pytest.mark.parametrize("source", ["def my_x(a):\n    return a", "x = 1", "def my_x():\n    ...\nprint(1)",
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

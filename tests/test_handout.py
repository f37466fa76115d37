"""Editions of a notebook: nothing of a solution for students, everything for the teacher, from one source."""

import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import handout, notebooks

OPENING = "# Do it\n\n**Why?**\n\n- do it\n\n**Needs:** n.  \n**Minutes:** 30.  \n**Place:** p."
SOLUTION = "```python\ndef my_load(expert_index, num_experts):\n    return 42\n```\n\nBecause."
FOLDED = ("<details><summary>Hint 1</summary>\n\nLook.\n\n</details>\n"
          f"<details><summary>Solution</summary>\n\n{SOLUTION}\n\n</details>")


@pytest.fixture
def small():
    """Return a notebook with a guess and an exercise, as a run leaves it."""
    guessed = new_output("display_data", {"text/plain": "How many? Measured: 2."})
    return new_notebook(metadata=notebooks.METADATA, cells=[
        new_markdown_cell(OPENING), new_code_cell("import numpy as np"),
        new_markdown_cell("## One · 4 min\n\n" + "word " * 20),
        new_code_cell("guess = predict('How many?', None)"),
        new_code_cell("reveal(guess, 2)", outputs=[guessed]), new_markdown_cell("## Two\n\n" + "word " * 400),
        new_markdown_cell("## Exercises\n\n### Level 1: load"),
        new_code_cell("def my_load(expert_index, num_experts):\n    ...", metadata={"tags": ["exercise"]}),
        new_code_cell("check.load(my_load)"), new_markdown_cell(FOLDED), new_markdown_cell("## Recap")])


def texts(notebook):
    """Return all sources as one text."""
    return "\n".join(cell.source for cell in notebook.cells)


def test_students_get_hints_and_no_solution(small):
    edition = handout.students(small)
    assert "Hint 1" in texts(edition) and "Look." in texts(edition)
    assert not any(word in texts(edition) for word in ("Solution", "42", "Because"))
    assert "42" in texts(small)
    assert handout.ROOM not in texts(edition)
    assert texts(handout.students(small, handout.ROOM)).count(handout.ROOM) == 1  # on paper


def test_the_teacher_sees_solution_guess_mistakes_and_minutes(small):
    edition = handout.teachers(small, small)
    said = texts(edition)
    assert "return 42" in said and "<summary>Solution" not in said and "Hint 1" in said
    cells = {cell.metadata.tags[0]: place for place, cell in enumerate(edition.cells)
             if "For the teacher" in cell.source}
    assert list(cells) == ["teacher-minutes", "teacher-guess", "teacher-mistakes"]
    assert edition.cells[cells["teacher-guess"]].source.endswith("How many? The run gives 2.")
    assert "predict" in edition.cells[cells["teacher-guess"] - 1].source
    assert "check.load" in edition.cells[cells["teacher-mistakes"] - 1].source
    assert len(re.findall("^- ", edition.cells[cells["teacher-mistakes"]].source, re.MULTILINE)) >= 2
    notebooks.nbformat.validate(edition)
    assert edition == handout.teachers(small, small)


def test_sections_share_the_minutes_of_the_opening(small):
    found = {section.title: section.minutes for section in handout.sections(small)}
    assert found["One"] == 4
    assert abs(sum(found.values()) - 30) <= 2
    assert found["Exercises"] > found["Two"] > found["Recap"] >= 1


def test_nbgrader_gets_its_marks(small):
    edition = handout.for_nbgrader(small)
    found = {cell.metadata.nbgrader.grade_id: cell for cell in edition.cells if "nbgrader" in cell.metadata}
    answer, test = found["load"], found["check-load"]
    assert answer.source.splitlines()[1] == "    ### BEGIN SOLUTION" and "return 42" in answer.source
    assert test.source.endswith('assert check.load.grade(my_load).status == "right"')
    assert test.metadata.nbgrader.points == 1 and test.metadata.nbgrader.locked
    assert "Because" not in texts(edition)


def test_headings_after_a_solution_are_headings_in_both_editions(small):
    small.cells[-2].source += "\n\n### Level 2: drops"
    for edition in (handout.students(small), handout.teachers(small, small), handout.for_nbgrader(small)):
        assert "\n\n### Level 2" in texts(edition)
    assert "\n\n**Solution**\n\n```python" in texts(handout.teachers(small, small))


def test_a_repair_lists_each_fault_once():
    listed = handout.mistakes("repaired").splitlines()[2:]
    assert len(listed) == 4 and not any(";" in each for each in listed)


@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_no_solution_is_left_in_any_notebook_for_students(path):
    notebook = notebooks.load(path)
    said = texts(handout.students(notebook))
    assert "<summary>Solution" not in said
    for task in notebooks.tasks(notebook):
        lines = task.solution.splitlines()[1:]
        assert "\n".join(lines) not in said, task.name
    assert abs(sum(section.minutes for section in handout.sections(notebook))
               - int(re.search(r"Minutes:\*\* (\d+)", notebook.cells[0].source)[1])) <= 6


def test_an_unknown_number_is_named(capsys):
    with pytest.raises(SystemExit):
        handout.main(["99"])
    assert "there is no notebook 99" in capsys.readouterr().err
    assert handout.read_options(["2"]).paths[0].name.startswith("02_")


@pytest.mark.notebook
def test_both_editions_are_written(tmp_path, capsys):
    handout.main(["02", "--into", str(tmp_path / "out"), "--nbgrader"])
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")}
    name = next(path.name for path in notebooks.paths() if path.name.startswith("02"))
    page = name.replace(".ipynb", ".html")
    assert {f"{who}/{file}" for who in ("students", "teacher") for file in (name, f"pages/{page}")} <= names
    students, teacher = ((tmp_path / "out" / who / "pages" / page).read_text()
                         for who in ("students", "teacher"))
    assert "For the teacher" in teacher and "For the teacher" not in students
    assert "Solution</summary>" not in students
    assert students.count('class="room"') >= 3 and 'class="room"' not in teacher  # for answers on paper
    assert "The run gives" in (tmp_path / "out" / "teacher" / name).read_text()

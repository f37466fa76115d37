"""Editions of a notebook from the one source: for students without solutions, for the teacher with all.

    python start.py handout 02 05        notebooks and printable pages of both editions, into handout/
    python start.py handout              all notebooks
    python start.py handout 02 --nbgrader    and an assignment for nbgrader

The teacher's edition shows the solutions, what each guess should be, the typical mistakes by name and the
minutes of each section. All of it is read from the notebook, from a run of it, and from its exercises.
"""

import argparse
import copy
import pathlib
import re
import sys
import zlib
from typing import NamedTuple

from nbformat.v4 import new_markdown_cell

from moeviz.environment import run_command
from moeviz.exercises import check
from tools import folders, notebooks, quiz, runs
from tools.site import build
from tools.site.pages import opening

SOLUTION = re.compile(r"\s*<details>\s*<summary>Solution</summary>\s*(.*?)\s*</details>\s*", re.DOTALL)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
ROOM = '<div class="room"></div>'  # for an answer on paper
WORDS_A_MINUTE, CELL, EXERCISE = 180, 1.0, 6.0  # minutes, where a section does not say its own


class Section(NamedTuple):
    """A section of a notebook with its planned minutes."""

    title: str
    minutes: int


def main(arguments):
    """Write the editions that the command line asks for."""
    options = read_options(arguments)
    with folders.replaced(options.into) as folder:
        write_editions(folder, options.paths, pages=not options.no_pages)
        quiz.write(folder / "students", folder / "teacher")
        if options.nbgrader:
            for path in options.paths:
                place = folder / "nbgrader" / "source" / path.stem / path.name
                place.parent.mkdir(parents=True)
                notebooks.save(for_nbgrader(notebooks.load(path)), place)
    print(f"{len(options.paths)} notebooks for students and for the teacher: {options.into}")


def read_options(arguments):
    """Read the command line; numbers become paths."""
    parser = argparse.ArgumentParser(prog="start.py handout", description="Write editions of notebooks.")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="numbers of notebooks (default: all)")
    parser.add_argument("--into", type=pathlib.Path, default=notebooks.ROOT / "handout", metavar="FOLDER",
                        help="the folder to write: new, empty or an older handout (default handout)")
    parser.add_argument("--no-pages", action="store_true", help="notebooks alone, without printable pages")
    parser.add_argument("--nbgrader", action="store_true", help="also the source of an nbgrader assignment")
    options = parser.parse_args(arguments)
    known = {path.name[:2]: path for path in notebooks.paths()}
    wrong = [number for number in options.numbers if number.zfill(2) not in known]
    if wrong:
        parser.error(f"there is no notebook {', '.join(wrong)}; there are {', '.join(known)}")
    options.paths = [known[number.zfill(2)] for number in options.numbers] or list(known.values())
    try:
        folders.check_target(options.into)
    except ValueError as error:
        parser.error(str(error))
    return options


def write_editions(folder, paths, *, pages):
    """Write both editions of each notebook, and their pages from a run of it."""
    done = [runs.executed(path) for path in paths]
    editions = (("students", lambda notebook, ran: students(notebook), lambda ran: students(ran, ROOM)),
                ("teacher", teachers, lambda ran: teachers(ran, ran)))
    for name, edition, on_paper in editions:
        (folder / name).mkdir()
        for path, ran in zip(paths, done, strict=True):
            notebooks.save(edition(notebooks.strip(notebooks.load(path)), ran), folder / name / path.name)
        if pages:
            (folder / name / "pages").mkdir()
            printed = list(map(on_paper, done))
            build.write_pages(folder / name / "pages", printed, list(map(opening, paths, printed)), "")


def students(notebook, room=""):
    """Return a copy without solutions; hints stay. room: what stands in the place of a solution.

    >>> students(_with("a\\n<details><summary>Solution</summary>b</details>\\n# c")).cells[0].source
    'a\\n\\n# c'
    """
    edition = copy.deepcopy(notebook)
    for cell in notebooks.markdown_cells(edition):
        cell.source = without_solution(cell.source, room)
    edition.cells = [cell for cell in edition.cells if cell.source or cell.cell_type == "code"]
    return edition


def without_solution(source, room=""):
    """Return Markdown without its folded solution; blank lines stay, or a heading after it is none."""
    return SOLUTION.sub(f"\n\n{room}\n\n" if room else "\n\n", source).strip()


def teachers(notebook, ran):
    """Return a copy with all that the teacher wants to know, each where it is needed.

    ran: the same notebook after a run, which says what the guesses should be.
    """
    edition, answers = copy.deepcopy(notebook), expected(ran)
    first, *others = edition.cells
    edition.cells = [first, note("minutes", plan(notebook))]
    for cell in others:
        edition.cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub(r"\n\n**Solution**\n\n\1\n\n", cell.source).strip()
        elif cell.cell_type == "code":
            edition.cells += remarks(cell.source, answers)
    return edition


def remarks(source, answers):
    """Return the teacher's cells after a code cell: what a guess should be, what a check recognises."""
    guesses = [note("guess", f"{question} The run gives {answer}.") for question, answer in answers.items()
               if any(f"{mark}{question}{mark}" in source for mark in "\"'")]
    return guesses + [note("mistakes", mistakes(name)) for name in re.findall(r"\bcheck\.(\w+)\(", source)
                      if getattr(getattr(check, name, None), "mistakes", None)]


def note(kind, text):
    """Return a cell that only the teacher's edition has; equal cells have equal ids in every run."""
    return new_markdown_cell(f"**For the teacher.** {text}", metadata={"tags": [f"teacher-{kind}"]},
                             id=f"teacher-{kind}-{zlib.crc32(text.encode())}")


def expected(ran):
    """Return {question of a `predict`: what the run measured}, from what `reveal` wrote.

    >>> expected(_with("", "How many? Measured: 2."))
    {'How many?': '2'}
    """
    texts = [output.get("text", "") or output.get("data", {}).get("text/plain", "")
             for cell in notebooks.code_cells(ran) for output in cell.outputs]
    found = [re.fullmatch(r"(.+?)\s+Measured: (.+?)\.", text.strip(), re.DOTALL) for text in texts]
    return {match[1]: match[2] for match in found if match}


def mistakes(name):
    """Return the typical mistakes of an exercise as a sentence with a list; of a repair, each fault once."""
    exercise = getattr(check, name)
    found = [f"- {sentence}" for sentence in exercise.mistakes if sentence not in exercise.joined]
    return f"Typical mistakes that `check.{name}` names:\n\n" + "\n".join(found)


def plan(notebook):
    """Return the minutes of all sections as a table."""
    rows = "\n".join(f"| {section.title} | {section.minutes} |" for section in sections(notebook))
    return f"Minutes of the sections:\n\n| Section | Minutes |\n|---|---|\n{rows}"


def sections(notebook):
    """Return the Sections of a notebook; where a heading does not say its minutes, they are shared out.

    The share goes by words, code cells and exercises, so that all sections together take the minutes of the
    opening cell.
    """
    total = int(re.search(r"\*\*Minutes:\*\*\s*(\d+)", notebook.cells[0].source)[1])
    titles, weights = [], []
    for cell in notebook.cells[1:]:
        headings = HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
        titles += map(str.strip, headings)
        weights += [0.0] * len(headings)
        if weights:
            weights[-1] += weigh(cell)
    stated = [notebooks.PLANNED.search(title) for title in titles]
    left = total - sum(int(each[1]) for each in stated if each)
    free = sum(weight for weight, each in zip(weights, stated, strict=True) if not each) or 1
    minutes = [int(each[1]) if each else max(1, round(max(left, 0) * weight / free))
               for weight, each in zip(weights, stated, strict=True)]
    return [Section(notebooks.PLANNED.sub("", title), each)
            for title, each in zip(titles, minutes, strict=True)]


def weigh(cell):
    """Return how many minutes a cell takes before they are fitted to the notebook's own."""
    if cell.cell_type == "markdown":
        return len(SOLUTION.sub("", cell.source).split()) / WORDS_A_MINUTE
    return EXERCISE if "exercise" in notebooks.tags(cell) else CELL


def for_nbgrader(notebook):
    """Return the source of an nbgrader assignment: solutions between marks, a graded cell for each check."""
    edition = notebooks.strip(notebook)
    for cell in notebooks.markdown_cells(edition):
        cell.source = without_solution(cell.source)
    for points, task in enumerate(notebooks.tasks(notebook), start=1):
        first, *body = task.solution.splitlines()
        cell = edition.cells[task.cell]
        cell.source = "\n".join([first, "    ### BEGIN SOLUTION", *body, "    ### END SOLUTION"])
        cell.metadata["nbgrader"] = graded(task.name, solution=True)
        function = notebooks.stub_function(task.stub).name
        test = next(each for each in edition.cells[task.cell + 1:] if f"check.{task.name}(" in each.source)
        test.source += f'\nassert check.{task.name}.grade({function}).status == "right"'
        test.metadata["nbgrader"] = graded(f"check-{task.name}", grade=True, locked=True, points=points)
    return edition


def graded(name, *, solution=False, grade=False, locked=False, points=None):
    """Return what nbgrader wants to know of a code cell."""
    about = {"grade_id": name, "cell_type": "code", "solution": solution, "grade": grade, "locked": locked,
             "task": False, "schema_version": 3}
    return about if points is None else {**about, "points": points}


def _with(text, written=""):
    """Return a notebook of one markdown cell, and of one code cell that wrote something."""
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    return new_notebook(cells=[new_markdown_cell(text), new_code_cell(outputs=[
        new_output("stream", text=written)])])


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

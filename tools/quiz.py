"""The quiz as a notebook that marks itself, and as pages to print: questions, and key with rubric.

    python -m tools.quiz FOLDER      quiz.ipynb and quiz.html for students, quiz_key.html for the teacher

`python start.py handout` writes them too. docs/quiz.ipynb is what this makes of moeviz/data/quiz.toml.
"""

import pathlib
import sys
from html import escape

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from moeviz.environment import run_command
from moeviz.exercises import quiz
from moeviz.tables import with_minus
from tools import notebooks

LEVELS = {1: "Level 1: what is it?", 2: "Level 2: work it out", 3: "Level 3: explain"}
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
li{break-inside:avoid;margin-bottom:1rem}ol.options{list-style:lower-alpha}.line{border-bottom:1px solid #888;
height:1.8rem}small{color:#4a5560}@media print{body{margin:0;font-size:11pt}h2{break-after:avoid}}"""
INTRODUCTION = """# Forty questions about routing

Write your answer in place of `None` and run the cell: a letter such as `"b"`, or a number. For the questions
of level 3 write a few sentences in quotation marks; the cell then shows the rubric, and you mark yourself."""


def notebook():
    """Return the quiz as a notebook; its cells have the same ids every time."""
    cells = [new_markdown_cell(INTRODUCTION),
             new_code_cell("from moeviz.exercises import quiz\n\nmine = {}")]
    for question in quiz.questions():
        if question.number == 1 or question.level != quiz.questions()[question.number - 2].level:
            cells.append(new_markdown_cell(f"## {LEVELS[question.level]}"))
        options = "".join(f"\n- {letter}) {text}"
                          for letter, text in zip(quiz.LETTERS, question.options, strict=False))
        options = f"\n{options}" if options else ""
        cells.append(new_markdown_cell(f"**{question.number}.** {question.text}{options}"))
        cells.append(new_code_cell(f"mine[{question.number}] = quiz.answer({question.number}, None)"))
    cells += [new_markdown_cell("## Your points"), new_code_cell("quiz.score(mine)")]
    for place, cell in enumerate(cells):
        cell.id = f"quiz-{place:03d}"
    return new_notebook(cells=cells, metadata=notebooks.METADATA)


def page(*, key):
    """Return the quiz as a page to print: with lines to write on, or as the teacher's key with rubric."""
    title = "Forty questions about routing" + (": key and rubric" if key else "")
    parts = [f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>'
             f"<style>{STYLE}</style>\n<main><h1>{title}</h1>"]
    for level, heading in LEVELS.items():
        own = [question for question in quiz.questions() if question.level == level]
        points = sum(question.points for question in own)
        parts.append(f'<h2>{heading} <small>({points} points)</small></h2>\n<ol start="{own[0].number}">')
        parts += [f"<li>{escape(question.text)}{solution(question) if key else space(question)}</li>"
                  for question in own]
        parts.append("</ol>")
    return "\n".join(parts) + "\n</main></html>\n"


def space(question):
    """Return the options, or lines to write on."""
    if question.options:
        return f'<ol class="options">{"".join(f"<li>{escape(each)}</li>" for each in question.options)}</ol>'
    return '<div class="line"></div>' * (5 if question.kind == "open" else 1)


def solution(question):
    """Return the answer, why, and where it is shown."""
    if question.kind == "open":
        said = f"<ul>{''.join(f'<li>1 point: {escape(each)}</li>' for each in question.rubric)}</ul>"
    elif question.kind == "choice":
        said = f"<p><b>{question.right}) {escape(question.options[quiz.LETTERS.index(question.right)])}</b>. "
    else:
        said = f"<p><b>{with_minus(f'{question.value:.4g}')}</b>. "
    points = f"Notebook {question.notebook:02d}, {question.points} point{'s' * (question.points > 1)}."
    return f"{said}{escape(question.why)} <small>{points}</small>"


def write(students, teacher):
    """Write the notebook and the page into one folder, the key into another."""
    notebooks.save(notebook(), students / "quiz.ipynb")
    (students / "quiz.html").write_text(page(key=False), encoding="utf-8")
    (teacher / "quiz_key.html").write_text(page(key=True), encoding="utf-8")


if __name__ == "__main__":
    run_command(write, *2 * [pathlib.Path(sys.argv[1])])

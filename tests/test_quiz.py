"""The quiz: forty questions with one right answer each; its notebook and page give none of them away."""

import contextlib
import io
import re
from collections import Counter

import pytest

from cases import cases
from moeviz.exercises import quiz
from tools import notebooks
from tools import quiz as pages

QUESTIONS = quiz.questions()


def test_there_are_forty_in_three_levels():
    assert len(QUESTIONS) == 40
    assert [question.level for question in QUESTIONS] == sorted(question.level for question in QUESTIONS)
    assert min(Counter(question.level for question in QUESTIONS).values()) >= 9
    assert len({question.text for question in QUESTIONS}) == 40
    assert {question.notebook for question in QUESTIONS} <= {int(path.name[:2]) for path in notebooks.paths()}


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.number)
def test_a_question_is_of_one_kind_and_marks_itself(question, capsys):
    assert bool(question.options) + bool(question.sum) + bool(question.rubric) == 1
    assert question.text.rstrip()[-1] in ".?\""
    if question.kind == "open":
        assert len(question.rubric) == 3 and quiz.answer(question.number, "an essay") is None
        said = capsys.readouterr().out
        assert all(line in said for line in question.rubric)
        return
    assert question.why.endswith(".")
    right = question.right if question.kind == "choice" else round(question.value, 3)
    wrong = set("abcd") - {right} if question.kind == "choice" else {question.value + 0.1, "x"}
    assert question.kind == "number" or (len(set(question.options)) == 4 and right in set("abcd"))
    assert quiz.answer(question.number, right) is True
    assert question.why in capsys.readouterr().out
    for each in wrong:
        assert quiz.answer(question.number, each) is False
    said = capsys.readouterr().out
    assert question.why not in said and f"notebook {question.notebook:02d}" in said
    assert quiz.answer(question.number, None) is None


def test_the_letters_are_spread():
    found = Counter(question.right for question in QUESTIONS if question.kind == "choice")
    assert set(found) == set("abcd") and max(found.values()) <= 6


@cases("number", [0, 41, "1", None])
def test_a_question_that_is_not_there_is_refused(number):
    with pytest.raises(ValueError, match="number must be 1 to 40, got"):
        quiz.answer(number, "a")


def test_the_notebook_in_docs_is_the_one_of_the_questions():
    assert notebooks.load(notebooks.ROOT / "docs" / "quiz.ipynb") == pages.notebook()


def test_the_notebook_runs_and_gives_nothing_away():
    notebook, names = pages.notebook(), {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for cell in notebooks.code_cells(notebook):
            exec(cell.source, names)
    assert said.getvalue().count("not answered yet") == 40
    assert said.getvalue().endswith("level 1: 0 of 16 points\nlevel 2: 0 of 30 points\n"
                                    "level 3: 0 of 3 points\nopen questions: mark yourself, 24 points\n")
    text = "".join(cell.source for cell in notebook.cells) + pages.page(key=False)
    assert not any(question.why and question.why in text for question in QUESTIONS)
    assert not any(line in text for question in QUESTIONS for line in question.rubric)


def test_the_key_has_every_answer():
    key = pages.page(key=True)
    assert len(re.findall(r"Notebook \d\d, \d points?", key)) == 40
    assert "1 points" not in key and "1 point." in key
    assert key.count("1 point:") == sum(len(question.rubric) for question in QUESTIONS)
    assert "<b>0.8808</b>" in key


def test_the_pages_have_one_main_part_and_true_minus_signs():
    for text in (pages.page(key=False), pages.page(key=True)):
        assert text.count("<main>") == text.count("</main>") == 1 and "<b>-" not in text

"""Forty questions that mark themselves: `quiz.answer(3, "b")`. The questions stand in data/quiz.toml.

    >>> answer(1, "b")
    1. right. A token's vector times that matrix gives one score per expert. Nothing else decides.
    True
"""

import functools
import math
import tomllib
from dataclasses import dataclass
from importlib import resources

from moeviz import cost, models

LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Question:
    """One question; it has options with the letter `right`, or a `sum` with `within`, or a `rubric`.

    level: 1 to 3. notebook: the number of the notebook that answers it. why: what is said afterwards.
    """

    number: int
    level: int
    notebook: int
    text: str
    options: tuple = ()
    right: str = ""
    sum: str = ""
    within: float = 0.0
    why: str = ""
    rubric: tuple = ()

    @property
    def kind(self):
        """What is asked for: "choice", "number" or "open"."""
        return "choice" if self.options else "number" if self.sum else "open"

    @property
    def value(self):
        """The number that is right."""
        names = {"__builtins__": {}, **vars(math), "cost": cost, "models": models}
        return float(eval(self.sum, names))  # a text of our own file

    @property
    def points(self):
        """How many points it gives: one for each line of a rubric, else its level."""
        return len(self.rubric) or self.level


@functools.cache
def questions():
    """Return all Questions in order."""
    text = resources.files("moeviz").joinpath("data", "quiz.toml").read_text(encoding="utf-8")
    return tuple(Question(number, **{name: tuple(value) if isinstance(value, list) else value
                                     for name, value in fields.items()})
                 for number, fields in enumerate(tomllib.loads(text)["question"], start=1))


def is_right(question, given):
    """Tell whether an answer is right: a letter for a choice, a number for a number.

    >>> is_right(questions()[0], " B "), is_right(questions()[3], 0.881)
    (True, True)
    """
    if question.kind == "choice":
        return str(given).strip().lower().rstrip(").") == question.right
    try:
        return abs(float(given) - question.value) <= question.within + 1e-9
    except (TypeError, ValueError):
        return False


def answer(number, given):
    """Say whether an answer is right, and why; return True, False, or None where there is nothing to mark.

    given: a letter, a number, or None for no answer yet. For an open question the rubric is printed once
    something is given: mark yourself. ValueError where there is no such question.
    """
    if number not in range(1, len(questions()) + 1):
        raise ValueError(f"number must be 1 to {len(questions())}, got {number!r}")
    question = questions()[number - 1]
    if given is None or given == "":
        print(f"{number}. not answered yet")
        return None
    if question.kind == "open":
        print(f"{number}. One point for each of these:", *question.rubric, sep="\n  - ")
        return None
    right = is_right(question, given)
    print(f"{number}. {'right' if right else 'not right'}. {question.why if right else hint(question)}")
    return right


def hint(question):
    """Return what to do after a wrong answer: the answer itself is not given away.

    >>> hint(questions()[0])
    'Look it up in notebook 00.'
    """
    return f"Look it up in notebook {question.notebook:02d}."


def score(answers):
    """Print the points of {number: what `answer` returned}, level by level.

    >>> score({1: True, 2: False})
    level 1: 1 of 16 points
    level 2: 0 of 30 points
    level 3: 0 of 3 points
    open questions: mark yourself, 24 points
    """
    closed = [each for each in questions() if each.kind != "open"]
    for level in (1, 2, 3):
        own = [each for each in closed if each.level == level]
        reached = sum(each.points for each in own if answers.get(each.number))
        print(f"level {level}: {reached} of {sum(each.points for each in own)} points")
    print(f"open questions: mark yourself, {sum(q.points for q in questions() if q.kind == 'open')} points")

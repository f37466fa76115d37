"""Helpers for the cells of a lesson: predict before a run, reveal after it, claim what was measured."""

import os
import sys
from html import escape
from typing import NamedTuple

import numpy as np

from moeviz.checks import check_kind
from moeviz.exercises.guess import given, judge
from moeviz.tables import Shown, as_column, as_html, as_lines, as_names, as_text, evenly, with_minus

ON_A_PAGE = "page"  # of MOEVIZ_EDITION, when a notebook runs to become a page


class Prediction(NamedTuple):
    """A question and the learner's guess: None where none was made, or a field in which it is typed.

    `...` and "" are none either.
    """

    question: str
    guess: object


def predict(question, guess):
    """Note a guess before the run that answers it; write your own in place of None.

    In a notebook that runs, it may be typed below the question instead. On a page, where nobody can type, the
    question stands alone until `reveal`.

    >>> first = predict("How many experts run per token?", 2)
    You predict: 2
    >>> predict("And in total?", None).guess is None
    And in total? Write your guess in place of None and run this cell again.
    True
    """
    guess, shell = given(guess), _shell()
    if guess is not None:
        said = f"You predict: {as_text(guess)}"
    elif _on_a_page():
        said = f"{question} Guess before you read on."
    elif hasattr(shell, "kernel"):
        said = f"{question} Type your guess, then run the next cell."
        guess = _field()
    else:
        said = f"{question} Write your guess in place of None and run this cell again."
    _show(Shown(said, _line(said, kind="predict")))
    if hasattr(guess, "value"):
        sys.modules["IPython"].display.display(guess)
    return Prediction(question, guess)


def _field():
    """Return a field for a short text, with a name that screen readers say."""
    from ipywidgets import Text

    return Text(description="Your guess", style={"description_width": "initial"}, layout={"width": "20em"})


def reveal(prediction, value, *, accept=(), within=None, margin=0.0):
    """Set a guess beside the measured value, and say whether it is right or close.

    prediction: what `predict` returned, or a ValueError says what it is instead. accept: other answers that
    are as right. within, margin: relative and absolute distance that is close; a measured number that is
    not whole has a tenth by default. How guesses are read: see `guess`. On a page the question opens its
    answer.

    >>> reveal(Prediction("How many experts run per token?", 3), 2)
    How many experts run per token? You said 3, measured: 2. What did you overlook?
    """
    question, guess = check_kind(prediction, "prediction", Prediction)
    guess = given(getattr(guess, "value", guess))
    measured = " or ".join(map(_said, dict.fromkeys([value, *accept]))) if accept else _said(value)
    said = f"Measured: {measured}." if guess is None else (
        f"You said {as_text(guess)}, measured: {measured}. "
        f"{judge(guess, [value, *accept], question=question, within=within, margin=margin)}")
    html = _line(f"{question} {said}")
    if guess is None and _on_a_page():
        html = (f'<details class="reveal"><summary>{escape(question)} Guess, then open.</summary>'
                f"{_line(said)}</details>")
    _show(Shown(f"{question} {said}", html))


def claim(text, value, holds):
    """Show a claim with its measured value; raise AssertionError where this run does not support it.

    holds: True or False, or a ValueError says what it is instead: "False" and NaN would count as true.

    >>> claim("the weights sum to 1, largest error", 0.0, True)
    ✓ the weights sum to 1, largest error: 0
    >>> claim("share of the experts", 2 / 3, True)
    ✓ share of the experts: 0.667
    """
    if not isinstance(holds, (bool, np.bool_)):
        raise ValueError(f"holds must be True or False, got {holds!r}")
    if not holds:
        raise AssertionError(f"this run does not support the claim: {text}: {as_text(value)}")
    said = _said(value)
    _show(Shown(f"✓ {text}: {said}", _line(f"✓ {text}:", said)))


def _said(value):
    """Write a measured value with four digits, below 1 with the three decimals of a table's cell.

    The smallest have two digits.
    """
    if not isinstance(value, (float, np.floating)) and np.asarray(value).dtype.kind != "f":
        return as_text(value)
    largest = np.abs(value).max(initial=0)
    return as_text(value, 4 if largest >= 1 else 3 if largest >= 0.1 else 2)


def table(columns, *, digits=3, most=None):
    """Show columns, given as {heading: values}, as a table: HTML in a notebook, lines of text elsewhere.

    digits: decimals of numbers that are not whole. most: of a long table, how many rows stand in a notebook,
    evenly chosen, above a fold with all. Raises ValueError for columns of different lengths.

    >>> table({"expert": [0, 1], "share": [0.25, 0.75]})
    expert  share
         0  0.250
         1  0.750
    """
    names, *rest = columns.values()
    cells = [as_names(names, digits), *(as_column(values, digits) for values in rest)]
    if len(set(map(len, cells))) > 1:
        found = ", ".join(f"{name} {len(column)}" for name, column in zip(columns, cells, strict=True))
        raise ValueError(f"columns must have equally many values, got {found}")
    shown = {"columns": list(map(str, columns)), "rows": [list(row) for row in zip(*cells, strict=True)]}
    _show(Shown(as_lines(shown), as_html(shown) if most is None else _folded(shown, most)))


def _folded(shown, most):
    """Return the HTML of some rows of a long table, with all of them in a fold."""
    rows = shown["rows"]
    few = as_html(shown | {"rows": [rows[at] for at in evenly(len(rows), most)]})
    return (f'<div>{few}<details class="more"><summary>All {len(rows)} rows</summary>{as_html(shown)}'
            "</details></div>")


def _show(shown):
    """Show a text: as HTML where a notebook runs, else printed."""
    if _shell():
        sys.modules["IPython"].display.display(shown)
    else:
        print(shown.text)


def _shell():
    """Return the notebook's or terminal's IPython; None where plain Python runs."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _line(text, value="", kind=""):
    """Return one line of HTML that wraps, the value in bold. kind: its class, if it has one."""
    bold = f" <strong>{escape(with_minus(value))}</strong>" if value else ""
    named = f' class="{kind}"' if kind else ""
    return f'<p{named} style="margin: .2em 0">{escape(with_minus(text))}{bold}</p>'


def _on_a_page():
    return os.environ.get("MOEVIZ_EDITION") == ON_A_PAGE

"""Helpers for the cells of a lesson: predict before a run, reveal after it, claim what was measured."""

import math
import numbers
from typing import NamedTuple

from moeviz.checks import check_kind


class Prediction(NamedTuple):
    """A question and the learner's guess; None where no guess was made."""

    question: str
    guess: object


def predict(question, guess):
    """Note a guess before the run that answers it; write your own in place of None.

    >>> first = predict("How many experts run per token?", 2)
    You predict: 2
    >>> predict("And in total?", None).guess is None
    And in total? Write your guess in place of None and run this cell again.
    True
    """
    if guess is None:
        print(f"{question} Write your guess in place of None and run this cell again.")
    else:
        print(f"You predict: {guess}")
    return Prediction(question, guess)


def reveal(prediction, value, *, within=0.1):
    """Set a guess beside the measured value; numbers count as close within that relative distance.

    prediction: what `predict` returned, or a ValueError says what it is instead.

    >>> reveal(Prediction("How many experts run per token?", 3), 2)
    How many experts run per token? You said 3, measured: 2. What did you overlook?
    """
    question, guess = check_kind(prediction, "prediction", Prediction)
    measured = _measured(value)
    if guess is None:
        print(f"{question} Measured: {measured}.")
    elif _equal(guess, value):
        print(f"{question} You said {guess}, measured: {measured}. Right.")
    elif _close(guess, value, within):
        print(f"{question} You said {guess}, measured: {measured}. Close.")
    else:
        print(f"{question} You said {guess}, measured: {measured}. What did you overlook?")


def claim(text, value, holds):
    """Print a claim with its measured value; raise AssertionError where this run does not support it.

    >>> claim("the weights sum to 1, largest error", 0.0, True)
    holds: the weights sum to 1, largest error: 0
    """
    if not holds:
        raise AssertionError(f"this run does not support the claim: {text}: {_measured(value)}")
    print(f"holds: {text}: {_measured(value)}")


def table(columns, *, digits=3):
    """Print columns, given as {heading: values}, as an aligned text table.

    >>> table({"expert": [0, 1], "share": [0.25, 0.75]})
    expert  share
         0  0.250
         1  0.750
    """
    cells = {name: [_cell(value, digits) for value in values] for name, values in columns.items()}
    widths = {name: max(len(name), *map(len, column), 0) for name, column in cells.items()}
    print("  ".join(name.rjust(widths[name]) for name in cells))
    for row in zip(*cells.values(), strict=True):
        print("  ".join(value.rjust(width) for value, width in zip(row, widths.values(), strict=True)))


def _measured(value):
    return f"{value:.4g}" if isinstance(value, numbers.Real) and not _whole(value) else f"{value}"


def _cell(value, digits):
    return f"{value:.{digits}f}" if isinstance(value, numbers.Real) and not _whole(value) else str(value)


def _whole(value):
    return isinstance(value, numbers.Integral)


def _equal(guess, value):
    try:
        return bool(guess == value)
    except (TypeError, ValueError):
        return False


def _close(guess, value, within):
    both = isinstance(guess, numbers.Real) and isinstance(value, numbers.Real)
    return both and math.isclose(guess, value, rel_tol=within)

"""Read a learner's guess as generously as its meaning allows, and judge it against what was measured."""

import math
import numbers
import re

import numpy as np

RIGHT, CLOSE, MISSED = "Right.", "Close.", "What did you overlook?"
WITHIN = 0.1     # relative, of a measured number that is not whole
ROUNDING = 1e-12  # what is smaller is 0

_WORDS = {"zero": 0, "none": 0, "quarter": 0.25, "half": 0.5, "one": 1, "two": 2, "three": 3, "four": 4,
          "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}
_SAME = {"true": "yes", "y": "yes", "false": "no", "n": "no", "bigger": "larger", "fewer": "smaller"}
_UNITS = {"k": 1e3, "thousand": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "b": 1e9}
_NUMBER = re.compile(r"(?:(?:expert|about|around|roughly|nearly|at|[e~≈]) ?)*"
                     r"([-+]?(?:\d[\d,_]*)?\.?\d+(?:e[-+]?\d+)?)(?: ?/ ?(\d+))? ?(%|[a-z]*)(?: .*)?")
_SHARE = re.compile(r"share|percent|fraction|part of")


def given(guess):
    """Return the guess, or None for what is none: None, `...` and empty text.

    >>> given("  ") is given(...) is None
    True
    """
    empty = guess is None or guess is ... or (isinstance(guess, str) and not guess.strip())
    return None if empty else guess


def judge(guess, answers, *, question="", within=None, margin=0.0):
    """Return the best verdict of a guess on any of several right answers.

    within: relative distance that is close; by default WITHIN, and 0 for whole numbers. margin: absolute.

    >>> judge("expert 2", [2]), judge("37%", [0.371]), judge("Yes.", [True]), judge(13, [12])
    ('Right.', 'Close.', 'Right.', 'What did you overlook?')
    """
    verdicts = [_judge_one(guess, answer, question.lower(), within, margin) for answer in answers]
    return next(verdict for verdict in (RIGHT, CLOSE, MISSED) if verdict in verdicts)


def _judge_one(guess, answer, question, within, margin):
    if isinstance(answer, (bool, np.bool_, str)):
        numeric = isinstance(answer, str) and _read(answer) and set(_read(guess)) & set(_read(answer))
        return RIGHT if numeric or _plain(guess) == _plain(answer) else MISSED
    if not isinstance(answer, numbers.Real):
        return RIGHT if _equal(guess, answer) else MISSED
    if within is None:
        within = 0 if isinstance(answer, numbers.Integral) else WITHIN
    readings = _read(guess)
    if _SHARE.search(question) and abs(answer) <= 1:
        readings = readings + [reading / 100 for reading in readings if abs(reading) > 1]
    off = min((abs(reading - answer) for reading in readings), default=math.inf)
    if off <= ROUNDING * max(1, abs(answer)):
        return RIGHT
    return CLOSE if off <= max(within * abs(answer), margin) else MISSED


def _read(guess):
    """Return the numbers that a guess may mean; "37%" may be 37 and 0.37."""
    if isinstance(guess, numbers.Real) and not isinstance(guess, (bool, np.bool_)):
        return [float(guess)]
    if not isinstance(guess, str):
        return []
    text = _plain(guess)
    if text in _WORDS:
        return [float(_WORDS[text])]
    found = _NUMBER.fullmatch(text)
    if not found:
        return []
    digits, below, unit = found.groups()
    number = float(digits.replace(",", "").replace("_", "")) / float(below or 1)
    if unit in ("%", "percent"):
        return [number, number / 100]
    return [number, number * _UNITS[unit]] if unit in _UNITS else [number]


def _plain(value):
    """Return text without case, articles, quotes, the point at its end, and with one word for yes and no."""
    words = str(value).lower().replace("'", "").replace('"', "").strip(" .!?").split()
    kept = (_SAME.get(word, word) for word in words if word not in ("the", "a", "an"))
    return " ".join(kept).removesuffix("s")


def _equal(guess, answer):
    try:
        return bool(np.array_equal(guess, answer))
    except (TypeError, ValueError):
        return False

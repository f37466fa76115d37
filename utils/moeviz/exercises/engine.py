"""The engine behind every `check.name(my_name)`: run an attempt beside a slow specification.

An attempt that fails sees the smallest failing case with input, expected and own value and, where it
behaves like one of the typical mistakes, that mistake's name.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from moeviz.record import Routing


class Result(NamedTuple):
    """What grading found: one of the statuses below, and the message that the learner reads."""

    status: str  # "not attempted", "wrong shape", "wrong value", "error" or "right"
    message: str


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: call it with the learner's function to print how it did.

    name: the name in `check.name`.
    spec: the slow, obviously right function.
    cases: argument tuples, smallest first.
    mistakes: typical wrong functions by the sentence that names what is wrong with them.
    """

    name: str
    spec: Callable
    cases: tuple
    mistakes: Mapping[str, Callable] = field(default_factory=dict)
    tolerance: float = 1e-6

    def __call__(self, attempt):
        """Print the message of `grade`; never raises, so that Run All survives."""
        print(self.grade(attempt).message)

    def grade(self, attempt):
        """Return the Result of running the attempt on every case, in order."""
        if not callable(attempt):
            return Result("error", f"check.{self.name} takes a function, got {type(attempt).__name__}")
        title = getattr(attempt, "__name__", self.name)
        for number, case in enumerate(self.cases):
            problem = self._first_problem(attempt, case, may_be_stub=number == 0)
            if problem:
                status, text = problem
                return Result(status, f"{title}: {text}{self._diagnosis(attempt, status)}")
        return Result("right", f"{title}: right, {_count(len(self.cases))} passed")

    def _first_problem(self, attempt, case, *, may_be_stub):
        expected = _run(self.spec, case)
        arguments = copy.deepcopy(case)
        try:
            got = attempt(*arguments)
        except NotImplementedError:
            return "not attempted", "not attempted yet"
        except Exception as error:  # the learner's own code may raise anything
            return "error", f"raised {type(error).__name__}: {error}\n{_show_case(case)}"
        if got is None and may_be_stub:
            return "not attempted", "not attempted yet"
        if not _same(arguments, case, 0):
            return "wrong value", f"changed its input in place\n{_show_case(case)}"
        if isinstance(got, list) and isinstance(expected, np.ndarray):
            got = _as_array(got)
        return _compare(expected, got, case, self.tolerance)

    def _diagnosis(self, attempt, status):
        if status == "not attempted":
            return ""
        for sentence, mistake in self.mistakes.items():
            if all(_behave_alike(mistake, attempt, case, self.tolerance) for case in self.cases):
                return f"\n  this is a typical mistake: {sentence}"
        return ""


def _compare(expected, got, case, tolerance):
    """Return (status, text) of the difference between two values, or None where there is none."""
    if _shape(got) != _shape(expected):
        return "wrong shape", f"returned {_shape(got)}, expected {_shape(expected)}\n{_show_case(case)}"
    if not _same(expected, got, tolerance):
        text = f"wrong value\n{_show_case(case)}\n{_show('expected', expected)}\n{_show('yours', got)}"
        return "wrong value", text
    return None


def _as_array(values):
    """A list of equal rows counts as the array it stands for; a ragged one stays what it is."""
    try:
        return np.asarray(values)
    except ValueError:
        return values


def _run(function, case):
    return function(*copy.deepcopy(case))


def _behave_alike(mistake, attempt, case, tolerance):
    """Say whether both give the same value for a case, or fail on it in the same way."""
    one, other = (_outcome(function, case) for function in (mistake, attempt))
    if isinstance(one, Exception) or isinstance(other, Exception):
        return type(one) is type(other)
    return _same(one, other, tolerance)


def _outcome(function, case):
    try:
        return _run(function, case)
    except Exception as error:  # the learner's own code may raise anything
        return error


def _parts(value):
    """Unfold a value into the arrays that are compared; a Routing counts by what it does."""
    if isinstance(value, Routing):
        return [value.expert_index, value.combine_weight, value.kept]
    if isinstance(value, (tuple, list)) and any(not np.isscalar(item) for item in value):
        return [part for item in value for part in _parts(item)]
    return [np.asarray(value)] if not isinstance(value, np.random.Generator) else []


def _shape(value):
    if isinstance(value, Routing):
        return f"a Routing of {value.num_tokens} tokens, {value.num_experts} experts, k = {value.k}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_shape(item) for item in value) + ")"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"shape {value.shape}"
    return "a single value" if np.ndim(value) == 0 and value is not None else type(value).__name__


def _same(one, other, tolerance):
    pairs = list(zip(_parts(one), _parts(other), strict=False))
    return len(_parts(one)) == len(_parts(other)) and all(_same_array(a, b, tolerance) for a, b in pairs)


def _same_array(one, other, tolerance):
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "biufc" and other.dtype.kind in "biufc":
        return np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True)
    return bool(np.array_equal(one, other))


def _show_case(case):
    return "\n".join(_show(f"input {number}" if len(case) > 1 else "input", value)
                     for number, value in enumerate(case, start=1))


def _show(title, value):
    if isinstance(value, np.ndarray):
        value = np.array2string(value, precision=3, suppress_small=True, threshold=40, edgeitems=2)
    lines = str(value).splitlines() or [""]
    return f"  {title}: " + ("\n" + " " * (len(title) + 4)).join(lines)


def _count(number):
    return "the one case" if number == 1 else f"all {number} cases"

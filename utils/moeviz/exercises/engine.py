"""The engine behind every `check.name(my_name)`: run an attempt beside a slow specification.

Typed cases come first, then cases drawn at random from fixed seeds. An attempt that fails sees the smallest
failing case with its input, the expected value and its own, and the name of a typical mistake where it
behaves like that mistake on every case, the drawn ones too.
"""

import contextlib
import copy
import dis
import functools
import inspect
import io
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from moeviz.exercises import answers, progress

DRAWS = 60
SECONDS = 3        # that one call may take
ALL_SECONDS = 10   # after which no further case is drawn
PRINTED = 10       # lines of the learner's own printing that are shown
EMPTY_STEPS = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


class Result(NamedTuple):
    """What grading found: one of the statuses below, the message for the learner, the mistake's name."""

    status: str  # "not attempted", "wrong shape", "wrong value", "error" or "right"
    message: str
    mistake: str | None = None


class Trial(NamedTuple):
    """One case with what the specification says."""

    case: tuple
    expected: object


class Outcome(NamedTuple):
    """What one call of a function led to."""

    value: object
    error: BaseException | None
    changed: bool  # whether it changed its arguments
    printed: str


class TooLong(BaseException):
    """Raised inside an attempt that runs past its time; no `except Exception` of the learner's stops it."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise: call it with the learner's function to print how it did.

    name: the name in `check.name`. notebook: the number of the notebook where it stands.
    spec: the slow, obviously right function; its parameters are those of the task.
    cases: typed argument tuples, smallest first. draw: rng -> one more valid argument tuple.
    mistakes: {what is wrong: a typical wrong function}. joined: the sentences that only join others, which
    teachers' lists leave out.
    """

    name: str
    notebook: int
    spec: Callable
    cases: tuple
    draw: Callable
    mistakes: dict = field(default_factory=dict)
    joined: set = field(default_factory=set, init=False)

    def mistake(self, sentence):
        """Return the decorator of a wrong function that is too long for the table of mistakes."""
        def keep(function):
            self.mistakes[sentence] = function
            return function
        return keep

    @functools.cached_property
    def trials(self):
        """The typed cases, then the drawn ones, smallest first."""
        drawn = [self.draw(np.random.default_rng((self.notebook, number))) for number in range(DRAWS)]
        return [Trial(case, self.spec(*copy.deepcopy(case)))
                for case in (*self.cases, *sorted(drawn, key=_size))]

    @property
    def parameters(self):
        """The names of the arguments."""
        return tuple(inspect.signature(self.spec).parameters)[:len(self.cases[0])]

    def __call__(self, attempt):
        """Print the message of `grade` and note it; never raises, so that Run All survives."""
        result = self.grade(attempt)
        print(result.message)
        progress.note(self, result)

    def grade(self, attempt):
        """Return the Result of running the attempt on every case, in order."""
        if not callable(attempt):
            return Result("error", f"check.{self.name} takes a function, got {type(attempt).__name__}")
        title = getattr(attempt, "__name__", self.name)
        passed, start = 0, time.monotonic()
        for trial in self.trials:
            if passed >= len(self.cases) and time.monotonic() - start > ALL_SECONDS:
                break
            outcome = call(attempt, trial.case)
            problem = _problem(attempt, outcome, trial)
            if problem:
                return self._failed(attempt, title, problem, outcome, trial)
            passed += 1
        return Result("right", f"{title}: right, all {passed} cases passed")

    def _failed(self, attempt, title, problem, outcome, trial):
        status, text = problem
        if status == "not attempted":
            return Result(status, f"{title}: not attempted yet")
        mistake = None if text.startswith("returned None") else self._name_mistake(attempt, outcome)
        first, *rest = text.splitlines()
        lines = [f"{title}: {first}", answers.show_case(self.parameters, trial.case), *rest,
                 *_printed(outcome.printed)]
        if mistake:
            lines.append(f"  this is a typical mistake: {mistake}")
        return Result(status, "\n".join(lines), mistake)

    def _name_mistake(self, attempt, outcome):
        """Return the sentence of the mistake that does what the attempt does on every case, or None."""
        if isinstance(outcome.error, TooLong):
            return None
        start = time.monotonic()
        ours = functools.cache(lambda number: call(attempt, self.trials[number].case))
        for sentence, function in self.mistakes.items():
            if all(time.monotonic() - start < ALL_SECONDS and _alike(call(function, trial.case), ours(number))
                   for number, trial in enumerate(self.trials)):
                return sentence
        return None


def call(function, case):
    """Return the Outcome of a function on copies of its arguments: silent, and stopped after SECONDS."""
    arguments, printed = copy.deepcopy(case), io.StringIO()
    value = error = None
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = _timed(function, arguments)
        except (Exception, SystemExit, TooLong) as raised:  # the learner's own code may raise anything
            error = raised
    return Outcome(value, error, not _unchanged(case, arguments), printed.getvalue())


def _timed(function, arguments):
    """Call a function; a trace function looks at the clock at every line, on any system and in any thread."""
    end = time.monotonic() + SECONDS

    def watch(frame, event, argument):
        if time.monotonic() > end:
            raise TooLong
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return function(*arguments)
    finally:
        sys.settrace(before)


def _unchanged(case, arguments):
    try:
        return answers.same(case, arguments, 0)
    except Exception:  # an argument may have become anything
        return False


def _problem(attempt, outcome, trial):
    """Return (status, text) of what is wrong with an outcome, or None."""
    if isinstance(outcome.error, NotImplementedError):
        return "not attempted", ""
    if outcome.error is not None:
        return "error", _error_text(outcome.error, attempt)
    if outcome.value is None:
        empty = _is_stub(attempt)
        return "not attempted" if empty else "wrong value", "returned None: is a `return` missing?"
    try:
        got = answers.fit(outcome.value, trial.expected)
    except answers.MisfitError:
        return "wrong shape", (f"returned {answers.describe(outcome.value)}, "
                               f"expected {answers.describe(trial.expected)}")
    note = "you changed your input; work on a copy"
    if not answers.same(trial.expected, got):
        also = f"wrong value, and {note}" if outcome.changed else "wrong value"
        return "wrong value", f"{also}\n{answers.show_both(trial.expected, got)}"
    return ("wrong value", f"right values, but {note}") if outcome.changed else None


def _error_text(error, attempt):
    where = _place(error, attempt)
    if isinstance(error, TooLong):
        return f"stopped after {SECONDS} seconds{where}; does a loop never end?"
    said = " ".join(str(error).split())
    return f"raised {type(error).__name__}{where}" + (f": {said}" if said else "")


def _place(error, attempt):
    """Return " in line 3, `...`" for the last line of the learner's own cell that the error went through."""
    file = getattr(getattr(attempt, "__code__", None), "co_filename", None)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not lines:
        return ""
    return f" in line {lines[-1].lineno}" + (f", `{lines[-1].line}`" if lines[-1].line else "")


def _is_stub(attempt):
    """Say whether a function has no more in its body than a docstring, `...` or `pass`."""
    code = getattr(attempt, "__code__", None)
    return code is not None and all(step.opname in EMPTY_STEPS for step in dis.get_instructions(code))


def _alike(one, other):
    """Say whether two outcomes have the same value, or failed in the same way."""
    if one.error is not None or other.error is not None:
        return type(one.error) is type(other.error)
    return other.value is not None and answers.agree(one.value, other.value)


def _printed(printed):
    lines = printed.splitlines()
    left = [f"    ... and {len(lines) - PRINTED} more lines"] if len(lines) > PRINTED else []
    return ["  your function printed:", *(f"    {line}" for line in lines[:PRINTED]), *left] if lines else []


def _size(case):
    return sum(np.size(value) for value in case)

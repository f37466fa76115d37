"""The exercise engine: what it accepts, how it says what is wrong, and when it names a mistake."""

import itertools
import sys
import time

import numpy as np

from cases import cases
from moeviz.exercises import answers, engine, progress
from moeviz.exercises.engine import DRAWS, Exercise, Result
from moeviz.record import Routing


def row_sums(matrix):
    return matrix.sum(axis=1)


def draw_matrix(rng):
    return (rng.integers(1, 9, size=rng.integers(1, 5, size=2)).astype(float),)


TYPED = (np.array([[1.0, 2.0], [3.0, 5.0]]),), (np.arange(6.0).reshape(2, 3),)


def always(value):
    """Return an exercise whose right answer is one value."""
    return Exercise("always", 2, lambda x: value, ((1,),), lambda rng: (int(rng.integers(9)),))


SUMS = Exercise("sums", 2, row_sums, TYPED, draw_matrix)
SUMS.mistake("summed over tokens instead of experts (axis 0)")(lambda matrix: matrix.sum(axis=0))


def my_stub(matrix):
    """Return something."""
    ...


def my_empty(matrix):
    pass


def my_todo(matrix):
    raise NotImplementedError


@cases("stub", [my_stub, my_empty, my_todo])
def test_a_stub_gets_one_quiet_line(stub):
    assert SUMS.grade(stub) == Result("not attempted", f"{stub.__name__}: not attempted yet")


def test_a_function_that_forgets_to_return_is_told_so_and_given_no_mistake():
    def my_sums(matrix):
        matrix.sum(axis=1)

    result = SUMS.grade(my_sums)
    assert result.status == "wrong value" and result.mistake is None
    assert result.message.startswith("my_sums: returned None: is a `return` missing?\n  matrix = [[1. 2.]\n")
    assert "returned None" in SUMS.grade(lambda x: row_sums(x) if len(x) == 2 else None).message


def test_right_answers_count_typed_and_drawn_cases():
    assert SUMS.grade(row_sums) == Result("right", f"row_sums: right, all {2 + DRAWS} cases passed")


def test_an_answer_that_fits_the_typed_cases_alone_is_wrong():
    typed = {answers.text(case, 9): row_sums(*case) for case in SUMS.cases}
    assert SUMS.grade(lambda matrix: typed.get(answers.text((matrix,), 9), np.zeros(1))).status != "right"


def test_drawn_cases_are_the_same_every_time_and_the_smallest_failing_one_is_shown():
    one, other = (Exercise("sums", 2, row_sums, TYPED, draw_matrix).trials for _ in range(2))
    assert all(np.array_equal(a.case[0], b.case[0]) for a, b in zip(one, other, strict=True))
    sizes = [trial.case[0].size for trial in one[2:]]
    assert sizes == sorted(sizes) and len(set(sizes)) > 3


def test_both_shapes_are_shown():
    result = SUMS.grade(lambda matrix: row_sums(matrix)[:, None])
    assert result.status == "wrong shape"
    assert "returned shape (2, 1), expected shape (2,)\n  matrix = [[1. 2.]\n  " in result.message


def test_values_are_shown_with_the_names_of_the_task_and_with_digits_enough_to_differ():
    result = SUMS.grade(lambda anything: row_sums(anything) + 1e-5)
    assert result.status == "wrong value" and result.mistake is None
    for part in ("  matrix = [[1. 2.]", "  expected = [3. 8.]", "  yours = [3.00001 8.00001]"):
        assert part in result.message
    pair = always((np.float64(0.5), 3)).grade(lambda x: (0.25, np.int64(3))).message
    assert "expected = (0.5, 3)" in pair and "yours = (0.25, 3)" in pair


def test_the_first_place_where_long_arrays_differ_is_named():
    answer = np.zeros((10, 10))
    answer[7, 3] = 1
    message = always(np.zeros((10, 10))).grade(lambda x: answer).message
    assert "at [7, 3], expected = 0.0\n  at [7, 3], yours = 1.0" in message


def test_a_typical_mistake_is_named_in_any_container_and_only_if_it_agrees_everywhere():
    def sometimes(matrix):
        return matrix.sum(axis=0 if len(matrix) == 2 else 1)

    sentence, = SUMS.mistakes
    result = SUMS.grade(lambda matrix: list(np.sum(matrix, 0)))
    assert result.mistake == sentence and f"this is a typical mistake: {sentence}" in result.message
    assert SUMS.grade(sometimes).mistake is None


def test_an_error_names_the_line_of_the_learner():
    def my_sums(matrix):
        total = matrix.sum()
        return np.reshape(total, (5, 5))

    result, line = SUMS.grade(my_sums), my_sums.__code__.co_firstlineno + 2
    assert result.status == "error"
    assert f"raised ValueError in line {line}, `return np.reshape(total, (5, 5))`: cannot" in result.message


@cases("stop", [sys.exit, lambda: exec("raise SystemExit(3)")])
def test_leaving_python_is_an_error_like_others(stop):
    def my_sums(matrix):
        stop()

    assert "raised SystemExit" in SUMS.grade(my_sums).message


def test_an_endless_loop_is_stopped_even_where_it_catches_everything_it_knows(monkeypatch):
    def my_sums(matrix):
        for _ in itertools.count():
            try:
                matrix + 1
            except Exception:
                continue

    monkeypatch.setattr(engine, "SECONDS", 0.2)
    before, start = sys.gettrace(), time.monotonic()
    result = SUMS.grade(my_sums)
    assert result.status == "error" and "does a loop never end?" in result.message
    assert time.monotonic() - start < 5 and sys.gettrace() is before


def test_a_slow_right_answer_is_given_fewer_drawn_cases(monkeypatch):
    monkeypatch.setattr(engine, "ALL_SECONDS", -1)
    assert SUMS.grade(row_sums).message == "row_sums: right, all 2 cases passed"


def test_changing_the_input_is_said_and_harms_no_later_check():
    def greedy(matrix):
        matrix += 1
        return matrix.sum(axis=1) - matrix.shape[1]

    def greedy_and_wrong(matrix):
        matrix += 1
        return matrix.sum(axis=1)

    assert "right values, but you changed your input; work on a copy" in SUMS.grade(greedy).message
    assert "wrong value, and you changed your input; work on a copy" in SUMS.grade(greedy_and_wrong).message
    assert SUMS.grade(row_sums).status == "right"


def test_prints_and_warnings_of_the_attempt_are_shown_once_with_the_failing_case(capsys, recwarn):
    def my_sums(matrix):
        print("so far", matrix.size)
        return np.log(-matrix).sum(axis=1) * np.array("nan", float)

    result = SUMS.grade(my_sums)
    assert capsys.readouterr() == ("", "") and not recwarn
    assert result.message.endswith("  your function printed:\n    so far 4")
    talkative = SUMS.grade(lambda matrix: [print(n) for n in range(50)])
    assert "    9\n    ... and 40 more lines" in talkative.message


@cases("attempt", [3, None, "softmax"])
def test_something_that_is_no_function_is_said(attempt):
    assert SUMS.grade(attempt).status == "error"


def holds_itself():
    values = []
    values.append(values)
    return values


class Rude:
    def __repr__(self):
        raise RuntimeError("no")

    def __array__(self, *arguments, **named):
        raise ValueError("no")


@cases("value", [
    holds_itself(), np.array([{}, None]), np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), "text",
    [[1.0], [2.0, 3.0]], {1, 2}, iter([1]), np.array(["a", "b"]), 10**400, [10**400] * 2, Rude(), {"a": 1},
    b"ab", np.ma.masked, object, np.array([None, 1.0])])
def test_whatever_is_returned_the_check_says_something(value):
    for right in (np.zeros(2), 1.0, (1.0, 2.0), "all", np.zeros((2, 2), bool)):
        result = always(right).grade(lambda x: value)
        assert result.status in ("wrong shape", "wrong value") and result.message


@cases(("right", "answer"), [
    (np.array([1.0, 2.0]), [1, 2]), (np.array([1.0, 2.0]), (1.0, 2.0)), (np.array([1, 1]), np.ones(2)),
    ((1.0, 2), [1, 2]), ((1.0, 2), np.array([1, 2])), (3.0, np.array(3)), (3, np.float32(3)), (3, 3.0),
    ((np.zeros(2), np.ones((2, 2))), [[0, 0], [[1, 1], [1, 1]]]), ((np.zeros(2), 1.0), ([0, 0], np.array(1))),
    (np.array([True, False]), [1, 0]), (True, np.True_), (0.1, np.float32(0.1)), (np.nan, float("nan")),
    (np.array([2, 3]), np.array([2, 3], object)), ("all", np.str_("all")), (1e-17, 0), (0.0, 1e-9)])
def test_an_answer_counts_in_any_container_that_means_the_same(right, answer):
    assert always(right).grade(lambda x: answer).status == "right"


@cases(("right", "answer"), [
    (np.zeros(2), np.zeros((2, 1))), (np.zeros(1), 0.0), (0.0, np.zeros(1)), ((1.0, 2.0), (1.0,)),
    ((1.0, 2.0), (2.0, 1.0)), (1e-7, 2e-7), (np.array([1e-9, 1e-9]), np.zeros(2)), (1.0, 1.00001),
    (np.nan, 0.0), (0.0, np.nan), ("all", "any"), (np.array([0, 1]), np.array([[0, 1]]))])
def test_an_answer_of_another_shape_or_value_does_not(right, answer):
    assert always(right).grade(lambda x: answer).status in ("wrong shape", "wrong value")


def test_routings_compare_by_what_they_do():
    one = Routing(None, [[0.6, 0.4]], [[0]], [[0.6]], [[True]])
    other = Routing(None, [[0.6, 0.4]], [[1]], [[0.6]], [[True]])
    assert always(one).grade(lambda x: one).status == "right"
    assert "k = 1" in always(one).grade(lambda x: other).message
    assert always(one).grade(lambda x: (1, 2)).status == "wrong shape"


def test_generators_in_cases_start_afresh_for_every_run():
    draw = Exercise("draw", 0, lambda rng: rng.random(3), ((np.random.default_rng(0),),),
                    lambda rng: (np.random.default_rng(rng.integers(9)),))
    assert draw.grade(lambda rng: rng.random(3)).status == "right"
    assert draw.grade(lambda rng: rng.random(3)).status == "right"


def test_calling_prints_notes_and_never_raises(capsys, monkeypatch):
    noted = []
    monkeypatch.setattr(progress, "note", lambda one, result: noted.append((one.name, result.status)))
    SUMS(lambda matrix: 1 / 0)
    SUMS(row_sums)
    assert "raised ZeroDivisionError" in capsys.readouterr().out
    assert noted == [("sums", "error"), ("sums", "right")]

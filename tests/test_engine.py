"""The exercise engine tells stub, wrong shape, wrong value, error and right apart, and names mistakes."""

import numpy as np
import pytest

from moeviz.exercises.engine import Exercise
from moeviz.record import Routing


def row_sums(matrix):
    return matrix.sum(axis=1)


def column_sums(matrix):
    return matrix.sum(axis=0)


SUMS = Exercise(
    "sums", row_sums, ((np.array([[1.0, 2.0], [3.0, 5.0]]),), (np.arange(6.0).reshape(2, 3),)),
    {"summed over tokens instead of experts (axis 0)": column_sums})


def test_a_stub_gets_one_quiet_line():
    def my_sums(matrix):
        ...

    assert SUMS.grade(my_sums) == ("not attempted", "my_sums: not attempted yet")


def test_not_implemented_counts_as_not_attempted():
    def my_sums(matrix):
        raise NotImplementedError

    assert SUMS.grade(my_sums).status == "not attempted"


def test_right_answer_counts_the_cases():
    assert SUMS.grade(row_sums) == ("right", "row_sums: right, all 2 cases passed")


def test_wrong_shape_shows_both_shapes():
    result = SUMS.grade(lambda matrix: matrix)
    assert result.status == "wrong shape"
    assert "shape (2, 2)" in result.message and "shape (2,)" in result.message


def test_wrong_value_shows_input_expected_and_own_value():
    result = SUMS.grade(lambda matrix: matrix.sum(axis=1) + 1)
    assert result.status == "wrong value"
    for part in ("input: [[1. 2.]", "expected: [3. 8.]", "yours: [4. 9.]"):
        assert part in result.message
    assert "typical mistake" not in result.message


def test_a_typical_mistake_is_named():
    result = SUMS.grade(lambda matrix: np.sum(matrix, 0))
    assert "typical mistake: summed over tokens instead of experts (axis 0)" in result.message


def test_an_exception_becomes_a_message():
    result = SUMS.grade(lambda matrix: 1 / 0)
    assert result.status == "error" and "ZeroDivisionError" in result.message


def test_changing_the_input_in_place_is_said_and_harms_no_later_check():
    def greedy(matrix):
        matrix += 1
        return matrix.sum(axis=1) - matrix.shape[1]

    assert "changed its input in place" in SUMS.grade(greedy).message
    assert SUMS.grade(row_sums).status == "right"


@pytest.mark.parametrize("attempt", [3, None, "softmax"])
def test_something_that_is_no_function_is_said(attempt):
    assert SUMS.grade(attempt).status == "error"


def test_generators_in_cases_start_afresh_for_every_run():
    draw = Exercise("draw", lambda rng: rng.random(3), ((np.random.default_rng(0),),))
    assert draw.grade(lambda rng: rng.random(3)).status == "right"
    assert draw.grade(lambda rng: rng.random(3)).status == "right"


def test_tuples_routings_and_text_compare_by_value():
    one = Routing(None, [[0.6, 0.4]], [[0]], [[0.6]], [[True]])
    other = Routing(None, [[0.6, 0.4]], [[1]], [[0.6]], [[True]])
    route = Exercise("route", lambda x: one, ((1,),))
    assert route.grade(lambda x: one).status == "right"
    assert route.grade(lambda x: other).status == "wrong value"
    pair = Exercise("pair", lambda x: (np.zeros(2), 1.0), ((1,),))
    assert pair.grade(lambda x: (np.zeros(2), 1.0)).status == "right"
    assert pair.grade(lambda x: (np.zeros(2), 2.0)).status == "wrong value"
    assert pair.grade(lambda x: np.zeros(2)).status == "wrong shape"
    word = Exercise("word", lambda x: "gate", ((1,),))
    assert word.grade(lambda x: "gate").status == "right"
    assert word.grade(lambda x: "expert").status == "wrong value"


def test_calling_prints_and_never_raises(capsys):
    SUMS(lambda matrix: 1 / 0)
    SUMS(row_sums)
    assert "right, all 2 cases" in capsys.readouterr().out


def test_a_list_counts_as_the_array_it_stands_for():
    assert SUMS.grade(lambda matrix: list(matrix.sum(axis=1))).status == "right"
    assert SUMS.grade(lambda matrix: [[1.0], [2.0, 3.0]]).status == "wrong shape"

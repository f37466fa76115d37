"""The array helpers against the standard library's math, and the checks against bad input."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as random_arrays

from cases import cases
from moeviz import arrays

MATRICES = random_arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 5)),
                         elements=st.floats(-1e4, 1e4) | st.sampled_from([0.0, 1.0, -1e4, 1e4]))


@given(MATRICES)
def test_softmax_and_log_sum_exp_equal_a_loop(scores):
    for row, shares, total in zip(scores, arrays.softmax(scores), arrays.log_sum_exp(scores), strict=True):
        powers = [math.exp(value - max(row)) for value in row]
        np.testing.assert_allclose(shares, [power / math.fsum(powers) for power in powers], rtol=1e-12)
        assert total == pytest.approx(max(row) + math.log(math.fsum(powers)), rel=1e-12)


def test_softmax_and_log_sum_exp_follow_the_axis():
    scores = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(arrays.softmax(scores, axis=0), arrays.softmax(scores.T).T)
    np.testing.assert_allclose(arrays.log_sum_exp(scores, axis=0), arrays.log_sum_exp(scores.T))


def test_scores_may_lie_farther_apart_than_floats_reach():
    scores = np.array([[-1e308, 1e308, 1e308]])
    assert arrays.softmax(scores).tolist() == [[0.0, 0.5, 0.5]]
    assert arrays.log_sum_exp(scores).tolist() == [1e308]
    assert arrays.softmax(np.float32([-3e38, 3e38])).tolist() == [0.0, 1.0]


def test_softmax_backward_equals_finite_differences():
    rng = np.random.default_rng(0)
    scores, direction, dprobs = rng.normal(size=(3, 4, 5))
    step = 1e-6 * direction
    slope = (arrays.softmax(scores + step) - arrays.softmax(scores - step)) / 2e-6
    expected = (slope * dprobs).sum()
    got = (arrays.softmax_backward(arrays.softmax(scores), dprobs) * direction).sum()
    assert got == pytest.approx(expected, rel=1e-7)


@given(st.floats(-700, 700))
def test_sigmoid_softplus_and_normal_cdf_equal_math(value):
    assert arrays.sigmoid(np.array([value]))[0] == pytest.approx(1 / (1 + math.exp(-value)), rel=1e-12)
    expected = max(value, 0) + math.log1p(math.exp(-abs(value)))
    assert arrays.softplus(np.array([value]))[0] == pytest.approx(expected, rel=1e-12, abs=1e-300)
    assert arrays.normal_cdf(np.array([value]))[0] == pytest.approx(NormalDist().cdf(value), abs=1e-12)


@given(random_arrays(float, (4, 6), elements=st.sampled_from([0.0, 1.0, 2.0])), st.integers(1, 6))
def test_top_k_index_takes_the_largest_and_ties_go_to_the_lowest_column(scores, k):
    expected = [sorted(range(6), key=lambda column: (-row[column], column))[:k] for row in scores.tolist()]
    assert arrays.top_k_index(scores, k).tolist() == expected


def test_one_hot_marks_each_index_and_leaves_negative_rows_empty():
    marked = arrays.one_hot(np.array([[2, -1], [0, 1]]), 3)
    assert marked.dtype == bool
    assert marked.astype(int).tolist() == [[[0, 0, 1], [0, 0, 0]], [[1, 0, 0], [0, 1, 0]]]


def test_checks_return_what_they_were_given():
    matrix = np.ones((2, 3), dtype=np.float32)
    assert arrays.check_matrix(matrix, "logits") is matrix
    assert arrays.check_matrix([[1, 2]], "logits").dtype == float
    assert arrays.check_matrix(np.ones((1, 1), dtype=np.float16), "logits").dtype == float
    assert arrays.check_vector([1, 2], "ids", length=2, kind="i").tolist() == [1, 2]
    assert arrays.check_count(np.int64(3), "k", high=3) == 3
    assert arrays.check_number(np.float32(0.5), "p", low=0.5, high=0.5) == 0.5
    assert arrays.check_choice(np.int64(3), "layer", (3, 5)) == 3
    assert arrays.check_choice(None, "norm", (None, "head")) is None
    rng = np.random.default_rng(0)
    assert arrays.check_rng(rng) is rng


@cases(("check", "message"), [
    (lambda: arrays.check_matrix([[1.0], [1.0, 2.0]], "logits"), "logits is not an array"),
    (lambda: arrays.check_matrix([["a"]], "logits"), "logits must hold real numbers, got dtype <U1"),
    (lambda: arrays.check_matrix([[True]], "logits"), "logits must hold real numbers, got dtype bool"),
    (lambda: arrays.check_matrix([[1j]], "logits"), "logits must hold real numbers, got dtype complex128"),
    (lambda: arrays.check_matrix(None, "logits"), "logits must hold real numbers, got dtype object"),
    (lambda: arrays.check_matrix([1.0], "logits"), r"logits must have shape \(T, E\), got shape \(1,\)"),
    (lambda: arrays.check_matrix(np.ones((0, 3)), "logits"), r"logits must not be empty, got shape \(0, 3\)"),
    (lambda: arrays.check_matrix([[0.0, math.nan]], "logits"), r"logits must be finite, got nan at \[0, 1\]"),
    (lambda: arrays.check_matrix([[0.0], [math.inf]], "logits"), r"must be finite, got inf at \[1, 0\]"),
    (lambda: arrays.check_same_shape([[1.0]], "noise", np.ones((2, 1)), "z"), "noise must have the shape"),
    (lambda: arrays.check_vector([[1.0]], "bias"), r"bias must have one dimension, got shape \(1, 1\)"),
    (lambda: arrays.check_vector([1.0], "bias", length=2), r"bias must have shape \(2,\), got shape \(1,\)"),
    (lambda: arrays.check_vector([1.5], "ids", kind="iu"), "ids has dtype float64"),
    (lambda: arrays.check_vector([1.0, -math.inf], "bias"), "bias must be finite, got -inf"),
    (lambda: arrays.check_count(0, "k"), "k must be a whole number of at least 1, got 0"),
    (lambda: arrays.check_count(9, "k", high=8), "k must be a whole number between 1 and 8, got 9"),
    (lambda: arrays.check_count(2.0, "k"), "k must be a whole number of at least 1, got 2.0"),
    (lambda: arrays.check_count(True, "k"), "k must be a whole number of at least 1, got True"),
    (lambda: arrays.check_number("a", "p"), "p must be a number between -inf and inf, got 'a'"),
    (lambda: arrays.check_number(math.nan, "p"), "p must be a number between -inf and inf, got nan"),
    (lambda: arrays.check_number(math.inf, "p"), "p must be a number between -inf and inf, got inf"),
    (lambda: arrays.check_number(True, "p"), "p must be a number between -inf and inf, got True"),
    (lambda: arrays.check_number(np.complex128(1), "p"), "p must be a number"),
    (lambda: arrays.check_number(1.1, "p", high=1.0), "p must be a number between -inf and 1.0, got 1.1"),
    (lambda: arrays.check_number(-0.1, "p", low=0.0), "p must be a number between 0.0 and inf, got -0.1"),
    (lambda: arrays.check_choice("c", "of", {"a": 1, None: 2}), "of must be one of 'a', None, got 'c'"),
    (lambda: arrays.check_choice(True, "layer", (1, 2)), "layer must be one of 1, 2, got True"),
    (lambda: arrays.check_choice(1.0, "layer", (1, 2)), "layer must be one of 1, 2, got 1.0"),
    (lambda: arrays.check_choice(["a"], "of", {"a": 1}), r"of must be one of 'a', got \['a'\]"),
    (lambda: arrays.check_choice(np.ones(2), "of", ("a", "b")), r"of must be one of 'a', 'b', got array"),
    (lambda: arrays.check_rng(0), "rng must be a numpy Generator .* got 0"),
    (lambda: arrays.check_rng(np.random.RandomState(0)), "rng must be a numpy Generator"),
    (lambda: arrays.check_mask([True], 2), r"mask must have shape \(2,\), got shape \(1,\)"),
    (lambda: arrays.check_mask([1, 0], 2), "mask has dtype int64"),
    (lambda: arrays.check_mask([False], 1), "mask must be True for at least one token"),
])
def test_checks_name_the_argument_and_what_was_seen(check, message):
    with pytest.raises(ValueError, match=message):
        check()

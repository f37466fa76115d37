"""The helpers of a lesson's cells: what they print for a guess, a claim and a table."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from cases import cases
from moeviz.exercises import claim, lesson, predict, reveal, table
from moeviz.exercises.guess import judge
from moeviz.exercises.lesson import Prediction
from moeviz.tables import as_html, as_text


@cases(("guess", "value", "verdict"), [
    (2, 2, "Right."), (3, 2, "What did you overlook?"), (0.5, 0.54, "Close."),
    (np.array([1, 2]), [1, 2], "Right.")])
def test_a_guess_is_set_beside_the_value(guess, value, verdict, capsys):
    prediction = predict("How many?", guess)
    assert capsys.readouterr().out == f"You predict: {as_text(guess)}\n"
    reveal(prediction, value)
    said = capsys.readouterr().out
    assert said.startswith(f"How many? You said {as_text(guess)}, measured: ")
    assert said.endswith(f" {verdict}\n")


@cases(("guess", "value"), [
    ("Two", 2), ("2", 2), ("expert 2", 2), (" e2 ", 2), ("1/8", 0.125), ("50%", 0.5), ("50 %", 50),
    ("a half", 0.5), ("1,000", 1000), ("32k", 32_000), ("8 experts", 8), ("4x", 4),
    ("The Soft one", "soft one"),
    ("yes", True), (True, "yes"), ("No.", np.False_), ("grows", "grow"), (0.01, "0.01"), ("bigger", "larger"),
    (0, 1e-17), (0.3, 0.1 + 0.2), (np.float32(2), 2), ([1.0, 2.0], np.array([1, 2]))])
def test_a_guess_counts_by_what_it_means(guess, value):
    assert judge(guess, [value]) == "Right."


@cases(("guess", "value"), [
    (13, 12), ("three", 2), ("e3", 2), ("neither", "both"), (True, 1), (1, True), ("", 0), ("2 or 3", 5),
    (float("nan"), 2), ({}, 2), (None, 0), ("soft", "softmax"), ([1], np.array([1, 2])), (0.5, 0.6),
    (1e-3, 0.0)])
def test_a_guess_of_another_meaning_does_not(guess, value):
    assert judge(guess, [value]) == "What did you overlook?"


def test_how_close_is_close_can_be_said():
    assert judge(90, [100.0]) == judge(13, [12], within=0.1) == judge(5, [7], margin=2) == "Close."
    assert judge(90, [100.0], within=0.05) == judge(13, [12], margin=0.5) == "What did you overlook?"


def test_a_share_may_be_guessed_in_percent_where_the_question_asks_for_one():
    assert judge(75, [0.76], question="Which share of choices leaves?") == "Close."
    assert judge(75, [0.76], question="How many?") == "What did you overlook?"


def test_any_of_several_right_answers_is_right(capsys):
    reveal(Prediction("Which router is the most even?", "Hash"), "sinkhorn", accept=["hash", "sinkhorn"])
    assert capsys.readouterr().out.endswith("You said Hash, measured: sinkhorn or hash. Right.\n")


@cases("guess", [None, ..., "", "  "])
def test_without_a_guess_the_value_stands_alone(guess, capsys):
    prediction = predict("How many?", guess)
    assert "in place of None" in capsys.readouterr().out
    reveal(prediction, 1 / 3)
    assert capsys.readouterr().out == "How many? Measured: 0.333.\n"


def test_a_long_table_shows_some_rows_above_a_fold_with_all():
    shown = lesson._folded({"columns": ["n"], "rows": [[str(n)] for n in range(9)]}, 3)
    few, every = shown.split('<details class="more"><summary>All 9 rows</summary>')
    assert re.findall(r"<th scope=\"row\">(\d)</th>", few) == ["0", "4", "8"] and every.count("<tr>") == 10


def test_what_no_prediction_is_is_named():
    with pytest.raises(ValueError, match="prediction must be a Prediction, got int"):
        reveal(3, 2)


def test_a_claim_holds_or_fails_the_run(capsys):
    claim("the shares sum to", 0.99999, True)
    assert capsys.readouterr().out == "✓ the shares sum to: 1.00\n"
    with pytest.raises(AssertionError, match=r"does not support the claim: the shares sum to: 0\.5"):
        claim("the shares sum to", 0.5, False)


@cases("holds", ["False", float("nan"), 1, None, np.array([True])])
def test_a_claim_takes_nothing_but_true_and_false(holds, capsys):
    with pytest.raises(ValueError, match="holds must be True or False, got"):
        claim("the shares sum to", 1.0, holds)
    assert capsys.readouterr().out == ""


def test_a_table_aligns_numbers_and_words(capsys):
    table({"expert": [0, 11], "share": np.array([0.25, 0.5]), "kind": ["a", "letters"]}, digits=1)
    assert capsys.readouterr().out.splitlines() == [
        "expert  share  kind", "     0    0.2  a", "    11    0.5  letters"]
    with pytest.raises(ValueError, match="columns must have equally many values, got expert 1, share 0"):
        table({"expert": [0], "share": []})
    assert capsys.readouterr().out == ""


def test_on_a_page_a_question_opens_its_answer(monkeypatch, capsys):
    monkeypatch.setenv("MOEVIZ_EDITION", "page")
    shown = []
    monkeypatch.setattr(lesson, "_show", shown.append)
    reveal(predict("How many <b>?", None), 3)
    asked, answered = shown
    assert asked.text == "How many <b>? Guess before you read on."
    assert answered.html.startswith('<details class="reveal"><summary>How many &lt;b&gt;? Guess, then open.')
    assert "Measured: 3." in answered.html and "None" not in asked.html + answered.html


def test_in_a_notebook_it_is_shown_as_html_that_wraps(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    claim("tokens < seats", 3, True)
    table({"model": ["a"], "total": [12345]})
    assert capsys.readouterr().out == ""
    assert "✓ tokens &lt; seats: <strong>3</strong>" in shown[0]._repr_html_()
    assert list(map(repr, shown)) == ["✓ tokens < seats: 3", "model   total\na      12,345"]
    assert '<th scope="row" class="word">a</th><td>12,345</td>' in shown[1]._repr_html_()


def test_in_a_notebook_a_guess_may_be_typed_below_its_question(monkeypatch):
    shown = []
    monkeypatch.delenv("MOEVIZ_EDITION", raising=False)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=True))
    monkeypatch.setattr("IPython.display.display", shown.append)
    prediction = predict("How many run?", None)
    asked, field = shown
    assert repr(asked) == "How many run? Type your guess, then run the next cell."
    assert field.description == "Your guess"  # a label that screen readers say
    reveal(prediction, 2)
    field.value = "two"
    reveal(prediction, 2)
    assert list(map(repr, shown[2:])) == ["How many run? Measured: 2.",
                                          "How many run? You said two, measured: 2. Right."]
    predict("How many run?", 3)
    assert repr(shown[-1]) == "You predict: 3"


@cases("values, text", [
    ([0.8, 0.77, 0.74], "0.80, 0.77, 0.74"), ([1, 0.5], "1, 0.5"), ([0.0, 2.5], "0.0, 2.5"),
    ([-0.0, -1e-17], "0, 0"), ([-1e-17, 0.25], "0.00, 0.25"),
    ([0.18234, 0.1125, 0.098261], "0.1823, 0.1125, 0.0983"),
    ([12.34567, 0.25], "12.35, 0.25"), (np.array([1.0, 1.05]), "1.00, 1.05")])
def test_numbers_of_a_list_have_as_many_decimals_as_they_need_together(values, text):
    assert as_text(values) == text


@cases("value, said", [
    (0.0422, "0.042"), (0.00134, "0.0013"), (0.2195, "0.220"), (0.25, "0.25"), (8.0, "8"),
    (1.0600001, "1.06"), ([0.0288, -0.0192, -0.00706], "0.029, -0.019, -0.007"),
    ([2.333, 0.41712], "2.333, 0.417"), ([0.0689, 0.0857, 0.12], "0.069, 0.086, 0.120"),
    ({"choice": 55.0, "score": -0.2}, "choice 55.0, score -0.2")])
def test_a_measured_value_has_the_decimals_of_a_table_s_cell(value, said, capsys):
    claim("it is so", value, True)
    assert capsys.readouterr().out == f"✓ it is so: {said}\n"


@cases("columns, lines", [
    ({"factor": [0.1, 1.0], "loss": [1.5, 0.25]}, ["   0.1  1.500", "   1.0  0.250"]),
    ({"step": [0, 1], "bias": [[0.0, 0.0], [-0.1, 0.05]]}, ["   0  0.00, 0.00", "   1  -0.10, 0.05"]),
    ({"layer": [1, 2], "bits": [0.00049, 0.00123]}, ["    1  0.0005", "    2  0.0012"])])
def test_a_column_of_a_table_has_one_precision(columns, lines, capsys):
    table(columns)
    assert capsys.readouterr().out.splitlines()[1:] == lines


@cases("column, side", [(["46.7B", "137577.6M"], "right"), (["1T", "2.5k"], "right"), (["3B model"], "left")])
def test_published_sizes_are_numbers(column, side):
    html = as_html({"columns": ["model", "size"], "rows": [["a", cell] for cell in column]})
    assert ('<td class="word">' in html) == (side == "left")

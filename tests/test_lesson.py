"""The helpers of a lesson's cells: what they print for a guess, a claim and a table."""

import numpy as np
import pytest

from moeviz.exercises import claim, lesson, predict, reveal, table
from moeviz.tables import as_text


@pytest.mark.parametrize(("guess", "value", "verdict"), [
    (2, 2, "Right."), (2.0, 2, "Right."), ("e3", "e3", "Right."), (0.5, 0.54, "Close."), (100, 109, "Close."),
    (0.5, 0.6, "What did you overlook?"), (3, 2, "What did you overlook?"),
    ("two", 2, "What did you overlook?"), (np.array([1, 2]), np.array([1, 2]), "What did you overlook?"),
])
def test_a_guess_is_set_beside_the_value(guess, value, verdict, capsys):
    prediction = predict("How many?", guess)
    assert capsys.readouterr().out == f"You predict: {as_text(guess)}\n"
    reveal(prediction, value)
    said = capsys.readouterr().out
    assert said.startswith(f"How many? You said {as_text(guess)}, measured: ")
    assert said.endswith(f" {verdict}\n")


def test_how_close_is_close_can_be_said(capsys):
    reveal(predict("How many?", 90), 100, within=0.05)
    assert "overlook" in capsys.readouterr().out


def test_without_a_guess_the_value_stands_alone(capsys):
    prediction = predict("How many?", None)
    assert "in place of None" in capsys.readouterr().out
    reveal(prediction, 1 / 3)
    assert capsys.readouterr().out == "How many? Measured: 0.3333.\n"


def test_what_no_prediction_is_is_named():
    with pytest.raises(ValueError, match="prediction must be a Prediction, got int"):
        reveal(3, 2)


def test_a_claim_holds_or_fails_the_run(capsys):
    claim("the shares sum to", 0.99999, True)
    assert capsys.readouterr().out == "✓ the shares sum to: 1\n"
    with pytest.raises(AssertionError, match=r"does not support the claim: the shares sum to: 0\.5"):
        claim("the shares sum to", 0.5, False)


def test_a_table_aligns_numbers_and_words(capsys):
    table({"expert": [0, 11], "share": np.array([0.25, 0.5]), "kind": ["a", "letters"]}, digits=1)
    assert capsys.readouterr().out.splitlines() == [
        "expert  share  kind", "     0    0.2  a", "    11    0.5  letters"]
    with pytest.raises(ValueError, match="zip"):
        table({"expert": [0], "share": []})


def test_on_a_page_a_question_opens_its_answer(monkeypatch, capsys):
    monkeypatch.setenv("MOEVIZ_EDITION", "page")
    shown = []
    monkeypatch.setattr(lesson, "_show", shown.append)
    reveal(predict("How many <b>?", None), 3)
    asked, answered = shown
    assert asked.text == "How many <b>? Guess before you read on."
    assert answered.html.startswith("<details><summary>How many &lt;b&gt;? Guess, then open.</summary>")
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

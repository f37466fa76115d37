"""Tables of figures: the numbers that were drawn or attached, under names, no more than one listens to."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import plots, style
from moeviz.style import set_matrix, set_table, tables_of
from moeviz.tables import as_html, as_lines, as_one_quantity, as_table, as_text


def table(ax):
    ax.figure.canvas.draw()
    return tables_of(ax.figure)


# ---- read from what was drawn

def test_bars_that_lie_keep_their_names():
    shown, = table(plots.plot_timing(["loop", "grouped"], [0.020, 0.004]))
    assert shown["columns"] == ["name", "time (ms)"]
    assert shown["rows"] == [["loop", "20"], ["grouped", "4"]]
    assert shown["title"] == "Loop takes 5 times as long as grouped"


def test_named_series_of_bars_are_told_apart():
    ax = plt.subplots()[1]
    ax.bar(["a", "b"], [1, 2])
    ax.bar(["a", "b"], [3, 4], bottom=[1, 2], label="dropped")
    shown, = table(ax)
    assert shown["columns"] == ["series", "x", "value"]
    assert shown["rows"] == [["unnamed", "a", "1"], ["unnamed", "b", "2"],
                             ["dropped", "a", "3"], ["dropped", "b", "4"]]


def test_stacks_without_names_give_no_table():
    ax = plt.subplots()[1]
    ax.bar([0], [1])
    ax.bar([0], [2], bottom=[1])
    assert table(ax) == []


def test_lines_over_the_same_x_stand_side_by_side_thinned_to_both_ends():
    ax = plt.subplots()[1]
    ax.set(title="training", xlabel="step", ylabel="loss")
    ax.plot(range(100), np.arange(100) ** 2, label="dense")
    ax.plot(range(100), -np.arange(100), label="moe")
    shown, = table(ax)
    assert shown["columns"] == ["step", "dense", "moe"]
    assert shown["title"] == "training: loss (12 of 100 rows, evenly chosen)"
    assert len(shown["rows"]) == 12
    assert (shown["rows"][0], shown["rows"][-1]) == (["0", "0", "0"], ["99", "9801", "-99"])


def test_lines_over_different_x_follow_each_other():
    ax = plt.subplots()[1]
    ax.plot(range(50), range(50), label="long")
    ax.plot([0, 2], [5, 7], label="short")
    shown, = table(ax)
    assert shown["columns"] == ["series", "x", "value"]
    assert len(shown["rows"]) == 14
    assert shown["rows"][-3:] == [["long", "49", "49"], ["short", "0", "5"], ["short", "2", "7"]]


def test_unnamed_lines_and_text_pictures_give_no_table():
    ax = plt.subplots()[1]
    ax.axhline(1)
    ax.plot([0, 1], [0, 1])
    ax.text(0, 0, "x")
    assert table(ax) == []


# ---- attached by a plot

def test_an_attached_table_stands_for_what_could_be_read():
    ax = plt.subplots()[1]
    ax.bar([0], [7])
    ax.set_title("load")
    assert table(set_table(ax, ["expert", "tokens"], [["e0", 7]])) == [
        {"title": "load", "columns": ["expert", "tokens"], "rows": [["e0", "7"]]}]


def test_of_a_large_matrix_both_ends_stay_and_the_title_says_what_went():
    ax = set_matrix(plt.subplots()[1], np.arange(40 * 30).reshape(40, 30), rows=("token", range(40)),
                    columns=("expert", range(30)), title="weights")
    shown, = table(ax)
    assert shown["title"] == "weights (12 of 40 rows and 12 of 30 columns, evenly chosen)"
    assert {len(row) for row in shown["rows"]} == {len(shown["columns"])} == {13}
    assert [shown["columns"][at] for at in (0, 1, -1)] == ["token", "expert 0", "expert 29"]
    assert (shown["rows"][0][:2], shown["rows"][-1][0], shown["rows"][-1][-1]) == (["0", "0"], "39", "1199")


def test_a_table_of_the_largest_size_loses_nothing():
    whole = as_table("t", list("abcdefghijklm"), [range(13)] * 64)
    assert whole["left_out"] == ""
    assert (len(whole["rows"]), len(whole["columns"])) == (64, 13)
    assert as_table("t", list("ab"), [[0, 1]] * 129)["left_out"] == "64 of 129 rows, evenly chosen"
    assert as_table("t", list("ab"), [])["rows"] == []


def test_cells_are_short_and_never_minus_nothing():
    cells = [-0.0, 1 / 3, np.float32(2e9), np.int64(12345), np.nan, None]
    row, = as_table("t", list("abcdef"), [cells])["rows"]
    assert row == ["0", "0.333", "2,000,000,000", "12,345", "", ""]


# ---- as HTML

def test_a_table_is_safe_has_headings_and_can_be_scrolled_with_the_keyboard():
    html = as_html({"title": '<t>"', "columns": list("abc"), "rows": [["<1>", "<2>", "3"], [*"xy4"]]})
    assert "<caption>&lt;t&gt;&quot;</caption>" in html
    assert '<th scope="col" class="word">b</th><th scope="col">c</th>' in html
    assert '<th scope="row" class="word">&lt;1&gt;</th><td class="word">&lt;2&gt;</td><td>3</td>' in html
    assert 'tabindex="0"' in html and 'aria-label="Table: &lt;t&gt;&quot;"' in html


def test_a_table_without_a_title_is_named_by_its_columns():
    html = as_html({"columns": ["expert", "share"], "rows": [["0", "1"]]})
    assert "<caption>" not in html and 'aria-label="Table: expert, share"' in html


@cases(("value", "text"), [
    (45_097_156_608, "45,097,156,608"), (np.float64(0.02070908895736867), "0.02071"), (-1.388e-17, "0"),
    (2024, "2024"), (12_345.6, "12,346"), (1234.56, "1235"), (0.00001234, "1.234×10⁻⁵"), (1e-6, "10⁻⁶"),
    (3.14159e20, "3.142×10²⁰"), ((1, 0.5), "1, 0.5"), (np.eye(2), "1, 0, 0, 1"), (True, "yes"), (np.nan, ""),
    ({"a": [1, 2], "b": np.float32(0.5)}, "a 1, 2, b 0.5"), (None, ""), ("kept", "kept"), (-0.0, "0"),
])
def test_one_way_to_write_a_number(value, text):
    assert as_text(value) == text


@given(st.floats(1e-11, 1e300) | st.integers(1, 10**9))
def test_what_is_written_is_the_number_to_four_digits(value):
    said = as_text(value).replace(",", "")
    mantissa, power = re.fullmatch(r"(?:([\d.]+)(?:×|$))?(?:10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", said).groups()
    exponent = (power or "0").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(f"{mantissa or 1}e{exponent}") == pytest.approx(value, rel=5.1e-4)


def test_text_has_words_at_the_left_and_numbers_at_the_right():
    lines = as_lines({"columns": ["name", "n"], "rows": [["a", "1"], ["long one", "1,000,000"]]})
    assert lines.splitlines() == ["name              n", "a                 1", "long one  1,000,000"]


# ---- one quantity, one precision

@cases("rows, texts", [
    ([[92.578, 0.3906], [4.688, 100.0]], [["92.58", "0.39"], ["4.69", "100.0"]]),
    ([[1.0, 1.164e-10], [0.0892, 0.0]], [["1.000", "0.000"], ["0.089", "0.000"]]),
    ([[1.0, 1177.087, 16384.0]], [["1", "1177", "16,384"]]),
    ([[8.805e11, 1.762e12]], [["8.805×10¹¹", "1.762×10¹²"]]), ([[4.16e-7]], [["4.16×10⁻⁷"]]),
    ([[np.nan, 0.5, None, "x", 3]], [["", "0.5", "", "x", "3"]])])
def test_numbers_of_one_quantity_have_as_many_decimals(rows, texts):
    assert as_one_quantity(rows) == texts


def test_a_band_is_written_like_its_line():
    bands = {"dice": ([0.0625, 0.015], [0.1, 0.0276], [0.5, 0.05]), "model": [1.125, 0.25]}
    ax = plots.plot_curves([32, 8192], bands, x_label="T", y_label="MaxVio")
    assert [row[1:] for row in ax.moeviz_table["rows"]] == [
        ["0.100 (0.062 to 0.500)", "1.125"], ["0.028 (0.015 to 0.050)", "0.250"]]


def test_the_numbers_of_a_description_are_written_as_everywhere():
    said = "8.05e+11 FLOPs, 3.98e-05%, mean 3.275e+04"
    ax = style.set_description(plots.plot_timing(["a", "b"], [1, 2]), said)
    assert style.describe(ax) == "8.05×10¹¹ FLOPs, 3.98×10⁻⁵%, mean 32,750"

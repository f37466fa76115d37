"""Tables of figures: the numbers that were drawn, under the names on the axes."""

import matplotlib.pyplot as plt
import numpy as np

from moeviz import plots, routing
from moeviz.figure_data import tables_of


def table(ax):
    ax.figure.canvas.draw()
    return tables_of(ax.figure)


def test_bars_stand_under_the_names_of_the_axis():
    logits = np.eye(4)[[0, 0, 0, 1]]
    shown, = table(plots.plot_load(routing.top_k(logits, k=1)))
    assert shown["columns"][0] == "expert"
    assert shown["rows"] == [["0", "75"], ["1", "25"], ["2", "0"], ["3", "0"]]


def test_bars_that_lie_keep_their_names():
    shown, = table(plots.plot_timing(["loop", "grouped"], [0.020, 0.004]))
    assert shown["columns"] == ["name", "time (ms)"]
    assert shown["rows"] == [["loop", "20"], ["grouped", "4"]]
    assert shown["title"] == "measured time"


def test_named_series_of_bars_are_told_apart():
    ax = plt.subplots()[1]
    ax.bar(["a", "b"], [1, 2], label="kept")
    ax.bar(["a", "b"], [3, 4], bottom=[1, 2], label="dropped")
    shown, = table(ax)
    assert shown["columns"] == ["series", "x", "value"]
    assert shown["rows"] == [["kept", "a", "1"], ["kept", "b", "2"],
                             ["dropped", "a", "3"], ["dropped", "b", "4"]]


def test_stacks_without_names_give_no_table():
    ax = plt.subplots()[1]
    ax.bar([0], [1])
    ax.bar([0], [2], bottom=[1])
    assert table(ax) == []


def test_long_lines_are_thinned_to_both_ends():
    x = np.arange(100)
    shown, = table(plots.plot_curves(x, {"dense": x ** 2.0}, x_label="step", y_label="loss"))
    assert shown["columns"] == ["series", "step", "loss"]
    assert len(shown["rows"]) == 12
    assert (shown["rows"][0], shown["rows"][-1]) == (["dense", "0", "0"], ["dense", "99", "9801"])


def test_unnamed_lines_and_text_pictures_give_no_table():
    ax = plt.subplots()[1]
    ax.axhline(1)
    ax.plot([0, 1], [0, 1])
    ax.text(0, 0, "x")
    assert table(ax) == []

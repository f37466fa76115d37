"""Pictures of single ideas: what they draw, read from their artists."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from moeviz import plots, style


def test_the_foot_of_a_token_on_a_vector_is_where_their_product_says():
    token, gate = np.array([2.0, 1.0]), np.array([[1.0, 3.0, -1.0], [0.0, 4.0, 1.0]])
    ax = plots.plot_products(token, gate)
    feet = np.array([line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"])
    for foot, vector in zip(feet, gate.T[np.argsort(token @ gate)], strict=True):
        assert foot @ vector == pytest.approx(token @ vector)
        assert (token - foot) @ vector == pytest.approx(0)
    assert ax.get_title() == "Token scores highest with expert 1: 10.00"


def test_a_cut_keeps_as_many_experts_as_reach_its_sum():
    rows = {"sure": [0.95, 0.03, 0.02], "even": [0.3, 0.4, 0.3]}
    ax = plots.plot_settings(rows, limit=0.9)
    assert ax.get_title() == "A sum of 0.9 takes 1 to 3 experts"
    order = [text.get_text() for text in ax.texts]
    assert order == ["0", "1", "2", "1", "0", "2"]


def test_rows_and_columns_of_one_matrix_are_each_chosen_evenly():
    scores = np.random.default_rng(0).normal(size=(6, 3))
    left, right = plots.plot_two_choices(scores, 1, 2)
    assert [int(text.get_text()) for text in right.texts[18:]] == \
        (np.argsort(np.argsort(-scores, axis=0), axis=0) < 2).sum(axis=1).tolist()
    assert [int(text.get_text()) for text in left.texts[18:]] == \
        np.bincount(scores.argmax(axis=1), minlength=3).tolist()


def test_no_line_of_a_cut_net_joins_two_experts_and_masks_look_back_alone():
    ax = plots.plot_network(np.ones((2, 4)), np.ones((4, 2)), 2)
    colors = [line.get_color() for line in ax.lines]
    assert len(colors) == 16 and [colors.count(color) for color in style.expert_colors(2)] == [8, 8]
    masks = [ax.images[0].get_array() > 0 for ax in plots.plot_masks(5, window=2, latent=0.5)]
    full, window, _, state = masks
    assert np.array_equal(full, np.tri(5)) and np.array_equal(state, np.eye(5))
    assert np.array_equal(window, np.tri(5) - np.tri(5, k=-2))


def test_ratios_start_at_one_and_years_have_their_median():
    ax = plots.plot_ratios({"a": 0.5, "b": 3.0})
    ax.figure.draw_without_rendering()
    assert [tick.get_text() for tick in ax.get_xticklabels(which="both")] == ["0.25", "0.5", "1", "2", "4"]
    lines, = (each for each in ax.collections if isinstance(each, LineCollection))
    assert [sorted(line[:, 0]) for line in lines.get_segments()] == [[0.5, 1.0], [1.0, 3.0]]
    ax = plots.plot_years([2023.1, 2023.9, 2024.5], [2.0, 6.0, 8.0], list("abc"), y_label="ratio")
    assert "4 in 2023, 8 in 2024" in ax.get_title()
    whole = plots.plot_years([2023, 2023, 2024], [2.0, 6.0, 8.0], list("abc"), y_label="ratio")
    places = whole.lines[0].get_xdata()
    assert len(set(places)) == 3 and places.astype(int).tolist() == [2023, 2023, 2024]


def test_minor_ticks_of_most_of_a_decade_are_named_at_2_3_and_5():
    ax = plots.plot_curves([37_000, 300_000], {"loss": [1.7, 1.5]}, x_label="weights", y_label="loss",
                           x_scale="log")
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    ticks = [tick for tick in ax.get_xticklabels(which="both") if low < tick.get_position()[0] < high]
    assert {tick.get_text() for tick in ticks} - {""} == {"50k", "100k", "200k", "300k"}


def test_names_stand_at_the_ends_where_lines_are_apart_and_else_where_they_are():
    x = np.linspace(0, 1, 21)
    apart = plots.plot_curves(x, {"a": x, "b": 1 - x}, x_label="", y_label="")
    assert [text.xy[0] for text in apart.texts] == [1, 1]
    bent = plots.plot_curves(x, {"a": x * (1 - x), "b": -x * (1 - x)}, x_label="", y_label="")
    assert [text.xy[0] for text in bent.texts] == [0.5, 0.5]


def test_a_jump_is_not_joined_by_a_slope():
    x = np.arange(6.0)
    ax = plots.plot_curves(x, {"a": np.where(x > 2, 1.0, 0.0)}, x_label="", y_label="", cut=(2, "off", "on"))
    assert [line.get_xdata().tolist() for line in ax.lines[:2]] == [[0, 1, 2], [3, 4, 5]]
    assert {"off", "on"} <= {text.get_text() for text in ax.texts}


def test_a_headline_is_a_subject_and_a_finding_or_a_whole_sentence():
    ax = plt.subplots(figsize=(10, 5))[1]
    titles = [style.headline(ax, "two of 3 are dead", subject).get_title() for subject in
              ("", "layer 1", "top-p", "top-1, layer 2", "after 400 steps with a loss",
               "layer 1, C = 9 by choice", "E = 64 needs 1/3 of the steps")]
    assert titles == ["Two of 3 are dead", "Layer 1: two of 3 are dead", "With top-p, two of 3 are dead",
                      "With top-1, layer 2: two of 3 are dead", "After 400 steps with a loss",
                      "Layer 1, C = 9 by choice: two of 3 are dead", "E = 64 needs 1/3 of the steps"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")

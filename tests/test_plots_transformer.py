"""The pictures of notebook 16: the block, a text with attention, damage, what tells, effects, writing."""

from itertools import pairwise

import numpy as np
import pytest

from cases import cases
from moeviz import plots
from moeviz.routing import top_k
from moeviz.style import describe
from plot_contract import (
    assert_draws_on_the_given_axes,
    assert_makes_its_own_figure,
    assert_texts_have_12_points,
)

ROUTED = top_k(np.eye(4)[[0, 1, 2, 3, 0, 0]], k=1)
LABELS = list("abcdef")
LOOKS = np.tri(2, 6, 2) / 3
DRAW = {
    "block": lambda **on: plots.plot_transformer_block({"attention": 400, "gate": 20, "expert": 100},
                                                       active=(2, 4), **on),
    "text": lambda **on: plots.plot_attended_text([ROUTED, ROUTED], LOOKS, LABELS, at=2, **on),
    "damage": lambda **on: plots.plot_damage([[0.9, 0.0], [0.1, 1.0]], [[0.1, 0.2], [0.1, 0.0]],
                                             ["digit", "space"], **on),
    "told": lambda **on: plots.plot_told([[0.9, 0.05, 0.0], [0.5, 0.2, 0.1]], **on),
    "effects": lambda **on: plots.plot_effects({"off": (0.8, 0.03), "off there": (0.0, 0.0)}, **on),
    "effects by group": lambda **on: plots.plot_effects(
        {"off": ((0.8, 0.1), (0.03, 0.02)), "silent": ((0.4, 0.2), (0.1, 0.1))},
        groups=("prose", "code"), **on),
    "use and harm": lambda **on: plots.plot_use_and_harm(
        [[[[0.0, 1.0]], [[0.5, 0.5]]]] * 2, [[[[0.3, 0.6]], [[0.0, 0.1]]], [[[0.2, 0.5]], [[0.0, 0.1]]]],
        [[0.9, 0.5], [0.8, 0.4]], seeds=["seed 0", "seed 1"], **on),
    "written": lambda **on: plots.plot_written(ROUTED, LABELS, window=2, **on),
}


@pytest.mark.parametrize("name", DRAW)
def test_each_keeps_the_contract(name):
    ax = assert_makes_its_own_figure(DRAW[name])
    assert len(describe(ax)) > 30 and ax.get_title()
    assert ax.figure.get_size_inches()[0] <= 10


@pytest.mark.parametrize("name", DRAW)
def test_each_draws_on_given_axes(name):
    assert_draws_on_the_given_axes(DRAW[name])


@pytest.mark.parametrize("name", DRAW)
def test_texts_have_12_points(name):
    assert_texts_have_12_points(DRAW[name])


def test_numbers_of_neighbouring_layers_stand_apart_on_a_phone_too():
    ax = plots.plot_use_and_harm(*np.ones((2, 1, 3, 1, 1)), np.ones((1, 3)), seeds=["seed 0"])
    for each in (ax, ax.moeviz_narrow()):
        each.figure.canvas.draw()
        boxes = [label.get_window_extent() for label in each.get_xticklabels() if label.get_text()]
        assert len(boxes) >= 7 and all(left.x1 + 20 < right.x0 for left, right in pairwise(boxes))


def test_the_difference_is_of_shares_of_a_column():
    ax = DRAW["damage"]()
    assert ax.get_title() == "Of the damage, 70% falls where use does not say it"
    assert "expert 0 is needed for space" in describe(ax).lower()


def test_areas_are_numbers_of_weights():
    boxes = [patch.get_width() * patch.get_height() for patch in DRAW["block"]().patches]
    assert boxes[0] / boxes[1] == pytest.approx(20) and boxes[0] / boxes[2] == pytest.approx(4)


def test_bars_of_attention_have_its_heights():
    ax = DRAW["text"]()
    bars = [patch for patch in ax.patches if patch.get_height() < 0]
    assert len(bars) == 7 and bars[0].get_height() == pytest.approx(-0.85)


def test_every_expert_and_class_of_a_seed_has_a_dot_in_its_layer():
    ax = DRAW["use and harm"]()
    dots = [each.get_offsets().tolist() for each in ax.collections]
    np.testing.assert_allclose(dots[0], [[0, 0.3], [1, 0.6], [1.7, 0.0], [1.7, 0.1]])
    np.testing.assert_allclose(dots[1], [[0, 0.2], [1, 0.5], [1.7, 0.0], [1.7, 0.1]])
    heads = [text.get_text() for text in ax.texts]
    assert heads == ["layer 1: r = 0.80 to 0.90", "layer 2: r = 0.40 to 0.50"]
    words = ax.get_title().replace("\n", " ")
    assert words == "Experts that hardly any byte of a class uses cost it up to 0.30 nats"
    assert "up to 0.30 nats" in describe(ax)


def test_the_paths_of_an_effect_are_named_in_words():
    ways = ["off", "off there", "attention blocked", "looking at 3"]
    ax = plots.plot_effects(dict.fromkeys(ways, (0.8, 0.03)))
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["off", "off at these bytes alone", "off, kept from all attention",
                     "off, kept from layer 3's attention"]


def test_effects_by_group_have_a_dot_each_and_a_logarithm_where_all_cost():
    ax = DRAW["effects by group"]()
    dots = [line for line in ax.lines if line.get_marker() in "o^"]
    assert [list(line.get_xdata()) for line in dots] == [[0.8, 0.4], [0.1, 0.2]]
    assert ax.get_xscale() == "log" and DRAW["effects"]().get_xscale() == "linear"
    assert [each.get_text() for each in ax.get_legend().get_texts()] == ["prose", "code"]
    assert ax.get_title().replace("\n", " ") == "Off costs 0.450 nats per byte, silent 0.300"


@cases(("draw", "word"), [
    (lambda: plots.plot_attended_text([ROUTED], LOOKS, LABELS, at=2), "layers"),
    (lambda: plots.plot_attended_text([ROUTED, ROUTED], LOOKS, LABELS, at=6), "at must"),
    (lambda: plots.plot_damage([[1.0]], [[1.0]], ["a", "b"]), "class_names"),
    (lambda: plots.plot_use_and_harm([[[[0]]]], [[[[0]]]], [[0, 1]], seeds=["a"]), "correlation"),
    (lambda: plots.plot_use_and_harm([[[[0]]]], [[[[0]]]], [[0]], seeds=["a", "b"]), "seeds"),
    (lambda: plots.plot_effects({}), "effects"),
    (lambda: plots.plot_effects({"off": ((1, 2, 3), (1, 2, 3))}, groups="ab"), "effects"),
    (lambda: plots.plot_written(ROUTED, LABELS, window=9), "window"),
])
def test_wrong_arguments_are_named(draw, word):
    with pytest.raises(ValueError, match=word):
        draw()


def test_every_seed_is_drawn_however_many_there_are():
    seeds = [f"seed {n}" for n in range(5)]
    one = np.ones((5, 1, 1, 1))
    ax = plots.plot_use_and_harm(one, one, one[..., 0, 0], seeds=seeds)
    assert [dots.get_label() for dots in ax.collections] == seeds

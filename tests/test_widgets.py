"""The explorers without a front end: what they draw, that they close it, and once inside a real kernel."""

import base64
import re
from functools import partial
from html import unescape
from io import BytesIO

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.display import HTML

from cases import cases
from moeviz import plots, routing, style, widgets
from moeviz.widgets import balancing, gating

pytestmark = pytest.mark.slow
GATE = np.array([[1.5, 0.0, -1.4, -0.4], [0.4, 1.0, 0.3, -1.1]])
LOGITS = np.random.default_rng(1).normal(size=(32, 8))
ANSWERS = np.random.default_rng(3).normal(size=(40, 4, 3))
DRAWS = np.random.default_rng(2).standard_normal((32, 8))
draw_temperature = partial(gating.draw_temperature, LOGITS, DRAWS, temperature=1.0, k=2, noise=0.0, token=0)
draw_capacity = partial(balancing.draw_capacity, routing.top_k(LOGITS, k=2), factor=1.0, order="choice",
                        step=None)


def read(html):
    """Return the alt text and the PNG of a picture as it is by day."""
    alt, png = re.search(r'<img [^>]*day" alt="([^"]*)"[^>]* src="data:[^,]*,([^"]*)">', html).groups()
    return unescape(alt), base64.b64decode(png)


def controls(box):
    return {control.description: control for control in box.children[1].children}


EXPLORERS = {
    "k": lambda: widgets.explore_k(ANSWERS, rng=np.random.default_rng(0)),
    "temperature": lambda: widgets.explore_temperature(LOGITS, rng=np.random.default_rng(0)),
    "capacity": lambda: widgets.explore_capacity(routing.top_k(LOGITS, k=2)),
}


@pytest.mark.parametrize("explore", EXPLORERS.values(), ids=EXPLORERS)
def test_an_explorer_shows_one_picture_with_alt_text_and_leaves_no_figure_open(explore, shown):
    before = dict(mpl.rcParams)
    box = explore()
    assert len(shown) == 1 and isinstance(shown[0], HTML)
    alt, png = read(shown[0].data)
    assert len(alt) > 60
    assert png.startswith(b"\x89PNG")
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
    assert 1 <= len(controls(box)) <= 4
    assert int(box.children[2].layout.min_height.removesuffix("px")) > 200


@pytest.mark.parametrize("explore", EXPLORERS.values(), ids=EXPLORERS)
def test_every_control_has_a_label_and_moving_it_shows_one_more_picture(explore, shown):
    box = explore()
    assert isinstance(box.children[0], ipywidgets.Label) and box.children[0].value
    for count, (label, control) in enumerate(controls(box).items(), start=2):
        assert label
        move(control)
        assert len(shown) == count
    assert plt.get_fignums() == []


def move(control):
    if isinstance(control, ipywidgets.Text):
        control.value += " world"
    elif hasattr(control, "options"):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        control.value = next(value for value in values if value != control.value)
    else:
        control.value = control.min if control.value != control.min else control.max


def test_pictures_of_one_explorer_have_one_size(shown):
    box = widgets.explore_entropy(LOGITS)
    controls(box)["temperature"].value = 3.0
    first, second = (plt.imread(BytesIO(read(image.data)[1])) for image in shown)
    assert first.shape == second.shape
    assert (first != second).any()


def test_a_shown_picture_is_the_one_that_matplotlib_saves(shown):
    widgets.core.show(lambda: plots.plot_regions(GATE), {})
    file = BytesIO()
    figure = plots.plot_regions(GATE).figure
    figure.savefig(file, dpi=figure.dpi)
    saved, mine = (plt.imread(BytesIO(png)) for png in (file.getvalue(), read(shown[0].data)[1]))
    assert saved.shape == mine.shape and np.abs(saved - mine).max() < 0.02


def test_what_the_picture_cannot_show_becomes_a_line_of_text(shown, capsys):
    box = widgets.explore(lambda k: gating.draw_k({"random": np.ones(4)}, k=k, pick="random"), caption="",
                          k=ipywidgets.IntSlider(2, 1, 9, description="k"))
    controls(box)["k"].value = 5
    assert len(shown) == 1
    assert "k must be" in capsys.readouterr().out
    controls(box)["k"].value = 3
    assert len(shown) == 2


@cases("count", [0, 5])
def test_no_control_or_too_many_are_refused(count):
    sliders = {f"c{at}": ipywidgets.IntSlider() for at in range(count)}
    with pytest.raises(ValueError, match="controls"):
        widgets.explore(lambda **values: None, caption="", **sliders)


# --- the pure drawings ---

def heights(ax):
    return [bar.get_height() for bar in ax.patches[:len(ax.get_xticks())]]


def weights(axes):
    """Return the (E,) weights in the last column of the gating picture."""
    return [bar.get_width() / 0.72 for bar in axes[0].patches if bar.get_width() != 0.2][-8:]


def test_temperature_changes_the_weights_but_not_the_choice():
    cold, hot = (draw_temperature(temperature=t) for t in (0.5, 2.0))
    assert heights(cold[1]) == heights(hot[1])
    assert max(weights(cold)) > max(weights(hot))
    expected = routing.top_k(LOGITS / 2, k=2).combine()[0]
    assert weights(hot) == pytest.approx(expected)
    assert float(hot[1].get_title().split()[-1]) > float(cold[1].get_title().split()[-1])


def test_noise_changes_the_choice_and_the_same_settings_give_the_same_picture():
    calm, wild, again = (draw_temperature(noise=n) for n in (0.0, 3.0, 3.0))
    assert heights(calm[1]) != heights(wild[1])
    assert heights(wild[1]) == heights(again[1])


def test_a_token_is_named_by_its_label():
    axes = draw_temperature(labels=list("abcdefgh" * 4), token=3)
    assert "token 3: d" in style.describe(axes[0])


@cases(("values", "name"), [({"temperature": 0.0}, "temperature"), ({"k": 9}, "k must"),
                                              ({"noise": -1.0}, "noise"), ({"token": 32}, "token")])
def test_wrong_temperatures_are_named(values, name):
    with pytest.raises(ValueError, match=name):
        draw_temperature(**values)


def test_noise_needs_a_generator():
    with pytest.raises(ValueError, match="rng"):
        widgets.explore_temperature(LOGITS, rng=0)


def test_more_seats_drop_less_and_the_order_changes_who_and_not_how_many():
    tight, wide = (draw_capacity(factor=f)[1].get_title() for f in (0.5, 4.0))
    assert int(tight.split("%")[0]) >= 50 and wide.startswith("0%")
    orders = [draw_capacity(factor=0.5, order=order) for order in balancing.ORDERS]
    assert {axes[1].get_title() for axes in orders} == {tight}
    assert all(order in axes[0].get_title() for order, axes in zip(balancing.ORDERS, orders, strict=True))


@cases(("values", "name"), [({"factor": -1.0}, "factor"), ({"order": "last"}, "order"),
                                              ({"step": 65}, "step"), ({"labels": ["a"]}, "labels")])
def test_wrong_capacities_are_named(values, name):
    with pytest.raises(ValueError, match=name):
        draw_capacity(**values)


# --- inside a kernel ---

@pytest.mark.notebook
def test_an_explorer_runs_in_a_kernel_without_a_front_end():
    nbformat, notebooks = pytest.importorskip("nbformat"), pytest.importorskip("tools.notebooks")
    source = ("import numpy as np\nfrom moeviz import style, widgets\nstyle.use()\n"
              "box = widgets.explore_entropy(np.eye(4))\n"
              "box.children[1].children[2].value = 3\nbox")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook = notebooks.execute(notebook)
    assert "application/vnd.jupyter.widget-view+json" in notebook.cells[0].outputs[-1]["data"]
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    outputs = [out for widget in state.values() for out in widget["state"].get("outputs", [])]
    assert len(outputs) == 1  # the second picture took the place of the first
    alt, png = read(outputs[0]["data"]["text/html"])
    assert "map" in alt.lower() and png.startswith(b"\x89PNG")


def test_missing_shares_fall_to_zero_and_good_picking_loses_least():
    missing = gating.missing_shares(ANSWERS, np.random.default_rng(0))
    one = np.linalg.norm(ANSWERS, axis=2).argmax(axis=1)
    whole = ANSWERS.sum(axis=1)
    by_hand = sum(((whole[t] - ANSWERS[t, one[t]]) ** 2).sum() for t in range(40)) / (whole ** 2).sum()
    assert missing["longest answers"][0] == pytest.approx(by_hand)
    assert all(shares[-1] == pytest.approx(0, abs=1e-12) for shares in missing.values())
    assert missing["longest answers"][1] < missing["random"][1]


def test_the_random_pick_is_that_of_a_random_route_of_the_same_seed():
    missing = gating.missing_shares(ANSWERS, np.random.default_rng(1))["random"]
    tokens, many = ANSWERS.shape[:2]
    active = routing.random_route(tokens, many, 2, rng=np.random.default_rng(1)).dispatch()
    whole, kept = ANSWERS.sum(axis=1), np.einsum("te,ted->td", active, ANSWERS)
    assert missing[1] == pytest.approx(((whole - kept) ** 2).sum() / (whole ** 2).sum())


def test_the_chosen_point_and_the_title_follow_k_and_pick():
    missing = {"a": np.array([0.5, 0.25, 0.0, 0.0]), "b": np.array([0.8, 0.6, 0.4, 0.0])}
    ax = gating.draw_k(missing, k=2, pick="b")
    assert ax.get_title().replace("\n", " ") == "50% of the work, 60% of the output missing"
    assert ax.lines[-1].get_xydata().tolist() == [[2, 0.6]]
    assert not ax.lines[-1].get_clip_on()  # at the last k half of it would be cut off
    for values in ({"k": 5, "pick": "a"}, {"k": 1, "pick": "c"}):
        with pytest.raises(ValueError, match=r"^(k|pick) must"):
            gating.draw_k(missing, **values)

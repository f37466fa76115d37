"""The explorers of notebooks 05 and 06 without a front end: what their pure drawings show."""

from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest

from cases import cases
from moeviz import capacity, metrics, routing, widgets
from moeviz.widgets import balancing

pytestmark = pytest.mark.slow
LOGITS = np.random.default_rng(1).normal(size=(24, 4))
ROUTED = routing.top_k(LOGITS, k=2)
draw_entropy = partial(balancing.draw_entropy, LOGITS, temperature=1.0, push=0.0, expert=0, k=2)


def controls(box):
    return {control.description: control for control in box.children[1].children}


def test_every_control_shows_one_more_picture(shown):
    box = widgets.explore_entropy(LOGITS)
    for count, control in enumerate(controls(box).values(), start=2):
        move(control)
        assert len(shown) == count
    assert plt.get_fignums() == []


def move(control):
    if hasattr(control, "options"):
        control.index = 1
    else:
        lowest = isinstance(control, ipywidgets.IntSlider)
        control.value = control.min if lowest else control.value * 1.5 + 0.5


# --- entropy ---

def spot(axes):
    return next(line for line in axes[0].lines if line.get_marker() == "o").get_xydata()[0]


def test_the_default_point_is_the_router_itself():
    assert spot(draw_entropy()) == pytest.approx(
        [metrics.router_entropy(ROUTED), metrics.load_entropy(ROUTED)])


def test_temperature_moves_the_point_sideways_only():
    cold, hot = (spot(draw_entropy(temperature=heat)) for heat in (0.1, 10.0))
    assert hot[0] - cold[0] > 0.5
    assert hot[1] == pytest.approx(cold[1])


def test_a_push_and_heat_reach_the_corner_undecided_and_collapsed():
    axes = draw_entropy(push=8.0, expert=2, temperature=30.0, k=1)
    across, up = spot(axes)
    assert across > 0.9 and up == pytest.approx(0)
    assert [bar.get_height() for bar in axes[1].patches[:4]] == [0, 0, 100, 0]


@cases(("values", "message"), [
    ({"temperature": 0.0}, "temperature"), ({"expert": 4}, "expert"), ({"push": np.inf}, "push"),
    ({"k": 5}, "k must be"),
])
def test_bad_settings_of_the_map_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        draw_entropy(**values)


def test_the_load_shows_the_choices_that_have_arrived():
    routed = routing.top_k(np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]]), k=2)
    axes = balancing.draw_capacity(routed, factor=2 / 3, order="choice", step=3)
    assert axes[0].get_title().replace("\n", " ").endswith("by choice: 1 of 3 choices find no seat")
    assert axes[0].title.get_window_extent().y1 <= axes[0].figure.bbox.y1
    assert axes[1].get_title() == "33% of choices dropped"
    assert "100" in [text.get_text() for text in axes[1].texts]
    everyone = balancing.draw_capacity(routed, factor=2 / 3, order="choice", step=None)
    assert everyone[1].get_title() == "33% of choices dropped"


def test_each_step_of_the_seats_is_a_whole_seat():
    for tokens, experts in ((6, 3), (34, 8), (7, 3)):
        routed = routing.top_k(np.random.default_rng(0).normal(size=(tokens, experts)), k=2)
        seats = [capacity.expert_capacity(tokens, experts, 2, factor)
                 for _, factor in balancing._whole_seats(routed)]
        assert seats == list(range(1, len(seats) + 1))

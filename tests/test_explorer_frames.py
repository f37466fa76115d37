"""The frame of every explorer: fixed margins that hold everything and let the panels stand still."""

import functools
from itertools import product

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from moeviz.filmstrip import shoot
from moeviz.style import PHONE
from tools import explorers

pytestmark = pytest.mark.slow
ROOM = 0.005  # inches that anything may stand over, half a pixel
GROWS = {"capacity",  # its seats keep their shape
         "placement",  # from 16 devices on with a colour bar
         "evidence"}  # dots want equal scales, bars do not


@pytest.fixture(scope="module")
def drawn_by():
    """Return a function of an explorer's name: its pictures, drawn once for both tests."""
    with mpl.rc_context():  # the setup applies the classroom style
        handed_over = explorers.handed_over()
        yield functools.cache(lambda name: list(pictures(*handed_over[name])))


def pictures(redraw, controls):
    """Yield (values, figure) at each setting that there is; else a line of text takes its place."""
    for values in settings(controls):
        try:
            figure = np.ravel(redraw(**values))[0].figure
        except ValueError:
            continue
        plt.close(figure)  # pyplot need not keep it, too
        yield values, figure


def settings(controls):
    """Yield the controls at rest, every combination of their ends, and each other choice of one of them."""
    rest = {name: control.value for name, control in controls.items()}
    ends = [[_value(control, end) for end in (0, -1)] for control in controls.values()]
    first, *between, last = [dict(zip(controls, values, strict=True)) for values in product(*ends)]
    yield from (rest, first, last, *between)
    for name, control in controls.items():
        yield from (rest | {name: _value(control, at)}
                    for at in range(1, len(getattr(control, "options", ())) - 1))


def _value(control, end):
    if hasattr(control, "options"):
        option = control.options[end]
        return option[1] if isinstance(option, tuple) else option
    if not hasattr(control, "max"):
        return control.value
    extreme = (control.min, control.max)[end]
    return control.base**extreme if hasattr(control, "base") else extreme


@pytest.mark.parametrize("name", explorers.CELLS)
def test_fixed_margins_hold_everything_and_panels_stand_still(drawn_by, name):
    places = []
    for values, figure in drawn_by(name):
        assert figure.get_layout_engine() is None
        drawn, size = figure.get_tightbbox(), figure.get_size_inches()
        assert min(drawn.x0, drawn.y0, size[0] - drawn.x1, size[1] - drawn.y1) > -ROOM, values
        places.append(np.concatenate([size, *(ax.get_position(original=True).extents for ax in figure.axes)]))
    assert places and (name in GROWS or all(np.allclose(place, places[0]) for place in places))


@pytest.mark.parametrize("name", explorers.CELLS)
def test_a_panel_of_a_filmstrip_can_be_read_on_a_phone(drawn_by, name):
    for values, figure in drawn_by(name)[:3]:  # at rest and at both ends
        shot = shoot(figure)
        panels = shot.panels or [[[0, 0, shot.pixels.shape[1], 0]]]
        widest = max(sum(right - left for left, _, right, _ in boxes) for boxes in panels)
        assert widest <= 100 * PHONE, values

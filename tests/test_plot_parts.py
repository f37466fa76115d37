"""Bars and minor ticks that take less time than matplotlib's own: the picture is the same, pixel by pixel."""

import numpy as np
import pytest
from matplotlib.ticker import LogFormatter

from moeviz import style
from moeviz.plots.draw import draw_bars, merge_minor_ticks

pytestmark = pytest.mark.slow
LOOK = {"edgecolor": "black", "linewidth": 0.8, "hatch": "//"}


def pixels(ax):
    ax.figure.canvas.draw()
    return np.asarray(ax.figure.canvas.buffer_rgba()).tolist()


def new_axes(**settings):
    style.use()
    ax = style.fixed_axes((4, 3), left=0.8)
    ax.set(**settings)
    return ax


def test_bars_look_as_those_of_matplotlib_and_leave_the_limits_alone():
    mine, theirs = (new_axes(xlim=(-1, 3), ylim=(0, 9)) for _ in range(2))
    heights, colors = [3, 0, 7.5], style.expert_colors(3)
    draw_bars(mine, np.arange(3) - 0.4, [1, 0, 0], 0.8, heights, facecolor=colors, **LOOK)
    theirs.bar(range(3), heights, bottom=[1, 0, 0], color=colors, **LOOK)
    assert pixels(mine) == pixels(theirs)
    free = new_axes()
    draw_bars(free, 0, 0, 50, 50, facecolor="black")
    assert free.dataLim.extents.tolist() == new_axes().dataLim.extents.tolist()


def test_there_may_be_no_bars_at_all():
    assert draw_bars(new_axes(), [], 0, 1, 1, facecolor=[]) == []


@pytest.mark.parametrize("scales", [{}, {"xscale": "log"}, {"yscale": "log"},
                                    {"xscale": "log", "yscale": "log"}])
def test_merged_minor_ticks_look_as_those_of_matplotlib(scales):
    limits = {"xlim": (3, 4e3), "ylim": (0.5, 200)}
    mine, theirs = new_axes(**scales, **limits), new_axes(**scales, **limits)
    merge_minor_ticks(mine)
    assert len(mine.lines) == len(scales)
    assert pixels(mine) == pixels(theirs)
    for axis, scale in ((mine.xaxis, "xscale"), (mine.yaxis, "yscale")):
        assert scale not in scales or not len(axis.get_minorticklocs())


def test_minor_ticks_with_labels_stay():
    mine, theirs = (new_axes(xscale="log", xlim=(2, 6)) for _ in range(2))
    assert any(LogFormatter.format_ticks(mine.xaxis.get_minor_formatter(), mine.xaxis.get_minorticklocs()))
    merge_minor_ticks(mine)
    assert pixels(mine) == pixels(theirs)

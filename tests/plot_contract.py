"""What every plot on one Axes promises, for the test files of the plots to share."""

from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np

from moeviz import style
from moeviz.plots.draw import SANS, outline


def assert_draws_on_the_given_axes(draw):
    """Hold `draw(ax=...)` to its axes: no new figure, nothing on the neighbour, no setting changed."""
    before = dict(mpl.rcParams)
    _, axes = plt.subplots(1, 2)
    assert draw(ax=axes[0]) is axes[0]
    assert len(plt.get_fignums()) == 1
    assert not axes[1].has_data()
    assert dict(mpl.rcParams) == before
    axes[0].figure.draw_without_rendering()


def assert_makes_its_own_figure(draw):
    """Hold `draw()` without axes to one new figure, the current axes left alone; return its axes."""
    current = plt.figure().add_subplot()
    ax = draw()
    assert ax is not current and not current.has_data()
    assert len(plt.get_fignums()) == 2
    return ax


def assert_texts_have_12_points(draw):
    """Hold `draw()` in the classroom style to texts that can be read from the back of the room."""
    with mpl.rc_context():
        style.use()
        ax = draw()
        ax.figure.draw_without_rendering()
        sizes = [text.get_fontsize() for text in ax.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= 12


class Word(NamedTuple):
    """A text as it was drawn: its place in data, its box in pixels, "normal" or "bold"."""

    text: str
    place: tuple
    box: np.ndarray
    weight: str


def words_on(ax, label, candidates):
    """Read the texts that were drawn as outlines in one artist; each has to be one of the candidates."""
    drawn, = [each for each in ax.collections if each.get_label() == label]
    shapes = [(text, weight, _shape(outline(text, SANS, weight)))
              for text in candidates for weight in ("normal", "bold")]
    words = []
    for path, place in zip(drawn.get_paths(), drawn.get_offsets(), strict=True):
        text, weight = next((text, weight) for text, weight, shape in shapes
                            if len(shape) == len(path.vertices) and np.allclose(shape, _shape(path)))
        corners = drawn.get_transform().transform(path.vertices) + ax.transData.transform(place)
        words.append(Word(text, tuple(place), np.hstack([corners.min(axis=0), corners.max(axis=0)]), weight))
    return words


def _shape(path):
    """Return the vertices of an outline wherever it stands and however large it is."""
    return (path.vertices - path.vertices.min(axis=0)) / np.ptp(path.vertices[:, 1])

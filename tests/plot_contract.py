"""What every plot on one Axes promises, for the test files of the plots to share."""

import matplotlib as mpl
import matplotlib.pyplot as plt

from moeviz import style


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

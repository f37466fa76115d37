"""Notebook 21: a suspect beside the right step, from any view."""

from functools import partial

import ipywidgets

from moeviz import plots
from moeviz.widgets.core import explore


def explore_evidence(find, suspects, views, *, suspect=None, view=None):
    """Choose a suspect and a view; the picture sets it beside the right step.

    find(name, view): returns a plots.Evidence, also for the name "right". suspects, views: names; the first
    of each is shown unless suspect and view say otherwise.
    """
    return explore(
        partial(draw_evidence, find), film=("suspect",),
        caption="Which view gives a suspect away? Compare with the right step on the left.",
        suspect=ipywidgets.Dropdown(options=tuple(suspects), value=suspect or suspects[0],
                                    description="suspect"),
        view=ipywidgets.Dropdown(options=tuple(views), value=view or views[0], description="view"))


def draw_evidence(find, *, suspect, view):
    """Draw the Evidence of the right step and of a suspect side by side; return Axes (2,)."""
    return plots.plot_evidence({"right": find("right", view), f"suspect {suspect}": find(suspect, view)})

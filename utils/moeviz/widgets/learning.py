"""Notebook 14: choose an opponent, a loss and what to count, and read the saving off the curves."""

import ipywidgets

from moeviz import plots
from moeviz.arrays import check_choice
from moeviz.learning import cheapest, load_curves, opponents_of, saving
from moeviz.plots.draw import merge_minor_ticks
from moeviz.style import fixed_axes
from moeviz.widgets.core import explore

COUNTS = {"flops": "FLOPs", "steps": "steps", "seconds": "seconds"}
KINDS = ("the same net, longer", "the best dense width", "equal total size")
LOWEST, HIGHEST = 1.3, 2.05


def explore_saving(*, experts=64, opponent="the same net, longer", target=1.6):
    """Choose the mixture, its opponent, the loss to reach and the count; nothing is trained meanwhile."""
    curves = load_curves()
    return explore(
        lambda **values: draw_saving(curves, **values),
        caption="Which opponent makes the mixture look best? Does it save the same in steps and in seconds?",
        experts=ipywidgets.Dropdown(options=[(f"E = {e}", e) for e in (4, 16, 64)], value=experts,
                                    description="mixture"),
        opponent=ipywidgets.Dropdown(options=KINDS, value=opponent,
                                     description="against"),
        target=ipywidgets.FloatSlider(target, min=1.46, max=1.9, step=0.02, description="loss to reach",
                                      readout_format=".2f", continuous_update=False),
        of=ipywidgets.Dropdown(options=[(words, name) for name, words in COUNTS.items()], value="flops",
                               description="count"))


def draw_saving(curves, *, experts=64, opponent="the same net, longer", target=1.6, of="flops"):
    """Draw a mixture against one kind of opponent, with what each needs for the target; return the Axes.

    curves: {name: Curve}. Raises ValueError for a mixture, opponent or count that there is not.
    """
    kinds = opponents_of(curves, experts)
    check_choice(opponent, "opponent", kinds)
    own = f"E = {experts}"
    shown = {own: curves[own]} | kinds[opponent]
    marks = [cheapest({own: curves[own]}, target, of=of), cheapest(kinds[opponent], target, of=of)]
    marks = [(need, f"{need / marks[0][1]:.1f} x") for name, need in marks if name and marks[0][0]]
    factor = saving(curves[own], kinds[opponent], target=target, of=of)
    words = (f"{own} needs {factor:.1f} times fewer {COUNTS[of]}" if factor >= 1 else
             f"{own} needs {1 / factor:.1f} times more {COUNTS[of]}" if factor == factor else
             f"not both of them reach a loss of {target:.2f}")
    ax = plots.plot_learning(shown, of=of, target=target, marks=marks, title=words, limits=(LOWEST, HIGHEST),
                             ax=fixed_axes((11, 6.2), left=0.8, right=0.5, bottom=0.72))
    merge_minor_ticks(ax)
    return ax

"""Pictures of routing: every `plot_x(data, *, ax=None, ...)` draws on one Axes and returns it.

Nothing here computes statistics, draws random numbers, shows or saves.
"""

from moeviz.plots.assignment import plot_assignment
from moeviz.plots.flow import plot_flow
from moeviz.plots.load import plot_load
from moeviz.plots.text import plot_text, plot_text_layers

__all__ = ["plot_assignment", "plot_flow", "plot_load", "plot_text", "plot_text_layers"]

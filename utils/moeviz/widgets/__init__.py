"""Explorers: move a control, see the picture change. The only package that imports ipywidgets and IPython.

Each `explore_x` puts controls over one pure `draw_x(...)`, which draws on a new figure and stands beside it
in its module. `explore` shows the figure, with its description as alt text, and closes it.
"""

from moeviz.widgets.balancing import explore_capacity, explore_entropy, explore_scoreboard
from moeviz.widgets.compute import (
    explore_batch,
    explore_context,
    explore_model,
    explore_readers,
    explore_saving,
    explore_years,
)
from moeviz.widgets.core import explore
from moeviz.widgets.gating import explore_k, explore_saturation, explore_temperature
from moeviz.widgets.real import (
    explore_cache,
    explore_evidence,
    explore_exchange,
    explore_expert,
    explore_placement,
)

__all__ = [
    "explore", "explore_batch", "explore_cache", "explore_capacity", "explore_context", "explore_entropy",
    "explore_evidence", "explore_exchange", "explore_expert", "explore_k", "explore_model",
    "explore_placement", "explore_readers", "explore_saturation", "explore_saving", "explore_scoreboard",
    "explore_temperature", "explore_years",
]

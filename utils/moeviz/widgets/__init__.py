"""Explorers: move a control, see the picture change. The only package that imports ipywidgets and IPython.

Each `explore_x` puts controls over one pure `draw_x(...)`, which draws on a new figure and can be called
by itself. `explore` shows the figure, with its description as alt text, and closes it.
"""

from moeviz.widgets.balancing import (
    ORDERS,
    draw_capacity,
    draw_entropy,
    draw_scoreboard,
    explore_capacity,
    explore_entropy,
    explore_scoreboard,
)
from moeviz.widgets.compute import (
    draw_batch,
    draw_context,
    draw_model,
    draw_readers,
    draw_saving,
    draw_years,
    explore_batch,
    explore_context,
    explore_model,
    explore_readers,
    explore_saving,
    explore_years,
)
from moeviz.widgets.core import explore
from moeviz.widgets.gating import (
    draw_k,
    draw_saturation,
    draw_sentence,
    draw_temperature,
    explore_k,
    explore_saturation,
    explore_sentence,
    explore_temperature,
    missing_shares,
)
from moeviz.widgets.real import (
    draw_cache,
    draw_evidence,
    draw_expert,
    draw_placement,
    explore_cache,
    explore_evidence,
    explore_exchange,
    explore_expert,
    explore_placement,
)

__all__ = [
    "ORDERS", "draw_batch", "draw_cache", "draw_capacity", "draw_context",
    "draw_entropy", "draw_evidence", "draw_expert", "draw_k", "draw_model",
    "draw_placement", "draw_readers", "draw_saturation", "draw_saving", "draw_scoreboard",
    "draw_sentence", "draw_temperature", "draw_years", "explore", "explore_batch", "explore_cache",
    "explore_capacity", "explore_context", "explore_entropy", "explore_evidence",
    "explore_exchange", "explore_expert", "explore_k", "explore_model", "explore_placement",
    "explore_readers", "explore_saturation", "explore_saving", "explore_scoreboard",
    "explore_sentence", "explore_temperature", "explore_years", "missing_shares",
]

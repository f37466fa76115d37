"""Explorers: move a control, see the picture change. The only package that imports ipywidgets and IPython.

Each `explore_x` puts controls over one pure `draw_x(...)`, which draws on a new figure and can be called
by itself. `explore` shows the figure, with its description as alt text, and closes it.
"""

from moeviz.widgets.balancing import draw_balance, explore_balance
from moeviz.widgets.batch import draw_batch, explore_batch
from moeviz.widgets.builder import draw_model, explore_model
from moeviz.widgets.cache import draw_cache, explore_cache
from moeviz.widgets.context import draw_context, explore_context
from moeviz.widgets.core import explore
from moeviz.widgets.drops import draw_drops, explore_drops
from moeviz.widgets.entropy import draw_entropy, explore_entropy
from moeviz.widgets.evidence import draw_evidence, explore_evidence
from moeviz.widgets.gate import draw_gate, explore_gate
from moeviz.widgets.learning import draw_saving, explore_saving
from moeviz.widgets.placement import draw_placement, explore_placement
from moeviz.widgets.scoreboard import draw_scoreboard, explore_scoreboard
from moeviz.widgets.seats import ORDERS, draw_capacity, explore_capacity
from moeviz.widgets.sentence import draw_sentence, explore_sentence
from moeviz.widgets.sparsity import draw_k, explore_k, missing_shares
from moeviz.widgets.specialise import draw_expert, explore_expert
from moeviz.widgets.temperature import draw_temperature, explore_temperature
from moeviz.widgets.thermostat import draw_bias, explore_bias
from moeviz.widgets.years import draw_years, explore_years

__all__ = [
    "ORDERS", "draw_balance", "draw_batch", "draw_bias", "draw_cache", "draw_capacity", "draw_context",
    "draw_drops", "draw_entropy", "draw_evidence", "draw_expert", "draw_gate", "draw_k", "draw_model",
    "draw_placement", "draw_saving", "draw_scoreboard", "draw_sentence", "draw_temperature",
    "draw_years", "explore", "explore_balance", "explore_batch", "explore_bias", "explore_cache",
    "explore_capacity", "explore_context", "explore_drops", "explore_entropy", "explore_evidence",
    "explore_expert", "explore_gate", "explore_k", "explore_model", "explore_placement",
    "explore_saving", "explore_scoreboard", "explore_sentence", "explore_temperature", "explore_years",
    "missing_shares",
]

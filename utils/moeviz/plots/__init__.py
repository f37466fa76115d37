"""Pictures of routing: every `plot_x(data, *, ax=None, ...)` draws on one Axes and returns it.

Nothing here computes statistics, draws random numbers, shows or saves.
"""

from moeviz.plots.assignment import plot_assignment
from moeviz.plots.block import plot_block
from moeviz.plots.cache import plot_cache
from moeviz.plots.cost import plot_ledger, plot_shares
from moeviz.plots.curves import plot_curves, plot_timing
from moeviz.plots.dense_blocks import plot_dense_blocks
from moeviz.plots.domains import plot_domain_experts, plot_pair_flow
from moeviz.plots.entropy_map import plot_entropy_map
from moeviz.plots.evidence import Evidence, plot_evidence
from moeviz.plots.film import plot_load_film
from moeviz.plots.flow import plot_flow
from moeviz.plots.gate_steps import plot_gate_steps
from moeviz.plots.learning import plot_learning
from moeviz.plots.load import plot_load
from moeviz.plots.matrix import plot_matrix
from moeviz.plots.meters import plot_meters
from moeviz.plots.model_map import plot_model_map
from moeviz.plots.noise import plot_noisy_threshold
from moeviz.plots.regions import plot_regions
from moeviz.plots.roofline import plot_roofline
from moeviz.plots.scoreboard import plot_scoreboard
from moeviz.plots.seats import plot_seats
from moeviz.plots.specialise import plot_against_null, plot_nulls, plot_profile
from moeviz.plots.text import plot_text, plot_text_layers
from moeviz.plots.text_orders import plot_text_orders
from moeviz.plots.thermostat import plot_thermostat
from moeviz.plots.timeline import plot_timeline
from moeviz.plots.tongues import plot_text_rows
from moeviz.plots.tradeoff import plot_tradeoff
from moeviz.plots.traffic import plot_device_load, plot_traffic

__all__ = [
    "Evidence", "plot_against_null", "plot_assignment", "plot_block", "plot_cache", "plot_curves",
    "plot_dense_blocks", "plot_device_load", "plot_domain_experts", "plot_entropy_map", "plot_evidence",
    "plot_flow", "plot_gate_steps", "plot_learning", "plot_ledger", "plot_load", "plot_load_film",
    "plot_matrix", "plot_meters", "plot_model_map", "plot_noisy_threshold", "plot_nulls",
    "plot_pair_flow", "plot_profile", "plot_regions", "plot_roofline", "plot_scoreboard", "plot_seats",
    "plot_shares", "plot_text", "plot_text_layers", "plot_text_orders", "plot_text_rows",
    "plot_thermostat", "plot_timeline", "plot_timing", "plot_tradeoff", "plot_traffic",
]

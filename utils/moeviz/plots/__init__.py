"""Pictures of routing: every `plot_x(data, *, ax=None, ...)` draws on one Axes and returns it.

Nothing here computes statistics, draws random numbers, shows or saves.
"""

from moeviz.plots.block import plot_block, plot_dense_blocks, plot_masks, plot_network
from moeviz.plots.charts import (
    plot_curves,
    plot_learning,
    plot_matrix,
    plot_ratios,
    plot_timing,
    plot_years,
)
from moeviz.plots.compare import Evidence, plot_evidence, plot_scoreboard, plot_tradeoff
from moeviz.plots.cost import plot_ledger, plot_model_map, plot_roofline, plot_shares
from moeviz.plots.devices import (
    plot_cache,
    plot_device_load,
    plot_device_loads,
    plot_exchange,
    plot_timeline,
    plot_traffic,
)
from moeviz.plots.dispatch import plot_assignment, plot_flow, plot_seats, plot_two_choices
from moeviz.plots.gate import (
    plot_gate_steps,
    plot_noisy_threshold,
    plot_products,
    plot_region_change,
    plot_regions,
    plot_saturation,
    plot_settings,
)
from moeviz.plots.load import (
    plot_entropy_map,
    plot_load,
    plot_load_film,
    plot_meters,
    plot_push,
    plot_thermostat,
)
from moeviz.plots.meaning import (
    plot_against_null,
    plot_domain_experts,
    plot_nulls,
    plot_pair_flow,
    plot_profile,
)
from moeviz.plots.text import plot_text, plot_text_layers, plot_text_orders, plot_text_rows
from moeviz.plots.transformer import (
    plot_attended_text,
    plot_damage,
    plot_effects,
    plot_told,
    plot_transformer_block,
    plot_use_and_harm,
    plot_written,
)

__all__ = [
    "Evidence", "plot_against_null", "plot_assignment", "plot_attended_text", "plot_block",
    "plot_cache", "plot_curves", "plot_damage", "plot_dense_blocks", "plot_device_load",
    "plot_device_loads", "plot_domain_experts", "plot_effects", "plot_entropy_map", "plot_evidence",
    "plot_exchange", "plot_flow",
    "plot_gate_steps", "plot_learning", "plot_ledger", "plot_load", "plot_load_film", "plot_masks",
    "plot_matrix", "plot_meters", "plot_model_map", "plot_network", "plot_noisy_threshold",
    "plot_nulls", "plot_pair_flow", "plot_products", "plot_profile", "plot_push", "plot_ratios",
    "plot_region_change", "plot_regions", "plot_roofline", "plot_saturation", "plot_scoreboard",
    "plot_seats", "plot_settings", "plot_shares", "plot_text", "plot_text_layers",
    "plot_text_orders", "plot_text_rows", "plot_thermostat", "plot_timeline", "plot_timing",
    "plot_told", "plot_tradeoff", "plot_traffic", "plot_transformer_block", "plot_two_choices",
    "plot_use_and_harm", "plot_written", "plot_years",
]

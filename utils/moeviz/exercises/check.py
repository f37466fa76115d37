"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

from moeviz.exercises.nb00_start import combine, favourites, load
from moeviz.exercises.nb01_sparse import count, sparse, split
from moeviz.exercises.nb02_gating import margin, repaired, wanted
from moeviz.exercises.nb03_topk import biased, survivors, threshold
from moeviz.exercises.nb04_dispatch import gather, scatter, waste
from moeviz.exercises.nb05_load import entropies, layers, moves
from moeviz.exercises.nb06_capacity import seated, seats, sure_first
from moeviz.exercises.nb07_collapse import dead, switch_gradient, switch_loss
from moeviz.exercises.nb08_thermostat import scopes, swings, thermostat
from moeviz.exercises.nb09_construction import columns, overheard, sweep
from moeviz.exercises.nb10_board import leaked, next_best, reading
from moeviz.exercises.nb11_counting import fitting, token_flops, whole_model
from moeviz.exercises.nb12_models import from_config, readings, tolerance
from moeviz.exercises.nb13_faster import chip, intensity, step_time
from moeviz.exercises.nb14_learning import factor, reach, training_flops
from moeviz.exercises.nb15_context import cache, crossover, saving
from moeviz.exercises.nb16_real_transformer import beyond_chance, block_step, causal, without
from moeviz.exercises.nb17_specialise import repeated, together, within_script
from moeviz.exercises.nb18_traces import above_null, identical, rule
from moeviz.exercises.nb19_cluster import device_load, straggle, wire_bytes
from moeviz.exercises.nb20_serving import known_load, lru_hits, read_bytes
from moeviz.exercises.nb21_hunt import Budget, balanced, budget, name_bug, served, weighed

__all__ = [
    "Budget", "above_null", "balanced", "beyond_chance", "biased", "block_step", "budget", "cache",
    "causal", "chip", "columns", "combine", "count", "crossover", "dead", "device_load", "entropies",
    "factor", "favourites", "fitting", "from_config", "gather", "identical", "intensity", "known_load",
    "layers", "leaked", "load", "lru_hits", "margin", "moves", "name_bug", "next_best", "overheard",
    "reach", "read_bytes", "reading", "readings", "repaired", "repeated", "rule", "saving", "scatter",
    "scopes", "seated", "seats", "served", "sparse", "split", "step_time", "straggle", "sure_first",
    "survivors", "sweep", "swings", "switch_gradient", "switch_loss", "thermostat", "threshold",
    "together", "token_flops", "tolerance", "training_flops", "wanted", "waste", "weighed", "whole_model",
    "wire_bytes", "within_script", "without",
]

"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

from moeviz.exercises.balance import entropies, layers, violation
from moeviz.exercises.board import leaked, next_best, reading
from moeviz.exercises.budget import Budget, budget
from moeviz.exercises.bug_hunt import balanced, served, weighed
from moeviz.exercises.bugs import name_bug
from moeviz.exercises.catalogue import from_config, readings, tolerance
from moeviz.exercises.cluster import device_load, straggle, wire_bytes
from moeviz.exercises.collapse import dead, switch_gradient, switch_loss
from moeviz.exercises.context import cache, crossover, saving
from moeviz.exercises.counting import moe_layer, token_flops, whole_model
from moeviz.exercises.dispatch import gather, scatter, waste
from moeviz.exercises.gating import margin, softmax, top_2
from moeviz.exercises.learning import factor, reach, training_flops
from moeviz.exercises.orders import biased, survivors, threshold
from moeviz.exercises.real_models import above_null, lru_hits, trace_weights
from moeviz.exercises.seats import seated, seats, sure_first
from moeviz.exercises.seconds import break_even, intensity, step_time
from moeviz.exercises.sparse import count, sparse, split
from moeviz.exercises.specialise import repeated, together, within_script
from moeviz.exercises.start import combine, favourites, load
from moeviz.exercises.without_loss import overheard, scopes, thermostat

__all__ = [
    "Budget", "above_null", "balanced", "biased", "break_even", "budget", "cache", "combine", "count",
    "crossover", "dead", "device_load", "entropies", "factor", "favourites", "from_config", "gather",
    "intensity", "layers", "leaked", "load", "lru_hits", "margin", "moe_layer", "name_bug", "next_best",
    "overheard", "reach", "reading", "readings", "repeated", "saving", "scatter", "scopes", "seated",
    "seats", "served", "softmax", "sparse", "split", "step_time", "straggle", "sure_first", "survivors",
    "switch_gradient", "switch_loss", "thermostat", "threshold", "together", "token_flops", "tolerance",
    "top_2", "trace_weights", "training_flops", "violation", "waste", "weighed", "whole_model",
    "wire_bytes", "within_script",
]

"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

from moeviz.exercises.balance import entropies, layers, violation
from moeviz.exercises.board import leaked, next_best, reading
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
from moeviz.exercises.sparse import count, sparse, split
from moeviz.exercises.start import combine, favourites, load
from moeviz.exercises.without_loss import overheard, scopes, thermostat

__all__ = [
    "above_null", "biased", "cache", "combine", "count", "crossover", "dead", "device_load", "entropies",
    "factor", "favourites", "from_config", "gather", "layers", "leaked", "load", "lru_hits", "margin",
    "moe_layer", "next_best", "overheard", "reach", "reading", "readings", "saving", "scatter", "scopes",
    "seated", "seats", "softmax", "sparse", "split", "straggle", "sure_first", "survivors",
    "switch_gradient", "switch_loss", "thermostat", "threshold", "token_flops", "tolerance", "top_2",
    "trace_weights", "training_flops", "violation", "waste", "whole_model", "wire_bytes",
]

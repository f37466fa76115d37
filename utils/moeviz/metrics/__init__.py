"""Numbers that describe a Routing: how even the load is, what tokens get, what experts respond to."""

from moeviz.metrics.cache import CacheRun, cache_hits, cache_run
from moeviz.metrics.load import (
    captured_score,
    co_activation,
    counts,
    cv,
    dead_experts,
    drop_rate,
    effective_experts,
    fully_dropped,
    gini,
    importance,
    load,
    load_entropy,
    max_violation,
    pad_waste,
    repetition,
    repetition_if_independent,
    repetition_if_shuffled,
    repetition_if_uniform,
    router_entropy,
    saturation,
)
from moeviz.metrics.meaning import (
    conditional_information,
    conditional_information_null,
    information_of_table,
    information_of_table_null,
    label_entropy,
    mutual_information,
    mutual_information_null,
    purity,
    shuffled_table,
)

__all__ = [
    "CacheRun", "cache_hits", "cache_run", "captured_score", "co_activation", "conditional_information",
    "conditional_information_null", "counts", "cv", "dead_experts", "drop_rate", "effective_experts",
    "fully_dropped", "gini", "importance", "information_of_table", "information_of_table_null",
    "label_entropy", "load", "load_entropy", "max_violation", "mutual_information", "mutual_information_null",
    "pad_waste", "purity", "repetition", "repetition_if_independent", "repetition_if_shuffled",
    "repetition_if_uniform", "router_entropy", "saturation", "shuffled_table",
]

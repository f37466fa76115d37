"""Numbers that describe a Routing: how even the load is, what tokens get, what experts respond to."""

from moeviz.metrics.balance import (
    counts,
    cv,
    dead_experts,
    effective_experts,
    gini,
    importance,
    load,
    load_entropy,
    max_violation,
)
from moeviz.metrics.choices import (
    co_activation,
    repetition,
    repetition_if_independent,
    repetition_if_shuffled,
    repetition_if_uniform,
    saturation,
)
from moeviz.metrics.meaning import (
    information_of_table,
    label_entropy,
    mutual_information,
    mutual_information_null,
    purity,
)
from moeviz.metrics.tokens import captured_score, drop_rate, fully_dropped, pad_waste, router_entropy

__all__ = [
    "captured_score", "co_activation", "counts", "cv", "dead_experts", "drop_rate", "effective_experts",
    "fully_dropped", "gini", "importance", "information_of_table", "label_entropy", "load", "load_entropy",
    "max_violation", "mutual_information", "mutual_information_null", "pad_waste", "purity", "repetition",
    "repetition_if_independent", "repetition_if_shuffled", "repetition_if_uniform", "router_entropy",
    "saturation",
]

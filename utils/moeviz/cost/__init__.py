"""What a model costs, counted from its shape: parameters, FLOPs, bytes, and time on a roofline.

    spec = ModelSpec.from_dict({...})      # the fields are listed in moeviz.cost.schema
    count_parameters(spec)                 # total, active in three conventions, by part

`python -m moeviz.models` prints the published models, derived against published.
"""

from moeviz.cost.count import (
    ParameterCount,
    Tally,
    count_parameters,
    flops_over,
    flops_per_token,
    kv_cache_bytes,
    serving_bytes,
    training_bytes,
)
from moeviz.cost.layers import (
    Attention,
    CompressedAttention,
    DenseFFN,
    LatentAttention,
    MoEFFN,
    StateLayer,
    change_experts,
    mean_positions,
)
from moeviz.cost.roofline import (
    Hardware,
    break_even_batch,
    experts_touched,
    hardware,
    hardware_list,
    roofline_seconds,
    step_work,
    time_against_dense,
)
from moeviz.cost.spec import ModelSpec

__all__ = [
    "Attention", "CompressedAttention", "DenseFFN", "Hardware", "LatentAttention", "MoEFFN", "ModelSpec",
    "ParameterCount", "StateLayer", "Tally", "break_even_batch", "change_experts", "count_parameters",
    "experts_touched", "flops_over", "flops_per_token", "hardware", "hardware_list", "kv_cache_bytes",
    "mean_positions", "roofline_seconds", "serving_bytes", "step_work", "time_against_dense",
    "training_bytes",
]

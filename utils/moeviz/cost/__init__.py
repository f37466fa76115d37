"""What a model costs, counted from its shape: parameters, FLOPs, bytes, and time on a roofline.

    spec = ModelSpec.from_dict({...})      # the fields are listed in moeviz.cost.schema
    count_parameters(spec)                 # total, active in three conventions, by part

`python -m moeviz.cost` prints the published models, derived against published.
"""

from moeviz.cost.attention import Attention
from moeviz.cost.ffn import DenseFFN, MoEFFN
from moeviz.cost.flops import flops_over, flops_per_token
from moeviz.cost.memory import kv_cache_bytes, serving_bytes, training_bytes
from moeviz.cost.mixers import LatentAttention, StateLayer
from moeviz.cost.parameters import ParameterCount, count_parameters
from moeviz.cost.roofline import (
    Hardware,
    break_even_batch,
    experts_touched,
    hardware,
    hardware_list,
    roofline_seconds,
    time_against_dense,
)
from moeviz.cost.spec import ModelSpec
from moeviz.cost.tally import Tally

__all__ = [
    "Attention", "DenseFFN", "Hardware", "LatentAttention", "MoEFFN", "ModelSpec", "ParameterCount",
    "StateLayer", "Tally", "break_even_batch", "count_parameters", "experts_touched", "flops_over",
    "flops_per_token", "hardware", "hardware_list", "kv_cache_bytes", "roofline_seconds",
    "serving_bytes", "time_against_dense", "training_bytes",
]

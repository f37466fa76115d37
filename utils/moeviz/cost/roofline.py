"""The roofline: a step takes as long as its arithmetic or its memory traffic, whichever is longer.

B is the number of tokens in a step, E experts of equal size, k choices per token, spread evenly.
Left out: activations, the cache, overlap and communication.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from moeviz.arrays import as_array, check_choice, check_count, check_number
from moeviz.checks import check_kind, store
from moeviz.cost.count import count_parameters
from moeviz.cost.spec import check_spec
from moeviz.files import stored_json


@dataclass(frozen=True)
class Hardware:
    """Hold the peaks of one chip: FLOP/s in one precision, bytes/s of its memory, and their source.

    Raises ValueError for a peak below 1.
    """

    name: str
    precision: str
    peak_flops: float
    bandwidth: float
    source: str

    def __post_init__(self):
        store(self, check_number, "peak_flops", "bandwidth", low=1.0)

    @property
    def ridge(self):
        """FLOPs per byte at which arithmetic and memory take equally long."""
        return self.peak_flops / self.bandwidth


@cache
def hardware_list():
    """Return the chips whose peaks are known here, as a tuple of Hardware.

    >>> [round(chip.ridge, 1) for chip in hardware_list() if chip.name == "H100 SXM"]
    [295.3]
    """
    return tuple(Hardware(**fields) for fields in stored_json("hardware.json")["hardware"])


def hardware(name="H100 SXM"):
    """Return the Hardware of this name; ValueError with the known names for another.

    >>> hardware().precision
    'BF16, dense'
    """
    chips = {chip.name: chip for chip in hardware_list()}
    return chips[check_choice(name, "name", chips)]


def roofline_seconds(flops, bytes_moved, *, chip):
    """Return the seconds of a step: the larger of flops / peak and bytes / bandwidth.

    flops, bytes_moved: numbers or arrays of one shape. chip: a `Hardware`.
    Raises ValueError for negative amounts, or what is no Hardware.
    Source: Williams and others, CACM 52(4), 2009.

    >>> round(roofline_seconds(989.4e12, 1.0, chip=hardware()), 6)
    1.0
    """
    flops, moved = _check_amounts(flops, "flops"), _check_amounts(bytes_moved, "bytes_moved")
    check_kind(chip, "chip", Hardware)
    return _plain(np.maximum(flops / chip.peak_flops, moved / chip.bandwidth))


def experts_touched(num_experts, k, batch):
    """Return how many of E experts at least one of B tokens chooses: E (1 - (1 - k/E)^B) expected.

    batch: B, a number or an array; every token picks k distinct experts, all equally likely.
    Raises ValueError for k above E or B below 0.

    >>> round(experts_touched(8, 2, 4), 2)
    5.47
    """
    num_experts = check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    return _plain(num_experts * (1 - (1 - k / num_experts) ** _check_amounts(batch, "batch")))


def break_even_batch(num_experts, k, *, ridge, bytes_per_weight=2):
    """Return the batch B above which the experts are bound by arithmetic: ridge x bytes / 2 x E / k.

    An expert that sees m tokens does 2 m FLOPs per weight it loads, and sees m = B k / E of them.
    ridge: FLOPs per byte of the chip, `Hardware.ridge`. bytes_per_weight: 2 for bfloat16.
    Raises ValueError for k above E, or a ridge or bytes_per_weight below 0.

    >>> round(break_even_batch(8, 2, ridge=989 / 3.35))
    1181
    """
    num_experts = check_count(num_experts, "num_experts")
    k = check_count(k, "k", high=num_experts)
    ridge = check_number(ridge, "ridge", low=0.0)
    return ridge * check_number(bytes_per_weight, "bytes_per_weight", low=0.0) / 2 * num_experts / k


def time_against_dense(num_experts, k, batch, *, ridge, bytes_per_weight=2):
    """Return how many times as long MoE layers take as dense ones of the same active size.

    batch: B, a number or an array. 1 at B = 1, where both load k experts' weights; up to E/k between;
    back to 1 at the break-even batch. Raises ValueError as `break_even_batch` does, and for B below 1.

    >>> [round(time_against_dense(8, 2, B, ridge=295), 1) for B in (1, 8, 64, 2048)]
    [1.0, 3.6, 4.0, 1.0]
    """
    tokens = _check_amounts(batch, "batch", low=1)
    touched = experts_touched(num_experts, k, tokens)
    dense_bound = break_even_batch(1, 1, ridge=ridge, bytes_per_weight=bytes_per_weight)
    return _plain(np.maximum(tokens, dense_bound * touched / k) / np.maximum(tokens, dense_bound))


def step_work(spec, tokens, *, bits=16):
    """Return the FLOPs of a step and the bytes of weights that it reads, (2,) numbers or arrays.

    spec: a ModelSpec. tokens: in the step, one of each reader or a whole prompt; a number or an array.
    bits: per weight. Every token does two FLOPs per active weight, without the embedding; attention's scores
    and cache are left out. The step reads once what every token uses, and each expert that a token chooses
    if all choices are random. Raises ValueError as `experts_touched` does, and for what is no ModelSpec.

    >>> from moeviz.models import model
    >>> spec = model("Mixtral 8x7B").spec
    >>> [round(step_work(spec, tokens)[1] / 1e9) for tokens in (1, 256)]
    [25, 93]
    """
    active = count_parameters(check_spec(spec)).active_without_embedding
    more = sum((experts_touched(moe.experts, moe.top_k, tokens) - moe.top_k)
               * moe.layers * moe.expert_weights(spec.d_model) for moe in spec.moe)
    return 2 * active * tokens, (active + more) * bits / 8


def _plain(amount):
    return float(amount) if amount.ndim == 0 else amount


def _check_amounts(value, name, low=0):
    amounts = as_array(value, name)
    if amounts.dtype.kind not in "iuf" or not np.isfinite(amounts).all() or (amounts < low).any():
        raise ValueError(f"{name} must hold finite numbers of at least {low}, got {value!r}")
    return amounts.astype(float)

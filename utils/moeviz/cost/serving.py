"""A step of a server: the work of all its readers' tokens, and the weights that it reads for them."""

from moeviz.checks import check_kind
from moeviz.cost.count import count_parameters
from moeviz.cost.roofline import experts_touched
from moeviz.cost.spec import ModelSpec


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
    active = count_parameters(check_kind(spec, "spec", ModelSpec)).active_without_embedding
    more = sum((experts_touched(moe.experts, moe.top_k, tokens) - moe.top_k)
               * moe.layers * moe.expert_weights(spec.d_model) for moe in spec.moe)
    return 2 * active * tokens, (active + more) * bits / 8

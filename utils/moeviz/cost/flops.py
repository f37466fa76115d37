"""FLOPs of one token's forward pass. One multiply-add is 2 FLOPs, throughout.

Papers that print multiply-adds (MACs) print half of these numbers. Counted are the products of
matrices; norms, biases, softmax, activations and the top-k itself are left out (below 1 % together).
A training step costs about 3 times the forward pass: the backward pass has two products for each one.
"""

import numpy as np

from moeviz.arrays import check_choice, check_count, check_vector
from moeviz.checks import check_flag
from moeviz.cost.spec import check_spec
from moeviz.cost.tally import Tally

FLOP_PARTS = ("attention projections", "attention scores", "state layers", "router", "experts",
              "shared experts", "dense FFN", "head")
PHASES = ("decode", "prefill")


def flops_per_token(spec, context, *, phase="decode", absorbed=False):
    """Return a Tally of forward FLOPs per token, by part, at a context of n tokens.

    phase: "decode" is the n-th token, which sees all n positions; "prefill" is the average over a
    causal pass of all n tokens, which see (n + 1) / 2 on average.
    absorbed: count latent attention (MLA) as it decodes, against the cached latent.
    An encoder-decoder counts one source and one target token, each at n tokens of its own side.
    Raises ValueError for what is no ModelSpec, a context below 1 or an unknown phase.
    Source: arXiv 2001.08361, table 1, with 2 FLOPs per multiply-add.

    >>> from moeviz.models import model
    >>> flops = flops_per_token(model("Mixtral 8x7B").spec, 4096)
    >>> round(flops.share("attention scores"), 3), round(flops.share("experts"), 3)
    (0.078, 0.816)
    """
    check_spec(spec)
    context = check_count(context, "context")
    check_choice(phase, "phase", PHASES)
    check_flag(absorbed, "absorbed")
    by_part = dict.fromkeys(FLOP_PARTS, 0)
    for part, flops in (*_mixer_flops(spec, context, phase, absorbed), *_ffn_flops(spec)):
        by_part[part] += flops
    return Tally(by_part, "FLOP")


def flops_over(spec, contexts, *, phase="decode"):
    """Return {part: (N,) FLOPs per token} at N contexts, without the parts that the model lacks.

    Raises ValueError as `flops_per_token` does, and for no context at all.

    >>> from moeviz.models import model
    >>> flops_over(model("Mixtral 8x7B").spec, [4096, 8192])["attention scores"].tolist()
    [2147483648.0, 4294967296.0]
    """
    contexts = check_vector(contexts, "contexts", kind="iu").tolist()
    if not contexts:
        raise ValueError("contexts must hold at least one context, got none")
    each = [flops_per_token(spec, context, phase=phase).by_part for context in contexts]
    return {part: np.array([flops[part] for flops in each], float) for part in FLOP_PARTS
            if any(flops[part] for flops in each)}


def _mixer_flops(spec, context, phase, absorbed):
    for group in spec.attention:
        projections = group.layers * 2 * group.weights(spec.d_model)
        scores = group.layers * group.score_flops(context, phase, absorbed)
        if group.part == "state layers":
            yield "state layers", projections + scores
        else:
            yield from (("attention projections", projections), ("attention scores", scores))


def _ffn_flops(spec):
    d_model = spec.d_model
    for group in spec.dense:
        yield "dense FFN", group.layers * 2 * group.weights(d_model)
    for group in spec.moe:
        yield "router", group.layers * 2 * group.router_weights(d_model)
        yield "experts", group.layers * 2 * group.top_k * group.expert_weights(d_model)
        yield "shared experts", group.layers * 2 * group.shared_weights(d_model)
    yield "head", 2 * spec.vocab * d_model

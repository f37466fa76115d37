"""Counting: parameters, FLOPs of one token's forward pass, and bytes.

One multiply-add is 2 FLOPs, throughout; papers that print multiply-adds (MACs) print half of these numbers.
Counted are the products of matrices; norms, biases, softmax, activations and the top-k itself are left out
(below 1 % together). A training step costs about 3 times the forward pass: the backward pass has two
products for each one. 1 GB is 10^9 bytes, 1 GiB is 2^30: the functions return plain bytes.
"""

from dataclasses import dataclass

import numpy as np

from moeviz.arrays import check_choice, check_count, check_vector
from moeviz.checks import check_flag
from moeviz.cost.spec import check_spec
from moeviz.tables import as_html, as_text

PARTS = ("embedding", "head", "attention", "state layers", "router", "experts", "shared experts",
         "dense FFN", "norms", "other")
FLOP_PARTS = ("attention projections", "attention scores", "state layers", "router", "experts",
              "shared experts", "dense FFN", "head")
PHASES = ("decode", "prefill")


@dataclass(frozen=True, repr=False)
class Tally:
    """Hold amounts by part in one unit.

    >>> Tally({"scores": 1.0, "experts": 3.0}, "FLOP").share("scores")
    0.25
    """

    by_part: dict
    unit: str

    @property
    def total(self):
        return sum(self.by_part.values())

    def share(self, *parts):
        """Return the share of these parts in the total, from 0 to 1; ValueError for an unknown part."""
        named = [self.by_part[check_choice(part, "part", self.by_part)] for part in parts]
        return sum(named) / self.total

    def _rows(self):
        return [*((part, amount) for part, amount in self.by_part.items() if amount), ("all", self.total)]

    def __repr__(self):
        lines = [f"{part:<22}{amount:>24,.0f}" for part, amount in self._rows()]
        return "\n".join([f"{'':<22}{self.unit:>24}", *lines])

    def _repr_html_(self):
        rows = [[part, f"{amount:,.0f}"] for part, amount in self._rows()]
        return as_html({"columns": ["part", self.unit], "rows": rows})


@dataclass(frozen=True, repr=False)
class ParameterCount:
    """Hold the parameters of a model by part, and how many of them one token touches.

    by_part: every parameter. active_by_part: only k of E experts. tied: one table serves as both, and
    stands under "embedding". Publishers count "active" in three ways and seldom say which:
    `active` with both token tables (A), `active_without_embedding` (B: looking up a row costs no FLOPs;
    a tied table stays, since it is the head), `active_without_tables` (C).
    """

    by_part: dict
    active_by_part: dict
    tied: bool

    @property
    def total(self):
        return sum(self.by_part.values())

    @property
    def active(self):
        return sum(self.active_by_part.values())

    @property
    def active_without_embedding(self):
        return self.active - (0 if self.tied else self.by_part["embedding"])

    @property
    def active_without_tables(self):
        return self.active - self.tables

    @property
    def tables(self):
        """The token table, or both where they are two."""
        return self.by_part["embedding"] + self.by_part["head"]

    def _rows(self):
        rows = [(part, self.by_part[part], self.active_by_part[part]) for part in PARTS if self.by_part[part]]
        return [*rows, ("all", self.total, self.active)]

    def _repr_html_(self):
        rows = [[part, as_text(total), as_text(active)] for part, total, active in self._rows()]
        return as_html({"columns": ["part", "parameters", "one token touches"], "rows": rows})

    def __repr__(self):
        lines = [f"{part:<15}{total:>22,}{active:>22,}" for part, total, active in self._rows()]
        return "\n".join([f"{'':<15}{'parameters':>22}{'one token touches':>22}", *lines])


def count_parameters(spec):
    """Return the ParameterCount of a `ModelSpec`.

    For an encoder-decoder the active count is that of one source token and one target token together.
    Raises ValueError for what is no ModelSpec.
    Source: arXiv 1706.03762 for the blocks; each group's own docstring for its formula.

    >>> from moeviz.cost import ModelSpec
    >>> count_parameters(ModelSpec.from_dict({"layers": 1, "d_model": 8, "vocab": 0,
    ...     "attention": {"kind": "multi-head", "heads": 2, "head_dim": 4},
    ...     "moe": {"experts": 4, "top_k": 1, "hidden": 16, "gated": False}}))
                               parameters     one token touches
    attention                         256                   256
    router                             32                    32
    experts                         1,024                   256
    norms                              24                    24
    all                             1,336                   568
    """
    by_part = _always_active(check_spec(spec))
    active_by_part = dict(by_part)
    for group in spec.moe:
        _add_moe(by_part, group, spec.d_model, group.experts)
        _add_moe(active_by_part, group, spec.d_model, group.top_k)
    return ParameterCount(by_part, active_by_part, spec.tied)


def norm_count(spec):
    """Return the number of norms on the residual stream: one or two per sublayer, one per stack.

    >>> from moeviz.models import model
    >>> norm_count(model("Mixtral 8x7B").spec)
    65
    """
    if spec.norms is not None:
        return spec.norms
    sublayers = sum(group.layers for group in (*spec.attention, *spec.ffn))
    stacks = 1 if spec.kind == "decoder" else 2
    return spec.norms_per_sublayer * sublayers + stacks * (spec.norms_per_sublayer > 0)


def _always_active(spec):
    by_part = dict.fromkeys(PARTS, 0)
    by_part["embedding"] = spec.vocab * spec.d_model
    by_part["head"] = 0 if spec.tied else by_part["embedding"]
    by_part["norms"] = norm_count(spec) * spec.norm_vectors * spec.d_model
    by_part["other"] = spec.extra
    for group in (*spec.attention, *spec.dense):
        by_part[group.part] += group.layers * (group.weights(spec.d_model) + group.vectors(spec.d_model))
    return by_part


def _add_moe(by_part, group, d_model, experts):
    one = group.expert_weights(d_model) + group.expert_vectors(d_model)
    by_part["experts"] += group.layers * experts * one
    shared = group.shared_weights(d_model) + group.shared_vectors(d_model)
    by_part["shared experts"] += group.layers * shared
    by_part["router"] += group.layers * (group.router_weights(d_model) + group.router_vectors())


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

    Decoding compares with what the cache holds: where that is a latent, the FLOPs are those of `absorbed`.
    Raises ValueError as `flops_per_token` does, and for no context at all.

    >>> from moeviz.models import model
    >>> flops_over(model("Mixtral 8x7B").spec, [4096, 8192])["attention scores"].tolist()
    [2147483648.0, 4294967296.0]
    """
    contexts = check_vector(contexts, "contexts", kind="iu").tolist()
    if not contexts:
        raise ValueError("contexts must hold at least one context, got none")
    absorbed = phase == "decode"
    each = [flops_per_token(spec, context, phase=phase, absorbed=absorbed).by_part for context in contexts]
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


def kv_cache_bytes(spec, context):
    """Return the bytes of keys, values and states kept for one sequence of `context` tokens, 2 per number.

    Window layers stop growing at their window, state layers do not grow at all. An encoder-decoder keeps
    `context` target tokens and, for its cross attention, `context` source tokens.
    Raises ValueError for what is no ModelSpec, or a context below 1.
    Source: DeepSeek-V2, arXiv 2405.04434, table 1.

    >>> from moeviz.models import model
    >>> kv_cache_bytes(model("DeepSeek-V3").spec, 1)
    70272
    """
    context = check_count(context, "context")
    return 2 * sum(group.layers * group.cache_values(context) for group in check_spec(spec).attention)


def training_bytes(spec):
    """Return a Tally of the bytes that training keeps for every parameter, activations left out.

    Mixed precision with Adam: weights and gradients in bfloat16, a master copy of the weights and two
    averages in float32, 16 bytes together. Experts that a token does not choose need all of it too.
    Raises ValueError for what is no ModelSpec.
    Source: ZeRO, arXiv 1910.02054, section 3.1.

    >>> from moeviz.models import model
    >>> training_bytes(model("OLMoE-1B-7B").spec).total // 6_919_161_856
    16
    """
    count = count_parameters(spec).total
    return Tally({"weights": 2 * count, "gradients": 2 * count, "master weights": 4 * count,
                  "Adam averages": 8 * count}, "bytes")


def serving_bytes(spec, context):
    """Return a Tally of the bytes for serving: all the weights in bfloat16, and the cache of one sequence.

    context: tokens of the sequence, prompt and answer together. Activations are left out.
    Raises ValueError as `kv_cache_bytes` does.

    >>> from moeviz.models import model
    >>> serving_bytes(model("Mixtral 8x7B").spec, 32768).by_part["weights"] / 1e9
    93.405585408
    """
    return Tally({"weights": 2 * count_parameters(spec).total, "cache": kv_cache_bytes(spec, context)},
                 "bytes")

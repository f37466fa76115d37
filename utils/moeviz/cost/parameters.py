"""Count parameters: all of them, and those that one token touches, by part of the model."""

from dataclasses import dataclass

from moeviz.cost.spec import check_spec

PARTS = ("embedding", "head", "attention", "state layers", "router", "experts", "shared experts",
         "dense FFN", "norms", "other")


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

    def __repr__(self):
        rows = [(part, self.by_part[part], self.active_by_part[part]) for part in PARTS if self.by_part[part]]
        rows.append(("all", self.total, self.active))
        lines = [f"{part:<15}{total:>22,}{active:>22,}" for part, total, active in rows]
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

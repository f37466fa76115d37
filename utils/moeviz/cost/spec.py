"""ModelSpec: the shape of a transformer, enough to count its parameters, FLOPs and bytes."""

from dataclasses import dataclass, replace

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_kind, check_optional, check_text, store
from moeviz.cost.huggingface import fields_from_config
from moeviz.cost.layers import (
    Attention,
    CompressedAttention,
    DenseFFN,
    LatentAttention,
    MoEFFN,
    StateLayer,
    change_experts,
)
from moeviz.cost.schema import KINDS, read_fields

MIXERS = (Attention, LatentAttention, CompressedAttention, StateLayer)


@dataclass(frozen=True, repr=False)
class ModelSpec:
    """Describe a model by groups of equal layers; which layer stands where does not change a count.

    name: for titles. d_model: d. vocab: rows of the token table; 0 leaves both tables out.
    attention: tuple of `Attention`, `LatentAttention`, `CompressedAttention` and `StateLayer` groups.
    ffn: tuple of `DenseFFN` and `MoEFFN` groups.
    kind: "decoder" or "encoder-decoder". tied: one table serves as embedding and as head.
    norms_per_sublayer: 1 (before the block), 2 (before and after) or 0 (not counted); one more norm
    ends every stack. norms: how many there are, where that rule is wrong (blocks that share a norm).
    norm_vectors: 1 (scale) or 2 (scale and shift).
    extra: parameters that stand outside of all this, such as position tables.
    Write it with `from_dict` or `from_hf_config`. Raises ValueError naming the field that is wrong.

    >>> ModelSpec.from_dict({"layers": 32, "d_model": 4096, "vocab": 32000,
    ...     "attention": {"kind": "grouped-query", "heads": 32, "kv_heads": 8, "head_dim": 128},
    ...     "moe": {"experts": 8, "top_k": 2, "hidden": 14336}})
    ModelSpec 'model': d = 4096, 32 mixer layers, 32 FFN layers (32 MoE: 2 of 8 experts)
    """

    name: str
    d_model: int
    vocab: int
    attention: tuple
    ffn: tuple
    kind: str = "decoder"
    tied: bool = False
    norms_per_sublayer: int = 1
    norm_vectors: int = 1
    extra: int = 0
    norms: int | None = None

    def __post_init__(self):
        store(self, check_text, "name")
        store(self, check_count, "d_model")
        store(self, check_count, "vocab", "extra", low=0)
        check_choice(self.kind, "kind", KINDS)
        store(self, check_flag, "tied")
        store(self, check_count, "norms_per_sublayer", low=0, high=2)
        store(self, check_count, "norm_vectors", high=2)
        store(self, check_optional, "norms", low=0)
        _check_groups(self.attention, "attention", MIXERS)
        _check_groups(self.ffn, "ffn", (DenseFFN, MoEFFN))
        stacks = {group.stack for group in self.attention}
        allowed = {"decoder"} if self.kind == "decoder" else {"decoder", "encoder", "cross"}
        if stacks != allowed:
            raise ValueError(f"attention of a model of kind {self.kind!r} must have the stacks "
                             f"{', '.join(sorted(allowed))}, got {', '.join(sorted(stacks))}")

    @classmethod
    def from_dict(cls, fields):
        """Return the ModelSpec that a dictionary describes; `moeviz.cost.schema` lists the fields.

        A wrong, missing or unknown field raises a ValueError that names it and lists what is allowed.

        >>> ModelSpec.from_dict({"layer": 32})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: model: unknown field 'layer'; allowed: attention, d_model, decoder_layers, dense, ...
        """
        return cls(**read_fields(fields))

    @classmethod
    def from_hf_config(cls, config, name=None):
        """Return the ModelSpec that a Hugging Face config.json, read as a dictionary, describes.

        Fields that the file leaves out have the defaults of its family in transformers. Vision towers and
        prediction heads for further tokens (MTP) are left out. Warns (UserWarning) of fields that nobody
        here read and that look as if they carried parameters; an unknown family raises a ValueError that
        names the nearest one.

        >>> ModelSpec.from_hf_config({"model_type": "mixtral"})
        ModelSpec 'mixtral': d = 4096, 32 mixer layers, 32 FFN layers (32 MoE: 2 of 8 experts)
        """
        fields = fields_from_config(config)
        return cls.from_dict(fields if name is None else fields | {"name": name})

    @property
    def moe(self):
        """The groups of MoE layers; empty for a dense model."""
        return tuple(group for group in self.ffn if isinstance(group, MoEFFN))

    @property
    def dense(self):
        """The groups of dense feed-forward layers; empty where all are MoE layers."""
        return tuple(group for group in self.ffn if isinstance(group, DenseFFN))

    def with_moe(self, **changes):
        """Return the same model with fields of its MoE layers changed, such as experts, top_k or hidden.

        Raises ValueError for a model without MoE layers, an unknown field or a wrong value.

        >>> from moeviz.models import model
        >>> model("Mixtral 8x7B").spec.with_moe(experts=16)
        ModelSpec 'Mixtral 8x7B': d = 4096, 32 mixer layers, 32 FFN layers (32 MoE: 2 of 16 experts)
        """
        if not self.moe:
            raise ValueError(f"with_moe needs a model with MoE layers, got {self!r}")
        ffn = [change_experts(group, **changes) if group in self.moe else group for group in self.ffn]
        return replace(self, ffn=tuple(ffn))

    def __repr__(self):
        mixers, blocks = (sum(group.layers for group in part) for part in (self.attention, self.ffn))
        experts = [f"{m.layers} MoE: {m.top_k} of {m.experts} experts" for m in self.moe] or ["dense"]
        return (f"ModelSpec {self.name!r}: d = {self.d_model}, {mixers} mixer layers, "
                f"{blocks} FFN layers ({', '.join(experts)})")


def check_spec(value):
    """Return `value` if it is a ModelSpec, or raise a ValueError; a `Model` has one as `model.spec`."""
    return check_kind(value, "spec", ModelSpec)


def _check_groups(groups, name, allowed):
    names = ", ".join(each.__name__ for each in allowed)
    if not isinstance(groups, tuple) or not groups:
        raise ValueError(f"{name} must be a tuple with at least one of {names}, got {groups!r}")
    for group in groups:
        if not isinstance(group, allowed):
            raise ValueError(f"{name} must hold {names}, got {type(group).__name__}")

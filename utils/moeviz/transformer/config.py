"""Config: the sizes and hyper-parameters of the Transformer, and the shapes that follow from them."""

from dataclasses import dataclass, fields

from moeviz.arrays import check_count, check_number
from moeviz.checks import check_kind, store

SYMBOLS = 256


@dataclass(frozen=True)
class Config:
    """Sizes and hyper-parameters of a Transformer; every one is checked.

    context: bytes that a position sees, itself included. width: D. heads: attention heads, D / heads numbers
    each, an even count. layers: L blocks. num_experts: E, 1 for a dense layer. hidden: H, the width inside
    an expert. k: choices per byte. aux_weight: weight of the Switch loss. bias_rate: step of the bias rule,
    0 for none. batch: sequences per step. learning_rate: of AdamW. warm_up: steps until the full rate.
    decay_share: last share of the steps, falling to 0. weight_decay: of all matrices. clip: longest gradient.
    Raises ValueError naming the field that is wrong.

    >>> Config(k=9)
    Traceback (most recent call last):
    ValueError: k must be a whole number between 1 and 8, got 9
    """

    context: int = 128
    width: int = 96
    heads: int = 4
    layers: int = 3
    num_experts: int = 8
    hidden: int = 96
    k: int = 2
    aux_weight: float = 0.01
    bias_rate: float = 0.0
    batch: int = 16
    learning_rate: float = 3e-3
    warm_up: int = 100
    decay_share: float = 0.25
    weight_decay: float = 0.05
    clip: float = 1.0

    def __post_init__(self):
        limits = {"context": 4096, "width": 1024, "heads": 64, "layers": 32, "num_experts": 256,
                  "hidden": 4096, "k": self.num_experts, "batch": 4096, "warm_up": 100_000}
        for name, high in limits.items():
            store(self, check_count, name, high=high)
        store(self, check_number, "aux_weight", "bias_rate", "learning_rate", "weight_decay", low=0.0,
              high=10.0)
        store(self, check_number, "decay_share", low=0.0, high=1.0)
        store(self, check_number, "clip", low=1e-9, high=1e9)
        if self.width % (2 * self.heads):
            raise ValueError(f"heads must cut the width {self.width} into even parts, got {self.heads}")

    @classmethod
    def from_dict(cls, values):
        """Build a Config from a mapping that names every field and no other; ValueError otherwise."""
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            seen = sorted(values) if isinstance(values, dict) else values
            raise ValueError(f"config must hold the fields {', '.join(sorted(names))}, got {seen}")
        return cls(**values)


def weight_shapes(config):
    """Return {name: shape} of every weight array, in the order of the forward pass.

    Raises ValueError for what is no Config.

    >>> weight_shapes(Config())["gate_1"]
    (96, 8)
    """
    check_kind(config, "config", Config)
    d, h, e = config.width, config.hidden, config.num_experts
    shapes = {"embedding": (SYMBOLS, d)}
    for layer in range(1, config.layers + 1):
        shapes |= {f"norm_attention_{layer}": (d,), f"w_query_{layer}": (d, d), f"w_key_{layer}": (d, d),
                   f"w_value_{layer}": (d, d), f"w_merge_{layer}": (d, d), f"norm_experts_{layer}": (d,),
                   f"gate_{layer}": (d, e), f"w_in_{layer}": (e, d, h), f"w_out_{layer}": (e, h, d)}
    return shapes | {"norm_read": (d,), "w_read": (d, SYMBOLS)}

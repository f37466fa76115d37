"""Config: the sizes and hyper-parameters of the course's own model, and the shapes that follow from them."""

from dataclasses import dataclass, fields

from moeviz.arrays import check_count, check_number
from moeviz.checks import check_kind, store

SYMBOLS = 256


@dataclass(frozen=True)
class Config:
    """Sizes and hyper-parameters of a TinyLM; every one is checked.

    context: bytes that a position sees, itself included. embedding: numbers per byte. width: D.
    num_experts: E. hidden: H, the width inside an expert. top_k: k. layers: L, the MoE layers.
    aux_weight: weight of the Switch loss. batch: windows per step. learning_rate: of Adam.
    warm_up: steps until the full rate. decay_share: last share of the steps, falling to 0.
    Raises ValueError naming the field that is wrong.

    >>> Config(top_k=9)
    Traceback (most recent call last):
    ValueError: top_k must be a whole number between 1 and 8, got 9
    """

    context: int = 8
    embedding: int = 16
    width: int = 96
    num_experts: int = 8
    hidden: int = 48
    top_k: int = 2
    layers: int = 2
    aux_weight: float = 0.02
    batch: int = 512
    learning_rate: float = 3e-3
    warm_up: int = 50
    decay_share: float = 0.3

    def __post_init__(self):
        limits = {"context": 64, "embedding": 256, "width": 1024, "num_experts": 256, "hidden": 4096,
                  "top_k": self.num_experts, "layers": 8, "batch": 65_536, "warm_up": 100_000}
        for name, high in limits.items():
            store(self, check_count, name, high=high)
        store(self, check_number, "aux_weight", low=0.0, high=10.0)
        store(self, check_number, "learning_rate", "decay_share", low=0.0, high=1.0)

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
    shapes = {"embedding": (SYMBOLS, config.embedding), "w_mix": (config.context * config.embedding, d),
              "b_mix": (d,)}
    for layer in range(1, config.layers + 1):
        shapes |= {f"norm_{layer}": (d,), f"gate_{layer}": (d, e), f"w_in_{layer}": (e, d, h),
                   f"w_out_{layer}": (e, h, d)}
    return shapes | {"w_read": (d, SYMBOLS), "b_read": (SYMBOLS,)}

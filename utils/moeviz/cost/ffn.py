"""Feed-forward blocks, each a group of equal layers: dense, or experts behind a router.

Letters: d model width, H hidden width, E experts, k choices per token.
"""

from dataclasses import dataclass, fields

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_optional


@dataclass(frozen=True)
class DenseFFN:
    """Describe layers of an ordinary feed-forward block.

    layers: how many such layers. hidden: H. gated: three matrices (SwiGLU, GEGLU) instead of two.
    bias: whether every matrix has one. Raises ValueError naming the field that is wrong.
    Source: arXiv 1706.03762; gated: arXiv 2002.05202.

    >>> DenseFFN(layers=3, hidden=18432).weights(7168)
    396361728
    """

    layers: int
    hidden: int
    gated: bool = True
    bias: bool = False

    part = "dense FFN"

    def __post_init__(self):
        check_count(self.layers, "layers")
        check_count(self.hidden, "hidden")
        check_flag(self.gated, "gated")
        check_flag(self.bias, "bias")

    def weights(self, d_model):
        """Return the matrix entries of one layer."""
        return matrix_entries(d_model, self.hidden, self.gated)

    def vectors(self, d_model):
        """Return the biases of one layer."""
        return self.bias * bias_entries(d_model, self.hidden, self.gated)


@dataclass(frozen=True)
class MoEFFN:
    """Describe layers of E experts, of which a router picks k for each token.

    layers: how many such layers. experts: E. top_k: k. hidden: H of one expert.
    gated, bias: as in `DenseFFN`, for every expert.
    shared_experts: experts that see every token, each shared_hidden wide (left out: as wide as the
    others). shared_gate: a d x 1 gate on their output. router_bias: one number per expert, as a bias
    or as a correction that only the choice sees. Raises ValueError naming the field that is wrong.
    Source: arXiv 1701.06538; shared experts: arXiv 2401.06066.

    >>> MoEFFN(layers=32, experts=8, top_k=2, hidden=14336).expert_weights(4096)
    176160768
    """

    layers: int
    experts: int
    top_k: int
    hidden: int
    gated: bool = True
    bias: bool = False
    shared_experts: int = 0
    shared_hidden: int | None = None
    shared_gate: bool = False
    router_bias: bool = False

    def __post_init__(self):
        for name in ("layers", "experts", "hidden"):
            check_count(getattr(self, name), name)
        check_count(self.top_k, "top_k", high=self.experts)
        check_count(self.shared_experts, "shared_experts", low=0)
        check_optional(self.shared_hidden, "shared_hidden")
        for name in ("gated", "bias", "shared_gate", "router_bias"):
            check_flag(getattr(self, name), name)
        if not self.shared_experts and (self.shared_gate or self.shared_hidden is not None):
            raise ValueError("shared_hidden and shared_gate need shared_experts of at least 1, got 0")
        object.__setattr__(self, "shared_hidden", self.shared_hidden or self.hidden)

    def expert_weights(self, d_model):
        """Return the matrix entries of one expert."""
        return matrix_entries(d_model, self.hidden, self.gated)

    def expert_vectors(self, d_model):
        """Return the biases of one expert."""
        return self.bias * bias_entries(d_model, self.hidden, self.gated)

    def shared_weights(self, d_model):
        """Return the matrix entries of all shared experts of one layer, and of their gate."""
        shared = self.shared_experts * matrix_entries(d_model, self.shared_hidden, self.gated)
        return shared + self.shared_gate * d_model

    def shared_vectors(self, d_model):
        """Return the biases of all shared experts of one layer."""
        return self.bias * self.shared_experts * bias_entries(d_model, self.shared_hidden, self.gated)

    def router_weights(self, d_model):
        """Return the d E entries of the router's matrix in one layer."""
        return d_model * self.experts

    def router_vectors(self):
        """Return the numbers per expert that the router adds to its scores, if any."""
        return self.router_bias * self.experts


def change_experts(group, **changes):
    """Return a `MoEFFN` group with some of its fields changed, and all of it checked again.

    A width of the shared experts that was never given follows that of the others.
    Raises ValueError for an unknown field or a wrong value.

    >>> group = MoEFFN(layers=2, experts=8, top_k=2, hidden=16)
    >>> change_experts(group, shared_experts=1, hidden=4).shared_hidden
    4
    """
    known = {field.name: getattr(group, field.name) for field in fields(group)}
    for name in changes:
        check_choice(name, "the field to change", tuple(known))
    if not group.shared_experts or not changes.get("shared_experts", 1):
        known["shared_hidden"] = None
    return MoEFFN(**known | changes)


def matrix_entries(d_model, hidden, gated):
    """Return the weights of one feed-forward block: 3 d H when gated, else 2 d H.

    >>> matrix_entries(2, 5, gated=True), matrix_entries(2, 5, gated=False)
    (30, 20)
    """
    return (3 if gated else 2) * d_model * hidden


def bias_entries(d_model, hidden, gated):
    """Return the biases of one feed-forward block: one per output of each matrix.

    >>> bias_entries(2, 5, gated=True), bias_entries(2, 5, gated=False)
    (12, 7)
    """
    return (2 if gated else 1) * hidden + d_model

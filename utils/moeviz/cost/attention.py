"""Softmax attention as a group of equal layers: what one layer weighs, computes and keeps in its cache.

Letters: d model width, h query heads, g key/value heads, a head size, n context length in tokens.
"""

from dataclasses import dataclass

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_optional

STACKS = ("decoder", "encoder", "cross")
QK_NORMS = (None, "head", "full")


@dataclass(frozen=True)
class Attention:
    """Describe layers of softmax attention: multi-head, grouped-query or multi-query.

    layers: how many such layers. heads: h. head_dim: a, the width of one query and key.
    kv_heads: g; left out g = h (multi-head), 1 is multi-query, between is grouped-query.
    v_head_dim: width of one value; left out it is a.
    window: the last positions a token sees; left out it sees all of them.
    stack: "decoder" (causal), "encoder" (sees everything) or "cross" (decoder looks at encoder).
    qkv_bias, out_bias: biases on the projections. qk_norm: None, "head" (one scale of width a for
    queries, one for keys) or "full" (over all heads). output_gate: a further d x h a matrix.
    sinks: one learned number per head. own_kv: False where keys and values of another layer are used.
    Raises ValueError naming the field that is wrong.
    Source: arXiv 1706.03762 (multi-head), 1911.02150 (multi-query), 2305.13245 (grouped-query).

    >>> Attention(layers=32, heads=32, kv_heads=8, head_dim=128).weights(4096)
    41943040
    """

    layers: int
    heads: int
    head_dim: int
    kv_heads: int | None = None
    v_head_dim: int | None = None
    window: int | None = None
    stack: str = "decoder"
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm: str | None = None
    output_gate: bool = False
    sinks: bool = False
    own_kv: bool = True

    part = "attention"

    def __post_init__(self):
        for name in ("layers", "heads", "head_dim"):
            check_count(getattr(self, name), name)
        for name in ("kv_heads", "v_head_dim", "window"):
            check_optional(getattr(self, name), name)
        for name in ("qkv_bias", "out_bias", "output_gate", "sinks", "own_kv"):
            check_flag(getattr(self, name), name)
        check_choice(self.stack, "stack", STACKS)
        check_choice(self.qk_norm, "qk_norm", QK_NORMS)
        object.__setattr__(self, "kv_heads", self.kv_heads or self.heads)
        object.__setattr__(self, "v_head_dim", self.v_head_dim or self.head_dim)
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads must divide heads = {self.heads}, got {self.kv_heads}")

    def weights(self, d_model):
        """Return the matrix entries of one layer: query, key, value, output, and the gate if any."""
        values = self.heads * self.v_head_dim
        gate = values if self.output_gate else 0
        return d_model * (self.heads * self.head_dim + self._kv_width() + values + gate)

    def vectors(self, d_model):
        """Return the parameters of one layer that are no matrix: biases, query/key norms, sinks."""
        queries = self.heads * self.head_dim
        keys = self.kv_heads * self.head_dim if self.own_kv else 0
        norm = {None: 0, "head": self.head_dim * (1 + self.own_kv), "full": queries + keys}[self.qk_norm]
        biases = self.qkv_bias * (queries + self._kv_width()) + self.out_bias * d_model
        return norm + biases + self.sinks * self.heads

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence of `context` tokens."""
        return 0 if self.stack == "encoder" else self._kv_width() * self._in_window(context)

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of q k^T and of weighting the values, for one token in one layer."""
        return 2 * self.heads * (self.head_dim + self.v_head_dim) * self._positions(context, phase)

    def _kv_width(self):
        return self.kv_heads * (self.head_dim + self.v_head_dim) if self.own_kv else 0

    def _in_window(self, context):
        return context if self.window is None else min(context, self.window)

    def _positions(self, context, phase):
        if phase == "decode" or self.stack != "decoder":
            return self._in_window(context)
        return mean_positions(context, self._in_window(context))


def mean_positions(context, window):
    """Return how many positions a token sees on average over a causal prefill of `context` tokens.

    Token i sees min(i, window) positions, itself included.

    >>> mean_positions(3, 3), mean_positions(3, 2)
    (2.0, 1.6666666666666667)
    """
    return (window * (window + 1) / 2 + (context - window) * window) / context

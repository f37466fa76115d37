"""Groups of equal layers: what one layer weighs, computes and keeps in its cache.

Mixers answer for attention and its relatives (`Attention`, `LatentAttention`, `CompressedAttention`,
`StateLayer`), blocks for the feed-forward part (`DenseFFN`, `MoEFFN`).

Letters: d model width, h query heads, g key/value heads, a head size, n context length in tokens,
H hidden width, E experts, k choices per token.
"""

from dataclasses import dataclass, fields

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_optional, store

STACKS = ("decoder", "encoder", "cross")
QK_NORMS = (None, "head", "full")


@dataclass(frozen=True)
class Attention:
    """Describe layers of softmax attention: multi-head, grouped-query or multi-query.

    layers: how many such layers. heads: h. head_dim: a, the width of one query and key.
    kv_heads: g; left out g = h (multi-head), 1 is multi-query, between is grouped-query.
    v_head_dim: width of one value; left out it is a.
    window: the last positions a token sees; left out it sees all of them. chunk: a token sees the positions
    of its own chunk of so many tokens, up to itself.
    stack: "decoder" (causal), "encoder" (sees everything) or "cross" (decoder looks at encoder).
    qkv_bias, out_bias: biases on the projections. qk_norm: None, "head" (one scale of width a for
    queries, one for keys) or "full" (over all heads). output_gate: a further d x h a matrix.
    sinks: one learned number per head. own_kv: False where keys and values of another layer are used.
    own_queries: False where query and output matrices are experts and counted there. key_as_value: the
    key's matrix makes the values too.
    index_heads, index_dim, index_top_k: an indexer that scores every position with small queries and one
    small cached key, and lets the layer see the best index_top_k positions. extra: further matrix entries.
    state: numbers that one layer keeps whatever the context, such as the last inputs of a convolution.
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
    own_queries: bool = True
    key_as_value: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_top_k: int | None = None
    extra: int = 0
    chunk: int | None = None
    state: int = 0

    part = "attention"

    def __post_init__(self):
        store(self, check_count, "layers", "heads", "head_dim")
        store(self, check_count, "index_heads", "index_dim", "extra", "state", low=0)
        store(self, check_optional, "kv_heads", "v_head_dim", "window", "index_top_k", "chunk")
        store(self, check_flag, "qkv_bias", "out_bias", "output_gate", "sinks", "own_kv", "own_queries",
              "key_as_value")
        check_choice(self.stack, "stack", STACKS)
        check_choice(self.qk_norm, "qk_norm", QK_NORMS)
        object.__setattr__(self, "kv_heads", self.kv_heads or self.heads)
        object.__setattr__(self, "v_head_dim", self.v_head_dim or self.head_dim)
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads must divide heads = {self.heads}, got {self.kv_heads}")

    def weights(self, d_model):
        """Return the matrix entries of one layer: query, key, value, output, and the gate if any."""
        values = self.heads * self.v_head_dim
        queries = (self.heads * self.head_dim + values) * self.own_queries + values * self.output_gate
        keys = self._kv_width() - self.key_as_value * self.kv_heads * self.v_head_dim
        index = self.index_dim * (self.index_heads + 1) if self.index_heads else 0
        return d_model * (queries + keys + index) + self.extra

    def vectors(self, d_model):
        """Return the parameters of one layer that are no matrix: biases, query/key norms, sinks."""
        queries = self.heads * self.head_dim
        keys = self.kv_heads * self.head_dim if self.own_kv else 0
        norm = {None: 0, "head": self.head_dim * (1 + self.own_kv), "full": queries + keys}[self.qk_norm]
        values = self._kv_width() - self.key_as_value * self.kv_heads * self.v_head_dim
        biases = self.qkv_bias * (queries + values) + self.out_bias * d_model
        return norm + biases + self.sinks * self.heads + (2 * self.index_dim if self.index_heads else 0)

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence of `context` tokens."""
        if self.stack == "encoder":
            return 0
        return self._kv_width() * self._in_window(context) + self.index_dim * context + self.state

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of q k^T and of weighting the values, for one token in one layer."""
        width = self.heads * (self.head_dim + self.v_head_dim)
        index = self.index_heads * self.index_dim * seen(context, phase)
        return 2 * (width * self._positions(context, phase) + index)

    def _kv_width(self):
        return self.kv_heads * (self.head_dim + self.v_head_dim) if self.own_kv else 0

    def _in_window(self, context):
        return min([context, *(limit for limit in (self.window, self.chunk) if limit is not None)])

    def _positions(self, context, phase):
        if self.stack != "decoder":
            return self._in_window(context)
        if self.chunk is not None:
            return seen_in_chunk(context, phase, self.chunk)
        return seen(context, phase, self.window, self.index_top_k)


def seen(context, phase, *limits):
    """Return how many positions a causal layer sees: in decoding the last token, else the mean over all.

    limits: at most so many, a window or the choice of an indexer; None for no limit.

    >>> seen(100, "decode", None, 64), seen(3, "prefill")
    (64, 2.0)
    """
    most = min([context, *(limit for limit in limits if limit is not None)])
    return most if phase == "decode" else mean_positions(context, most)


def seen_in_chunk(context, phase, chunk):
    """Return how many positions a causal layer sees whose tokens look at their own chunk alone.

    Every chunk begins with a token that sees itself: on average a token sees half a chunk, not all of it.

    >>> seen_in_chunk(10, "decode", 4), seen_in_chunk(8, "prefill", 4)
    (2, 2.5)
    """
    whole, rest = divmod(context, chunk)
    if phase == "decode":
        return rest or chunk
    return (whole * chunk * (chunk + 1) + rest * (rest + 1)) / (2 * context)


def mean_positions(context, window):
    """Return how many positions a token sees on average over a causal prefill of `context` tokens.

    Token i sees min(i, window) positions, itself included.

    >>> mean_positions(3, 3), mean_positions(3, 2)
    (2.0, 1.6666666666666667)
    """
    return (window * (window + 1) / 2 + (context - window) * window) / context


@dataclass(frozen=True)
class LatentAttention:
    """Describe layers of multi-head latent attention (MLA), which cache one small vector per token.

    layers, heads: as in `Attention`. kv_rank: width of the cached latent. rope_dim: width of the
    one key part with positions, shared by all heads. nope_dim: width of the rest of each key.
    v_dim: width of one value. q_rank: width of the query latent; left out queries are not compressed.
    bias: biases on the down projections and the output. index_heads, index_dim, index_top_k: the indexer
    of sparse attention, which reads the query latent, keeps one key of index_dim per position and lets the
    layer see the best index_top_k positions. extra: further matrix entries. window: the last positions a
    token sees. own_kv: False where the latent of another layer is used.
    Raises ValueError naming the field that is wrong.
    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1; indexer: transformers models/deepseek_v32.

    >>> LatentAttention(layers=61, heads=128, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128,
    ...                 q_rank=1536).cache_values(1)
    576
    """

    layers: int
    heads: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    v_dim: int
    q_rank: int | None = None
    bias: bool = False
    index_heads: int = 0
    index_dim: int = 0
    index_top_k: int | None = None
    extra: int = 0
    window: int | None = None
    own_kv: bool = True

    part = "attention"
    stack = "decoder"

    def __post_init__(self):
        store(self, check_count, "layers", "heads", "kv_rank", "nope_dim", "v_dim")
        store(self, check_count, "rope_dim", "index_heads", "index_dim", "extra", low=0)
        store(self, check_optional, "q_rank", "index_top_k", "window")
        store(self, check_flag, "bias", "own_kv")

    def weights(self, d_model):
        """Return the matrix entries of one layer: down and up projections, and the output."""
        queries = self.heads * (self.nope_dim + self.rope_dim)
        query = d_model * queries if self.q_rank is None else self.q_rank * (d_model + queries)
        down, up = d_model * self._cached(), self.kv_rank * (self.nope_dim + self.v_dim)
        return query + down + self.heads * (up + self.v_dim * d_model) + self._index(d_model) + self.extra

    def vectors(self, d_model):
        """Return the scales of the norms on the latents of one layer, the index key's norm, and biases."""
        index = 2 * self.index_dim if self.index_heads else 0
        norms = self.kv_rank * self.own_kv + (self.q_rank or 0) + index
        return norms + self.bias * ((self.q_rank or 0) + self._cached() + d_model)

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence of `context` tokens."""
        return self._cached() * min(context, self.window or context) + self.index_dim * context

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of scores and values for one token in one layer.

        absorbed: score against the cached latent itself, as decoding does, instead of against keys and
        values that were expanded to full width; more FLOPs, far fewer bytes.
        """
        expanded = self.nope_dim + self.rope_dim + self.v_dim
        width = 2 * self.kv_rank + self.rope_dim if absorbed else expanded
        index = self.index_heads * self.index_dim * seen(context, phase)
        return 2 * (self.heads * width * seen(context, phase, self.window, self.index_top_k) + index)

    def _cached(self):
        return (self.kv_rank + self.rope_dim) * self.own_kv

    def _index(self, d_model):
        """Return the matrix entries of the indexer: queries, one key, one weight per head."""
        if not self.index_heads:
            return 0
        queries = (self.q_rank or d_model) * self.index_heads * self.index_dim
        return queries + d_model * (self.index_dim + self.index_heads)


class _Counted:
    """What groups have in common that hold the `parameters` of a layer, all of them, in one number."""

    stack = "decoder"

    def weights(self, d_model):
        """Return the parameters of one layer."""
        return self.parameters

    def vectors(self, d_model):
        """Return 0: `parameters` holds everything."""
        return 0


@dataclass(frozen=True)
class CompressedAttention(_Counted):
    """Describe layers that see a short window of tokens and, beyond it, one entry per `ratio` tokens.

    layers, heads, head_dim, window: as in `Attention`; keys and values are one vector of head_dim, shared
    by all heads. parameters: of one layer, all of them. ratio: tokens behind one compressed entry; 0 for
    none. index_heads, index_dim, index_top_k: the indexer that chooses among the compressed entries.
    Raises ValueError naming the field that is wrong.
    Source: DeepSeek-V4; transformers models/deepseek_v4/modeling_deepseek_v4.py.

    >>> CompressedAttention(layers=1, parameters=1, heads=1, head_dim=512, window=128, ratio=4,
    ...                     index_dim=128).cache_values(1024) - 128 * 512
    163840
    """

    layers: int
    parameters: int
    heads: int
    head_dim: int
    window: int
    ratio: int = 0
    index_heads: int = 0
    index_dim: int = 0
    index_top_k: int | None = None

    part = "attention"

    def __post_init__(self):
        store(self, check_count, "layers", "parameters", "heads", "head_dim", "window")
        store(self, check_count, "ratio", "index_heads", "index_dim", low=0)
        store(self, check_optional, "index_top_k")

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence of `context` tokens."""
        beyond = context // self.ratio if self.ratio else 0
        return min(context, self.window) * self.head_dim + beyond * (self.head_dim + self.index_dim)

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of scores and values, and of the indexer, for one token in one layer."""
        near = seen(context, phase, self.window)
        entries = seen(context, phase) / self.ratio if self.ratio else 0
        chosen = min(entries, self.index_top_k or entries)
        index = self.index_heads * self.index_dim * entries
        return 4 * self.heads * self.head_dim * (near + chosen) + 2 * index


@dataclass(frozen=True)
class StateLayer(_Counted):
    """Describe layers with a state of constant size: state-space or linear attention, by its counts.

    layers: how many such layers. parameters: of one layer, all of them. state: numbers that one layer
    keeps per sequence, whatever the context, a convolution's last inputs included. One token costs 2 FLOPs
    per parameter and 4 per number of state (a multiply-add to write it and one to read it), which leaves
    smaller terms out.
    Raises ValueError naming the field that is wrong.

    >>> StateLayer(layers=70, parameters=251_666_432, state=1_048_576).cache_values(1_000_000)
    1048576
    """

    layers: int
    parameters: int
    state: int = 0

    part = "state layers"

    def __post_init__(self):
        store(self, check_count, "layers", "parameters")
        store(self, check_count, "state", low=0)

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence, the same for every context."""
        return self.state

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of updating and reading the state, for one token in one layer."""
        return 4 * self.state


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
        store(self, check_count, "layers", "hidden")
        store(self, check_flag, "gated", "bias")

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
    or as a correction that only the choice sees. latent: the width that the routed experts work in, where
    one matrix leads down to it and one back; left out it is d. router_extra: further parameters of one
    router. Raises ValueError naming the field that is wrong.
    Source: arXiv 1701.06538; shared experts: arXiv 2401.06066; latent: transformers models/nemotron_h.

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
    latent: int | None = None
    router_extra: int = 0

    def __post_init__(self):
        store(self, check_count, "layers", "experts", "hidden")
        store(self, check_count, "top_k", high=self.experts)
        store(self, check_count, "shared_experts", "router_extra", low=0)
        store(self, check_optional, "shared_hidden", "latent")
        store(self, check_flag, "gated", "bias", "shared_gate", "router_bias")
        if not self.shared_experts and (self.shared_gate or self.shared_hidden is not None):
            raise ValueError("shared_hidden and shared_gate need shared_experts of at least 1, got 0")
        object.__setattr__(self, "shared_hidden", self.shared_hidden or self.hidden)

    def expert_weights(self, d_model):
        """Return the matrix entries of one expert."""
        return matrix_entries(self.latent or d_model, self.hidden, self.gated)

    def expert_vectors(self, d_model):
        """Return the biases of one expert."""
        return self.bias * bias_entries(self.latent or d_model, self.hidden, self.gated)

    def shared_weights(self, d_model):
        """Return what every token meets in one layer: shared experts, their gate, the way to a latent."""
        shared = self.shared_experts * matrix_entries(d_model, self.shared_hidden, self.gated)
        return shared + self.shared_gate * d_model + 2 * d_model * (self.latent or 0)

    def shared_vectors(self, d_model):
        """Return the biases of all shared experts of one layer."""
        return self.bias * self.shared_experts * bias_entries(d_model, self.shared_hidden, self.gated)

    def router_weights(self, d_model):
        """Return the d E entries of the router's matrix in one layer."""
        return d_model * self.experts

    def router_vectors(self):
        """Return the numbers per expert that the router adds to its scores, and what else it has."""
        return self.router_bias * self.experts + self.router_extra


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

"""Token mixers that are not plain softmax attention: latent attention, and layers with a constant state.

They answer the same questions as `Attention`: what one layer weighs, computes and keeps.
"""

from dataclasses import dataclass

from moeviz.arrays import check_count
from moeviz.checks import check_optional
from moeviz.cost.attention import mean_positions


@dataclass(frozen=True)
class LatentAttention:
    """Describe layers of multi-head latent attention (MLA), which cache one small vector per token.

    layers, heads: as in `Attention`. kv_rank: width of the cached latent. rope_dim: width of the
    one key part with positions, shared by all heads. nope_dim: width of the rest of each key.
    v_dim: width of one value. q_rank: width of the query latent; left out queries are not compressed.
    Raises ValueError naming the field that is wrong.
    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1.

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

    part = "attention"
    stack = "decoder"

    def __post_init__(self):
        for name in ("layers", "heads", "kv_rank", "nope_dim", "rope_dim", "v_dim"):
            check_count(getattr(self, name), name)
        check_optional(self.q_rank, "q_rank")

    def weights(self, d_model):
        """Return the matrix entries of one layer: down and up projections, and the output."""
        queries = self.heads * (self.nope_dim + self.rope_dim)
        query = d_model * queries if self.q_rank is None else self.q_rank * (d_model + queries)
        down, up = d_model * (self.kv_rank + self.rope_dim), self.kv_rank * (self.nope_dim + self.v_dim)
        return query + down + self.heads * (up + self.v_dim * d_model)

    def vectors(self, d_model):
        """Return the scales of the two norms on the latents of one layer."""
        return self.kv_rank + (self.q_rank or 0)

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence of `context` tokens."""
        return (self.kv_rank + self.rope_dim) * context

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of scores and values for one token in one layer.

        absorbed: score against the cached latent itself, as decoding does, instead of against keys and
        values that were expanded to full width; more FLOPs, far fewer bytes.
        """
        expanded = self.nope_dim + self.rope_dim + self.v_dim
        width = 2 * self.kv_rank + self.rope_dim if absorbed else expanded
        positions = context if phase == "decode" else mean_positions(context, context)
        return 2 * self.heads * width * positions


@dataclass(frozen=True)
class StateLayer:
    """Describe layers with a state of constant size: state-space or linear attention, by its counts.

    layers: how many such layers. parameters: of one layer, all of them. state: numbers that one layer
    keeps per sequence, whatever the context. One token costs 2 FLOPs per parameter and 4 per number of
    state (a multiply-add to write it and one to read it), which leaves smaller terms out.
    Raises ValueError naming the field that is wrong.

    >>> StateLayer(layers=70, parameters=251_666_432, state=1_048_576).cache_values(1_000_000)
    1048576
    """

    layers: int
    parameters: int
    state: int = 0

    part = "state layers"
    stack = "decoder"

    def __post_init__(self):
        check_count(self.layers, "layers")
        check_count(self.parameters, "parameters")
        check_count(self.state, "state", low=0)

    def weights(self, d_model):
        """Return the parameters of one layer."""
        return self.parameters

    def vectors(self, d_model):
        """Return 0: `parameters` holds everything."""
        return 0

    def cache_values(self, context):
        """Return the numbers one layer keeps for one sequence, the same for every context."""
        return self.state

    def score_flops(self, context, phase, absorbed=False):
        """Return the FLOPs of updating and reading the state, for one token in one layer."""
        return 4 * self.state

"""Transformer: the trained model as one frozen record, with what notebooks ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from moeviz.arrays import check_rng
from moeviz.checks import check_kind
from moeviz.tinylm.parts import check_weights
from moeviz.transformer.config import Config, weight_shapes


@dataclass(frozen=True, eq=False, repr=False)
class Transformer:
    """A byte language model of L blocks, each attention and then experts.

    weights: {name: array} with the names and shapes of `weight_shapes(config)`; copied, read-only.
    provenance: plain facts about the training (seed, steps, hash of the text, held-out losses).
    Raises ValueError naming the array that is missing, of the wrong shape or dtype, or not finite.
    """

    weights: MappingProxyType
    config: Config
    provenance: MappingProxyType = field(default_factory=dict)

    def __post_init__(self):
        check_kind(self.weights, "weights", Mapping)
        check_kind(self.provenance, "provenance", Mapping)
        checked = check_weights(self.weights, weight_shapes(self.config))
        object.__setattr__(self, "weights", MappingProxyType(checked))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))


def init(rng, config, *, dtype=np.float32):
    """Draw an untrained Transformer: weights scaled to their inputs, gates small (std 0.02).

    What is added to the stream is drawn smaller the more layers add to it.
    Raises ValueError for a bad rng or what is no Config.

    >>> init(np.random.default_rng(0), Config()).config.num_experts
    8
    """
    rng, shapes = check_rng(rng), weight_shapes(config)
    weights = {name: _draw(rng, name, shape, config.layers).astype(dtype) for name, shape in shapes.items()}
    return Transformer(weights, config, {"trained": False})


def _draw(rng, name, shape, layers):
    if name.startswith("norm"):
        return np.ones(shape)
    kind, into = name.rstrip("_0123456789"), shape[-2] ** -0.5
    adds = (2 * layers) ** -0.5
    scale = {"embedding": 0.5, "gate": 0.02, "w_in": into * 2**0.5, "w_merge": into * adds,
             "w_out": into * adds}.get(kind, into)
    return rng.normal(size=shape) * scale

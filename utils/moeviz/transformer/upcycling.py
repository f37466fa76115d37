"""Upcycling: a dense Transformer whose feed-forward layers are copied into experts, before it trains on."""

from dataclasses import replace

import numpy as np

from moeviz.arrays import check_count, check_rng
from moeviz.checks import check_kind
from moeviz.transformer.config import weight_shapes
from moeviz.transformer.model import Transformer


def upcycle(model, num_experts, *, k=2, rng):
    """Return a Transformer with num_experts copies of each dense layer of a model, and new small gates.

    At first it says what the dense model says, for the weights of the k chosen copies sum to 1.
    Raises ValueError for a model that has experts already, counts that are wrong or no rng.
    Source: Komatsuzaki et al. 2023, arXiv 2212.05055.

    >>> from moeviz import transformer
    >>> dense = transformer.Config(width=8, heads=2, hidden=4, num_experts=1, k=1, layers=1)
    >>> upcycle(transformer.init(np.random.default_rng(0), dense), 4, rng=np.random.default_rng(0)).config.k
    2
    """
    config, rng = check_kind(model, "model", Transformer).config, check_rng(rng)
    if config.num_experts != 1:
        raise ValueError(f"model must be dense, with one expert, got {config.num_experts}")
    config = replace(config, num_experts=check_count(num_experts, "num_experts", low=2), k=k)
    weights = {}
    for name, shape in weight_shapes(config).items():
        old = model.weights[name]
        if name.startswith("gate"):
            weights[name] = (0.02 * rng.normal(size=shape)).astype(old.dtype)
        else:
            weights[name] = np.repeat(old, num_experts, axis=0) if name.startswith(("w_in", "w_out")) else old
    return Transformer(weights, config, {**model.provenance, "upcycled": True})

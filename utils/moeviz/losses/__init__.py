"""Losses that keep a router healthy: each returns its value and its gradient on the logits.

`losses` may import `routing.backward`, which stands on the same layer: the way from weights and
probs back to the logits is written once, there.
"""

from moeviz.losses.product import gshard_loss, sequence_loss, switch_loss
from moeviz.losses.upkeep import bias_update, z_loss
from moeviz.losses.variation import importance_loss, load_loss, selection_probability

__all__ = [
    "bias_update", "gshard_loss", "importance_loss", "load_loss", "selection_probability",
    "sequence_loss", "switch_loss", "z_loss",
]

"""A small real Transformer over bytes whose feed-forward layers are experts, trained in NumPy by hand.

`load()` returns the trained model that is stored with the package; `train` makes a new one, as does
`python -m moeviz.transformer`.
"""

from moeviz.transformer.config import Config, weight_shapes
from moeviz.transformer.model import BlockTrace, Transformer, Written, init
from moeviz.transformer.report import held_out_loss, held_out_losses, held_out_rows
from moeviz.transformer.store import load, load_weights, save
from moeviz.transformer.train import History, train

__all__ = ["BlockTrace", "Config", "History", "Transformer", "Written", "held_out_loss", "held_out_losses",
           "held_out_rows", "init", "load", "load_weights", "save", "train", "weight_shapes"]

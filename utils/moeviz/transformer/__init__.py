"""A small real Transformer over bytes whose feed-forward layers are experts, trained in NumPy by hand.

`train` makes one, as does `python -m moeviz.transformer`.
"""

from moeviz.transformer.config import Config, weight_shapes
from moeviz.transformer.model import Transformer, init
from moeviz.transformer.train import History, train

__all__ = ["Config", "History", "Transformer", "init", "train", "weight_shapes"]

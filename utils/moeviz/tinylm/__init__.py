"""The course's own small MoE language model over bytes, trained in NumPy in well under a minute.

`load()` returns the trained model that is stored with the package; `train` makes a new one, as does
`python -m moeviz.tinylm`.
"""

from moeviz.tinylm.config import Config, weight_shapes
from moeviz.tinylm.model import LayerTrace, TinyLM, init
from moeviz.tinylm.store import load, load_weights, save
from moeviz.tinylm.train import History, train

__all__ = ["Config", "History", "LayerTrace", "TinyLM", "init", "load", "load_weights", "save", "train",
           "weight_shapes"]

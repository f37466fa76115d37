"""The course's own small MoE language model over bytes, trained in NumPy in well under a minute.

`load()` returns the trained model that is stored with the package; `train` makes a new one, as does
`python -m moeviz.tinylm`.
"""

from moeviz.tinylm.model import (
    Config,
    LayerTrace,
    TinyLM,
    init,
    load,
    load_weights,
    save,
    weight_shapes,
)
from moeviz.tinylm.train import History, held_out_loss, held_out_windows, train

__all__ = ["Config", "History", "LayerTrace", "TinyLM", "held_out_loss", "held_out_windows", "init", "load",
           "load_weights", "save", "train", "weight_shapes"]

"""A small real Transformer over bytes whose feed-forward layers are experts, trained in NumPy by hand.

`load()` returns the trained model that is stored with the package; `train` makes a new one, as does
`python -m moeviz.transformer`.
"""

from moeviz.transformer.decoder import (
    BlockTrace,
    Config,
    Transformer,
    Written,
    init,
    load,
    load_weights,
    save,
    weight_shapes,
)
from moeviz.transformer.descent import (
    History,
    held_out_loss,
    held_out_losses,
    held_out_rows,
    train,
    upcycle,
)

__all__ = ["BlockTrace", "Config", "History", "Transformer", "Written", "held_out_loss", "held_out_losses",
           "held_out_rows", "init", "load", "load_weights", "save", "train", "upcycle",
           "weight_shapes"]

"""Learning per FLOP: byte models of equal active size, trained for different lengths, and compared.

`load_curves()` returns the curves that come with the package; `python -m moeviz.learning` makes them anew.
"""

from moeviz.learning.curves import (
    Curve,
    amount_to_reach,
    cheapest,
    curves_of,
    lowest_shared,
    opponents_of,
    saving,
)
from moeviz.learning.runs import Run, held_out_loss, measure
from moeviz.learning.size import byte_model, num_weights, shape_of, training_flops
from moeviz.learning.store import load_curves, load_runs, save_runs

__all__ = ["Curve", "Run", "amount_to_reach", "byte_model", "cheapest", "curves_of", "held_out_loss",
           "load_curves", "load_runs", "lowest_shared", "measure", "num_weights", "opponents_of",
           "save_runs", "saving", "shape_of", "training_flops"]

"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

from moeviz.exercises.dispatch import gather, scatter, waste
from moeviz.exercises.gating import margin, softmax, top_2
from moeviz.exercises.orders import biased, survivors, threshold
from moeviz.exercises.sparse import count, sparse, split
from moeviz.exercises.start import combine, favourites, load

__all__ = [
    "biased", "combine", "count", "favourites", "gather", "load", "margin", "scatter", "softmax", "sparse",
    "split", "survivors", "threshold", "top_2", "waste",
]

"""Every exercise of the course by its name: `check.name(my_name)`. One module of exercises per notebook."""

from moeviz.exercises.gating import margin, softmax, top_2

__all__ = ["margin", "softmax", "top_2"]

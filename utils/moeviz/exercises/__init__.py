"""Exercises that check themselves: `check.name(my_name)`, and the helpers of a lesson's cells."""

from moeviz.exercises import check
from moeviz.exercises.lesson import claim, predict, reveal, table

__all__ = ["check", "claim", "predict", "reveal", "table"]

"""Tally: amounts by part, with their sum."""

from dataclasses import dataclass

from moeviz.arrays import check_choice


@dataclass(frozen=True, repr=False)
class Tally:
    """Hold amounts by part in one unit.

    >>> Tally({"scores": 1.0, "experts": 3.0}, "FLOP").share("scores")
    0.25
    """

    by_part: dict
    unit: str

    @property
    def total(self):
        return sum(self.by_part.values())

    def share(self, *parts):
        """Return the share of these parts in the total, from 0 to 1; ValueError for an unknown part."""
        named = [self.by_part[check_choice(part, "part", self.by_part)] for part in parts]
        return sum(named) / self.total

    def __repr__(self):
        rows = [(part, amount) for part, amount in self.by_part.items() if amount]
        lines = [f"{part:<22}{amount:>24,.0f}" for part, amount in [*rows, ("all", self.total)]]
        return "\n".join([f"{'':<22}{self.unit:>24}", *lines])

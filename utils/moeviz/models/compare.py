"""Derived against published: what the shape gives, what was printed, and what that proves."""

from dataclasses import dataclass

from moeviz.checks import check_kind
from moeviz.cost import count_parameters
from moeviz.models.record import Model

COARSE = 0.05


@dataclass(frozen=True)
class Comparison:
    """Hold one published figure beside the derived one.

    quantity: "total", "active A", "active B", "active C" or "exact total".
    error: derived / published - 1. tolerance: what the printed digits allow, as a share.
    within: whether the derived value lies inside it. evidence: what a match is worth,
        "independent"        nothing was chosen to make it match
        "fitted"             a field was chosen because it reproduces this figure: proves nothing
        "name only"          the figure is part of the model's name: proves nothing
        "coarse"             the digits allow more than 5 %: proves little
        "reading not stated" the publisher does not say what counts as active: one of three may fit
        "another reading"    the publisher means another one of the three
    note: the reason for a fit or for a gap, where one is known.
    """

    model: str
    quantity: str
    published: str
    derived: int
    error: float
    tolerance: float
    within: bool
    evidence: str
    note: str

    @property
    def proves(self):
        """Whether this is a match that was not made to match."""
        return self.within and self.evidence == "independent"


def derived_against_published(model):
    """Return a tuple of `Comparison` for one `Model`: total, active in three readings, exact total.

    A counts both token tables, B leaves out the input embedding, C leaves out both. Which of them
    the publisher means is said in `Published.convention`, for the few who state it.
    Raises ValueError for what is no `Model`.

    >>> from moeviz.models import model
    >>> [row.quantity for row in derived_against_published(model("OLMoE-1B-7B"))]
    ['total', 'active A', 'active B', 'active C', 'exact total']
    """
    count = count_parameters(check_kind(model, "model", Model).spec)
    readings = {"A": count.active, "B": count.active_without_embedding, "C": count.active_without_tables}
    without = count.tables if model.total.counts == "without tables" else 0
    rows = [compare(model.name, "total", model.total, count.total - without + model.total.beside)]
    if model.active:
        rows += [compare(model.name, f"active {letter}", model.active, derived, letter)
                 for letter, derived in readings.items()]
    if model.exact_total:
        rows.append(compare(model.name, "exact total", model.exact_total, count.total))
    return tuple(rows)


def compare(name, quantity, figure, derived, reading=None):
    """Return the `Comparison` of one `Published` figure with one derived value.

    >>> from moeviz.models.record import Published
    >>> row = compare("X", "total", Published("46.7B", "a paper"), 46_702_792_704)
    >>> row.within, row.evidence, f"{row.error:.1e}"
    (True, 'independent', '6.0e-05')
    """
    tolerance = figure.tolerance / figure.value
    within = abs(derived - figure.value) <= figure.tolerance
    note = figure.fit if within else figure.gap or figure.fit
    return Comparison(name, quantity, figure.text, derived, derived / figure.value - 1, tolerance, within,
                      _evidence(figure, tolerance, reading), note)


def _evidence(figure, tolerance, reading):
    if reading and figure.convention and figure.convention != reading:
        return "another reading"
    if figure.fit:
        return "fitted"
    if figure.name_only:
        return "name only"
    if tolerance > COARSE:
        return "coarse"
    return "reading not stated" if reading and not figure.convention else "independent"

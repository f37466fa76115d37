"""What the catalogue holds per model: its shape, and what its publisher said, each with a source."""

import re
from dataclasses import dataclass

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_text
from moeviz.cost import ModelSpec

UNITS = {"T": 10**12, "B": 10**9, "M": 10**6, "": 1}
CONVENTIONS = (None, "A", "B", "C")
COUNTS = ("everything", "without tables")
STATUSES = ("official", "company claim", "press", "rumour")


@dataclass(frozen=True)
class Published:
    """Hold one published figure: "46.7B" as it was printed, or every digit as in "6,919,161,856".

    source: where it was printed. convention: "A", "B" or "C" only where the publisher says which
    parameters count as active. counts: "everything" or "without tables". beside: parameters inside
    the figure and outside the spec (a vision tower, say); why: what they are.
    fit: which field was chosen because it reproduces this figure. name_only: the figure is known from
    the model's name alone. gap: why the derived value lies outside of the tolerance, where it does.
    Raises ValueError naming the field that is wrong.

    >>> Published("46.7B", "a paper").value, Published("46.7B", "a paper").tolerance
    (46700000000, 50000000)
    """

    text: str
    source: str
    convention: str | None = None
    counts: str = "everything"
    beside: int = 0
    why: str = ""
    fit: str = ""
    name_only: bool = False
    gap: str = ""

    def __post_init__(self):
        if not isinstance(self.text, str) or not re.fullmatch(r"[0-9][0-9,]*(\.[0-9]+)?[TBM]?", self.text):
            raise ValueError(f"text must be a figure such as '46.7B', got {self.text!r}")
        check_text(self.source, "source")
        check_choice(self.convention, "convention", CONVENTIONS)
        check_choice(self.counts, "counts", COUNTS)
        check_count(self.beside, "beside", low=0)
        check_flag(self.name_only, "name_only")

    @property
    def value(self):
        """The figure as a whole number."""
        digits, unit = self._split()
        whole, _, decimals = digits.partition(".")
        return int(whole + decimals) * unit // 10 ** len(decimals)

    @property
    def tolerance(self):
        """Half a unit of the last digit that counts; 0 where all digits are printed.

        Zeros that end a whole number may be exact or rounded; they are taken as rounded ("400B" is
        400 give or take 50 billion), the kinder reading.
        """
        digits, unit = self._split()
        if unit == 1:
            return 0
        decimals = len(digits.partition(".")[2])
        zeros = 0 if decimals else len(digits) - len(digits.rstrip("0"))
        return unit * 10**zeros // (2 * 10**decimals)

    def _split(self):
        digits = self.text.rstrip("TBM").replace(",", "")
        return digits, UNITS[self.text[-1] if self.text[-1] in "TBM" else ""]


@dataclass(frozen=True)
class Model:
    """Hold one published model.

    spec: its shape as a `ModelSpec`; shape_source: where that was read. total, active: what the
    publisher printed (active may be missing). exact_total: the count to the last digit, where public.
    router, balancing: what they are. note: what to know before quoting it.
    """

    name: str
    year: int
    organisation: str
    spec: ModelSpec
    shape_source: str
    total: Published
    router: str
    balancing: str
    active: Published | None = None
    exact_total: Published | None = None
    note: str = ""

    def __post_init__(self):
        check_count(self.year, "year", low=1990, high=2100)
        for field in ("name", "organisation", "shape_source", "router", "balancing"):
            check_text(getattr(self, field), field)

    @property
    def fit(self):
        """Whether a field was chosen because it reproduces a published figure."""
        return any(figure.fit for figure in (self.total, self.active) if figure)

    @property
    def name_only(self):
        """Whether a figure is known from the model's name alone."""
        return any(figure.name_only for figure in (self.total, self.active) if figure)


@dataclass(frozen=True)
class Statement:
    """Hold one sentence about a model that has no published shape: who said it, and how firmly.

    status: "official" (a report of the makers), "company claim", "press", or "rumour" (unconfirmed).
    """

    text: str
    status: str
    source: str

    def __post_init__(self):
        check_text(self.text, "text")
        check_text(self.source, "source")
        check_choice(self.status, "status", STATUSES)


@dataclass(frozen=True)
class Undisclosed:
    """Hold a model whose sizes were not published: statements with their sources, and no numbers."""

    name: str
    year: int
    organisation: str
    statements: tuple

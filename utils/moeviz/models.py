"""Published mixture-of-experts models as data: their shapes, and what their makers said of their size.

    model("Mixtral 8x7B").spec                    # a ModelSpec for moeviz.cost
    derived_against_published(model("DBRX"))      # does the shape give the published size?

`python -m moeviz.models` prints that for all of them. The data is moeviz/data/models.json, whose head
documents its fields: per model its shape, and what its publisher said, each with a source.
"""

import re
from dataclasses import dataclass
from functools import cache

from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_flag, check_kind, check_text, store
from moeviz.cost import ModelSpec, count_parameters
from moeviz.environment import run_command
from moeviz.files import stored_json

UNITS = {"T": 10**12, "B": 10**9, "M": 10**6, "": 1}
CONVENTIONS = (None, "A", "B", "C")
COUNTS = ("everything", "without tables")
STATUSES = ("official", "company claim", "press", "rumour")
FIGURES = ("total", "active", "exact_total")
COARSE = 0.05
WITHIN = 0.01
VERDICTS = {"fitted": "fitted: proves nothing", "name only": "name only: proves nothing",
            "coarse": "few digits: proves little"}
TOTAL_TEXT = "All parameters, derived in billions. Allowed: half a unit of the last digit that was printed."
ACTIVE_TEXT = """Active, in billions: A with both token tables, B without the embedding, C with neither.
Inside: the readings that the printed digits allow; in brackets the reading that the publisher states."""
EXACT_TEXT = "Counts that are public to the last digit: published, derived."
UNDISCLOSED_TEXT = "Without a published shape, and in no table above:"


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
        store(self, check_text, "source")
        check_choice(self.convention, "convention", CONVENTIONS)
        check_choice(self.counts, "counts", COUNTS)
        store(self, check_count, "beside", low=0)
        store(self, check_flag, "name_only")

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
        store(self, check_count, "year", low=1990, high=2100)
        store(self, check_text, "name", "organisation", "shape_source", "router", "balancing")

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
        store(self, check_text, "text", "source")
        check_choice(self.status, "status", STATUSES)


@dataclass(frozen=True)
class Undisclosed:
    """Hold a model whose sizes were not published: statements with their sources, and no numbers."""

    name: str
    year: int
    organisation: str
    statements: tuple


@cache
def catalogue():
    """Return every model with a published shape, oldest first, as a tuple of `Model`.

    >>> len(catalogue()) >= 30
    True
    """
    return tuple(read_model(entry) for entry in stored_json("models.json")["models"])


@cache
def undisclosed():
    """Return the models whose sizes were not published, as a tuple of `Undisclosed`.

    >>> [each.name for each in undisclosed()][:4]
    ['M4', 'GPT-4', 'MiniMax abab6', 'Gemini 1.5 Pro']
    """
    return tuple(_read_undisclosed(entry) for entry in stored_json("models.json")["undisclosed"])


def model(name):
    """Return the `Model` of this name; ValueError that lists the names for another.

    >>> model("Mixtral 8x7B").organisation
    'Mistral AI'
    """
    if isinstance(name, str) and name in {each.name for each in undisclosed()}:
        raise ValueError(f"{name!r} has no published shape; see undisclosed()")
    known = {each.name: each for each in catalogue()}
    return known[check_choice(name, "name", known)]


def read_model(entry):
    """Return the `Model` that one entry of the file describes; ValueError naming the model otherwise.

    >>> read_model({"name": "X", "year": 2024})
    Traceback (most recent call last):
    ValueError: model 'X': missing 'spec'
    """
    try:
        figures = {field: Published(**entry[field]) for field in FIGURES if field in entry}
        spec = ModelSpec.from_dict({"name": entry["name"], **entry["spec"]})
        return Model(**entry | figures | {"spec": spec})
    except KeyError as error:
        raise ValueError(f"model {entry.get('name')!r}: missing {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"model {entry.get('name')!r}: {error}") from None


def _read_undisclosed(entry):
    said = tuple(Statement(**each) for each in entry["statements"])
    return Undisclosed(**entry | {"statements": said})


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


def report():
    """Return the whole table, its summary, and what is known of the undisclosed models, as text.

    >>> report().splitlines()[1].split()
    ['model', 'year', 'published', 'derived', 'error', 'allowed', 'verdict']
    """
    models = catalogue()
    totals = [_head("published", "derived", "error", "allowed", "verdict"), *map(_total_line, models)]
    active = [_head("published", "A", "B", "C", "inside"), *map(_active_line, models)]
    exact = [_exact_line(each) for each in models if each.exact_total]
    numbers = [f"{name}: {number}" for name, number in summary().items()]
    return "\n".join([TOTAL_TEXT, *totals, "", ACTIVE_TEXT, *active, "", EXACT_TEXT, *exact, "", *numbers,
                      "", UNDISCLOSED_TEXT, *_statements()])


def summary():
    """Return counts over the catalogue as a dictionary: how many models, exact, close, fitted, outside.

    >>> summary()["models"] == len(catalogue())
    True
    """
    rows = [row for each in catalogue() for row in derived_against_published(each)]
    totals = [row for row in rows if row.quantity == "total"]
    exact = {row.model for row in rows if row.quantity == "exact total" and row.within}
    chosen = ("fitted", "name only")
    close = [row for row in totals if abs(row.error) <= WITHIN and row.evidence not in chosen]
    return {"models": len(totals), "exact to the digit": len(exact),
            "total within 1%, not fitted": len(close),
            "total fitted or name only": sum(row.evidence in chosen for row in totals),
            "total outside its digits": sum(not row.within for row in totals)}


def _head(*columns):
    return f"{'model':<28}{'year':<6}" + "".join(f"{name:>12}" for name in columns[:-1]) + f"  {columns[-1]}"


def _total_line(model):
    row = derived_against_published(model)[0]
    verdict = VERDICTS.get(row.evidence, "agrees") if row.within else f"outside: {row.note}"
    return (f"{model.name:<28}{model.year:<6}{row.published:>12}{row.derived / 1e9:>12,.2f}{row.error:>12.2%}"
            f"{row.tolerance:>12.2%}  {verdict}")


def _active_line(model):
    rows = [row for row in derived_against_published(model) if row.quantity.startswith("active")]
    if not rows:
        return f"{model.name:<28}{model.year:<6}{'-':>12}"
    inside = "".join(row.quantity[-1] for row in rows if row.within) or f"none: {rows[0].note}"
    stated = f" [{model.active.convention}]" if model.active.convention else ""
    chosen = f", {VERDICTS[rows[0].evidence]}" if rows[0].evidence in VERDICTS else ""
    values = "".join(f"{row.derived / 1e9:>12.2f}" for row in rows)
    return f"{model.name:<28}{model.year:<6}{model.active.text:>12}{values}  {inside}{stated}{chosen}"


def _exact_line(model):
    row = derived_against_published(model)[-1]
    verdict = "every digit" if row.within else f"off by {row.derived - model.exact_total.value:,}"
    return f"{model.name:<28}{model.year:<6}{row.published:>24}{row.derived:>24,}  {verdict}"


def _statements():
    for each in undisclosed():
        yield f"{each.name} ({each.organisation}, {each.year})"
        for said in each.statements:
            yield f"  {said.status}: {said.text} [{said.source}]"


if __name__ == "__main__":
    run_command(lambda: print(report()))

"""The table of derived against published, as text."""

from moeviz.models.catalogue import catalogue, undisclosed
from moeviz.models.compare import derived_against_published

WITHIN = 0.01
VERDICTS = {"fitted": "fitted: proves nothing", "name only": "name only: proves nothing",
            "coarse": "few digits: proves little"}


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


TOTAL_TEXT = "All parameters, derived in billions. Allowed: half a unit of the last digit that was printed."
ACTIVE_TEXT = """Active, in billions: A with both token tables, B without the embedding, C with neither.
Inside: the readings that the printed digits allow; in brackets the reading that the publisher states."""
EXACT_TEXT = "Counts that are public to the last digit: published, derived."
UNDISCLOSED_TEXT = "Without a published shape, and in no table above:"


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
            "total within 1 %, not fitted": len(close),
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

"""The runs that were trained beforehand, in a small file that `python -m moeviz.learning` writes."""

import json
from importlib import resources
from pathlib import Path

from moeviz.arrays import check_count, check_number
from moeviz.learning.curves import curves_of
from moeviz.learning.runs import Run


def stored_path():
    """Return where the package keeps the runs."""
    return resources.files("moeviz").joinpath("data", "learning.json")


def load_curves(path=None):
    """Return {name: Curve} of the stored runs, or of another file that `save_runs` wrote.

    >>> sorted(load_curves())[:3]
    ['E = 1', 'E = 16', 'E = 4']
    """
    return curves_of(load_runs(path)[0])


def load_runs(path=None):
    """Return (runs, about): a list of Runs, and a dictionary that says how they were made.

    Raises ValueError for a file that holds something else.
    """
    path = stored_path() if path is None else Path(path)
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return [_check_run(row) for row in read["runs"]], dict(read["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must hold runs and what they are about, got {error}") from None


def save_runs(path, runs, about):
    """Write Runs to a file, one a line, with a dictionary that says how they were made.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> save_runs(folder.name + "/a.json", [Run(1, 64, 10, 0, 5.0, 1.0)], {"python": "3"})
    >>> load_runs(folder.name + "/a.json")[0][0].loss
    5.0
    >>> folder.cleanup()
    """
    rows = ",\n".join(json.dumps(list(run)) for run in runs)
    head = f'"about": {json.dumps(about, indent=1)},\n"fields": {json.dumps(Run._fields)}'
    text = f'{{{head},\n"runs": [\n{rows}\n]}}\n'
    Path(path).write_text(text, encoding="utf-8")


def _check_run(row):
    run = Run(*row)
    for name in ("experts", "width", "steps"):
        check_count(getattr(run, name), name)
    check_count(run.seed, "seed", low=0)
    check_number(run.loss, "loss", low=0.0)
    check_number(run.seconds, "seconds", low=0.0)
    return run

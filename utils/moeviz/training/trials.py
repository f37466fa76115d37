"""Trials: one plan trained on several seeds and judged on each seed's held-out tokens."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count, check_matrix
from moeviz.training.loop import Evaluation, evaluate, train_seeds

HEADINGS = {"dead": "dead experts", "fvu": "FVU", "max_violation": "MaxVio"}  # of fields, in tables


class Trials(NamedTuple):
    """Runs of one plan, one per seed, and what `evaluate` says of each.

    runs: list of Run. judged: list of Evaluation, in the same order.
    """

    runs: list
    judged: list

    def each(self, name):
        """Return one number per seed: a field of Evaluation, rounded to two decimals."""
        return [round(getattr(one, name), 2) for one in self.judged]

    def mean(self, name):
        """Return the mean over the seeds of a field of Evaluation."""
        return float(np.mean([getattr(one, name) for one in self.judged]))


def trials(make_task, *, seeds=(0, 1, 2), **plan):
    """Train a plan on several seeds, each on a task of its own, and judge each run; return Trials.

    make_task, seeds and plan: as in `train_seeds`, which says what raises a ValueError.

    >>> from functools import partial
    >>> from moeviz.training import clustered_task, routers
    >>> task = partial(clustered_task, samples=600, held_out=100)
    >>> len(trials(task, router=routers.top_k(1), steps=2).each("dead"))
    3
    """
    runs = train_seeds(make_task, seeds=seeds, progress=False, **plan)
    return Trials(runs, [evaluate(run) for run in runs])


def by_seed(named, *fields):
    """Return the columns of a table, {heading: values}: a row per Trials, each seed's values of the fields.

    named: {name: Trials}. fields: of Evaluation, such as "dead" or "fvu". Raises ValueError for unknown ones.

    >>> by_seed({"a": Trials([], [])}, "dead")
    {'runs': ['a'], 'dead experts, by seed': [[]]}
    """
    unknown = [field for field in fields if field not in Evaluation._fields]
    if unknown:
        raise ValueError(f"fields must be some of {', '.join(Evaluation._fields)}, got {unknown[0]!r}")
    return {"runs": list(named), **{f"{HEADINGS.get(field, field)}, by seed":
                                    [each.each(field) for each in named.values()] for field in fields}}


def fates(load, *, window=20):
    """Return one word per expert for what became of it: "lives", "falls", "revives", "dies" or "starves".

    load: (S, E) shares over training, S at least twice the window, such as `History.load`. An expert is
    dead below a tenth of the fair share. "falls": the busiest of the first `window` steps, dead in the last.
    "dies": any other that is alive at first and dead at last. "revives": alive at last, although dead over
    some stretch of `window` steps. "starves": dead at first and at last. Raises ValueError for a short load.

    >>> fates(np.array([[1.0, 0.0], [0.0, 1.0]]), window=1)
    ['falls', 'revives']
    """
    load = check_matrix(load, "load", shape="(S, E)")
    if len(load) < 2 * check_count(window, "window"):
        raise ValueError(f"load must have at least {2 * window} steps, got {len(load)}")
    starts = range(len(load) - window + 1)
    means = np.array([load[start:start + window].mean(axis=0) for start in starts])
    dead = means < 0.1 / load.shape[1]
    words = np.where(dead[-1], np.where(dead[0], "starves", "dies"),
                     np.where(dead.any(axis=0), "revives", "lives"))
    favourite = means[0].argmax()
    return ["falls" if e == favourite and dead[-1, e] else str(word) for e, word in enumerate(words)]

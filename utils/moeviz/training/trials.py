"""Trials: one plan trained on several seeds and judged on each seed's held-out tokens."""

from typing import NamedTuple

import numpy as np

from moeviz.training.loop import Evaluation, evaluate, train_seeds


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
    {'seeds side by side': ['a'], 'dead': [[]]}
    """
    unknown = [field for field in fields if field not in Evaluation._fields]
    if unknown:
        raise ValueError(f"fields must be some of {', '.join(Evaluation._fields)}, got {unknown[0]!r}")
    return {"seeds side by side": list(named),
            **{field: [each.each(field) for each in named.values()] for field in fields}}

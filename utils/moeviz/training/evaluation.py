"""How good a trained layer is on tokens that it has not seen, and how it uses its experts there."""

from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import check_count
from moeviz.record import Routing
from moeviz.training.layer import forward


class Evaluation(NamedTuple):
    """One run on all held-out tokens at once. Reading the load off a part of them finds dead experts
    that are only out of fashion there.

    fvu: fraction of variance unexplained, the squared error over that of guessing the mean; 0 is perfect.
    dead: the number of experts with less than a tenth of the fair share, load < 0.1 / E.
    max_violation, load_entropy: of the load, and purity: of experts and clusters; see `metrics`.
    load: (E,) share of the choices. routing: the Routing, for every other metric and plot.
    """

    fvu: float
    dead: int
    max_violation: float
    load_entropy: float
    purity: float
    load: np.ndarray
    routed: Routing


def evaluate(run, *, batch=None, seed=0):
    """Return the Evaluation of a Run on its task's held-out tokens, or on another Batch.

    seed: for routers that draw at random even then. Raises ValueError for a seed that is no whole number.

    >>> from moeviz import training
    >>> task = training.clustered_task(rng=np.random.default_rng(0), samples=600)
    >>> run = training.train(task, router=training.routers.top_k(1), steps=3)
    >>> 0.9 < training.evaluate(run).fvu < 1.3
    True
    """
    batch = run.task.test if batch is None else batch
    rng = np.random.default_rng(check_count(seed, "seed", low=0))
    done = forward(run.weights, run.plan, batch, bias=run.bias, rng=rng, training=False)
    load = metrics.load(done.routed)
    return Evaluation(_unexplained(done.output, batch.targets), len(metrics.dead_experts(load)),
                      metrics.max_violation(load), metrics.load_entropy(load),
                      metrics.purity(done.routed, batch.cluster), load, done.routed)


def _unexplained(output, targets):
    error, spread = output - targets, targets - targets.mean(axis=0)
    return float((error.astype(float) ** 2).sum() / (spread.astype(float) ** 2).sum())

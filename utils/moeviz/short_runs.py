"""Short runs on three seeds: what a claim stands on that one long run cannot carry.

A smaller Transformer is trained in five ways for as many bytes each. `python -m moeviz.transformer --short`
makes the runs anew; `load_short()` reads those that are stored.

S steps, L layers.
"""

import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from moeviz import interventions
from moeviz.arrays import check_choice, check_count, check_number
from moeviz.files import load_runs, stored, write_runs
from moeviz.transformer import Config, held_out_losses, held_out_rows, train, upcycle

SEEDS = (0, 1, 2)
STEPS = 300
STORED = stored("transformer_short.json")
CONFIG = Config(context=64, width=64, heads=4, layers=2, num_experts=8, hidden=64, k=2)
DENSE = replace(CONFIG, num_experts=1, k=1)
KINDS = {  # what each way of training is
    "experts": "8 experts of width 64, 2 of them per byte, Switch loss",
    "no balance": "the same without a balancing loss",
    "dense, as active": "one dense layer of width 128, as many active weights",
    "dense": "one dense layer of width 64, two runs one after the other, each half as long",
    "upcycled": "the first of these two, copied into 8 experts, and the second run with them",
}


class Short(NamedTuple):
    """One run. loss: held-out, the mean of the four domains, in nats per byte."""

    kind: str
    seed: int
    steps: int
    seconds: float  # of the processor, training alone
    loss: float
    busiest: tuple  # of each layer, how many times its fair share the busiest expert has on held-out text
    at_k: dict      # {k: loss} with that many experts per byte
    told: tuple     # of each layer (byte, previous byte, place in the word): shares of the choice's entropy


def run_short(corpus, kind, seed, *, steps=STEPS):
    """Train one of KINDS on a Corpus and return its Short.

    Raises ValueError for another kind, or a number of steps below 2.
    """
    steps, begin = check_count(steps, "steps", low=2), time.process_time()
    model = _train(corpus, kind, seed, steps)
    seconds = time.process_time() - begin
    rows = held_out_rows(corpus, length=model.config.context, per_domain=40)

    def loss(k):
        losses = held_out_losses(model, rows, route=model.steered(k=k))
        return round(float(np.mean([losses[rows.domain == d].mean() for d in np.unique(rows.domain)])), 5)

    experts = model.config.num_experts
    at_k = {k: loss(k) for k in (1, 2, 3, 4, 8) if k <= experts}
    loads = [_busiest(layer.routed) for layer in model.run_rows(rows.text).layers]
    told = interventions.what_tells(model, rows.text, rng=np.random.default_rng(0)) if experts > 1 else []
    shares = tuple(tuple(round(value, 4) for value in each[1:]) for each in told)
    return Short(kind, seed, steps, round(seconds, 1), at_k[model.config.k], tuple(loads), at_k, shares)


def load_short(path=STORED):
    """Return ([Short], about) of the stored runs, or of another file that `save_short` wrote.

    Raises ValueError for a file that holds something else.
    """
    return load_runs(path, _check_run, "short runs and what they are about")


def _check_run(row):
    run = Short(*row)
    check_choice(run.kind, "kind", KINDS)
    check_count(run.seed, "seed", low=0)
    check_count(run.steps, "steps")
    for name in ("seconds", "loss"):
        check_number(getattr(run, name), name, low=0.0)
    at_k = {int(k): check_number(loss, "at_k", low=0.0) for k, loss in run.at_k.items()}
    told = tuple(tuple(check_number(share, "told") for share in layer) for layer in run.told)
    return run._replace(at_k=at_k, told=told,
                        busiest=tuple(check_number(share, "busiest", low=0.0) for share in run.busiest))


def by_kind(runs, field):
    """Return {kind: values of a field of its Shorts, seed by seed}.

    >>> [len(losses) for losses in by_kind(load_short()[0], "loss").values()]
    [3, 3, 3, 3, 3]
    """
    return {kind: [getattr(run, field) for run in runs if run.kind == kind] for kind in KINDS}


def save_short(path, runs, about):
    """Write Shorts to a file, one a line, with a dictionary that says how they were made."""
    write_runs(path, runs, about, Short._fields)


def _train(corpus, kind, seed, steps):
    configs = {"experts": CONFIG, "no balance": replace(CONFIG, aux_weight=0.0),
               "dense, as active": replace(DENSE, hidden=2 * DENSE.hidden)}
    if kind in configs:
        return train(corpus, config=configs[kind], seed=seed, steps=steps, progress=False)[0]
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    first = train(corpus, config=DENSE, seed=seed, steps=steps // 2, progress=False)[0]
    if kind == "upcycled":
        first = upcycle(first, CONFIG.num_experts, k=CONFIG.k, rng=np.random.default_rng([seed, 2]))
    return train(corpus, config=first.config, seed=seed + 100, steps=steps - steps // 2, start=first,
                 progress=False)[0]


def _busiest(routed):
    load = np.bincount(routed.pairs().expert, minlength=routed.num_experts)
    return round(float(load.max() / load.mean()), 3)

"""Interventions on three seeds: what a claim about who needs an expert stands on.

The course's Transformer is trained anew, shorter, on each of three seeds, and then run otherwise on held-out
rows, by the same functions that a notebook calls with the one in the box.
`python -m moeviz.transformer --causal` makes the results anew; `load_causal()` reads those that are stored.

N seeds, L layers, E experts, C classes of bytes. Losses and damages are in nats per byte.
"""

import time
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from moeviz import earlier, interventions, tinylm
from moeviz.arrays import check_choice, check_count, check_matrix, check_number
from moeviz.files import load_runs, stored, write_runs
from moeviz.interventions import CLASSES, Means, Pair
from moeviz.tables import as_range
from moeviz.transformer import Config, held_out_losses, held_out_rows, train

SEEDS = (0, 1, 2)
STEPS = 2000
PER_DOMAIN = 40  # held-out rows of each domain
KS = (1, 2, 3, 4, 8)
PAIRS = ("vital", "spare")
EARLIER = "earlier, in PyTorch"  # heading of figures that are not of these runs, see `moeviz.earlier`
DIGITS = 5
STORED = stored("transformer_causal.json")


class Layer(NamedTuple):
    """What was measured of one layer."""

    use: Means         # (E, C) share of the bytes of a class that use an expert
    harm: Means        # (E, C) what they lose when it is off, its tokens going to the next best
    ways: dict         # {way to run the layer otherwise: (nats per byte, error)}, as `interventions.changes`
    others: tuple      # (share, largest) of harm to bytes that did not use the expert, `beyond_its_users`
    bits: float        # information between harm and class
    null: tuple        # (mean, largest) of it with the classes shuffled
    told: tuple        # (byte, byte before, place in the word): shares of the first choice's entropy


class Causal(NamedTuple):
    """One seed. Both pairs were sought on every other row and measured on the rest."""

    seed: int
    steps: int
    seconds: float  # of the processor, training alone
    loss: dict      # {domain: held-out loss}
    without_attention: dict  # {domain: loss of the course's byte model on the same rows}
    at_k: dict      # {k: mean loss of all rows with that many experts per byte}
    layers: tuple   # of Layer
    vital: Pair     # unused but vital
    path: dict      # {way: (nats per byte, error)} of `path_through_attention` for it
    spare: Pair     # used but redundant

    @property
    def gain(self):
        """By how much its loss is below that of the byte model, the mean of the domains."""
        return float(np.mean(list(self.without_attention.values())) - np.mean(list(self.loss.values())))


def run_causal(corpus, seed, *, config=None, steps=STEPS, per_domain=PER_DOMAIN):
    """Train one Transformer on a Corpus, run it otherwise, and return what that costs as a Causal.

    Raises ValueError for a seed or a number of steps that is wrong.
    """
    begin = time.process_time()
    model, _ = train(corpus, config=config, seed=seed, steps=steps, progress=False)
    return measure(model, corpus, seconds=round(time.process_time() - begin, 1), per_domain=per_domain)


def measure(model, corpus, *, seconds, per_domain=PER_DOMAIN):
    """Return the Causal of a trained model, measured on rows of the Corpus that it has not seen."""
    seed, config = model.provenance["seed"], model.config
    rows = held_out_rows(corpus, length=config.context, per_domain=per_domain)
    loss, byte_model = ({name: float(nats[rows.domain == d].mean())
                         for d, name in enumerate(corpus.domain_names) if (rows.domain == d).any()}
                        for nats in (held_out_losses(model, rows),
                                     interventions.judged(tinylm.load().row_losses(rows.text))))
    at_k = {k: float(held_out_losses(model, rows, route=model.steered(k=k)).mean())
            for k in KS if k <= config.num_experts}
    rng = np.random.default_rng([seed, 3])
    studies = [interventions.study(model, rows.text, layer=n + 1) for n in range(config.layers)]
    told = interventions.what_tells(model, rows.text, rng=rng)
    layers = tuple(_layer(model, rows.text, *each, rng) for each in zip(studies, told, strict=True))
    return Causal(seed, model.provenance["steps"], seconds, loss, byte_model, at_k, layers,
                  *_deceivers(model, rows.text, studies))


def _layer(model, rows, study, told, rng):
    ways = interventions.changes(model, rows, layer=study.layer, rng=rng)
    null = interventions.class_information_null(study.damage, study.classes, rng=rng)
    return Layer(*interventions.use_and_harm(study),
                 {way: interventions.mean_error(each) for way, each in ways.items()},
                 interventions.beyond_its_users(study),
                 interventions.class_information(study.damage, study.classes),
                 (float(null.mean()), float(null.max())), told[1:])


def _deceivers(model, rows, studies):
    """Return (vital, path, spare); what was sought on half of the rows is measured on the others."""
    seek, judge = (
        tuple(zip(*(interventions.use_and_harm(study, rows=part) for study in studies), strict=True))
        for part in (slice(0, None, 2), slice(1, None, 2)))
    vital, spare = interventions.unused_but_vital(*seek), interventions.used_but_redundant(*seek)
    rest = rows[1::2]
    at = interventions.positions_of(rest, vital.kind)
    path = interventions.path_through_attention(model, rest, layer=vital.layer, expert=vital.expert, at=at)
    return interventions.pair_of(*judge, *vital[:3]), path, interventions.pair_of(*judge, *spare[:3])


# --- what a notebook asks ------------------------------------------------------------------------

QUANTITIES = {  # name: of one Layer
    "bits about the class": lambda layer: layer.bits,
    "bits, classes shuffled": lambda layer: layer.null[1],
    "correlation of use and harm": lambda layer: interventions.correlation(layer.use.mean, layer.harm.mean),
    "classes hit most by their commonest expert": lambda layer: int(
        interventions.commonest_is_worst(layer.use.mean, layer.harm.mean).sum()),
    "harm on bytes that did not use it": lambda layer: layer.others[0],
    "the byte itself tells": lambda layer: layer.told[0],
    "the byte before adds": lambda layer: layer.told[1],
    "the place in the word adds": lambda layer: layer.told[2],
    **{way: partial(lambda way, layer: layer.ways[way][0], way) for way in interventions.WAYS},
}


def by_layer(runs, name):
    """Return one of QUANTITIES of several Causals, (N, L). Raises ValueError for another name.

    >>> by_layer(load_causal()[0][:2], "bits about the class").shape
    (2, 3)
    """
    quantity = QUANTITIES[check_choice(name, "name", QUANTITIES)]
    return np.array([[quantity(layer) for layer in run.layers] for run in runs])


def dots(runs):
    """Return (use, harm) of every expert and class, each (N, L, E, C)."""
    return tuple(np.array([[getattr(layer, name).mean for layer in run.layers] for run in runs])
                 for name in ("use", "harm"))


def beside(runs, *names):
    """Return the columns of a table, {heading: values}: a row per name and layer, then seeds, then PyTorch.

    The last column is the range that `moeviz.earlier` keeps of an independent run; empty where it has none.
    Raises ValueError for another name.

    >>> list(beside(load_causal()[0][:1], "an expert off"))
    ['measured', 'layer', 'seed 0', 'earlier, in PyTorch']
    """
    found = [(name, n + 1, *column) for name in names
             for n, column in enumerate(by_layer(runs, name).T.tolist())]
    columns = dict(zip(["measured", "layer", *(f"seed {run.seed}" for run in runs)], zip(*found, strict=True),
                       strict=True))
    known = [earlier.LAYERS.get(name, {}) for name in names]
    return columns | {EARLIER: [as_range(each[n]) if each else "" for each in known
                                for n in range(len(runs[0].layers))]}


def changes_of_k(runs):
    """Return the columns of a table: for each k, how the loss of each Causal differs from that with its own.

    >>> list(changes_of_k(load_causal()[0])["k"])
    [1, 2, 3, 4, 8]
    """
    own = Config().k
    seeds = {f"seed {run.seed}": [run.at_k[k] - run.at_k[own] for k in run.at_k] for run in runs}
    return {"k": list(runs[0].at_k), **seeds,
            EARLIER: [as_range(earlier.AT_K[k]) if k in earlier.AT_K else "" for k in runs[0].at_k]}


def pairs(runs, name):
    """Return the columns of a table of one Pair of each Causal, "vital" or "spare", and the earlier one.

    >>> list(pairs(load_causal()[0], "spare"))
    ['used but redundant', 'class', 'layer', 'use', 'harm', 'error']
    """
    title, known = {"vital": ("unused but vital", earlier.VITAL),
                    "spare": ("used but redundant", earlier.SPARE)}[check_choice(name, "name", PAIRS)]
    found = [(f"seed {run.seed}", CLASSES[pair.kind], pair.layer, *np.round(pair[3:], 3).tolist())
             for run in runs for pair in [getattr(run, name)]]
    return dict(zip([title, "class", "layer", "use", "harm", "error"],
                    zip(*found, (EARLIER, *known), strict=True), strict=True))


# --- the file ------------------------------------------------------------------------------------


def save_causal(path, runs, about):
    """Write Causals to a file, with a dictionary that says how they were made; numbers have 5 decimals."""
    write_runs(path, map(_plain, runs), about)


def load_causal(path=STORED):
    """Return ([Causal], about) of the stored results, or of another file that `save_causal` wrote.

    Raises ValueError for a file that holds something else.
    """
    return load_runs(path, _run, "results of interventions")


def _plain(value):
    """Return a value as JSON has it: tuples with names as dictionaries, numbers rounded."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    return round(float(value), DIGITS) if isinstance(value, (float, np.floating)) else value


def _run(row):
    """Return the Causal of what `_plain` made of one, after checking it."""
    number = {"seed": check_count(row["seed"], "seed", low=0), "steps": check_count(row["steps"], "steps"),
              "seconds": check_number(row["seconds"], "seconds", low=0.0)}
    losses = {name: _numbers(row[name]) for name in ("loss", "without_attention", "at_k")}
    losses["at_k"] = {int(k): nats for k, nats in losses["at_k"].items()}
    return Causal(**number, **losses, layers=tuple(map(_read_layer, row["layers"])),
                  vital=_pair(row["vital"]), path=_effects(row["path"]), spare=_pair(row["spare"]))


def _read_layer(row):
    means = {name: Means(*(check_matrix(row[name][part], f"{name}.{part}", "(E, C)")
                           for part in Means._fields)) for name in ("use", "harm")}
    shapes = {table.shape for pair in means.values() for table in pair}
    if len(shapes) > 1 or next(iter(shapes))[1] != len(CLASSES):
        raise ValueError(f"use and harm must have a column for each of {len(CLASSES)} classes, got {shapes}")
    return Layer(**means, ways=_effects(row["ways"]), bits=check_number(row["bits"], "bits", low=0.0),
                 **{name: _several(row[name], name, count)
                    for name, count in (("others", 2), ("null", 2), ("told", 3))})


def _pair(row):
    pair = Pair(**row)
    for name in ("share", "damage", "error"):
        check_number(getattr(pair, name), name)
    check_count(pair.kind, "kind", low=0, high=len(CLASSES) - 1)
    return pair


def _effects(row):
    return {way: _several(each, way, 2) for way, each in row.items()}


def _several(values, name, count):
    if len(values) != count:
        raise ValueError(f"{name} must be {count} numbers, got {values}")
    return tuple(check_number(value, name) for value in values)


def _numbers(row):
    return {name: check_number(value, name) for name, value in row.items()}

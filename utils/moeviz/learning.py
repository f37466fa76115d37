"""Learning per FLOP: byte models of equal active size, trained for different lengths, and compared.

`load_curves()` returns the curves that come with the package; `python -m moeviz.learning` makes them anew.
"""

import argparse
import platform
import sys
import time
from math import prod
from typing import NamedTuple

import numpy as np

from moeviz import files, tinylm
from moeviz.arrays import check_choice, check_count, check_number, check_vector
from moeviz.checks import check_kind
from moeviz.cost import DenseFFN, ModelSpec, MoEFFN, StateLayer, flops_per_token
from moeviz.environment import run_with_one_thread
from moeviz.files import stored
from moeviz.text import load_corpus
from moeviz.tinylm import Config, held_out_windows, weight_shapes

TOP_K = 2
STORED = stored("learning.json")
WIDTH = 64  # active hidden units of the networks that are compared at equal active size


def byte_model(experts=1, *, width=WIDTH, batch=512):
    """Return the Config of a byte model with one expert layer whose active hidden width is `width`.

    experts: E. One expert is a dense layer of that width; with more, every byte uses two experts of half
    the width each, so all of them have the same active size. batch: windows per step.
    Raises ValueError for counts below 1, or an odd width where two experts share it.

    >>> byte_model(16).hidden, byte_model(16).k, byte_model(1).hidden
    (32, 2, 64)
    """
    experts, width = check_count(experts, "experts"), check_count(width, "width")
    k = min(TOP_K, experts)
    if width % k:
        raise ValueError(f"width must be even, for two experts to share it, got {width}")
    return Config(width=64, layers=1, num_experts=experts, k=k, hidden=width // k, aux_weight=0.1,
                  batch=batch, learning_rate=0.01)


def shape_of(config):
    """Return the ModelSpec of a byte model, for `moeviz.cost` to count.

    The matrix that mixes the last bytes into one vector stands in for attention. The table of 256
    embeddings is looked up, not multiplied, and costs no FLOPs.

    >>> shape_of(byte_model(4))
    ModelSpec 'E = 4': d = 64, 1 mixer layers, 1 FFN layers (1 MoE: 2 of 4 experts)
    """
    mixer = StateLayer(layers=1, parameters=config.context * config.embedding * config.width)
    layers = {"layers": config.layers, "hidden": config.hidden, "gated": False}
    ffn = (DenseFFN(**layers) if config.num_experts == 1 else
           MoEFFN(**layers, experts=config.num_experts, top_k=config.k))
    return ModelSpec(f"E = {config.num_experts}", config.width, 256, (mixer,), (ffn,))


def training_flops(config, steps):
    """Return the FLOPs of training for S steps: forward and backward of every window of every batch.

    The backward pass has two products for each one of the forward pass, so a step costs three times it.
    A multiply-add is 2 FLOPs. Adam, norms and softmax are left out.
    Source: arXiv 2001.08361, section 2.1.

    >>> training_flops(byte_model(1), 1) == 3 * 512 * 2 * (128 * 64 + 2 * 64 * 64 + 64 * 256)
    True
    """
    steps = check_count(steps, "steps")
    return 3 * flops_per_token(shape_of(config), 1).total * config.batch * steps


def num_weights(config):
    """Return (total, active): all weights of a byte model, and those that one byte passes through.

    >>> num_weights(byte_model(1))[0] - num_weights(byte_model(1))[1]
    0
    """
    sizes = {name: prod(shape) for name, shape in weight_shapes(config).items()}
    inside = sum(size for name, size in sizes.items() if name.startswith(("w_in", "w_out")))
    total = sum(sizes.values())
    return total, total - inside + inside * config.k // config.num_experts


EVERY = 8  # held-out windows that are judged; all of them would take longer than some of the runs


class Run(NamedTuple):
    """One finished run. loss: held-out, in nats per byte. seconds: of the processor, training alone."""

    experts: int
    width: int
    steps: int
    seed: int
    loss: float
    seconds: float


def measure(corpus, *, experts=1, width=WIDTH, steps=1000, seed=0, batch=512):
    """Train one byte model on a Corpus and return its Run; `byte_model` explains experts and width.

    The learning rate falls to 0 at the end, so a run of half the steps is a run of its own.
    Raises ValueError for a size, a number of steps or a seed that is wrong.

    >>> from moeviz import text
    >>> tiny = text.load_corpus(bytes_per_domain=2000, fallback=True)
    >>> measure(tiny, experts=4, steps=2, batch=32).steps
    2
    """
    config = byte_model(experts, width=width, batch=batch)
    begin = time.process_time()
    model, _ = tinylm.train(corpus, config=config, seed=seed, steps=steps, progress=False)
    seconds = time.process_time() - begin
    loss = held_out_loss(model, corpus)
    return Run(experts, width, steps, seed, round(loss, 5), round(seconds, 2))


def held_out_loss(model, corpus):
    """Return the mean loss of a TinyLM, in nats per byte, on every 8th held-out window of a Corpus.

    >>> import numpy as np
    >>> from moeviz import text
    >>> tiny = text.load_corpus(bytes_per_domain=2000, fallback=True)
    >>> 4 < held_out_loss(tinylm.init(np.random.default_rng(0), byte_model(4)), tiny) < 9
    True
    """
    windows, targets, _ = held_out_windows(model, corpus)
    return float(model.window_losses(windows[::EVERY], targets[::EVERY]).mean())


def load_curves(path=STORED):
    """Return {name: Curve} of the stored runs, or of another file that `save_runs` wrote.

    >>> sorted(load_curves())[:3]
    ['E = 1', 'E = 16', 'E = 4']
    """
    return curves_of(load_runs(path)[0])


def load_runs(path=STORED):
    """Return (runs, about): a list of Runs, and a dictionary that says how they were made.

    Raises ValueError for a file that holds something else.
    """
    return files.load_runs(path, _check_run, "runs and what they are about")


def save_runs(path, runs, about):
    """Write Runs to a file, one a line, with a dictionary that says how they were made.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> save_runs(folder.name + "/a.json", [Run(1, 64, 10, 0, 5.0, 1.0)], {"python": "3"})
    >>> load_runs(folder.name + "/a.json")[0][0].loss
    5.0
    >>> folder.cleanup()
    """
    files.write_runs(path, runs, about, Run._fields)


def _check_run(row):
    run = Run(*row)
    for name in ("experts", "width", "steps"):
        check_count(getattr(run, name), name)
    check_count(run.seed, "seed", low=0)
    check_number(run.loss, "loss", low=0.0)
    check_number(run.seconds, "seconds", low=0.0)
    return run


AMOUNTS = ("flops", "steps", "seconds")


class Curve(NamedTuple):
    """One network, trained for P different lengths with N seeds each.

    steps, flops, seconds: (P,), rising; the seconds are the mean over the seeds. loss: (N, P).
    """

    experts: int
    width: int
    steps: np.ndarray
    flops: np.ndarray
    seconds: np.ndarray
    loss: np.ndarray

    @property
    def mean(self):
        """The loss (P,), averaged over the seeds."""
        return self.loss.mean(axis=0)

    @property
    def is_dense(self):
        return self.experts == 1


def curves_of(runs):
    """Return {name: Curve} of Runs, the shortest name first: "E = 16" with 64 active, "dense 512" wide.

    Raises ValueError where the seeds of a network were not all trained for the same numbers of steps.

    >>> from moeviz.learning import Run
    >>> curve = curves_of([Run(1, 64, 10, 0, 5.0, 1.0), Run(1, 64, 10, 1, 3.0, 1.0)])["E = 1"]
    >>> curve.loss.tolist(), curve.mean.tolist()
    ([[5.0], [3.0]], [4.0])
    """
    kinds = sorted({(run.experts, run.width) for run in runs}, key=lambda kind: (kind[1] != WIDTH, *kind))
    return {_name(*kind): _curve([run for run in runs if (run.experts, run.width) == kind]) for kind in kinds}


def amount_to_reach(amount, loss, target):
    """Return how much of something a network needs to come down to a loss, or nan if it never does.

    amount: (P,) rising, such as FLOPs or steps; loss: (P,) at each. The first crossing counts, on a
    straight line between two points over the logarithm of the amount. Before the first point and after
    the last one nothing is known, and nothing is guessed. Raises ValueError for wrong vectors.

    >>> round(amount_to_reach([1.0, 100.0], [3.0, 1.0], 2.0), 6)
    10.0
    >>> amount_to_reach([1.0, 100.0], [3.0, 1.0], 0.5)
    nan
    """
    amount, target = check_vector(amount, "amount").astype(float), check_number(target, "target")
    loss = check_vector(loss, "loss", len(amount))
    if not len(amount) or (amount <= 0).any() or (np.diff(amount) <= 0).any():
        raise ValueError(f"amount must be positive and rising, got {amount.tolist()}")
    below = np.flatnonzero(loss <= target)
    if not len(below) or (below[0] == 0 and loss[0] < target):
        return float("nan")
    after = below[0]
    before = max(after - 1, 0)
    share = (loss[before] - target) / (loss[before] - loss[after]) if after else 0.0
    return float(np.exp((1 - share) * np.log(amount[before]) + share * np.log(amount[after])))


def check_curves(value, name="curves"):
    """Return `value` if it is a {name: Curve}, or raise a ValueError.

    >>> check_curves({"E = 1": [5.0, 3.0]})
    Traceback (most recent call last):
    ValueError: curves['E = 1'] must be a Curve, got list
    """
    for key, curve in check_kind(value, name, dict).items():
        check_kind(curve, f"{name}[{key!r}]", Curve)
    return value


PUBLISHED = (  # mixture, opponent, saving, number of the arXiv paper
    ("Switch-Base, 64 experts", "T5-Base, equal FLOPs per token", "1/7.5 of the steps", "2101.03961"),
    ("Switch-Base, 64 experts", "T5-Large, 3.5 x FLOPs", "1/2.5 of the time", "2101.03961"),
    ("GLaM, 64 experts", "GPT-3, of another lab", "1/3 of the energy", "2112.06905"),
    ("DeepSeekMoE 16B", "DeepSeek 7B, dense", "40.5 % of the FLOPs", "2401.06066"),
    ("OLMoE-1B-7B", "dense, equal active size", "1/3 of the FLOPs", "2409.02060"),
    ("OLMoE-1B-7B", "dense, equal active size", "1/2 of the time", "2409.02060"))


def published():
    """Return the columns of a table, {heading: values}, of what papers say that mixtures save.

    >>> published()["source"][0]
    'https://arxiv.org/abs/2101.03961'
    """
    mixture, opponent, amount, paper = zip(*PUBLISHED, strict=True)
    return {"mixture": mixture, "opponent": opponent, "saving": amount,
            "source": [f"https://arxiv.org/abs/{number}" for number in paper]}


def cheapest(curves, target, *, of="flops"):
    """Return (name, amount) of the curve in {name: Curve} that comes down to a loss with the least.

    of: "flops", "steps" or "seconds". The name is None and the amount nan where none gets there.
    Raises ValueError for anything but Curves with names, or another thing to count.

    >>> cheapest({}, 1.0)
    (None, nan)
    """
    check_choice(of, "of", AMOUNTS)
    check_curves(curves)
    needs = {name: amount_to_reach(getattr(curve, of), curve.mean, target) for name, curve in curves.items()}
    able = {name: need for name, need in needs.items() if need == need}
    name = min(able, key=able.get) if able else None
    return name, able.get(name, float("nan"))


def saving(curve, opponents, *, target=None, of="flops"):
    """Return how many times as much the best of the opponents needs to reach the same loss.

    opponents: {name: Curve}. target: a loss; left out, the lowest that both sides reach. nan where
    `curve` or every opponent stays above it. The losses are means over the seeds.
    of: "flops", "steps" or "seconds", each at its own best opponent. Raises ValueError as `cheapest`.

    >>> from moeviz.learning import load_curves
    >>> curves = load_curves()
    >>> saving(curves["E = 4"], {"itself": curves["E = 4"]})
    1.0
    """
    check_kind(curve, "curve", Curve)
    check_curves(opponents, "opponents")
    target = lowest_shared(curve, opponents) if target is None else target
    own = cheapest({"own": curve}, target, of=of)[1]
    return cheapest(opponents, target, of=of)[1] / own


def lowest_shared(curve, opponents):
    """Return the lowest mean loss that both a Curve and the best of {name: Curve} reach.

    >>> from moeviz.learning import load_curves
    >>> curves = load_curves()
    >>> bool(lowest_shared(curves["E = 4"], {"itself": curves["E = 4"]}) == curves["E = 4"].mean.min())
    True
    """
    if not opponents:
        raise ValueError("opponents must hold a Curve, got none")
    return float(max(curve.mean.min(), min(each.mean.min() for each in opponents.values())))


def opponents_of(curves, experts):
    """Return {kind: {name: Curve}}: the dense networks that a mixture of E experts is set against.

    All experts of width 32 in one dense layer make the opponent of equal total size; a kind that was not
    trained is left out. Raises ValueError where curves is no {name: Curve} or lacks the mixture.

    >>> from moeviz.learning import load_curves
    >>> {kind: list(found) for kind, found in opponents_of(load_curves(), 16).items()}["equal total size"]
    ['dense 512']
    """
    check_curves(curves)
    mixtures = {each.experts: each for each in curves.values() if not each.is_dense and each.width == WIDTH}
    own = mixtures[check_choice(experts, "experts", mixtures)]
    dense = {name: curve for name, curve in curves.items() if curve.is_dense}
    same = {name: curve for name, curve in dense.items() if curve.width == own.width}
    total = {name: curve for name, curve in dense.items() if curve.width == own.width * experts // TOP_K}
    kinds = {"the same net, longer": same, "the best dense width": dense, "equal total size": total}
    return {kind: found for kind, found in kinds.items() if found}


def _name(experts, width):
    if width == WIDTH:
        return f"E = {experts}"
    return f"dense {width}" if experts == 1 else f"E = {experts}, {width} active"


def _curve(runs):
    steps, seeds = sorted({run.steps for run in runs}), sorted({run.seed for run in runs})
    by_place = {(run.seed, run.steps): run for run in runs}
    if len(by_place) != len(runs) or len(runs) != len(steps) * len(seeds):
        raise ValueError(f"runs of {_name(*runs[0][:2])} must be one per seed and number of steps, got "
                         f"{len(runs)} for {len(seeds)} seeds and {len(steps)} numbers of steps")
    table = [[by_place[seed, step] for step in steps] for seed in seeds]
    config = byte_model(runs[0].experts, width=runs[0].width)
    return Curve(runs[0].experts, runs[0].width, np.array(steps),
                 np.array([training_flops(config, step) for step in steps], float),
                 np.array([[run.seconds for run in row] for row in table]).mean(axis=0),
                 np.array([[run.loss for run in row] for row in table]))


SEEDS = (0, 1, 2)
PLAN = {  # (experts, active width): the lengths of its runs, in steps
    (1, 64): (250, 500, 1000, 2000, 4000, 8000),
    (4, 64): (250, 500, 1000, 2000),
    (16, 64): (250, 500, 1000, 2000),
    (64, 64): (250, 500, 1000, 2000),
    (1, 128): (500, 1000, 2000),
    (1, 256): (500, 1000, 2000),
    (1, 512): (500, 1000, 2000),
    (1, 2048): (250, 500, 1000, 2000),
}
PROBE = {"experts": 4, "steps": 40, "batch": 64}  # small enough for a test to run again


def main(argv=None):
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m moeviz.learning", description="Train every network of "
                                     "the curves of loss over FLOPs, a quarter of an hour on one core.")
    parser.add_argument("--out", metavar="FILE", help="write the runs to FILE (.json)")
    parser.add_argument("--replace", action="store_true", help="write them as those that the course loads")
    options = parser.parse_args(argv)
    if options.out is None and not options.replace:
        parser.error("say where the runs should go: --out FILE, or --replace")
    try:
        places = files.targets(options, STORED)
    except ValueError as error:
        parser.error(str(error))
    corpus = load_corpus()
    print(corpus, flush=True)
    try:
        runs = [_report(measure(corpus, experts=experts, width=width, steps=steps, seed=seed))
                for (experts, width), lengths in PLAN.items() for steps in lengths for seed in SEEDS]
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        return 130
    for path in places:
        save_runs(path, runs, describe_runs(corpus))
    return 0


def describe_runs(corpus):
    """Return what a file of runs says of itself: the text, the versions, and a run that a test repeats."""
    return {"made_by": "python -m moeviz.learning", "text": repr(corpus), "text_notes": list(corpus.notes),
            "python": platform.python_version(), "numpy": np.__version__, "batch": 512,
            "probe": PROBE | {"loss": probe_loss()}}


def probe_loss():
    """Return the loss of a tiny run on the course's own text, which is the same everywhere."""
    return measure(load_corpus(bytes_per_domain=2000, fallback=True), **PROBE).loss


def _report(run):
    name = f"{run.experts} experts, {run.width} active"
    print(f"{name:<24}{run.steps:>6} steps  seed {run.seed}  loss {run.loss:.4f}  {run.seconds:6.1f} s",
          flush=True)
    return run


if __name__ == "__main__":
    raise SystemExit(run_with_one_thread("moeviz.learning", main, sys.argv[1:]))

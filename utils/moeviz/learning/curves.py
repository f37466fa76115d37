"""Curves: the loss of one network over how long it was trained, and how much less another one needs.

N seeds, P points; every point of a curve is a training run of its own, up to its end.
"""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_choice, check_number, check_vector
from moeviz.checks import check_kind
from moeviz.learning.size import TOP_K, WIDTH, byte_model, training_flops

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

    >>> from moeviz.learning.runs import Run
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

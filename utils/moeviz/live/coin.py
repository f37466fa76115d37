"""The coin: two experts that began equal, while the strength of reinforcement is moved by hand."""

from base64 import b64encode

import numpy as np

from moeviz import plots
from moeviz.arrays import check_count, check_number, sigmoid
from moeviz.live.show import page
from moeviz.training import pitchfork

STEPS, RUNS, RATE = 900, 8, 0.02


def coin(*, a=1.0, seed=1):
    """Return a live view of `training.pitchfork.reinforce`: move a, and see when one expert takes over.

    a: the strength of reinforcement at first, 0 to 6. seed: of the draws; with a left alone, the runs are
    those of `reinforce(a, rng=np.random.default_rng(seed), runs=8)`. Raises ValueError for other values.
    """
    a, seed = check_number(a, "a", low=0.0, high=6.0), check_count(seed, "seed", low=0)
    draws = np.random.default_rng(seed).random((STEPS, RUNS))
    path = pitchfork.reinforce(a, rng=np.random.default_rng(seed), rate=RATE, steps=STEPS, runs=RUNS)
    lines = {f"run {run}": sigmoid(path[:, run]) for run in range(3)}
    state = {"a": a, "steps": STEPS, "runs": RUNS, "rate": RATE, "decay": 1.0,
             "draws": b64encode(draws.astype("<f8").tobytes()).decode()}
    drawn = plots.plot_curves(np.arange(STEPS + 1), lines, x_label="tokens",
                              y_label="share of the first expert")
    return page("coin", state, label="Two experts and a coin", fallback=drawn)

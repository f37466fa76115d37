"""Training one layer of experts: the plan, the loop, its history, and the verdict on held-out tokens."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import as_array, check_count, check_number, check_vector
from moeviz.checks import check_flag, check_several, store
from moeviz.optimiser import adam_w, no_moments, progress_bar, scheduled_rate
from moeviz.record import Routing
from moeviz.training.layer import forward, init_weights, loss_and_gradients
from moeviz.training.routers import Router
from moeviz.training.tasks import Batch, Task, check_task


@dataclass(frozen=True, eq=False)
class Plan:
    """How to train one layer of experts; every field is checked.

    router: a Router, or a function (logits, context) -> Routing, which becomes one.
    balance: pairs (weight, loss); see `training.balance`. They are added to the task's loss.
    bias_rule: (bias, load) -> bias, called after each step with (E,) arrays; None leaves the bias at 0.
    For DeepSeek-V3: `partial(losses.bias_update, rate=1e-3)`, with a router that reads the bias.
    noise: whether to learn a second, noise gate.
    num_experts: E. hidden: H of each expert. steps: S. tokens: T per step. learning_rate: of Adam, after
    warm_up steps and until the last decay_share of the steps, in which it falls to 0.
    gate_scale: std of the gate's first weights; with noise they start at 0 (Shazeer 2017).
    Raises ValueError naming the field that is wrong.

    >>> Plan(router=lambda logits, context: None, num_experts=0)
    Traceback (most recent call last):
    ValueError: num_experts must be a whole number between 1 and 1024, got 0
    """

    router: Router | Callable
    balance: tuple = ()
    bias_rule: Callable | None = None
    noise: bool = False
    num_experts: int = 8
    hidden: int = 16
    steps: int = 2000
    tokens: int = 512
    learning_rate: float = 3e-3
    warm_up: int = 50
    decay_share: float = 0.3
    gate_scale: float = 0.02

    def __post_init__(self):
        if not (self.bias_rule is None or callable(self.bias_rule)):
            raise ValueError(f"bias_rule must be a function or None, got {self.bias_rule!r}")
        limits = {"num_experts": 1024, "hidden": 4096, "steps": 10**6, "tokens": 10**6, "warm_up": 10**6}
        for name, high in limits.items():
            store(self, check_count, name, high=high)
        store(self, check_number, "learning_rate", "decay_share", "gate_scale", low=0.0, high=1.0)
        object.__setattr__(self, "router", _check_router(self.router))
        store(self, check_flag, "noise")
        object.__setattr__(self, "balance", _check_balance(self.balance))


def _check_router(value):
    router = value if isinstance(value, Router) else Router(value)
    if not callable(router.route):
        raise ValueError(f"router must be a Router or a function, got {router.route!r}")
    try:
        inspect.signature(router.route).bind("logits", "context")
    except TypeError:
        raise ValueError("router must take (logits, context); for one that takes logits alone write "
                         "lambda logits, context: my_router(logits)") from None
    return router


def _check_balance(pairs):
    pairs = check_several(pairs, "balance")
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not callable(pair[1]):
            raise ValueError(f"balance must hold pairs (weight, loss function), got {pair!r}")
    return tuple((check_number(weight, "balance weight", low=0.0), loss) for weight, loss in pairs)


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """S training steps as arrays, copied and read-only; S may be 0 in a run stopped at once.

    loss: (S,) the task's loss on the step's own tokens, mean squared error.
    balance: (S,) the weighted sum of the balancing losses.
    load: (S, E) share of the choices that went to each expert; rows sum to 1.
    bias: (S, E) the selection bias that the step was routed with.
    router_entropy: (S,) mean entropy of a token's probs, divided by ln E: 0 is certain, 1 is uniform.
    Raises ValueError naming the field that is wrong.

    >>> History([1.0], [0.0], [[0.5, 0.5]], [[0.0, 0.0]], [1.0])
    History: 1 steps, 2 experts, loss 1 at first, 1 at last
    """

    loss: np.ndarray
    balance: np.ndarray
    load: np.ndarray
    bias: np.ndarray
    router_entropy: np.ndarray

    def __post_init__(self):
        for field in fields(self):
            array = as_array(getattr(self, field.name), field.name)
            if array.dtype.kind not in "fiu":
                raise ValueError(f"{field.name} must hold real numbers, got dtype {array.dtype}")
            array = array.astype(float)
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)
        if self.load.ndim != 2:
            raise ValueError(f"load must have shape (S, E), got {self.load.shape}")
        steps, num_experts = self.load.shape
        for name in ("loss", "balance", "bias", "router_entropy"):
            shape = (steps, num_experts) if name == "bias" else (steps,)
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")

    @property
    def num_steps(self):
        return self.load.shape[0]

    @property
    def num_experts(self):
        return self.load.shape[1]

    def __repr__(self):
        size = f"History: {self.num_steps} steps, {self.num_experts} experts"
        if self.num_steps == 0:
            return size
        return f"{size}, loss {self.loss[0]:.4g} at first, {self.loss[-1]:.4g} at last"


def history_of(rows, num_experts):
    """Return the History of steps given as rows (loss, balance, load, bias, router_entropy).

    >>> history_of([], num_experts=8)
    History: 0 steps, 8 experts
    """
    nothing = np.zeros((0, num_experts))
    return History(*zip(*rows, strict=True)) if rows else History([], [], nothing, nothing, [])


class Run(NamedTuple):
    """A trained layer with its past; `evaluate(run)` tells how good it is on the held-out tokens.

    weights: {name: array}, see `layer.init_weights`. bias: (E,), the selection bias after the last step.
    """

    task: Task
    plan: Plan
    seed: int
    weights: dict
    bias: np.ndarray
    history: History


class _State(NamedTuple):
    """A layer between two steps; moments: Adam's, by name."""

    weights: dict
    moments: dict
    bias: np.ndarray
    step: int


def train(task, *, seed=0, progress=False, **plan):
    """Train one layer of experts on a Task and return a Run.

    plan: the fields of a Plan, such as router=..., balance=[(0.1, balance.switch)], steps=500.
    seed: draws the first weights and the tokens of each step. progress: show a tqdm bar.
    An interrupt (Ctrl-C, the stop button of a notebook) ends the training, not the program: the Run
    then holds the steps done so far. The same arguments give the same Run.
    Raises ValueError for a plan, task or seed that is wrong, or a router that returns no Routing.

    >>> from moeviz import training
    >>> task = training.clustered_task(rng=np.random.default_rng(0), samples=600)
    >>> training.train(task, router=training.routers.top_k(1), steps=3).history.load.shape
    (3, 8)
    """
    return _train_all([(task, seed)], Plan(**plan), progress)[0]


def train_seeds(make_task, *, seeds=(0, 1, 2), progress=True, **plan):
    """Train one layer per seed, each on a task of its own, side by side; return a list of Runs.

    make_task: make_task(rng=...) -> Task, for example `partial(clustered_task, mean=0.0)`.
    All seeds take a step before any takes the next, under one progress bar; so an interrupt leaves them
    all equally far. The rest, and the errors, as in `train`.

    >>> from functools import partial
    >>> from moeviz import training
    >>> make_task = partial(training.clustered_task, samples=600)
    >>> runs = training.train_seeds(make_task, router=training.routers.top_k(1), steps=3, progress=False)
    >>> [run.seed for run in runs]
    [0, 1, 2]
    """
    plan, seeds = Plan(**plan), [check_count(seed, "seed", low=0) for seed in seeds]
    pairs = [(make_task(rng=np.random.default_rng([seed, 0])), seed) for seed in seeds]
    return _train_all(pairs, plan, progress)


def _train_all(pairs, plan, progress):
    tasks = [check_task(task) for task, _ in pairs]
    rngs = [np.random.default_rng([check_count(seed, "seed", low=0), 1]) for _, seed in pairs]
    pools = [_shuffle(task.train, rng) for task, rng in zip(tasks, rngs, strict=True)]
    states = [_start(plan, pool, rng) for pool, rng in zip(pools, rngs, strict=True)]
    rows = [[] for _ in pairs]
    try:
        for _ in progress_bar(range(plan.steps), plan.steps, progress):
            done = [_step(*each, plan) for each in zip(states, pools, rngs, strict=True)]
            states = [state for state, _ in done]
            for seen, (_, row) in zip(rows, done, strict=True):
                seen.append(row)
    except KeyboardInterrupt:
        pass  # states and rows hold the last step that every seed finished
    return [Run(task, plan, seed, state.weights, state.bias, history_of(seen, plan.num_experts))
            for task, (_, seed), state, seen in zip(tasks, pairs, states, rows, strict=True)]


def _shuffle(batch, rng):
    order = rng.permutation(len(batch.tokens))
    return Batch(*(array[order] for array in batch))


def _start(plan, pool, rng):
    weights = init_weights(plan, pool.tokens.shape[1], rng=rng, dtype=pool.tokens.dtype)
    return _State(weights, no_moments(weights), np.zeros(plan.num_experts), 0)


def _step(state, pool, rng, plan):
    """Take one step; return the new state and its row of the History. The old state stays as it was."""
    batch = _draw(pool, plan.tokens, rng)
    loss, penalty, gradients, done = loss_and_gradients(state.weights, plan, batch, bias=state.bias, rng=rng)
    weights, moments = dict(state.weights), dict(state.moments)
    adam_w(weights, moments, gradients, scheduled_rate(plan, state.step, plan.steps), state.step)
    load, bias = metrics.load(done.routed), state.bias
    if plan.bias_rule is not None:
        bias = check_vector(plan.bias_rule(bias, load), "the bias_rule's result", plan.num_experts)
    row = (loss, penalty, load, state.bias, metrics.router_entropy(done.routed))
    return _State(weights, moments, bias, state.step + 1), row


def _draw(pool, tokens, rng):
    """Return `tokens` neighbours from a random place: the pool is shuffled, and slices cost nothing."""
    start = rng.integers(max(len(pool.tokens) - tokens, 0) + 1)
    return Batch(*(array[start:start + tokens] for array in pool))


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

"""The training loop: steps of Adam on random tokens of a task, for one seed or several side by side."""

from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import check_count, check_vector
from moeviz.optimiser import adam, learning_rate
from moeviz.training.history import History, history_of
from moeviz.training.layer import init_weights, loss_and_gradients
from moeviz.training.plan import Plan
from moeviz.training.tasks import Batch, Task, check_task


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
        for _ in _bar(plan.steps, progress):
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
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in weights.items()}
    return _State(weights, moments, np.zeros(plan.num_experts), 0)


def _step(state, pool, rng, plan):
    """Take one step; return the new state and its row of the History. The old state stays as it was."""
    batch = _draw(pool, plan.tokens, rng)
    loss, penalty, gradients, done = loss_and_gradients(state.weights, plan, batch, bias=state.bias, rng=rng)
    rate = learning_rate(state.step, plan.steps, peak=plan.learning_rate, warm_up=plan.warm_up,
                         decay_share=plan.decay_share)
    weights, moments = dict(state.weights), dict(state.moments)
    for name, gradient in gradients.items():
        weights[name], moments[name] = adam(weights[name], gradient, moments[name], rate, state.step)
    load, bias = metrics.load(done.routed), state.bias
    if plan.bias_rule is not None:
        bias = check_vector(plan.bias_rule(bias, load), "the bias_rule's result", plan.num_experts)
    row = (loss, penalty, load, state.bias, metrics.router_entropy(done.routed))
    return _State(weights, moments, bias, state.step + 1), row


def _draw(pool, tokens, rng):
    """Return `tokens` neighbours from a random place: the pool is shuffled, and slices cost nothing."""
    start = rng.integers(max(len(pool.tokens) - tokens, 0) + 1)
    return Batch(*(array[start:start + tokens] for array in pool))


def _bar(steps, progress):
    if not progress:
        return range(steps)
    from tqdm import tqdm
    return tqdm(range(steps), desc="training", unit="step")

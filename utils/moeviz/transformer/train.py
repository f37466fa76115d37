"""Training: AdamW on random stretches of a corpus, by the gradients of `gradients`."""

from typing import NamedTuple

import numpy as np

from moeviz import losses, metrics, training
from moeviz.arrays import check_count
from moeviz.checks import check_kind, check_several
from moeviz.optimiser import adam, clipped, learning_rate
from moeviz.text import Corpus, window_starts
from moeviz.transformer.config import Config
from moeviz.transformer.gradients import loss_and_gradients
from moeviz.transformer.model import Transformer, init

STEPS = 8400
BYTES = 3_000_000  # of each domain, where there are so many
MIX = {"prose": 0.36, "code": 0.36, "digits": 0.10, "names": 0.18}  # how often each is drawn


class History(NamedTuple):
    """What happened in S training steps."""

    loss: np.ndarray     # (S,) nats per byte of the step's own sequences
    balance: np.ndarray  # (S,) weighted balancing loss, all layers
    load: np.ndarray     # (S, L, E) share of the choices that each expert got
    snapshots: tuple = ()  # of Transformer: the model after so many steps, as asked for


class Step(NamedTuple):
    """The state after a step, counted from 1; the weights are those of the run, not copies."""

    number: int
    weights: dict
    bias: np.ndarray  # (L, E)
    loss: float
    balance: float
    load: np.ndarray  # (L, E)


def train(corpus, *, config=None, seed=0, steps=STEPS, progress=True, router=None, start=None, snapshots=()):
    """Train a Transformer on the bytes of a Corpus that are not held out; return (Transformer, History).

    config: a Config, the default one if None. steps: S, of config.batch sequences each. progress: show a
    tqdm bar. router: a `training.Router`, top-k renormalised if None; the model that is returned uses top-k.
    start: the Transformer to begin with, an untrained one if None. snapshots: steps after which
    `History.snapshots` keeps the model, 0 for the untrained one.
    An interrupt (Ctrl-C, the stop button of a notebook) ends the training, not the program.
    The same seed, corpus and machine give the same model.
    Raises ValueError for what is no Corpus or Config, if steps or seed is no whole number, a domain has no
    stretch to train on, or a snapshot lies outside 0..S.
    """
    config = Config() if config is None else config
    steps, seed = check_count(steps, "steps"), check_count(seed, "seed", low=0)
    snapshots = check_several(snapshots, "snapshots")
    wanted = [check_count(step, "snapshots", low=0, high=steps) for step in snapshots]
    state = begin(config, seed, start)
    kept = {0: freeze(state, config, corpus, seed)} if 0 in wanted else {}
    states, seen = descend(corpus, state, config=config, seed=seed, steps=steps, router=router), []
    try:
        for state in progress_bar(states, steps) if progress else states:
            seen.append((state.loss, state.balance, state.load))
            if state.number in wanted:
                kept[state.number] = freeze(state, config, corpus, seed)
    except KeyboardInterrupt:
        if not seen:
            raise
    columns = (np.array(column) for column in zip(*seen, strict=True))
    history = History(*columns, tuple(kept[step] for step in wanted if step in kept))
    return freeze(state, config, corpus, seed), history


def begin(config, seed, start=None):
    """Return the Step 0: the weights of `start`, or new ones that the seed draws."""
    model = init(np.random.default_rng([seed, 0]), config) if start is None else start
    shape = config.layers, config.num_experts
    return Step(0, dict(model.weights), np.zeros(shape, np.float32), np.nan, np.nan, np.full(shape, np.nan))


def freeze(state, config, corpus, seed):
    """Return the Transformer of a Step, with what is known of its training."""
    about = {"trained": state.number > 0, "seed": seed, "steps": state.number, "text_sha256": corpus.sha256,
             "text_bytes": len(corpus.text), "text_notes": list(corpus.notes)}
    return Transformer(state.weights, config, about)


def descend(corpus, state, *, config, seed, steps, router=None):
    """Yield one Step after the other; the gradient and the learning rate are those of a run of `steps`."""
    check_kind(corpus, "corpus", Corpus)
    router = training.routers.top_k(config.k, renormalize=True) if router is None else router
    rng, pools = np.random.default_rng([seed, 1]), training_starts(corpus, config)
    weights, bias = dict(state.weights), state.bias
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    for step in range(steps):
        rows = draw_batch(rng, corpus, pools, config)
        loss, balance, gradients, done = loss_and_gradients(weights, config, rows[:, :-1], rows[:, 1:],
                                                            router=router, bias=bias, rng=rng)
        rate = learning_rate(step, steps, peak=config.learning_rate, warm_up=config.warm_up,
                             decay_share=config.decay_share)
        adam_w(weights, moments, clipped(gradients, config.clip)[0], rate, step, config)
        load = np.array([metrics.load(layer.routed) for layer in done.layers])
        load = load / load.sum(axis=1, keepdims=True)
        if config.bias_rate:
            pairs = zip(bias, load, strict=True)
            bias = np.array([losses.bias_update(*pair, config.bias_rate) for pair in pairs], bias.dtype)
        yield Step(step + 1, weights, bias, float(loss), float(balance), load)


def training_starts(corpus, config):
    """Return {domain: starts (n,)} of its stretches of context + 1 bytes; ValueError for one without any."""
    starts = window_starts(corpus, width=config.context + 1, held_out=False)
    pools = {name: starts[corpus.domain[starts] == d] for d, name in enumerate(corpus.domain_names)}
    for name, pool in pools.items():
        if len(pool) == 0:
            raise ValueError(f"corpus has no training stretch of {config.context + 1} bytes in {name}")
    return pools


def draw_batch(rng, corpus, pools, config):
    """Draw rows (B, context + 1) of bytes, each domain as often as MIX says, evenly where it does not."""
    share = np.array([MIX.get(name, 1 / len(pools)) for name in pools])
    names = rng.choice(list(pools), size=config.batch, p=share / share.sum())
    starts = np.array([pools[name][rng.integers(len(pools[name]))] for name in names])
    return corpus.text[starts[:, None] + np.arange(config.context + 1)]


def adam_w(weights, moments, gradients, rate, step, config):
    """Take one step of AdamW: matrices shrink, and then every weight follows its gradient.

    Source: Loshchilov and Hutter 2019, arXiv 1711.05101.
    """
    for name, gradient in gradients.items():
        shrink = 1 - rate * config.weight_decay if gradient.ndim > 1 else 1.0
        weights[name], moments[name] = adam(weights[name] * np.float32(shrink), gradient, moments[name],
                                            rate, step, beta2=0.98)


def progress_bar(states, steps):
    """Return the Steps again, under a tqdm bar."""
    from tqdm import tqdm
    return tqdm(states, total=steps, desc="training", unit="step", mininterval=0.5)

"""Training: Adam on random windows of a corpus, every domain drawn equally often."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_count
from moeviz.optimiser import adam, learning_rate
from moeviz.text import window_starts
from moeviz.tinylm.config import Config
from moeviz.tinylm.model import TinyLM, init
from moeviz.tinylm.network import loss_and_gradients

STEPS = 2000
BALANCE = ("global", "micro")


class History(NamedTuple):
    """What happened in S training steps."""

    loss: np.ndarray     # (S,) nats per byte of the step's own windows
    balance: np.ndarray  # (S,) weighted balancing loss, all layers
    load: np.ndarray     # (S, L, E) share of the choices that each expert got


def train(corpus, *, config=None, seed=0, steps=STEPS, progress=True, balance="global"):
    """Train a TinyLM on the bytes of a Corpus that are not held out; return (TinyLM, History).

    config: a Config, the default one if None. steps: S, of config.batch windows each. progress: show a
    tqdm bar. balance: where the balancing loss counts the load, "global" over the whole batch, or "micro"
    within micro-batches of one domain each, as on devices that see one kind of text and do not
    exchange their counts. The same seed, corpus and machine give the same model.
    Raises ValueError if steps or seed is no whole number, a domain has no training window, or balance is
    neither of the two.
    Source: Qiu et al. 2025, arXiv 2501.11873.
    """
    if balance not in BALANCE:
        raise ValueError(f"balance must be one of {', '.join(BALANCE)}, got {balance!r}")
    config = Config() if config is None else config
    steps, seed = check_count(steps, "steps"), check_count(seed, "seed", low=0)
    rng = np.random.default_rng(seed)
    weights = dict(init(rng, config).weights)
    pools = training_starts(corpus, config)
    moments = {name: (np.zeros_like(w), np.zeros_like(w)) for name, w in weights.items()}
    seen = []
    for step in _bar(steps, progress):
        windows, targets, domain = draw_batch(rng, corpus, pools, config)
        loss, penalty, gradients, done = loss_and_gradients(weights, config, windows, targets,
                                                            part=domain if balance == "micro" else None)
        rate = learning_rate(step, steps, peak=config.learning_rate, warm_up=config.warm_up,
                             decay_share=config.decay_share)
        for name, gradient in gradients.items():
            weights[name], moments[name] = adam(weights[name], gradient, moments[name], rate, step)
        seen.append((loss, penalty, [_load(layer.routing) for layer in done.layers]))
    history = History(*(np.array(column) for column in zip(*seen, strict=True)))
    about = {"trained": True, "seed": seed, "steps": steps, "text_sha256": corpus.sha256,
             "text_bytes": len(corpus.text), "text_notes": list(corpus.notes)}
    return TinyLM(weights, config, about), history


def training_starts(corpus, config):
    """Return per domain the starts (n,) of its training windows of context + 1 bytes."""
    starts = window_starts(corpus, width=config.context + 1, held_out=False)
    pools = [starts[corpus.domain[starts] == d] for d in range(len(corpus.domain_names))]
    for name, pool in zip(corpus.domain_names, pools, strict=True):
        if len(pool) == 0:
            raise ValueError(f"corpus has no training window of {config.context + 1} bytes in {name}")
    return pools


def draw_batch(rng, corpus, pools, config):
    """Draw windows (N, context), their next bytes and domains (N,), each domain equally probable."""
    domain = rng.integers(len(pools), size=config.batch)
    sizes = np.array([len(pool) for pool in pools])
    at = (rng.random(config.batch) * sizes[domain]).astype(int)
    starts = np.array([pools[d][i] for d, i in zip(domain, at, strict=True)])
    rows = corpus.text[starts[:, None] + np.arange(config.context + 1)]
    return rows[:, :-1], rows[:, -1], domain


def _load(routing):
    counts = np.bincount(routing.pairs().expert, minlength=routing.num_experts)
    return counts / counts.sum()


def _bar(steps, progress):
    if not progress:
        return range(steps)
    from tqdm import tqdm
    return tqdm(range(steps), desc="training", unit="step", mininterval=0.5)

"""Training: AdamW on random stretches of a corpus, from nothing or a dense model; and what is held out."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from moeviz import losses, metrics, training
from moeviz.arrays import check_count, check_rng
from moeviz.checks import check_kind
from moeviz.optimiser import adam_w, clipped, no_moments, progress_bar, scheduled_rate
from moeviz.text import Corpus, window_starts
from moeviz.tinylm.train import History, training_starts
from moeviz.transformer.decoder import Config, Transformer, init, weight_shapes
from moeviz.transformer.gradients import loss_and_gradients

STEPS = 8400
BYTES = 3_000_000  # of each domain, where there are so many
MIX = {"prose": 0.36, "code": 0.36, "digits": 0.10, "names": 0.18}  # how often each is drawn
SKIPPED = 32  # positions at the beginning of a row that have too little before them to be judged
BATCH = 32


class Step(NamedTuple):
    """The state after a step, counted from 1; the weights are those of the run, not copies."""

    number: int
    weights: dict
    bias: np.ndarray  # (L, E)
    loss: float
    balance: float
    load: np.ndarray  # (L, E)


def train(corpus, *, config=None, seed=0, steps=STEPS, progress=True, router=None, start=None):
    """Train a Transformer on the bytes of a Corpus that are not held out; return (Transformer, History).

    config: a Config, the default one if None. steps: S, of config.batch sequences each. progress: show a
    tqdm bar. router: a `training.Router`, top-k renormalised if None; the model that is returned uses top-k.
    start: the Transformer to begin with, an untrained one if None.
    An interrupt (Ctrl-C, the stop button of a notebook) ends the training, not the program.
    The same seed, corpus and machine give the same model.
    Raises ValueError for what is no Corpus or Config, if steps or seed is no whole number, or a domain has no
    stretch to train on.
    """
    config = Config() if config is None else config
    steps, seed = check_count(steps, "steps"), check_count(seed, "seed", low=0)
    state = begin(config, seed, start)
    states, seen = descend(corpus, state, config=config, seed=seed, steps=steps, router=router), []
    try:
        for state in progress_bar(states, steps, progress):
            seen.append((state.loss, state.balance, state.load))
    except KeyboardInterrupt:
        if not seen:
            raise
    history = History(*(np.array(column) for column in zip(*seen, strict=True)))
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
    moments = no_moments(weights)
    for step in range(steps):
        rows = draw_batch(rng, corpus, pools, config)
        loss, balance, gradients, done = loss_and_gradients(weights, config, rows[:, :-1], rows[:, 1:],
                                                            router=router, bias=bias, rng=rng)
        rate, gradients = scheduled_rate(config, step, steps), clipped(gradients, config.clip)[0]
        adam_w(weights, moments, gradients, rate, step, decay=config.weight_decay, beta2=0.98)
        load = np.array([metrics.load(layer.routed) for layer in done.layers])
        load = load / load.sum(axis=1, keepdims=True)
        if config.bias_rate:
            pairs = zip(bias, load, strict=True)
            bias = np.array([losses.bias_update(*pair, config.bias_rate) for pair in pairs], bias.dtype)
        yield Step(step + 1, weights, bias, float(loss), float(balance), load)


def draw_batch(rng, corpus, pools, config):
    """Draw rows (B, context + 1) of bytes, each domain as often as MIX says, evenly where it does not."""
    share = np.array([MIX.get(name, 1 / len(pools)) for name in pools])
    names = rng.choice(list(pools), size=config.batch, p=share / share.sum())
    starts = np.array([pools[name][rng.integers(len(pools[name]))] for name in names])
    return corpus.text[starts[:, None] + np.arange(config.context + 1)]


def upcycle(model, num_experts, *, k=2, rng):
    """Return a Transformer with num_experts copies of each dense layer of a model, and new small gates.

    At first it says what the dense model says, for the weights of the k chosen copies sum to 1.
    Raises ValueError for a model that has experts already, counts that are wrong or no rng.
    Source: Komatsuzaki et al. 2023, arXiv 2212.05055.

    >>> from moeviz import transformer
    >>> dense = transformer.Config(width=8, heads=2, hidden=4, num_experts=1, k=1, layers=1)
    >>> upcycle(transformer.init(np.random.default_rng(0), dense), 4, rng=np.random.default_rng(0)).config.k
    2
    """
    config, rng = check_kind(model, "model", Transformer).config, check_rng(rng)
    if config.num_experts != 1:
        raise ValueError(f"model must be dense, with one expert, got {config.num_experts}")
    config = replace(config, num_experts=check_count(num_experts, "num_experts", low=2), k=k)
    weights = {}
    for name, shape in weight_shapes(config).items():
        old = model.weights[name]
        if name.startswith("gate"):
            weights[name] = (0.02 * rng.normal(size=shape)).astype(old.dtype)
        else:
            weights[name] = np.repeat(old, num_experts, axis=0) if name.startswith(("w_in", "w_out")) else old
    return Transformer(weights, config, {**model.provenance, "upcycled": True})


# --- held out ------------------------------------------------------------------------------------------


class Rows(NamedTuple):
    """Stretches of held-out text, R of them, that do not overlap."""

    text: np.ndarray    # (R, T + 1) bytes
    domain: np.ndarray  # (R,) index into the corpus's domain_names


def held_out_rows(corpus, *, length=128, per_domain=None):
    """Return the Rows of length T + 1 of held-out bytes that follow one another in each domain.

    per_domain: at most so many of each, spread evenly over what there is; all if None.
    Raises ValueError for what is no Corpus, or a count that is wrong.

    >>> from moeviz import text
    >>> held_out_rows(text.load_corpus(bytes_per_domain=4000, fallback=True), length=64).text.shape[1]
    65
    """
    starts = window_starts(check_kind(corpus, "corpus", Corpus), width=check_count(length, "length") + 1,
                           held_out=True)
    chosen = []
    for domain in range(len(corpus.domain_names)):
        inside = starts[corpus.domain[starts] == domain]
        picked = _apart(inside, length)
        if per_domain is not None and len(picked) > check_count(per_domain, "per_domain"):
            picked = picked[np.linspace(0, len(picked) - 1, per_domain).astype(int)]
        chosen.append(picked)
    starts = np.concatenate(chosen)
    return Rows(corpus.text[starts[:, None] + np.arange(length + 1)], corpus.domain[starts])


def held_out_losses(model, rows, **options):
    """Return the losses (R, T - 32) of the bytes of held-out Rows that have 32 or more before them.

    options: as in `Transformer.row_losses`.
    """
    check_kind(model, "model", Transformer)
    parts = [model.row_losses(rows.text[start:start + BATCH], **options)
             for start in range(0, len(rows.text), BATCH)]
    return np.concatenate(parts)[:, SKIPPED:]


def held_out_loss(model, corpus, *, length=128):
    """Return {domain: mean held-out loss in nats per byte}, in rows of that length."""
    rows = held_out_rows(corpus, length=length)
    losses = held_out_losses(model, rows)
    return {name: float(losses[rows.domain == d].mean()) for d, name in enumerate(corpus.domain_names)
            if (rows.domain == d).any()}


def _apart(starts, length):
    """Keep of rising starts those that begin where the one kept before them ends, or later."""
    kept, free = [], -1
    for start in starts:
        if start >= free:
            kept.append(start)
            free = start + length
    return np.array(kept, dtype=int)

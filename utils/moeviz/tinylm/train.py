"""Training: Adam on random windows of a corpus, every domain drawn equally often; and what is held out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from moeviz import routing
from moeviz.arrays import check_choice, check_count
from moeviz.checks import check_kind, check_several
from moeviz.optimiser import adam_w, no_moments, progress_bar, scheduled_rate
from moeviz.text import window_starts
from moeviz.tinylm.model import Config, TinyLM, init
from moeviz.tinylm.network import loss_and_gradients

STEPS = 2000
BALANCE = ("global", "micro", "sequence")
SEQUENCE = 8  # windows of one domain that count as a sequence


class History(NamedTuple):
    """What happened in S training steps, of a TinyLM or of a Transformer."""

    loss: np.ndarray     # (S,) nats per byte of the step's own text
    balance: np.ndarray  # (S,) weighted balancing loss, all layers
    load: np.ndarray     # (S, L, E) share of the choices that each expert got
    snapshots: tuple = ()  # the model after so many steps, as asked for


def train(corpus, *, config=None, seed=0, steps=STEPS, progress=True, balance="global", route=None,
          backward=routing.weights_backward, snapshots=()):
    """Train a TinyLM on the bytes of a Corpus that are not held out; return (TinyLM, History).

    config: a Config, the default one if None. steps: S, of config.batch windows each. progress: show a
    tqdm bar. balance: where the balancing loss counts the load, "global" over the whole batch, or "micro"
    within micro-batches of one domain each, as on devices that see one kind of text and do not
    exchange their counts, or "sequence" within every eight windows of one domain; or another balancing loss,
    (routed) -> (value, dlogits), such as `losses.gshard_loss`.
    route(logits, rng) -> Routing: the router while training, top-k if None; the model that is returned uses
    top-k. backward(routed, dweight) -> dlogits: the way back through it. snapshots:
    steps after which `History.snapshots` keeps the model, 0 for the untrained one.
    The same seed, corpus and machine give the same model.
    Raises ValueError for what is no Corpus, Config or function, if steps or seed is no whole number, a domain
    has no training window, balance is none of the three, or a snapshot lies outside 0..S.
    Source: Qiu et al. 2025, arXiv 2501.11873.
    """
    another = balance if callable(balance) else None
    if another is None:
        check_choice(balance, "balance", BALANCE)
    if route is not None:
        check_kind(route, "route", Callable)
    config = Config() if config is None else config
    steps, seed = check_count(steps, "steps"), check_count(seed, "seed", low=0)
    rng = np.random.default_rng(seed)
    weights = dict(init(rng, config).weights)
    pools = training_starts(corpus, config)
    snapshots = check_several(snapshots, "snapshots")
    kept = {check_count(step, "snapshots", low=0, high=steps): None for step in snapshots}
    choose = None if route is None else lambda logits, layer: route(logits, rng)
    moments, seen = no_moments(weights), []
    for step in progress_bar(range(steps), steps, progress):
        _keep(kept, step, weights, config)
        windows, targets, domain = draw_batch(rng, corpus, pools, config)
        loss, penalty, gradients, done = loss_and_gradients(
            weights, config, windows, targets, route=choose, part=_parts(domain, balance), penalty=another,
            backward=backward)
        adam_w(weights, moments, gradients, scheduled_rate(config, step, steps), step)
        seen.append((loss, penalty, [_load(layer.routed) for layer in done.layers]))
    _keep(kept, steps, weights, config)
    history = History(*(np.array(column) for column in zip(*seen, strict=True)), tuple(kept.values()))
    about = {"trained": True, "seed": seed, "steps": steps, "text_sha256": corpus.sha256,
             "text_bytes": len(corpus.text), "text_notes": list(corpus.notes)}
    return TinyLM(weights, config, about), history


def training_starts(corpus, config):
    """Return {domain: starts (n,)} of its training windows of context + 1 bytes; ValueError if none."""
    starts = window_starts(corpus, width=config.context + 1, held_out=False)
    pools = {name: starts[corpus.domain[starts] == d] for d, name in enumerate(corpus.domain_names)}
    for name, pool in pools.items():
        if len(pool) == 0:
            raise ValueError(f"corpus has no training window of {config.context + 1} bytes in {name}")
    return pools


def draw_batch(rng, corpus, pools, config):
    """Draw windows (N, context), their next bytes and domains (N,), each domain equally probable."""
    pools, domain = list(pools.values()), rng.integers(len(pools), size=config.batch)
    sizes = np.array([len(pool) for pool in pools])
    at = (rng.random(config.batch) * sizes[domain]).astype(int)
    starts = np.array([pools[d][i] for d, i in zip(domain, at, strict=True)])
    rows = corpus.text[starts[:, None] + np.arange(config.context + 1)]
    return rows[:, :-1], rows[:, -1], domain


def held_out_windows(model, corpus):
    """Return windows (N, context), next bytes (N,) and domains (N,) of all held-out positions, in order.

    Raises ValueError for what is no TinyLM or no Corpus.
    """
    width = check_kind(model, "model", TinyLM).config.context + 1
    starts = window_starts(corpus, width=width, held_out=True)
    rows = corpus.text[starts[:, None] + np.arange(width)]
    return rows[:, :-1], rows[:, -1], corpus.domain[starts]


def held_out_loss(model, corpus):
    """Return {domain: mean held-out loss in nats per byte}."""
    windows, targets, domains = held_out_windows(model, corpus)
    losses = model.window_losses(windows, targets)
    return {name: float(losses[domains == d].mean()) for d, name in enumerate(corpus.domain_names)
            if (domains == d).any()}


def loss_table(losses):
    """Return the lines of {domain: loss} and their mean, as the commands print them.

    >>> print(loss_table({"prose": 1.0}))
    held-out loss, nats per byte
      prose      1.0000
      mean       1.0000
    """
    lines = [f"  {name:<10}{loss:7.4f}" for name, loss in losses.items()]
    mean = np.mean(list(losses.values()))
    return "\n".join(["held-out loss, nats per byte", *lines, f"  {'mean':<10}{mean:7.4f}"])


def _parts(domain, balance):
    """Return (N,) the part within which each window's load is counted, or None for the whole batch."""
    if balance == "global" or callable(balance):
        return None
    part = domain * len(domain)
    if balance == "sequence":
        for each in np.unique(domain):
            part[domain == each] += np.arange((domain == each).sum()) // SEQUENCE
    return part


def _keep(kept, step, weights, config):
    """Put the model as it is now into kept {step: TinyLM} if this step was asked for."""
    if step in kept:
        kept[step] = TinyLM(weights, config, {"trained": step > 0, "steps": step})


def _load(routed):
    """Return (E,), the share of the choices that were kept."""
    counts = np.bincount(routed.pairs().expert, minlength=routed.num_experts)
    return counts / counts.sum()

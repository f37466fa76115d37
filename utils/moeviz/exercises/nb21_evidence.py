"""Notebook 21: what gives a wrong routing step away, as pictures (views) and as numbers (fingerprints).

Each changes something that must not matter, such as the padding, and looks whether it does. Every
function takes (step, batch), where step is a function like `suspects.right`. Draws come from fixed seeds.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_choice, softmax
from moeviz.checks import check_kind
from moeviz.exercises.nb21_suspects import Batch
from moeviz.plots import Evidence

MAX_DOTS, PUSH = 1500, 3.0


class Fingerprint(NamedTuple):
    """A number in 0..1 that is above its cut where something is wrong."""

    measure: Callable  # (step, batch) -> float
    cut: float
    tells: str  # what it counts


def run(step, batch, seed=0):
    """Return the Step of a batch, with draws from a seed."""
    return step(batch, np.random.default_rng(seed))


def dense_weights(step, batch, seed=0):
    """Return (L, T, E): the weight of each expert in each real token's output, padding left out."""
    done = run(step, batch, seed)
    weights = np.zeros(batch.logits.shape)
    np.put_along_axis(weights, done.experts, done.weights, axis=2)
    return weights[:, batch.mask]


def with_other_padding(batch):
    """Return the batch with padding that wants the other experts; real tokens stay as they are."""
    logits = batch.logits.copy()
    logits[:, ~batch.mask] = logits[:, ~batch.mask, ::-1]
    return batch._replace(logits=logits)


def with_two_layers(batch, *, opposite):
    """Return a batch of one collapsed layer twice; opposite: with the experts of the second in reverse order.

    The layer is the last one, with expert 0 pushed by PUSH; there is no bias.
    """
    layer = batch.logits[-1] + PUSH * (np.arange(batch.logits.shape[2]) == 0)
    return batch._replace(logits=np.stack([layer, layer[:, ::-1] if opposite else layer]),
                          bias=np.zeros((2, layer.shape[1])))


def with_seats_for_all(batch):
    """Return the batch with a seat for every choice."""
    return batch._replace(seats=batch.logits.shape[1])


def _scores(step, batch):
    probs, scores = (a[:, batch.mask].ravel() for a in (softmax(batch.logits), run(step, batch).scores))
    return Evidence(_thin(probs), _thin(scores), ("softmax of the logits", "score that the loss saw"))


def _load(step, batch):
    one, other = (run(step, b).load[0] for b in (batch, with_other_padding(batch)))
    return Evidence(100 * one, 100 * other, ("padding as it is", "other padding"),
                    tuple(map(str, range(len(one)))), ("expert", "load of layer 1 (% of choices)"))


def _loss(step, batch):
    alike, opposite = (run(step, with_two_layers(batch, opposite=o)).loss for o in (False, True))
    return Evidence(np.array([alike]), np.array([opposite]), ("layers alike", "layers opposite"),
                    ("both",), ("layers", "balancing loss"))


def _bias(step, batch):
    plain, biased = _before_and_after_bias(step, batch)
    used = plain > 0
    return Evidence(_thin(plain[used]), _thin(biased[used]), ("weight without bias", "weight with bias"))


def _runs(step, batch):
    one, other = (dense_weights(step, batch, seed) for seed in (0, 1))
    used = (one > 0) | (other > 0)
    return Evidence(_thin(one[used]), _thin(other[used]), ("weight, first run", "weight, second run"))


def _survivors(step, batch):
    before, after = dense_weights(step, with_seats_for_all(batch)), dense_weights(step, batch)
    half = (before > 0) & (after > 0) & ((after > 0).sum(axis=2, keepdims=True) == 1)
    return Evidence(_thin(before[half]), _thin(after[half]), ("weight with seats for all",
                                                              "weight left after drops"))


def _queue(step, batch):
    dropped, seated = _queues(step, batch)
    return Evidence(dropped[0], seated[0], ("first choices dropped", "second choices seated"),
                    tuple(map(str, range(dropped.shape[1]))), ("expert", "choices of layer 1"))


VIEWS = MappingProxyType({"scores": _scores, "load": _load, "loss": _loss, "bias": _bias, "runs": _runs,
                          "survivors": _survivors, "queue": _queue})


def find(step, batch, view):
    """Return the Evidence of one view of VIEWS; raises ValueError for another name or what is no Batch.

    >>> from moeviz.exercises.nb21_suspects import make_batch, right
    >>> find(right, make_batch(np.eye(4)[None]), "loss").labels
    ('layers alike', 'layers opposite')
    """
    check_kind(batch, "batch", Batch)
    return VIEWS[check_choice(view, "view", VIEWS)](step, batch)


def flatness(step, batch):
    """Return 1 minus the largest score that any real token has for any expert."""
    return float(1 - run(step, batch).scores[:, batch.mask].max())


def zeros(step, batch):
    """Return the share of scores that are exactly 0."""
    return float((run(step, batch).scores[:, batch.mask] == 0).mean())


def padding_moves(step, batch):
    """Return the largest change of a load when the padding wants other experts."""
    return float(np.abs(run(step, batch).load - run(step, with_other_padding(batch)).load).max())


def layers_cancel(step, batch):
    """Return the share of the loss that is lost when two equal layers are made opposite."""
    alike, opposite = _loss(step, batch)[:2]
    return float(np.clip((alike - opposite) / alike, 0, 1)[0])


def bias_moves(step, batch):
    """Return the largest change of a weight by the bias, among tokens that keep their experts."""
    plain, biased = _before_and_after_bias(step, batch)
    return float(np.abs(plain - biased).max(initial=0.0))


def runs_differ(step, batch):
    """Return the share of real tokens with other experts or weights in a second run."""
    one, other = (dense_weights(step, batch, seed) for seed in (0, 1))
    return float((np.abs(one - other) > 1e-9).any(axis=2).mean())


def survivors_at_one(step, batch):
    """Return the share of tokens that lost one of two choices and still have weights that sum to 1."""
    after = dense_weights(step, batch)
    total = after.sum(axis=2)[(after > 0).sum(axis=2) == 1]
    return float((total > 1 - 1e-9).mean()) if len(total) else 0.0


def queue_jumped(step, batch):
    """Return the share of dropped first choices whose expert seated somebody's second choice."""
    dropped, seated = _queues(step, batch)
    return float(dropped[seated > 0].sum() / max(dropped.sum(), 1))


FINGERPRINTS = MappingProxyType({
    "flat scores": Fingerprint(flatness, 0.5, "1 minus the largest score"),
    "zero scores": Fingerprint(zeros, 0.1, "share of scores that are 0"),
    "padding moves load": Fingerprint(padding_moves, 0.01, "largest change of a load with other padding"),
    "layers cancel": Fingerprint(layers_cancel, 0.05, "share of the loss that opposite layers lose"),
    "bias moves weights": Fingerprint(bias_moves, 0.01, "largest change of a weight by the bias"),
    "two runs differ": Fingerprint(runs_differ, 0.01, "share of tokens that change in a second run"),
    "survivors at 1": Fingerprint(survivors_at_one, 0.1, "share of half-served tokens with full weight"),
    "queue jumped": Fingerprint(queue_jumped, 0.01, "share of dropped first choices behind a second")})


def read_all(steps, batch):
    """Return (N, 8): every fingerprint of every step; steps: {name: function}, rows in their order."""
    return np.array([[print_.measure(step, batch) for print_ in FINGERPRINTS.values()]
                     for step in steps.values()])


def _before_and_after_bias(step, batch):
    """Return two (L, N, E): weights without and with bias, of tokens that keep their experts; else 0."""
    roomy = with_seats_for_all(batch)
    plain, biased = (dense_weights(step, b) for b in (roomy._replace(bias=0 * batch.bias), roomy))
    same = ((plain > 0) == (biased > 0)).all(axis=2, keepdims=True)
    return plain * same, biased * same


def _queues(step, batch):
    """Return two (L, E): first choices without a seat, and second choices with one, of real tokens."""
    done = run(step, batch)
    chosen = done.experts[..., None] == np.arange(batch.logits.shape[2])  # (L, T, k, E)
    lost = batch.mask[:, None] & ~done.kept
    return tuple((chosen[:, :, slot] & which[:, :, slot, None]).sum(axis=1)
            for slot, which in ((0, lost), (1, done.kept)))


def _thin(values):
    """Return at most MAX_DOTS of the values (N,), evenly spaced."""
    return values[::max(1, -(-len(values) // MAX_DOTS))]

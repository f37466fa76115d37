"""Notebook 21: one routing step done right, eight suspects with one mistake each, and what gives them away.

Steps take (batch, rng) and return a Step. Names and docstrings of the suspects give nothing away; what is
wrong with which, and the public thread it was found in, stands in `nb21_hunt`. Views are pictures and
fingerprints are numbers: each changes something that must not matter, such as the padding, and looks whether
it does. They take (step, batch) and draw from fixed seeds. L layers, T tokens, E experts, k = 2.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from moeviz.arrays import (
    as_array,
    check_choice,
    check_count,
    check_mask,
    check_matrix,
    one_hot,
    softmax,
    top_k_index,
)
from moeviz.capacity import apply_capacity
from moeviz.checks import check_kind
from moeviz.record import Routing

K, NOISE = 2, 0.5
MAX_DOTS, PUSH = 1500, 3.0


class Batch(NamedTuple):
    """What a routing step gets at evaluation; `make_batch` checks it."""

    logits: np.ndarray  # (L, T, E) of the gates
    mask: np.ndarray    # (T,) bool, False for padding
    bias: np.ndarray    # (L, E) added to the scores for the choice only
    seats: int          # of each expert in each layer


class Step(NamedTuple):
    """What a routing step reports."""

    experts: np.ndarray  # (L, T, k) chosen, best first; padding chooses too, but gets no seat
    weights: np.ndarray  # (L, T, k) in the output; 0 without a seat
    kept: np.ndarray     # (L, T, k) bool
    scores: np.ndarray   # (L, T, E) whose mean over tokens is the P of the balancing loss
    load: np.ndarray     # (L, E) share of the choices, the f of the loss
    loss: float          # E sum f P of each layer, averaged over layers


def make_batch(logits, mask=None, *, bias=None, seats=None):
    """Return a checked Batch; no mask: all tokens are real, no bias: 0, no seats: the fair share.

    logits: (L, T, E). mask: (T,) bool. bias: (E,) or (L, E). seats: at least 1.
    Raises ValueError naming what is wrong.

    >>> make_batch(np.zeros((1, 8, 4))).seats
    4
    """
    logits = as_array(logits, "logits")
    if (logits.dtype.kind not in "fiu" or logits.ndim != 3 or logits.shape[2] < K or not logits.size
            or not np.isfinite(logits).all()):
        raise ValueError(f"logits must be finite, of shape (L, T, E) with E >= {K}, "
                         f"got {logits.dtype} of shape {logits.shape}")
    logits = logits.astype(float)
    num_layers, num_tokens, num_experts = logits.shape
    mask = check_mask(mask, num_tokens)
    fair = -(-K * int(mask.sum()) // num_experts)
    bias = _check_bias(bias, num_layers, num_experts)
    return Batch(logits, mask, bias, fair if seats is None else check_count(seats, "seats"))


def _check_bias(bias, num_layers, num_experts):
    """Return the bias as (L, E); the same for all layers where one row is given."""
    if bias is None:
        return np.zeros((num_layers, num_experts))
    bias = check_matrix(np.atleast_2d(as_array(bias, "bias")), "bias", "(E,) or (L, E)").astype(float)
    if bias.shape not in ((1, num_experts), (num_layers, num_experts)):
        raise ValueError(f"bias must have shape ({num_experts},) or ({num_layers}, {num_experts}), "
                         f"got {bias.shape}")
    return np.repeat(bias, num_layers // len(bias), axis=0)


def right(batch, rng):
    """Route at evaluation as it should be, and report a Step; rng is for training alone and stays unused.

    Source: the order of steps of GShard, arXiv 2006.16668 (weights before drops, first choices before any
    second), with the bias of DeepSeek-V3, arXiv 2412.19437, and the loss of Switch, arXiv 2101.03961.

    >>> right(make_batch([[[3.0, 1.0, 0.0], [3.0, 0.0, 1.0]]], seats=1), None).kept.tolist()
    [[[True, True], [False, True]]]
    """
    probs = softmax(batch.logits)
    experts = top_k_index(probs + batch.bias[:, None], K)
    kept = seat(probs, experts, batch)
    load, loss = balance(probs, experts, batch.mask)
    return Step(experts, renormalised(probs, experts) * kept, kept, probs, load, loss)


def suspect_a(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    load, loss = balance(step.scores, step.experts, np.ones_like(batch.mask))
    return step._replace(load=load, loss=loss)


def suspect_b(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    scores = np.where(_chosen(step.experts, step.scores), step.scores, 0)
    return step._replace(scores=scores, loss=balance(scores, step.experts, batch.mask)[1])


def suspect_c(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    kept = seat(step.scores, step.experts, batch, order="token")
    return step._replace(kept=kept, weights=renormalised(step.scores, step.experts) * kept)


def suspect_d(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    scores = softmax(step.scores)
    return step._replace(scores=scores, loss=balance(scores, step.experts, batch.mask)[1])


def suspect_e(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    return step._replace(weights=renormalised(step.scores + batch.bias[:, None], step.experts) * step.kept)


def suspect_f(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    one_long_layer = (array.reshape(1, -1, array.shape[2]) for array in (step.scores, step.experts))
    mask = np.tile(batch.mask, len(step.scores))
    return step._replace(loss=balance(*one_long_layer, mask)[1])


def suspect_g(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    noise = NOISE * rng.standard_normal(batch.logits.shape)
    return right(batch._replace(logits=batch.logits + noise), rng)


def suspect_h(batch, rng):
    """Route a Batch and report a Step, with one mistake."""
    step = right(batch, rng)
    total = step.weights.sum(axis=2, keepdims=True)
    return step._replace(weights=step.weights / np.where(total > 0, total, 1))


SUSPECTS = MappingProxyType({
    "right": right, "a": suspect_a, "b": suspect_b, "c": suspect_c, "d": suspect_d, "e": suspect_e,
    "f": suspect_f, "g": suspect_g, "h": suspect_h})


def seat(probs, experts, batch, order="choice"):
    """Return (L, T, k) bool: which choices find a seat, layer by layer; padding takes none.

    >>> batch = make_batch(np.zeros((1, 2, 2)), [True, False], seats=1)
    >>> seat(np.full((1, 2, 2), 0.5), np.array([[[0, 1], [0, 1]]]), batch).tolist()
    [[[True, True], [False, False]]]
    """
    real = np.repeat(batch.mask[:, None], K, axis=1)
    asked = [Routing(None, shares, chosen, np.zeros(chosen.shape), real)
             for shares, chosen in zip(probs, experts, strict=True)]
    return np.stack([apply_capacity(routed, batch.seats, order=order).kept for routed in asked])


def renormalised(scores, experts):
    """Return (L, T, k): the scores of the chosen experts, divided by their sum.

    >>> renormalised(np.array([[[0.375, 0.125, 0.5]]]), np.array([[[0, 1]]])).tolist()
    [[[0.75, 0.25]]]
    """
    chosen = np.take_along_axis(scores, experts, axis=2)
    return chosen / chosen.sum(axis=2, keepdims=True)


def balance(scores, experts, mask):
    """Return the load (L, E) over the tokens of mask (T,), and the mean over layers of E sum f P.

    >>> balance(np.array([[[0.5, 0.5]]]), np.array([[[0, 1]]]), np.array([True]))[1]
    1.0
    """
    load = _chosen(experts, scores)[:, mask].mean(axis=1) / experts.shape[2]
    share = scores[:, mask].mean(axis=1)
    return load, float(scores.shape[2] * (load * share).sum(axis=1).mean())


def _chosen(experts, scores):
    """Return (L, T, E) bool: which experts each token chose."""
    return one_hot(experts, scores.shape[2]).any(axis=2)


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
    return _thin(probs), _thin(scores), ("softmax of the logits", "score that the loss saw")


def _load(step, batch):
    one, other = (run(step, b).load[0] for b in (batch, with_other_padding(batch)))
    return (100 * one, 100 * other, ("padding as it is", "other padding"),
            tuple(map(str, range(len(one)))), ("expert", "load of layer 1 (% of choices)"))


def _loss(step, batch):
    alike, opposite = (run(step, with_two_layers(batch, opposite=o)).loss for o in (False, True))
    return (np.array([alike]), np.array([opposite]), ("layers alike", "layers opposite"),
            ("both",), ("layers", "balancing loss"))


def _bias(step, batch):
    plain, biased = _before_and_after_bias(step, batch)
    used = plain > 0
    return _thin(plain[used]), _thin(biased[used]), ("weight without bias", "weight with bias")


def _runs(step, batch):
    one, other = (dense_weights(step, batch, seed) for seed in (0, 1))
    used = (one > 0) | (other > 0)
    return _thin(one[used]), _thin(other[used]), ("weight, first run", "weight, second run")


def _survivors(step, batch):
    before, after = dense_weights(step, with_seats_for_all(batch)), dense_weights(step, batch)
    half = (before > 0) & (after > 0) & ((after > 0).sum(axis=2, keepdims=True) == 1)
    return _thin(before[half]), _thin(after[half]), ("weight with seats for all", "weight left after drops")


def _queue(step, batch):
    dropped, seated = _queues(step, batch)
    return (dropped[0], seated[0], ("first choices dropped", "second choices seated"),
            tuple(map(str, range(dropped.shape[1]))), ("expert", "choices of layer 1"), True)


# each returns the fields of an Evidence
VIEWS = MappingProxyType({"scores": _scores, "load": _load, "loss": _loss, "bias": _bias, "runs": _runs,
                          "survivors": _survivors, "queue": _queue})


def find(step, batch, view):
    """Return the Evidence of one view of VIEWS; raises ValueError for another name or what is no Batch.

    >>> find(right, make_batch(np.eye(4)[None]), "loss").labels
    ('layers alike', 'layers opposite')
    """
    from moeviz.plots import Evidence  # with matplotlib, which a process that only grades can spare

    check_kind(batch, "batch", Batch)
    return Evidence(*VIEWS[check_choice(view, "view", VIEWS)](step, batch))


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
    return np.array([[mark.measure(step, batch) for mark in FINGERPRINTS.values()]
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

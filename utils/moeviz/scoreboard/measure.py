"""What the scoreboard measures of one router: a row of numbers, each from running it on the logits."""

from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import check_count, check_matrix, softmax
from moeviz.record import check_routing
from moeviz.scoreboard.contract import RouterError, route

ROUNDING = 1e-9  # weights that differ by less have not changed


class Row(NamedTuple):
    """One router's readings. Load, captured score and experts count choices that were kept."""

    name: str
    max_violation: float   # max(load) / mean(load) - 1
    captured: float        # mean over tokens of softmax(logits) summed over the experts that serve it
    of_best: float         # captured over the most that as many choices could capture, placed freely
    drop_rate: float       # share of choices that found no seat
    experts: float         # mean number of experts that serve a token
    fewest: int
    most: int
    unserved: float        # share of tokens that no expert serves
    router_entropy: float  # of the probs that the router saw, over ln E
    load_entropy: float    # of the load, over ln E
    leak: float | None     # share of earlier tokens that change with later ones; None if it cannot be told
    causal: bool | None    # leak is 0
    needs_loss: bool | None  # declared, not measured; None if nobody said
    random: bool           # another seed, or a second call, gives another routing


def measure(router, logits, *, name="router", needs_loss=None, seed=0):
    """Return (Row, Routing) of one router on logits (T, E).

    The router runs several times: twice with one seed, once with another, and on logits whose later tokens
    were changed (see `leak`). Raises RouterError, a ValueError, as `route` does, and ValueError for a seed
    that is no whole number of at least 0.

    >>> from moeviz import routing
    >>> row, routed = measure(routing.top_k, [[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]])
    >>> row.max_violation, row.experts, row.causal, row.random
    (0.5, 2.0, True, False)
    """
    logits, seed = check_matrix(logits, "logits").astype(float), check_count(seed, "seed", low=0)
    routed, again, other = (route(router, logits, rng=np.random.default_rng(s), name=name)
                            for s in (seed, seed, seed + 1))
    repeats = not changed_tokens(routed, again).any()
    leaked = leak(router, logits, seed=seed) if repeats and len(logits) > 1 else None
    served = routed.dispatch().sum(axis=1)
    load, share = routed.dispatch().sum(axis=0), captured(routed, logits)
    best = best_captured(logits, int(served.sum()))
    return Row(name, metrics.max_violation(load), share, share / best if best else np.nan,
               metrics.drop_rate(routed), float(served.mean()), int(served.min()), int(served.max()),
               metrics.fully_dropped(routed), metrics.router_entropy(routed), metrics.load_entropy(load),
               leaked, None if leaked is None else leaked == 0, needs_loss,
               not repeats or bool(changed_tokens(routed, other).any())), routed


def captured(routed, logits):
    """Return the mean over tokens of softmax(logits) summed over the experts that serve the token.

    routed: of T tokens; logits: (T, E), the same for every router that is compared, whatever scores a
    router chose by. 1 is everything, which only the dense mixture gets.
    Raises ValueError for logits of another shape.
    Source: the assignment cost of a balanced method is this number beside that of plain top-k.

    >>> from moeviz.routing import top_k
    >>> captured(top_k([[0.0, 0.0]], k=1), [[0.0, 0.0]])
    0.5
    """
    probs = softmax(check_matrix(logits, "logits").astype(float))
    if check_routing(routed).probs.shape != probs.shape:
        raise ValueError(f"logits must have shape {routed.probs.shape}, got {probs.shape}")
    return float(probs[routed.dispatch()].sum() / len(probs))


def best_captured(logits, choices):
    """Return the largest captured score of any routing with this many choices in all.

    logits: (T, E); choices: 0..T E. The best places are the largest probabilities of the whole matrix,
    whatever token they belong to; k for each token is a restriction, and costs a little.
    Raises ValueError for choices outside of 0..T E.

    >>> best_captured(np.log([[0.9, 0.1], [0.5, 0.5]]), 2)
    0.7
    """
    falling = -np.sort(-softmax(check_matrix(logits, "logits").astype(float)), axis=None)
    choices = check_count(choices, "choices", low=0, high=falling.size)
    return float(falling[:choices].sum() / len(logits))


def leak(router, logits, *, seed=0):
    """Return the largest share of earlier tokens that changed experts or weights when later tokens changed.

    The last three quarters, the last half and the last quarter of the logits (T, E), T > 1, are each changed
    in two ways: experts in reverse order, and everyone wants the busiest expert of the earlier tokens. The
    draws of a router that takes rng stay the same. 0 means that no change was seen in these six trials.
    Raises RouterError, a ValueError, when the router fails on changed logits.

    >>> from moeviz import routing
    >>> leak(lambda z: routing.expert_choice(z, 2), [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    1.0
    """
    logits = check_matrix(logits, "logits").astype(float)
    before = route(router, logits, rng=np.random.default_rng(seed))
    shares = [0.0]
    for cut in sorted({max(1, len(logits) * quarter // 4) for quarter in (1, 2, 3)}):
        for other in _changed_later(logits, cut):
            after = _route_again(router, other, seed)
            shares.append(float(changed_tokens(before, after)[:cut].mean()))
    return max(shares)


def changed_tokens(one, other):
    """Return (T,) bool: which tokens have other experts, or other weights, in one Routing than in the other.

    >>> from moeviz.routing import top_k
    >>> changed_tokens(top_k([[1.0, 0.0], [1.0, 0.0]], k=1), top_k([[1.0, 0.0], [0.0, 1.0]], k=1)).tolist()
    [False, True]
    """
    moved = one.dispatch() != other.dispatch()
    return (moved | (np.abs(one.combine() - other.combine()) > ROUNDING)).any(axis=1)


def _changed_later(logits, cut):
    """Yield copies of logits (T, E) that differ from row `cut` on."""
    rushed, backwards = logits.copy(), logits.copy()
    backwards[cut:] = backwards[cut:, ::-1]
    busiest = np.bincount(logits[:cut].argmax(axis=1)).argmax()
    rushed[cut:, busiest] += np.ptp(logits) + 1
    return rushed, backwards


def _route_again(router, logits, seed):
    try:
        return route(router, logits, rng=np.random.default_rng(seed))
    except RouterError as error:
        raise RouterError(f"{error} (on the same logits with the later tokens changed)") from error

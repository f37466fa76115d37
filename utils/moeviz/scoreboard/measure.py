"""One router on one matrix of logits: calling it safely, and reading off what it did."""

import inspect
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from moeviz import metrics
from moeviz.arrays import check_count, check_matrix, softmax
from moeviz.record import EMPTY, Routing, check_routing
from moeviz.routing.token_choice import build_from_mask


class RouterError(ValueError):
    """What a router did wrong, as the end of a sentence that begins with its name."""


def route(router, logits, *, rng=None, name="router"):
    """Run any router on logits (T, E) and return its Routing, with `name` as the label.

    router: a function of the logits alone, or of (logits, rng) if it draws random numbers: an argument
    called rng gets `rng`. It may return a Routing; or (expert_index, weights), both (T, k), best first,
    with EMPTY (-1) and weight 0 in unused slots; or weights (T, E), 0 where an expert is not used.
    Raises RouterError, a ValueError, when it fails, returns anything else, or changes its input, and
    ValueError for logits that are not a finite, non-empty matrix.

    >>> route(lambda logits: np.where(logits > 0, 0.5, 0), [[3.0, -1.0, 2.0]], name="positive")
    Routing 'positive': 1 tokens, 3 experts, k = 2
      token 0: e0 0.500, e2 0.500
    """
    logits = check_matrix(logits, "logits").astype(float)
    if not callable(router):
        raise RouterError(f"is no function but {_kind(router)}; give the function itself, without ()")
    given = logits.copy()
    answer = _call(router, given, rng)
    if not np.array_equal(given, logits):
        raise RouterError("changed the logits it was given; work on logits.copy()")
    return _as_routing(answer, logits).relabel(str(name))


def check_routers(routers):
    """Return {name: router} if it is that, with at least one, or raise a ValueError."""
    if not isinstance(routers, Mapping) or not all(isinstance(name, str) for name in routers):
        raise ValueError(f"routers must be {{name: router}}, got {type(routers).__name__}")
    if not routers:
        raise ValueError("routers must hold at least one router, got none")
    return routers


def takes_rng(router):
    """Return whether the router has an argument called rng.

    >>> takes_rng(lambda logits: logits), takes_rng(lambda logits, rng: logits)
    (False, True)
    """
    try:
        return "rng" in inspect.signature(router).parameters
    except (TypeError, ValueError):  # some compiled functions tell nothing about their arguments
        return False


def _call(router, logits, rng):
    extra = {"rng": rng} if takes_rng(router) else {}
    try:
        return router(logits, **extra)
    except RouterError:
        raise
    except Exception as error:  # a learner's own code may raise anything
        raise RouterError(f"raised {type(error).__name__}: {error}") from error


def _as_routing(answer, logits):
    if answer is None:
        raise RouterError("returned None; does it end with `return ...`?")
    if isinstance(answer, Routing):
        return _of_same_size(answer, logits)
    try:
        if isinstance(answer, tuple) and len(answer) == 2:
            return _from_choices(*answer, logits)
        if isinstance(answer, (np.ndarray, list)):
            return _from_weights(answer, logits)
    except ValueError as error:
        raise RouterError("returned something that is no routing: "
                          + str(error).replace("combine_weight", "weights")) from None
    raise RouterError(f"returned {_kind(answer)}; expected a Routing, (expert_index, weights) "
                      "or weights of shape (T, E)")


def _of_same_size(routed, logits):
    if routed.shape != logits.shape:
        raise RouterError(f"returned a Routing of {routed.num_tokens} tokens and {routed.num_experts} experts"
                          f" for logits of {len(logits)} tokens and {logits.shape[1]} experts")
    return routed


def _from_choices(expert_index, weights, logits):
    kept = np.asarray(expert_index) != EMPTY
    return Routing(logits, softmax(logits), expert_index, weights, kept)


def _from_weights(weights, logits):
    weights = check_matrix(weights, "weights")
    if weights.shape != logits.shape:
        raise ValueError(f"weights must have the shape of logits {logits.shape}, got {weights.shape} "
                         "(a table of experts goes with its weights: return expert_index, weights)")
    if weights.min() < 0:
        raise ValueError(f"weights must be non-negative, got {weights.min():.4g}")
    return build_from_mask(logits, softmax(logits), weights > 0, weights, "")


def _kind(value):
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"


SEED = 0         # of the draws of a router that takes rng
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


def measure(router, logits, *, name="router", needs_loss=None):
    """Return (Row, Routing) of one router on logits (T, E).

    The router runs several times: twice with one seed, once with another, and on logits whose later tokens
    were changed (see `leak`). Raises RouterError, a ValueError, as `route` does.

    >>> from moeviz import routing
    >>> row, routed = measure(routing.top_k, [[2.0, 1.0, 0.0], [2.0, 0.0, 1.0]])
    >>> row.max_violation, row.experts, row.causal, row.random
    (0.5, 2.0, True, False)
    """
    logits = check_matrix(logits, "logits").astype(float)
    routed, again, other = (route(router, logits, rng=np.random.default_rng(seed), name=name)
                            for seed in (SEED, SEED, SEED + 1))
    repeats = not changed_tokens(routed, again).any()
    leaked = leak(router, logits) if repeats and len(logits) > 1 else None
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
    if check_routing(routed).shape != probs.shape:
        raise ValueError(f"logits must have shape {routed.shape}, got {probs.shape}")
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


def leak(router, logits):
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
    before = route(router, logits, rng=np.random.default_rng(SEED))
    shares = [0.0]
    for cut in sorted({max(1, len(logits) * quarter // 4) for quarter in (1, 2, 3)}):
        for other in _changed_later(logits, cut):
            after = _route_again(router, other)
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


def moved_early(before, after, cut):
    """Return the Routing of the first `cut` tokens of `before` in which only those that changed have experts.

    before, after: Routings of the same tokens; changed as in `changed_tokens`. For a picture of who looked
    ahead. Raises ValueError for a cut outside of 1..T.

    >>> from moeviz.routing import expert_choice
    >>> z = np.array([[2.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    >>> moved_early(expert_choice(z[:2], 1), expert_choice(z[[0, 2]], 1), 1).expert_index.tolist()
    [[0]]
    """
    cut = check_count(cut, "cut", high=before.num_tokens)
    moved = changed_tokens(before, after)[:cut, None]
    index = np.where(moved, before.expert_index[:cut], EMPTY)
    weight = np.where(moved, before.combine_weight[:cut], 0.0)
    label = f"{before.label}: {moved.sum()} of {cut} earlier tokens changed"
    return Routing(None, before.probs[:cut], index, weight, before.kept[:cut] & moved, label)


def _changed_later(logits, cut):
    """Yield copies of logits (T, E) that differ from row `cut` on."""
    rushed, backwards = logits.copy(), logits.copy()
    backwards[cut:] = backwards[cut:, ::-1]
    busiest = np.bincount(logits[:cut].argmax(axis=1)).argmax()
    rushed[cut:, busiest] += np.ptp(logits) + 1
    return rushed, backwards


def _route_again(router, logits):
    try:
        return route(router, logits, rng=np.random.default_rng(SEED))
    except RouterError as error:
        raise RouterError(f"{error} (on the same logits with the later tokens changed)") from error

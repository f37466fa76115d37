"""What a router has to be for the scoreboard: a function of the logits, and three things it may return."""

import inspect
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from moeviz.arrays import check_matrix, softmax
from moeviz.record import EMPTY, Routing
from moeviz.routing.common import build_from_mask


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
    return replace(_as_routing(answer, logits), label=str(name))


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
    if routed.probs.shape != logits.shape:
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

"""Router: what published models do with the logits of their gate, as data; `families.router_of` fills it in.

Order of operations: softcap, score, bias (for the choice only), groups, top-k, weight, renormalise, scale.
"""

import math
from dataclasses import dataclass

import numpy as np

from moeviz.arrays import (
    as_array,
    check_choice,
    check_count,
    check_mask,
    check_matrix,
    check_number,
    check_vector,
    softmax,
    softplus,
    top_k_index,
)
from moeviz.checks import check_flag, check_optional, check_text, store
from moeviz.record import EMPTY, Routing
from moeviz.routing.token_choice import build, choose, open_groups

SCORES = ("softmax", "sigmoid", "sqrtsoftplus", "sparsemixer", "nllb")
BIASES = (None, "choice", "logits")
GROUP_SCORES = {"best": 1, "two best": 2}


@dataclass(frozen=True)
class Router:
    """Route as a published family does; called with logits (T, E) it returns the Routing.

    family: its name, for the label. k: choices per token, None where each call says it. num_experts: E, or
    None where any will do.
    scores: "softmax", "sigmoid", "sqrtsoftplus", or the own rules "sparsemixer" and "nllb".
    bias: what a bias given at the call is added to: "choice" (the scores) or "logits"; None refuses one.
    groups, top_groups, group_score: experts in groups of neighbours, of which the best top_groups by their
    "best" score or the sum of the "two best" stay open; closed experts keep the score `closed` (None: -inf).
    renormalize: divide the k weights by their p-norm (p = power), which is raised to at least `floor` and by
    `epsilon`. scale: factor of all weights. expert_scale: whether one factor per expert is expected.
    softcap: logits become cap x tanh(logits / cap). jitter: band of sparsemixer. hashed: whether a table of
    token ids chooses. seats: rules of NLLB's seats as a `Seats`, or None.
    Raises ValueError naming the field that is wrong.

    >>> Router("two of three", k=2, scores="sigmoid", renormalize=False)([[0.0, 0.0, 9.0]]).expert_index
    array([[2, 0]])
    """

    family: str
    k: int | None
    num_experts: int | None = None
    scores: str = "softmax"
    bias: str | None = None
    groups: int = 1
    top_groups: int = 1
    group_score: str = "two best"
    closed: float | None = None
    renormalize: bool = True
    power: float = 1.0
    floor: float = 0.0
    epsilon: float = 0.0
    scale: float = 1.0
    expert_scale: bool = False
    softcap: float = 0.0
    jitter: float = 0.0
    hashed: bool = False
    seats: "Seats | None" = None

    def __post_init__(self):
        store(self, check_text, "family")
        store(self, check_count, "groups", "top_groups")
        store(self, check_optional, "k", "num_experts")
        store(self, check_flag, "renormalize", "expert_scale", "hashed")
        store(self, check_number, "floor", "epsilon", "softcap", "jitter", low=0.0)
        store(self, check_number, "scale", "power", low=1e-12)
        check_choice(self.scores, "scores", SCORES)
        check_choice(self.bias, "bias", BIASES)
        check_choice(self.group_score, "group_score", tuple(GROUP_SCORES))

    def __call__(self, logits, *, k=None, bias=None, expert_scale=None, token_ids=None, table=None,
                 mask=None):
        """Return the Routing of logits (T, E).

        k: choices per token, where they are not the family's. bias, expert_scale: (E,) numbers of the
        layer; left out they are 0 and 1. token_ids (T,) and table (V, k): for layers that look experts up.
        mask: (T,) bool, False for padding, which takes no seat in families that have seats.
        Raises ValueError naming what is wrong, or what this family does not take.
        """
        given = check_matrix(logits, "logits")
        wanted = self.num_experts
        if wanted is not None and given.shape[1] != wanted:
            raise ValueError(f"logits of {self.family} must have {wanted} columns, got {given.shape[1]}")
        k = check_count(self.k if k is None else k, "k", high=given.shape[1])
        logits, label = given.astype(float), f"{self.family} top-{k}"
        if self.softcap:
            logits = self.softcap * np.tanh(logits / self.softcap)
        if self.seats is not None:
            return seated_pairs(given, logits, self.seats, mask, label)
        bias = _numbers(bias, "bias", given.shape[1], 0.0, self.bias is not None, self.family)
        factor = _numbers(expert_scale, "expert_scale", given.shape[1], 1.0, self.expert_scale, self.family)
        if self.scores == "sparsemixer":
            probs, index, weight = sparsemixer(logits, k, self.jitter)
        else:
            probs, scores = _scored(logits, self.scores)
            index = self._chosen(logits, scores, bias, k, token_ids, table)
            weight = self._weights(np.take_along_axis(scores, index, axis=1))
        weight = weight * self.scale * factor[index]
        return build(given, probs.astype(given.dtype), index, weight.astype(given.dtype), label)

    def _chosen(self, logits, scores, bias, k, token_ids, table):
        if self.hashed:
            return _looked_up(token_ids, table, len(logits), logits.shape[1], k)
        if self.bias == "logits":
            return top_k_index(logits + bias, k)
        choice = scores + bias if bias.any() else logits
        if self.groups == 1:
            return choose(choice, logits, k)
        best = GROUP_SCORES[self.group_score]
        closed = -np.inf if self.closed is None else self.closed
        return choose(open_groups(scores + bias, self.groups, self.top_groups, best, closed), logits, k)

    def _weights(self, weight):
        if not self.renormalize:
            return weight
        total = (weight**self.power).sum(axis=1, keepdims=True) ** (1 / self.power)
        total = np.maximum(total, self.floor) + self.epsilon
        return np.divide(weight, total, out=np.full_like(weight, 1 / weight.shape[1]), where=total > 0)


@dataclass(frozen=True)
class Seats:
    """Hold how many tokens an expert of NLLB takes and how its weights are made.

    number: seats per expert; None leaves it to `share`. share: seats as a share of the tokens; 0 gives
    2 ceil(T / E) where number is None. before: weights are divided by their sum before tokens are dropped,
    instead of after. first: the surest tokens are seated first. Raises ValueError naming the field.
    Source: transformers 5.24.0, models/nllb_moe/modeling_nllb_moe.py.

    >>> Seats(share=0.5).of(5, 8)
    3
    """

    number: int | None = None
    share: float = 1.0
    before: bool = False
    first: bool = False

    def __post_init__(self):
        if self.number is not None:
            store(self, check_count, "number")
        store(self, check_number, "share", low=0.0)
        store(self, check_flag, "before", "first")

    def of(self, num_tokens, num_experts):
        """Return the seats of each expert for so many tokens and experts."""
        if self.share > 0:
            return math.ceil(self.share * num_tokens)
        return self.number or 2 * math.ceil(num_tokens / num_experts)


def sparsemixer(logits, k, jitter):
    """Return (probs (T, E), index (T, k), weight (T, k)) of sparsemixer at inference.

    Each choice in turn: the largest logit that is left; its weight is its share among the logits left that
    lie within the band (largest - logit) / max(|logit|, largest) <= 2 jitter.
    Source: arXiv 2409.12136; transformers 5.24.0, models/phimoe/modeling_phimoe.py.

    >>> sparsemixer(np.array([[1.0, 1.0, 0.0]]), 2, 0.01)[2].tolist()
    [[0.5, 1.0]]
    """
    left = logits.copy()
    index, weight = np.zeros((len(logits), k), dtype=np.intp), np.zeros((len(logits), k))
    for choice in range(k):
        best = left.max(axis=1, keepdims=True)
        band = (best - logits) <= 2 * jitter * np.maximum(np.abs(logits), best)
        inside = np.where(band, left, -np.inf)
        index[:, choice] = left.argmax(axis=1)
        weight[:, choice] = np.take_along_axis(softmax(inside), index[:, choice, None], axis=1)[:, 0]
        np.put_along_axis(left, index[:, choice, None], -np.inf, axis=1)
    return softmax(logits), index, weight


def seated_pairs(given, logits, seats, mask, label):
    """Return the Routing of NLLB's top-2: all first choices are seated before any second one.

    given: logits as they came; logits: (T, E) float. mask: (T,) bool or None; padding takes no seat and
    goes nowhere. Choices beyond the seats are not kept; where weights are made after dropping, one that is
    left alone weighs 1.
    """
    probs, index = softmax(logits), top_k_index(logits, 2)
    real = check_mask(mask, len(logits))
    weight = np.take_along_axis(probs, index, axis=1)
    kept = _seated(index, seats, real, probs)
    counted = weight if seats.before else weight * kept
    total = np.maximum(counted.sum(axis=1, keepdims=True), np.finfo(given.dtype).eps)
    weight = np.where(real[:, None], counted / total, 0.0)
    index = np.where(real[:, None], index, EMPTY)
    return Routing(given, probs.astype(given.dtype), index, weight.astype(given.dtype), kept, label)


def _seated(index, seats, real, probs):
    """Return (T, 2) bool: which choices find a seat."""
    num_tokens, num_experts = probs.shape
    limit = seats.of(num_tokens, num_experts)
    order = np.argsort(-probs.max(axis=1), kind="stable") if seats.first else np.arange(num_tokens)
    kept, taken = np.zeros(index.shape, dtype=bool), np.zeros(num_experts, dtype=int)
    for choice in range(2):
        chosen = np.zeros((num_tokens, num_experts), dtype=int)
        chosen[np.arange(num_tokens), index[:, choice]] = real
        place = np.zeros_like(chosen)
        place[order] = taken + np.cumsum(chosen[order], axis=0)
        kept[:, choice] = real & (np.take_along_axis(place, index[:, choice, None], axis=1)[:, 0] <= limit)
        taken = taken + chosen.sum(axis=0)
    return kept


def _scored(logits, scores):
    """Return (shares (T, E), scores (T, E)) of float logits."""
    if scores == "softmax":
        probs = softmax(logits)
        return probs, probs
    if scores == "sigmoid":
        log_score = -softplus(-logits)
        return softmax(log_score), np.exp(log_score)
    score = np.sqrt(softplus(logits))
    total = score.sum(axis=1, keepdims=True)
    shares = np.divide(score, total, out=np.full_like(score, 1 / score.shape[1]), where=total > 0)
    return shares, score


def _looked_up(token_ids, table, num_tokens, num_experts, k):
    """Return (T, k): the experts that a table of token ids names."""
    if token_ids is None or table is None:
        raise ValueError("a layer that looks its experts up needs token_ids (T,) and table (V, k)")
    ids, table = check_vector(token_ids, "token_ids", num_tokens, kind="iu"), as_array(table, "table")
    if table.ndim != 2 or table.dtype.kind not in "iu" or table.shape[1] != k:
        raise ValueError(f"table must hold whole numbers of shape (V, {k}), got {table.dtype} {table.shape}")
    if table.min() < 0 or table.max() >= num_experts:
        raise ValueError(f"table must lie in 0..{num_experts - 1}, got {table.min()} to {table.max()}")
    if ids.min() < 0 or ids.max() >= len(table):
        raise ValueError(f"token_ids must lie in 0..{len(table) - 1}, got {ids.min()} to {ids.max()}")
    return table[ids].astype(np.int64)


def _numbers(value, name, num_experts, neutral, taken, family):
    if value is None:
        return np.full(num_experts, neutral)
    if not taken:
        raise ValueError(f"{family} has no {name}")
    return check_vector(value, name, num_experts).astype(float)

"""Routing: the one record that routers make and that capacity, experts, metrics and plots take."""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from moeviz.arrays import as_array, check_count, check_matrix, check_same_shape
from moeviz.checks import check_kind

EMPTY = -1


class Pairs(NamedTuple):
    """The kept assignments as four vectors of equal length, sorted by expert, then token."""

    token: np.ndarray
    expert: np.ndarray
    weight: np.ndarray | None
    slot: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Routing:
    """Who goes where: the result of a router for T tokens, E experts and up to k choices per token.

    logits: (T, E) what the gate produced, or None where there was no gate (hash, random).
    probs: (T, E) the scores that selection saw, as shares; rows sum to 1. None where only the chosen
    experts are known, as in what a server returns.
    expert_index: (T, k) the chosen experts, best first; EMPTY (-1) pads unused slots.
    combine_weight: (T, k) the weight of that expert in the output; 0 where EMPTY. None where unknown.
    kept: (T, k) bool, False where capacity dropped the choice or the slot is EMPTY.
    label: a name for plot titles.
    num_experts: E; read off probs, and to be said where there are none.

    Arrays are copied, checked and made read-only. EMPTY used as an index would silently pick the
    last expert, so read assignments through `pairs()`, `dispatch()` or `combine()`.
    Raises ValueError naming the field that is wrong.

    >>> Routing(None, [[0.9, 0.1]], [[0]], [[0.9]], [[True]], "one token").dispatch().tolist()
    [[True, False]]
    """

    logits: np.ndarray | None
    probs: np.ndarray | None
    expert_index: np.ndarray
    combine_weight: np.ndarray | None
    kept: np.ndarray
    label: str = "routing"
    num_experts: int | None = None

    def __post_init__(self):
        probs, experts = _check_shares(self.probs, self.num_experts)
        index = _check_index(self.expert_index, None if probs is None else len(probs), experts)
        weight = _check_weight(self.combine_weight, index)
        kept = _check_kept(self.kept, index)
        logits = None if self.logits is None else _check_logits(self.logits, (len(index), experts))
        checked = {"logits": logits, "probs": probs, "expert_index": index,
                   "combine_weight": weight, "kept": kept}
        for name, array in checked.items():
            object.__setattr__(self, name, _frozen_copy(array))
        object.__setattr__(self, "num_experts", experts)
        object.__setattr__(self, "label", _check_label(self.label))

    def relabel(self, label):
        """Return the same routing under another label; it shares the arrays, and nothing is checked again."""
        named = copy.copy(self)
        object.__setattr__(named, "label", _check_label(label))
        return named

    @property
    def num_tokens(self):
        return self.expert_index.shape[0]

    @property
    def shape(self):
        """(T, E)"""
        return self.num_tokens, self.num_experts

    @property
    def k(self):
        """The number of slots per token; routers with a free choice leave some of them EMPTY."""
        return self.expert_index.shape[1]

    def pairs(self):
        """Return the kept assignments as token, expert, weight, slot, sorted by expert, then token."""
        choice, _ = self.kept_by_expert()
        token = choice // self.k
        weight = None if self.combine_weight is None else self.combine_weight.ravel()[choice]
        return Pairs(token, self.expert_index.ravel()[choice], weight, choice - token * self.k)

    def kept_by_expert(self):
        """Return the kept choices (n,) as token * k + slot, sorted by expert, then token; and E loads."""
        # those that are not kept sort last, as an expert E; NumPy sorts whole numbers of one or two bytes
        # by counting, several times faster than long ones, but counts long ones faster
        expert = np.where(self.kept, self.expert_index, self.num_experts).ravel()
        load = np.bincount(expert, minlength=self.num_experts)[:self.num_experts].tolist()
        order = expert.astype(np.min_scalar_type(self.num_experts)).argsort(kind="stable")
        return order[:sum(load)], load

    def chosen(self):
        """Return (T, E) bool: which experts each token chose, dropped choices too."""
        chosen = np.zeros((self.num_tokens, self.num_experts + 1), dtype=bool)
        np.put_along_axis(chosen, self.expert_index, True, axis=1)  # EMPTY writes to the last column
        return chosen[:, :self.num_experts]

    def dispatch(self):
        """Return (T, E) bool: which expert gets which token, dropped choices left out."""
        chosen = np.zeros(self.shape, dtype=bool)
        pairs = self.pairs()
        chosen[pairs.token, pairs.expert] = True
        return chosen

    def combine(self):
        """Return (T, E): the weight of each expert in each token's output, dropped choices left out."""
        weights = np.zeros(self.shape, dtype=check_weights(self).dtype)
        pairs = self.pairs()
        weights[pairs.token, pairs.expert] = pairs.weight
        return weights

    def __repr__(self):
        shown = min(self.num_tokens, 6)
        head = (f"Routing {self.label!r}: {self.num_tokens} tokens, "
                f"{self.num_experts} experts, k = {self.k}")
        rows = [f"  token {token}: {self._describe_row(token)}" for token in range(shown)]
        rest = [f"  ... {self.num_tokens - shown} more"] if shown < self.num_tokens else []
        return "\n".join([head, *rows, *rest])

    def _describe_row(self, token):
        unknown = self.combine_weight is None
        weights = [""] * self.k if unknown else [f" {w:.3f}" for w in self.combine_weight[token]]
        choices = zip(self.expert_index[token], weights, self.kept[token], strict=True)
        words = [f"e{e}{w}{'' if kept else ' dropped'}" for e, w, kept in choices if e != EMPTY]
        return ", ".join(words) or "no expert"


def _check_shares(probs, num_experts):
    """Return probs and E; one of them may be None, and where both are given they agree."""
    if probs is None:
        if num_experts is None:
            raise ValueError("num_experts must be said where probs are None")
        return None, check_count(num_experts, "num_experts")
    probs = check_matrix(probs, "probs")
    if num_experts is not None and num_experts != probs.shape[1]:
        raise ValueError(f"num_experts must be the {probs.shape[1]} columns of probs, got {num_experts!r}")
    if probs.min() < 0:
        raise ValueError(f"probs must be non-negative, got {probs.min():.4g}")
    totals = probs.sum(axis=1)
    if np.abs(totals - 1).max() > 1e-4:
        raise ValueError(f"probs must sum to 1 in each row, got {totals.min():.4g} to {totals.max():.4g}")
    return probs, probs.shape[1]


def _check_weight(value, index):
    if value is None:
        return None
    weight = check_same_shape(value, "combine_weight", index, "expert_index")
    if (weight < 0).any() or (weight[index == EMPTY] != 0).any():
        raise ValueError("combine_weight must be non-negative, and 0 where expert_index is EMPTY (-1)")
    return weight


def _check_logits(value, shape):
    logits = check_matrix(value, "logits")
    if logits.shape != shape:
        raise ValueError(f"logits must have the shape of probs {shape}, got shape {logits.shape}")
    return logits


def _check_label(label):
    if not isinstance(label, str):
        raise ValueError(f"label must be text, got {label!r}")
    return label


def check_routing(value, name="routed"):
    """Return `value` if it is a Routing, or raise a ValueError that says what it is instead."""
    return check_kind(value, name, Routing)


def check_logits(routed):
    """Return the logits (T, E) of a Routing, or raise a ValueError where it has none."""
    if check_routing(routed).logits is None:
        raise ValueError(f"routed must have logits to carry a gradient to, got None in {routed.label!r}")
    return routed.logits


def check_probs(routed):
    """Return the probs (T, E) of a Routing, or raise a ValueError where only the experts are known."""
    if check_routing(routed).probs is None:
        raise ValueError(f"routed must have probs for this, got None in {routed.label!r}: "
                         "only the chosen experts are known")
    return routed.probs


def check_weights(routed):
    """Return the weights (T, k) of a Routing, or raise a ValueError where only the experts are known."""
    if check_routing(routed).combine_weight is None:
        raise ValueError(f"routed must have weights for this, got None in {routed.label!r}: "
                         "only the chosen experts are known")
    return routed.combine_weight


def _check_index(value, num_tokens, num_experts):
    index = as_array(value, "expert_index")
    if index.ndim != 2 or index.size == 0 or num_tokens not in (None, len(index)):
        tokens = "T" if num_tokens is None else num_tokens
        raise ValueError(f"expert_index must have shape ({tokens}, k), got shape {index.shape}")
    if index.dtype.kind not in "iu":
        raise ValueError(f"expert_index must hold whole numbers, got dtype {index.dtype}")
    if index.min() < EMPTY or index.max() >= num_experts:
        wrong = index[(index < EMPTY) | (index >= num_experts)][0]
        raise ValueError(f"expert_index must lie in 0..{num_experts - 1} (or be EMPTY, -1), got {wrong}")
    ordered = np.sort(index, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != EMPTY)
    if twice.any():
        raise ValueError(f"expert_index names an expert twice for token {np.nonzero(twice)[0][0]}")
    return index.astype(np.int64, copy=False)


def _check_kept(value, index):
    kept = as_array(value, "kept")
    if kept.shape != index.shape or kept.dtype != bool:
        raise ValueError(f"kept must be bool of shape {index.shape}, got {kept.dtype} of shape {kept.shape}")
    if (kept & (index == EMPTY)).any():
        raise ValueError("kept must be False where expert_index is EMPTY (-1)")
    return kept


def _frozen_copy(array):
    if array is None:
        return None
    copy = array.copy()
    copy.setflags(write=False)
    return copy

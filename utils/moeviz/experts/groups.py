"""Sorting tokens by expert and back again: what the forward passes and the backward share."""

from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate
from moeviz.experts.bank import check_bank
from moeviz.record import check_routing

BLOCK = 512  # rows that are worked on at a time


class Run(NamedTuple):
    """A few experts next to each other: few enough that what they compute stays near the processor."""

    experts: slice
    rows: slice
    spans: list  # for each of the experts its rows, counted from the first row of the run


class Groups(NamedTuple):
    """The n kept assignments sorted by expert, as rows 0 to n - 1; row n belongs to nobody and is zero."""

    choice: np.ndarray  # (n,) which of the T * k choices it is
    token: np.ndarray  # (n,) whose row it is
    spans: list  # E pairs: expert e has the rows from start to stop
    place: np.ndarray  # (T, k) the row of each choice; n for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice

    def runs(self):
        """Return the experts as Runs of at most BLOCK rows, or of one expert that has more."""
        cuts = [0]
        for expert, (_, stop) in enumerate(self.spans):
            if stop - self.spans[cuts[-1]][0] > BLOCK and expert > cuts[-1]:
                cuts.append(expert)
        return [self._run(first, last) for first, last in pairwise([*cuts, len(self.spans)])]

    def _run(self, first, last):
        base, end = self.spans[first][0], self.spans[last - 1][1]
        spans = [(start - base, stop - base) for start, stop in self.spans[first:last]]
        return Run(slice(first, last), slice(base, end), spans)

    def row_weight(self):
        """Return the weight of each row, (n, 1)."""
        return self.weight.ravel()[self.choice][:, None]


def group_by_expert(routing, dtype):
    """Return the Groups of a routing, with weights of the given dtype.

    >>> from moeviz import Routing
    >>> two = Routing(None, np.ones((2, 2)) / 2, [[1], [0]], np.ones((2, 1)), np.ones((2, 1), bool))
    >>> group_by_expert(two, float).spans
    [(0, 1), (1, 2)]
    """
    choice, load = routing.kept_by_expert()
    place = np.full(routing.kept.size, len(choice))
    place[choice] = np.arange(len(choice))
    spans = list(pairwise(accumulate(load, initial=0)))
    weight = routing.combine_weight.astype(dtype, copy=False)
    return Groups(choice, choice // routing.top_k, spans, place.reshape(routing.kept.shape), weight)


def multiply(rows, matrices, spans, out=None):
    """Return (n, b), in `out` where given: each expert's rows of (n, a) times its own matrix of (E, a, b)."""
    if out is None:
        out = np.empty_like(rows, shape=(len(rows), matrices.shape[2]))
    for matrix, (start, stop) in zip(matrices, spans, strict=True):
        np.matmul(rows[start:stop], matrix, out=out[start:stop])
    return out


def run_experts(rows, bank, run, *, linear, gate, hidden, out):
    """Write what the experts of a run say about their rows (n, D) to out (n, D), which may be rows itself.

    linear, gate, hidden: (n, H), overwritten by rows @ w_in, by rows @ w_gate where there is one, and by
    what w_out multiplies; `hidden` may be the array of `gate`, or without a gate that of `linear`.
    """
    w_in, w_out, w_gate = bank.expert(run.experts)
    multiply(rows, w_in, run.spans, out=linear)
    if w_gate is None:
        activate(linear, bank.activation, out=hidden)
    else:
        activate(multiply(rows, w_gate, run.spans, out=gate), bank.activation, out=hidden)
        hidden *= linear
    multiply(hidden, w_out, run.spans, out=out)


def take_rows(values, groups, out=None):
    """Return the row of values (T, D) for each kept assignment, then the row of zeros: (n + 1, D)."""
    rows = np.empty_like(values, shape=(len(groups.token) + 1, values.shape[1])) if out is None else out
    np.take(values, groups.token, axis=0, out=rows[:-1], mode="clip")  # "raise" would copy once more
    rows[-1] = 0
    return rows


def buffer(workspace, name, shape, dtype):
    """Return an array to write to: a new one, or with a workspace the one that it keeps under this name."""
    kept = None if workspace is None else workspace.get(name)
    if kept is None or kept.shape != shape or kept.dtype != dtype:
        kept = np.empty(shape, dtype)
    if workspace is not None:
        workspace[name] = kept
    return kept


def sum_rows(rows, place, weight=None):
    """Return (T, D): for each token the sum of its rows of (n + 1, D), each times its weight if given.

    place: (T, k) which rows. weight: (T, k) or None. The inverse way of `take_rows`; a block of tokens
    at a time, so that the rows fetched for a slot are still near the processor when they are added.
    """
    total = np.empty_like(rows, shape=(len(place), rows.shape[1]))
    fetched = np.empty_like(rows, shape=(min(BLOCK, len(place)), rows.shape[1]))
    for start in range(0, len(place), BLOCK):
        block = slice(start, start + BLOCK)
        part = total[block]
        for slot in range(place.shape[1]):
            into = fetched[:len(part)] if slot else part
            np.take(rows, place[block, slot], axis=0, out=into, mode="clip")
            if weight is not None:
                into *= weight[block, slot, None]
            if slot:
                part += into
    return total


def check_layer(tokens, bank, routing):
    """Return tokens (T, D) as floats if tokens, bank and routing fit together, or raise ValueError."""
    tokens, bank, routing = check_matrix(tokens, "tokens", "(T, D)"), check_bank(bank), check_routing(routing)
    check_width(tokens, bank.width, "bank")
    if routing.num_experts != bank.num_experts:
        raise ValueError(f"routing has {routing.num_experts} experts, but bank has {bank.num_experts}")
    if routing.num_tokens != len(tokens):
        raise ValueError(f"routing has {routing.num_tokens} tokens, but tokens has {len(tokens)} rows")
    return tokens


def check_width(tokens, width, name):
    """Raise ValueError unless the token vectors are as long as the width D of the weights."""
    if tokens.shape[1] != width:
        raise ValueError(f"tokens must have width {width} to fit {name}, got shape {tokens.shape}")

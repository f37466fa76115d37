"""Sorting tokens by expert and back again: what the forward passes and the backward share."""

from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate
from moeviz.experts.bank import check_bank
from moeviz.record import check_routing

BLOCK = 512  # tokens that are summed up at a time
SPACE = 2**17  # hidden units of a run


class Run(NamedTuple):
    """A few experts next to each other: few enough that what they compute stays near the processor."""

    experts: slice
    rows: slice
    spans: list  # for each of these experts the slice of its rows, counted from the first row of the run


class Groups(NamedTuple):
    """The N kept assignments sorted by expert, a row for each; a row N of zeros is nobody's."""

    runs: list  # Runs that cover the experts in order
    choice: np.ndarray  # (N,) which choice a row is, as token * k + slot
    token: np.ndarray  # (N,) whose it is
    place: np.ndarray  # (T, k) the row of each choice; N for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice

    def longest(self):
        """Return how many rows the longest run has."""
        return max(run.rows.stop - run.rows.start for run in self.runs)


def group_by_expert(routing, hidden, dtype):
    """Return the Groups of a routing to experts with so many hidden units, with weights of the given dtype.

    >>> from moeviz import routing
    >>> group_by_expert(routing.top_k(np.eye(2)[::-1], k=1), 8, float).place.tolist()
    [[1], [0]]
    """
    choice, load = routing.kept_by_expert()
    place = np.empty(routing.kept.shape, int)
    place.fill(len(choice))
    place.ravel()[choice] = np.arange(len(choice))
    weight = routing.combine_weight.astype(dtype, copy=False)
    return Groups(cut_into_runs(load, hidden), choice, choice // routing.top_k, place, weight)


def cut_into_runs(load, hidden):
    """Return the experts as Runs of at most SPACE hidden units, or of one expert that has more.

    >>> [run.spans for run in cut_into_runs([80, 100, 120], 512)]
    [[slice(0, 80, None), slice(80, 180, None)], [slice(0, 120, None)]]
    """
    start, cuts = list(accumulate(load, initial=0)), [0]
    for expert in range(1, len(load)):
        if (start[expert + 1] - start[cuts[-1]]) * hidden > SPACE:
            cuts.append(expert)
    return [Run(slice(first, last), slice(start[first], start[last]), _spans(load[first:last]))
            for first, last in pairwise([*cuts, len(load)])]


def _spans(load):
    return [slice(start, stop) for start, stop in pairwise(accumulate(load, initial=0))]


def multiply(rows, matrices, spans, out=None):
    """Return (n, b), in `out` where given: each span of rows (n, a) times its own matrix of (E, a, b)."""
    if out is None:
        out = np.empty_like(rows, shape=(len(rows), matrices.shape[2]))
    for span, matrix in zip(spans, matrices, strict=True):
        np.matmul(rows[span], matrix, out[span])
    return out


def run_experts(rows, weights, spans, activation, *, linear, gate, hidden, out):
    """Write what the experts of a run say about their rows (n, D) to out (n, D), which may be rows itself.

    linear, gate, hidden: (n, H), overwritten by rows @ w_in, by rows @ w_gate where there is one, and by
    what w_out multiplies; `hidden` may be the array of `gate`, or without a gate that of `linear`.
    """
    w_in, w_out, w_gate = weights
    multiply(rows, w_in, spans, out=linear)
    if w_gate is None:
        activate(linear, activation, out=hidden)
    else:
        activate(multiply(rows, w_gate, spans, out=gate), activation, out=hidden)
        hidden *= linear
    multiply(hidden, w_out, spans, out=out)


def take_rows(values, token, out):
    """Write to out (n, D) the row of values (T, D) of each token (n,)."""
    values.take(token, axis=0, out=out, mode="clip")  # "raise" would copy once more


def buffer(workspace, name, shape, dtype):
    """Return an array to write to: a new one, or with a workspace the one that it keeps under this name."""
    kept = None if workspace is None else workspace.get(name)
    if kept is None or len(kept) < shape[0] or kept.shape[1:] != shape[1:] or kept.dtype != dtype:
        kept = np.empty(shape, dtype)
    if workspace is not None:
        workspace[name] = kept
    return kept[:shape[0]]


def sum_rows(rows, place, weight=None):
    """Return (T, D): for each token the sum of its rows of (N + 1, D), each times its weight if given.

    place: (T, k) which rows. weight: (T, k) or None. The inverse way of `take_rows`; a block of tokens
    at a time, so that the rows fetched for it are still near the processor when they are added.
    """
    total = np.empty((len(place), rows.shape[1]), rows.dtype)
    for start in range(0, len(place), BLOCK):
        block = slice(start, start + BLOCK)
        if weight is None:
            part = rows.take(place[block, 0], axis=0, out=total[block], mode="clip")
            for slot in range(1, place.shape[1]):
                part += rows.take(place[block, slot], axis=0)
        else:
            np.einsum("tkd,tk->td", rows.take(place[block], axis=0), weight[block], out=total[block])
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

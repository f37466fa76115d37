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
CALL = 60_000  # multiply-adds that take as long as calling matmul


class Run(NamedTuple):
    """A few experts next to each other: few enough that what they compute stays near the processor."""

    experts: slice
    rows: slice
    size: list  # how many rows each of the experts has
    even: bool  # equally many


class Groups(NamedTuple):
    """Rows for the kept assignments, expert after expert; the row after the last is zero and nobody's.

    Where all experts get equally many rows, some are spare: they have token 0, weight 0, and no choice.
    """

    runs: list  # Runs that cover the experts in order
    token: np.ndarray  # (N,) whose row it is
    place: np.ndarray  # (T, k) the row of each choice; N for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice

    def row_weight(self):
        """Return the weight of each row, (N, 1)."""
        weight = np.zeros((len(self.token) + 1, 1), self.weight.dtype)
        weight[self.place, 0] = self.weight
        return weight[:-1]


def group_by_expert(routing, bank, dtype, count_seats):
    """Return the Groups of a routing and an ExpertBank, with weights of the given dtype.

    count_seats: takes the bank and the list of E loads, returns how many rows to give every expert, or None
    for no more than it needs.

    >>> from moeviz import experts, routing
    >>> bank = experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> two = routing.top_k(np.eye(2)[::-1], k=1)
    >>> group_by_expert(two, bank, float, lambda bank, load: 3).place.tolist()
    [[3], [0]]
    """
    choice, load = routing.kept_by_expert()
    seats = count_seats(bank, load)
    if seats is None:
        size, row = load, np.arange(len(choice))
    else:
        size, row = [seats] * len(load), np.flatnonzero(np.arange(seats) < np.array(load)[:, None])
    token, place = np.zeros(sum(size), int), np.empty(routing.kept.shape, int)
    place.fill(len(token))
    token[row], place.ravel()[choice] = choice // routing.top_k, row
    runs = cut_into_runs(size, bank.hidden, seats is not None)
    return Groups(runs, token, place, routing.combine_weight.astype(dtype, copy=False))


def cut_into_runs(size, hidden, even):
    """Return the experts as Runs of at most SPACE hidden units, or of one expert that has more.

    >>> [run.rows for run in cut_into_runs([80, 100, 120], 512, even=False)]
    [slice(0, 180, None), slice(180, 300, None)]
    """
    start, cuts = list(accumulate(size, initial=0)), [0]
    for expert in range(1, len(size)):
        if (start[expert + 1] - start[cuts[-1]]) * hidden > SPACE:
            cuts.append(expert)
    return [Run(slice(first, last), slice(start[first], start[last]), size[first:last], even)
            for first, last in pairwise([*cuts, len(size)])]


def seats_for(bank, load):
    """Return the largest load where products are so tiny that it pays to give every expert as many rows.

    Then one call of matmul multiplies them all, which saves more than the spare rows cost. Else None.

    >>> from moeviz import experts
    >>> seats_for(experts.random_bank(2, 4, 8, rng=np.random.default_rng(0)), [3, 5])
    5
    """
    most = max(load)
    spare = most * len(load) - sum(load)
    return most if spare * bank.width * bank.hidden < CALL * len(load) else None


def multiply(rows, matrices, run, out=None):
    """Return (n, b), in `out` where given: each expert's rows of (n, a) times its own matrix of (E, a, b)."""
    if out is None:
        out = np.empty_like(rows, shape=(len(rows), matrices.shape[2]))
    matmul_each(by_expert(rows, run), matrices, by_expert(out, run), run)
    return out


def matmul_each(left, right, out, run):
    """Write left @ right to out for each expert of a run: three arrays with E first, or lists of E arrays."""
    if run.even:
        np.matmul(left, right, out=out)
    else:
        for one, other, into in zip(left, right, out, strict=True):
            np.matmul(one, other, out=into)


def by_expert(rows, run, *, turned=False):
    """Return the rows (n, a) of each expert: views in a list, or for an even run one view in three axes.

    turned: as columns (a, n).
    """
    if run.even:
        parts = rows.reshape(len(run.size), run.size[0], rows.shape[1])
        return parts.swapaxes(1, 2) if turned else parts
    parts = (rows[start:stop] for start, stop in pairwise(accumulate(run.size, initial=0)))
    return [part.T if turned else part for part in parts]


def run_experts(rows, bank, run, *, linear, gate, hidden, out):
    """Write what the experts of a run say about their rows (n, D) to out (n, D), which may be rows itself.

    linear, gate, hidden: (n, H), overwritten by rows @ w_in, by rows @ w_gate where there is one, and by
    what w_out multiplies; `hidden` may be the array of `gate`, or without a gate that of `linear`.
    """
    w_in, w_out, w_gate = bank.expert(run.experts)
    multiply(rows, w_in, run, out=linear)
    if w_gate is None:
        activate(linear, bank.activation, out=hidden)
    else:
        activate(multiply(rows, w_gate, run, out=gate), bank.activation, out=hidden)
        hidden *= linear
    multiply(hidden, w_out, run, out=out)


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

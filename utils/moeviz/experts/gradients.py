"""The expert layer for training: a forward that remembers, and the gradients derived by hand."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, slope
from moeviz.experts.bank import ExpertBank, map_weights
from moeviz.experts.groups import Groups, check_layer, group_by_expert, sum_rows, take_rows
from moeviz.experts.runs import cut_into_runs, multiply, outer


class Memory(NamedTuple):
    """The large arrays of a training step; row n belongs to the n-th of the N `Groups` rows."""

    tokens: np.ndarray  # (N + 1, D)
    linear: np.ndarray  # (N + 1, H) tokens @ w_in; relu has made them hidden units in place
    gate: np.ndarray | None  # (N + 1, H) tokens @ w_gate
    hidden: np.ndarray  # (N + 1, H) what w_out multiplies
    result: np.ndarray  # (N + 1, D) what the expert says, before its weight
    dhidden: np.ndarray  # (N + 1, H) of one run after the other, from row 0
    drows: np.ndarray  # (N + 1, D) the gradient of result, and then of tokens
    dweights: tuple | None  # the gradients of w_in, w_out and w_gate; None: each backward makes its own


class Cache(NamedTuple):
    """What `backward` needs from the forward."""

    bank: ExpertBank
    groups: Groups
    runs: list  # Runs that cover the experts in order
    memory: Memory


class Gradients(NamedTuple):
    """The gradient of a loss with respect to every input of the expert layer."""

    tokens: np.ndarray  # (T, D) through the experts; the router's part comes on top
    w_in: np.ndarray  # (E, D, H)
    w_out: np.ndarray  # (E, H, D)
    w_gate: np.ndarray | None  # (E, D, H)
    combine_weight: np.ndarray  # (T, k); 0 for choices that are not kept


def forward_cached(tokens, bank, routed, *, workspace=None):
    """Return the output (T, D) of the layer and the cache that `backward` takes.

    tokens: (T, D). The same result as `forward_grouped`, with every intermediate kept. The cache holds
    the bank itself: call `backward` before an optimiser changes the bank's arrays. Gradients come in the
    dtype of tokens.
    workspace: a dict of yours that keeps the large arrays for the next call, which overwrites the cache
    and the gradients of this one; fresh memory costs a training step more than the activations do.
    Raises ValueError where tokens, bank and routed do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> output.shape
    (3, 4)
    """
    tokens, bank = check_layer(tokens, bank, routed)
    groups = group_by_expert(routed, tokens.dtype)
    memory = _find_memory(workspace, bank, routed.kept.size + 1)
    memory.result[len(groups.token)] = 0
    cache = Cache(bank, groups, cut_into_runs(groups.spans, bank.hidden), memory)
    for run in cache.runs:
        take_rows(tokens, groups.token[run.rows], memory.tokens[run.rows])
        _run_forward(cache, run)
    return sum_rows(memory.result, groups.place, groups.weight), cache


def _run_forward(cache, run):
    """Fill in what the experts of a run compute from their tokens."""
    w_in, w_out, w_gate = cache.bank.expert(run.experts)
    memory, activation = cache.memory, cache.bank.activation
    tokens, hidden = memory.tokens[run.rows], memory.hidden[run.rows]
    linear = multiply(tokens, w_in, run.spans, out=memory.linear[run.rows])
    if w_gate is None:
        activate(linear, activation, out=hidden)
    else:
        gate = multiply(tokens, w_gate, run.spans, out=memory.gate[run.rows])
        activate(gate, activation, out=hidden)
        hidden *= linear
    multiply(hidden, w_out, run.spans, out=memory.result[run.rows])


def _find_memory(workspace, bank, length):
    """Return the Memory for so many rows that a workspace keeps for such a bank, or make it."""
    if workspace is None:
        return _make_memory(bank, length)
    key = bank.w_in.shape, bank.w_in.dtype, bank.activation, bank.w_gate is None
    kept = workspace.get(key)
    if kept is None or len(kept.tokens) < length:
        kept = workspace[key] = _make_memory(bank, length)._replace(dweights=_make_dweights(bank))
    return kept


def _make_memory(bank, length):
    def make(width):
        return np.empty((length, width), bank.w_in.dtype)

    linear, gate = make(bank.hidden), None if bank.w_gate is None else make(bank.hidden)
    # relu's slope can be told from its result, the others need what went in
    hidden = linear if gate is None and bank.activation == "relu" else make(bank.hidden)
    return Memory(make(bank.width), linear, gate, hidden, make(bank.width), make(bank.hidden),
                  make(bank.width), None)


def _make_dweights(bank):
    return map_weights(np.empty_like, bank.expert(slice(None)))


def backward(cache, doutput):
    """Return the Gradients of a loss whose gradient at the layer's output is doutput (T, D).

    cache: from `forward_cached`. Choices that were not kept reached no output and get gradient 0.
    Raises ValueError unless doutput is finite and has the shape of the output.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> experts.backward(cache, np.ones_like(output)).w_in.shape
    (2, 4, 8)
    """
    groups, memory, doutput = cache.groups, cache.memory, _check_doutput(doutput, cache)
    memory.drows[len(groups.token)] = 0
    dweights = _make_dweights(cache.bank) if memory.dweights is None else memory.dweights
    weight = groups.weight.ravel().take(groups.choice)[:, None]
    dweight, ones = np.empty(len(weight) + 1, weight.dtype), np.ones(cache.bank.width, weight.dtype)
    dweight[-1] = 0
    for run in cache.runs:
        drows = memory.drows[run.rows]
        take_rows(doutput, groups.token[run.rows], drows)
        np.dot(drows * memory.result[run.rows], ones, dweight[run.rows])
        drows *= weight[run.rows]
        _run_backward(cache, run, drows, dweights)
    return Gradients(sum_rows(memory.drows, groups.place), *dweights, dweight.take(groups.place))


def _run_backward(cache, run, drows, dweights):
    """Turn drows (n, D), the gradient of what the experts of a run said, into that of their tokens."""
    memory, activation = cache.memory, cache.bank.activation
    (w_in, w_out, w_gate), (dw_in, dw_out, dw_gate) = cache.bank.expert(run.experts), dweights
    tokens, linear = memory.tokens[run.rows], memory.linear[run.rows]
    outer(memory.hidden[run.rows], drows, run.spans, out=dw_out[run.experts])
    dhidden = multiply(drows, w_out.swapaxes(1, 2), run.spans, out=memory.dhidden[:len(drows)])
    if w_gate is None:
        dhidden *= slope(linear, activation)
    else:
        gate = memory.gate[run.rows]
        dgate = dhidden * linear
        dgate *= slope(gate, activation)
        dhidden *= activate(gate, activation)
    outer(tokens, dhidden, run.spans, out=dw_in[run.experts])
    multiply(dhidden, w_in.swapaxes(1, 2), run.spans, out=drows)
    if w_gate is not None:
        outer(tokens, dgate, run.spans, out=dw_gate[run.experts])
        drows += multiply(dgate, w_gate.swapaxes(1, 2), run.spans, out=np.empty_like(drows))


def _check_doutput(doutput, cache):
    shape = cache.groups.place.shape[0], cache.bank.width
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got shape {doutput.shape}")
    return doutput.astype(cache.memory.tokens.dtype, copy=False)

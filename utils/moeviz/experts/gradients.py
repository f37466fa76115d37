"""The expert layer for training: a forward that remembers, and the gradients derived by hand."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, slope
from moeviz.experts.bank import ExpertBank
from moeviz.experts.groups import (
    BLOCK,
    Groups,
    buffer,
    check_layer,
    group_by_expert,
    multiply,
    run_experts,
    sum_rows,
    take_rows,
)


class Cache(NamedTuple):
    """What `backward` needs from the forward; the n + 1 rows are those of `Groups`."""

    bank: ExpertBank
    groups: Groups
    tokens: np.ndarray  # (n + 1, D)
    linear: np.ndarray  # (n + 1, H) tokens @ w_in; relu has made them hidden units in place
    gate: np.ndarray | None  # (n + 1, H) tokens @ w_gate
    hidden: np.ndarray  # (n + 1, H) what w_out multiplies
    result: np.ndarray  # (n + 1, D) what the expert says, before its weight
    workspace: dict | None  # name to array


class Gradients(NamedTuple):
    """The gradient of a loss with respect to every input of the expert layer."""

    tokens: np.ndarray  # (T, D) through the experts; the router's part comes on top
    w_in: np.ndarray  # (E, D, H)
    w_out: np.ndarray  # (E, H, D)
    w_gate: np.ndarray | None  # (E, D, H)
    combine_weight: np.ndarray  # (T, k); 0 for choices that are not kept


def forward_cached(tokens, bank, routing, *, workspace=None):
    """Return the output (T, D) of the layer and the cache that `backward` takes.

    tokens: (T, D). The same result as `forward_grouped`, with every intermediate kept. The cache holds
    the bank itself: call `backward` before an optimiser changes the bank's arrays.
    workspace: a dict of yours that keeps the large arrays for the next call, which overwrites the cache
    and the gradients of this one; fresh memory costs a training step more than the activations do.
    Raises ValueError where tokens, bank and routing do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> output.shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    groups = group_by_expert(routing, tokens.dtype)
    cache = _make_cache(tokens, bank, groups, workspace)
    for run in groups.runs():
        gate = None if cache.gate is None else cache.gate[run.rows]
        run_experts(cache.tokens[run.rows], bank, run, linear=cache.linear[run.rows], gate=gate,
                    hidden=cache.hidden[run.rows], out=cache.result[run.rows])
    return sum_rows(cache.result, groups.place, groups.weight), cache


def _make_cache(tokens, bank, groups, workspace):
    """Return the Cache with the tokens in place and everything else still to be written."""
    def make(name, width):
        return buffer(workspace, name, (len(groups.token) + 1, width), tokens.dtype)

    rows, linear, result = make("tokens", bank.width), make("linear", bank.hidden), make("result", bank.width)
    gate = None if bank.w_gate is None else make("gate", bank.hidden)
    # relu's slope can be told from its result, the others need what went in
    in_place = gate is None and bank.activation == "relu"
    hidden = linear if in_place else make("hidden", bank.hidden)
    result[-1] = 0
    return Cache(bank, groups, take_rows(tokens, groups, rows), linear, gate, hidden, result, workspace)


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
    bank, groups = cache.bank, cache.groups
    drows = buffer(cache.workspace, "drows", cache.tokens.shape, cache.tokens.dtype)
    take_rows(_check_doutput(doutput, cache), groups, drows)
    dweight = np.einsum("nd,nd->n", drows, cache.result)[groups.place]
    drows[:-1] *= groups.row_weight()
    gradients = {name: buffer(cache.workspace, f"d{name}", matrices.shape, matrices.dtype)
                 for name in ("w_in", "w_out", "w_gate") if (matrices := getattr(bank, name)) is not None}
    for run in groups.runs():
        _run_backward(cache, run, drows[run.rows], gradients)
    return Gradients(sum_rows(drows, groups.place), gradients["w_in"], gradients["w_out"],
                     gradients.get("w_gate"), dweight)


def _run_backward(cache, run, drows, gradients):
    """Turn drows (n, D), the gradient of what the experts of a run said, into that of their tokens."""
    w_in, w_out, w_gate = cache.bank.expert(run.experts)
    tokens, hidden = cache.tokens[run.rows], cache.hidden[run.rows]
    _outer(hidden, drows, run.spans, out=gradients["w_out"][run.experts])
    dhidden = _multiply_back(cache, drows, w_out, run)
    if w_gate is None:
        dhidden *= slope(cache.linear[run.rows], cache.bank.activation)
    else:
        gate = cache.gate[run.rows]
        dgate = dhidden * cache.linear[run.rows]
        dgate *= slope(gate, cache.bank.activation)
        dhidden *= activate(gate, cache.bank.activation)
    _outer(tokens, dhidden, run.spans, out=gradients["w_in"][run.experts])
    multiply(dhidden, w_in.swapaxes(1, 2), run.spans, out=drows)
    if w_gate is not None:
        _outer(tokens, dgate, run.spans, out=gradients["w_gate"][run.experts])
        drows += multiply(dgate, w_gate.swapaxes(1, 2), run.spans)


def _multiply_back(cache, drows, matrices, run):
    """Return the gradient (n, a) of rows whose products with matrices (E, a, b) have the gradient drows."""
    blocks = -(-len(drows) // BLOCK)  # in whole blocks, so that the next run finds its buffer large enough
    shape = max(blocks, 1) * BLOCK, matrices.shape[1]
    space = buffer(cache.workspace, "dhidden", shape, drows.dtype)
    return multiply(drows, matrices.swapaxes(1, 2), run.spans, out=space[:len(drows)])


def _outer(rows, drows, spans, out):
    """Write to out (E, a, b) the gradient of weights that took rows (n, a) to rows with gradient (n, b)."""
    for matrix, (start, stop) in zip(out, spans, strict=True):
        np.matmul(rows[start:stop].T, drows[start:stop], out=matrix)


def _check_doutput(doutput, cache):
    shape = cache.groups.place.shape[0], cache.bank.width
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got shape {doutput.shape}")
    return doutput.astype(cache.tokens.dtype, copy=False)

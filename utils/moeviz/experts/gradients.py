"""The expert layer for training: a forward that remembers, and the gradients derived by hand."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, slope
from moeviz.experts.bank import ExpertBank
from moeviz.experts.groups import (
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
    """What `backward` needs from the forward; the N rows are those of `Groups`."""

    bank: ExpertBank
    groups: Groups
    tokens: np.ndarray  # (N, D)
    linear: np.ndarray  # (N, H) tokens @ w_in; relu has made them hidden units in place
    gate: np.ndarray | None  # (N, H) tokens @ w_gate
    hidden: np.ndarray  # (N, H) what w_out multiplies
    result: np.ndarray  # (N + 1, D) what the expert says, before its weight
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
    groups = group_by_expert(routing, bank.hidden, tokens.dtype)
    cache = _make_cache(bank, groups, tokens.dtype, workspace)
    for run in groups.runs:
        take_rows(tokens, groups.token[run.rows], cache.tokens[run.rows])
        gate = None if cache.gate is None else cache.gate[run.rows]
        run_experts(cache.tokens[run.rows], bank.expert(run.experts), run.spans, bank.activation, gate=gate,
                    linear=cache.linear[run.rows], hidden=cache.hidden[run.rows], out=cache.result[run.rows])
    return sum_rows(cache.result, groups.place, groups.weight), cache


def _make_cache(bank, groups, dtype, workspace):
    """Return the Cache with everything still to be written but the row that is nobody's."""
    def make(name, width, spare=0):
        return buffer(workspace, name, (len(groups.token) + spare, width), dtype)

    tokens, linear = make("tokens", bank.width), make("linear", bank.hidden)
    result = make("result", bank.width, spare=1)
    gate = None if bank.w_gate is None else make("gate", bank.hidden)
    # relu's slope can be told from its result, the others need what went in
    in_place = gate is None and bank.activation == "relu"
    hidden = linear if in_place else make("hidden", bank.hidden)
    result[-1] = 0
    return Cache(bank, groups, tokens, linear, gate, hidden, result, workspace)


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
    bank, groups, doutput = cache.bank, cache.groups, _check_doutput(doutput, cache)
    drows = buffer(cache.workspace, "drows", cache.result.shape, doutput.dtype)
    drows[-1] = 0
    weight = groups.weight.ravel()[groups.choice, None]
    dweight = np.empty_like(weight, shape=len(weight))
    gradients = {name: buffer(cache.workspace, f"d{name}", matrices.shape, matrices.dtype)
                 for name in ("w_in", "w_out", "w_gate") if (matrices := getattr(bank, name)) is not None}
    for run in groups.runs:
        part = drows[run.rows]  # holds the gradient of what the experts said, and then of their tokens
        take_rows(doutput, groups.token[run.rows], part)
        np.einsum("nd,nd->n", part, cache.result[run.rows], out=dweight[run.rows])
        part *= weight[run.rows]
        _run_backward(cache, run, part, gradients)
    dcombine = np.zeros_like(groups.weight)
    dcombine.ravel()[groups.choice] = dweight
    return Gradients(sum_rows(drows, groups.place), gradients["w_in"], gradients["w_out"],
                     gradients.get("w_gate"), dcombine)


def _run_backward(cache, run, drows, gradients):
    """Turn drows (n, D), the gradient of what the experts of a run said, into that of their tokens."""
    w_in, w_out, w_gate = cache.bank.expert(run.experts)
    tokens, hidden = cache.tokens[run.rows], cache.hidden[run.rows]
    _outer(hidden, drows, run.spans, out=gradients["w_out"][run.experts])
    dhidden = buffer(cache.workspace, "dhidden", hidden.shape, hidden.dtype)
    multiply(drows, w_out.swapaxes(1, 2), run.spans, out=dhidden)
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


def _outer(rows, drows, spans, out):
    """Write to out (E, a, b) the gradient of weights that took rows (n, a) to rows with gradient (n, b)."""
    for span, matrix in zip(spans, out, strict=True):
        np.matmul(rows[span].T, drows[span], matrix)


def _check_doutput(doutput, cache):
    shape = cache.groups.place.shape[0], cache.bank.width
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got shape {doutput.shape}")
    return doutput.astype(cache.tokens.dtype, copy=False)

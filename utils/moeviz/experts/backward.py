"""The expert layer for training: a forward that remembers, and the gradients derived by hand."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, slope
from moeviz.experts.bank import ExpertBank
from moeviz.experts.groups import Groups, check_layer, group_by_expert
from moeviz.record import Routing


class Cache(NamedTuple):
    """What the backward needs from the forward; the n rows are the kept assignments by expert."""

    bank: ExpertBank
    routing: Routing
    groups: Groups
    tokens: np.ndarray  # (n, D)
    linear: np.ndarray  # (n, H) tokens @ w_in
    gate: np.ndarray | None  # (n, H) tokens @ w_gate
    hidden: np.ndarray  # (n, H) what w_out multiplies
    result: np.ndarray  # (n, D) what the expert said, before its weight


class Gradients(NamedTuple):
    """The gradient of a loss with respect to every input of the expert layer."""

    tokens: np.ndarray  # (T, D) through the experts only, not through the router
    w_in: np.ndarray  # (E, D, H)
    w_out: np.ndarray  # (E, H, D)
    w_gate: np.ndarray | None  # (E, D, H)
    combine_weight: np.ndarray  # (T, k); 0 for choices that are not kept


def forward_cached(tokens, bank, routing):
    """Return the output (T, D) of the layer and the cache that `backward` takes.

    tokens: (T, D). Same result as `forward_grouped`, but every intermediate of the n kept assignments
    is kept. Call `backward` before the bank's arrays are updated: the cache holds the bank itself.
    Raises ValueError where tokens, bank and routing do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> output.shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    groups = group_by_expert(routing, tokens.dtype)
    rows = tokens[groups.token]
    linear = _multiply(rows, bank.w_in, groups.spans)
    gate = None if bank.w_gate is None else _multiply(rows, bank.w_gate, groups.spans)
    hidden = activate((linear if gate is None else gate).copy(), bank.activation)
    if gate is not None:
        hidden *= linear
    result = _multiply(hidden, bank.w_out, groups.spans)
    output = _sum_rows(result * groups.weight, groups, routing.kept.shape)
    return output, Cache(bank, routing, groups, rows, linear, gate, hidden, result)


def backward(cache, doutput):
    """Return the Gradients of a loss whose gradient at the layer's output is doutput (T, D).

    cache: from `forward_cached`. The chain rule, one matrix product at a time.
    Raises ValueError unless doutput is finite and has the shape of the output.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> experts.backward(cache, np.ones_like(output)).w_in.shape
    (2, 4, 8)
    """
    bank, groups = cache.bank, cache.groups
    drows = _check_doutput(doutput, (cache.routing.num_tokens, bank.width))[groups.token]
    dweight = _per_choice(np.einsum("nd,nd->n", drows, cache.result), cache)
    drows *= groups.weight
    dw_out = _outer(cache.hidden, drows, bank.w_out, groups.spans)
    dlinear, dgate = _hidden_backward(cache, _multiply(drows, bank.w_out.swapaxes(1, 2), groups.spans))
    dw_in = _outer(cache.tokens, dlinear, bank.w_in, groups.spans)
    dtokens = _multiply(dlinear, bank.w_in.swapaxes(1, 2), groups.spans)
    dw_gate = None
    if dgate is not None:
        dw_gate = _outer(cache.tokens, dgate, bank.w_gate, groups.spans)
        dtokens += _multiply(dgate, bank.w_gate.swapaxes(1, 2), groups.spans)
    return Gradients(_sum_rows(dtokens, groups, cache.routing.kept.shape), dw_in, dw_out, dw_gate, dweight)


def _check_doutput(doutput, shape):
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got {doutput.shape}")
    return doutput


def _hidden_backward(cache, dhidden):
    """Return the gradients (n, H) of tokens @ w_in and, in gated experts, of tokens @ w_gate."""
    activation = cache.bank.activation
    if cache.gate is None:
        dhidden *= slope(cache.linear, activation)
        return dhidden, None
    dgate = dhidden * cache.linear
    dgate *= slope(cache.gate, activation)
    dhidden *= activate(cache.gate.copy(), activation)
    return dhidden, dgate


def _multiply(rows, weights, spans):
    """Return (n, b): each expert's rows of (n, a) times its own matrix of weights (E, a, b)."""
    product = np.empty((len(rows), weights.shape[2]), dtype=rows.dtype)
    for matrix, (start, stop) in zip(weights, spans, strict=True):
        np.matmul(rows[start:stop], matrix, out=product[start:stop])
    return product


def _outer(rows, drows, like, spans):
    """Return the gradient (E, a, b) of weights that took rows (n, a) to where drows (n, b) is known."""
    gradient = np.empty_like(like)
    for matrix, (start, stop) in zip(gradient, spans, strict=True):
        np.matmul(rows[start:stop].T, drows[start:stop], out=matrix)
    return gradient


def _sum_rows(rows, groups, shape):
    """Return (T, D): for each token the sum of its rows of (n, D); a token without any gets zeros."""
    num_tokens, top_k = shape
    place = np.full((top_k, num_tokens), len(rows))
    place[groups.slot, groups.token] = np.arange(len(rows))
    padded = np.concatenate([rows, np.zeros_like(rows, shape=(1, rows.shape[1]))])
    total = padded[place[0]]
    for places in place[1:]:
        total += padded[places]
    return total


def _per_choice(values, cache):
    choices = np.zeros(cache.routing.kept.shape, dtype=values.dtype)
    choices[cache.groups.token, cache.groups.slot] = values
    return choices

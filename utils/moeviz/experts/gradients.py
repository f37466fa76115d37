"""The expert layer for training: a forward that remembers, and the gradients derived by hand."""

from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, slope
from moeviz.experts.bank import ExpertBank
from moeviz.experts.groups import Groups, check_layer, group_by_expert, sum_rows, take_rows


class Cache(NamedTuple):
    """What `backward` needs from the forward; the n + 1 rows are those of `Groups`."""

    bank: ExpertBank
    groups: Groups
    tokens: np.ndarray  # (n + 1, D)
    linear: np.ndarray  # (n + 1, H) tokens @ w_in
    gate: np.ndarray | None  # (n + 1, H) tokens @ w_gate
    hidden: np.ndarray  # (n + 1, H) what w_out multiplies
    result: np.ndarray  # (n + 1, D) what the expert says, before its weight


class Gradients(NamedTuple):
    """The gradient of a loss with respect to every input of the expert layer."""

    tokens: np.ndarray  # (T, D) through the experts; the router's part comes on top
    w_in: np.ndarray  # (E, D, H)
    w_out: np.ndarray  # (E, H, D)
    w_gate: np.ndarray | None  # (E, D, H)
    combine_weight: np.ndarray  # (T, k); 0 for choices that are not kept


def forward_cached(tokens, bank, routing):
    """Return the output (T, D) of the layer and the cache that `backward` takes.

    tokens: (T, D). The same result as `forward_grouped`, with every intermediate kept. The cache holds
    the bank itself: call `backward` before an optimiser changes the bank's arrays.
    Raises ValueError where tokens, bank and routing do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> output.shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    groups = group_by_expert(routing, tokens.dtype)
    rows = take_rows(tokens, groups)
    linear, gate = _multiply(rows, bank.w_in, groups), None
    if bank.w_gate is None:
        hidden = activate(linear, bank.activation)
    else:
        gate = _multiply(rows, bank.w_gate, groups)
        hidden = activate(gate, bank.activation) * linear
    result = _multiply(hidden, bank.w_out, groups)
    output = sum_rows(result, groups.place, groups.weight)
    return output, Cache(bank, groups, rows, linear, gate, hidden, result)


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
    drows = take_rows(_check_doutput(doutput, cache), groups)
    dweight = np.einsum("nd,nd->n", drows, cache.result)[groups.place]
    drows[:-1] *= groups.weight[groups.token, groups.slot, None]
    dw_out = _outer(cache.hidden, drows, bank.w_out, groups)
    dlinear, dgate = _hidden_backward(cache, _multiply(drows, bank.w_out.swapaxes(1, 2), groups))
    dw_in = _outer(cache.tokens, dlinear, bank.w_in, groups)
    dtokens, dw_gate = _multiply(dlinear, bank.w_in.swapaxes(1, 2), groups), None
    if dgate is not None:
        dw_gate = _outer(cache.tokens, dgate, bank.w_gate, groups)
        dtokens += _multiply(dgate, bank.w_gate.swapaxes(1, 2), groups)
    return Gradients(sum_rows(dtokens, groups.place), dw_in, dw_out, dw_gate, dweight)


def _hidden_backward(cache, dhidden):
    """Turn dhidden (n + 1, H) into the gradients of tokens @ w_in and, for a gated bank, tokens @ w_gate."""
    activation = cache.bank.activation
    if cache.gate is None:
        dhidden *= slope(cache.linear, activation)
        return dhidden, None
    dgate = dhidden * cache.linear
    dgate *= slope(cache.gate, activation)
    dhidden *= activate(cache.gate, activation)
    return dhidden, dgate


def _multiply(rows, weights, groups):
    """Return (n + 1, b): each expert's rows of (n + 1, a) times its own matrix of (E, a, b)."""
    product = np.empty_like(rows, shape=(len(rows), weights.shape[2]))
    product[-1] = 0
    for matrix, (start, stop) in zip(weights, groups.spans, strict=True):
        np.matmul(rows[start:stop], matrix, out=product[start:stop])
    return product


def _outer(rows, drows, weights, groups):
    """Return the gradient (E, a, b) of weights that took rows (n + 1, a) to rows with gradient (n + 1, b)."""
    gradient = np.empty_like(weights)
    for matrix, (start, stop) in zip(gradient, groups.spans, strict=True):
        np.matmul(rows[start:stop].T, drows[start:stop], out=matrix)
    return gradient


def _check_doutput(doutput, cache):
    shape = cache.groups.place.shape[0], cache.bank.width
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got shape {doutput.shape}")
    return doutput.astype(cache.tokens.dtype, copy=False)

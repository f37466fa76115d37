"""Forward passes that leave nobody out: a dense layer, and every expert on every token."""

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, check_activation
from moeviz.experts.bank import check_bank, check_dense, map_weights
from moeviz.experts.groups import check_width

BLOCK = 512  # tokens that share one buffer of hidden units, so that it stays near the processor


def run_network(rows, weights, activation, *, out=None, scratch=(None, None)):
    """Return hidden @ w_out, where hidden is activation(rows @ w_in), or of the gated form (see ExpertBank).

    rows: (n, D) or (D,). weights: (w_in, w_out, w_gate or None). out: (n, D), may be rows itself.
    scratch: two buffers (n, H) for the hidden units and the gate.
    np.dot makes the same product as np.matmul, and begins half a microsecond sooner.

    >>> run_network(np.ones((1, 2)), (np.ones((2, 3)), np.ones((3, 2)), None), "relu").tolist()
    [[6.0, 6.0]]
    """
    w_in, w_out, w_gate = weights
    hidden = np.dot(rows, w_in, scratch[0])
    if w_gate is None:
        activate(hidden, activation, out=hidden)
    else:
        gate = np.dot(rows, w_gate, scratch[1])
        hidden *= activate(gate, activation, out=gate)
    return np.dot(hidden, w_out, out)


def make_scratch(length, weights, dtype):
    """Return the buffers (1 or 2, length, H) that `run_network` overwrites: hidden units, gate if any.

    >>> make_scratch(3, (np.ones((4, 8)), np.ones((8, 4)), None), np.float32).shape
    (1, 3, 8)
    """
    w_in, _, w_gate = weights
    return np.empty((1 if w_gate is None else 2, length, w_in.shape[1]), dtype=dtype)


def dense_forward(tokens, w_in, w_out, w_gate=None, activation="relu"):
    """Return activation(tokens @ w_in) @ w_out, the feed-forward layer that an expert layer replaces.

    tokens: (T, D). w_in: (D, H). w_out: (H, D). w_gate: (D, H) or None, for the gated form.
    Returns (T, D) in the dtype of tokens. Raises ValueError for shapes that do not fit.

    >>> dense_forward(np.ones((1, 2)), np.ones((2, 3)), np.ones((3, 2))).tolist()
    [[6.0, 6.0]]
    """
    tokens = check_matrix(tokens, "tokens", "(T, D)")
    check_activation(activation)
    weights = check_dense(w_in, w_out, w_gate)
    check_width(tokens, len(w_in), "w_in")
    weights = map_weights(lambda array: array.astype(tokens.dtype, copy=False), weights)
    output = np.empty_like(tokens)
    scratch = make_scratch(min(BLOCK, len(tokens)), weights, tokens.dtype)
    for start in range(0, len(tokens), BLOCK):
        rows, out = tokens[start:start + BLOCK], output[start:start + BLOCK]
        run_network(rows, weights, activation, out=out, scratch=scratch[:, :len(rows)])
    return output


def forward_all(tokens, bank, weights):
    """Return sum_e weights[t, e] * expert_e(x_t), (T, D): every expert on every token, the reference.

    tokens: (T, D). weights: (T, E), such as `routing.combine()`; a weight of 0 leaves an expert out of
    the sum, but its products are computed all the same. Raises ValueError for shapes that do not fit.

    >>> from moeviz import experts
    >>> bank = experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_all(np.ones((3, 4)), bank, np.full((3, 2), 0.5)).shape
    (3, 4)
    """
    tokens, weights = check_matrix(tokens, "tokens", "(T, D)"), check_matrix(weights, "weights")
    check_width(tokens, check_bank(bank).width, "bank")
    if weights.shape != (len(tokens), bank.num_experts):
        raise ValueError(f"weights must have shape ({len(tokens)}, {bank.num_experts}), got {weights.shape}")
    output = np.zeros_like(tokens)
    for expert in range(bank.num_experts):
        output += weights[:, expert, None] * run_network(tokens, bank.expert(expert), bank.activation)
    return output

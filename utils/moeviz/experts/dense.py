"""Forward passes that leave nobody out: a dense layer, and every expert on every token."""

import numpy as np

from moeviz.arrays import check_matrix
from moeviz.experts.activation import activate, check_activation
from moeviz.experts.bank import check_bank, check_dense
from moeviz.experts.groups import check_width


def run_expert(rows, bank, expert):
    """Return what one expert says about rows (n, D): (n, D); expert=slice(None) runs all on (E, n, D).

    >>> from moeviz import experts
    >>> run_expert(np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0)), 1).shape
    (3, 4)
    """
    gate = None if bank.w_gate is None else bank.w_gate[expert]
    return run_network(rows, bank.w_in[expert], bank.w_out[expert], gate, bank.activation)


def run_network(rows, w_in, w_out, w_gate, activation):
    """Return activation(rows @ w_in) @ w_out, or the gated form, in the dtype of rows.

    >>> run_network(np.ones((1, 2)), np.ones((2, 3)), np.ones((3, 2)), None, "relu").tolist()
    [[6.0, 6.0]]
    """
    hidden = _project(rows, w_in)
    if w_gate is None:
        activate(hidden, activation)
    else:
        hidden *= activate(_project(rows, w_gate), activation)
    return _project(hidden, w_out)


def dense_forward(tokens, w_in, w_out, w_gate=None, activation="relu"):
    """Return activation(tokens @ w_in) @ w_out, the feed-forward layer that an expert layer replaces.

    tokens: (T, D). w_in: (D, H). w_out: (H, D). w_gate: (D, H) or None, for the gated form.
    Returns (T, D) in the dtype of tokens. Raises ValueError for shapes that do not fit.

    >>> dense_forward(np.ones((1, 2)), np.ones((2, 3)), np.ones((3, 2))).tolist()
    [[6.0, 6.0]]
    """
    tokens = check_matrix(tokens, "tokens", "(T, D)")
    check_activation(activation)
    check_dense(w_in, w_out, w_gate)
    check_width(tokens, len(w_in), "w_in")
    return run_network(tokens, w_in, w_out, w_gate, activation)


def forward_all(tokens, bank, weights):
    """Return sum_e weights[t, e] * expert_e(x_t), (T, D): every expert on every token, the reference.

    tokens: (T, D). weights: (T, E), such as `routing.combine()`; 0 leaves an expert out of the sum,
    but not out of the bill. Raises ValueError where the inputs do not fit together.

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
        output += weights[:, expert, None].astype(tokens.dtype) * run_expert(tokens, bank, expert)
    return output


def _project(rows, matrix):
    product = np.empty_like(rows, shape=(*rows.shape[:-1], matrix.shape[-1]))
    return np.matmul(rows, matrix, out=product)

"""ExpertBank: the weights of E feed-forward experts of equal size, and two ways to make one."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from moeviz.arrays import check_count, check_matrix, check_rng
from moeviz.checks import check_kind
from moeviz.experts.activation import ACTIVATIONS, check_activation

__all__ = ["ACTIVATIONS", "ExpertBank", "check_bank", "random_bank", "split_dense"]


@dataclass(frozen=True, eq=False)
class ExpertBank:
    """The weights of E experts; expert e maps a token x (D,) to activation(x @ w_in[e]) @ w_out[e].

    w_in: (E, D, H). w_out: (E, H, D). w_gate: (E, D, H) or None. With w_gate the expert is gated
    (SwiGLU with "silu"): (activation(x @ w_gate[e]) * (x @ w_in[e])) @ w_out[e] (Shazeer 2020).
    activation: "relu", "gelu" (tanh form) or "silu".

    The arrays are not copied and stay writeable: an optimiser updates them in place.
    Raises ValueError naming the field that is wrong.

    >>> ExpertBank(np.ones((8, 4, 16)), np.ones((8, 16, 4))).hidden
    16
    """

    w_in: np.ndarray
    w_out: np.ndarray
    w_gate: np.ndarray | None = None
    activation: str = "relu"

    def __post_init__(self):
        check_activation(self.activation)
        experts, width, hidden = _check_weights(self.w_in, "w_in", "(E, D, H)").shape
        _check_weights(self.w_out, "w_out", "(E, H, D)", (experts, hidden, width))
        if self.w_gate is not None:
            _check_weights(self.w_gate, "w_gate", "(E, D, H)", (experts, width, hidden))

    @property
    def num_experts(self):
        return self.w_in.shape[0]

    @property
    def width(self):
        """The model width D: the length of a token vector."""
        return self.w_in.shape[1]

    @property
    def hidden(self):
        """The hidden width H of each expert."""
        return self.w_in.shape[2]

    def expert(self, index):
        """Return (w_in, w_out, w_gate or None) of one expert; `slice(None)` for all of them at once."""
        w_gate = None if self.w_gate is None else self.w_gate[index]
        return self.w_in[index], self.w_out[index], w_gate


def random_bank(num_experts, width, hidden, *, rng, gated=False, activation="relu", dtype=np.float64):
    """Draw an ExpertBank with normal weights of standard deviation 1 / sqrt(rows that feed each unit).

    gated: with a w_gate. dtype: float32 or float64.
    Raises ValueError for counts below 1, an unknown activation or dtype, or an rng that is no Generator.

    >>> random_bank(8, 4, 16, rng=np.random.default_rng(0)).w_out.shape
    (8, 16, 4)
    """
    num_experts, width = check_count(num_experts, "num_experts"), check_count(width, "width")
    hidden, rng = check_count(hidden, "hidden"), check_rng(rng)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    draw = partial(_draw, rng, dtype)
    w_in, w_out = draw(num_experts, width, hidden), draw(num_experts, hidden, width)
    return ExpertBank(w_in, w_out, draw(num_experts, width, hidden) if gated else None, activation)


def split_dense(w_in, w_out, num_experts, *, w_gate=None, activation="relu"):
    """Cut a dense layer into an ExpertBank: expert e owns the e-th block of the hidden units.

    w_in: (D, H). w_out: (H, D). w_gate: (D, H) or None. The pieces have H / num_experts hidden units
    and sum to the dense layer: all experts at weight 1 give `dense_forward` (MoEfication, Zhang 2022).
    Raises ValueError for shapes that do not fit or an H that num_experts does not divide.

    >>> split_dense(np.ones((4, 16)), np.ones((16, 4)), 8).w_in.shape
    (8, 4, 2)
    """
    w_in, w_out, w_gate = check_dense(w_in, w_out, w_gate)
    width, hidden = w_in.shape
    check_count(num_experts, "num_experts", high=hidden)
    if hidden % num_experts:
        raise ValueError(f"num_experts must divide the {hidden} hidden units, got {num_experts}")
    w_gate = None if w_gate is None else _cut_columns(w_gate, num_experts)
    w_out = w_out.reshape(num_experts, hidden // num_experts, width).copy()
    return ExpertBank(_cut_columns(w_in, num_experts), w_out, w_gate, activation)


def check_dense(w_in, w_out, w_gate):
    """Return w_in (D, H), w_out (H, D) and w_gate (D, H) or None if they fit together, or raise ValueError.

    >>> check_dense(np.ones((2, 3)), np.ones((2, 3)), None)
    Traceback (most recent call last):
    ValueError: w_out must have shape (3, 2), got shape (2, 3)
    """
    w_in, w_out = check_matrix(w_in, "w_in", "(D, H)"), check_matrix(w_out, "w_out", "(H, D)")
    w_gate = None if w_gate is None else check_matrix(w_gate, "w_gate", "(D, H)")
    wanted = {"w_out": (w_out, w_in.shape[::-1]), "w_gate": (w_gate, w_in.shape)}
    for name, (matrix, shape) in wanted.items():
        if matrix is not None and matrix.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got shape {matrix.shape}")
    return w_in, w_out, w_gate


def check_bank(value, name="bank"):
    """Return `value` if it is an ExpertBank, or raise ValueError."""
    return check_kind(value, name, ExpertBank)


def bank_as(bank, dtype):
    """Return the bank with all weights of one dtype: itself where they are.

    >>> bank_as(ExpertBank(np.ones((8, 4, 16)), np.ones((8, 16, 4))), np.float32).w_in.dtype
    dtype('float32')
    """
    w_in, w_out, w_gate = weights = bank.w_in, bank.w_out, bank.w_gate
    if w_in.dtype == w_out.dtype == dtype and (w_gate is None or w_gate.dtype == dtype):
        return bank
    return ExpertBank(*map_weights(lambda array: array.astype(dtype), weights), bank.activation)


def map_weights(function, weights):
    """Return function(array) for each of (w_in, w_out, w_gate or None), and None for None.

    >>> map_weights(len, ([1, 2], [3], None))
    (2, 1, None)
    """
    return tuple(None if array is None else function(array) for array in weights)


def _check_weights(array, name, letters, shape=None):
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name} must be a float array of shape {letters}, got {kind}")
    if array.ndim != 3 or array.size == 0 or (shape is not None and array.shape != shape):
        raise ValueError(f"{name} must have shape {shape or letters}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _draw(rng, dtype, num_experts, rows, columns):
    return (rng.standard_normal((num_experts, rows, columns)) / np.sqrt(rows)).astype(dtype)


def _cut_columns(matrix, num_experts):
    blocks = np.reshape(matrix, (len(matrix), num_experts, -1))
    return np.ascontiguousarray(blocks.transpose(1, 0, 2))

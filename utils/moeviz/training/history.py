"""History: what a training run looked like, step by step."""

from dataclasses import dataclass, fields

import numpy as np

from moeviz.arrays import as_array


@dataclass(frozen=True, eq=False, repr=False)
class History:
    """S training steps as arrays, copied and read-only; S may be 0 in a run stopped at once.

    loss: (S,) the task's loss on the step's own tokens, mean squared error.
    balance: (S,) the weighted sum of the balancing losses.
    load: (S, E) share of the choices that went to each expert; rows sum to 1.
    bias: (S, E) the selection bias that the step was routed with.
    router_entropy: (S,) mean entropy of a token's probs, divided by ln E: 0 is certain, 1 is uniform.
    Raises ValueError naming the field that is wrong.

    >>> History([1.0], [0.0], [[0.5, 0.5]], [[0.0, 0.0]], [1.0])
    History: 1 steps, 2 experts, loss 1 at first, 1 at last
    """

    loss: np.ndarray
    balance: np.ndarray
    load: np.ndarray
    bias: np.ndarray
    router_entropy: np.ndarray

    def __post_init__(self):
        for field in fields(self):
            array = as_array(getattr(self, field.name), field.name)
            if array.dtype.kind not in "fiu":
                raise ValueError(f"{field.name} must hold real numbers, got dtype {array.dtype}")
            array = array.astype(float)
            array.setflags(write=False)
            object.__setattr__(self, field.name, array)
        if self.load.ndim != 2:
            raise ValueError(f"load must have shape (S, E), got {self.load.shape}")
        steps, num_experts = self.load.shape
        for name in ("loss", "balance", "bias", "router_entropy"):
            shape = (steps, num_experts) if name == "bias" else (steps,)
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")

    @property
    def num_steps(self):
        return self.load.shape[0]

    @property
    def num_experts(self):
        return self.load.shape[1]

    def __repr__(self):
        size = f"History: {self.num_steps} steps, {self.num_experts} experts"
        if self.num_steps == 0:
            return size
        return f"{size}, loss {self.loss[0]:.4g} at first, {self.loss[-1]:.4g} at last"


def history_of(rows, num_experts):
    """Return the History of steps given as rows (loss, balance, load, bias, router_entropy).

    >>> history_of([], num_experts=8)
    History: 0 steps, 8 experts
    """
    nothing = np.zeros((0, num_experts))
    return History(*zip(*rows, strict=True)) if rows else History([], [], nothing, nothing, [])

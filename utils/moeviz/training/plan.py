"""Plan: everything about a training run but its task and its seed."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from moeviz.arrays import check_count, check_number
from moeviz.checks import check_flag, check_kind, check_several
from moeviz.training.gates import Gate, linear_gate
from moeviz.training.routers import Router


@dataclass(frozen=True, eq=False)
class Plan:
    """How to train one layer of experts; every field is checked.

    router: a Router, or a function (logits, context) -> Routing, which becomes one.
    balance: pairs (weight, loss); see `training.balance`. They are added to the task's loss.
    bias_rule: (bias, load) -> bias, called after each step with (E,) arrays; None leaves the bias at 0.
    For DeepSeek-V3: `partial(losses.bias_update, rate=1e-3)`, with a router that reads the bias.
    gate: from tokens to logits; `linear_gate()` if None. noise: whether to learn a second, noise gate.
    num_experts: E. hidden: H of each expert. steps: S. tokens: T per step. learning_rate: of Adam, after
    warm_up steps and until the last decay_share of the steps, in which it falls to 0.
    gate_scale: std of the gate's first weights; with noise they start at 0 (Shazeer 2017).
    Raises ValueError naming the field that is wrong.

    >>> Plan(router=lambda logits, context: None, num_experts=0)
    Traceback (most recent call last):
    ValueError: num_experts must be a whole number between 1 and 1024, got 0
    """

    router: Router | Callable
    balance: tuple = ()
    bias_rule: Callable | None = None
    gate: Gate | None = None
    noise: bool = False
    num_experts: int = 8
    hidden: int = 16
    steps: int = 2000
    tokens: int = 512
    learning_rate: float = 3e-3
    warm_up: int = 50
    decay_share: float = 0.3
    gate_scale: float = 0.02

    def __post_init__(self):
        if not (self.bias_rule is None or callable(self.bias_rule)):
            raise ValueError(f"bias_rule must be a function or None, got {self.bias_rule!r}")
        limits = {"num_experts": 1024, "hidden": 4096, "steps": 10**6, "tokens": 10**6, "warm_up": 10**6}
        for name, high in limits.items():
            check_count(getattr(self, name), name, high=high)
        for name in ("learning_rate", "decay_share", "gate_scale"):
            check_number(getattr(self, name), name, low=0.0, high=1.0)
        object.__setattr__(self, "router", _check_router(self.router))
        check_flag(self.noise, "noise")
        gate = linear_gate() if self.gate is None else check_kind(self.gate, "gate", Gate)
        object.__setattr__(self, "gate", gate)
        object.__setattr__(self, "balance", _check_balance(self.balance))


def _check_router(value):
    router = value if isinstance(value, Router) else Router(value)
    if not callable(router.route):
        raise ValueError(f"router must be a Router or a function, got {router.route!r}")
    try:
        inspect.signature(router.route).bind("logits", "context")
    except TypeError:
        raise ValueError("router must take (logits, context); for one that takes logits alone write "
                         "lambda logits, context: my_router(logits)") from None
    return router


def _check_balance(pairs):
    pairs = check_several(pairs, "balance")
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not callable(pair[1]):
            raise ValueError(f"balance must hold pairs (weight, loss function), got {pair!r}")
    return tuple((check_number(weight, "balance weight", low=0.0), loss) for weight, loss in pairs)

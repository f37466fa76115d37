"""One layer of experts with its gate: the forward pass, the losses and every gradient, as pure functions."""

from typing import NamedTuple

import numpy as np

from moeviz import experts, routing
from moeviz.arrays import check_same_shape
from moeviz.record import Routing, check_routing
from moeviz.training.routers import Context


class Pass(NamedTuple):
    """A forward pass: output (T, D), the Routing behind it, and what the backward pass needs."""

    output: np.ndarray
    routed: Routing
    context: Context
    cache: tuple


def init_weights(plan, width, *, rng, dtype=np.float32):
    """Draw {"gate": (D, E), "w_in": (E, D, H), "w_out": (E, H, D)}, and "noise_gate" (D, E) if asked for."""
    bank = experts.random_bank(plan.num_experts, width, plan.hidden, rng=rng)
    scale = 0.0 if plan.noise else plan.gate_scale
    weights = {"gate": scale * rng.normal(size=(width, plan.num_experts)),
               "w_in": bank.w_in, "w_out": bank.w_out}
    if plan.noise:
        weights["noise_gate"] = np.zeros_like(weights["gate"])
    return {name: value.astype(dtype) for name, value in weights.items()}


def forward(weights, plan, batch, *, bias, rng, training=True):
    """Run tokens through gate, router and experts and return a Pass; bias: (E,), seen by the router.

    Raises ValueError for a router that returns no Routing.
    """
    logits = batch.tokens @ weights["gate"]
    noise = batch.tokens @ weights["noise_gate"] if plan.noise else None
    context = Context(logits, noise, bias, batch.cluster, rng, training)
    routed = check_routing(plan.router.route(logits, context), "the router's result")
    bank = experts.ExpertBank(weights["w_in"], weights["w_out"])
    output, cache = experts.forward_cached(batch.tokens, bank, routed)
    return Pass(output, routed, context, cache)


def loss_and_gradients(weights, plan, batch, *, bias, rng):
    """Return the task's loss, the weighted sum of the balancing losses, {name: gradient} and the Pass.

    The task's loss is the mean squared error over tokens and dimensions; the gradients are those of the
    sum of both. Where the Routing has no logits the gate gets no gradient.
    """
    done = forward(weights, plan, batch, bias=bias, rng=rng)
    error = done.output - batch.targets
    back = experts.backward(done.cache, error * (2 / error.size))
    penalties = [_penalty(weight, loss, done) for weight, loss in plan.balance]
    gradients = {"w_in": back.w_in, "w_out": back.w_out}
    if done.routed.logits is not None:
        gradients |= _gate_gradients(plan, batch, done, back.combine_weight, penalties)
    return (error * error).mean(), sum(value for value, _ in penalties), gradients, done


def _penalty(weight, loss, done):
    """Return weight times the value, and weight times each gradient, in the dtype of the logits."""
    value, *gradients = loss(done.routed, done.context)
    like = done.context.logits
    names = "a balancing loss's gradient", "logits"
    return weight * value, [weight * check_same_shape(each, names[0], like, names[1]).astype(like.dtype)
                            for each in gradients]


def _gate_gradients(plan, batch, done, dweight, penalties):
    """Return the gradients of the gate, and of the noise gate where the plan has one."""
    context, dlogits = done.context, plan.router.backward(done.routed, dweight)
    dlogits = check_same_shape(dlogits, "the router's gradient", context.logits, "logits")
    dlogits = sum((each[0] for _, each in penalties if len(each) == 1), dlogits)
    if not plan.noise:
        return {"gate": batch.tokens.T @ dlogits}
    both = [routing.noisy_top_k_backward(done.routed, dlogits, logits=context.logits,
                                         noise_logits=context.noise_logits)]
    both += [each for _, each in penalties if len(each) == 2]
    dclean, dnoise = (sum(parts) for parts in zip(*both, strict=True))
    return {"gate": batch.tokens.T @ dclean, "noise_gate": batch.tokens.T @ dnoise}

"""The hand-derived gradients of the training layer against finite differences, in float64."""

from functools import partial

import numpy as np
import pytest

import more_routers
from moeviz import losses, routing
from moeviz.capacity import apply_capacity
from moeviz.training import Batch, Plan, Router, balance, routers
from moeviz.training.layer import init_weights, loss_and_gradients

STEP = 1e-5
sigmoid_switch = partial(balance.switch, scoring="sigmoid")
plain_importance = partial(balance.importance, renormalize=False)
switch_per_k = lambda routed, context: losses.switch_loss(routed, convention="per_k")  # noqa: E731
unscaled = partial(routing.weights_backward, renormalize=False)


def capped(logits, context):
    return apply_capacity(routing.top_k(logits, 2), 5)


def group_limited(logits, context):
    return routing.softmax_group_limited(logits, 2, num_groups=2, top_groups=1, scale=2.5)


def relu(logits, context):
    return routing.relu_route(logits)


CASES = {
    "soft": (more_routers.soft(), []),
    "top-1": (routers.top_k(1), []),
    "top-1, Switch": (routers.top_k(1), [(0.3, balance.switch)]),
    "top-1, importance": (routers.top_k(1), [(0.3, plain_importance)]),
    "top-1 renormalised, Switch": (routers.top_k(1, renormalize=True), [(0.3, balance.switch)]),
    "top-2": (routers.top_k(2, renormalize=True), []),
    "top-2, Switch per k and z": (routers.top_k(2), [(0.3, switch_per_k), (0.1, balance.z)]),
    "top-2, importance": (routers.top_k(2, renormalize=True), [(0.3, balance.importance)]),
    "top-2, GShard's loss": (routers.top_k(2, renormalize=True), [(0.3, more_routers.gshard_loss)]),
    "top-2 with capacity, Switch": (Router(capped), [(0.3, balance.switch)]),
    "one shared, top-2, Switch": (routers.shared_top_k(2), [(0.3, balance.switch_routed)]),
    "biased, z": (routers.biased_top_k(2), [(0.2, balance.z)]),
    "biased renormalised": (routers.biased_top_k(2, renormalize=True), []),
    "sigmoid": (more_routers.sigmoid_top_k(2, renormalize=True), []),
    "sigmoid top-1, Switch": (more_routers.sigmoid_top_k(1), [(0.3, sigmoid_switch)]),
    "group-limited, Switch": (Router(group_limited, partial(unscaled, scale=2.5)), [(0.3, balance.switch)]),
    "GShard, GShard's loss": (more_routers.gshard_top_2(), [(0.3, more_routers.gshard_loss)]),
    "noisy": (routers.noisy_top_k(2), []),
    "noisy, importance and load": (routers.noisy_top_k(2), [(0.2, balance.importance), (0.3, balance.load)]),
    "noisy, Switch and z": (routers.noisy_top_k(2), [(0.2, balance.switch), (0.1, balance.z)]),
    "expert choice": (more_routers.expert_choice(2), [(0.1, balance.z)]),
    "Sinkhorn top-1, z": (more_routers.sinkhorn(1), [(0.1, balance.z)]),
    "Sinkhorn top-2": (more_routers.sinkhorn(2), []),
    "quantile, Switch": (more_routers.quantile_balanced(2), [(0.3, balance.switch)]),
    "top-p, Switch": (lambda logits, context: routing.top_p(logits, 0.8), [(0.3, balance.switch)]),
    "threshold": (lambda logits, context: routing.threshold(logits, 0.3), [(0.1, balance.z)]),
    "ReLU, z": (Router(relu, partial(routing.weights_backward, scoring="relu")), [(0.1, balance.z)]),
    "hash": (more_routers.hash_route(2), []),
    "random": (more_routers.random_route(2), []),
}


def small_layer(plan):
    """A layer and tokens in float64, the gate large enough that its choices are not near a tie."""
    rng = np.random.default_rng(5)
    tokens, targets = rng.normal(size=(2, 24, 5))
    weights = init_weights(plan, 5, rng=rng, dtype=np.float64)
    for name in weights.keys() & {"gate", "noise_gate"}:
        weights[name] = rng.normal(size=weights[name].shape)
    return Batch(tokens, targets, np.arange(24) % 3), weights


def check_gradients(plan):
    """Compare every gradient with central differences along its own and seven random directions."""
    batch, weights = small_layer(plan)
    bias, rng = np.array([0.1, -0.2, 0.0, 0.1]), np.random.default_rng(9)

    def run(changed):
        loss, penalty, gradients, done = loss_and_gradients(weights | changed, plan, batch, bias=bias,
                                                            rng=np.random.default_rng(7))
        return loss + penalty, gradients, done.routed.expert_index

    _, gradients, chosen = run({})
    for name, gradient in gradients.items():
        for towards in [gradient, *rng.normal(size=(7, *gradient.shape))]:
            direction = towards / max(np.linalg.norm(towards), 1e-30)
            ahead, _, index = run({name: weights[name] + STEP * direction})
            behind, _, other = run({name: weights[name] - STEP * direction})
            assert np.array_equal(index, chosen) and np.array_equal(other, chosen), "a choice flipped"
            error = abs((gradient * direction).sum() - (ahead - behind) / (2 * STEP))
            assert error <= 1e-6 * max(np.linalg.norm(gradient), 1e-3), (name, error)
    return gradients


@pytest.mark.parametrize("name", CASES)
def test_every_gradient_equals_its_finite_difference(name):
    router, pairs = CASES[name]
    plan = Plan(router=router, balance=pairs, num_experts=4, hidden=3, noise=name.startswith("noisy"))
    gradients = check_gradients(plan)
    gates = {"gate", "noise_gate"} if plan.noise else {"gate"}
    assert gradients.keys() - {"w_in", "w_out"} == (set() if name in ("hash", "random") else gates)


def test_with_one_renormalised_choice_the_task_cannot_teach_the_gate():
    gradients = check_gradients(Plan(router=routers.top_k(1, renormalize=True), num_experts=4, hidden=3))
    assert not gradients["gate"].any()


def test_a_router_of_your_own_needs_a_backward_only_for_weights_that_are_not_probs():
    def squared(logits, context):
        routed = routing.top_k(logits, 2, renormalize=False)
        return routing.token_choice.build(routed.logits, routed.probs, routed.expert_index,
                                    routed.combine_weight**2, "squared")

    def squared_backward(routed, dweight):
        plain = routing.top_k(routed.logits, 2, renormalize=False)
        return routing.weights_backward(plain, 2 * plain.combine_weight * dweight, renormalize=False)

    with pytest.raises(ValueError, match=r"'squared' are neither probs nor probs renormalised.*backward"):
        check_gradients(Plan(router=squared, num_experts=4, hidden=3))
    check_gradients(Plan(router=Router(squared, squared_backward), num_experts=4, hidden=3))

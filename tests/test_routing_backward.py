"""The gradients of the routers against finite differences, in double precision."""

import dataclasses

import numpy as np
import pytest

from cases import cases
from gradient_tools import assert_is_gradient
from moeviz import routing
from moeviz.record import EMPTY
from moeviz.routing import gshard_top_2_backward, noisy_top_k_backward, weights_backward

T, E = 6, 5
LOGITS = np.random.default_rng(3).normal(size=(T, E)) * 1.5
WIDTHS = np.random.default_rng(4).normal(size=(T, E))
BIAS = np.array([0.3, -0.2, 0.1, 0.0, -0.1])
RAW = {"renormalize": False}
SIGMOID = {"scoring": "sigmoid"}


def noisy(z, widths=WIDTHS):
    return routing.noisy_top_k(z, widths, 2, rng=np.random.default_rng(1))


def gshard(z):
    return routing.gshard_top_2(z, rng=np.random.default_rng(1))


# name: (router, options of weights_backward)
ROUTERS = {
    "soft": (routing.soft, RAW),
    "top_k": (routing.top_k, {}),
    "top_k, k=3": (lambda z: routing.top_k(z, 3), {}),
    "top_k, k=E": (lambda z: routing.top_k(z, E), {}),
    "Switch": (lambda z: routing.top_k(z, 1, renormalize=False), RAW),
    "OLMoE": (lambda z: routing.top_k(z, 3, renormalize=False), RAW),
    "DeepSeek-V3": (lambda z: routing.sigmoid_top_k(z, 3, bias=BIAS, scale=2.5),
                    SIGMOID | {"scale": 2.5}),
    "Llama 4": (lambda z: routing.sigmoid_top_k(z, 1, renormalize=False), SIGMOID | RAW),
    "DeepSeek-V2": (lambda z: routing.softmax_group_limited(z, 2, num_groups=5, top_groups=3, scale=16.0),
                    RAW | {"scale": 16.0}),
    "expert_choice": (lambda z: routing.expert_choice(z, 2), RAW),
    "top_p": (lambda z: routing.top_p(z, 0.7), RAW),
    "threshold": (lambda z: routing.threshold(z, 0.2), RAW),
    "null_experts": (lambda z: routing.null_experts(z, 3, num_null=2, bias=BIAS, scale=6.0),
                     RAW | {"scale": 6.0}),
    "quantile_balanced": (lambda z: routing.quantile_balanced(z, 2), RAW),
    "relu_route": (routing.relu_route, {"scoring": "relu"}),
    "sinkhorn, k=1": (lambda z: routing.sinkhorn(z, 1), SIGMOID | RAW),
    "sinkhorn, k=2": (lambda z: routing.sinkhorn(z, 2), RAW),
}


def random_like(array, seed):
    return np.random.default_rng(seed).normal(size=array.shape)


@pytest.mark.parametrize(("route", "options"), ROUTERS.values(), ids=ROUTERS)
def test_weights_backward_equals_finite_differences(route, options):
    result = route(LOGITS)
    dweight = random_like(result.combine_weight, 5)
    got = weights_backward(result, dweight, **options)
    assert_is_gradient(got, lambda z: (dweight * route(z).combine_weight).sum(), LOGITS)


def test_gshard_backward_equals_finite_differences_with_and_without_the_second_choice():
    result = gshard(LOGITS)
    assert 0 < (result.expert_index[:, 1] == EMPTY).sum() < T
    dweight = random_like(result.combine_weight, 5)
    assert_is_gradient(gshard_top_2_backward(result, dweight), lambda z:
                       (dweight * gshard(z).combine_weight).sum(), LOGITS)


def test_gshard_backward_with_one_expert_is_zero():
    result = routing.gshard_top_2([[3.0]], rng=np.random.default_rng(0))
    assert gshard_top_2_backward(result, [[1.0, 5.0]]).tolist() == [[0.0]]


def test_noisy_top_k_backward_equals_finite_differences_on_both_inputs():
    result = noisy(LOGITS)
    dweight = random_like(result.combine_weight, 5)

    def loss(z, widths):
        return (dweight * noisy(z, widths).combine_weight).sum()

    dlogits = weights_backward(result, dweight)
    dclean, dnoise = noisy_top_k_backward(result, dlogits, logits=LOGITS, noise_logits=WIDTHS)
    assert_is_gradient(dclean, lambda z: loss(z, WIDTHS), LOGITS)
    assert_is_gradient(dnoise, lambda widths: loss(LOGITS, widths), WIDTHS)


def test_noisy_top_k_backward_without_noise_is_zero_on_the_noise():
    result = routing.noisy_top_k(LOGITS, WIDTHS - 1e4, 2, rng=np.random.default_rng(0))
    _, dnoise = noisy_top_k_backward(result, LOGITS, logits=LOGITS, noise_logits=WIDTHS - 1e4)
    assert not dnoise.any()


def test_cosine_gradient_reaches_the_temperature():
    tokens, experts = np.random.default_rng(7).normal(size=(2, 5, 3))

    def route(temperature):
        return routing.cosine_top_k(tokens, experts, 2, temperature=temperature)

    result = route(0.5)
    dweight = random_like(result.combine_weight, 8)
    got = (weights_backward(result, dweight) * -result.logits / 0.5).sum()
    high, low = ((dweight * route(0.5 + step).combine_weight).sum() for step in (1e-5, -1e-5))
    assert got == pytest.approx((high - low) / 2e-5, rel=1e-6)


K_ONE = {
    "top_k": (lambda z: routing.top_k(z, 1), {}),
    "noisy_top_k": (lambda z: routing.noisy_top_k(z, z, 1, rng=np.random.default_rng(0)), {}),
    "sigmoid": (lambda z: routing.sigmoid_top_k(z, 1), SIGMOID),
    "sigmoid, scaled": (lambda z: routing.sigmoid_top_k(z, 1, scale=2.7), SIGMOID | {"scale": 2.7}),
}


@pytest.mark.parametrize(("route", "options"), K_ONE.values(), ids=K_ONE)
def test_one_renormalised_choice_sends_exactly_no_gradient(route, options):
    assert not weights_backward(route(LOGITS), random_like(LOGITS[:, :1], 5), **options).any()
    assert weights_backward(route(LOGITS), np.ones((T, 1)), **options | RAW).any()


def test_empty_slots_are_ignored_even_with_a_large_gradient():
    result = routing.top_p(LOGITS, 0.7)
    empty = result.expert_index == EMPTY
    assert empty.any()
    dweight = random_like(result.combine_weight, 5)
    expected = weights_backward(result, np.where(empty, 0, dweight), renormalize=False)
    assert (weights_backward(result, np.where(empty, 1e9, dweight), renormalize=False) == expected).all()
    second = gshard(LOGITS)
    loud = np.where(second.expert_index == EMPTY, 1e9, 1.0)
    expected = gshard_top_2_backward(second, np.ones((T, 2)))
    assert (gshard_top_2_backward(second, loud) == expected).all()


def test_dropped_choices_keep_their_part_in_the_renormalisation():
    result = routing.top_k(LOGITS, 2)
    dropped = dataclasses.replace(result, kept=np.array([[True, False]] * T))
    dweight = random_like(result.combine_weight, 5) * dropped.kept
    assert (weights_backward(dropped, dweight) == weights_backward(result, dweight)).all()


@cases("level", [1e4, -1e4])
@cases("name", ROUTERS)
def test_gradients_stay_finite_for_extreme_logits(name, level):
    route, options = ROUTERS[name]
    result = route(LOGITS * level)
    dweight = np.ones_like(result.combine_weight)
    assert np.isfinite(weights_backward(result, dweight, **options)).all()


ROUTING = routing.top_k(LOGITS, 2)
ONES = np.ones((T, 2))
BAD = {
    "routing is not one": (lambda: weights_backward(LOGITS, ONES), "routed must be a Routing, got ndarray"),
    "no logits": (lambda: weights_backward(routing.hash_route([1], 2), [[1.0]]), "must have logits"),
    "dweight shape": (lambda: weights_backward(ROUTING, np.ones((T, 3))), "dweight must have the shape"),
    "dweight not finite": (lambda: weights_backward(ROUTING, ONES * np.nan), "dweight must be finite"),
    "scoring unknown": (lambda: weights_backward(ROUTING, ONES, scoring="tanh"), "scoring must .* 'tanh'"),
    "scale zero": (lambda: weights_backward(ROUTING, ONES, scale=0.0), "scale must be a number"),
    "gshard dweight": (lambda: gshard_top_2_backward(gshard(LOGITS), np.ones((T, 1))), "dweight must have"),
    "noisy dlogits": (lambda: noisy_top_k_backward(ROUTING, ONES, logits=LOGITS, noise_logits=WIDTHS),
                      "dlogits must have the shape"),
    "noisy logits": (lambda: noisy_top_k_backward(ROUTING, LOGITS, logits=ONES, noise_logits=WIDTHS),
                     "logits must have the shape of routed.logits"),
    "noisy noise_logits": (lambda: noisy_top_k_backward(ROUTING, LOGITS, logits=LOGITS, noise_logits=ONES),
                           "noise_logits must have the shape"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()

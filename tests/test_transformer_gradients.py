"""The Transformer's forward pass beside a slow one, and its gradient beside finite differences."""

from functools import partial

import numpy as np
import pytest

import more_routers
from gradient_tools import assert_is_gradient
from moeviz import training
from moeviz.arrays import softmax
from moeviz.training import routers
from moeviz.transformer import Config, blocks, init
from moeviz.transformer.gradients import loss_and_gradients

SMALL = Config(context=7, width=12, heads=3, layers=2, num_experts=4, hidden=5, k=2, batch=2, aux_weight=0.5)
PLAIN = {"aux_weight": 0.0}
CASES = {  # router, what differs in the Config
    "top-2": (routers.top_k(2, renormalize=True), {}),
    "top-2 of probs": (routers.top_k(2), {}),
    "Switch": (routers.top_k(1), {}),
    "bias on softmax": (routers.biased_top_k(2, renormalize=True), {}),
    "bias on sigmoid": (more_routers.sigmoid_top_k(2, renormalize=True), PLAIN),
    "GShard": (more_routers.gshard_top_2(), {}),
    "soft": (more_routers.soft(), PLAIN),
    "one expert": (routers.top_k(1), {"num_experts": 1, "k": 1}),
}


def spread_out(config, seed=0):
    """Return float64 weights with gates that differ enough for a choice to survive a small step."""
    rng = np.random.default_rng(seed)
    weights = dict(init(rng, config, dtype=np.float64).weights)
    for name, array in weights.items():
        if name.startswith("gate"):
            weights[name] = array * 60
        elif array.ndim == 1:
            weights[name] = array + 0.3 * rng.normal(size=array.shape)
    return weights


def batch_of(config, seed=0):
    return np.random.default_rng(seed).integers(97, 103, (2, config.batch, config.context)).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_gradient_agrees_with_finite_differences(case):
    router, other = CASES[case]
    config = Config(**{**vars(SMALL), **other})
    weights, (text, targets) = spread_out(config), batch_of(config)
    bias = np.linspace(-0.1, 0.2, config.layers * config.num_experts).reshape(config.layers, -1)

    def total(name, array):
        rng = np.random.default_rng(5)
        done = blocks.forward({**weights, name: array}, config, text, lambda logits, layer: router.route(
            logits, training.Context(logits, None, bias[layer - 1], None, rng, True)))
        chances = softmax(done.logits)[np.arange(2)[:, None], np.arange(config.context), targets]
        balance = sum(slow_switch(each.routed) for each in done.layers)
        return -np.log(chances).mean() + config.aux_weight * balance

    gradients = loss_and_gradients(weights, config, text, targets, router=router, bias=bias,
                                   rng=np.random.default_rng(5))[2]
    rng = np.random.default_rng(1)
    assert set(gradients) == set(weights)
    for name, exact in gradients.items():
        if config.num_experts == 1 and name.startswith("gate"):
            assert not exact.any()  # one expert has weight 1 whatever the gate says
            continue
        places = [*rng.permutation(np.flatnonzero(exact))[:5], *rng.permutation(exact.size)[:2]]
        assert_is_gradient(exact, partial(total, name), weights[name], places, name)


def slow_switch(routed):
    taken = routed.expert_index[routed.kept]
    share = np.bincount(taken, minlength=routed.num_experts) / len(taken)
    return routed.num_experts * (share * routed.probs.mean(axis=0)).sum()


def slow_logits(weights, config, text, k):
    """Follow one sequence position by position, head by head, expert by expert."""
    size = config.width // config.heads

    def norm(row, scale):
        return row / np.sqrt((row * row).mean() + 1e-6) * scale

    def turned(row, position):
        result = row.copy()
        for head in range(config.heads):
            for i in range(size // 2):
                at, angle = head * size + 2 * i, position * 10_000 ** (-2 * i / size)
                turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
                result[at:at + 2] = turn @ row[at:at + 2]
        return result

    stream = [weights["embedding"][byte] for byte in text]
    for n in range(1, config.layers + 1):
        heard = [norm(row, weights[f"norm_attention_{n}"]) for row in stream]
        query = [turned(row @ weights[f"w_query_{n}"], t) for t, row in enumerate(heard)]
        key = [turned(row @ weights[f"w_key_{n}"], t) for t, row in enumerate(heard)]
        value = [row @ weights[f"w_value_{n}"] for row in heard]
        for t in range(len(text)):
            first, found = max(0, t - config.context + 1), np.zeros(config.width)
            for head in range(config.heads):
                part = slice(head * size, (head + 1) * size)
                scores = np.array([query[t][part] @ key[s][part] for s in range(first, t + 1)]) / size**0.5
                for s, share in enumerate(softmax(scores), start=first):
                    found[part] += share * value[s][part]
            stream[t] = stream[t] + found @ weights[f"w_merge_{n}"]
        for t, row in enumerate(stream):
            token = norm(row, weights[f"norm_experts_{n}"])
            scores = np.exp(token @ weights[f"gate_{n}"])
            best = sorted(range(len(scores)), key=lambda e, scores=scores: (-scores[e], e))[:k]
            for e in best:
                hidden = np.maximum(token @ weights[f"w_in_{n}"][e], 0)
                stream[t] = stream[t] + scores[e] / scores[best].sum() * (hidden @ weights[f"w_out_{n}"][e])
    return np.array([norm(row, weights["norm_read"]) @ weights["w_read"] for row in stream])


def route(logits, layer):
    return routers.top_k(2, renormalize=True).route(logits, None)


def test_the_forward_pass_agrees_with_the_slow_specification():
    weights, text = spread_out(SMALL), batch_of(SMALL)[0]
    done = blocks.forward(weights, SMALL, text, route)
    for row, logits in zip(text, done.logits, strict=True):
        np.testing.assert_allclose(logits, slow_logits(weights, SMALL, row, 2), rtol=1e-9, atol=1e-9)


def test_a_text_longer_than_the_context_is_seen_through_a_window():
    weights = spread_out(SMALL)
    text = np.random.default_rng(2).integers(97, 103, 20).astype(np.uint8)
    whole = blocks.forward(weights, SMALL, text[None], route)
    np.testing.assert_allclose(whole.logits[0], slow_logits(weights, SMALL, text, 2), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cuts", [(1,) * 20, (7, 7, 6), (3, 9, 8), (19, 1)])
def test_parts_that_remember_keys_and_values_give_what_the_whole_text_gives(cuts):
    weights = spread_out(SMALL)
    text = np.random.default_rng(3).integers(97, 103, (2, 20)).astype(np.uint8)
    whole, past, parts = blocks.forward(weights, SMALL, text, route), None, []
    for part in np.split(text, np.cumsum(cuts)[:-1], axis=1):
        past = blocks.forward(weights, SMALL, part, route, past=past)
        parts.append(past.logits)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole.logits, rtol=1e-9, atol=1e-9)


def test_no_position_looks_ahead():
    weights, text = spread_out(SMALL), batch_of(SMALL)[0]
    other = text.copy()
    other[:, 4:] = 120
    one, two = (blocks.forward(weights, SMALL, each, route).logits for each in (text, other))
    np.testing.assert_allclose(one[:, :4], two[:, :4], rtol=1e-12, atol=1e-12)
    assert np.abs(one[:, 4:] - two[:, 4:]).max() > 1e-3


def test_products_of_turned_rows_depend_on_the_distance_alone():
    query, key = np.random.default_rng(0).normal(size=(2, 1, 8))
    near, far = (blocks.rotate(query, np.array([t + 3])) @ blocks.rotate(key, np.array([t])).T
                 for t in (0, 57))
    np.testing.assert_allclose(near, far, rtol=1e-10)
    assert abs(near - query @ key.T) > 1e-3


def test_the_gradient_of_the_switch_loss_alone_reaches_the_gate():
    weights, (text, targets) = spread_out(SMALL), batch_of(SMALL)
    both = [loss_and_gradients(weights, Config(**{**vars(SMALL), "aux_weight": weight}), text, targets,
                               router=training.routers.top_k(2, renormalize=True), bias=np.zeros((2, 4)))
            for weight in (0.0, 0.5)]
    assert both[0][1] == 0.0 and both[1][1] > 0.5 and both[0][0] == both[1][0]
    assert np.abs(both[1][2]["gate_2"] - both[0][2]["gate_2"]).max() > 1e-4

"""Trained gates run otherwise: one vocabulary, held to a slow specification and to both models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import capacity, routing, steering, tinylm, transformer

TINY = transformer.Config(width=16, heads=2, hidden=8, layers=2, num_experts=4, context=16)
SENTENCE = "17 + 25 = 42; the router"


def slow_choice(row, k, temperature, bias, off):
    """Return [(expert, weight)] of one token, best first."""
    powers = {e: np.exp(z / temperature) for e, z in enumerate(row) if e not in off}
    shares = {e: power / sum(powers.values()) for e, power in powers.items()}
    best = sorted(shares, key=lambda e: (-(shares[e] + bias[e]), e))[:k]
    return [(e, shares[e] / sum(shares[each] for each in best)) for e in best]


@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.3, 1.0, 4.0]), st.sets(st.integers(0, 4)),
       st.booleans())
def test_every_option_agrees_with_the_slow_specification(seed, k, temperature, off, with_bias):
    rng = np.random.default_rng(seed)
    logits, where = rng.normal(size=(7, 5)), rng.random(7) < 0.7
    off = set(list(off)[:4])
    bias = rng.normal(size=5) * 0.3 if with_bias else np.zeros(5)
    where[0] = True
    k = min(k, 5 - len(off))
    routed = steering.make_route(2, 5, 2, k=k, temperature=temperature, bias={2: bias}, off={2: off},
                                 where=where)(logits, 2)
    for t, row in enumerate(logits):
        expected = slow_choice(row, k, temperature, bias * where[t], off if where[t] else ())
        assert routed.expert_index[t].tolist() == [e for e, _ in expected]
        np.testing.assert_allclose(routed.combine_weight[t], [weight for _, weight in expected], rtol=1e-9)


def test_nothing_said_means_as_trained():
    logits = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    one, two = steering.make_route(1, 5, 2)(logits, 1), routing.top_k(logits, 2)
    assert np.array_equal(one.expert_index, two.expert_index)
    assert np.array_equal(one.combine_weight, two.combine_weight)


def test_other_layers_stay_as_they_are():
    logits = np.random.default_rng(0).normal(size=(9, 5))
    route = steering.make_route(2, 5, 2, off={1: [0, 1]}, bias={1: [1.0, 0, 0, 0, 0]})
    assert np.array_equal(route(logits, 2).expert_index, routing.top_k(logits, 2).expert_index)
    assert set(route(logits, 1).expert_index.ravel()) <= {2, 3, 4}


def test_fewer_choices_where_fewer_experts_are_on():
    routed = steering.make_route(1, 3, 3, off={1: [0, 2]})(np.zeros((2, 3)), 1)
    assert routed.expert_index.tolist() == [[1], [1]]


@pytest.mark.parametrize("order", ["choice", "token", "score"])
def test_capacity_is_a_factor_and_seats_in_an_order(order):
    logits = np.random.default_rng(1).normal(size=(12, 3))
    routed = steering.make_route(1, 3, 2, capacity=0.75, order=order)(logits, 1)
    seats = capacity.expert_capacity(12, 3, 2, 0.75)
    seated = capacity.apply_capacity(routing.top_k(logits, 2), seats, order=order)
    assert np.array_equal(routed.kept, seated.kept)
    assert not routed.kept.all()


@cases(("wrong", "word"), [
    ({"k": 0}, "k must"), ({"k": 4}, "k must"), ({"temperature": 0}, "temperature"),
    ({"off": [1]}, "off must"), ({"off": {1: [0, 1, 2]}}, "leave an expert on"),
    ({"off": {1: [3]}}, r"off\[1\]"),
    ({"off": {3: [0]}}, "layer of off"), ({"bias": {1: [0.0]}}, r"bias\[1\]"), ({"capacity": -1}, "capacity"),
    ({"order": "random"}, "order"), ({"order": "x"}, "order")])
def test_wrong_steering_is_named(wrong, word):
    with pytest.raises(ValueError, match=word):
        steering.make_route(2, 3, 2, **wrong)


@pytest.fixture(scope="module", params=["bytes", "transformer"])
def model(request, stored):
    if request.param == "bytes":
        return stored
    weights = dict(transformer.init(np.random.default_rng(0), TINY).weights)
    weights |= {name: 40 * w for name, w in weights.items() if name.startswith("gate")}
    return transformer.Transformer(weights, TINY)


def test_both_models_speak_the_same_words(model):
    plain, size = model.route(SENTENCE), len(SENTENCE)
    off = model.route(SENTENCE, k=1, off={2: [int(plain[1].expert_index[0, 0])]}, temperature=2.0)
    assert off[0].k == 1 and len(off[0].expert_index) == size
    assert plain[1].expert_index[0, 0] not in off[1].expert_index
    leaning = model.route(SENTENCE, bias={1: np.eye(plain[0].num_experts)[1] * 2})
    assert (leaning[0].expert_index[:, 0] == 1).all()
    some = np.arange(size) % 2 == 0
    there = model.route(SENTENCE, bias={1: np.eye(plain[0].num_experts)[1] * 2}, where=some)
    assert np.array_equal(there[0].expert_index, np.where(some[:, None], *(
        each[0].expert_index for each in (leaning, plain))))
    seated = model.route(SENTENCE, capacity=0.5, order="score")
    seats = capacity.expert_capacity(size, plain[0].num_experts, plain[0].k, 0.5)
    assert np.bincount(seated[0].pairs().expert).max() == seats


def test_losses_are_those_of_the_predictions(model):
    for words in ({}, {"k": 1}, {"off": {1: [0]}}, {"capacity": 1.0}):
        losses, chances = model.losses(SENTENCE, **words), model.predict(SENTENCE, **words)
        text = np.frombuffer(SENTENCE.encode(), np.uint8)
        expected = -np.log(chances[np.arange(len(text) - 1), text[1:]])
        np.testing.assert_allclose(losses[1:], expected, rtol=1e-3)
        assert model.loss(SENTENCE, **words) == pytest.approx(losses.mean())
    assert model.loss(SENTENCE, off={1: [0]}) != model.loss(SENTENCE)


def test_a_sentence_is_routed_without_training_code(model, monkeypatch):
    def trap(*args, **kwargs):
        raise AssertionError("the forward pass of training was run")
    monkeypatch.setattr("moeviz.experts.forward_cached", trap)
    model.route(SENTENCE), model.loss(SENTENCE), model.predict(SENTENCE), model.trace("abc")


def test_tinylm_needs_no_training_options():
    with pytest.raises(ValueError, match="layer of off"):
        tinylm.load().route("a", off={3: [1]})

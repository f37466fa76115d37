"""A router of one's own in the byte model's training, and the snapshots it leaves."""

import numpy as np
import pytest

from cases import cases
from moeviz import capacity, losses, routing, tinylm
from moeviz.arrays import softmax
from moeviz.record import EMPTY, Routing
from moeviz.tinylm import model as model_module
from moeviz.tinylm import network
from tinylm_tools import SMALL, assert_gradients, far_from_ties, spread_out, windows_of


def gshard(logits, rng):
    return capacity.apply_capacity(routing.gshard_top_2(logits, rng=rng), 3)


def frozen_gshard(done):
    """Return a router whose choice and drops are fixed; its weights are shares of the best two logits."""
    def route(logits, layer):
        was = done.layers[layer - 1].routed
        both = np.argsort(-was.logits, axis=1)[:, :2]
        share = np.take_along_axis(np.exp(logits), both, axis=1)
        weight = np.where(was.expert_index == EMPTY, 0, share / share.sum(axis=1, keepdims=True))
        return Routing(logits, softmax(logits), was.expert_index, weight, was.kept)
    return route


def descend(weights, config, windows, targets, route):
    return network.loss_and_gradients(weights, config, windows, targets, route=route,
                                      backward=routing.gshard_top_2_backward)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_gradient_through_gshard_with_drops_agrees_with_finite_differences(seed):
    config = tinylm.Config(**{**vars(SMALL), "aux_weight": 1.0})
    rng, draws = np.random.default_rng(seed), np.random.default_rng(seed)
    weights, (windows, targets) = spread_out(rng), windows_of(rng, 7)
    _, _, gradients, done = descend(weights, config, windows, targets, lambda z, layer: gshard(z, draws))
    assert far_from_ties(done)
    states = [layer.routed for layer in done.layers]
    assert any((r.expert_index == EMPTY).any() for r in states)
    assert any(((r.expert_index != EMPTY) & ~r.kept).any() for r in states)
    some = {name: gradients[name] for name in ("gate_1", "gate_2", "w_in_1", "w_mix")}
    assert_gradients(some, weights, config, windows, targets, route=frozen_gshard(done),
                     balance=lambda routed: losses.switch_loss(routed)[0], rng=rng)


def same_weights(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_top_k_given_as_a_route_is_the_default(corpus):
    default, _ = tinylm.train(corpus, config=SMALL, steps=3, progress=False)
    given, _ = tinylm.train(corpus, config=SMALL, steps=3, progress=False,
                            route=lambda logits, rng: routing.top_k(logits, SMALL.k))
    assert same_weights(default, given)


def test_a_balancing_loss_takes_the_place_of_the_switch_loss(corpus):
    options = {"config": SMALL, "seed": 4, "steps": 2, "progress": False}
    given, _ = tinylm.train(corpus, balance=losses.switch_loss, **options)
    assert same_weights(given, tinylm.train(corpus, **options)[0])
    seen = []

    def first_choices(routed):
        seen.append(losses.gshard_loss(routed, groups=2))
        return seen[-1]

    other, history = tinylm.train(corpus, balance=first_choices, **options)
    assert not same_weights(other, given)
    assert history.balance[0] == pytest.approx(SMALL.aux_weight * (seen[0][0] + seen[1][0]))


def test_a_route_is_used_in_every_layer_and_draws_from_the_run(corpus):
    seen = []

    def watch(logits, rng):
        seen.append(gshard(logits, rng))
        return seen[-1]

    options = {"config": SMALL, "steps": 3, "progress": False, "route": watch,
               "backward": routing.gshard_top_2_backward}
    one, history = tinylm.train(corpus, seed=4, **options)
    assert len(seen) == 3 * SMALL.layers
    kept = np.bincount(seen[0].pairs().expert, minlength=4)
    np.testing.assert_allclose(history.load[0, 0], kept / kept.sum())
    assert same_weights(one, tinylm.train(corpus, seed=4, **options)[0])


def test_snapshots_are_the_model_after_so_many_steps(corpus):
    options = {"config": SMALL, "seed": 2, "progress": False}
    model, history = tinylm.train(corpus, steps=3, snapshots=(0, 1, 3), **options)
    start, first, end = history.snapshots
    assert same_weights(start, tinylm.init(np.random.default_rng(2), SMALL))
    assert same_weights(first, tinylm.train(corpus, steps=1, **options)[0])  # the rate is equal in step 0
    assert same_weights(end, model) and not same_weights(first, end)
    assert [shot.provenance["trained"] for shot in history.snapshots] == [False, True, True]


def test_without_snapshots_there_are_none_and_training_is_the_same(corpus):
    plain, history = tinylm.train(corpus, config=SMALL, steps=2, progress=False)
    assert history.snapshots == ()
    assert same_weights(plain, tinylm.train(corpus, config=SMALL, steps=2, progress=False, snapshots=(1,))[0])


@cases("bad", [-1, 3, 0.5])
def test_a_snapshot_outside_the_run_is_refused(corpus, bad):
    with pytest.raises(ValueError, match="snapshots must be a whole number"):
        tinylm.train(corpus, config=SMALL, steps=2, progress=False, snapshots=(bad,))


def test_a_long_text_is_routed_in_blocks(monkeypatch):
    text = "Experts choose words, and words choose experts. 12345 " * 3
    whole = tinylm.load().route(text, off={1: [3]})
    monkeypatch.setattr(model_module, "BLOCK", 20)
    blocks = tinylm.load().route(text, off={1: [3]})
    for one, other in zip(whole, blocks, strict=True):
        assert np.array_equal(one.expert_index, other.expert_index) and one.label == other.label
        assert np.allclose(one.logits, other.logits, atol=1e-5)
    monkeypatch.setattr(model_module, "MOST", 50)
    for needs_all in (lambda model: model.trace(text), lambda model: model.route(text, capacity=9)):
        with pytest.raises(ValueError, match="at most 50 bytes where all that a layer does is kept"):
            needs_all(tinylm.load())

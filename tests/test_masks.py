"""Padding: with a mask, every count, seat, drop and loss is that of the batch without it."""

from dataclasses import replace

import numpy as np
import pytest

from moeviz import losses, metrics
from moeviz.capacity import apply_capacity, seat_positions
from moeviz.routing import noisy_top_k, sigmoid_top_k, top_k

DRAW = np.random.default_rng(0)
LOGITS = DRAW.standard_normal((12, 4)) * 2
REAL = np.array([True] * 3 + [False] * 4 + [True] * 5)
ROUTED, BARE = top_k(LOGITS, 2), top_k(LOGITS[REAL], 2)


def test_the_case_of_the_eight_tokens():
    """Eight tokens want expert 0; four of them are padding, and there are four seats."""
    routed = top_k([[2.0, 0.0]] * 8, 1)
    real = np.array([False] * 4 + [True] * 4)
    seated = apply_capacity(routed, 4, mask=real)
    assert metrics.drop_rate(seated, mask=real) == 0 and metrics.fully_dropped(seated, mask=real) == 0
    assert metrics.captured_score(seated, mask=real) == pytest.approx(1 / (1 + np.exp(-2)))
    assert metrics.drop_rate(apply_capacity(routed, 4), mask=real) == 1


@pytest.mark.parametrize("order", ["choice", "token", "score"])
def test_seats_are_those_of_the_batch_without_padding(order):
    for capacity in (1, 2, 4):
        seated = apply_capacity(ROUTED, capacity, order=order, mask=REAL)
        bare = apply_capacity(BARE, capacity, order=order)
        assert np.array_equal(seated.kept[REAL], bare.kept) and not seated.kept[~REAL].any()
        for meter in (metrics.drop_rate, metrics.fully_dropped, metrics.captured_score):
            assert meter(seated, mask=REAL) == pytest.approx(meter(bare))
    assert np.array_equal(seat_positions(ROUTED, mask=REAL)[REAL], seat_positions(BARE))


SIGMOID, BARE_SIGMOID = sigmoid_top_k(LOGITS, 2), sigmoid_top_k(LOGITS[REAL], 2)
IDS = np.repeat([0, 1, 2], 4)
PAIRS = {
    "switch": losses.switch_loss,
    "gshard": losses.gshard_loss,
    "z": lambda routed, **given: losses.z_loss(routed.logits, **given),
    "importance": losses.importance_loss,
    "sequence": lambda routed, **given: losses.sequence_loss(
        routed, IDS if given else IDS[REAL], scoring="softmax", **given),
}


@pytest.mark.parametrize("name", PAIRS)
def test_losses_are_those_of_the_batch_without_padding(name):
    value, gradient = PAIRS[name](ROUTED, mask=REAL)
    bare, bare_gradient = PAIRS[name](BARE)
    assert value == pytest.approx(bare, rel=1e-12)
    assert np.allclose(gradient[REAL], bare_gradient, atol=1e-15) and not gradient[~REAL].any()


def test_the_smooth_load_is_that_of_the_batch_without_padding():
    noise = DRAW.standard_normal(LOGITS.shape)
    noisy = noisy_top_k(LOGITS, noise, 2, rng=np.random.default_rng(1))
    value, *gradients = losses.load_loss(noisy, LOGITS, noise, mask=REAL)
    part = replace(noisy, **{name: getattr(noisy, name)[REAL] for name in (
        "logits", "probs", "expert_index", "combine_weight", "kept")})
    bare, *bare_gradients = losses.load_loss(part, LOGITS[REAL], noise[REAL])
    assert value == pytest.approx(bare, rel=1e-12)
    for gradient, bare_gradient in zip(gradients, bare_gradients, strict=True):
        assert np.allclose(gradient[REAL], bare_gradient) and not gradient[~REAL].any()


def test_wrong_masks_are_named():
    for call in (lambda mask: apply_capacity(ROUTED, 1, mask=mask),
                 lambda mask: metrics.drop_rate(ROUTED, mask=mask),
                 lambda mask: losses.z_loss(LOGITS, mask=mask)):
        with pytest.raises(ValueError, match="mask must have shape"):
            call([True])
        with pytest.raises(ValueError, match="mask must be True for at least one token"):
            call([False] * 12)

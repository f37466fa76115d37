"""Adam against its definition, number by number, and the shape of the learning rate."""

import numpy as np
import pytest

from moeviz.optimiser import adam, learning_rate


def test_adam_follows_the_paper_number_by_number():
    gradients = np.random.default_rng(0).normal(size=(5, 3))
    weight, moments = np.ones(3), (np.zeros(3), np.zeros(3))
    for step, gradient in enumerate(gradients):
        weight, moments = adam(weight, gradient, moments, 0.1, step, beta2=0.95)
    for i in range(3):
        theta, m, v = 1.0, 0.0, 0.0
        for t in range(1, 6):
            g = gradients[t - 1, i]
            m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g * g
            theta -= 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.95**t)) ** 0.5 + 1e-8)
        assert weight[i] == pytest.approx(theta, rel=1e-12)


def test_the_rate_rises_stays_and_falls():
    rates = [learning_rate(step, 100, peak=2.0, warm_up=10, decay_share=0.3) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    assert set(rates[10:70]) == {2.0}
    assert rates[70:] == pytest.approx([2 * n / 30 for n in range(30, 0, -1)])


def test_a_step_leaves_what_it_was_given():
    weight, gradient, moments = np.ones(2), np.ones(2), (np.zeros(2), np.zeros(2))
    new, _ = adam(weight, gradient, moments, 0.1, 0)
    assert new.tolist() == pytest.approx([0.9, 0.9])
    assert (weight.tolist(), moments[0].tolist(), moments[1].tolist()) == ([1, 1], [0, 0], [0, 0])


def test_a_step_keeps_single_precision():
    new, moments = adam(*np.ones((2, 3), dtype=np.float32), (np.zeros(3, np.float32),) * 2, 0.1, 0)
    assert {new.dtype, moments[0].dtype, moments[1].dtype} == {np.dtype(np.float32)}

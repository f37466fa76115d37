"""Where the byte model's balancing loss counts the load: over the batch, or within micro-batches."""

from functools import partial

import numpy as np
import pytest

from moeviz import tinylm
from moeviz.tinylm import network
from moeviz.tinylm.train import draw_batch, training_starts
from tinylm_tools import SMALL, assert_gradients, far_from_ties, frozen_choice, spread_out, windows_of

PART = np.array([2, 0, 0, 2, 1, 0, 1])  # micro-batches of unequal size, not in order


def small_case(seed):
    """Return spread-out weights, a window for each entry of PART, and their targets."""
    rng = np.random.default_rng(seed)
    return spread_out(rng), *windows_of(rng, len(PART))


def slow_micro(routed, part):
    """Count expert by expert, micro-batch by micro-batch."""
    values = []
    for member in sorted(set(part.tolist())):
        rows = [t for t in range(len(part)) if part[t] == member]
        picked = [e for t in rows for e in routed.expert_index[t]]
        values.append(routed.num_experts * sum(
            picked.count(e) / len(picked) * sum(routed.probs[t, e] for t in rows) / len(rows)
            for e in range(routed.num_experts)))
    return sum(values) / len(values)


def test_micro_counts_within_each_micro_batch_and_averages():
    weights, windows, targets = small_case(0)
    _, balance, _, done = network.loss_and_gradients(weights, SMALL, windows, targets, part=PART)
    slow = SMALL.aux_weight * sum(slow_micro(layer.routed, PART) for layer in done.layers)
    assert balance == pytest.approx(slow, rel=1e-12)


def test_global_counts_over_all_micro_batches_while_p_may_stay_local():
    weights, windows, targets = small_case(1)
    _, balance, _, done = network.loss_and_gradients(weights, SMALL, windows, targets)
    total = 0
    for layer in done.layers:
        share = np.bincount(layer.routed.expert_index.ravel(), minlength=4) / layer.routed.expert_index.size
        local = [(np.mean(m == PART), 4 * share @ layer.routed.probs[m == PART].mean(axis=0))
                 for m in range(3)]
        total += sum(size * value for size, value in local)
    assert balance == pytest.approx(SMALL.aux_weight * total, rel=1e-12)


@pytest.mark.parametrize("part", [None, PART])
@pytest.mark.parametrize("seed", [2, 3])
def test_the_gradient_agrees_with_finite_differences(seed, part):
    config = tinylm.Config(**{**vars(SMALL), "aux_weight": 2.0})
    weights, windows, targets = small_case(seed)
    _, _, gradients, done = network.loss_and_gradients(weights, config, windows, targets, part=part)
    assert far_from_ties(done)
    some = {name: gradients[name] for name in ("gate_1", "gate_2", "norm_1", "w_in_1", "w_mix")}
    balance = partial(slow_micro, part=np.zeros_like(PART) if part is None else part)
    assert_gradients(some, weights, config, windows, targets, route=frozen_choice(done), balance=balance,
                     rng=np.random.default_rng(seed))


def test_training_takes_the_domains_as_micro_batches(corpus):
    _, history = tinylm.train(corpus, config=SMALL, seed=5, steps=1, progress=False, balance="micro")
    rng = np.random.default_rng(5)
    weights = tinylm.init(rng, SMALL).weights
    windows, _, domain = draw_batch(rng, corpus, training_starts(corpus, SMALL), SMALL)
    layers = network.forward(weights, SMALL, windows).layers
    slow = SMALL.aux_weight * sum(slow_micro(layer.routed, domain) for layer in layers)
    assert history.balance[0] == pytest.approx(slow, rel=1e-5)


def test_the_default_is_global(corpus):
    made = [tinylm.train(corpus, config=SMALL, steps=3, progress=False, **options)[1].balance
            for options in ({}, {"balance": "global"}, {"balance": "micro"})]
    assert np.array_equal(made[0], made[1]) and not np.allclose(made[0], made[2])


def test_an_unknown_balance_is_refused(corpus):
    with pytest.raises(ValueError, match="balance must be one of 'global', 'micro'"):
        tinylm.train(corpus, config=SMALL, steps=1, progress=False, balance="local")


def test_sequences_are_eight_windows_of_one_domain(corpus):
    _, history = tinylm.train(corpus, config=SMALL, seed=5, steps=1, progress=False, balance="sequence")
    rng = np.random.default_rng(5)
    weights = tinylm.init(rng, SMALL).weights
    windows, _, domain = draw_batch(rng, corpus, training_starts(corpus, SMALL), SMALL)
    layers = network.forward(weights, SMALL, windows).layers
    seen, part = {}, []
    for d in domain.tolist():
        part.append((d, seen.setdefault(d, 0) // 8))
        seen[d] += 1
    assert len(set(part)) > len(set(domain.tolist()))
    numbers = np.array([sorted(set(part)).index(each) for each in part])
    slow = SMALL.aux_weight * sum(slow_micro(layer.routed, numbers) for layer in layers)
    assert history.balance[0] == pytest.approx(slow, rel=1e-5)

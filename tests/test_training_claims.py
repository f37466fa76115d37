"""What the lessons claim about collapse and its cures, in shorter runs and on three seeds."""

from functools import partial

import numpy as np
import pytest

from cases import cases
from moeviz import losses, metrics
from moeviz.training import balance, clustered_task, evaluate, pitchfork, routers, train_seeds

pytestmark = pytest.mark.slow
SWITCH = {"router": routers.top_k(1), "balance": [(0.1, balance.switch)]}


def judge(make_task=clustered_task, *, steps=500, tokens=256, **plan):
    runs = train_seeds(make_task, progress=False, steps=steps, tokens=tokens, **plan)
    return [evaluate(run) for run in runs]


def mean_fvu(found):
    return np.mean([each.fvu for each in found])


@pytest.fixture(scope="module")
def without():
    return judge(router=routers.top_k(1))


def test_without_balancing_experts_die_and_with_it_none_does(without):
    loss = judge(**SWITCH)
    bias = judge(router=routers.biased_top_k(1), bias_rule=partial(losses.bias_update, rate=1e-2))
    assert min(each.dead for each in without) >= 3
    assert [each.dead for each in (*loss, *bias)] == [0] * 6
    assert mean_fvu(without) > 1.5 * mean_fvu(loss)
    assert mean_fvu(without) > 1.3 * mean_fvu(bias)


def test_the_common_mean_is_what_kills(without):
    centred = judge(partial(clustered_task, mean=0.0), router=routers.top_k(1))
    assert sum(each.dead for each in centred) < 0.5 * sum(each.dead for each in without)
    assert mean_fvu(centred) < 0.7 * mean_fvu(without)


def test_balance_hurts_where_the_clusters_are_unequal():
    make_task = partial(clustered_task, mean=0.0, zipf=1.5)
    none, loss = judge(make_task, router=routers.top_k(1)), judge(make_task, **SWITCH)
    assert mean_fvu(loss) > 1.1 * mean_fvu(none)
    assert np.mean([e.purity for e in loss]) < np.mean([e.purity for e in none])


def test_the_coefficient_of_the_paper_is_too_small_here(without):
    small = judge(router=routers.top_k(1), balance=[(0.01, balance.switch)])
    assert 0 < sum(each.dead for each in small) < sum(each.dead for each in without)


def test_importance_and_load_losses_even_out_what_they_are_named_after():
    def noisy(*pairs):
        make_task = partial(clustered_task, clusters=16, mean=1.0)
        found = judge(make_task, router=routers.noisy_top_k(2), noise=True, num_experts=16, balance=pairs)
        spread = [(metrics.cv(metrics.importance(e.routed)), metrics.cv(e.load)) for e in found]
        return np.mean(spread, axis=0), sum(e.dead for e in found)
    none, dead = noisy()
    by_importance, first_dead = noisy((0.2, balance.importance))
    by_load, second_dead = noisy((0.2, balance.load))
    assert dead >= 9 and first_dead == second_dead == 0
    assert by_importance[0] < by_load[0] < none[0]
    assert by_load[1] < by_importance[1] < none[1]


# --- the pitchfork -----------------------------------------------------------------------------

def drift(difference, a, decay=1.0):
    """dD/dt, as `pitchfork` writes it."""
    return a * np.tanh(difference / 2) - decay * difference


@pytest.mark.parametrize("a, decay", [(0.5, 1.0), (1.9, 1.0), (2.1, 1.0), (4.0, 1.0), (3.0, 0.5), (2.5, 2.0)])
def test_the_resting_share_is_where_the_drift_ends(a, decay):
    share = pitchfork.resting_share(a, decay)
    difference = np.log(share / (1 - share))
    assert drift(difference, a, decay) == pytest.approx(0, abs=1e-9)
    assert (share > 0.5) == (a > 2 * decay)
    end = 0.5
    for _ in range(20_000):
        end += 0.01 * drift(end, a, decay)
    assert 1 / (1 + np.exp(-end)) == pytest.approx(share, abs=1e-3)


def test_the_random_rule_drifts_as_the_equation_says():
    path = pitchfork.reinforce(3.0, rng=np.random.default_rng(0), rate=0.05, steps=200, runs=5000)
    surprise = np.diff(path, axis=0) - 0.05 * drift(path[:-1], 3.0)
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(surprise.size)
    variance = 1 - (np.tanh(path[:-1] / 2) ** 2).mean()  # of a choice that is +1 or -1
    assert surprise.std() == pytest.approx(0.05 * 3 * np.sqrt(variance), rel=0.01)


def test_runs_meet_the_theory_away_from_the_threshold_and_blur_it_there():
    def share(a):
        runs = pitchfork.reinforce(a, rng=np.random.default_rng(0), runs=50)
        return pitchfork.busier_share(runs).mean()
    assert share(0.5) < 0.52
    assert share(4.0) == pytest.approx(pitchfork.resting_share(4.0), abs=0.01)
    assert share(1.9) > 0.53  # theory says one half
    assert np.all(np.diff([share(a) for a in (0.5, 1.5, 2.1, 2.5, 4.0)]) > 0)


RNG = np.random.default_rng(0)


@cases(("name", "call"), [
    ("a", lambda: pitchfork.resting_share(-1.0)), ("decay", lambda: pitchfork.resting_share(1.0, decay=0.0)),
    ("rng", lambda: pitchfork.reinforce(1.0, rng=0)), ("a", lambda: pitchfork.reinforce(np.nan, rng=RNG)),
    ("rate", lambda: pitchfork.reinforce(1.0, rng=RNG, rate=-0.1)),
    ("decay", lambda: pitchfork.reinforce(1.0, rng=RNG, decay=None)),
    ("runs", lambda: pitchfork.reinforce(1.0, rng=RNG, runs=0)),
    ("steps", lambda: pitchfork.reinforce(1.0, rng=RNG, steps=0)),
    ("a", lambda: pitchfork.reinforce([1.0], rng=RNG)),
    ("differences", lambda: pitchfork.busier_share([0.0, 1.0])),
])
def test_the_pitchfork_names_bad_numbers(name, call):
    with pytest.raises(ValueError, match=rf"^{name} must"):
        call()

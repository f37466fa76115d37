"""Training: tasks, the loop, its record, stopping it, evaluation, and a router of one's own."""

from dataclasses import FrozenInstanceError
from functools import partial

import numpy as np
import pytest

import more_routers
from cases import cases
from moeviz import losses, metrics, routing
from moeviz.training import (
    Batch,
    History,
    Plan,
    Router,
    Task,
    balance,
    by_seed,
    clustered_task,
    evaluate,
    fates,
    mistakes,
    routers,
    train,
    train_seeds,
    trials,
)
from moeviz.training.layer import forward

make_small = partial(clustered_task, clusters=4, width=8, samples=2000, held_out=500)
SHORT = {"num_experts": 4, "hidden": 8, "steps": 12, "tokens": 64}


def small_task(seed=0, **options):
    return make_small(rng=np.random.default_rng(seed), **options)


def line_task(rng):
    """Targets that are one matrix away: a single dense layer can learn them."""
    tokens = rng.normal(size=(3000, 4))
    batch = tokens, tokens @ rng.normal(size=(4, 4)), np.zeros(3000, dtype=int)
    return Task(Batch(*(a[:2000] for a in batch)), Batch(*(a[2000:] for a in batch)))


def by_cluster(logits, context):
    """Send each cluster to the expert of the same number."""
    chosen = context.cluster[:, None] % logits.shape[1]
    probs = (chosen == np.arange(logits.shape[1])).astype(float)
    return routing.token_choice.build(None, probs, chosen, np.ones(chosen.shape), "by cluster")


# --- tasks -------------------------------------------------------------------------------------

def test_the_mean_shifts_the_inputs_and_nothing_else():
    near, far = small_task(mean=0.0).train, small_task(mean=3.0).train
    np.testing.assert_allclose(far.tokens - near.tokens, 3, atol=1e-5)
    np.testing.assert_array_equal(near.targets, far.targets)
    assert abs(near.tokens.mean()) < 0.1
    assert near.targets.var() == pytest.approx(1, abs=0.1)


def test_cluster_sizes_follow_the_exponent():
    cluster = small_task(zipf=1.5, samples=40_000).train.cluster
    expected = np.arange(1, 5) ** -1.5
    np.testing.assert_allclose(np.bincount(cluster) / len(cluster), expected / expected.sum(), atol=0.01)


def test_each_cluster_has_a_teacher_of_its_own():
    """Within a cluster the nearest input has nearly the same target; across clusters it has not."""
    task = small_task(mean=0.0, spread=0.0, samples=8000, width=2, clusters=2)
    tokens, targets, cluster = task.train
    gaps = {True: [], False: []}
    for at in range(100):
        distance = ((tokens[100:] - tokens[at]) ** 2).sum(axis=1)
        for same in gaps:
            nearest = np.where((cluster[100:] == cluster[at]) == same, distance, np.inf).argmin() + 100
            gaps[same].append(((targets[nearest] - targets[at]) ** 2).mean())
    assert np.mean(gaps[True]) < 0.05 < 0.5 < np.mean(gaps[False])


@cases("options, name", [
    ({"clusters": 0}, "clusters"), ({"mean": np.nan}, "mean"), ({"zipf": -1.0}, "zipf"), ({"rng": 3}, "rng"),
    ({"samples": 1}, "samples"), ({"held_out": 0}, "held_out"), ({"width": 2.5}, "width"),
    ({"spread": -1.0}, "spread"),
])
def test_a_wrong_option_of_the_task_is_named(options, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        clustered_task(**({"rng": np.random.default_rng(0)} | options))


# --- the loop ----------------------------------------------------------------------------------

def test_one_expert_learns_a_line():
    run = train(line_task(np.random.default_rng(0)), router=more_routers.soft(), num_experts=1, hidden=32,
                steps=400, tokens=128, learning_rate=1e-2)
    assert evaluate(run).fvu < 0.01
    assert run.history.loss[-20:].mean() < 0.02 * run.history.loss[:5].mean()


def test_experts_learn_what_one_expert_cannot():
    task = small_task()
    many, one = (evaluate(train(task, router=by_cluster, num_experts=n, steps=400, tokens=128)).fvu
                 for n in (4, 1))
    assert many < 0.6 * one


def test_the_first_step_is_adam_on_the_mean_gradient():
    task = small_task()
    plan = {**SHORT, "router": more_routers.soft(), "warm_up": 1, "learning_rate": 1e-4}
    run = train(task, **plan | {"steps": 1})
    before = train(task, **plan | {"steps": 1, "learning_rate": 0.0})
    for name, weight in run.weights.items():
        moved = np.abs(weight - before.weights[name])
        assert np.median(moved) == pytest.approx(1e-4, rel=0.01)  # Adam's first step has this length


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    task = small_task()
    runs = [train(task, seed=seed, router=routers.noisy_top_k(2), noise=True, **SHORT) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(runs[0].history.loss, runs[1].history.loss)
    np.testing.assert_array_equal(runs[0].weights["gate"], runs[1].weights["gate"])
    assert not np.array_equal(runs[0].history.loss, runs[2].history.loss)


def test_seeds_side_by_side_are_the_seeds_one_by_one():
    plan = {"router": more_routers.random_route(1), **SHORT}
    runs = train_seeds(make_small, seeds=(3, 4), progress=False, **plan)
    for run in runs:
        alone = train(make_small(rng=np.random.default_rng([run.seed, 0])), seed=run.seed, **plan)
        np.testing.assert_array_equal(run.history.loss, alone.history.loss)
        np.testing.assert_array_equal(run.weights["w_in"], alone.weights["w_in"])
    assert not np.array_equal(runs[0].history.loss, runs[1].history.loss)


def test_the_history_says_what_happened():
    rule = partial(losses.bias_update, rate=0.01)
    run = train(small_task(), router=routers.biased_top_k(1), bias_rule=rule, **SHORT, gate_scale=0.0,
                balance=[(0.5, balance.switch), (0.1, balance.z)])
    past = run.history
    assert (past.loss.shape, past.balance.shape, past.router_entropy.shape) == ((12,),) * 3
    assert past.load.shape == past.bias.shape == (12, 4)
    np.testing.assert_allclose(past.load.sum(axis=1), 1)
    np.testing.assert_array_equal(past.bias[0], 0)
    later = [rule(bias, load) for bias, load in zip(past.bias, past.load, strict=True)]
    np.testing.assert_allclose(past.bias[1:], later[:-1])
    np.testing.assert_allclose(run.bias, later[-1])
    # With uniform probs the Switch loss is 1, the z-loss ln(4)^2 and the entropy 1.
    assert past.balance[0] == pytest.approx(0.5 + 0.1 * np.log(4) ** 2)
    assert past.router_entropy[0] == pytest.approx(1)


def test_the_weights_keep_the_precision_of_the_tokens():
    for kind in (np.float32, np.float64):
        task = small_task()
        task = Task(*(Batch(b.tokens.astype(kind), b.targets.astype(kind), b.cluster) for b in task))
        run = train(task, router=routers.noisy_top_k(2), noise=True, **SHORT,
                    balance=[(0.1, balance.importance), (0.1, balance.load)])
        assert {weight.dtype for weight in run.weights.values()} == {np.dtype(kind)}


@cases("router", [more_routers.hash_route(1), more_routers.random_route(2)])
def test_a_router_without_logits_leaves_the_gate_alone(router):
    task = small_task()
    gates = [train(task, router=router, **SHORT | {"steps": steps}).weights["gate"] for steps in (1, 12)]
    np.testing.assert_array_equal(*gates)


@cases("make", [
    more_routers.soft, routers.top_k, routers.biased_top_k, more_routers.sigmoid_top_k,
    more_routers.gshard_top_2, more_routers.expert_choice, more_routers.sinkhorn,
    more_routers.quantile_balanced, more_routers.hash_route, more_routers.random_route,
])
def test_every_router_trains(make):
    run = train(small_task(), router=make(), **SHORT | {"steps": 60, "tokens": 128})
    assert run.history.loss[-10:].mean() < run.history.loss[:10].mean()


# --- stopping ----------------------------------------------------------------------------------

def stopping_after(calls):
    left = [calls]

    def route(logits, context):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return routing.top_k(logits, 1, renormalize=False)
    return route


def test_a_stop_keeps_the_steps_done_so_far():
    task = small_task()
    stopped = train(task, router=stopping_after(5), **SHORT)
    whole = train(task, router=routers.top_k(1), **SHORT)
    assert stopped.history.num_steps == 5
    np.testing.assert_array_equal(stopped.history.loss, whole.history.loss[:5])
    assert evaluate(stopped._replace(plan=whole.plan)).routed.num_tokens == 500


def test_a_stop_leaves_all_seeds_equally_far():
    runs = train_seeds(make_small, seeds=(0, 1, 2), router=stopping_after(7), progress=False, **SHORT)
    assert [run.history.num_steps for run in runs] == [2, 2, 2]


def test_a_run_stopped_at_once_has_an_empty_history():
    run = train(small_task(), router=stopping_after(0), **SHORT)
    assert run.history.load.shape == (0, 4)
    assert repr(run.history) == "History: 0 steps, 4 experts"


def test_there_is_one_progress_bar_for_all_seeds(capsys):
    train_seeds(make_small, seeds=(0, 1), router=routers.top_k(1), **SHORT)
    shown = capsys.readouterr().err
    assert "12/12" in shown and "/24" not in shown and shown.count("| 0/12") == 1
    train(small_task(), router=routers.top_k(1), **SHORT)
    assert capsys.readouterr().err == ""


# --- evaluation --------------------------------------------------------------------------------

def test_a_silent_layer_explains_nothing():
    run = train(small_task(), router=by_cluster, **SHORT)
    silent = run._replace(weights=run.weights | {"w_out": np.zeros_like(run.weights["w_out"])})
    y = run.task.test.targets.astype(float)
    assert evaluate(silent).fvu == pytest.approx((y**2).sum() / ((y - y.mean(axis=0)) ** 2).sum())


def test_dead_experts_are_counted_over_the_whole_held_out_set():
    """Tokens in the order of their clusters: any stretch of them shows most experts idle."""
    task = small_task()
    order = np.argsort(task.test.cluster)
    task = Task(task.train, Batch(*(array[order] for array in task.test)))
    found = evaluate(train(task, router=by_cluster, **SHORT))
    assert (found.dead, found.purity) == (0, 1.0)
    np.testing.assert_allclose(found.load, np.bincount(task.test.cluster) / 500)
    spare = evaluate(train(task, router=by_cluster, **SHORT | {"num_experts": 7}))
    assert spare.dead == 3
    assert spare.max_violation == pytest.approx(7 * spare.load.max() - 1)
    assert spare.load_entropy == pytest.approx(metrics.load_entropy(spare.load))


def test_noise_and_balanced_plans_are_for_training_only():
    plan = {**SHORT, "router": routers.noisy_top_k(2), "noise": True}
    run = train(small_task(), **plan)
    first, second = evaluate(run, seed=1), evaluate(run, seed=2)
    assert first.fvu == second.fvu
    plain = forward(run.weights, Plan(**SHORT, router=routers.top_k(2, renormalize=True)), run.task.test,
                    bias=run.bias, rng=None)
    np.testing.assert_array_equal(first.routed.expert_index, plain.routed.expert_index)
    run = train(small_task(), router=more_routers.sinkhorn(1), **SHORT)
    logits = run.task.test.tokens @ run.weights["gate"]
    np.testing.assert_array_equal(evaluate(run).routed.expert_index[:, 0], logits.argmax(axis=1))


def test_evaluation_takes_other_tokens():
    run = train(small_task(), router=by_cluster, **SHORT)
    assert evaluate(run, batch=run.task.train).routed.num_tokens == 2000
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, got -1"):
        evaluate(run, seed=-1)


# --- routers, losses and gates as a plan takes them --------------------------------------------

def test_the_bias_moves_the_choice_and_not_the_weight():
    rng = np.random.default_rng(0)
    logits, bias = rng.normal(size=(50, 4)), np.array([0.5, 0.0, 0.0, -0.5])
    context = forward_context(logits, bias)
    routed = routers.biased_top_k(2, renormalize=True).route(logits, context)
    for t in range(50):
        p = np.exp(logits[t]) / np.exp(logits[t]).sum()
        best = sorted(range(4), key=lambda e: -(p[e] + bias[e]))[:2]
        assert routed.expert_index[t].tolist() == best
        np.testing.assert_allclose(routed.combine_weight[t], p[best] / p[best].sum())


def forward_context(logits, bias=None):
    tokens, experts = logits.shape
    return routers.Context(logits, None, np.zeros(experts) if bias is None else bias,
                           np.arange(tokens) % 2, np.random.default_rng(0), True)


def test_a_router_of_your_own_trains_like_the_library_router_it_copies():
    def mine(logits, context):
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        best = probs.argmax(axis=1)[:, None]
        return routing.token_choice.build(logits, probs, best, probs.max(axis=1)[:, None], "mine")
    past = [train(small_task(), router=router, **SHORT).history for router in (mine, routers.top_k(1))]
    np.testing.assert_allclose(past[0].loss, past[1].loss, rtol=1e-4)


# --- clear errors ------------------------------------------------------------------------------

@cases("plan, message", [
    ({"router": "top_k"}, "^router must be a Router or a function, got 'top_k'"),
    ({"router": lambda logits: None}, r"^router must take \(logits, context\)"),
    ({"router": lambda logits, context: logits}, "^the router's result must be a Routing, got ndarray"),
    ({"router": Router(routers.top_k(1).route, lambda routed, dweight: dweight)},
     "^the router's gradient must have the shape of logits"),
    ({"router": routers.noisy_top_k(2)}, "^noise must be True"),
    ({"balance": [(0.1, balance.load)]}, "^noise must be True"),
    ({"balance": 0.1}, "^balance must be a list, got 0.1"),
    ({"balance": (0.1, balance.switch)}, "^balance must hold pairs .*, got 0.1"),
    ({"noise": "yes"}, "^noise must be True or False, got 'yes'"),
    ({"router": routers.biased_top_k(9)}, "^k must be a whole number between 1 and 4, got 9"),
    ({"router": mistakes.leaky_top_k(0)}, "^k must be a whole number between 1 and 4, got 0"),
    ({"balance": [(0.1, "switch")]}, "^balance must hold pairs"),
    ({"balance": [(-0.1, balance.switch)]}, "^balance weight must be a number"),
    ({"balance": [(0.1, lambda routed, context: (1.0, np.zeros(3)))]}, "^a balancing loss's gradient must"),
    ({"bias_rule": 0.1}, "^bias_rule must be a function"),
    ({"bias_rule": lambda bias, load: bias[:2]}, "^the bias_rule's result must have shape"),
    ({"steps": 0}, "^steps must be a whole number"),
    ({"learning_rate": np.nan}, "^learning_rate must be a number"),
    ({"seed": -1}, "^seed must be a whole number"),
])
def test_a_wrong_plan_is_named(plan, message):
    with pytest.raises(ValueError, match=message):
        train(small_task(), **{"router": routers.top_k(1)} | SHORT | plan)


def test_a_wrong_task_is_named():
    tokens, cluster = np.ones((4, 2)), np.zeros(4, int)
    good = Batch(tokens, tokens, cluster)
    wide = np.ones((4, 3))
    for task, message in [(good, "^task must be a Task of two"),
                          (Task(good, 7), "^task.test must be a Batch"),
                          (Task(good, Batch(tokens, tokens[:2], cluster)), "^task.test.targets must have"),
                          (Task(Batch(tokens * np.nan, tokens, cluster), good), "^task.train.tokens must be"),
                          (Task(good, Batch(wide, wide, cluster)), "^task.test must have the width")]:
        with pytest.raises(ValueError, match=message):
            train(task, router=routers.top_k(1), **SHORT)


def test_a_history_is_frozen_checked_and_a_copy():
    load = np.full((2, 4), 0.25)
    past = History([1.0, 2.0], [0.0, 0.0], load, np.zeros((2, 4)), [1.0, 1.0])
    load[:] = 7
    assert past.load.max() == 0.25
    with pytest.raises(ValueError, match="read-only"):
        past.load[0] = 1
    with pytest.raises(FrozenInstanceError):
        past.loss = None
    with pytest.raises(ValueError, match=r"^bias must have shape \(2, 4\)"):
        History([1.0, 2.0], [0.0, 0.0], past.load, np.zeros((2, 3)), [1.0, 1.0])
    with pytest.raises(ValueError, match=r"^load must have shape"):
        History([1.0, 2.0], [0.0, 0.0], np.zeros(2), np.zeros((2, 4)), [1.0, 1.0])
    with pytest.raises(ValueError, match="balance must hold real numbers, got dtype <U3"):
        History([1.0, 2.0], ["low", "low"], past.load, np.zeros((2, 4)), [1.0, 1.0])


def test_trials_are_the_runs_of_several_seeds_and_their_evaluations():
    make_task = partial(clustered_task, samples=600, held_out=200)
    both = trials(make_task, seeds=(3, 5), router=routers.top_k(1), steps=4)
    alone = evaluate(train_seeds(make_task, seeds=(5,), router=routers.top_k(1),
                                                   steps=4, progress=False)[0])
    assert both.judged[1].fvu == alone.fvu and both.each("fvu")[1] == round(alone.fvu, 2)
    assert both.mean("dead") == np.mean([one.dead for one in both.judged])
    assert by_seed({"x": both}, "dead")["dead experts, by seed"] == [both.each("dead")]
    with pytest.raises(ValueError, match=r"fields must be some of .*got 'loss'"):
        by_seed({"x": both}, "loss")


def test_fates_follow_an_expert_from_the_first_steps_to_the_last():
    stages = [[0.6, 0.3, 0.0, 0.1, 0.0], [0.3, 0.3, 0.2, 0.2, 0.0], [0.0, 0.0, 0.5, 0.5, 0.0]]
    load = np.repeat(stages, 4, axis=0)
    assert fates(load, window=4) == ["falls", "dies", "revives", "lives", "starves"]
    with pytest.raises(ValueError, match="at least 14 steps, got 12"):
        fates(load, window=7)

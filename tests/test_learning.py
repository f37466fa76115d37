"""Byte models of equal active size: what training them costs, runs as curves, and what one saves."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import learning, text, tinylm
from moeviz.learning import PLAN, SEEDS, Curve, Run, amount_to_reach, main, probe_loss
from moeviz.tinylm import network

WARNING = "a run of the stored curves no longer comes out as stored"


@pytest.fixture(scope="module")
def tiny():
    return text.load_corpus(bytes_per_domain=2000, fallback=True)


@pytest.fixture(scope="module")
def curves():
    return learning.load_curves()


def curve(loss, steps=(10, 20, 40), *, experts=1, width=64, flops_per_step=2.0, seconds_per_step=1.0):
    steps, loss = np.array(steps), np.array(loss, float)
    return Curve(experts, width, steps, flops_per_step * steps, seconds_per_step * steps, loss)


# --- sizes and FLOPs ---

@cases("experts", [2, 4, 16, 64])
def test_every_byte_meets_as_many_hidden_units_as_in_the_dense_layer(experts):
    config = learning.byte_model(experts)
    assert config.k * config.hidden == learning.byte_model(1).hidden == 64
    assert config.num_experts == experts and config.layers == 1


@cases("config", [learning.byte_model(1, width=256), learning.byte_model(16, batch=7)])
def test_flops_are_those_of_the_products_of_the_forward_pass_three_times(config):
    d, h, n = config.width, config.hidden, config.batch
    products = [(n, config.context * config.embedding, d), (n, d, 256)]
    products += [(n * config.k, d, h), (n * config.k, h, d)]
    if config.num_experts > 1:
        products.append((n, d, config.num_experts))
    forward = sum(2 * rows * inner * columns for rows, inner, columns in products)
    assert learning.training_flops(config, 5) == 5 * 3 * forward


def test_the_backward_pass_has_two_products_for_each_one_of_the_forward_pass(tiny):
    """A product rows @ w leads to rows.T @ d and d @ w.T, each as large: seen in the shapes of gradients."""
    config = learning.byte_model(4, batch=16)
    model = tinylm.init(np.random.default_rng(0), config)
    windows = np.zeros((16, config.context), np.uint8)
    gradients = network.loss_and_gradients(dict(model.weights), config, windows, np.zeros(16, int))[2]
    assert {name: each.shape for name, each in gradients.items()} == tinylm.weight_shapes(config)


@cases("experts", [1, 4, 64])
def test_weights_are_counted_as_the_model_holds_them(experts):
    config = learning.byte_model(experts)
    model = tinylm.init(np.random.default_rng(0), config)
    held = sum(array.size for array in model.weights.values())
    idle = (experts - config.k) * 2 * config.width * config.hidden
    assert learning.num_weights(config) == (held, held - idle)


def test_a_mixture_costs_its_router_on_top():
    one, many = (learning.training_flops(learning.byte_model(e), 1) for e in (1, 64))
    assert many - one == 3 * 2 * 512 * 64 * 64
    assert learning.shape_of(learning.byte_model(1)).moe == ()


@cases(("call", "name"), [
    (lambda: learning.byte_model(0), "experts"), (lambda: learning.byte_model(4, width=63), "width"),
    (lambda: learning.byte_model(1, width=0), "width"), (lambda: learning.byte_model(1, batch=0), "batch"),
    (lambda: learning.training_flops(learning.byte_model(1), 0), "steps")])
def test_wrong_sizes_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


# --- the amount for a loss ---

@given(st.floats(0.1, 3), st.floats(0.05, 1), st.floats(0.01, 0.99))
def test_a_loss_that_falls_with_the_logarithm_is_inverted_exactly(height, slope, place):
    amount = np.geomspace(1, 1000, 7)
    loss = height - slope * np.log(amount)
    wanted = 1000**place
    target = height - slope * math.log(wanted)
    assert amount_to_reach(amount, loss, target) == pytest.approx(wanted, rel=1e-9)


def test_measured_points_are_met_and_nothing_is_guessed_outside():
    amount, loss = [2.0, 4.0, 8.0], [3.0, 2.0, 1.5]
    assert [amount_to_reach(amount, loss, each) for each in loss] == pytest.approx(amount)
    assert math.isnan(amount_to_reach(amount, loss, 1.4)) and math.isnan(amount_to_reach(amount, loss, 3.1))


def test_the_first_crossing_counts_where_a_loss_rises_again():
    assert amount_to_reach([1, 2, 4, 8], [3, 2, 2.5, 1], 2.0) == pytest.approx(2)


@cases(("amount", "loss", "target", "name"), [
    ([2, 1], [3, 2], 2, "amount"), ([0, 1], [3, 2], 2, "amount"), ([], [], 2, "amount"),
    ([1, 2], [3], 2, "loss"), ([1, 2], [3, np.nan], 2, "loss"), ([1, 2], [3, 2], np.inf, "target")])
def test_wrong_points_are_named(amount, loss, target, name):
    with pytest.raises(ValueError, match=name):
        amount_to_reach(amount, loss, target)


# --- curves and savings ---

def test_runs_become_one_curve_per_network_whatever_their_order():
    runs = [Run(4, 64, steps, seed, 10.0 - seed - steps, 2.0 * steps) for seed in (1, 0) for steps in (3, 2)]
    runs.append(Run(1, 512, 2, 0, 5.0, 1.0))
    made = learning.curves_of(runs)
    assert list(made) == ["E = 4", "dense 512"]
    four = made["E = 4"]
    assert four.steps.tolist() == [2, 3] and four.seconds.tolist() == [4, 6]
    assert four.loss.tolist() == [[8, 7], [7, 6]] and four.mean.tolist() == [7.5, 6.5]
    assert four.flops[0] == learning.training_flops(learning.byte_model(4), 2)
    assert [each.is_dense for each in made.values()] == [False, True]


@cases("runs", [
    [Run(1, 64, 2, 0, 5.0, 1.0), Run(1, 64, 3, 1, 5.0, 1.0)],
    [Run(1, 64, 2, 0, 5.0, 1.0), Run(1, 64, 2, 0, 4.0, 1.0)]])
def test_a_curve_with_holes_or_doubles_is_refused(runs):
    with pytest.raises(ValueError, match="one per seed"):
        learning.curves_of(runs)


def test_the_saving_is_read_at_equal_loss_and_means():
    sparse = curve([[3.0, 2.0, 1.0], [5.0, 2.0, 1.0]], flops_per_step=3.0)
    rival = curve([[4.0, 3.0, 1.5], [4.0, 3.0, 0.5]], steps=(10, 40, 160))
    assert learning.saving(sparse, {"a": rival}) == pytest.approx(320 / 120)
    assert learning.saving(sparse, {"a": rival}, of="steps") == pytest.approx(160 / 40)
    assert learning.saving(sparse, {"a": rival}, target=3.0) == pytest.approx(80 / (30 * 2**0.5))


def test_the_cheapest_opponent_is_chosen_anew_for_every_loss_and_unit():
    small, large = curve([[3.0, 2.5, 2.2]]), curve([[2.8, 2.0, 1.0]], flops_per_step=9.0)
    both = {"small": small, "large": large}
    assert learning.cheapest(both, 2.5)[0] == "small" and learning.cheapest(both, 1.5)[0] == "large"
    assert learning.cheapest(both, 2.5, of="steps")[0] == "large"
    assert learning.cheapest(both, 2.5, of="seconds")[0] == "large"
    assert learning.cheapest(both, 0.1)[0] is None
    assert math.isnan(learning.saving(small, both, target=0.1))
    assert learning.lowest_shared(small, {"large": large}) == 2.2
    with pytest.raises(ValueError, match="of must be one of"):
        learning.cheapest(both, 2.5, of="hours")


@cases(("call", "message"), [
    (lambda: learning.cheapest([3.0], 1.0), "curves must be a dict, got list"),
    (lambda: learning.cheapest({"a": [3.0]}, 1.0), r"curves\['a'\] must be a Curve, got list"),
    (lambda: learning.saving(3.0, {}), "curve must be a Curve, got float"),
    (lambda: learning.saving(curve([[2.0] * 3]), curve([[2.0] * 3])), "opponents must be a dict, got Curve"),
    (lambda: learning.saving(curve([[2.0] * 3]), {}), "opponents must hold a Curve, got none"),
    (lambda: learning.opponents_of(None, 4), "curves must be a dict, got NoneType")])
def test_what_is_no_curve_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_opponents_of_a_mixture(curves):
    kinds = learning.opponents_of(curves, 16)
    assert list(kinds["the same net, longer"]) == ["E = 1"]
    assert all(each.is_dense for each in kinds["the best dense width"].values())
    config, (wide,) = learning.byte_model(16), kinds["equal total size"].values()
    dense = learning.byte_model(1, width=wide.width)
    assert dense.hidden == config.num_experts * config.hidden
    for experts in (1, 5):
        with pytest.raises(ValueError, match="experts must be one of 4, 16, 64"):
            learning.opponents_of(curves, experts)


# --- what was stored ---

def test_the_stored_runs_are_those_of_the_plan():
    runs, about = learning.load_runs()
    found = {(run.experts, run.width): [] for run in runs}
    for run in runs:
        found[run.experts, run.width].append((run.steps, run.seed))
    wanted = {kind: [(steps, seed) for steps in lengths for seed in SEEDS] for kind, lengths in PLAN.items()}
    assert {kind: sorted(places) for kind, places in found.items()} == wanted
    assert about["made_by"] == "python -m moeviz.learning" and about["text_notes"]


def test_a_tiny_run_comes_out_as_stored():
    """On the course's own text, so that the Python at hand plays no part; rounding may."""
    probe = learning.load_runs()[1]["probe"]
    assert probe_loss() == pytest.approx(probe["loss"], abs=0.02), WARNING


@pytest.mark.slow
def test_the_shortest_run_comes_out_near_the_stored_one(curves):
    """On the text of this Python, which may be another one: near, not equal."""
    run = learning.measure(text.load_corpus(), experts=4, steps=250)
    assert run.loss == pytest.approx(curves["E = 4"].loss[0, 0], abs=0.15), WARNING


def test_what_the_lesson_says_of_the_stored_runs(curves):
    four = [curves[f"E = {experts}"] for experts in (1, 4, 16, 64)]
    length = min(len(each.steps) for each in four)
    final = [each.loss[:, length - 1] for each in four]
    assert (np.diff([loss.mean() for loss in final]) < 0).all()
    assert final[2].max() < final[0].min()
    kinds = learning.opponents_of(curves, 64)
    level = learning.lowest_shared(curves["E = 64"], kinds["the same net, longer"])
    longer, widest = (learning.saving(curves["E = 64"], kinds[kind], target=level)
                      for kind in ("the same net, longer", "the best dense width"))
    assert longer > 1.2 * widest > 1.2


def test_files_are_read_back_and_wrong_ones_named(tmp_path):
    path = tmp_path / "runs.json"
    runs = [Run(4, 64, 2, 0, 5.5, 0.25)]
    learning.save_runs(path, runs, {"python": "3"})
    assert learning.load_runs(path) == (runs, {"python": "3"})
    for wrong in ("{", "[]", '{"runs": [[1]], "about": {}}', '{"runs": [[1, 64, 2, 0, -1, 1]], "about": {}}',
                  '{"runs": [[0, 64, 2, 0, 1, 1]], "about": {}}', '{"runs": []}'):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match=r"runs\.json must hold runs"):
            learning.load_runs(path)


# --- runs and the command ---

def test_the_same_seed_gives_the_same_run_and_another_one_does_not(tiny):
    one, again, other = (learning.measure(tiny, experts=4, steps=3, seed=s, batch=16).loss for s in (0, 0, 1))
    assert one == again != other


def test_the_loss_is_the_mean_over_every_8th_held_out_window(tiny):
    model = tinylm.init(np.random.default_rng(0), learning.byte_model(4))
    starts = text.window_starts(tiny, width=9, held_out=True)[::8]
    rows = tiny.text[starts[:, None] + np.arange(9)]
    slow = [-np.log(model.predict(row[:-1])[-1, row[-1]]) for row in rows]
    assert learning.held_out_loss(model, tiny) == pytest.approx(np.mean(slow), rel=1e-4)


def test_the_command_writes_every_run_of_its_plan(tmp_path, monkeypatch, tiny, capsys):
    module = "moeviz.learning"
    monkeypatch.setattr(f"{module}.PLAN", {(1, 64): (2, 3)})
    monkeypatch.setattr(f"{module}.load_corpus", lambda **options: tiny)
    assert main(["--out", str(tmp_path / "runs.json")]) == 0
    runs, about = learning.load_runs(tmp_path / "runs.json")
    assert [(run.steps, run.seed) for run in runs] == [(s, seed) for s in (2, 3) for seed in SEEDS]
    assert json.dumps(about) and about["text"] == repr(tiny)
    assert capsys.readouterr().out.count("loss") == len(runs)


def test_the_command_wants_to_know_where_to_write(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "--out" in capsys.readouterr().err

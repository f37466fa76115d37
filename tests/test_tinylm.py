"""The course's own model: exact gradients, the record, and training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import experts, routing, text, tinylm
from moeviz.tinylm import network
from moeviz.tinylm.train import draw_batch, held_out_windows, training_starts
from tinylm_tools import SMALL, assert_gradients, far_from_ties, frozen_choice, spread_out, windows_of


def test_losses_of_rows_are_those_of_their_windows(small, corpus):
    rows = corpus.text[:60].reshape(3, 20)
    windows = np.lib.stride_tricks.sliding_window_view(rows, SMALL.context + 1, axis=1).reshape(-1, 4)
    wanted = small.window_losses(windows[:, :-1], windows[:, -1]).reshape(3, -1)
    np.testing.assert_allclose(small.row_losses(rows)[:, SMALL.context - 1:], wanted, rtol=1e-5)
    np.testing.assert_allclose(small.row_losses(rows)[0], small.losses(rows[0])[1:], rtol=1e-5)
    assert small.run_rows(rows, route=small.steered(k=1)).layers[0].routed.k == 1


@cases(("seed", "aux_weight"), [(0, 0.5), (1, 0.0), (2, 0.5)])
def test_gradient_of_the_whole_model_agrees_with_finite_differences(seed, aux_weight):
    config = tinylm.Config(**{**vars(SMALL), "aux_weight": aux_weight})
    rng = np.random.default_rng(seed)
    weights = spread_out(rng, config)
    weights |= {name: w + 0.3 * rng.normal(size=w.shape) for name, w in weights.items() if w.ndim == 1}
    windows, targets = windows_of(rng, 5)
    _, _, gradients, done = network.loss_and_gradients(weights, config, windows, targets)
    assert far_from_ties(done)
    assert set(gradients) == set(weights)
    assert_gradients(gradients, weights, config, windows, targets, route=frozen_choice(done),
                     balance=slow_balance, rng=rng)


def slow_balance(routed):
    share = np.bincount(routed.expert_index.ravel(), minlength=routed.num_experts)
    return routed.num_experts * (share / share.sum() * routed.probs.mean(axis=0)).sum()


def slow_logits(model, window):
    """Follow one window through the model, number by number where it matters."""
    w = {name: array.astype(float) for name, array in model.weights.items()}
    stream = np.maximum(np.concatenate([w["embedding"][b] for b in window]) @ w["w_mix"] + w["b_mix"], 0)
    for n in range(1, model.config.layers + 1):
        token = w[f"norm_{n}"] * stream / np.sqrt((stream ** 2).mean() + 1e-6)
        scores = np.exp(token @ w[f"gate_{n}"])
        best = sorted(range(len(scores)), key=lambda e: (-scores[e], e))[:model.config.k]
        for e in best:
            hidden = np.maximum(token @ w[f"w_in_{n}"][e], 0)
            stream = stream + scores[e] / scores[best].sum() * (hidden @ w[f"w_out_{n}"][e])
    return stream @ w["w_read"] + w["b_read"]


def test_forward_agrees_with_the_slow_specification(small):
    windows, _ = windows_of(np.random.default_rng(5), 9)
    fast = network.forward(small.weights, SMALL, windows).logits
    np.testing.assert_allclose(fast, [slow_logits(small, window) for window in windows], rtol=2e-4, atol=2e-5)


def test_cross_entropy_survives_large_logits():
    loss, gradient = network.cross_entropy(np.array([[1e4, -1e4]], dtype=np.float32), np.array([1]))
    assert np.isfinite(loss) and loss > 50 and np.isfinite(gradient).all()


def test_route_gives_one_record_per_layer_and_byte(stored):
    layers = stored.route("né 日")
    assert [layer.label for layer in layers] == ["layer 1", "layer 2"]
    assert all(layer.num_tokens == 7 and layer.num_experts == 8 and layer.k == 2 for layer in layers)


def test_text_bytes_and_array_route_alike(stored):
    sentence = "def f(x):"
    for other in (sentence.encode(), text.encode(sentence)):
        for one, two in zip(stored.route(sentence), stored.route(other), strict=True):
            assert np.array_equal(one.expert_index, two.expert_index)


def test_a_position_sees_eight_bytes_and_no_more(stored):
    one, two = stored.trace("XXXX12345678"), stored.trace("YYYY12345678")
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.logits[-1], b.logits[-1], rtol=1e-5, atol=1e-5)
        assert np.abs(a.logits[-2] - b.logits[-2]).max() > 1e-4


def test_before_the_first_byte_stand_newlines(stored):
    for a, b in zip(stored.trace("abc"), stored.trace("\n" * 7 + "abc"), strict=True):
        np.testing.assert_allclose(a.logits, b.logits[7:], rtol=1e-5, atol=1e-5)


def test_trace_hands_out_what_the_notebooks_recompute(stored):
    for number, layer in enumerate(stored.trace("The router reads bytes."), start=1):
        np.testing.assert_allclose(layer.tokens @ layer.gate, layer.logits, rtol=1e-4, atol=1e-4)
        again = routing.top_k(layer.logits, 2)
        assert np.array_equal(again.expert_index, layer.routed.expert_index)
        output = experts.forward_loop(layer.tokens, stored.bank(number), layer.routed)
        np.testing.assert_allclose(output, layer.output, rtol=1e-4, atol=1e-4)
        assert layer.gate is stored.gate(number)
        assert np.array_equal(stored.hidden("The router reads bytes.", layer=number), layer.tokens)


def test_loss_is_the_mean_surprise_of_each_byte(stored):
    sentence = text.encode("the value of the")
    probs = stored.predict(np.concatenate([[np.uint8(10)], sentence[:-1]]).astype(np.uint8))
    surprise = -np.log(probs[np.arange(len(sentence)), sentence])
    assert stored.loss(sentence) == pytest.approx(surprise.mean(), rel=1e-4)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-4)


def test_long_text_in_parts_gives_the_losses_of_single_windows(small):
    windows, targets = windows_of(np.random.default_rng(0), 9000)
    whole = small.window_losses(windows, targets)
    np.testing.assert_allclose(whole[8190:8194], small.window_losses(windows[8190:8194], targets[8190:8194]),
                               rtol=1e-5)


def test_the_stored_model_has_learned_to_read(stored):
    assert stored.loss("The value of the expression is the value of the first argument.") < 2.5
    untrained = tinylm.init(np.random.default_rng(0), stored.config)
    assert untrained.loss("The value of the expression") > 4.5


def test_the_record_is_frozen_and_copies(small):
    with pytest.raises(AttributeError):
        small.weights = {}
    with pytest.raises(TypeError):
        small.weights["b_mix"] = 0
    with pytest.raises(ValueError, match="read-only"):
        small.weights["b_mix"][0] = 1
    mine = {name: array.copy() for name, array in small.weights.items()}
    model = tinylm.TinyLM(mine, SMALL)
    mine["b_mix"][0] = 9
    assert model.weights["b_mix"][0] == 0


@given(st.one_of(st.text(min_size=1, max_size=80, alphabet=st.characters(exclude_categories=["Cs"])),
                 st.binary(min_size=1, max_size=80)))
def test_any_sentence_in_any_script_is_routed(sentence):
    for layer in tinylm.load().route(sentence):
        assert layer.num_tokens == len(text.encode(sentence))
        np.testing.assert_allclose(layer.combine_weight.sum(axis=1), 1, rtol=1e-5)


@cases("bad", ["", b"", None, 7, ["a"], np.arange(3)])
@cases("method", ["route", "trace", "hidden", "predict", "loss"])
def test_no_sentence_is_refused(small, method, bad):
    with pytest.raises(ValueError, match="sentence"):
        getattr(small, method)(bad)


@cases("layer", [0, 3, -1, 1.0, True])
@cases("method", ["gate", "bank"])
def test_a_layer_that_is_not_there_is_refused(small, method, layer):
    with pytest.raises(ValueError, match="layer"):
        getattr(small, method)(layer)
    with pytest.raises(ValueError, match="layer"):
        small.hidden("a", layer=layer)


BAD_WEIGHTS = {
    "missing": (lambda w: w.pop("gate_1"), "named"),
    "extra": (lambda w: w.update(more=np.zeros(1)), "named"),
    "shape": (lambda w: w.update(gate_1=w["gate_1"].T), "shape"),
    "dtype": (lambda w: w.update(b_mix=np.zeros(6, dtype=int)), "float32"),
    "nan": (lambda w: w.update(b_mix=np.full(6, np.nan)), "finite"),
    "objects": (lambda w: w.update(b_mix=np.full(6, None)), "float32"),
}


@cases("case", BAD_WEIGHTS)
def test_weights_that_do_not_fit_are_refused(small, case):
    spoil, word = BAD_WEIGHTS[case]
    weights = dict(small.weights)
    spoil(weights)
    with pytest.raises(ValueError, match=word):
        tinylm.TinyLM(weights, SMALL)


@cases(("name", "value"), [
    ("context", 0), ("embedding", -1), ("width", 1.5), ("num_experts", 0), ("hidden", 10_000), ("k", 9),
    ("k", 0), ("layers", 99), ("aux_weight", -0.1), ("aux_weight", float("nan")), ("batch", True),
    ("learning_rate", float("inf")), ("warm_up", 0), ("decay_share", 1.1)])
def test_config_refuses_impossible_sizes(name, value):
    with pytest.raises(ValueError, match=name):
        tinylm.Config(**{name: value})


WINDOWS = np.zeros((3, SMALL.context), np.uint8)
BAD_CALLS = {
    "weights": lambda m: tinylm.TinyLM(7, SMALL), "provenance": lambda m: tinylm.TinyLM(m.weights, SMALL, 7),
    "config": lambda m: tinylm.weight_shapes({"width": 8}),
    "config of init": lambda m: tinylm.init(np.random.default_rng(0), None),
    "rng": lambda m: tinylm.init(0, SMALL), "model": lambda m: tinylm.save({}, "never.npz"),
    "model of the report": lambda m: held_out_windows(None, None),
    "windows of floats": lambda m: m.route_windows(WINDOWS * 1.0),
    "windows too wide": lambda m: m.route_windows(np.zeros((3, 8), np.uint8)),
    "windows of none": lambda m: m.window_losses(WINDOWS[:0], []),
    "targets of floats": lambda m: m.window_losses(WINDOWS, [0.0, 1.0, 2.0]),
    "targets too few": lambda m: m.window_losses(WINDOWS, np.zeros(2, np.uint8)),
}


@cases("name", BAD_CALLS)
def test_bad_arguments_are_named(small, name):
    with pytest.raises(ValueError, match=rf"^{name.split()[0]} must"):
        BAD_CALLS[name](small)


def test_training_lowers_the_loss_and_keeps_the_corpus(corpus):
    before = corpus.sha256
    config = tinylm.Config(width=16, hidden=8, num_experts=4, batch=64, warm_up=5)
    model, history = tinylm.train(corpus, config=config, seed=1, steps=150, progress=False)
    assert history.loss.shape == history.balance.shape == (150,)
    assert history.load.shape == (150, 2, 4)
    np.testing.assert_allclose(history.load.sum(axis=2), 1)
    assert history.loss[-20:].mean() < history.loss[:20].mean() - 1
    assert corpus.sha256 == before and model.provenance["text_sha256"] == before
    assert model.provenance["seed"] == 1 and model.provenance["steps"] == 150


def test_the_same_seed_gives_the_same_weights(corpus):
    models = [tinylm.train(corpus, config=SMALL, seed=seed, steps=3, progress=False)[0] for seed in (4, 4, 5)]
    assert np.array_equal(models[0].weights["w_mix"], models[1].weights["w_mix"])
    assert not np.array_equal(models[0].weights["w_mix"], models[2].weights["w_mix"])


def test_progress_is_a_bar_on_stderr(corpus, capsys):
    tinylm.train(corpus, config=SMALL, steps=2, progress=True)
    shown = capsys.readouterr()
    assert "training" in shown.err and "2/2" in shown.err and shown.out == ""


def test_batches_never_touch_held_out_bytes_and_draw_domains_equally(corpus):
    mask, config = text.held_out_mask(corpus), tinylm.Config(batch=4000)
    marked = text.Corpus(np.where(mask, 255, corpus.domain.astype(np.uint8)).astype(np.uint8), corpus.domain,
                         corpus.domain_names, held_out=mask)
    pools = training_starts(marked, config)
    windows, targets, domain = draw_batch(np.random.default_rng(0), marked, pools, config)
    assert np.array_equal(domain, targets)
    assert windows.max() < 255 and targets.max() < 255
    assert (windows == targets[:, None]).all()
    assert np.bincount(targets, minlength=4).min() > 850


@cases(("name", "value"), [("steps", 0), ("steps", 1.5), ("seed", -1), ("seed", "a"),
                                             ("snapshots", 3), ("route", "top_k")])
def test_train_refuses_bad_counts(corpus, name, value):
    with pytest.raises(ValueError, match=name):
        tinylm.train(corpus, config=SMALL, progress=False, **{"steps": 1, name: value})


def test_train_refuses_a_domain_without_windows():
    tiny = text.Corpus(b"a" * 100 + b"bc", [0] * 100 + [1] * 2, ("long", "short"))
    with pytest.raises(ValueError, match="short"):
        tinylm.train(tiny, config=SMALL, steps=1, progress=False)

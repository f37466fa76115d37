"""The Transformer as a record: routing, losses, writing, training, and its file."""

import io
import zipfile

import numpy as np
import pytest

from cases import cases
from moeviz import experts, interventions, routing, text, training, transformer
from moeviz.transformer import blocks, decoder, held_out_loss, held_out_losses, held_out_rows

TINY = transformer.Config(width=16, heads=2, hidden=8, layers=2, num_experts=4, context=16, batch=4,
                          warm_up=2)
LONG = "Experts share the work, 24 48 72; nobody planned who reads what."


@pytest.fixture(scope="module")
def model():
    """A Transformer that was not trained, with gates that differ."""
    weights = dict(transformer.init(np.random.default_rng(0), TINY).weights)
    weights |= {name: 40 * w for name, w in weights.items() if name.startswith("gate")}
    return transformer.Transformer(weights, TINY, {"seed": 0})


@pytest.fixture(scope="module")
def rows(corpus):
    return held_out_rows(corpus, length=64).text[:4]


# --- what it says ------------------------------------------------------------------------------


def test_a_text_of_many_windows_is_routed_as_one_forward_pass_would(model):
    raw = np.frombuffer(("\n" + LONG).encode(), np.uint8)
    whole = blocks.forward(model.weights, TINY, raw[None], lambda logits, layer: routing.top_k(logits, 2))
    for layer, routed in zip(whole.layers, model.route(LONG), strict=True):
        np.testing.assert_array_equal(layer.routed.expert_index[1:], routed.expert_index)
    np.testing.assert_allclose(model.losses(LONG), -np.log(_softmax(whole.logits[0])[np.arange(len(raw) - 1),
                                                                                     raw[1:]]), rtol=1e-3)


def _softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_trace_holds_every_step_of_a_block(model):
    for number, block in enumerate(model.trace("seven bytes"[:9]), start=1):
        np.testing.assert_allclose(block.tokens @ model.gate(number), block.logits, rtol=1e-4, atol=1e-4)
        output = experts.forward_loop(block.tokens, model.bank(number), block.routed)
        np.testing.assert_allclose(output, block.output, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(block.before + block.attention + block.output, block.after, atol=1e-5)
        assert (np.triu(block.looks, 1) == 0).all() and block.looks.shape == (2, 9, 9)
        assert (block.looks.sum(axis=2) < 1).all()  # the newline in front takes its part
    with pytest.raises(ValueError, match="at most 15 bytes"):
        model.trace(LONG)


def test_writing_remembers_what_a_fresh_run_finds(model):
    written = model.write("The ", 30, rng=np.random.default_rng(1))
    whole = model.route(b"The " + written.text)
    for one, two in zip(written.routed, whole, strict=True):
        np.testing.assert_array_equal(one.expert_index, two.expert_index[4:])
    chances = model.predict(b"The " + written.text)[3:-1].astype(float) ** (1 / 0.7)
    expected = chances[np.arange(30), list(written.text)] / chances.sum(axis=1)
    np.testing.assert_allclose(written.chances, expected, rtol=1e-3)


def test_writing_at_temperature_0_takes_the_most_probable_byte(model):
    one, two = (model.write("ab", 8, rng=np.random.default_rng(seed), temperature=0) for seed in (0, 1))
    assert one.text == two.text
    assert model.write("ab", 8, rng=np.random.default_rng(0), off={1: [0, 1, 2]}).routed[0].k == 1
    with pytest.raises(ValueError, match="rng"):
        model.write("ab", 8, rng=0)
    with pytest.raises(ValueError, match="length"):
        model.write("ab", 0, rng=np.random.default_rng(0))


@cases("bad", ["", b"", None, 7])
@cases("method", ["route", "trace", "predict", "loss"])
def test_no_sentence_is_refused(model, method, bad):
    with pytest.raises(ValueError, match="sentence"):
        getattr(model, method)(bad)


# --- training ----------------------------------------------------------------------------------


def test_training_lowers_the_loss(corpus):
    model, history = transformer.train(corpus, config=TINY, seed=1, steps=60, progress=False)
    assert history.loss.shape == (60,) and history.load.shape == (60, 2, 4)
    np.testing.assert_allclose(history.load.sum(axis=2), 1)
    assert history.loss[-10:].mean() < history.loss[:10].mean() - 0.5
    assert model.provenance["trained"] and model.provenance["steps"] == 60
    assert model.provenance["text_sha256"] == corpus.sha256
    losses = held_out_loss(model, corpus, length=40)
    assert set(losses) <= set(corpus.domain_names) and 1 < max(losses.values()) < 6


def test_the_same_seed_gives_the_same_weights(corpus):
    first, again, other = (transformer.train(corpus, config=TINY, seed=seed, steps=2, progress=False)[0]
                           for seed in (3, 3, 4))
    assert np.array_equal(first.weights["w_query_1"], again.weights["w_query_1"])
    assert not np.array_equal(first.weights["w_query_1"], other.weights["w_query_1"])


def test_other_routers_and_the_bias_rule_train(corpus):
    config = transformer.Config(**{**vars(TINY), "aux_weight": 0.0, "bias_rate": 0.02})
    router = training.routers.biased_top_k(2, renormalize=True)
    _, history = transformer.train(corpus, config=config, steps=30, progress=False, router=router)
    config = transformer.Config(**{**vars(config), "bias_rate": 0.0})
    _, free = transformer.train(corpus, config=config, steps=30, progress=False, router=router)
    uneven, freely = (each.load[-15:].mean(axis=0).max() for each in (history, free))
    assert 0.25 <= uneven < freely - 0.03


def test_training_can_go_on_from_a_model(corpus):
    start = transformer.train(corpus, config=TINY, steps=40, progress=False)[0]
    _, history = transformer.train(corpus, config=TINY, steps=5, progress=False, start=start)
    assert history.loss.mean() < 5


def test_progress_is_a_bar_on_stderr(corpus, capsys):
    transformer.train(corpus, config=TINY, steps=2)
    assert "2/2" in capsys.readouterr().err


def test_training_never_sees_held_out_bytes(corpus):
    from moeviz.transformer.descent import draw_batch, training_starts
    marked = text.Corpus(np.where(corpus.held_out, 255, 7).astype(np.uint8), corpus.domain,
                         corpus.domain_names, held_out=corpus.held_out)
    config = transformer.Config(batch=200, context=16)
    pools = training_starts(marked, config)
    assert (draw_batch(np.random.default_rng(0), marked, pools, config) == 7).all()


# --- the file ----------------------------------------------------------------------------------


def test_a_saved_model_comes_back_rounded(model, tmp_path):
    decoder.save(model, tmp_path / "a.npz")
    again = transformer.load_weights(tmp_path / "a.npz")
    assert again.config == TINY and again.provenance["seed"] == 0
    for name, array in model.weights.items():
        np.testing.assert_array_equal(again.weights[name], array.astype(np.float16).astype(np.float32))
    decoder.save(model, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    np.testing.assert_array_equal(decoder.rounded(model).weights["gate_1"], again.weights["gate_1"])


def test_files_of_another_kind_are_refused(model, tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        content = io.BytesIO()
        np.save(content, np.array({"a": 1}, dtype=object), allow_pickle=True)
        archive.writestr("about.npy", content.getvalue())
    with pytest.raises(ValueError, match="weights file"):
        transformer.load_weights(path)
    with pytest.raises(ValueError, match="model must"):
        decoder.save(3, path)


# --- interventions -----------------------------------------------------------------------------


def test_an_expert_that_nobody_used_leaves_the_last_layer_alone(model, rows):
    found = interventions.study(model, rows, layer=2)
    assert found.damage.shape == found.used.shape == (4, 4, 32)
    assert np.abs(found.damage[~found.used]).max() < 1e-4 < np.abs(found.damage[found.used]).max()
    first = interventions.study(model, rows, layer=1)
    assert np.abs(first.damage[~first.used]).max() > 1e-3  # through attention and the layer above


def test_effects_on_others_come_through_attention_alone(model, rows):
    used = interventions.study(model, rows, layer=1).used[1]
    at = np.zeros(rows[:, :-1].shape, dtype=bool)
    at[:, 32:] = ~used
    found = interventions.path_through_attention(model, rows, layer=1, expert=1, at=at)
    assert found["off there"] == pytest.approx((0, 0), abs=1e-5)
    assert found["attention blocked"] == pytest.approx((0, 0), abs=1e-5)
    assert abs(found["off"][0]) > 1e-5 and found["looking at 2"] == found["attention blocked"]


def test_other_ways_to_run(model, rows):
    rng, plain = np.random.default_rng(0), model.row_losses(rows)
    done = model.run_rows(rows)
    same = interventions.frozen(model, done, (1, 2))
    np.testing.assert_allclose(model.row_losses(rows, route=same), plain, rtol=1e-5)
    still = interventions.noisy(model, 2, 0.0, rng=rng)
    np.testing.assert_allclose(model.row_losses(rows, route=still), plain)
    for route in (interventions.noisy(model, 2, 5.0, rng=rng), interventions.shuffled(model, 2, rng=rng),
                  interventions.silent(model, 2, 1), interventions.random_pairs_off(model, 2, 0.5, rng=rng)):
        assert np.abs(model.row_losses(rows, route=route) - plain).max() > 1e-3
    shuffled = model.run_rows(rows, route=interventions.shuffled(model, 2, rng=rng)).layers[1].routed
    assert (np.bincount(shuffled.expert_index.ravel()) == np.bincount(
        done.layers[1].routed.expert_index.ravel())).all()
    quiet = model.run_rows(rows, route=interventions.silent(model, 2, 1)).layers[1].routed
    assert not quiet.kept[quiet.expert_index == 1].any() and quiet.kept[quiet.expert_index != 1].all()


def test_random_choices_that_are_off_are_as_many_as_asked_and_of_no_expert_in_particular(model):
    logits = np.random.default_rng(0).normal(size=(4000, 4))
    plain = model.steered()(logits, 2)
    null = interventions.random_pairs_off(model, 2, 0.25, rng=np.random.default_rng(1))
    lost = plain.chosen() & ~null(logits, 2).chosen()
    share = lost.sum(axis=0) / plain.chosen().sum(axis=0)  # of its tokens, how many an expert loses
    np.testing.assert_allclose(share, 0.25, atol=0.05)
    assert np.array_equal(null(logits, 1).expert_index, plain.expert_index)


def test_one_layer_is_changed_in_seven_ways(model, rows, small):
    for each, layers in ((model, 2), (small, 2)):
        for layer in range(1, layers + 1):
            ways = interventions.changes(each, rows, layer=layer, rng=np.random.default_rng(0))
            assert len(ways) == 7 and {damage.shape for damage in ways.values()} == {(4, 32)}
            study = interventions.study(each, rows, layer=layer)
            np.testing.assert_allclose(ways["an expert off"], study.damage.mean(axis=0), atol=1e-6)
            same = np.allclose(ways["off, later choices kept"], ways["an expert off"], atol=1e-6)
            assert same == (layer == layers)  # behind the last layer nothing chooses
        assert all(np.abs(damage).max() > 0 for damage in ways.values())
    with pytest.raises(ValueError, match="layer"):
        interventions.changes(model, rows, layer=3, rng=np.random.default_rng(0))


def test_what_stands_before_a_change_may_be_known_already(model, rows, small):
    for each in (model, small):
        done = each.run_rows(rows)
        for layer in (1, 2):
            route = interventions.without(each, {layer: [1]})
            anew = each.run_rows(rows, route=route)
            short = each.run_rows(rows, route=route, known=done.layers[:layer])
            assert np.array_equal(short.logits, anew.logits) and not np.array_equal(anew.logits, done.logits)
            assert len(short.layers) == 2 and short.layers[:layer - 1] == done.layers[:layer - 1]
            assert np.array_equal(each.row_losses(rows, route=route, known=done.layers[:layer]),
                                  each.row_losses(rows, route=route))


def test_noise_stays_in_its_layers(model, rows):
    route = interventions.noisy(model, 2, 5.0, rng=np.random.default_rng(0))
    changed, done = model.run_rows(rows, route=route), model.run_rows(rows)
    assert np.array_equal(changed.layers[0].routed.expert_index, done.layers[0].routed.expert_index)
    assert not np.array_equal(changed.layers[1].routed.expert_index, done.layers[1].routed.expert_index)


def test_positions_of_a_class_are_those_of_its_bytes():
    rows = np.frombuffer(b"a1 2b 3c", np.uint8).reshape(2, 4)
    digit = interventions.CLASSES.index("digit")
    assert interventions.positions_of(rows, digit).tolist() == [[False, True, False], [False, False, True]]


def test_groups_may_be_positions_or_domains():
    damage = np.arange(24.0).reshape(1, 4, 6)
    by_place = interventions.by_group(damage, np.arange(6) // 3, 2)
    np.testing.assert_allclose(by_place.mean, [[10, 13]])
    by_domain = interventions.by_group(damage, np.array([0, 0, 1, 1])[:, None], 3)
    np.testing.assert_allclose(by_domain.mean, [[5.5, 17.5, np.nan]])
    named = interventions.effects({"off": damage[0], "on": 2 * damage[0]}, np.arange(6) // 3, 2)
    np.testing.assert_allclose(named["on"], [2 * by_place.mean[0], 2 * by_place.error[0]])


def test_an_expert_in_anothers_place_is_that_expert(model):
    other = interventions.placed(model, 2, 1, by=3)
    np.testing.assert_array_equal(other.weights["w_in_2"][1], model.weights["w_in_2"][3])
    np.testing.assert_array_equal(other.weights["w_in_2"][0], model.weights["w_in_2"][0])
    assert interventions.placed(model, 2, 1, by=1).loss(LONG) == model.loss(LONG) != other.loss(LONG)


def test_errors_are_over_rows_and_nulls_know_nothing():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 1)) + np.zeros((400, 20))  # the bytes of a row are all alike
    mean, error = interventions.mean_error(rows)
    assert error == pytest.approx(rows[:, 0].std(ddof=1) / 20, rel=1e-6) and abs(mean) < 4 * error
    classes = rng.integers(0, 6, size=(50, 40))
    damage = np.stack([(classes == e).astype(float) for e in range(6)])
    told = interventions.class_information(damage, classes)
    null = interventions.class_information_null(damage, classes, rng=rng, repeats=5)
    assert told == pytest.approx(np.log2(6), abs=0.05) and null.max() < 0.1
    table = interventions.by_class(damage, classes)
    np.testing.assert_allclose(table.mean, np.eye(6), atol=1e-12)


def test_harm_beyond_the_users_is_a_share_of_all():
    damage, used = np.array([[[1.0, 3.0]], [[-0.5, 0.5]]]), np.array([[[True, False]], [[False, True]]])
    found = interventions.Study(1, damage[0], damage, used, np.zeros((1, 2), int))
    assert interventions.beyond_its_users(found) == (2.5 / 4, 3.0)


def test_pairs_that_a_table_of_use_would_misjudge():
    use = [interventions.Means(np.array([[0.0, 0.9], [0.5, 0.02]]), np.zeros((2, 2)))] * 2
    harm = [interventions.Means(np.array([[0.2, 0.3], [-0.1, 0.4]]), np.full((2, 2), 0.01)),
            interventions.Means(np.array([[9.0, -0.01], [0.2, 0.9]]), np.full((2, 2), 0.02))]
    assert interventions.unused_but_vital(use, harm) == (1, 1, 1, 0.02, 0.4, 0.01)
    assert interventions.used_but_redundant(use, harm) == (2, 0, 1, 0.9, -0.01, 0.02)
    thirds = [interventions.Means(each.mean / 3, each.error) for each in use]
    with pytest.raises(ValueError, match="use has no pair"):
        interventions.used_but_redundant(thirds, harm)


def test_tables_of_use_and_harm_are_compared_where_there_are_bytes():
    use, harm = np.array([[0.9, 0.2, np.nan], [0.1, 0.8, np.nan]]), np.array([[0.4, 0.3, 9], [0.0, 0.2, 9]])
    slow = np.corrcoef([0.9, 0.2, 0.1, 0.8], [0.4, 0.3, 0.0, 0.2])[0, 1]
    assert interventions.correlation(use, harm) == pytest.approx(slow)
    assert interventions.commonest_is_worst(use[:, :2], harm[:, :2]).tolist() == [True, False]


def test_drift_is_late_less_early_with_an_error_over_rows():
    early, late = np.array([0.0, 1.0, 5.0]), np.array([1.0, 3.0, 4.0])
    damage = np.repeat([early, np.full(3, 9.0), late], 4, axis=0).T
    assert interventions.drift(damage) == pytest.approx((2 / 3, np.std(late - early, ddof=1) / 3**0.5))


def test_what_tells_the_choice(rows, corpus):
    config = transformer.Config(**{**vars(TINY), "layers": 1})
    weights = dict(transformer.init(np.random.default_rng(0), config).weights)
    weights |= {"gate_1": 40 * weights["gate_1"], "w_merge_1": 0 * weights["w_merge_1"]}  # no attention
    many = held_out_rows(corpus, length=64).text
    model = transformer.Transformer(weights, config)
    found = interventions.what_tells(model, many, rng=np.random.default_rng(0))
    assert found[0].byte > 0.85 and found[0].previous < 0.05


def test_rows_are_apart_and_held_out(corpus):
    found = held_out_rows(corpus, length=40)
    fresh = transformer.init(np.random.default_rng(0), TINY)
    assert held_out_losses(fresh, found).shape == (len(found.text), 8)
    few = held_out_rows(corpus, length=40, per_domain=2)
    assert np.bincount(few.domain).max() <= 2 and len(few.text) <= 8
    raw = corpus.text[corpus.held_out].tobytes()
    assert all(row.tobytes() in raw for row in found.text)

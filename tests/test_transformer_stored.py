"""The Transformer in the box: what it has learned, its size, and the short runs beside it."""

import json

import numpy as np
import pytest

from cases import cases
from moeviz import interventions, short_runs, text, tinylm, transformer
from moeviz.files import stored as stored_file


@pytest.fixture(scope="module")
def model():
    return transformer.load()


@pytest.fixture(scope="module")
def rows():
    return transformer.held_out_rows(text.load_corpus(), per_domain=6)


def test_the_file_says_how_it_was_made(model):
    about = model.provenance
    assert {"seed", "steps", "text_sha256", "text_notes", "held_out_loss", "minutes", "numpy"} <= set(about)
    assert about["minutes"] <= 40 and len(about["text_sha256"]) == 64
    assert model.config == transformer.Config()


def test_everything_stored_is_small():
    folder = stored_file("transformer.npz").parent
    sizes = {path.name: path.stat().st_size for path in folder.glob("*transformer*")}
    assert sizes["transformer.npz"] < 1_600_000 and sum(sizes.values()) < 1_700_000


@pytest.mark.slow
def test_it_reads_held_out_text_better_than_the_byte_model(model, rows):
    losses = transformer.held_out_losses(model, rows)
    windows = np.lib.stride_tricks.sliding_window_view(rows.text, 9, axis=1)[:, 25:]
    small = tinylm.load().window_losses(windows[..., :8].reshape(-1, 8), windows[..., 8].ravel())
    gain = small.reshape(losses.shape) - losses
    assert losses.mean() < 1.3
    assert np.mean([gain[rows.domain == d].mean() for d in range(4)]) > 0.3


@pytest.mark.parametrize(("prompt", "goes_on"), [
    ("The value of the expressi", "on"), ("    def __init__(se", "lf"),
    ("import sys\nfrom collections imp", "ort")])
def test_it_writes_words_to_their_end(model, prompt, goes_on):
    written = model.write(prompt, len(goes_on), rng=np.random.default_rng(0), temperature=0)
    assert written.text.decode() == goes_on


@pytest.mark.slow
def test_harm_has_structure_beyond_chance(model, rows):
    found = interventions.study(model, rows.text, layer=3)
    rng = np.random.default_rng(0)
    null = interventions.class_information_null(found.damage, found.classes, rng=rng, repeats=5)
    assert interventions.class_information(found.damage, found.classes) > null.max()
    assert np.abs(found.damage[~found.used]).max() < 1e-3  # nothing above the last layer passes it on


def test_short_runs_are_of_three_seeds_and_five_kinds():
    runs, about = short_runs.load_short()
    assert {(run.kind, run.seed) for run in runs} == {(kind, seed) for kind in short_runs.KINDS
                                                      for seed in short_runs.SEEDS}
    assert all(run.steps == short_runs.STEPS and 1 < run.loss < 3 for run in runs)
    assert "--short" in about["made_by"]


def test_a_short_run_can_be_made_again(corpus, tmp_path):
    runs = [short_runs.run_short(corpus, kind, 0, steps=2) for kind in ("upcycled", "dense, as active")]
    short_runs.save_short(tmp_path / "a.json", runs, {"made_by": "a test"})
    again, about = short_runs.load_short(tmp_path / "a.json")
    assert again == runs and about == {"made_by": "a test"}
    assert set(runs[0].at_k) == {1, 2, 3, 4, 8} and set(runs[1].at_k) == {1}
    with pytest.raises(ValueError, match="kind must be one of"):
        short_runs.run_short(corpus, "other", 0, steps=2)


@cases("spoil", [lambda read: read.pop("about"), lambda read: read["runs"][0].pop(),
                 lambda read: read["runs"][0].__setitem__(0, "other"),
                 lambda read: read["runs"][0].__setitem__(4, float("nan")),
                 lambda read: read["runs"][0].__setitem__(6, {"two": 1.0}), lambda read: read.update(runs=3)])
def test_another_file_is_refused(spoil, tmp_path):
    read = json.loads(short_runs.STORED.read_text())
    spoil(read)
    (tmp_path / "a.json").write_text(json.dumps(read))
    with pytest.raises(ValueError, match=r"a\.json must hold short runs"):
        short_runs.load_short(tmp_path / "a.json")


def test_copies_of_a_dense_layer_say_what_it_said():
    config = transformer.Config(width=16, heads=2, hidden=8, layers=2, num_experts=1, k=1, context=16)
    dense = transformer.init(np.random.default_rng(0), config)
    from moeviz.transformer import upcycle
    copies = upcycle(dense, 4, rng=np.random.default_rng(1))
    assert copies.config.num_experts == 4 and copies.config.k == 2
    np.testing.assert_allclose(copies.losses("the same"), dense.losses("the same"), rtol=1e-4)
    with pytest.raises(ValueError, match="dense"):
        upcycle(copies, 4, rng=np.random.default_rng(1))

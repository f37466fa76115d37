"""Interventions on three seeds: made as in a notebook, stored, read, and set beside an earlier run."""

import json

import numpy as np
import pytest

from cases import cases
from moeviz import causal_runs, earlier, interventions, transformer
from moeviz.transformer import held_out_rows, train

TINY = transformer.Config(width=16, heads=2, hidden=8, layers=2, num_experts=4, context=64)


@pytest.fixture(scope="module")
def made(corpus):
    return causal_runs.run_causal(corpus, 1, config=TINY, steps=3, per_domain=4)


@pytest.fixture(scope="module")
def runs():
    return causal_runs.load_causal()[0]


def test_a_run_holds_what_the_interventions_say(made, corpus):
    model, _ = train(corpus, config=TINY, seed=1, steps=3, progress=False)
    rows = held_out_rows(corpus, length=64, per_domain=4).text
    study = interventions.study(model, rows, layer=2)
    layer = made.layers[1]
    np.testing.assert_allclose(layer.harm.mean, interventions.by_class(study.damage, study.classes).mean)
    assert layer.ways["an expert off"][0] == pytest.approx(study.damage.mean(), abs=1e-6)
    assert layer.others == interventions.beyond_its_users(study) and layer.others[1] < 1e-5
    assert made.at_k[2] == pytest.approx(interventions.judged(model.row_losses(rows)).mean(), rel=1e-5)
    assert made.seed == 1 and made.steps == 3 and set(made.at_k) == {1, 2, 3, 4}


def test_a_pair_is_measured_on_other_rows_than_it_was_sought_on(made, corpus):
    model, _ = train(corpus, config=TINY, seed=1, steps=3, progress=False)
    rows = held_out_rows(corpus, length=64, per_domain=4).text[1::2]
    study = interventions.study(model, rows, layer=made.vital.layer)
    at = study.classes == made.vital.kind
    assert made.vital.damage == pytest.approx(study.damage[made.vital.expert][at].mean(), abs=1e-6)
    assert made.path["off"] == pytest.approx(made.vital[4:], abs=1e-6)


def test_what_is_stored_is_of_three_seeds_and_says_how_it_was_made(runs):
    about = causal_runs.load_causal()[1]
    assert [run.seed for run in runs] == list(causal_runs.SEEDS)
    assert {run.steps for run in runs} == {causal_runs.STEPS}
    assert about["made_by"] == "python -m moeviz.transformer --causal" and len(about["text_sha256"]) == 64
    assert transformer.Config(**about["config"]) == transformer.Config()
    for run in runs:
        assert len(run.layers) == 3 and run.layers[2].others[1] < 1e-3
        assert all(set(layer.ways) == set(interventions.WAYS) for layer in run.layers)


def test_a_file_gives_back_what_was_saved(made, tmp_path):
    causal_runs.save_causal(tmp_path / "a.json", [made], {"made_by": "a test"})
    (again,), about = causal_runs.load_causal(tmp_path / "a.json")
    assert about == {"made_by": "a test"} and again.at_k.keys() == made.at_k.keys()
    assert causal_runs._plain(again) == causal_runs._plain(made)


@cases("spoil", [
    lambda read: read.pop("about"), lambda read: read["runs"][0].pop("vital"),
    lambda read: read["runs"][0].update(seed=-1), lambda read: read["runs"][0].update(loss=[1]),
    lambda read: read["runs"][0]["at_k"].update({"two": 1.0}),
    lambda read: read["runs"][0]["layers"][0].update(bits="1"),
    lambda read: read["runs"][0]["layers"][0]["told"].append(1.0),
    lambda read: read["runs"][0]["layers"][0]["use"]["mean"].pop(),
    lambda read: read["runs"][0]["layers"][0]["harm"]["mean"][0].append(None),
    lambda read: read["runs"][0]["spare"].update(kind=6),
    lambda read: read["runs"][0]["path"].update(off=[1.0, float("nan")]), lambda read: read.update(runs={})])
def test_another_file_is_refused(spoil, made, tmp_path):
    causal_runs.save_causal(tmp_path / "a.json", [made], {})
    read = json.loads((tmp_path / "a.json").read_text())
    spoil(read)
    (tmp_path / "a.json").write_text(json.dumps(read))
    with pytest.raises(ValueError, match=r"a\.json must hold results of interventions"):
        causal_runs.load_causal(tmp_path / "a.json")


def test_tables_set_the_earlier_run_beside_each_layer(runs):
    columns = causal_runs.beside(runs, "an expert off", "choices shuffled")
    assert columns["layer"] == (1, 2, 3, 1, 2, 3)
    assert columns[causal_runs.EARLIER] == ["0.14 to 0.17", "0.06 to 0.08", "0.06 to 0.09", "", "", ""]
    off = causal_runs.by_layer(runs, "an expert off")
    assert columns["seed 1"][:3] == tuple(off[1])
    changes = causal_runs.changes_of_k(runs)
    assert changes["seed 2"][1] == 0 and changes[causal_runs.EARLIER][:2] == ["0.03 to 0.05", ""]
    assert causal_runs.pairs(runs, "vital")["class"][-1] == "digit"
    assert set(earlier.LAYERS) <= set(causal_runs.QUANTITIES)
    for call in (causal_runs.by_layer, causal_runs.pairs):
        with pytest.raises(ValueError, match="name must be one of"):
            call(runs, "other")


def test_the_command_saves_what_it_made_of_three_seeds(made, tmp_path, monkeypatch, capsys):
    from moeviz.transformer import __main__ as command
    monkeypatch.setattr(causal_runs, "run_causal", lambda corpus, seed: made._replace(seed=seed))
    assert command.main(["--causal", "--bytes", "20000", "--out", str(tmp_path / "a.json")]) == 0
    runs, about = causal_runs.load_causal(tmp_path / "a.json")
    assert [run.seed for run in runs] == [0, 1, 2] and about["rows_per_domain"] == causal_runs.PER_DOMAIN
    assert about["config"]["width"] == 96 and "seed 2, 3 steps" in capsys.readouterr().out

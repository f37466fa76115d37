"""Held-out losses, routing statistics, and `python -m moeviz.tinylm`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from moeviz import environment, text, tinylm
from moeviz.tinylm import __main__ as command
from moeviz.tinylm import held_out_loss, held_out_windows
from moeviz.tinylm.__main__ import routing_statistics
from tinylm_tools import SMALL

pytestmark = pytest.mark.slow


def test_held_out_loss_is_the_mean_over_the_held_out_windows_of_a_domain(corpus, small):
    mask, losses = text.held_out_mask(corpus), {name: [] for name in corpus.domain_names}
    for end in range(SMALL.context, len(corpus.text)):
        window = slice(end - SMALL.context, end + 1)
        if mask[window].all() and len(set(corpus.domain[window])) == 1:
            probs = small.predict(corpus.text[window])[-2]
            losses[corpus.domain_names[corpus.domain[end]]].append(-np.log(probs[corpus.text[end]]))
    found = held_out_loss(small, corpus)
    assert found == pytest.approx({name: np.mean(values) for name, values in losses.items()}, rel=1e-4)


def test_routing_statistics_by_hand(corpus, small):
    windows, _, domains = held_out_windows(small, corpus)
    layers = routing_statistics(small, corpus, rng=np.random.default_rng(0))
    assert len(layers) == 2
    for layer, chosen in zip(layers, small.route_windows(windows), strict=True):
        first, share = chosen.expert_index[:, 0], np.bincount(chosen.expert_index.ravel(), minlength=4)
        share = share / share.sum()
        assert layer["dead"] == (share < 0.1 / 4).sum()
        assert layer["max_violation"] == pytest.approx(4 * share.max() - 1)
        assert layer["repetition"] == pytest.approx((first[1:] == first[:-1]).mean())
        within = [(np.bincount(first[domains == d]) ** 2).sum() / (domains == d).sum() for d in range(4)]
        assert layer["within_domain"] == pytest.approx(sum(within) / len(first), abs=0.02)
        assert layer["shuffled"] == pytest.approx(layer["sum_f2"], abs=0.02)


def test_the_stored_model_specialises_on_text_it_has_not_seen(stored):
    real = text.load_corpus()
    layers = routing_statistics(stored, real, rng=np.random.default_rng(0))
    fresh = tinylm.init(np.random.default_rng(0), stored.config)
    untrained = routing_statistics(fresh, real, rng=np.random.default_rng(0))
    for layer, before in zip(layers, untrained, strict=True):
        assert layer["dead"] == 0
        assert layer["repetition"] > layer["within_domain"] + 0.02
        assert layer["within_domain"] > layer["sum_f2"]
        assert layer["class_information"] > 2 * before["class_information"]
    losses = held_out_loss(stored, real)
    assert max(losses["prose"], losses["code"]) < 2.1 and losses["digits"] < 1.1 and losses["names"] < 4


def program(monkeypatch, capsys, *argv):
    little = text.load_corpus(bytes_per_domain=3000, fallback=True)
    monkeypatch.setattr(command, "load_corpus", lambda: little)
    try:
        code = command.main(list(argv))
    except SystemExit as stop:
        code = stop.code
    return code, capsys.readouterr()


def test_the_command_trains_saves_and_reports(monkeypatch, capsys, tmp_path):
    out = tmp_path / "new.npz"
    code, shown = program(monkeypatch, capsys, "--steps", "3", "--seed", "7", "--out", str(out))
    assert code == 0 and "trained 3 steps" in shown.out and f"saved to {out}" in shown.out
    for word in ("prose", "code", "digits", "names", "MaxVio", "FALLBACK", "nats per byte"):
        assert word in shown.out
    facts = tinylm.load_weights(out).provenance
    assert (facts["seed"], facts["steps"]) == (7, 3) and set(facts["held_out_loss"]) == set(text.DOMAIN_NAMES)
    assert "training" in shown.err


def test_the_command_replaces_the_course_model_only_when_asked(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(command, "STORED", tmp_path / "stored.npz")
    assert "not saved" in program(monkeypatch, capsys, "--steps", "1")[1].out
    assert not (tmp_path / "stored.npz").exists()
    program(monkeypatch, capsys, "--steps", "1", "--replace")
    assert tinylm.load_weights(tmp_path / "stored.npz").config == tinylm.Config()


def test_a_course_model_that_cannot_be_replaced_is_said_before_the_training(monkeypatch, capsys):
    monkeypatch.setattr(command, "STORED", Path("/nowhere/stored.npz"))
    code, shown = program(monkeypatch, capsys, "--steps", "1", "--replace")
    assert code == 2 and "no folder /nowhere" in shown.err and "steps in" not in shown.out


def test_the_command_evaluates_without_training(monkeypatch, capsys):
    code, shown = program(monkeypatch, capsys, "--evaluate")
    assert code == 0 and "trained" in shown.out and "another text" in shown.out
    assert "steps in" not in shown.out and "saved" not in shown.out


def test_the_program_runs_with_one_thread_and_passes_its_exit_code_on(monkeypatch):
    for name in environment.THREAD_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-m", "moeviz.tinylm", "--steps", "0"], capture_output=True,
                          timeout=120, check=False, text=True)
    assert done.returncode == 2 and "steps" in done.stderr and "Traceback" not in done.stderr


def test_an_interrupt_saves_nothing_and_shows_no_traceback(monkeypatch, capsys, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(command, "train", interrupted)
    code, shown = program(monkeypatch, capsys, "--out", str(tmp_path / "new.npz"))
    assert code == 130 and "nothing was saved" in shown.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("argv", "word"), [
    (["--steps", "0"], "steps"), (["--steps", "many"], "invalid int"), (["--seed", "-1"], "seed"),
    (["--evaluate", "/nowhere.npz"], "nowhere"), (["--out", "/nowhere/at/all.npz"], "nowhere"),
    (["extra"], "unrecognized")])
def test_the_command_says_what_is_wrong(monkeypatch, capsys, argv, word):
    code, shown = program(monkeypatch, capsys, *argv)
    assert code == 2 and word in shown.err and "Traceback" not in shown.err

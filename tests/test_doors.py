"""What comes in from outside and is not what it seems: each of these was a crash, a hang or wrong numbers."""

import json
import tracemalloc

import numpy as np
import pytest

from moeviz import learning, losses, metrics, routing
from moeviz.record import Routing
from moeviz.tinylm import __main__ as tinylm_command
from moeviz.transformer import __main__ as transformer_command


def test_masked_entries_are_not_counted_in_silence():
    hidden = np.ma.masked_array([[1.0, 2.0], [3.0, 4.0]], mask=[[False, True], [False, False]])
    with pytest.raises(ValueError, match="logits hides 1 masked entries"):
        routing.top_k(hidden, k=1)
    assert routing.top_k(np.ma.masked_array([[1.0, 2.0]]), k=1).expert_index.tolist() == [[1]]


def test_long_doubles_are_taken_as_doubles():
    assert routing.top_k(np.longdouble([[1.0, 2.0]]), k=1).logits.dtype == np.float64


def test_an_array_that_refuses_to_be_read_is_named():
    class Refusing:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach() first")

    with pytest.raises(ValueError, match=r"logits is not an array: call detach\(\) first"):
        routing.top_k(Refusing(), k=1)


def test_the_z_loss_of_large_single_precision_logits_is_a_number():
    value, gradient = losses.z_loss(np.float32([[1e25, 0.0]]))
    assert value == pytest.approx(1e50)
    assert np.isfinite(gradient).all()


def test_information_is_never_more_than_all_of_it():
    labels = np.array([0] * 9 + [1])
    expert = np.where(labels == 0, 0, 1)[:, None].repeat(4, axis=1)
    expert[:9, 1:] = -1  # the rare label has four choices a token, the common one has one
    share = metrics.mutual_information(expert, labels) / metrics.label_entropy(labels, expert)
    assert share == pytest.approx(1)
    assert metrics.mutual_information(expert, labels) > 1.2 * metrics.label_entropy(labels)


def peak_of(call, *arguments, **options):
    """Return how many bytes a call takes at once."""
    tracemalloc.start()
    try:
        call(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_many_choices_are_checked_without_comparing_all_pairs():
    index = np.random.default_rng(0).random((2, 4000)).argsort(axis=1)
    peak = peak_of(Routing, None, None, index, None, np.ones(index.shape, bool), "all", num_experts=4000)
    assert peak < 20 * index.nbytes  # pairs would take 250 times that


def test_a_long_text_is_routed_in_blocks(stored, monkeypatch):
    text = b"The router reads bytes. " * 400
    whole = peak_of(stored.route, text)
    monkeypatch.setattr("moeviz.tinylm.model.BLOCK", 512)
    assert peak_of(stored.route, text) < whole / 3


@pytest.mark.slow
def test_the_load_loss_of_many_tokens_needs_little_memory():
    rng, shape = np.random.default_rng(0), (20_000, 64)
    clean, noise = rng.normal(size=shape), rng.normal(size=shape)
    noisy = routing.noisy_top_k(clean, noise, k=2, rng=rng)
    assert peak_of(losses.load_loss, noisy, clean, noise) < 6 * clean.nbytes


@pytest.mark.parametrize("command", [learning.main, tinylm_command.main, transformer_command.main])
def test_a_target_that_cannot_be_written_is_said_before_any_training(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(learning, "measure", None)  # calling either would fail
    monkeypatch.setattr(tinylm_command, "train", None)
    monkeypatch.setattr(transformer_command, "begin", None)
    for target in (tmp_path / "nowhere" / "x.json", tmp_path):
        with pytest.raises(SystemExit):
            command(["--out", str(target)])
        assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command(["--out", ""])
    assert "name is empty" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "trains"), [(learning, "measure"), (tinylm_command, "train"),
                                                (transformer_command, "begin")])
def test_ctrl_c_ends_a_training_with_a_sentence(module, trains, tmp_path, monkeypatch, capsys, corpus):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, trains, stopped)
    monkeypatch.setattr(module, "load_corpus", lambda **options: corpus)
    assert module.main(["--out", str(tmp_path / "out")]) == 130
    assert "stopped; nothing was" in capsys.readouterr().err and not any(tmp_path.iterdir())


def test_runs_are_written_whole(tmp_path, monkeypatch):
    path = tmp_path / "runs.json"
    path.write_text("old", encoding="utf-8")
    monkeypatch.setattr(json, "dumps", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        learning.save_runs(path, learning.load_runs(), {})
    assert path.read_text(encoding="utf-8") == "old"

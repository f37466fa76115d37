"""Progress of one's own: what was right is kept in one file, and only where it is wanted."""

import json
import pathlib
import subprocess
import sys

import pytest

from moeviz import terminal
from moeviz.exercises import check, progress
from moeviz.exercises.engine import Result


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Let progress be kept in a file of the test's own."""
    file = tmp_path / "progress.json"
    monkeypatch.setenv(progress.VARIABLE, str(file))
    return file


def test_a_check_notes_what_it_found(file, capsys):
    check.load(lambda expert_index, num_experts: None)
    assert not file.exists()
    check.load(lambda expert_index, num_experts: expert_index)
    assert progress.read()["0"]["load"].startswith("wrong")
    progress.note(check.load, Result("right", ""))
    progress.note(check.load, Result("wrong value", ""))
    assert json.loads(file.read_text()) == {"0": {"load": "right"}}
    capsys.readouterr()
    assert terminal.main(["progress"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("1 of 3 right") and lines[0].startswith("00")
    assert lines[1].endswith("0 of 3 right")


def test_every_exercise_of_the_course_has_its_line(file):
    names = [name for found in progress.by_notebook().values() for name in found]
    assert len(names) == len(set(names)) >= 57
    assert list(progress.by_notebook()) == sorted(progress.by_notebook())
    assert len(progress.report().splitlines()) == len(progress.by_notebook())


def test_one_line_turns_it_off(file, capsys):
    progress.note(check.load, Result("right", ""))
    assert terminal.main(["progress", "--off"]) == 0
    assert "turned off" in capsys.readouterr().out
    progress.note(check.load, Result("right", ""))
    assert progress.read() is None and "load" not in file.read_text()
    file.unlink()
    assert progress.read() == {}


def test_the_variable_off_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.VARIABLE, "off")
    monkeypatch.setattr(pathlib.Path, "home", lambda: tmp_path)
    progress.note(check.load, Result("right", ""))
    progress.turn_off()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv(progress.VARIABLE)
    progress.note(check.load, Result("right", ""))
    assert [path.name for path in tmp_path.iterdir()] == [".moeviz-progress.json"]


@pytest.mark.parametrize("text", ["", "[1]", "3", '{"0": 1}', "nonsense", "\x00"])
def test_a_damaged_file_is_no_progress(file, text):
    file.write_text(text)
    assert progress.read() == {}
    progress.note(check.load, Result("right", ""))
    assert progress.read() == {"0": {"load": "right"}}


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "gone" / "file"))
    progress.note(check.load, Result("right", ""))
    monkeypatch.delenv(progress.VARIABLE)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", homeless)
    progress.note(check.load, Result("right", ""))
    assert progress.report() == "Progress is turned off."


@pytest.mark.slow
def test_other_sentences_are_still_sentences(capsys):
    assert terminal.main(["my", "progress", "--no-color"]) == 0
    assert "load:" in capsys.readouterr().out
    assert "IPython" not in subprocess.run(
        [sys.executable, "-c", "import sys, moeviz.terminal; print('IPython' in sys.modules and 'IPython')"],
        capture_output=True, text=True, check=True).stdout

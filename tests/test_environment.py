"""The environment check names what is missing or too old, and what to do about it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moeviz import environment

ROOT = Path(__file__).resolve().parents[1]
NO_COMMANDS = {"attempt.py", "limited.py"}  # processes that other commands start


def bad():
    return [(found.what, found.remedy) for found in environment.findings() if not found.fine]


def test_this_environment_is_fine(capsys):
    assert environment.report()
    assert "MEND" not in capsys.readouterr().out


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    versions = {**dict.fromkeys(environment.FLOORS, "100.0"), "matplotlib": None}
    monkeypatch.setattr(environment, "_installed", versions.get)
    (what, remedy), = bad()
    assert what.startswith("matplotlib is not installed") and "python start.py" in remedy


def test_versions_compare_as_numbers_not_as_text(monkeypatch):
    fine = dict.fromkeys(environment.FLOORS, "100.0")
    monkeypatch.setattr(environment, "_installed", {**fine, "matplotlib": "3.10.0rc1"}.get)
    assert not bad()
    monkeypatch.setattr(environment, "_installed", {**fine, "numpy": "1.9.3"}.get)
    assert bad()[0][0] == "numpy 1.9.3"


def test_an_old_python_and_a_lost_model_file_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "MODEL", tmp_path / "none.npz")
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    (what, remedy), (_, train) = bad()
    assert what == "Python 3.10.4" and "3.11 or newer" in remedy and "moeviz.tinylm" in train


def test_every_command_ends_quietly_where_its_reader_has_seen_enough():
    found = [file for place in ("utils", "tools") for file in (ROOT / place).rglob("*.py")
             if file.name not in NO_COMMANDS and '\nif __name__ == "__main__":\n' in file.read_text()]
    assert len(found) > 15
    for file in found:
        last = ast.unparse(ast.parse(file.read_text()).body[-1])
        assert "run_command(" in last or "run_with_one_thread(" in last, file


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("goes", ["nowhere", "away", "full"])
def test_a_command_ends_where_its_output_cannot_go(goes, tmp_path):
    if goes == "full" and not os.path.exists("/dev/full"):
        pytest.skip("no such device here")
    code = (f"import os, sys; sys.path.insert(0, {str(ROOT / 'utils')!r})\n"
            "from moeviz.environment import run_command\n"
            "def main(path):\n"
            "    for line in range(9999): print('many lines')\n"
            "    print('more', flush=True); print('progress', file=sys.stderr); open(path, 'w').close()\n"
            "    return 3\n"
            f"sys.exit(run_command(main, {str(tmp_path / 'saved')!r}))")
    command = {"nowhere": '"$@" >&-', "away": '"$@" | head -1', "full": '"$@" >/dev/full'}[goes]
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command, "-", sys.executable, "-c", code],
                          capture_output=True, text=True, check=False)
    said = {"full": "The system refused: [Errno 28] No space left on device.\n"}.get(goes, "progress\n")
    assert (done.stderr, done.returncode) == (said, 1 if goes == "full" else 3)
    assert (tmp_path / "saved").exists() == (goes != "full")

"""The class: what the hub is told, copies that are never overwritten, and a real server on the slow round."""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

from cases import cases
from tools import classroom
from tools.hand_out import GIVEN, hand_out

ROOT = pathlib.Path(__file__).resolve().parent.parent


def options(*words):
    """Return the options of a command line."""
    return classroom.read_options(list(words))


@cases(("words", "said"), [
    (("--password", "short"), "8 characters"), (("--certificate", "a.pem"), "belong together"),
    (("--memory", "100"), "1024 MB"), (("--idle", "0"), "one minute")])
def test_options_that_cannot_be_are_refused(words, said, capsys):
    with pytest.raises(SystemExit):
        options(*words)
    assert said in capsys.readouterr().err


def test_a_password_is_drawn_once_and_kept_private(tmp_path):
    folder = tmp_path / "class"
    first = classroom.kept_password(folder)
    assert len(first) >= classroom.SHORTEST and first == classroom.kept_password(folder)
    assert first != classroom.kept_password(tmp_path / "other")
    if sys.platform != "win32":
        assert (folder / "password").stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("words", "warned"), [
    ((), False), (("--host", "localhost"), False), (("--host", "0.0.0.0"), True),
    (("--host", "192.0.2.1"), True),
    (("--host", "0.0.0.0", "--certificate", "a", "--key", "b"), False)])
def test_the_class_is_told_what_is_not_protected(words, warned):
    said = classroom.invitation(options(*words), "amber-birch")
    assert "amber-birch" in said and "under your account" in said and "DockerSpawner" in said
    assert ("without TLS" in said) == warned
    assert said.startswith("The class opens https:") == ("--key" in words)


def configuration(folder, monkeypatch, *words):
    """Return what hub_config.py sets for these options, as {section: {name: value}}."""
    class Section(argparse.Namespace):
        def __getattr__(self, name):
            self.__dict__[name] = Section()
            return self.__dict__[name]

    (folder / "password").write_text("x")
    monkeypatch.setattr(classroom, "node", lambda: pathlib.Path("node"))
    given = classroom.settings(options("--folder", str(folder), *words), folder, "amber-birch")
    monkeypatch.setenv("MOEVIZ_CLASS", given["MOEVIZ_CLASS"])
    spec = importlib.util.spec_from_file_location("hub_config", ROOT / "tools" / "hub_config.py")
    module, found = importlib.util.module_from_spec(spec), Section()
    module.get_config = lambda: found
    spec.loader.exec_module(module)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run there")
def test_everything_but_the_browsers_address_stays_on_this_machine(tmp_path, monkeypatch):
    found = configuration(tmp_path, monkeypatch, "--host", "0.0.0.0", "--port", "8123", "--memory", "2048")
    assert found.JupyterHub.bind_url == "http://0.0.0.0:8123"
    assert found.JupyterHub.hub_ip == found.Spawner.ip == "127.0.0.1"
    assert found.ConfigurableHTTPProxy.api_url.startswith("http://127.0.0.1:")
    assert found.SharedPasswordAuthenticator.user_password == "amber-birch"
    kernel = json.loads((tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json").read_text())
    assert kernel["argv"][1] == "-P" and "2048" in kernel["argv"]
    overrides = json.loads((tmp_path / "lab" / "overrides.json").read_text())
    assert overrides["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert found.JupyterHub.services[0]["command"][-1] == "--timeout=3600"


@pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run there")
def test_a_whole_class_may_begin_at_once(tmp_path, monkeypatch):
    found = configuration(tmp_path, monkeypatch)  # beyond this number the hub answers with an error page
    assert found.JupyterHub.concurrent_spawn_limit >= 30 and found.Spawner.start_timeout >= 300


@pytest.mark.skipif(sys.platform == "win32", reason="JupyterHub does not run there")
@pytest.mark.parametrize(("name", "fits"), [("Zoë", True), ("ann b-2", True), ("..", False), ("a/b", False),
                                            ("a.b", False), ("", False), ("-x", False), ("x" * 40, False)])
def test_a_learners_name_is_a_folders_name(tmp_path, monkeypatch, name, fits):
    import re

    pattern = configuration(tmp_path, monkeypatch).Authenticator.username_pattern
    assert bool(re.fullmatch(pattern, name)) == fits


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone holds a process to its address space")
def test_a_kernel_that_takes_too_much_memory_gets_an_error():
    code = "import mmap; mmap.mmap(-1, 3 << 30)"  # nothing of it is touched
    command = [sys.executable, "-P", str(ROOT / "tools" / "limited.py"), "2048", "timeit", "-n1", "-r1", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Cannot allocate memory" in done.stdout + done.stderr
    command[3] = "6000"
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


# ---- copies of the notebooks

@pytest.fixture
def course(tmp_path):
    """Return (folder of the notebooks, home of a learner)."""
    (tmp_path / "notebooks").mkdir()
    for name in ("00_a", "01_b"):
        (tmp_path / "notebooks" / f"{name}.ipynb").write_text(f"{name}, first version")
    return tmp_path / "notebooks", tmp_path / "Zoë"


def texts(home):
    """Return {name: text} of a learner's notebooks."""
    return {path.name: path.read_text() for path in sorted((home / "notebooks").iterdir())}


def test_a_copy_is_given_once(course):
    source, home = course
    assert hand_out(source, home) == ["00_a.ipynb", "01_b.ipynb"]
    (home / "notebooks" / "00_a.ipynb").write_text("mine")
    (source / "00_a.ipynb").write_text("second version")
    assert hand_out(source, home) == []
    assert texts(home) == {"00_a.ipynb": "mine", "01_b.ipynb": "01_b, first version"}
    (home / "notebooks" / "01_b.ipynb").unlink()
    assert hand_out(source, home) == ["01_b.ipynb"]


def test_an_update_comes_beside_what_was_changed(course):
    source, home = course
    hand_out(source, home)
    (home / "notebooks" / "00_a.ipynb").write_text("mine")
    for name in ("00_a", "01_b"):
        (source / f"{name}.ipynb").write_text("second version")
    assert hand_out(source, home, update=True) == ["00_a (new).ipynb", "01_b.ipynb"]
    assert texts(home) == {"00_a.ipynb": "mine", "00_a (new).ipynb": "second version",
                           "01_b.ipynb": "second version"}
    assert hand_out(source, home, update=True) == []
    (home / "notebooks" / "00_a (new).ipynb").write_text("mine too")
    (source / "00_a.ipynb").write_text("third version")
    assert hand_out(source, home, update=True) == []
    assert texts(home)["00_a (new).ipynb"] == "mine too" and texts(home)["00_a.ipynb"] == "mine"


@pytest.mark.parametrize("text", ["", "[]", "3", "nonsense"])
def test_a_lost_note_loses_no_work(course, text):
    source, home = course
    hand_out(source, home)
    (home / "notebooks" / "00_a.ipynb").write_text("mine")
    (home / GIVEN).write_text(text)
    (source / "00_a.ipynb").write_text("second version")
    hand_out(source, home, update=True)
    assert texts(home)["00_a.ipynb"] == "mine"
    assert texts(home)["00_a (new).ipynb"] == "second version"


def test_an_interrupted_copy_is_no_notebook(course, monkeypatch):
    source, home = course

    def half(path, target):
        target.write_text("ha")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("tools.hand_out.shutil.copyfile", half)
        hand_out(source, home)
    assert not list((home / "notebooks").glob("*.ipynb"))
    hand_out(source, home)
    assert set(texts(home)) >= {"00_a.ipynb", "01_b.ipynb"}

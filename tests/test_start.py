"""start.py: what it does on each system, and how it ends when something is missing."""

import argparse
import ast
import errno
import importlib.util
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import pytest

from cases import cases

FILE = pathlib.Path(__file__).resolve().parent.parent / "start.py"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return start.py as a module that works in an empty copy of the project, with what it ran in `ran`."""
    spec = importlib.util.spec_from_file_location("start", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in {"requirements.txt": "numpy", "requirements-dev.txt": "pytest", "pyproject.toml": "",
                       "notebooks/00_start_here.ipynb": "{}"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / ".venv" / "moeviz-stamp.json")
    monkeypatch.setattr(sys, "argv", ["start.py"])
    return module


@pytest.fixture
def quiet(start, monkeypatch):
    """Return the list of commands that start.py would have run; all succeed."""
    ran = []
    monkeypatch.setattr(start, "run_quietly",
                        lambda command, watch=print: ran.append(command) or pretend(start, command))
    monkeypatch.setattr(start, "run", lambda *commands, **variables: ran.extend(
        (command, variables) for command in commands) or 0)
    monkeypatch.setattr(start, "works", lambda python, *modules: True)
    monkeypatch.setattr(start, "check_port", lambda port: None)
    return ran


def pretend(start, command):
    """Leave behind what pip leaves, one package of one file."""
    if "pip" in command:
        add_package(start, "moeviz")


def add_package(start, name, version="1.0"):
    """Put a package of one file into .venv, with the note of its files."""
    folder = start.VENV / "lib" / "python3" / "site-packages"
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").touch()
    (info / "RECORD").write_text(f"{name}.py,,\n__pycache__/{name}.pyc,,\n{info.name}/RECORD,,\n")
    return folder / f"{name}.py"


def ends_with(start, *arguments):
    """Return the message that start.py ends with; a text in SystemExit means exit code 1."""
    with pytest.raises(SystemExit) as end:
        start.main(list(arguments))
    assert isinstance(end.value.code, str)
    assert len(end.value.code.splitlines()) == 2
    return end.value.code


def test_an_old_python_can_read_the_file_and_says_so(start, monkeypatch):
    ast.parse(FILE.read_text(encoding="utf-8"), feature_version=(3, 6))
    with pytest.raises(SyntaxError):
        ast.parse("if (x := 1): pass", feature_version=(3, 6))
    monkeypatch.setattr(sys, "version_info", (3, 8, 2, "final", 0))
    message = ends_with(start)
    assert "needs Python 3.11 or newer, and this is Python 3.8." in message
    assert "python3.12 start.py" in message


def test_it_imports_the_standard_library_only():
    modules = {alias.name.split(".")[0] for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8")))
               if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= sys.stdlib_module_names


def test_a_missing_notebook_is_named(start):
    (start.ROOT / start.NOTEBOOK).unlink()
    assert "notebooks/00_start_here.ipynb is missing" in ends_with(start)


def test_a_taken_port_is_named_with_another_one(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = ends_with(start, "--port", str(port))
    assert f"Port {port} cannot be used" in message
    assert f"--port {port + 1 if port < 65535 else 8889}" in message
    assert not (start.ROOT / ".venv").exists()
    start.check_port(port)


def test_a_port_that_cannot_be_is_refused(start):
    assert "Port 99999 cannot be used (ports go up to 65535)" in ends_with(start, "--port", "99999")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_names_the_package(start, monkeypatch, module):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else find(name))
    monkeypatch.setattr(start, "check_port", lambda port: None)
    message = ends_with(start)
    assert f"lacks the module {module}" in message
    assert "sudo apt install python3-venv" in message
    assert not start.VENV.exists()


def failing(output, code=1):
    """Return a command that prints and fails."""
    return [sys.executable, "-c", f"import sys; print({output!r}); sys.exit({code})"]


@cases(("output", "expected"), [
    ("ERROR: Could not install packages: [Errno 28] No space left on device", "disk is full"),
    ("OSError: [WinError 112] There is not enough space on the disk", "disk is full"),
    ("NewConnectionError('Failed to establish a new connection')", "cannot reach the package index"),
    ("Temporary failure in name resolution", "cannot reach the package index"),
    ("ReadTimeoutError: Read timed out.", "cannot reach the package index"),
    ("ProxyError('Cannot connect to proxy.')", "cannot reach the package index"),
    ("ERROR: Cannot set --home and --prefix together", "settings lead out of .venv"),
])
def test_a_failed_command_is_explained(start, output, expected):
    with pytest.raises(SystemExit) as end:
        start.run_quietly(failing(output))
    assert expected in end.value.code
    assert end.value.code.endswith("\nThen run again: python start.py")


def test_another_failure_shows_its_last_lines(start):
    with pytest.raises(SystemExit) as end:
        start.run_quietly(failing("\n".join(f"line {n}" for n in range(40))))
    assert "line 39" in end.value.code
    assert "line 20" not in end.value.code
    assert end.value.code.endswith("lines above say why.\nThen run again: python start.py")


def test_a_command_is_watched_line_by_line(start):
    seen = []
    start.run_quietly([sys.executable, "-c", "print('one'); print('zwölf')"], seen.append)
    assert seen == ["one\n", "zwölf\n"]


@pytest.mark.parametrize(("error", "expected"), [
    (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
    (PermissionError(errno.EACCES, "Permission denied", ".venv"), "The system refused: "),
    (KeyboardInterrupt(), "Stopped."),
])
def test_what_the_system_refuses_is_said(start, monkeypatch, error, expected):
    def refuse(names):
        raise error

    monkeypatch.setattr(start, "prepare", refuse)
    monkeypatch.setattr(start, "check_port", lambda port: None)
    message = ends_with(start)
    assert message.startswith(expected)
    assert message.endswith("Then run again: python start.py")


@pytest.mark.parametrize(("system", "expected"), [
    ("nt", ("Scripts", "python.exe")), ("posix", ("bin", "python"))])
def test_each_system_has_its_own_place_for_python(start, system, expected):
    assert start.venv_python(pathlib.Path("v"), system).parts == ("v", *expected)


def test_windows_does_not_share_ports(start, monkeypatch):
    options = []
    fake = types.SimpleNamespace(
        socket=lambda: FakeSocket(options), SOL_SOCKET=socket.SOL_SOCKET, SO_REUSEADDR=socket.SO_REUSEADDR)
    monkeypatch.setattr(start, "socket", fake)
    for system, expected in (("nt", 0), ("posix", 1)):
        monkeypatch.setattr(start, "os", types.SimpleNamespace(name=system))
        start.check_port(8888)
        assert len(options) == expected


class FakeSocket:
    """A socket that can be bound anywhere."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        return self

    def __exit__(self, *details):
        pass

    def setsockopt(self, *option):
        self.options.append(option)

    def bind(self, address):
        pass


@pytest.mark.parametrize("user", [0, 1000, None])
def test_the_server_is_for_this_machine_alone(start, monkeypatch, user):
    fake = types.SimpleNamespace() if user is None else types.SimpleNamespace(geteuid=lambda: user)
    monkeypatch.setattr(start, "os", fake)
    options = argparse.Namespace(port=8890, no_browser=user is None)
    command = start.lab_command(pathlib.Path("python"), options)
    assert {"--ServerApp.ip=127.0.0.1", "--ServerApp.port=8890", "--ServerApp.port_retries=0",
            "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb"} <= set(command)
    assert not any("token" in word or "password" in word for word in command)
    assert ("--ServerApp.allow_root=True" in command) == (user == 0)
    assert ("--ServerApp.open_browser=False" in command) == options.no_browser


def test_the_first_start_installs_and_the_second_does_not(start, quiet):
    assert start.main([]) == 0
    venv, pip, (lab, _) = quiet
    assert venv[1:3] == ["-m", "venv"]
    assert pip[1:4] == ["-m", "pip", "install"] and pip[-2:] == ["-r", "requirements.txt"]
    assert lab[1:3] == ["-m", "jupyterlab"]
    quiet.clear()
    assert start.main(["--no-browser"]) == 0
    assert [command[1:3] for command, _ in quiet] == [["-m", "jupyterlab"]]


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_file_is_installed_again(start, quiet, name):
    start.main([])
    quiet.clear()
    (start.ROOT / name).write_text("changed")
    start.main([])
    assert quiet[0][1:4] == ["-m", "pip", "install"]


def test_another_python_or_place_counts_as_a_change(start, monkeypatch):
    before = start.fingerprint("requirements.txt")
    monkeypatch.setattr(sys, "version", "3.99")
    changed = start.fingerprint("requirements.txt")
    assert changed != before
    (start.ROOT / "moved").mkdir()
    for name in ("requirements.txt", "pyproject.toml"):
        (start.ROOT / "moved" / name).write_bytes((start.ROOT / name).read_bytes())
    monkeypatch.setattr(start, "ROOT", start.ROOT / "moved")
    assert start.fingerprint("requirements.txt") != changed


def test_checks_add_their_requirements_and_pass_options_on(start, quiet):
    start.main([])
    quiet.clear()
    assert start.main(["test", "-k", "record"]) == 0
    pip, (ruff, _), (oxlint, _), (pytest_command, variables) = quiet
    assert pip[-4:] == ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    assert ruff[1:] == ["-m", "ruff", "check", "."]
    assert oxlint == [str(pathlib.Path(ruff[0]).with_name("oxlint")), "utils"]
    assert pytest_command[1:3] == ["-m", "pytest"] and pytest_command[-2:] == ["-k", "record"]
    assert pytest_command[pytest_command.index("-n") + 1] == "4"
    assert variables["OPENBLAS_NUM_THREADS"] == "1"
    quiet.clear()
    start.main([])
    assert len(quiet) == 1


def test_extras_are_installed_and_promised_on_demand(start, quiet):
    for name in start.EXTRAS:
        (start.ROOT / name).write_text("mpi4py")
    assert start.main(["test", "--extras", "-k", "mpi"]) == 0
    _, pip, _, _, (pytest_command, variables) = quiet
    assert pip[-4:] == ["-r", "requirements-cluster.txt", "-r", "requirements-traces.txt"]
    assert "--no-compile" in pip
    assert variables["MOEVIZ_EXTRAS"] == "1" and variables["OPENBLAS_NUM_THREADS"] == "1"
    assert "--extras" not in pytest_command and pytest_command[-2:] == ["-k", "mpi"]
    quiet.clear()
    start.main(["test"])
    assert "MOEVIZ_EXTRAS" not in quiet[-1][1]


def test_the_site_is_built_in_the_environment_of_the_checks(start, quiet):
    assert start.main(["site"]) == 0
    _, pip, (builder, variables) = quiet
    assert pip[-4:] == ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    assert builder[1:] == ["-m", "tools.site"]
    assert variables["OPENBLAS_NUM_THREADS"] == "1"
    start.main(["site", "--repository", "a/b"])
    assert quiet[-1][0][1:] == ["-m", "tools.site", "--repository", "a/b"]


def test_new_requirements_of_the_course_leave_the_checks_installed(start, quiet):
    start.main(["test"])
    (start.ROOT / "requirements.txt").write_text("numpy>=2")
    start.main([])
    assert set(json.loads(start.STAMP.read_text())) == {*start.CHECKS, "packages"}


@pytest.mark.parametrize("linter", ["ruff", "oxlint"])
@pytest.mark.parametrize(("style", "tests", "expected"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 5, 5)])
def test_a_failure_of_either_check_counts(start, quiet, monkeypatch, linter, style, tests, expected):
    def run(command, *others, **variables):
        if "pytest" in command:
            return tests
        return style if any(word.endswith(linter) for word in command) else 0

    monkeypatch.setattr(start, "run", run)
    assert start.main(["test"]) == expected


def test_an_interrupted_install_is_made_anew(start, quiet, monkeypatch):
    def interrupted(command, watch=print):
        if "pip" in command:
            watch("Installing collected packages: numpy\n")
            raise KeyboardInterrupt

    start.main([])
    (start.VENV / "half a package").touch()
    (start.ROOT / "requirements.txt").write_text("numpy>=2")
    with monkeypatch.context() as patch:
        patch.setattr(start, "run_quietly", interrupted)
        assert "Stopped." in ends_with(start)
    quiet.clear()
    start.main([])
    assert not (start.VENV / "half a package").exists()
    assert [command[2] for command in quiet[:2]] == ["venv", "pip"]


def test_an_interrupted_environment_is_made_anew(start, quiet, monkeypatch):
    def interrupted(command, watch=print):
        (start.VENV / "half a python").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(start, "run_quietly", interrupted)
        assert "Stopped." in ends_with(start)
    start.main([])
    assert not (start.VENV / "half a python").exists()


def test_a_download_that_failed_leaves_what_works(start, quiet, monkeypatch):
    def away(command, watch=print):
        watch("Collecting pytest\n")
        start.stop(start.NETWORK_AWAY)

    start.main([])
    with monkeypatch.context() as patch:
        patch.setattr(start, "run_quietly", away)
        assert "cannot reach" in ends_with(start, "test")
    quiet.clear()
    start.main([])
    assert len(quiet) == 1


@pytest.mark.parametrize("text", ["{}", "", "not json", "[1]", "3"])
def test_a_damaged_stamp_counts_as_unfinished(start, quiet, text):
    start.main([])
    start.STAMP.write_text(text)
    quiet.clear()
    start.main([])
    assert [command[2] for command in quiet[:2]] == ["venv", "pip"]
    assert set(json.loads(start.STAMP.read_text())) == {"requirements.txt", "packages"}


def test_an_environment_whose_python_is_gone_is_made_anew(start, quiet, monkeypatch):
    start.main([])
    quiet.clear()
    monkeypatch.setattr(start, "works", lambda python, *modules: False)
    start.main([])
    assert quiet[0][2] == "venv"


def test_a_foreign_environment_is_used_where_it_works_and_never_deleted(start, quiet, monkeypatch):
    start.VENV.mkdir()
    (start.VENV / "mine").touch()
    with monkeypatch.context() as patch:
        patch.setattr(start, "works", lambda python, *modules: False)
        assert "Rename or delete it" in ends_with(start)
    start.main([])
    assert quiet[0][2] == "pip"
    assert (start.VENV / "mine").exists()


def test_works_tries_a_python(start, monkeypatch):
    monkeypatch.setattr(start, "VENV", pathlib.Path(sys.prefix))
    assert start.works(sys.executable, "json")
    assert not start.works(sys.executable, "no_such_module")
    assert not start.works(start.ROOT / "no" / "python")


def test_run_returns_the_exit_code_and_sets_variables(start):
    code = "import os, sys; sys.exit(int(os.environ['ANSWER']))"
    assert start.run([sys.executable, "-c", code], ANSWER="7") == 7


def test_run_waits_for_a_process_that_answers_ctrl_c_itself(start, monkeypatch):
    answers = iter([KeyboardInterrupt(), KeyboardInterrupt(), 0])

    def wait():
        answer = next(answers)
        if isinstance(answer, KeyboardInterrupt):
            raise answer
        return answer

    monkeypatch.setattr(start.subprocess, "Popen", lambda *args, **options: types.SimpleNamespace(wait=wait))
    assert start.run(["anything"]) == 0


def test_steps_say_their_seconds(start, capsys):
    with start.step("Making tea"):
        pass
    assert capsys.readouterr().out == "Making tea ...\n  done in 0.0 s\n"


class Machine:
    """Stands in for venv and pip: what they leave in .venv, and how often pip went elsewhere."""

    def __init__(self, start):
        self.start, self.outside = start, 0

    def run(self, command, watch=print):
        if "pip" in command:
            watch("Collecting moeviz\n")
            self.outside += not self.works()
            watch("Installing collected packages: moeviz\n")
            add_package(self.start, "moeviz").with_name("half").touch()
            add_package(self.start, "moeviz").with_name("half").unlink()
        else:
            (self.start.VENV / "python").touch()  # works already, and would install into the user's own
            (self.start.VENV / "pyvenv.cfg").touch()

    def works(self, *modules):
        return (self.start.VENV / "pyvenv.cfg").exists()

    def is_whole(self):
        half = list(self.start.VENV.rglob("half"))
        return self.works() and not half and "moeviz" in self.start.whole_packages()


@pytest.fixture
def machine(start, monkeypatch):
    """Let start.py work on a machine that the test can look into."""
    machine = Machine(start)
    monkeypatch.setattr(start, "run_quietly", machine.run)
    monkeypatch.setattr(start, "works", machine.works)
    return machine


def interrupted_at(moment, start):
    """Prepare, with Ctrl-C before one line of start.py or of the machine; tell whether it came to that."""
    left, files = [moment], (start.__file__, __file__)

    def trace(frame, event, _):
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        start.prepare(start.COURSE)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def places(start):
    """Yield 1, 2, ..., each with a .venv of its own for start.py."""
    for moment in itertools.count(1):
        start.VENV = start.ROOT / str(moment) / ".venv"
        start.STAMP = start.VENV / start.STAMP.name
        start.VENV.parent.mkdir()
        yield moment


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file it had just opened
def test_an_interruption_at_any_line_is_repaired_by_the_next_start(start, machine):
    for moment in places(start):
        if not interrupted_at(moment, start):
            break
        interrupted_at(1 + moment * 7 % 61, start)  # and while that is repaired
        start.prepare(start.COURSE)
        assert machine.is_whole(), moment
        assert machine.outside == 0, moment
        assert sorted(os.listdir(start.VENV.parent)) == [".venv", ".venv.lock"], moment
    assert moment > 60


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_repair_is_repaired(start, machine):
    for moment in places(start):
        start.prepare(start.COURSE)
        add_package(start, "moeviz").unlink()
        interrupted = interrupted_at(moment, start)
        start.prepare(start.COURSE)
        assert machine.is_whole() and machine.outside == 0, moment
        if not interrupted:
            break
    assert moment > 40


def test_what_an_interrupted_removal_left_is_swept(start, machine):
    start.prepare(start.COURSE)
    (start.VENV.with_name(".venv.old") / "lib").mkdir(parents=True)
    start.prepare(start.COURSE)
    assert sorted(path.name for path in start.ROOT.glob(".venv*")) == [".venv", ".venv.lock"]


@pytest.mark.skipif(os.name == "nt", reason="Windows copies Python into environments")
def test_a_python_that_would_install_elsewhere_is_refused(start):
    python = start.venv_python(start.VENV)
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath(sys.executable))
    assert subprocess.run([python, "-c", "import pip"], check=False).returncode == 0
    assert not start.works(python, "pip")
    assert "holds no environment" in ends_with(start, "--port", "0")
    start.write_stamp({"requirements.txt": "as it was"})
    assert not start.works(python, "pip")


WAIT = """
import pathlib, time
print("in", flush=True)
for _ in range(3000):
    if pathlib.Path("end").exists():
        break
    time.sleep(0.02)
"""
BUSY = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("start", sys.argv[1])
start = importlib.util.module_from_spec(spec)
spec.loader.exec_module(start)
start.ROOT = pathlib.Path.cwd()
start.VENV = start.ROOT / ".venv"
with start.alone():
    if sys.argv[2] == "child":
        start.run_quietly([sys.executable, "-c", sys.argv[3]], lambda line: print(line, end="", flush=True))
    else:
        exec(sys.argv[3])
    print("out", flush=True)
"""


def busy(folder, who):
    """Return a process that prepares in a folder, itself or by a child, until there is a file `end`."""
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(FILE), who, WAIT], text=True, cwd=folder,
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == "in\n"
    return process


def test_two_starts_do_not_prepare_at_once(start, monkeypatch, capsys):
    def sleep(seconds):
        (start.ROOT / "end").touch()
        time.sleep(seconds)

    monkeypatch.setattr(start, "time", types.SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    with busy(start.ROOT, "itself") as other:
        with start.alone():
            assert other.stdout.readline() == "out\n"
            assert other.wait() == 0
        with start.alone():
            pass
    assert capsys.readouterr().out.count("Waiting for another start") == 1


@pytest.mark.skipif(os.name == "nt", reason="locks of Windows end with the process")
def test_what_a_killed_start_left_running_keeps_the_lock(start):
    with busy(start.ROOT, "child") as other:
        other.kill()
        other.wait()
        with open(start.ROOT / ".venv.lock", "a") as file:
            assert not start.lock(file)
        (start.ROOT / "end").touch()
        with start.alone():
            pass


def test_locks_of_both_systems(start, monkeypatch):
    calls = []

    def locking(number, mode, size):
        calls.append((number, mode, size))
        if len(calls) == 1:
            raise PermissionError(errno.EACCES, "Permission denied")
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(locking=locking, LK_NBLCK=2))
    with open(start.ROOT / "lock", "a") as file:
        assert not start.lock(file, "nt")
        assert start.lock(file, "nt")  # a file system without locks stops nobody
        assert calls[0] == (file.fileno(), 2, 1)


def test_a_folder_that_cannot_be_written_needs_no_lock(start, monkeypatch):
    monkeypatch.setattr(start, "VENV", start.ROOT / "gone" / ".venv")
    with start.alone():
        pass


def test_what_leads_python_or_pip_elsewhere_reaches_no_child(start, monkeypatch):
    monkeypatch.setattr(start, "VENV", pathlib.Path(sys.prefix))
    for name in start.FOREIGN:
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("PIP_PROXY", "kept")
    code = "import os, sys; sys.exit(os.environ['PIP_PROXY'] == 'kept' and any(n in os.environ for n in %r))"
    command = [sys.executable, "-c", code % (start.FOREIGN,)]
    assert start.run(command) == 0
    start.run_quietly(command)
    assert start.works(sys.executable)


def test_pip_is_told_where_to_install(start, quiet):
    start.main([])
    assert {"--no-user", f"--prefix={start.VENV}"} <= set(quiet[1])
    assert "--no-compile" not in quiet[1]  # many may share this one, and not all may write into it


def test_an_installation_that_went_elsewhere_is_said(start, quiet, monkeypatch):
    monkeypatch.setattr(start, "run_quietly", lambda command, watch=print: None)
    assert "lead out of .venv" in ends_with(start)


@pytest.mark.parametrize("lose", [lambda file: file.unlink(),
                                  lambda file: shutil.rmtree(file.with_name("moeviz-1.0.dist-info")),
                                  lambda file: (file.with_name("moeviz-1.0.dist-info") / "RECORD").unlink()])
def test_a_lost_package_is_installed_again(start, quiet, lose, capsys):
    start.main(["test"])
    lose(add_package(start, "moeviz"))
    quiet.clear()
    start.main([])
    assert quiet[0][1:4] == ["-m", "pip", "install"]
    assert quiet[0][-4:] == ["-r", "requirements.txt", "-r", "requirements-dev.txt"]
    quiet.clear()
    start.main([])
    assert len(quiet) == 1


def test_what_people_changed_in_the_environment_is_theirs(start, quiet):
    start.main([])
    file = add_package(start, "moeviz")
    file.with_name("moeviz-1.0.dist-info").rename(file.with_name("moeviz-2.0.dist-info"))
    (file.with_name("moeviz-2.0.dist-info") / "RECORD").write_text("moeviz.py,,\n")
    add_package(start, "pandas")
    quiet.clear()
    start.main([])
    assert len(quiet) == 1


def test_known_versions_are_installed_where_they_were_tested(start, quiet, monkeypatch):
    (start.ROOT / "constraints.txt").write_text("numpy==2.0")
    start.main([])
    assert quiet[1][quiet[1].index("-c") + 1] == "constraints.txt"
    quiet.clear()
    (start.ROOT / "constraints.txt").write_text("numpy==2.1")
    start.main([])
    assert quiet[0][1:4] == ["-m", "pip", "install"]
    quiet.clear()
    monkeypatch.setattr(start, "NEWEST", (3, 10))
    (start.ROOT / "constraints.txt").write_text("numpy==2.2")
    start.main([])
    assert "-c" not in quiet[0]


def test_a_course_from_a_stick_asks_no_index(start, quiet):
    start.main([])
    assert "--no-index" not in quiet[1]
    (start.ROOT / "wheels").mkdir()
    (start.ROOT / "requirements.txt").write_text("changed")
    quiet.clear()
    start.main([])
    assert "--no-index" in quiet[0] and quiet[0][quiet[0].index("--find-links") + 1] == "wheels"


@pytest.mark.parametrize(("command", "module"), [
    ("class", "tools.classroom"), ("handout", "tools.handout"), ("stick", "tools.stick"),
    ("constraints", "tools.constraints")])
def test_commands_are_modules_of_the_tools(start, quiet, command, module):
    (start.ROOT / "requirements-class.txt").write_text("jupyterhub")
    assert start.main([command, "--option"]) == 0
    assert quiet[-1][0][1:] == ["-m", module, "--option"]
    assert ("requirements-class.txt" in quiet[1]) == (command == "class")
    assert (FILE.parent / f"{module.replace('.', '/')}.py").is_file()


def test_the_quick_check_leaves_out_what_takes_long(start, quiet):
    assert start.main(["test", "--quick", "-x"]) == 0
    command = quiet[-1][0]
    assert command[command.index("-m", 2) + 1] == start.QUICK
    assert command[-1] == "-x" and "--quick" not in command


def test_two_halves_of_the_quick_check_run_at_once_and_leave_nothing_out(start, quiet, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with monkeypatch.context() as here:
        here.setattr(start, "ROOT", FILE.parent)
        left = [{word.removeprefix("--ignore=") for word in half} for half in start.halves()]
    files = {str(file) for file in FILE.parent.glob("tests/test_*.py")}
    assert not left[0] & left[1]
    assert left[0] | left[1] == files | {str(FILE.parent / name) for name in ("utils", "tools")}
    assert start.main(["test", "--quick"]) == 0
    for command, variables in quiet[-2:]:
        assert command[command.index("-m", 2) + 1] == start.QUICK and "-n" not in command
        assert variables["PYTHONDONTWRITEBYTECODE"] == ""


def test_commands_that_run_at_once_speak_one_after_the_other(start, capfd):
    slow, quick = ("import sys, time; time.sleep(0.2); print('first'); sys.exit(0)",
                   "import sys; print('second'); sys.exit(3)")
    assert start.run([sys.executable, "-c", slow], [sys.executable, "-c", quick]) == 3
    assert capfd.readouterr().out.split() == ["first", "second"]


def test_jupyterlab_asks_for_no_news(start, quiet):
    start.main([])
    overrides = start.VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert json.loads(overrides.read_text()) == start.QUIET_LAB
    overrides.write_text("{}")
    (start.ROOT / "requirements.txt").write_text("changed")
    start.main([])
    assert overrides.read_text() == "{}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that end politely")
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_an_end_that_somebody_asks_for_reaches_the_child(start, number):
    child = ("import signal, sys, time; signal.signal(15, lambda *a: sys.exit(7)); print('up', flush=True); "
             "time.sleep(60)")
    code = ("import sys, signal, start\n"
            f"signal.signal({int(number)}, start.end_on_request)\n"
            f"sys.exit(start.run([sys.executable, '-c', {child!r}]))")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          cwd=FILE.parent) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(30) == 7


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that end politely")
def test_a_child_that_prepares_ends_with_its_parent(start):
    code = ("import sys, signal, start\n"
            "signal.signal(15, start.end_on_request)\n"
            "child = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'\n"
            "start.run_quietly([sys.executable, '-c', child], lambda line: print(line, flush=True))")
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                          cwd=FILE.parent, stderr=subprocess.DEVNULL) as process:
        child = int(process.stdout.readline())
        process.terminate()
        assert process.wait(30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_signal_is_an_exit_code(start):
    code = start.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    assert code == (9 if os.name == "nt" else 137)


@pytest.mark.slow
def test_a_real_first_start_in_an_odd_place_with_odd_settings(tmp_path):
    folder = tmp_path / "a$c ü"
    (folder / "utils" / "moeviz").mkdir(parents=True)
    for name in ("start.py", "pyproject.toml", "README.md", "utils/moeviz/__init__.py"):
        shutil.copy(FILE.parent / name, folder / name)
    (folder / "requirements.txt").write_text("packaging\n-e .\n")
    (tmp_path / "pip.conf").write_text("[install]\nuser = true\n")
    prepare = "import start; start.prepare(start.COURSE)"
    look = "import importlib.util, packaging.version; assert importlib.util.find_spec('moeviz')"
    settings = {**os.environ, "PIP_USER": "1", "PIP_TARGET": str(tmp_path / "T"), "PYTHONPATH": str(tmp_path),
                "c": "expanded", "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    for lost in (None, "packaging/version.py"):
        for site in folder.glob(".venv/[Ll]ib/**/site-packages"):
            if lost:
                (site / lost).unlink()
        subprocess.run([sys.executable, "-c", prepare], env=settings, cwd=folder, check=True)
        python = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        subprocess.run([python, "-c", look], cwd=tmp_path, check=True)
    assert not (tmp_path / "T").exists()


def test_the_command_line_explains_itself():
    done = subprocess.run([sys.executable, str(FILE), "--help"], capture_output=True, text=True, check=True,
                          env={**os.environ, "COLUMNS": "100"})
    assert "--port" in done.stdout
    assert "start.py test" in done.stdout
    assert "start.py site" in done.stdout

"""The exchange by MPI processes: the layer of one process, the bytes of the simulation, nothing left running.

Needs the extras of requirements-cluster.txt. Where MOEVIZ_EXTRAS promises them in CI they must be there.
"""

import os
import pathlib
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from moeviz import cluster, experts, tinylm
from moeviz.cluster import processes

pytestmark = pytest.mark.slow
MISSING = cluster.missing_extras()
PROMISED = bool(os.environ.get("CI") and os.environ.get("MOEVIZ_EXTRAS"))
SENTENCE = "Every byte of this sentence goes to two experts, wherever they are. 3,141 or x[1:]?"
WAIT = 20  # seconds for a stopped process to be gone

PROFILE = """
c = get_config()
c.Cluster.engine_launcher_class = "mpi"
c.MPIEngineSetLauncher.mpi_cmd = [{launcher!r}]
c.MPIEngineSetLauncher.environment = {{"MOEVIZ_MARK": "of the profile", "UCX_NET_DEVICES": "lo"}}
"""
PROGRAM = """
import numpy as np
from mpi4py import MPI
from moeviz import cluster, experts
from moeviz.routing import top_k
comm, rng = MPI.COMM_WORLD, np.random.default_rng(0)
tokens, routed = rng.normal(size=(20, 4)), top_k(rng.normal(size=(20, 6)), 2)
bank = experts.random_bank(6, 4, 8, rng=rng)
share = cluster.split_work(tokens, routed, bank, cluster.contiguous(6, comm.Get_size()))[comm.Get_rank()]
output = np.concatenate(comm.allgather(cluster.exchange(comm, share).output))
right = np.abs(output - experts.forward_grouped(tokens, bank, routed)).max() < 1e-12
verdicts = comm.gather(bool(right))
if comm.Get_rank() == 0:
    print(verdicts)
"""

needs_mpi = pytest.mark.skipif(bool(MISSING) and not PROMISED, reason=f"not installed: {MISSING}")


def layer():
    model = tinylm.load()
    traced = model.trace(SENTENCE)[0]
    return traced.tokens, traced.routed, model.bank(1)


def placements(count):
    return (cluster.contiguous(8, count), cluster.replicated([9, 1, 1, 1, 5, 1, 1, 1], count, extra=2))


def numbers_of(view):
    """Return the numbers of the engines' processes and of the launcher above them."""
    return {*view.apply_sync(os.getpid), *view.apply_sync(os.getppid)}


def alive(number):
    """Say whether a process runs; one that is dead and not yet fetched by its parent does not."""
    if pathlib.Path("/proc/self").exists():
        try:  # it may end between any two looks: only the reading itself tells
            return pathlib.Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(number, 0)
    except OSError:
        return False
    return True


def wait_until_gone(numbers):
    until = time.monotonic() + WAIT
    while any(map(alive, numbers)) and time.monotonic() < until:
        time.sleep(0.05)
    return [number for number in numbers if alive(number)]


def assert_agrees(view, placed, merge):
    tokens, routed, bank = layer()
    shares = cluster.split_work(tokens, routed, bank, placed, merge=merge)
    done = view.map_async(cluster.run_rank, shares).get(timeout=60)
    output = np.concatenate([one.output for one in done])
    assert output == pytest.approx(experts.forward_grouped(tokens, bank, routed), abs=1e-5)
    moved = cluster.traffic_matrix(routed, placed, merge=merge) * tokens.shape[1] * tokens.itemsize
    assert np.array_equal([one.dispatched for one in done], moved)
    assert np.array_equal([one.combined for one in done], moved.T)


@needs_mpi
@pytest.mark.timeout(180)
def test_four_engines_agree_with_one_process_and_with_the_simulation(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with cluster.engines(4) as view:
        numbers = numbers_of(view)
        assert view.apply_sync(processes._my_rank) == [0, 1, 2, 3]
        for placed in placements(4):
            for merge in ("none", "device"):
                assert_agrees(view, placed, merge)
    assert len(numbers) == 5
    assert wait_until_gone(numbers) == []
    assert list(tmp_path.iterdir()) == []  # no file of theirs is left


@needs_mpi
@pytest.mark.timeout(180)
def test_two_engines_of_a_profile_agree_and_are_stopped_when_a_cell_fails(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    folder = tmp_path / "profile_mine"
    folder.mkdir()
    (folder / "ipcluster_config.py").write_text(PROFILE.format(launcher=processes.find_launcher()))
    tokens, routed, bank = layer()
    first = cluster.split_work(tokens, routed, bank, cluster.contiguous(8, 2))[0]
    with pytest.raises(Exception, match="did not come within"), cluster.engines(2, profile="mine") as view:
        numbers, marks = numbers_of(view), view.apply_sync(os.getenv, "MOEVIZ_MARK")
        assert_agrees(view, cluster.contiguous(8, 2), "none")
        view.client[view.targets[0]].apply_sync(cluster.run_rank, first, patience=0.3)  # rank 1 never comes
    assert len(numbers) == 3
    assert wait_until_gone(numbers) == []
    assert marks == ["of the profile"] * 2


@needs_mpi
@pytest.mark.timeout(120)
def test_the_exchange_runs_under_mpiexec_without_ipyparallel():
    command = [processes.find_launcher(), "-n", "3", sys.executable, "-W", "error", "-c", PROGRAM]
    environment = {**os.environ, **processes.ENVIRONMENT}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[True, True, True]"), done.stderr


def test_what_is_missing_is_named_with_the_command_that_installs_it(monkeypatch):
    def found(packages, launcher):
        monkeypatch.setattr(processes.importlib.util, "find_spec", lambda name: packages)
        monkeypatch.setattr(processes, "find_launcher", lambda: launcher)

    found(None, None)
    said = cluster.missing_extras()
    assert said.startswith("ipyparallel, mpi4py, mpich: ")
    assert "pip install -r ../requirements-cluster.txt" in said
    found("there", "mpiexec")
    assert cluster.missing_extras() == ""
    found("there", None)
    assert "mpich" in cluster.missing_extras()
    assert cluster.missing_extras(profile="mine") == ""
    assert pathlib.Path(__file__).parent.parent.joinpath("requirements-cluster.txt").is_file()


def test_engines_that_cannot_start_say_why(monkeypatch):
    monkeypatch.setattr(processes, "missing_extras", lambda **_: "mpich: install it")
    with pytest.raises(ValueError, match="engines need mpich"), cluster.engines(2):
        pass
    with pytest.raises(ValueError, match="count"), cluster.engines(0):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="scripts are executables by their name there")
def test_the_launcher_beside_python_comes_before_the_one_on_the_path(tmp_path, monkeypatch):
    for folder, names in (("env", ["mpiexec"]), ("system", ["mpiexec", "mpiexec.gforker"]), ("none", [])):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text("#!/bin/sh\n")
            (tmp_path / folder / name).chmod(0o755)
    wanted = {("env", "system"): "env/mpiexec", ("none", "system"): "system/mpiexec.gforker",
              ("none", "none"): None}
    for (beside, path), launcher in wanted.items():
        monkeypatch.setattr(sys, "executable", str(tmp_path / beside / "python"))
        monkeypatch.setenv("PATH", str(tmp_path / path))
        assert processes.find_launcher() == (launcher and str(tmp_path / launcher))


DEAF = ("import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\ntime.sleep(60)")
LAUNCHER = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {DEAF!r}]))"


@needs_mpi
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking")
def test_an_engine_that_hears_no_polite_signal_is_ended_too(monkeypatch):
    psutil = pytest.importorskip("psutil")
    monkeypatch.setattr(processes, "GRACE", 0.2)
    with subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout.readline() == "ready\n"
        tree = psutil.Process(launcher.pid)
        deaf = [child.pid for child in tree.children()]
        stopped = []
        processes._stop(SimpleNamespace(engines={"mpi": SimpleNamespace(process=tree), "batch": object()},
                                        stop_cluster_sync=lambda: stopped.append(True)))
        assert len(deaf) == 1 and wait_until_gone(deaf) == []
        assert stopped == [True]

"""Real processes: engines of ipyparallel that are MPI ranks, started here or described by a profile.

ipyparallel, mpi4py and mpich are extras (requirements-cluster.txt); nothing else in the package needs them.
"""

import importlib.util
import logging
import shutil
import sys
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from moeviz.arrays import check_count
from moeviz.cluster.exchange import exchange

EXTRAS = ("ipyparallel", "mpi4py")
LAUNCHERS = ("mpiexec.gforker", "mpiexec")  # the first starts children without opening a port
GRACE = 10  # seconds for an engine to end by itself
INSTALL = "run  %pip install -r ../requirements-cluster.txt  in a cell, then restart the kernel"
# Engines share the cores, and talk to nobody outside this machine.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
               "UCX_NET_DEVICES": "lo", "FI_TCP_IFACE": "lo"}


def missing_extras(*, profile=None):
    """Return what stands in the way of starting engines and how to fix it; "" if nothing does.

    profile: a name where an ipyparallel profile starts the engines, so that no mpiexec is needed here.
    """
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if profile is None and find_launcher() is None:
        missing.append("mpich")
    return f"{', '.join(missing)}: {INSTALL}" if missing else ""


def find_launcher():
    """Return the path of mpiexec, or None: first beside this Python, where pip puts it, then on PATH."""
    for folder in (str(Path(sys.executable).parent), None):
        for name in LAUNCHERS:
            found = shutil.which(name, path=folder)
            if found:
                return found
    return None


@contextmanager
def engines(count=4, *, profile=None, timeout=120):
    """Start engines that are MPI ranks, yield a DirectView of them in rank order, and stop them again.

    count: how many. profile: None starts them on this machine, reachable from nowhere else, and leaves
    no file behind; a name starts them as that ipyparallel profile says, for example through a batch
    system. timeout: seconds to wait for them. However the block ends, everything started is stopped.
    Raises ValueError where the extras are missing, TimeoutError where engines do not come.
    """
    count = check_count(count, "count")
    missing = missing_extras(profile=profile)
    if missing:
        raise ValueError(f"engines need {missing}")
    import ipyparallel

    with _local_settings() if profile is None else nullcontext({"profile": profile}) as settings:
        cluster, client = ipyparallel.Cluster(n=count, log_level=logging.ERROR, **settings), None
        try:
            cluster.start_cluster_sync()
            client = cluster.connect_client_sync()
            client.wait_for_engines(count, timeout=timeout, interactive=False)
            yield _in_rank_order(client, count)
        finally:
            if client is not None:
                client.close()
            _stop(cluster)


def run_rank(share, *, patience=60.0):
    """Run `exchange` as the MPI rank that this process is: what the engines are asked to do."""
    from mpi4py import MPI

    return exchange(MPI.COMM_WORLD, share, patience=patience)


@contextmanager
def _local_settings():
    """Yield what a Cluster on this machine is told; its files lie in a folder that is gone afterwards."""
    from traitlets.config import Config

    launcher = {"mpi_cmd": [find_launcher()], "environment": ENVIRONMENT}
    with tempfile.TemporaryDirectory(prefix="moeviz-", ignore_cleanup_errors=True) as folder:
        yield {"engines": "mpi", "profile_dir": folder, "delay": 0,
               "config": Config(MPIEngineSetLauncher=launcher)}


def _stop(cluster):
    """Stop a Cluster, engines first: one that hangs inside of MPI hears no signal but KILL."""
    import psutil

    launchers = [getattr(engine_set, "process", None) for engine_set in cluster.engines.values()]
    running = [launcher for launcher in launchers if launcher and launcher.is_running()]
    below = [child for launcher in running for child in launcher.children(recursive=True)]
    try:
        for child in below:
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        _, deaf = psutil.wait_procs(below, timeout=GRACE)
        for child in deaf:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    finally:
        cluster.stop_cluster_sync()


def _in_rank_order(client, count):
    ranks = client[:].apply_sync(_my_rank)
    if sorted(ranks) != list(range(count)):
        raise ValueError(f"engines must be ranks 0 to {count - 1} of one MPI, got {ranks}: "
                         "mpiexec and mpi4py may belong to different ones")
    engine = dict(zip(ranks, client.ids, strict=True))
    return client[[engine[rank] for rank in range(count)]]


def _my_rank():
    from mpi4py import MPI

    return MPI.COMM_WORLD.Get_rank()

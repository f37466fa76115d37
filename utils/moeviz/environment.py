"""Is this Python fit for the course? Imports nothing but the standard library, so that it can always tell.

`report()` prints one line per check, and for each that fails what to do about it.
"""

import errno
import importlib.metadata
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

FLOORS = {"numpy": "1.26", "matplotlib": "3.8", "tqdm": "4.66", "ipywidgets": "8.0", "jupyterlab": "4.0"}
OLDEST_PYTHON = (3, 11)
THREAD_SETTINGS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
MODEL = pathlib.Path(__file__).parent / "data" / "tiny_moe.npz"
MEND = "run `python start.py` in the project's folder"


class Finding(NamedTuple):
    """One check: what was looked at, whether it is fine, and the remedy where it is not."""

    what: str
    fine: bool
    remedy: str


def findings():
    """Return a Finding for Python, each package and the trained model.

    >>> all(finding.fine for finding in findings())
    True
    """
    packages = [_package(name, floor, _installed(name)) for name, floor in FLOORS.items()]
    return [_python(), *packages, _model()]


def report():
    """Print every finding; return True when the course can run here."""
    found = findings()
    for what, fine, remedy in found:
        print(f"{'ok  ' if fine else 'MEND'}  {what}" + ("" if fine else f": {remedy}"))
    return all(finding.fine for finding in found)


class Output:
    """A stream whose reader may leave, as `head` does: what is written then is lost, and nothing fails."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write text; return how many characters."""
        self._try(self._stream.write, text)
        return len(text)

    def flush(self):
        """Pass on what was written."""
        self._try(self._stream.flush)

    def _try(self, do, *given):
        try:
            do(*given)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EINVAL):  # Windows says the second
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def run_command(main, *arguments):
    """Return what main(*arguments) returns, the exit code of a command, whoever reads its output.

    A stream that is closed (`>&-`) takes everything; where the disk has no room for the output, that is said.
    """
    for name in ("stdout", "stderr"):
        setattr(sys, name, Output(getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")))  # noqa: SIM115
    try:
        code = main(*arguments)
        sys.stdout.flush()
        return code
    except OSError as error:
        print(f"The system refused: {error}.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest can go
        return 1


def run_with_one_thread(module, main, argv):
    """Run a command that trains, `python -m module argv`, with one thread a matrix product; return its code.

    The products here are small: on a busy machine, threads that wait for each other make the training
    ten times slower, and NumPy reads the setting only when it is first imported. So main(argv) runs here
    where somebody has made the setting, and in a new process where nobody has.
    """
    if any(name in os.environ for name in THREAD_SETTINGS):
        return run_command(main, argv)
    settings = dict.fromkeys(THREAD_SETTINGS, "1")
    with subprocess.Popen([sys.executable, "-m", module, *argv], env=os.environ | settings) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the child got it too, and says so
            return process.wait()


def _python():
    version = sys.version_info
    remedy = f"the course needs Python {_dots(OLDEST_PYTHON)} or newer; start it with a newer one"
    return Finding(f"Python {_dots(version[:3])}", tuple(version[:2]) >= OLDEST_PYTHON, remedy)


def _package(name, floor, version):
    if version is None:
        return Finding(f"{name} is not installed in {sys.prefix}", False, MEND)
    new_enough = _numbers(version) >= _numbers(floor)
    return Finding(f"{name} {version}", new_enough, f"needs {floor} or newer; {MEND}")


def _model():
    remedy = "fetch a fresh copy of the project, or train it anew with `python -m moeviz.tinylm`"
    return Finding("the course's trained model", MODEL.is_file(), remedy)


def _installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version):
    """Read '2.4.0rc1' as (2, 4): enough to compare with a floor."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _dots(version):
    return ".".join(map(str, version))

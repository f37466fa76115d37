"""The one door to the course.

    python start.py [--port N] [--no-browser]     make .venv where needed and open the first notebook
    python start.py test [pytest options]         make the same environment and run every check
    python start.py test --extras [...]           and what needs MPI or PyTorch too (some 2 GB to download)
    python start.py site                          run the notebooks and write them as pages into site/
    python start.py site --repository OWNER/NAME  and let each page link to Binder and to its source

Standard library only, in a syntax that an old Python 3 can read, so that it can say that it is too old.
"""

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

OLDEST = (3, 11)
ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "moeviz-stamp.json"
NOTEBOOK = "notebooks/00_start_here.ipynb"
COURSE = ("requirements.txt",)
CHECKS = ("requirements.txt", "requirements-dev.txt")
EXTRAS = ("requirements-cluster.txt", "requirements-traces.txt")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
DISK_FULL = "The disk is full: the environment needs about 1 GB. Free some space."
NETWORK_AWAY = "pip cannot reach the package index. Check the network or the proxy settings."
SIGNS = {
    "No space left on device|not enough space on the disk|Disk quota exceeded": DISK_FULL,
    "new connection|NewConnectionError|NameResolutionError|TimeoutError|timed out|ProxyError|SSLError|"
    "Max retries|getaddrinfo|Connection refused|Network is unreachable|name resolution": NETWORK_AWAY,
}


def main(arguments):
    """Do what the command line asks for and return the exit code; SystemExit carries a message for people."""
    if sys.version_info < OLDEST:
        raise SystemExit("The course needs Python 3.11 or newer, and this is Python {}.{}.\n"
                         "Install a newer one and start with it, for example: python3.12 start.py"
                         .format(*sys.version_info))
    try:
        if arguments[:1] == ["test"]:
            return run_checks(arguments[1:])
        if arguments[:1] == ["site"]:
            builder = [str(prepare(CHECKS)), "-m", "tools.site", *arguments[1:]]
            return run(builder, **dict.fromkeys(THREADS, "1"))
        return open_course(read_options(arguments))
    except KeyboardInterrupt:
        stop("Stopped.")
    except OSError as error:
        stop(DISK_FULL if error.errno == errno.ENOSPC else f"The system refused: {error}.")


def stop(message):
    """End with exit code 1, what happened, and the command to type once that is mended."""
    raise SystemExit(f"{message}\nThen run again: python {' '.join(sys.argv)}")


def read_options(arguments):
    """Read the options of the course; `test` hands its own to pytest."""
    parser = argparse.ArgumentParser(prog="start.py", description="Open the course in JupyterLab.",
                                     epilog="`start.py test [pytest options]` runs every check instead, "
                                            "`start.py site` writes the notebooks as pages into site/.")
    parser.add_argument("--port", type=int, default=8888, help="JupyterLab's port (default 8888)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    return parser.parse_args(arguments)


def open_course(options):
    """Make the environment and run JupyterLab on the first notebook until it ends."""
    if not (ROOT / NOTEBOOK).is_file():
        stop(f"{NOTEBOOK} is missing: this copy of the project is incomplete. Fetch a fresh one.")
    check_port(options.port)
    command = lab_command(prepare(COURSE), options)
    print(f"Opening JupyterLab at http://127.0.0.1:{options.port} (Ctrl-C here ends it)", flush=True)
    return run(command)


def lab_command(python, options):
    """Return the command that serves JupyterLab to this machine only; its token stays on."""
    command = [str(python), "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0",
               f"--ServerApp.port={options.port}", f"--ServerApp.root_dir={ROOT}", "--log-level=WARN",
               f"--LabApp.default_url=/lab/tree/{NOTEBOOK}", "--ServerApp.answer_yes=True"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container there is often nobody else
        command.append("--ServerApp.allow_root=True")
    return [*command, "--ServerApp.open_browser=False"] if options.no_browser else command


def run_checks(options):
    """Make the environment, then run ruff, oxlint and pytest; a failure of any of them counts.

    With --extras nothing is skipped for want of a package: the tests take MOEVIZ_EXTRAS as that promise.
    """
    extras = "--extras" in options
    options = [option for option in options if option != "--extras"]
    variables = dict.fromkeys(THREADS, "1") | ({"MOEVIZ_EXTRAS": "1"} if extras else {})
    python = str(prepare(CHECKS + EXTRAS if extras else CHECKS))
    with step("Checking the style with ruff and oxlint"):
        oxlint = str(pathlib.Path(python).with_name("oxlint"))
        style = run([python, "-m", "ruff", "check", "."]) or run([oxlint, "utils"])
    print("Running the tests on two workers ...", flush=True)
    pytest = [python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
    tests = run([*pytest, "--timeout", "300", *options], **variables)
    if style:
        print("ruff or oxlint found something: see above the tests.", file=sys.stderr)
    return tests or style


def run(command, **variables):
    """Run a command on this terminal and return its exit code; Ctrl-C is for it to answer."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables})
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


def check_port(port):
    """Stop where the port cannot be listened to, naming another one."""
    with socket.socket() as probe:
        if os.name != "nt":  # there the option would let two servers share a port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or "ports go up to 65535"
            other = port + 1 if 1024 <= port < 65535 else 8889
            raise SystemExit(f"Port {port} cannot be used ({why}).\n"
                             f"Choose another: python start.py --port {other}") from None


def prepare(names):
    """Make .venv where needed, install the requirement files that changed, and return its Python."""
    python, stamp = venv_python(VENV), read_stamp()
    if stamp == {} or (stamp and not works(python)):
        with step("Removing the unfinished .venv"):
            shutil.rmtree(VENV)
    if not VENV.exists():
        make_venv()
    elif stamp is None and not works(python, "pip"):
        stop("The folder .venv holds no Python that the course can use. Rename or delete it.")
    wanted = {name: fingerprint(name) for name in names}
    installed = read_stamp() or {}
    if not wanted.items() <= installed.items():
        install(python, names)
        write_stamp({**installed, **wanted})
    return python


def venv_python(venv, system=os.name):
    """Return the path of an environment's Python; Windows keeps it in a folder of another name."""
    return venv / "Scripts" / "python.exe" if system == "nt" else venv / "bin" / "python"


def works(python, *modules):
    """Tell whether this Python starts, is new enough and can import the modules."""
    code = f"import {', '.join(['sys', *modules])}\nsys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_venv():
    """Make .venv, stamped as unfinished from its first moment on."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            stop(f"This Python lacks the module {module}. On Debian or Ubuntu: sudo apt install python3-venv")
    VENV.mkdir()
    write_stamp({})
    with step("Making the environment in .venv"):
        run_quietly([sys.executable, "-m", "venv", str(VENV)])


def install(python, names):
    """Install the requirement files; an interruption while pip writes is repaired at the next start."""
    def watch(line):
        if line.startswith("Installing collected packages"):
            write_stamp({})

    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    with step(f"Installing {' and '.join(names)} (the first time takes a minute or two)"):
        run_quietly(pip + [word for name in names for word in ("-r", name)], watch)


def run_quietly(command, watch=lambda line: None):
    """Run a command, show its newest line on a terminal, and stop with an explanation where it fails."""
    lines, terminal = [], sys.stdout.isatty()
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:replace"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8",
                          stderr=subprocess.STDOUT, errors="replace") as process:
        for line in process.stdout:
            watch(line)
            lines.append(line)
            if terminal:
                print("\r  " + line.strip()[:70].ljust(70), end="", flush=True)
    if terminal:
        print("\r" + " " * 72, end="\r")
    if process.returncode:
        stop(explain("".join(lines)))


def explain(output):
    """Turn the output of a failed command into what happened and what to do."""
    for signs, message in SIGNS.items():
        if re.search(signs, output):
            return message
    return "\n".join([*output.strip().splitlines()[-12:], "That did not work; the lines above say why."])


def fingerprint(name):
    """Return a hash that changes when the requirements, the Python or the place of the project change."""
    parts = [(ROOT / file).read_bytes() for file in (name, "pyproject.toml")]
    return hashlib.sha256(b"\0".join([*parts, sys.version.encode(), str(ROOT).encode()])).hexdigest()


def read_stamp():
    """Return what is installed, by requirement file: {} where unfinished, None where .venv is not ours."""
    try:
        return dict(json.loads(STAMP.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return {}


def write_stamp(stamp):
    """Note what is installed; {} says that an installation is under way."""
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


@contextlib.contextmanager
def step(words):
    """Say what begins and, once it is done, how long it took."""
    print(words, "...", flush=True)
    start = time.monotonic()
    yield
    print(f"  done in {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The one door to the course.

    python start.py [--port N] [--no-browser]     make .venv where needed and open the first notebook
    python start.py test [pytest options]         make the same environment and run every check
    python start.py test --quick [...]            lint, core tests, notebook style, links: no notebook runs
    python start.py test --extras [...]           everything, and what needs MPI or PyTorch (some 2 GB)
    python start.py site [--into FOLDER]          run the notebooks and write them as pages into site/
    python start.py site --repository OWNER/NAME  and let each page link to Binder and to its source
    python start.py class [--host ADDRESS]        serve the course to a class: a JupyterHub of this machine
    python start.py handout 02 05                 notebooks and pages for students and for the teacher
    python start.py stick FOLDER                  a folder that installs the course without a network
    python start.py constraints                   write constraints.txt anew, with the newest versions

Standard library only, in a syntax that an old Python 3 can read, so that it can say that it is too old.
"""

import argparse
import contextlib
import csv
import errno
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

OLDEST = (3, 11)
NEWEST = (3, 14)  # constraints.txt is tested up to here; a younger Python takes the newest versions
ROOT = pathlib.Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "moeviz-stamp.json"
NOTEBOOK = "notebooks/00_start_here.ipynb"
CONSTRAINTS = "constraints.txt"
COURSE = ("requirements.txt",)
CHECKS = ("requirements.txt", "requirements-dev.txt")
EXTRAS = ("requirements-cluster.txt", "requirements-traces.txt")
COMMANDS = {  # what runs as a module of the project: requirement files, module
    "site": (CHECKS, "tools.site"),
    "class": ((*COURSE, "requirements-class.txt"), "tools.classroom"),
    "handout": (CHECKS, "tools.handout"),
    "stick": (CHECKS, "tools.stick"),
    "constraints": (CHECKS, "tools.constraints"),
}
QUICK = "not notebook and not browser and not slow"
# four for two cores: many tests wait for a browser or a kernel, and with three the cores stood still
WORKERS = ("-n", "4", "--dist", "loadscope", "--no-loadscope-reorder")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
FOREIGN = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONOPTIMIZE", "PYTHONUSERBASE",
           "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT",
           "PIP_PYTHON", "PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_REQUIREMENT", "PIP_CONSTRAINT", "PIP_EDITABLE",
           "PIP_REQUIRE_HASHES", "PIP_IGNORE_INSTALLED", "PIP_QUIET")
QUIET_LAB = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
DISK_FULL = "The disk is full: the environment needs about 1 GB. Free some space."
NETWORK_AWAY = "pip cannot reach the package index. Check the network or the proxy settings."
ELSEWHERE = "pip's own settings lead out of .venv: unset the target, prefix and root in `pip config list`."
SIGNS = {
    "Can not combine|Cannot set --home and --prefix": ELSEWHERE,
    "No space left on device|not enough space on the disk|Disk quota exceeded": DISK_FULL,
    "new connection|NewConnectionError|NameResolutionError|TimeoutError|timed out|ProxyError|SSLError|"
    "Max retries|getaddrinfo|Connection refused|Network is unreachable|name resolution": NETWORK_AWAY,
}


class Terminated(KeyboardInterrupt):
    """Somebody else than the keyboard asks this process to end."""


def main(arguments):
    """Do what the command line asks for and return the exit code; SystemExit carries a message for people."""
    if sys.version_info < OLDEST:
        raise SystemExit("The course needs Python 3.11 or newer, and this is Python {}.{}.\n"
                         "Install a newer one and start with it, for example: python3.12 start.py"
                         .format(*sys.version_info))
    try:
        if arguments[:1] == ["test"]:
            return run_checks(arguments[1:])
        if arguments and arguments[0] in COMMANDS:
            names, module = COMMANDS[arguments[0]]
            return run([str(prepare(names)), "-m", module, *arguments[1:]], **dict.fromkeys(THREADS, "1"))
        return open_course(read_options(arguments))
    except KeyboardInterrupt:
        stop("Stopped.")
    except OSError as error:
        stop(DISK_FULL if error.errno == errno.ENOSPC else f"The system refused: {error}.")


def stop(message):
    """End with exit code 1, what happened, and the command to type once that is mended."""
    raise SystemExit(f"{message}\nThen run again: python {' '.join(sys.argv)}")


def read_options(arguments):
    """Read the options of the course; commands read their own."""
    parser = argparse.ArgumentParser(
        prog="start.py", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Open the course in JupyterLab.", epilog=f"Commands:\n{__doc__.split(chr(10), 3)[3]}")
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

    With --quick no notebook runs and no browser opens. With --extras nothing is skipped for want of a
    package: the tests take MOEVIZ_EXTRAS as that promise.
    """
    quick, extras = "--quick" in options, "--extras" in options
    options = [option for option in options if option not in ("--quick", "--extras")]
    variables = dict(dict.fromkeys(THREADS, "1"), **({"MOEVIZ_EXTRAS": "1"} if extras else {}))
    variables["PYTHONDONTWRITEBYTECODE"] = ""  # else each of a hundred children compiles the library anew
    python = str(prepare(CHECKS + EXTRAS if extras else CHECKS))
    with step("Checking the style with ruff and oxlint"):
        oxlint = str(pathlib.Path(python).with_name("oxlint"))
        style = run([python, "-m", "ruff", "check", "."]) or run([oxlint, "utils"])
    print("Running the tests ...", flush=True)
    pytest = [python, "-m", "pytest", "-q", "--timeout", "300", *(["-m", QUICK] if quick else [])]
    if quick and not options:  # workers that share a list report each test: half a minute for five thousand
        tests = run(*([*pytest, *others] for others in halves()), **variables)
    else:
        tests = run([*pytest, *WORKERS, *options], **variables)
    if style:
        print("ruff or oxlint found something: see above the tests.", file=sys.stderr)
    return tests or style


def halves():
    """Return what each of two runs of the quick tests leaves to the other, by size of the files."""
    files = sorted(ROOT.glob("tests/test_*.py"), key=lambda file: (file.stat().st_size, file.name))
    return [["--ignore=" + str(file) for file in files[::2]],
            ["--ignore=" + str(place) for place in [ROOT / "utils", ROOT / "tools", *files[1::2]]]]


def run(command, *others, **variables):
    """Run commands at once and return the first exit code that is not 0; they answer Ctrl-C and hear SIGTERM.

    The first has this terminal; what the others say stands below it.
    """
    with contextlib.ExitStack() as stack:
        said = [None, *(stack.enter_context(tempfile.TemporaryFile()) for other in others)]
        environment = child_environment(**variables)
        processes = [subprocess.Popen(each, cwd=ROOT, env=environment, stdout=file, stderr=file)
                     for each, file in zip([command, *others], said, strict=True)]
        codes = []
        for process, file in zip(processes, said, strict=True):
            codes.append(wait(process, processes))
            if file:
                file.seek(0)
                print(file.read().decode("utf-8", "replace"), end="", flush=True)
    return next(filter(None, codes), 0)


def wait(process, others):
    """Return the exit code of a process; who asks this one to end asks all of them."""
    while True:
        try:
            code = process.wait()
            return 128 - code if code < 0 else code
        except Terminated:
            for each in others:
                each.terminate()
        except KeyboardInterrupt:
            pass


def child_environment(**variables):
    """Return the variables for what runs in .venv: none that would lead Python or pip elsewhere."""
    return {**{name: value for name, value in os.environ.items() if name.upper() not in FOREIGN}, **variables}


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
    with alone():
        return prepared(names)


def prepared(names):
    """Do what `prepare` promises; nobody else does so at the same time."""
    python, stamp = venv_python(VENV), read_stamp()
    discard(VENV.with_name(".venv.old"))  # an interruption may have left it
    if stamp == {} or (stamp and not works(python, "pip")):
        with step("Removing the unfinished .venv"):
            VENV.rename(VENV.with_name(".venv.old"))
            discard(VENV.with_name(".venv.old"))
    elif stamp is None and os.path.lexists(str(VENV)) and not works(python, "pip"):
        stop("The folder .venv holds no environment that the course can use. Rename or delete it.")
    if not os.path.lexists(str(VENV)):
        make_venv()
    stamp = read_stamp() or {}
    wanted = {name: fingerprint(name) for name in names}
    lost = set(stamp.get("packages", ())) - whole_packages()
    if lost or not wanted.items() <= stamp.items():
        forget(lost)
        install(python, [name for name in {**stamp, **wanted} if name != "packages"] if lost else names)
        quieten_lab()
        write_stamp({**stamp, **wanted, "packages": sorted(whole_packages())})
    return python


@contextlib.contextmanager
def alone():
    """Hold .venv.lock: two starts at once would delete each other's environment.

    Children inherit the lock, so that what a killed start left running keeps it. It is an open file's lock
    and ends with its last holder; the file itself stays.
    """
    try:
        file = open(str(VENV.with_name(".venv.lock")), "a")  # noqa: SIM115
    except OSError:  # nothing can be made in this folder either
        yield
        return
    with file:
        if not lock(file):
            with step("Waiting for another start that prepares .venv"):
                while not lock(file):
                    time.sleep(0.2)
        os.set_inheritable(file.fileno(), True)
        yield


def lock(file, system=os.name):
    """Try to lock an open file; True where it is ours or where this file system knows no locks."""
    try:
        if system == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
    return True


def discard(folder):
    """Delete a folder of ours, or the link to one."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(str(folder))


def venv_python(venv, system=os.name):
    """Return the path of an environment's Python; Windows keeps it in a folder of another name."""
    return venv / "Scripts" / "python.exe" if system == "nt" else venv / "bin" / "python"


def works(python, *modules):
    """Tell whether this Python is new enough, imports the modules and installs into .venv, nowhere else.

    A Python in .venv/bin without its pyvenv.cfg is the user's own: it would install into that one.
    """
    code = (f"import {', '.join(['os', 'sys', *modules])}\n"
            f"sys.exit(sys.version_info < {OLDEST} or not os.path.samefile(sys.prefix, sys.argv[1]))")
    try:
        return subprocess.run([str(python), "-c", code, str(VENV)], capture_output=True, check=False,
                              cwd=str(ROOT), env=child_environment()).returncode == 0
    except OSError:
        return False


def make_venv():
    """Make .venv, stamped as unfinished from its first moment on."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            stop(f"This Python lacks the module {module}. On Debian or Ubuntu: sudo apt install python3-venv")
    new = VENV.with_name(".venv.new")
    discard(new)
    new.mkdir()
    (new / STAMP.name).write_text("{}", encoding="utf-8")
    new.rename(VENV)
    with step("Making the environment in .venv"):
        run_quietly([sys.executable, "-m", "venv", str(VENV)])


def install(python, names):
    """Install the requirement files; an interruption while pip writes is repaired at the next start."""
    def watch(line):
        if line.startswith("Installing collected packages"):
            write_stamp({})

    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
           "--no-user", f"--prefix={VENV}"]  # a file of settings may lead elsewhere
    known = ["-c", CONSTRAINTS] if sys.version_info[:2] <= NEWEST and (ROOT / CONSTRAINTS).is_file() else []
    if set(names) & set(EXTRAS):  # seven thousand files of which few are imported, and then compiled
        known.append("--no-compile")
    if (ROOT / "wheels").is_dir():  # the course came on a stick
        known += ["--no-index", "--find-links", "wheels"]
    with step(f"Installing {' and '.join(names)} (the first time takes a minute or two)"):
        run_quietly(pip + known + [word for name in names for word in ("-r", name)], watch)
    if "moeviz" not in whole_packages():
        stop(ELSEWHERE)


def package_folders():
    """Return the folders of .venv that pip installs into, for every system."""
    return [*VENV.glob("lib/python*/site-packages"), *VENV.glob("Lib/site-packages")]


def whole_packages():
    """Return the names of the packages of .venv of which no file is lost."""
    return {info.name.partition("-")[0] for folder in package_folders() for info in folder.glob("*.dist-info")
            if is_whole(info)}


def is_whole(info):
    """Tell whether every file stands that pip noted when it installed a package; caches come and go."""
    try:
        with open(str(info / "RECORD"), encoding="utf-8", newline="") as rows:
            return all("__pycache__" in row[0] or os.path.exists(os.path.join(str(info.parent), row[0]))
                       for row in csv.reader(rows) if row)
    except (OSError, ValueError, csv.Error):
        return False


def forget(names):
    """Delete what says that these packages are installed, so that pip installs them again."""
    for folder in package_folders():
        for info in folder.glob("*.dist-info"):
            if info.name.partition("-")[0] in names:
                print(f"{info.name.partition('-')[0]} has lost files: it is installed again.", flush=True)
                shutil.rmtree(str(info))


def quieten_lab():
    """Let JupyterLab of this environment ask for no news: a pop-up over the first notebook, and a network."""
    overrides = VENV / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    if not overrides.exists():
        overrides.parent.mkdir(parents=True, exist_ok=True)
        overrides.write_text(json.dumps(QUIET_LAB, indent=2), encoding="utf-8")


def run_quietly(command, watch=lambda line: None):
    """Run a command, show its newest line on a terminal, and stop with an explanation where it fails.

    It ends with this process and keeps what is inheritable open: the lock.
    """
    lines, terminal = [], sys.stdout.isatty()
    environment = child_environment(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8:replace")
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8",
                          stderr=subprocess.STDOUT, errors="replace", close_fds=False) as process:
        try:
            for line in process.stdout:
                watch(line)
                lines.append(line)
                if terminal:
                    print("\r  " + line.strip()[:70].ljust(70), end="", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
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
    files = [ROOT / file for file in (name, "pyproject.toml", CONSTRAINTS)]
    parts = [file.read_bytes() for file in files if file.name != CONSTRAINTS or file.is_file()]
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
    new = STAMP.with_suffix(".new")
    new.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(str(new), str(STAMP))


@contextlib.contextmanager
def step(words):
    """Say what begins and, once it is done, how long it took."""
    print(words, "...", flush=True)
    start = time.monotonic()
    yield
    print(f"  done in {time.monotonic() - start:.1f} s", flush=True)


def end_on_request(number, frame):
    """Answer a signal that asks for the end; the children are told too."""
    raise Terminated


if __name__ == "__main__":
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal; Windows knows the first alone
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end_on_request)
    sys.exit(main(sys.argv[1:]))

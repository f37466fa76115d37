"""Write constraints.txt: the newest versions that pip finds to fit all requirement files together.

    python start.py constraints

It installs nothing. The oldest supported Python must ask, and asks for its first release: what that can
install, all of them can.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from moeviz.environment import run_command

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
HEADER = """\
# Versions known to work together. `python start.py` and its checks install these, nox the newest.
# `python start.py constraints` writes this file anew. What only other systems need stays free.
"""


def main():
    """Ask pip and write the file."""
    if sys.version_info[:2] != OLDEST:
        raise SystemExit("Python {}.{} must ask, and this is {}.".format(*OLDEST, sys.version.split()[0]))
    lines = versions(resolve(sorted(ROOT.glob("requirements*.txt"))))
    (ROOT / "constraints.txt").write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{len(lines)} versions in constraints.txt. Run `python start.py test` before you commit them.")


def resolve(files):
    """Return pip's report on what it would install for these requirement files, into an empty environment."""
    with tempfile.TemporaryDirectory() as folder:
        report, wanted = Path(folder) / "report.json", Path(folder) / "wanted.txt"
        wanted.write_text("\n".join(requirements(files)), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
                        "--disable-pip-version-check", "--report", str(report), "-r", str(wanted), "--target",
                        folder, "--only-binary", ":all:", "--python-version", "{}.{}.0".format(*OLDEST)],
                       check=True, cwd=ROOT)
        return json.loads(report.read_text(encoding="utf-8"))


def requirements(files):
    """Return the requirements of all files, without the files that they name and the course itself."""
    lines = [line.partition("#")[0].strip() for file in files for line in file.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("-")]


def versions(report):
    """Return the lines NAME==VERSION of a report, without the course itself and without builds' own suffixes.

    >>> versions({"install": [{"metadata": {"name": "Torch", "version": "2.1+cpu"}, "download_info": {}},
    ...                       {"metadata": {"name": "moeviz", "version": "0.1"}}]})
    ['torch==2.1']
    """
    found = {re.sub(r"[-_.]+", "-", each["metadata"]["name"]).lower(): each["metadata"]["version"]
             for each in report["install"]}
    found.pop("moeviz", None)
    return [f"{name}=={version.partition('+')[0]}" for name, version in sorted(found.items())]


if __name__ == "__main__":
    run_command(main)

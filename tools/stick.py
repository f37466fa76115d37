"""A folder that installs the course without a network: the project, wheels for three platforms, pages.

    python start.py stick /media/STICK/course              this Python's version; Linux, Windows and macOS
    python start.py stick FOLDER --python 3.12 3.13        for other versions of Python too

On a machine with one of these Pythons: copy the folder from the stick and run `python start.py` in the copy.
start.py finds the folder `wheels` and asks no package index.
"""

import argparse
import email.parser
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

from packaging.requirements import Requirement

from moeviz.environment import run_command
from tools import folders

ROOT = folders.ROOT
WHEELS = "wheels"
LINUX = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 24, 17, 12, 5)] + [
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]
TARGETS = {  # pip's names of the platform, and what markers of requirements look at there
    "linux": (LINUX, {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
                      "platform_machine": "x86_64"}),
    "windows": (["win_amd64"], {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt",
                                "platform_machine": "AMD64"}),
    "macos": (["macosx_14_0_arm64"], {"sys_platform": "darwin", "platform_system": "Darwin",
                                      "os_name": "posix", "platform_machine": "arm64"}),
}
PROJECT = ("start.py", "requirements*.txt", "constraints.txt", "pyproject.toml", "README.md", "LICENSE",
           "TEACHING.md", "notebooks", "utils", "docs", "tools")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.egg-info", ".venv*")
READ_ME = """The course, for machines without a network.

1. Copy this folder from the stick to the disk.
2. In the copy run:   python start.py
   It needs Python {versions} on Linux (x86-64), Windows (64 bit) or macOS (Apple silicon).
   For other versions make another stick: python start.py stick FOLDER --python ...
3. To read only, open site/index.html in any browser: nothing to install.
"""


def main(arguments):
    """Write the folder that the command line asks for."""
    options = read_options(arguments)
    if options.site and not (ROOT / "site" / folders.MARK).is_file():
        subprocess.run([sys.executable, "-m", "tools.site"], cwd=ROOT, check=True)
    with folders.replaced(options.folder) as folder:
        copy_project(folder, site=options.site)
        (folder / WHEELS).mkdir()
        for version in options.python:
            for target in TARGETS:
                print(f"Wheels for {target}, Python {version} ...", flush=True)
                download(folder / WHEELS, *TARGETS[target], version)
        (folder / "READ ME FIRST.txt").write_text(READ_ME.format(versions=" or ".join(options.python)))
    print(f"{size(options.folder) / 1e6:.0f} MB in {options.folder}")


def read_options(arguments):
    """Read the command line."""
    here = "{}.{}".format(*sys.version_info)
    parser = argparse.ArgumentParser(prog="start.py stick", description="A folder that installs offline.")
    parser.add_argument("folder", type=pathlib.Path, help="the folder to write: new, empty or an older one")
    parser.add_argument("--python", nargs="+", default=[here], metavar="X.Y",
                        help=f"versions of Python to serve (default {here})")
    parser.add_argument("--no-site", dest="site", action="store_false", help="leave the pages out")
    options = parser.parse_args(arguments)
    for version in options.python:
        if not re.fullmatch(r"3\.\d+", version):
            parser.error(f"--python takes versions like 3.12, got {version}")
    try:
        folders.check_target(options.folder)
    except ValueError as error:
        parser.error(str(error))
    return options


def copy_project(folder, *, site):
    """Copy what start.py and the notebooks need."""
    for pattern in (*PROJECT, *(["site"] if site else [])):
        for source in sorted(ROOT.glob(pattern)):
            if source.is_dir():
                shutil.copytree(source, folder / source.name, ignore=NOT_COPIED)
            else:
                shutil.copyfile(source, folder / source.name)


def download(wheels, platforms, markers, version):
    """Download the wheels of the course for one platform and Python, until nothing that they need is missing.

    pip looks at the markers of the machine it runs on; what only the other platform needs is found here.
    """
    environment = {**markers, "python_version": version, "python_full_version": f"{version}.0",
                   "implementation_name": "cpython", "platform_python_implementation": "CPython"}
    wanted = wanted_here(environment)
    while wanted:
        fetch(wheels, platforms, version, sorted(wanted))
        left = missing(wheels, environment)
        if left and left <= wanted:
            raise SystemExit(f"pip found no wheel for {', '.join(sorted(left))}")
        wanted = left


def wanted_here(environment):
    """Return the requirements of the course and of its build, without the course itself."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = [line.partition("#")[0].strip() for line in lines]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    return {line for line in [*found, *build] if line and not line.startswith("-")
            and applies(Requirement(line), environment, {""})}


def fetch(wheels, platforms, version, requirements):
    """Let pip download wheels into a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest",
               str(wheels), "--only-binary", ":all:", "--python-version", f"{version}.0",
               "--implementation", "cp",
               *(word for each in platforms for word in ("--platform", each)), "-c", "constraints.txt"]
    done = subprocess.run([*command, *requirements], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stderr.strip()[-800:]}\npip could not download the wheels: see above.")


def missing(wheels, environment):
    """Return what the course's requirements need there, theirs too, and no wheel of the folder provides."""
    found = {plain(path.name.split("-")[0]): path for path in wheels.glob("*.whl")}
    todo, seen, absent = [Requirement(line) for line in wanted_here(environment)], set(), set()
    while todo:
        requirement = todo.pop()
        key = (plain(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        if key[0] not in found:
            absent.add(f"{requirement.name}{requirement.specifier}")
            continue
        todo += [each for each in needs(found[key[0]])
                 if applies(each, environment, requirement.extras or {""})]
    return absent


def needs(wheel):
    """Return the requirements that a wheel's metadata names."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = email.parser.Parser().parsestr(archive.read(name).decode("utf-8", "replace"))
    return [Requirement(line) for line in about.get_all("Requires-Dist") or []]


def applies(requirement, environment, extras):
    """Tell whether a requirement holds in an environment, for any of the extras asked for.

    >>> windows = {"sys_platform": "win32"}
    >>> applies(Requirement("a; sys_platform == 'win32'"), windows, {""})
    True
    >>> applies(Requirement("b; extra == 'all'"), windows, {""})
    False
    """
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({**environment, "extra": extra}) for extra in {"", *extras})


def plain(name):
    """Return the normalised name of a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def size(folder):
    """Return the bytes of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))

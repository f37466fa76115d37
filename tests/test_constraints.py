"""constraints.txt fits the requirement files; workflows run what is named exactly."""

import importlib.util
import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tools import constraints

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
KNOWN = {name: version for name, _, version in (line.partition("==") for line in LINES)}


def plain(name):
    """Return the normalised name of a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_pins_one_package_without_a_builds_suffix():
    assert len(KNOWN) == len(LINES)
    assert list(KNOWN) == sorted(map(plain, KNOWN))
    assert "moeviz" not in KNOWN
    assert all(re.fullmatch(r"[0-9a-z.]+", version) for version in KNOWN.values())


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_every_requirement_has_a_known_version_that_fits(path):
    for line in path.read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted and not wanted.startswith("-"):
            requirement = Requirement(wanted)
            assert requirement.specifier.contains(KNOWN[plain(requirement.name)]), wanted


def test_the_package_names_what_it_imports_and_the_controls_are_an_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {kind: {Requirement(each).name for each in wanted} for kind, wanted in
             {"all": project["dependencies"], **project["optional-dependencies"]}.items()}
    assert names["all"] == {"numpy", "matplotlib", "tqdm"} and names["widgets"] == {"ipywidgets"}


def test_a_report_becomes_lines():
    report = {"install": [{"metadata": {"name": name, "version": version}}
                          for name, version in (("Jinja2", "3.1"), ("torch", "2.13.0+cpu"), ("a_b.c", "1"))]}
    assert constraints.versions(report) == ["a-b-c==1", "jinja2==3.1", "torch==2.13.0"]


def test_another_python_than_the_oldest_does_not_ask(monkeypatch):
    monkeypatch.setattr(constraints, "OLDEST", (3, 2))
    monkeypatch.setattr(constraints, "resolve", lambda files: pytest.fail("it asked"))
    with pytest.raises(SystemExit, match=r"Python 3\.2 must ask"):
        constraints.main()


def test_start_and_the_package_agree_on_the_oldest_python():
    spec = importlib.util.spec_from_file_location("start", ROOT / "start.py")
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=" + ".".join(map(str, start.OLDEST))
    assert constraints.OLDEST == start.OLDEST


@pytest.mark.parametrize("name", ["pages.yml", "tests.yml"])
def test_workflows_name_their_actions_by_hash_and_leave_no_credentials(name):
    text = (ROOT / ".github" / "workflows" / name).read_text()
    uses = re.findall(r"uses: (\S+)(.*)", text)
    assert uses
    for action, comment in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r"  # v\d+\.\d+\.\d+", comment), action
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert "3.x" not in text

"""The stick: what each platform needs is found by its own markers; nothing private is copied onto it."""

import zipfile

import pytest

from cases import cases
from tools import folders, stick

WINDOWS = {**stick.TARGETS["windows"][1], "python_version": "3.12", "python_full_version": "3.12.0",
           "implementation_name": "cpython", "platform_python_implementation": "CPython"}
LINUX = {**WINDOWS, **stick.TARGETS["linux"][1]}


def wheel(folder, name, *needs):
    """Write a wheel that needs other packages."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA",
                         about + "".join(f"Requires-Dist: {each}\n" for each in needs))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Let a small project be the course."""
    (tmp_path / "requirements.txt").write_text("# comment\nalpha>=1\n-e .\n")
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["hatchling>=1.27"]  # why\n')
    monkeypatch.setattr(stick, "ROOT", tmp_path)
    (tmp_path / "w").mkdir()
    return tmp_path / "w"


def test_what_a_platform_needs_is_found_by_its_own_markers(course):
    assert stick.wanted_here(LINUX) == {"alpha>=1", "hatchling>=1.27"}
    wheel(course, "hatchling")
    wheel(course, "alpha", "Be.Ta[more]>=2", "winonly; sys_platform == 'win32'",
          "old; python_version < '3.8'")
    assert stick.missing(course, LINUX) == {"Be.Ta>=2"}
    wheel(course, "be_ta", "gamma; extra == 'more'", "delta; extra == 'less'")
    assert stick.missing(course, LINUX) == {"gamma"}
    assert stick.missing(course, WINDOWS) == {"gamma", "winonly"}
    wheel(course, "gamma", "alpha")
    assert stick.missing(course, LINUX) == set()


def test_downloads_go_on_until_nothing_is_missing(course, monkeypatch):
    asked = []

    def fetch(wheels, platforms, version, requirements):
        asked.append(requirements)
        for each in requirements:
            name = each.partition(">")[0]
            wheel(wheels, name, *(["winonly; sys_platform == 'win32'"] if name == "alpha" else []))

    monkeypatch.setattr(stick, "fetch", fetch)
    stick.download(course, *stick.TARGETS["windows"], "3.12")
    assert asked == [["alpha>=1", "hatchling>=1.27"], ["winonly"]]


def test_a_wheel_that_does_not_come_ends_it(course, monkeypatch):
    monkeypatch.setattr(stick, "fetch", lambda *arguments: None)
    with pytest.raises(SystemExit, match=r"no wheel for alpha>=1, hatchling>=1\.27"):
        stick.download(course, *stick.TARGETS["linux"], "3.12")


def test_the_project_is_on_it_and_nothing_private(tmp_path):
    stick.copy_project(tmp_path, site=False)
    for name in ("start.py", "requirements.txt", "constraints.txt", "pyproject.toml", "LICENSE",
                 "utils/moeviz/__init__.py", "notebooks/00_start_here.ipynb"):
        assert (tmp_path / name).is_file(), name
    private = {".git", ".venv", "__pycache__", "class"}
    assert private.isdisjoint(path.name for path in tmp_path.rglob("*"))


@cases("words", [("--python", "3"), ("--python", "3.12", "x"), ()])
def test_options_that_cannot_be_are_refused(words, tmp_path, capsys):
    target = tmp_path if words else folders.ROOT
    with pytest.raises(SystemExit):
        stick.read_options([str(target), *words])
    assert "error:" in capsys.readouterr().err

"""Which tests begin first and stay together; figures and settings are in the root's conftest.py."""

import contextlib
import importlib
import pathlib

import numpy as np
import pytest
from hypothesis import settings

from moeviz import text, tinylm, widgets
from tinylm_tools import SMALL

RUN = "test_notebooks.py::test_a_notebook_runs_as_shipped"
TORCH = ("test_config_classes.py", "test_families.py", "test_recorder.py")  # one worker imports it


def pytest_configure(config):
    """Try every property on the same examples each time, a quarter of them in a quick run."""
    settings.register_profile("moeviz", deadline=None, derandomize=True, database=None,
                              max_examples=16 if is_quick(config) else 60)
    settings.load_profile("moeviz")


def is_quick(config):
    return "not slow" in config.option.markexpr


def pytest_ignore_collect(collection_path, config):
    """Spare a quick run what modules import that are slow as a whole, PyTorch among it."""
    if is_quick(config) and collection_path.match("tests/test_*.py"):
        return "\npytestmark = pytest.mark.slow\n" in collection_path.read_text(encoding="utf-8") or None
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Let each worker begin to import at a place of its own: what one of them compiled, the others read."""
    ours = getattr(session.config, "workerinput", None)
    if not ours or session.config.args != session.config.getini("testpaths"):
        return
    files = sorted(pathlib.Path(__file__).parent.glob("test_*.py"))
    first = len(files) * int(ours["workerid"].removeprefix("gw")) // ours["workercount"]
    for file in files[first:] + files[:first]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # the collection meets and says it
            importlib.import_module(file.stem)


def pytest_collection_modifyitems(items):
    """Put what takes longest first, so that workers end at about the same time."""
    items.sort(key=_turn)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a worker a module at once, so that its fixtures are made once, or a single run of a notebook."""
    from xdist.scheduler import LoadScopeScheduling

    class Modules(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            return nodeid if RUN in nodeid else "torch" if module.endswith(TORCH) else module

    return Modules(config, log)


def _turn(item):
    """JupyterLab, runs of notebooks, pages that show those, what is slow, and all others."""
    kinds = {mark.name for mark in item.iter_markers()}
    if item.path.name == "test_browser.py":
        return 0
    if item.path.name == "test_notebooks.py" and "notebook" in kinds:
        return 1
    return 2 if kinds & {"browser", "notebook"} else 3 if "slow" in kinds else 4


@pytest.fixture
def shown(monkeypatch):
    """Collect what the explorers display."""
    images = []
    monkeypatch.setattr(widgets.core, "display", images.append)
    return images


@pytest.fixture
def page(opened):
    """Give the page that a module opened, as new; it may complain of nothing and ask for no other file."""
    opened.emulate_media(color_scheme="light", reduced_motion="reduce")
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.goto(opened.first)
    yield opened
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("file:")] == []


@pytest.fixture(scope="session")
def corpus():
    """A little text of our own, for the byte model to train on."""
    return text.load_corpus(bytes_per_domain=4000, fallback=True)


@pytest.fixture(scope="session")
def small():
    """A byte model that was not trained."""
    return tinylm.init(np.random.default_rng(3), SMALL)


@pytest.fixture(scope="session")
def stored():
    """The course's byte model."""
    return tinylm.load()

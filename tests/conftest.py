"""The slow tests begin first; figures and settings are in the root's conftest.py."""

import numpy as np
import pytest

from moeviz import text, tinylm, widgets
from tinylm_tools import SMALL


def pytest_collection_modifyitems(items):
    """Put the browser and the notebooks first: two workers then end at about the same time."""
    items.sort(key=_turn)


def _turn(item):
    if item.path.name == "test_site.py":  # one scope, for it builds once; it uses the notebooks' runs
        return 2
    return 0 if item.get_closest_marker("browser") else 1 if item.get_closest_marker("notebook") else 3


@pytest.fixture
def shown(monkeypatch):
    """Collect what the explorers display."""
    images = []
    monkeypatch.setattr(widgets.core, "display", images.append)
    return images


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

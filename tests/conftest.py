"""The slow tests begin first; figures and settings are in the root's conftest.py."""

import pytest

from moeviz import widgets


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

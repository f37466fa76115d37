"""What all tests share: no window opens, no figure stays, and the slow tests begin first."""

import sys

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    """Close what a test drew, so that no figure reaches the next one."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def pytest_collection_modifyitems(items):
    """Put the browser and the notebooks first: two workers then end at about the same time."""
    items.sort(key=lambda item: 0 if item.get_closest_marker("browser") else
               1 if item.get_closest_marker("notebook") else 2)

"""The slow tests begin first; figures and settings are in the root's conftest.py."""


def pytest_collection_modifyitems(items):
    """Put the browser and the notebooks first: two workers then end at about the same time."""
    items.sort(key=lambda item: 0 if item.get_closest_marker("browser") else
               1 if item.get_closest_marker("notebook") else 2)

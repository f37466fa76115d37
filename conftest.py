"""What every test needs: figures drawn without a screen, closed afterwards, and settings put back."""

import gc
import os
import sys

import matplotlib
import pytest

matplotlib.use("agg")
os.environ["MOEVIZ_PROGRESS"] = "off"  # checks of exercises note nothing in the home of who tests
# nbformat brings jsonschema, which builds grammars of addresses for seconds wherever it finds this package
sys.modules.setdefault("rfc3987_syntax", None)

collect_ignore = ["tools/hub_config.py"]  # a settings file that JupyterHub reads


def pytest_collection_finish():
    """Let the collector of garbage skip what stays to the end: some thousand tests and every module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_figures():
    import matplotlib.pyplot as plt

    before = dict.copy(matplotlib.rcParams)  # rc_context copies them one by one, and every test pays
    yield
    dict.update(matplotlib.rcParams, before)
    plt.close("all")

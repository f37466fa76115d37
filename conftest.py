"""What every test needs: figures drawn without a screen, closed afterwards, and settings put back."""

import os
import sys

import matplotlib
import pytest

matplotlib.use("agg")
os.environ["MOEVIZ_PROGRESS"] = "off"  # checks of exercises note nothing in the home of who tests
# nbformat brings jsonschema, which builds grammars of addresses for seconds wherever it finds this package
sys.modules.setdefault("rfc3987_syntax", None)

collect_ignore = ["tools/hub_config.py"]  # a settings file that JupyterHub reads


@pytest.fixture(autouse=True)
def clean_figures():
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        yield
    plt.close("all")

"""What every test needs: figures drawn without a screen, closed afterwards, and settings put back."""

import matplotlib
import pytest

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def clean_figures():
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        yield
    plt.close("all")

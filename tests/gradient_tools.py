"""Central differences: what hand-derived gradients are held to, for test files to share."""

import numpy as np

STEP = 1e-5


def assert_is_gradient(exact, value_of, point, places=None, name="it"):
    """Hold a gradient to the differences of value_of(array) around a point: everywhere, or at flat places."""
    places = np.arange(point.size) if places is None else places
    numeric = np.array([_slope(value_of, point, place) for place in places])
    scale = np.abs(numeric).max()
    assert scale > 1e-4, f"{name} is zero, which would pass any comparison"
    error = np.abs(exact.ravel()[places] - numeric).max()
    assert error <= 1e-6 * scale, f"{name} is off by {error / scale:.1e} of its largest entry"


def _slope(value_of, point, place):
    nudge = np.zeros_like(point)
    nudge.flat[place] = STEP
    return (value_of(point + nudge) - value_of(point - nudge)) / (2 * STEP)

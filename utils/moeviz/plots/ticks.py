"""Ticks of logarithmic axes that are sooner drawn: minor ones as one artist, powers of ten as plain text."""

import math

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.ticker import NullLocator

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def name_power(value, place=None):
    """Return the text of a tick at a power of ten; as formula, matplotlib reads it anew for every figure.

    place: of the tick on its axis; matplotlib hands it over.

    >>> [name_power(value) for value in (0.1, 1.0, 1000.0, 1e13)]
    ['0.1', '1', '1000', '10¹³']
    """
    exponent = round(math.log10(value))
    return f"{value:g}" if abs(exponent) < 4 else f"10{str(exponent).translate(RAISED)}"


def merge_minor_ticks(ax):
    """Draw the minor ticks of each axis as one artist; by itself each tick is five, and slow to make.

    Call it last: these ticks stay where they are, whatever happens to the limits. Ticks with labels stay
    as matplotlib makes them.

    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> ax.set(xscale="log", xlim=(1, 100)) and merge_minor_ticks(ax)
    >>> len(ax.lines[0].get_xdata()), len(ax.xaxis.get_minorticklocs())
    (16, 0)
    """
    for axis, marker, transform in ((ax.xaxis, TICKDOWN, ax.get_xaxis_transform()),
                                    (ax.yaxis, TICKLEFT, ax.get_yaxis_transform())):
        low, high = sorted(axis.get_view_interval())
        places = np.array([place for place in axis.get_minorticklocs() if low <= place <= high])
        if len(places) and not any(axis.get_minor_formatter().format_ticks(places)):
            axis.set_minor_locator(NullLocator())
            across, up = (places, 0 * places) if axis is ax.xaxis else (0 * places, places)
            ax.add_artist(Line2D(across, up, linestyle="none", marker=marker, transform=transform,
                                 clip_on=False, label="_minor ticks", **_look(f"{axis.axis_name}tick")))


def _look(name):
    settings = mpl.rcParams
    return {"color": settings[f"{name}.color"], "markersize": settings[f"{name}.minor.size"],
            "markeredgewidth": settings[f"{name}.minor.width"]}

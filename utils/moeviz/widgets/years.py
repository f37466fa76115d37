"""Notebook 12: the published models appear on the map, year by year."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from moeviz import plots
from moeviz.arrays import check_choice, check_count
from moeviz.cost import count_parameters
from moeviz.plots.draw import merge_minor_ticks
from moeviz.widgets.core import explore

READINGS = {"A": "both token tables", "B": "no embedding", "C": "no token table"}

# fixed: a layout to be found twice, before and after the names, would be half of a redraw
MARGINS = {"left": 0.085, "right": 0.885, "bottom": 0.07, "top": 0.935}


def explore_years(models, *, year=None, reading="A"):
    """Move the year and the reading of "active"; watch the published models appear on the map.

    models: Models of `moeviz.models`, of at most 8 different years.
    """
    years = sorted({each.year for each in models})
    readings = [(f"{letter}: {words}", letter) for letter, words in READINGS.items()]
    return explore(
        lambda **values: draw_years(models, **values),
        caption="Where do the models move? Does the reading of active change that?",
        year=ipywidgets.SelectionSlider(options=years, value=year or years[-1], description="up to the year"),
        reading=ipywidgets.Dropdown(options=readings, value=reading, description="active counts"))


def draw_years(models, *, year, reading="A"):
    """Draw the models up to a year on the map of total against active parameters; return the Axes.

    reading: "A" counts both token tables as active, "B" leaves out the embedding, "C" both.
    Raises ValueError for a year before the first model, or another reading.
    """
    check_count(year, "year", low=min(each.year for each in models))
    check_choice(reading, "reading", tuple(READINGS))
    total, active = np.array([_sizes(each.spec, reading) for each in models]).T
    shown = np.array([each.year <= year for each in models])
    middle = np.median((total / active)[shown])
    ax = plt.subplots(figsize=(14, 10.5), layout="none", gridspec_kw=MARGINS)[1]
    plots.plot_model_map(
        [each.name for each in models], total, active, groups=[each.year for each in models], shown=shown,
        hollow=[each.fit or each.name_only for each in models], hollow_label="fitted",
        title=f"up to {year}: {shown.sum()} models, median of total / active {middle:.1f}", ax=ax)
    merge_minor_ticks(ax)
    return ax


def _sizes(spec, reading):
    count = count_parameters(spec)
    readings = {"A": count.active, "B": count.active_without_embedding, "C": count.active_without_tables}
    return count.total, readings[reading]

"""Notebook 05: two entropies, one of the router's doubt and one of the load."""

import ipywidgets
import numpy as np

from moeviz import metrics, plots, routing
from moeviz.arrays import check_count, check_matrix, check_number
from moeviz.widgets.core import explore, fix_scale, slider, two_panels


def explore_entropy(logits, *, temperature=1.0, push=0.0, expert=0, k=2):
    """Heat the scores, push one expert; watch the router move over the map of the two entropies.

    logits: (T, E) of real tokens. push: added to one expert's score for every token.
    """
    logits = check_matrix(logits, "logits")
    return explore(
        lambda **values: draw_entropy(logits, **values),
        caption="One control moves the point sideways only. Which, and why can it not move it up or down?",
        temperature=ipywidgets.FloatLogSlider(temperature, min=-1.5, max=1.5, step=0.1,
                                              description="temperature"),
        push=slider("push (added to the score)", push, 0.0, 8.0, 0.25),
        expert=ipywidgets.Dropdown(options=range(logits.shape[1]), value=expert, description="expert"),
        k=ipywidgets.IntSlider(k, 1, logits.shape[1], description="k"))


def draw_entropy(logits, *, temperature=1.0, push=0.0, expert=0, k=2):
    """Draw where top-k of (logits + push) / temperature lies on the map, beside its load; return Axes (2,).

    logits: (T, E). push: added to the scores of `expert` before the temperature divides them.
    """
    expert = check_count(expert, "expert", low=0, high=logits.shape[1] - 1)
    heat, shift = check_number(temperature, "temperature", low=1e-6), check_number(push, "push")
    routed = routing.top_k((logits + shift * (np.arange(logits.shape[1]) == expert)) / heat, k=k)
    here = metrics.router_entropy(routed), metrics.load_entropy(routed)
    axes = two_panels((13, 6), (1.5, 1))
    plots.plot_entropy_map({"router": here}, ax=axes[0])
    axes[0].set_title(f"router entropy {here[0]:.2f}, load entropy {here[1]:.2f}", fontsize=14)
    plots.plot_load(routed, ax=axes[1], compact=True)
    axes[1].set_title(f"MaxVio {metrics.max_violation(routed):.2f}", fontsize=14)
    fix_scale(axes[1], routed)
    return axes

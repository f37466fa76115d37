"""Notebook 18: who leaves an expert cache, and what it costs."""

import ipywidgets

from moeviz import metrics, plots
from moeviz.arrays import check_count
from moeviz.metrics.cache import POLICIES
from moeviz.record import check_routing
from moeviz.widgets.core import explore


def explore_cache(routed, *, labels=None, size=3, policy="lru", shown=40):
    """Change the size of an expert cache and who leaves it; watch what it holds for a piece of text.

    routed: a Routing of at least `shown` tokens in reading order; labels: T texts.
    """
    shown = min(check_count(shown, "shown"), check_routing(routed).num_tokens)
    return explore(
        lambda **values: draw_cache(routed, labels=labels, shown=shown, **values),
        caption="At which size does the best policy stop being worth its knowledge of the future?",
        size=ipywidgets.IntSlider(size, 1, routed.num_experts, description="experts in the cache"),
        policy=ipywidgets.Dropdown(value=policy, options=POLICIES, description="who leaves"),
        start=ipywidgets.IntSlider(0, 0, routed.num_tokens - shown, description="first token"))


def draw_cache(routed, *, labels=None, size=3, policy="lru", start=0, shown=40):
    """Draw the cache at work on `shown` tokens from `start`, empty at first; return the Axes.

    Raises ValueError for a start or a number of tokens that the routing does not have.
    """
    start = check_count(start, "start", low=0, high=check_routing(routed).num_tokens - 1)
    shown = check_count(shown, "shown", high=routed.num_tokens - start)
    index = routed.expert_index[start:start + shown]
    run = metrics.cache_run(index, size, policy=policy)
    names = None
    if labels is not None and index.size == len(run.expert):
        names = [label if slot == 0 else "" for label in labels[start:start + shown]
                 for slot in range(routed.k)]
    return plots.plot_cache(run, routed.num_experts, labels=names,
                            title=f"{policy}, {size} experts, tokens {start} to {start + shown - 1}")

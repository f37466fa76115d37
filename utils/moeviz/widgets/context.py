"""Notebook 15: stretch the context, and watch attention and the cache."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from moeviz import plots
from moeviz.cost import flops_over, serving_bytes
from moeviz.plots.cost import brief, count_name
from moeviz.plots.draw import merge_minor_ticks
from moeviz.widgets.builder import right_end
from moeviz.widgets.core import explore

CONTEXTS = (4096, 32_768, 131_072, 200_000, 1_000_000, 10_000_000)
PHASES = {"decode": "one token of the answer", "prefill": "a mean token of the prompt"}
MARGINS = {"left": 0.08, "right": 0.775, "bottom": 0.08, "top": 0.88, "hspace": 0.55,
           "height_ratios": (2.4, 1)}


def explore_context(specs, *, context=1_000_000, phase="decode"):
    """Change model, context and phase; watch attention's share grow, and the cache beside the weights.

    specs: {name: ModelSpec}.
    """
    return explore(
        lambda name, **values: draw_context(specs[name], **values),
        caption="When does attention cost more than the experts? When does the cache outgrow the weights?",
        film=["context"],
        name=ipywidgets.Dropdown(options=list(specs), description="shape"),
        context=ipywidgets.SelectionSlider(options=[(count_name(n), n) for n in CONTEXTS], value=context,
                                           description="context"),
        phase=ipywidgets.Dropdown(options=[(words, name) for name, words in PHASES.items()], value=phase,
                                  description="count"))


def draw_context(spec, *, context, phase="decode"):
    """Draw the shares of the FLOPs over the context, and weights and cache in bytes below; return Axes (2,).

    context: tokens that are marked, and kept in the cache of one sequence in bfloat16.
    Raises ValueError as `flops_per_token` does.
    """
    memory = serving_bytes(spec, context).by_part
    contexts = np.unique(np.geomspace(1000, 1e7, 60).astype(int))
    shares = flops_over(spec, contexts.tolist(), phase=phase)
    axes = plt.subplots(2, 1, figsize=(13, 8.6), layout="none", gridspec_kw=MARGINS)[1]
    plots.plot_shares(contexts, shares, x_label="context (tokens)", ax=axes[0],
                      marks={count_name(context): context}, title=f"{spec.name}: {PHASES[phase]}")
    ratio = brief(memory["cache"] / memory["weights"])
    plots.plot_ledger({"": memory}, unit="GB, one sequence", ax=axes[1],
                      limit=right_end(sum(memory.values()) / 1e9),
                      title=f"at {count_name(context)} the cache is {ratio} times the weights")
    merge_minor_ticks(axes[0])
    return axes

"""Notebook 11: build a model, and read its bill in parameters, FLOPs and memory."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from moeviz import plots
from moeviz.cost import count_parameters, flops_per_token, serving_bytes, training_bytes
from moeviz.plots.cost import count_name
from moeviz.widgets.core import explore

EXPERTS, WIDTH_PARTS, SHARED, MAX_K = (2, 4, 8, 16, 32, 64, 128, 256), (16, 8, 4, 2, 1), (0, 1, 2), 16
STEPS = (15, 25, 40, 60, 100, 160, 250)  # right ends of an axis, times a power of ten
MARGINS = {"left": 0.15, "right": 0.775, "bottom": 0.08, "top": 0.94, "hspace": 0.85}


def explore_model(spec, *, context=32_768):
    """Change E, k, the width of an expert and the shared experts; watch parameters, FLOPs and memory.

    spec: a ModelSpec with one group of MoE layers, where the controls start and the dashed lines stay.
    context: tokens that the cache and the attention scores are counted for.
    """
    start = spec.moe[0]
    widths = [(f"{start.hidden // part:,}", start.hidden // part) for part in WIDTH_PARTS]
    return explore(
        lambda **values: draw_model(spec, context=context, **values),
        caption="Halve the width, double E and k: what stays, what moves? Which control moves only memory?",
        experts=_choose("E, experts", sorted({*EXPERTS, start.experts}), start.experts),
        k=ipywidgets.IntSlider(start.top_k, 1, max(MAX_K, start.top_k), description="k, active experts"),
        hidden=_choose("width of an expert", widths, start.hidden),
        shared=_choose("shared experts", sorted({*SHARED, start.shared_experts}), start.shared_experts))


def _choose(description, options, value):
    return ipywidgets.SelectionSlider(options=options, value=value, description=description)


def draw_model(spec, *, experts, k, hidden, shared=0, context=32_768):
    """Draw the ledgers of a model with its MoE layers changed: parameters, FLOPs, memory; return Axes (3,).

    Dashed lines stay where `spec` itself has its total parameters, its FLOPs per token and its bytes to
    serve. Raises ValueError as `ModelSpec.with_moe` does.
    """
    built = spec.with_moe(experts=experts, top_k=k, hidden=hidden, shared_experts=shared)
    axes = plt.subplots(3, 1, figsize=(13, 9), layout="none", gridspec_kw=MARGINS)[1]
    titles = _titles(built, context)
    for ax, unit, title, now, start in zip(axes, ("billion parameters", "GFLOP", "GB"), titles,
                                           _bills(built, context), _bills(spec, context), strict=True):
        longest = max(sum(parts.values()) for parts in now.values())
        mark = sum(next(iter(start.values())).values())
        limit = right_end(max(longest, mark) / 1e9)
        plots.plot_ledger(now, unit=unit, title=title, mark=mark, limit=limit, ax=ax)
    return axes


def right_end(longest):
    """Return a round right end with room for a number, so that small moves leave the axis as it is.

    >>> right_end(46.7), right_end(93.4)
    (60.0, 160.0)
    """
    power = 10.0 ** np.floor(np.log10(longest) - 1)
    return float(next(step * power for step in STEPS if step * power >= 1.15 * longest))


def _bills(spec, context):
    """Return the three ledgers of a model, in each the row first that gets a mark."""
    count, memory = count_parameters(spec), serving_bytes(spec, context)
    sparse, dense = (flops_per_token(each, context) for each in (spec, _all_on(spec)))
    return ({"total": count.by_part, "active": count.active_by_part},
            {"this model": sparse.by_part, "all experts on": dense.by_part},
            {"to serve": memory.by_part, "to train": training_bytes(spec).by_part})


def _titles(spec, context):
    count = count_parameters(spec)
    saved = flops_per_token(_all_on(spec), context).total / flops_per_token(spec, context).total
    return (f"parameters: total is {count.total / count.active:.1f} times active",
            f"FLOPs per token at {count_name(context)}: {saved:.1f} times less than with all experts on",
            "memory: an expert needs it, active or not")


def _all_on(spec):
    return spec.with_moe(top_k=spec.moe[0].experts)

"""Notebook 02: one expert's gate vector in the plane."""

import ipywidgets
import numpy as np

from moeviz import plots, routing
from moeviz.arrays import check_count, check_matrix, check_number
from moeviz.widgets.core import explore, fix_scale, slider, two_panels


def explore_gate(gate, tokens, *, expert=0, turn=0.0, length=1.0, bias=0.0):
    """Turn, stretch and bias one expert's gate vector; watch its region and the load of all experts move.

    gate: (2, E). tokens: (T, 2). turn in degrees; length as a factor; bias is added to the expert's score.
    """
    gate = check_matrix(gate, "gate", "(2, E)")
    return explore(
        lambda **values: draw_gate(gate, tokens, **values),
        caption="Turn, stretch or bias the gate vector of one expert: which tokens does it win or lose?",
        film=["turn", "bias"],
        expert=ipywidgets.Dropdown(options=range(gate.shape[1]), value=expert, description="expert"),
        turn=slider("turn (degrees)", turn, -180.0, 180.0, 5.0),
        length=slider("length (factor)", length, 0.0, 3.0, 0.1),
        bias=slider("bias (added to the score)", bias, -3.0, 3.0, 0.1))


def draw_gate(gate, tokens, *, expert=0, turn=0.0, length=1.0, bias=0.0):
    """Draw the routing regions of a gate with one expert's vector changed, beside the load; return Axes (2,).

    gate: (2, E). tokens: (T, 2), routed top-1. turn: degrees. length: a factor. bias: added to the score.
    """
    gate = check_matrix(gate, "gate", "(2, E)").astype(float)
    expert = check_count(expert, "expert", low=0, high=gate.shape[1] - 1)
    angle = np.radians(check_number(turn, "turn"))
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    gate[:, expert] = check_number(length, "length") * rotation @ gate[:, expert]
    offsets = np.zeros(gate.shape[1])
    offsets[expert] = check_number(bias, "bias")
    axes = two_panels((12, 6), (1.3, 1))
    plots.plot_regions(gate, tokens=tokens, bias=offsets, ax=axes[0],
                       title=f"expert {expert}: turn {turn:g}°, length {length:.1f}, bias {bias:.1f}")
    routed = routing.top_k(tokens @ gate + offsets, k=1)
    plots.plot_load(routed, ax=axes[1], compact=True).set_title("load, top-1")
    fix_scale(axes[1], routed)
    return axes

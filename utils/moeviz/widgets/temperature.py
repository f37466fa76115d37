"""Notebook 03: temperature, noise and k on real scores."""

import ipywidgets

from moeviz import metrics, plots, routing
from moeviz.arrays import check_count, check_matrix, check_number, check_rng
from moeviz.widgets.core import explore, fix_scale, slider, two_panels


def explore_temperature(logits, *, rng, labels=None, temperature=1.0, k=2, noise=0.0, token=0):
    """Change temperature, k and noise; watch one token's weights and the load of all tokens.

    logits: (T, E) of real tokens. labels: T texts. rng draws the noise once, so that the same settings
    give the same picture.
    """
    logits = check_matrix(logits, "logits")
    draws = check_rng(rng).standard_normal(logits.shape)
    return explore(
        lambda **values: draw_temperature(logits, draws, labels=labels, **values),
        caption="Heat makes the weights even, noise changes who is chosen. Which of the two moves the load?",
        film=["temperature", "k"],
        temperature=ipywidgets.FloatLogSlider(temperature, min=-1, max=1, step=0.05,
                                              description="temperature"),
        noise=slider("noise (standard deviation)", noise, 0.0, 4.0, 0.1),
        k=ipywidgets.IntSlider(k, 1, logits.shape[1], description="k"),
        token=ipywidgets.IntSlider(token, 0, len(logits) - 1, description="token"))


def draw_temperature(logits, draws, *, labels=None, temperature=1.0, k=2, noise=0.0, token=0):
    """Draw one token's way from score to weight at a temperature, beside the load of all; return Axes (2,).

    logits, draws: (T, E), clean scores and standard normal noise; routed are
    (logits + noise * draws) / temperature.
    """
    heat, width = check_number(temperature, "temperature", low=1e-6), check_number(noise, "noise", low=0.0)
    token = check_count(token, "token", low=0, high=len(logits) - 1)
    routed = routing.top_k((logits + width * draws) / heat, k=k)
    name = f"token {token}" if labels is None else f"token {token}: {labels[token]}"
    stages = [("score", routed.logits[token]), ("softmax", routed.probs[token]),
              (f"top-{k}, renormalised", routed.combine()[token])]
    axes = two_panels((12.5, 5.6), (2.3, 1))
    plots.plot_gate_steps(stages, routed.dispatch()[token], ax=axes[0], title=name)
    plots.plot_load(routed, ax=axes[1], compact=True)
    entropy = metrics.router_entropy(routed)
    axes[1].set_title(f"mean router entropy {entropy:.2f}", fontsize=14)
    fix_scale(axes[1], routed)
    return axes

"""Explorers of Part I, gating: experts and k, sigmoid against softmax, temperature and noise."""

import ipywidgets
import numpy as np

from moeviz import metrics, plots, routing
from moeviz.arrays import check_choice, check_count, check_matrix, check_number, check_rng
from moeviz.style import PHONE, fixed_axes
from moeviz.widgets.core import explore, fix_scale, slider, two_panels

EXPERTS = (2, 4, 8, 64, 256)
PICKS = ("longest answers", "random", "always the first")


def explore_k(answers, *, rng):
    """Change k and the way to pick; watch the missing part of the output shrink and the bill grow.

    answers: (T, E, D), what each expert says to each token. rng draws the random order once.
    """
    missing = missing_shares(answers, check_rng(rng))
    return explore(
        lambda **values: draw_k(missing, **values),
        caption="More experts lose less. Is good picking worth more than one more expert?",
        k=ipywidgets.IntSlider(2, 1, answers.shape[1], description="k, active experts"),
        pick=ipywidgets.Dropdown(options=PICKS, description="pick"))


def draw_k(missing, *, k, pick):
    """Draw the missing share of the output over k for every way to pick, one point marked; return Axes.

    missing: {pick: (E,)} from `missing_shares`. Raises ValueError for a k or a pick that is not there.
    """
    check_choice(pick, "pick", missing)
    num_experts = len(missing[pick])
    k = check_count(k, "k", high=num_experts)
    lost, work = 100 * missing[pick][k - 1], 100 * k / num_experts
    counts = np.arange(1, num_experts + 1)
    title = f"{work:.3g}% of the work, {lost:.0f}% of the output missing"
    ax = plots.plot_curves(counts, missing, title=title, x_label="k, active experts",
                           y_label="missing share of the output",
                           ax=fixed_axes((PHONE, 4.9), left=0.8, right=1.98, top=0.72))
    ax.plot([k], [missing[pick][k - 1]], "o", color="black", markersize=11, clip_on=False)
    ax.set_xticks(counts)
    return ax


def missing_shares(answers, rng):
    """Return {pick: (E,)}: the share of the output's energy that is missing with k = 1..E active experts.

    answers: (T, E, D), for inputs and weights without drops; the whole output is their sum over E.
    """
    num_tokens, num_experts = answers.shape[:2]
    first = np.tile(np.arange(num_experts, 0, -1.0), (num_tokens, 1))
    scores = (np.linalg.norm(answers, axis=2), rng.random((num_tokens, num_experts)), first)
    return {pick: np.array([_missing(answers, score, k) for k in range(1, num_experts + 1)])
            for pick, score in zip(PICKS, scores, strict=True)}


def _missing(answers, score, k):
    active = routing.top_k(score, k).dispatch()
    whole, kept = answers.sum(axis=1), np.einsum("te,ted->td", active, answers)
    return float(((whole - kept) ** 2).sum() / (whole ** 2).sum())


def explore_saturation():
    """Move one expert's score and those of the others; see which of sigmoid and softmax they move."""
    return explore(
        plots.plot_saturation,
        caption="Which of the two ignores the others? Where is each flat, so that a gate learns little?",
        score=slider("score of one expert", 2.0, -8.0, 8.0, 0.5),
        others=slider("score of each other", 0.0, -8.0, 8.0, 0.5),
        num_experts=ipywidgets.SelectionSlider(options=EXPERTS, value=4, description="experts"))


def explore_temperature(logits, *, rng, labels=None):
    """Change temperature, k and noise; watch one token's weights and the load of all tokens.

    logits: (T, E) of real tokens. labels: T texts. rng draws the noise once, so that the same settings
    give the same picture.
    """
    logits = check_matrix(logits, "logits")
    draws = check_rng(rng).standard_normal(logits.shape)
    return explore(
        lambda **values: draw_temperature(logits, draws, labels=labels, **values),
        caption="Heat makes the weights even, noise changes who is chosen. Which of the two moves the load?",
        temperature=ipywidgets.FloatLogSlider(1.0, min=-1, max=1, step=0.05, description="temperature"),
        noise=slider("noise (standard deviation)", 0.0, 0.0, 4.0, 0.1),
        k=ipywidgets.IntSlider(2, 1, logits.shape[1], description="k"),
        token=ipywidgets.IntSlider(0, 0, len(logits) - 1, description="token"))


def draw_temperature(logits, draws, *, temperature, k, noise, token, labels=None):
    """Draw one token's way from score to weight at a temperature, beside the load of all; return Axes (2,).

    logits, draws: (T, E), clean scores and standard normal noise; routed are
    (logits + noise * draws) / temperature.
    """
    heat, width = check_number(temperature, "temperature", low=1e-6), check_number(noise, "noise", low=0.0)
    token = check_count(token, "token", low=0, high=len(logits) - 1)
    routed = routing.top_k((logits + width * draws) / heat, k=k)
    name = f"token {token}" if labels is None else f"token {token}: {labels[token]}"
    stages = [("score", routed.logits[token]), ("softmax", routed.probs[token]),
              (f"top-{k} weight", routed.combine()[token])]
    axes = two_panels((10, 5), (2.09, 1), left=0.005, top=0.77, apart=0.31)
    plots.plot_gate_steps(stages, routed.dispatch()[token], ax=axes[0], title=name)
    plots.plot_load(routed, ax=axes[1], compact=True)
    entropy = metrics.router_entropy(routed)
    axes[1].set_title(f"Mean router entropy {entropy:.2f}", fontsize=14)
    fix_scale(axes[1], routed)
    return axes

"""Notebook 01: activate only k of the experts that one dense layer was cut into."""

import ipywidgets
import numpy as np

from moeviz import plots, routing
from moeviz.arrays import check_choice, check_count, check_rng
from moeviz.style import fixed_axes
from moeviz.widgets.core import explore

PICKS = ("longest answers", "random", "always the first")


def explore_k(answers, *, rng, k=2, pick="longest answers"):
    """Change k and the way to pick; watch the missing part of the output shrink and the bill grow.

    answers: (T, E, D), what each expert says to each token. rng draws the random order once.
    """
    missing = missing_shares(answers, check_rng(rng))
    return explore(
        lambda k, pick: draw_k(missing, k=k, pick=pick),
        caption="More experts lose less. Is good picking worth more than one more expert?",
        k=ipywidgets.IntSlider(k, 1, answers.shape[1], description="k, active experts"),
        pick=ipywidgets.Dropdown(options=PICKS, value=pick, description="pick"))


def draw_k(missing, *, k=2, pick="longest answers"):
    """Draw the missing share of the output over k for every way to pick, one point marked; return Axes.

    missing: {pick: (E,)} from `missing_shares`. Raises ValueError for a k or a pick that is not there.
    """
    check_choice(pick, "pick", missing)
    num_experts = len(missing[pick])
    k = check_count(k, "k", high=num_experts)
    lost, work = 100 * missing[pick][k - 1], 100 * k / num_experts
    counts = np.arange(1, num_experts + 1)
    title = f"{work:.0f}% of the work, {lost:.0f}% of the output missing"
    ax = plots.plot_curves(counts, missing, title=title, x_label="k, active experts",
                           y_label="missing share of the output", ax=fixed_axes((10, 5), left=0.8, right=2))
    ax.plot([k], [missing[pick][k - 1]], "o", color="black", markersize=11)
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

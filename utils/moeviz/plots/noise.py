"""The noisy top-k threshold: one token's chance to pick each expert, as areas under Gaussians."""

import numpy as np

from moeviz.arrays import check_vector
from moeviz.figure_data import set_table
from moeviz.style import INK, MUTED, axes_or_new, expert_colors, set_description, tint

REACH = 3.6  # standard deviations drawn to each side
PEAK = 0.82  # of a row


def plot_noisy_threshold(logits, noise_std, threshold, chance, *, ax=None, title="noisy top-k: one token"):
    """Draw a row per expert: the Gaussian of its noisy logit, and the part of it beyond the threshold.

    logits: (E,) clean scores of one token. noise_std: (E,) widths > 0. threshold: (E,) the score each
    expert has to beat. chance: (E,) the shaded areas P(x, i), printed at the right. Every Gaussian is
    drawn equally high, so compare areas within a row. Returns the Axes. Raises ValueError naming the
    wrong argument. Source of the quantities: Shazeer et al. 2017, arXiv 1701.06538.

    >>> ax = plot_noisy_threshold([1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.84, 0.16])
    >>> [text.get_text() for text in ax.texts][:2]
    ['P = 0.84', 'P = 0.16']
    """
    logits, std, threshold, chance = _check(logits, noise_std, threshold, chance)
    ax = axes_or_new(ax, (10, 0.8 * len(logits) + 1.6))
    for row, color in enumerate(expert_colors(len(logits))):
        _draw_row(ax, row, logits[row], std[row], threshold[row], color)
        ax.annotate(f"P = {chance[row]:.2f}", (1, row - 0.3), xycoords=("axes fraction", "data"),
                    xytext=(8, 0), textcoords="offset points", va="center", fontsize=15,
                    annotation_clip=False)
    ax.text(threshold[0], -1.05, "threshold", ha="center", va="bottom")
    ends = np.concatenate([logits - REACH * std, logits + REACH * std, threshold - 0.1, threshold + 0.1])
    ax.set(xlim=(ends.min(), ends.max()), ylim=(len(logits) - 0.6, -1.35), title=title, ylabel="expert",
           xlabel="noisy logit (dot: without noise)", yticks=range(len(logits)))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    set_table(ax, ["expert", "clean logit", "noise", "threshold", "chance"],
              zip(range(len(logits)), logits, std, threshold, chance, strict=True))
    return set_description(ax, _describe(logits, std, threshold, chance, title))


def _check(logits, noise_std, threshold, chance):
    logits = check_vector(logits, "logits")
    named = {"noise_std": noise_std, "threshold": threshold, "chance": chance}
    std, threshold, chance = (check_vector(value, name, len(logits)) for name, value in named.items())
    if not len(logits) or not (std > 0).all():
        raise ValueError(f"noise_std must be above 0 for every expert, got {std.tolist()}")
    return logits, std, threshold, chance


def _draw_row(ax, row, logit, std, threshold, color):
    x = logit + std * np.linspace(-REACH, REACH, 181)
    y = row - PEAK * np.exp(-0.5 * ((x - logit) / std) ** 2)
    ax.fill_between(x, row, y, facecolor=tint(color, 0.25), edgecolor="none", zorder=1)
    beyond = np.union1d(x[x > threshold], [np.clip(threshold, x[0], x[-1])])
    ax.fill_between(beyond, row, row - PEAK * np.exp(-0.5 * ((beyond - logit) / std) ** 2),
                    facecolor=color, edgecolor="none", zorder=2)
    ax.plot(x, y, color=INK, linewidth=1.3, zorder=3)
    ax.plot([threshold, threshold], [row, row - 0.96], color=INK, linewidth=2.6, zorder=4)
    ax.plot(logit, row, "o", color=color, markeredgecolor=INK, markersize=8, zorder=5, clip_on=False)
    ax.axhline(row, color=MUTED, linewidth=0.8, zorder=0.5)


def _describe(logits, std, threshold, chance, title):
    best, worst = int(np.argmax(chance)), int(np.argmin(chance))
    return (f"Ridge plot, {title}: noisy logits of {len(logits)} experts, clean logits {logits.min():.3g} to "
            f"{logits.max():.3g}, noise {std.min():.3g} to {std.max():.3g}, threshold {threshold.min():.3g} "
            f"to {threshold.max():.3g}; chance largest for expert {best} ({chance[best]:.2f}), smallest for "
            f"expert {worst} ({chance[worst]:.2f}).")

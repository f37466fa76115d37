"""What domains do with experts: a matrix beside its null, and the flow of choices from layer to layer."""

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from moeviz.arrays import check_count, check_matrix
from moeviz.figure_data import set_matrix, set_table
from moeviz.plots.inputs import check_labels
from moeviz.style import INK, MUTED, axes_or_new, expert_colors, ink_on, set_description

GAP = 0.6  # rows between the measured matrix and its null
MOST_NUMBERED = 10  # experts whose shares are printed in the cells
WIDEST = 12  # ribbons in the table
LEFT, RIGHT, BLOCK = 0.0, 1.0, 0.045


def plot_domain_experts(shares, null, *, domain_names, title="", top=3.0, ax=None):
    """Draw how often each domain uses each expert, above the same table with the domains shuffled.

    shares, null: (N, E), in times the fair share 1 / E: 1 is an expert that a domain uses as often as an
    even router would. domain_names: N texts. top: the value of the brightest colour, the same in every
    figure that is to be compared. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_domain_experts([[1.5, 0.5]], [[1.0, 1.0]], domain_names=["prose"])
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['prose', 'prose, shuffled']
    """
    shares, null = check_matrix(shares, "shares", "(N, E)"), check_matrix(null, "null", "(N, E)")
    if null.shape != shares.shape:
        raise ValueError(f"null must have the shape of shares {shares.shape}, got {null.shape}")
    names = check_labels(domain_names, len(shares), "domain_names")
    rows, experts = shares.shape
    ax = axes_or_new(ax, (max(9, min(13, 0.9 * experts + 4)), 0.5 * (2 * rows + 1) + 1.6))
    for values, start in ((shares, 0.0), (null, rows + GAP)):
        mesh = ax.pcolormesh(np.arange(experts + 1), start + np.arange(rows + 1), values, cmap="cividis",
                             vmin=0, vmax=top, edgecolors="white", linewidth=1.5 if experts <= 16 else 0)
        if experts <= MOST_NUMBERED:
            _print(ax, values, start, mesh)
    ax.figure.colorbar(mesh, ax=ax, extend="max", label="times the fair share").outline.set_visible(False)
    ax.axhline(rows + GAP / 2, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    places = [start + row + 0.5 for start in (0.0, rows + GAP) for row in range(rows)]
    both = [*names, *(f"{name}, shuffled" for name in names)]
    ax.set_yticks(places, both)
    set_matrix(ax, np.vstack([shares, null]), rows=("times the fair share", both),
               columns=("expert", range(experts)))
    step = max(1, experts // 16)
    ax.set_xticks(np.arange(0, experts, step) + 0.5, range(0, experts, step))
    ax.set(xlabel="expert", ylabel="domain", title=title, ylim=(2 * rows + GAP, 0), xlim=(0, experts))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return set_description(ax, _describe(shares, null, names, title))


def plot_pair_flow(pairs, *, left="first layer", right="next layer", title="", strongest=64, ax=None):
    """Draw which expert of a layer hands on to which expert of a later one, ribbons as wide as the counts.

    pairs: (E, E) counts, row: expert on the left, column: expert on the right. left, right: names of the
    layers. strongest: how many ribbons are drawn; blocks are as high as all their choices.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_pair_flow([[3, 1], [0, 4]], left="layer 1", right="layer 2")
    >>> len(ax.collections[0].get_paths())
    3
    """
    pairs = check_matrix(pairs, "pairs", "(E, E)")
    if pairs.shape[0] != pairs.shape[1] or pairs.min() < 0 or pairs.sum() == 0:
        raise ValueError(f"pairs must be square counts >= 0, not all 0, got shape {pairs.shape}")
    strongest = check_count(strongest, "strongest")
    share = pairs / pairs.sum()
    ax = axes_or_new(ax, (10, 6.4))
    gap = 0.25 / len(pairs)
    tops = [np.cumsum(side + gap) - side - gap for side in (share.sum(axis=1), share.sum(axis=0))]
    shown = np.sort(np.argsort(-share, axis=None, kind="stable")[:strongest])
    shown = shown[share.flat[shown] > 0]
    _draw_ribbons(ax, share, tops, np.unravel_index(shown, share.shape))
    for x, side, top in ((LEFT - BLOCK, share.sum(axis=1), tops[0]), (RIGHT, share.sum(axis=0), tops[1])):
        _draw_blocks(ax, x, side, top)
    for x, name, where in ((LEFT - BLOCK, left, "left"), (RIGHT + BLOCK, right, "right")):
        ax.text(x, -0.03, name, color=INK, ha=where, va="bottom", fontsize=14)
    ax.set(xlim=(-0.14, 1.14), ylim=(1 + gap * len(pairs), -0.11), title=title)
    ax.set_axis_off()
    row, column = np.unravel_index(share.argmax(), share.shape)
    held = share.flat[shown].sum()
    _tabulate_pairs(ax, share, left, right, title)
    return set_description(ax, f"Flow diagram, {title or 'pairs of experts'}: {len(shown)} ribbons with "
                               f"{100 * held:.0f}% of the choices from {left} to {right}; the widest runs "
                               f"from expert {row} to expert {column}, {100 * share.max():.1f}%.")


def _tabulate_pairs(ax, share, left, right, title):
    """Attach the widest ribbons, widest first."""
    widest = np.argsort(-share, axis=None, kind="stable")[:WIDEST]
    rows = [[f"{place + 1}", *np.unravel_index(at, share.shape), 100 * share.flat[at]]
            for place, at in enumerate(widest) if share.flat[at]]
    set_table(ax, ["rank", f"expert, {left}", f"expert, {right}", "share of the choices (%)"], rows,
              title=f"{title or 'pairs of experts'}: the {len(rows)} widest ribbons")


def _print(ax, values, start, mesh):
    colors = mesh.to_rgba(values)
    for (row, column), value in np.ndenumerate(values):
        ax.text(column + 0.5, start + row + 0.5, f"{value:.1f}", ha="center", va="center", fontsize=14,
                color=ink_on(colors[row, column]))


def _draw_ribbons(ax, share, tops, chosen):
    """Stack the ribbons of a block in the order of the other side; those not drawn leave their room."""
    starts = tops[0][:, None] + np.cumsum(share, axis=1) - share
    ends = tops[1][None, :] + np.cumsum(share, axis=0) - share
    colors = np.array(expert_colors(len(share)))
    ribbons = [_ribbon(starts[at], ends[at], share[at]) for at in zip(*chosen, strict=True)]
    ax.add_collection(PathCollection(ribbons, facecolors=colors[chosen[0]], alpha=0.6, linewidths=0))


def _ribbon(start, end, width):
    middle, curve = (LEFT + RIGHT) / 2, [Path.CURVE4] * 3
    there = [(LEFT, start), (middle, start), (middle, end), (RIGHT, end)]
    back = [(RIGHT, end + width), (middle, end + width), (middle, start + width), (LEFT, start + width)]
    return Path([*there, *back, there[0]], [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def _draw_blocks(ax, x, share, tops):
    outside = x < 0
    step = max(1, len(share) // 16)
    for expert, color in enumerate(expert_colors(len(share))):
        ax.add_patch(Rectangle((x, tops[expert]), BLOCK, share[expert], facecolor=color, linewidth=0))
        if expert % step == 0:
            at = x - 0.012 if outside else x + BLOCK + 0.012
            ax.text(at, tops[expert] + share[expert] / 2, str(expert), va="center", fontsize=12, color=INK,
                    ha="right" if outside else "left")


def _describe(shares, null, names, title):
    row, column = np.unravel_index(shares.argmax(), shares.shape)
    return (f"Two heatmaps, {title or 'domain by expert'}: {len(shares)} domains by {shares.shape[1]} "
            f"experts, times the fair share; most {shares.max():.2f}, {names[row]} at expert {column}, least "
            f"{shares.min():.2f}; with shuffled domains from {null.min():.2f} to {null.max():.2f}.")

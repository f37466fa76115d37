"""Which expert owns which part of the plane, for a gate on tokens with two dimensions."""

import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_matrix, check_number, check_vector
from moeviz.figure_data import set_table
from moeviz.style import INK, axes_or_new, expert_colors, ink_on, set_description, tint

SMALLEST_LABELLED = 0.004  # of the plane


def plot_regions(gate, *, tokens=None, bias=None, ax=None, span=3.0, title="routing regions"):
    """Tint each part of the plane in the colour of its best expert, the argmax of x @ gate + bias.

    gate: (2, E), drawn as arrows. tokens: (T, 2) or None, drawn as dots. bias: (E,) or None. The plane
    runs from -span to span. Ties go to the lowest expert index, as in a router: of equal experts only
    the first owns a region. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_regions([[1.0, -1.0], [0.0, 0.0]])
    >>> [text.get_text() for text in ax.texts]
    ['0', '1']
    """
    gate, bias, tokens = _check(gate, bias, tokens)
    span = check_number(span, "span", low=1e-6)
    ax = axes_or_new(ax, (7.5, 7))
    regions = find_regions(gate, bias, span)
    shares = np.array([polygon_area(region) for region in regions]) / (2 * span) ** 2
    colors = expert_colors(gate.shape[1])
    owned = [expert for expert, region in enumerate(regions) if len(region)]
    ax.add_collection(PolyCollection([regions[e] for e in owned], edgecolors="white", linewidths=2.5,
                                     facecolors=[tint(colors[e], 0.34) for e in owned], zorder=0))
    _draw_gate(ax, gate, colors)
    _draw_tokens(ax, tokens, gate, bias, colors)
    for expert in np.flatnonzero(shares > SMALLEST_LABELLED):
        _draw_number(ax, expert, regions[expert], colors[expert])
    ax.set(xlim=(-span, span), ylim=(-span, span), aspect="equal", title=title,
           xlabel="token, dimension 0", ylabel="token, dimension 1")
    _tabulate(ax, gate, bias, shares, tokens)
    return set_description(ax, _describe(shares, tokens, span, title))


def find_regions(gate, bias, span):
    """Return one convex polygon (N, 2) per expert: where it scores best in the square; (0, 2) if nowhere."""
    return [_find_region(expert, gate, bias, span) for expert in range(gate.shape[1])]


def _find_region(expert, gate, bias, span):
    region = span * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    for rival in range(gate.shape[1]):
        slope, offset = gate[:, expert] - gate[:, rival], bias[expert] - bias[rival]
        if rival < expert and not slope.any() and offset == 0:
            return np.zeros((0, 2))
        region = clip_polygon(region, slope, offset)
    return region


def clip_polygon(polygon, slope, offset):
    """Cut away the part of a convex polygon (N, 2) where x @ slope + offset < 0 (Sutherland, Hodgman 1974).

    >>> clip_polygon(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]), np.array([-1.0, 0.0]), 1.0).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    """
    lead = polygon @ slope + offset
    corners = []
    for at in range(len(polygon)):
        here, following = lead[at], lead[(at + 1) % len(polygon)]
        if here >= 0:
            corners.append(polygon[at])
        if (here > 0 > following) or (here < 0 < following):
            step = here / (here - following)
            corners.append(polygon[at] + step * (polygon[(at + 1) % len(polygon)] - polygon[at]))
    return np.array(corners) if len(corners) > 2 else np.zeros((0, 2))


def polygon_area(polygon):
    """Return the area of a polygon (N, 2) whose corners run anticlockwise; 0 for an empty one."""
    following = np.roll(polygon, -1, axis=0)
    return 0.5 * float((polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]).sum())


def _find_centre(polygon):
    following = np.roll(polygon, -1, axis=0)
    cross = polygon[:, 0] * following[:, 1] - following[:, 0] * polygon[:, 1]
    return ((polygon + following) * cross[:, None]).sum(axis=0) / (3 * cross.sum())


def _check(gate, bias, tokens):
    gate = check_matrix(gate, "gate", "(2, E)")
    if len(gate) != 2:
        raise ValueError(f"gate must have shape (2, E), got shape {gate.shape}")
    bias = np.zeros(gate.shape[1]) if bias is None else check_vector(bias, "bias", gate.shape[1])
    if tokens is None:
        return gate, bias, np.zeros((0, 2))
    tokens = check_matrix(tokens, "tokens", "(T, 2)")
    if tokens.shape[1] != 2:
        raise ValueError(f"tokens must have shape (T, 2), got shape {tokens.shape}")
    return gate, bias, tokens


def _draw_gate(ax, gate, colors):
    ax.plot(0, 0, "o", color=INK, markersize=5, zorder=3)
    ax.quiver(*np.zeros_like(gate), *gate, color=colors, edgecolor=INK, linewidth=1.0, width=0.013,
              angles="xy", scale_units="xy", scale=1, headwidth=3.2, headlength=4, headaxislength=4, zorder=2)


def _draw_tokens(ax, tokens, gate, bias, colors):
    owner = np.argmax(tokens @ gate + bias, axis=1)
    ax.scatter(*tokens.T, s=42, c=np.array(colors)[owner], edgecolors=INK, linewidths=0.8, zorder=3)


def _draw_number(ax, expert, region, color):
    ax.text(*_find_centre(region), str(expert), color=ink_on(color), fontsize=17, fontweight="bold",
            ha="center", va="center", zorder=4,
            bbox={"boxstyle": "circle,pad=0.25", "facecolor": color, "edgecolor": "white", "linewidth": 2})


def _tabulate(ax, gate, bias, shares, tokens):
    owned = np.bincount(np.argmax(tokens @ gate + bias, axis=1), minlength=len(shares))
    columns = ["expert", "gate, dimension 0", "gate, dimension 1", "bias", "share of the plane (%)", "tokens"]
    set_table(ax, columns, zip(range(len(shares)), *gate, bias, 100 * shares, owned, strict=True))


def _describe(shares, tokens, span, title):
    most, least = int(np.argmax(shares)), int(np.argmin(shares))
    return (f"Map, {title}: the plane from {-span:g} to {span:g} split among {len(shares)} experts; "
            f"expert {most} owns most ({100 * shares[most]:.0f}%), expert {least} least "
            f"({100 * shares[least]:.0f}%); {len(tokens)} tokens.")

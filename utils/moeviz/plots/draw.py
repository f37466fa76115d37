"""The drawing engine of the plots: labels, glyphs, bars and ticks as few artists that are soon drawn."""

import textwrap
from functools import lru_cache

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize, TwoSlopeNorm
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.textpath import TextPath
from matplotlib.ticker import NullFormatter, NullLocator
from matplotlib.transforms import Affine2D, offset_copy

from moeviz.record import EMPTY
from moeviz.style import AROUND, FONTS, HEAT, can_draw, ink_on, on_phone, set_matrix
from moeviz.tables import as_tick, decimals_of, with_minus

SANS = ("DejaVu Sans",)
CAP_HEIGHT, WIDEST = 0.73, 0.72  # of the type size: capitals in DejaVu, and the widest letter
HALO = [withStroke(linewidth=3.5, foreground="white")]  # around words on lines
BACKED = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind words that a line would cross
TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
EDGE = "#dfe3e8"  # of cells, so that empty ones can be seen
FEW_CELLS = 16  # a side, up to which cells have white edges
FEW_LETTERS = 36  # that numbers in one row of cells may have at 14 points, so that a phone keeps them apart
ROW_LETTERS = 18  # of a line of a row's name on a phone


def check_labels(labels, num_tokens, name="labels"):
    """Return one text per token; None gives the token numbers. Raises ValueError on another length.

    >>> check_labels(None, 3)
    ['0', '1', '2']
    """
    if labels is None:
        return [str(token) for token in range(num_tokens)]
    if isinstance(labels, (bytes, bytearray)):
        raise ValueError(f"{name} must be texts, one per token, got bytes")
    texts = [str(label) for label in labels]
    if len(texts) != num_tokens:
        raise ValueError(f"{name} must have one entry per token ({num_tokens}), got {len(texts)}")
    return texts


def set_weights(ax, routed, labels):
    """Attach the matrix of tokens and experts: the weight of each choice, marked where it was dropped."""
    texts = np.full(routed.shape, "", dtype=object)
    known = routed.combine_weight is not None
    decimals = decimals_of(routed.combine_weight.ravel(), 3) if known else 0
    for token, slot in np.argwhere(routed.expert_index != EMPTY):
        fate = "" if routed.kept[token, slot] else " dropped"
        weight = f"{routed.combine_weight[token, slot]:.{decimals}f}" if known else "chosen"
        texts[token, routed.expert_index[token, slot]] = weight + fate
    set_matrix(ax, texts, rows=("token", labels), columns=("expert", range(routed.num_experts)),
               title=f"{routed.label}: weight of each choice")


def extremes(counts, noun="expert", unit=""):
    """Say which entry is largest and which is smallest, with their values and shares.

    >>> extremes(np.array([3, 1]), unit="tokens")
    'most to expert 0 (3 tokens, 75%), fewest to expert 1 (1 tokens, 25%)'
    """
    total = max(counts.sum(), 1)
    words = [f"{noun} {at} ({counts[at]:g}{' ' + unit if unit else ''}, {100 * counts[at] / total:.0f}%)"
             for at in (int(np.argmax(counts)), int(np.argmin(counts)))]
    return f"most to {words[0]}, fewest to {words[1]}"


@lru_cache(maxsize=4096)
def outline(text, family=FONTS, weight="normal"):
    """Return the outline of `text` in units of the type size, centred sideways and on a capital's height.

    A single letter is no wider than a cell of text.
    """
    if not text.strip():
        return Path(np.zeros((1, 2)))
    plain = text.replace("$", r"\$")  # a dollar sign begins no formula here
    path = TextPath((0, 0), plain, size=100, prop=FontProperties(family=family, weight=weight))
    x, y = path.vertices.T / 100
    if len(text) == 1 and np.ptp(x) > WIDEST:
        x, y = x * WIDEST / np.ptp(x), y * WIDEST / np.ptp(x)
    return Path(np.stack([x - (x.min() + x.max()) / 2, y - CAP_HEIGHT / 2], axis=1), path.codes)


def readable(labels, text_bytes=None):
    """Replace each label that the fonts cannot draw by the hex of its byte.

    labels: T texts. text_bytes: the T bytes of the text; without it the first byte of the label's UTF-8.

    >>> readable(["a", "𒀀"])
    ['a', 'F0']
    """
    if text_bytes is None:
        text_bytes = [label.encode("utf-8", "surrogatepass")[0] if label else 0 for label in labels]
    return [label if can_draw(label) else f"{int(value):02X}"
            for label, value in zip(labels, text_bytes, strict=True)]


def draw_glyphs(ax, texts, places, *, size, colors, cell):
    """Draw each text centred on its place (N, 2) as one artist, and return it.

    size: points, one for all or one per text. cell: (width, height) in inches of one data unit, which
    makes the points come true at the default figure size; a negative height for an axis that points down.
    """
    sizes = np.broadcast_to(size, len(texts))[:, None] / (72 * np.asarray(cell))
    paths = [Path(outline(text).vertices * scale + place, outline(text).codes)
             for text, scale, place in zip(texts, sizes, np.reshape(places, (-1, 2)), strict=True)]
    glyphs = PathCollection(paths, facecolors=colors, edgecolors="none", linewidths=0, zorder=3,
                            transform=ax.transData)
    glyphs.set_in_layout(False)  # the layout would measure every outline
    return ax.add_collection(glyphs, autolim=False)


def draw_outlines(ax, outlines, places, *, size, shifts=((0, 0),), **look):
    """Draw each outline at its place (N, 2) as one artist, `size` points large, and return it.

    shifts: (N, 2) or one for all, in points. The size stays where the axes or their figure change theirs.
    """
    shifts = np.broadcast_to(shifts, (len(outlines), 2))
    paths = [Path(path.vertices * size + shift, path.codes)
             for path, shift in zip(outlines, shifts, strict=True)]
    glyphs = PathCollection(paths, offsets=places, offset_transform=ax.transData, **{"linewidths": 0} | look)
    glyphs.set_transform(Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans)
    glyphs.set_in_layout(False)
    return ax.add_collection(glyphs, autolim=False)


def draw_bars(ax, left, bottom, width, height, *, facecolor, **look):
    """Draw bars and return them; the limits of the axes stay as they are, unlike after `ax.bar`.

    Fitting the limits to every bar takes six times as long as making it. left, bottom, width, height: (N,)
    or one for all, in the units of the axes. facecolor: N colours or one.

    >>> import matplotlib.pyplot as plt
    >>> [f"{bar.get_x():.0f}" for bar in draw_bars(plt.subplots()[1], [0, 1], 0, 0.8, 5, facecolor="black")]
    ['0', '1']
    """
    places = np.column_stack(np.broadcast_arrays(left, bottom, width, height)).astype(float)
    colors = np.broadcast_to(facecolor, len(places))
    return [ax.add_artist(Rectangle((x, y), wide, high, facecolor=str(color), **look))
            for (x, y, wide, high), color in zip(places, colors, strict=True)]


def boxes(left, top, width, height):
    """Return the corners (N, 4, 2) of N boxes for a PolyCollection; every argument is (N,) or one for all.

    >>> boxes(0, [0, 5], 2, 1).tolist()
    [[[0, 0], [2, 0], [2, 1], [0, 1]], [[0, 5], [2, 5], [2, 6], [0, 6]]]
    """
    left, top, right, bottom = np.broadcast_arrays(left, top, np.add(left, width), np.add(top, height))
    return np.stack([left, top, right, top, right, bottom, left, bottom], axis=-1).reshape(-1, 4, 2)


def ribbon(x0, y0, x1, y1, width):
    """Return the path of a band that is `width` high, from its middle (x0, y0) to its middle (x1, y1)."""
    half, middle, curve = width / 2, (x0 + x1) / 2, [Path.CURVE4] * 3
    there = [(x0, y0 - half), (middle, y0 - half), (middle, y1 - half), (x1, y1 - half)]
    back = [(x1, y1 + half), (middle, y1 + half), (middle, y0 + half), (x0, y0 + half)]
    return Path([*there, *back, there[0]], [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def draw_tile(ax, left, bottom, width, height, ground, words="", *, zorder=1, edgecolor="none", linewidth=1.0,
              **look):
    """Draw a box, and words in its middle in the ink that can be read on it; look: of the words."""
    ax.add_patch(Rectangle((left, bottom), width, height, facecolor=ground, edgecolor=edgecolor,
                           linewidth=linewidth, zorder=zorder))
    if words:
        ax.text(left + width / 2, bottom + height / 2, words, ha="center", va="center",
                **{"color": ink_on(ground)} | look)


def bare(ax, axis="both"):
    """Hide the marks of the ticks and the lines of the axes, or of the y axis alone ("y"); labels stay."""
    ax.tick_params(axis=axis, length=0)
    ax.spines["left" if axis == "y" else slice(None)].set_visible(False)


def time_unit(longest):
    """Return the unit that suits times of up to so many seconds: its seconds, and its name.

    >>> time_unit(0.02)
    (0.001, 'ms')
    """
    return next((size, name) for size, name in TIMES if longest >= size or size == TIMES[-1][0])


def plain_ticks(*axes):
    """Write the ticks of an XAxis or YAxis as `tables.as_tick` does; minor ones only within one decade.

    Call it when scale and limits are known.
    """
    for axis in axes:
        axis.set_major_formatter(as_tick)
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log":
            few = as_tick if high < 3 * low else _some_ticks
            axis.set_minor_formatter(few if low > 0 and high < 10 * low else NullFormatter())


def _some_ticks(value, position=None):
    """Write a minor tick of a whole decade, where not all have room: those that begin with 2, 3 or 5."""
    return as_tick(value) if f"{value:e}"[0] in "235" else ""


def merge_minor_ticks(ax):
    """Draw the minor ticks of each axis as one artist; by itself each tick is five, and slow to make.

    Call it last: these ticks stay where they are, whatever happens to the limits. Ticks with labels stay
    as matplotlib makes them.

    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> ax.set(xscale="log", xlim=(1, 100)) and merge_minor_ticks(ax)
    >>> len(ax.lines[0].get_xdata()), len(ax.xaxis.get_minorticklocs())
    (16, 0)
    """
    for axis, marker, transform in ((ax.xaxis, TICKDOWN, ax.get_xaxis_transform()),
                                    (ax.yaxis, TICKLEFT, ax.get_yaxis_transform())):
        low, high = sorted(axis.get_view_interval())
        places = np.array([place for place in axis.get_minorticklocs() if low <= place <= high])
        if len(places) and not any(axis.get_minor_formatter().format_ticks(places)):
            axis.set_minor_locator(NullLocator())
            across, up = (places, 0 * places) if axis is ax.xaxis else (0 * places, places)
            look = {name: mpl.rcParams[f"{axis.axis_name}tick.{setting}"] for name, setting in
                    (("color", "color"), ("markersize", "minor.size"), ("markeredgewidth", "minor.width"))}
            ax.add_artist(Line2D(across, up, linestyle="none", marker=marker, transform=transform,
                                 clip_on=False, label="_minor ticks", **look))


def draw_heatmap(ax, values, *, low, high, middle=None, top=0.0, cell_text=None):
    """Draw a matrix (R, N) as cells from white to dark, or around a white middle; return the mesh.

    low, high: values of the ends of the colours. middle: the value that is white, where it is not `low`.
    top: where on the y axis the first row begins. cell_text: function that writes a value into its cell.
    """
    rows, columns = values.shape
    norm = Normalize(low, high) if middle is None else TwoSlopeNorm(middle, low, high)
    mesh = ax.pcolormesh(np.arange(columns + 1), top + np.arange(rows + 1), values, norm=norm,
                         cmap=HEAT if middle is None else AROUND,
                         edgecolors=EDGE, linewidth=1.0 if max(rows, columns) <= FEW_CELLS else 0)
    if cell_text is not None:
        inks = [ink_on(color) for color in mesh.to_rgba(values).reshape(-1, 4)]
        texts = [with_minus(cell_text(value)) for value in values.flat]
        size = 14 if columns * max(map(len, texts)) <= FEW_LETTERS else 12
        for (row, column), text, ink in zip(np.ndindex(values.shape), texts, inks, strict=True):
            ax.text(column + 0.5, top + row + 0.5, text, ha="center", va="center", fontsize=size, color=ink)
    bare(ax)
    return mesh


def draw_colour_bar(ax, mesh, label):
    """Draw the scale of a heatmap beside it."""
    ax.figure.colorbar(mesh, ax=ax, label=label).outline.set_visible(False)


def write_rows(ax, names):
    """Write the names of rows 0, 1, ... beside them, on a phone in lines of at most ROW_LETTERS."""
    width = ROW_LETTERS if on_phone(ax) else len(max(names, key=len, default="")) + 1
    ax.set_yticks(range(len(names)), ["\n".join(textwrap.wrap(name, width)) or name for name in names])


def legend_below(ax, columns, **options):
    """Put the key of a chart below it, where it covers nothing: below all lines of the label of x, too."""
    under = offset_copy(ax.transAxes, ax.figure, y=-58 - 17 * ax.get_xlabel().count("\n"), units="points")
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=under, ncols=columns, borderaxespad=0,
              **options)

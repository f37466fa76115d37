"""What a model costs, by part: ledgers as stacked bars, and shares of a cost over the context."""

from collections.abc import Mapping

import numpy as np
from matplotlib.patches import Patch

from moeviz.arrays import check_choice, check_number, check_vector
from moeviz.figure_data import set_matrix, set_table
from moeviz.plots.bars import draw_bars
from moeviz.style import INK, MUTED, axes_or_new, ink_on, set_description

PART_COLORS = {
    "experts": "#0072B2", "shared experts": "#56B4E9", "dense FFN": "#9DB4C8", "attention": "#E69F00",
    "attention projections": "#E69F00", "attention scores": "#D55E00", "state layers": "#CC79A7",
    "router": INK, "embedding": "#009E73", "head": "#8FD3BF", "norms": "#A6A6A6", "other": "#D6D6D6",
    "weights": "#0072B2", "gradients": "#56B4E9", "master weights": "#9DB4C8", "Adam averages": "#CC79A7",
    "activations": "#F0E442", "cache": "#D55E00",
}
BAR, NAMED = 0.66, 6.0  # height of a bar; percent that an area needs for its name
VISIBLE = 0.0015  # of the axis, about a pixel
LETTER = 0.66  # mean width of a letter, of the type size
DECADES = ((1e6, "M"), (1e3, "k"), (1, ""))


def plot_ledger(ledgers, *, unit, scale=1e9, limit=None, mark=None, ax=None, title=""):
    """Draw one bar per ledger, stacked by part, with the sum at its end.

    ledgers: {name of the bar: {part: amount}}; a part keeps its colour in every picture of costs.
    unit: what the axis counts, in `scale` of the amounts' own unit. limit: right end of the axis.
    mark: an amount to draw as a dashed line behind all bars. Parts without room for their name go to
    the key, but for those thinner than a pixel. Returns the Axes. Raises ValueError naming the wrong
    argument.

    >>> ax = plot_ledger({"all": {"experts": 45e9, "attention": 1.3e9}}, unit="billion parameters")
    >>> [text.get_text() for text in ax.texts]
    ['experts\\n45', '46.3']
    """
    rows = {name: _check_parts(parts, f"ledgers[{name!r}]") for name, parts in _check_map(ledgers).items()}
    scale = check_number(scale, "scale", low=1e-300)
    ax = axes_or_new(ax, (11.5, 0.85 * len(rows) + 2.2))
    sums = {name: sum(parts.values()) / scale for name, parts in rows.items()}
    right = check_number(limit, "limit", low=0.0) if limit is not None else 1.12 * max(sums.values())
    ax.set(xlim=(0, right or 1), ylim=(len(rows) - 0.5, -0.5), title=title, xlabel=unit)
    named = set().union(*(_draw_bar(ax, row, parts, scale) for row, parts in enumerate(rows.values())))
    for row, total in enumerate(sums.values()):
        ax.annotate(brief(total), (total, row), xytext=(7, 0), textcoords="offset points", va="center",
                    fontsize=15, fontweight="bold")
    if mark is not None:
        ax.axvline(check_number(mark, "mark", low=0.0) / scale, color=INK, linestyle=(0, (4, 3)),
                   linewidth=1.8, zorder=0.5)
    ax.set_yticks(range(len(rows)), list(rows), fontsize=14)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    _draw_key(ax, [part for parts in rows.values() for part, amount in parts.items()
                   if part not in named and amount / scale > VISIBLE * ax.get_xlim()[1]])
    _tabulate(ax, rows, sums, scale, ", ".join(filter(None, [title, unit])))
    return set_description(ax, _describe_ledgers(rows, sums, scale, unit, title))


def plot_shares(x, parts, *, x_label, ax=None, title="", marks=None):
    """Draw the shares of a cost in percent over x, stacked by part, each named where it is widest.

    x: (N,) rising, on a log scale. parts: {part: (N,) amounts}, stacked from below in their order.
    marks: {words: place on x}, drawn as lines through the areas with the words above them.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> ax = plot_shares([1, 10], {"experts": [3, 3], "attention scores": [1, 9]}, x_label="context (tokens)")
    >>> [text.get_text() for text in ax.texts]
    ['experts', 'attention scores']
    """
    x = check_vector(x, "x")
    if len(x) < 2 or not (np.diff(x) > 0).all() or x[0] <= 0:
        raise ValueError(f"x must be two or more rising numbers above 0, got {x.tolist()}")
    amounts = {name: check_vector(values, f"parts[{name!r}]", len(x)) for name, values in parts.items()}
    shares = _as_percent(amounts)
    ax = axes_or_new(ax, (11.5, 6))
    edges = np.vstack([np.zeros(len(x)), np.cumsum(list(shares.values()), axis=0)])
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 100), xscale="log", xlabel=x_label, ylabel="share of the FLOPs (%)")
    for row, (part, share) in enumerate(shares.items()):
        color = _color(part)
        ax.fill_between(x, edges[row], edges[row + 1], facecolor=color, edgecolor="white", linewidth=0.8)
        at = _widest(share)
        if share[at] >= NAMED:
            side, inward = _side(np.log(x[at] / x[0]) / np.log(x[-1] / x[0]))
            ax.annotate(part, (x[at], edges[row:row + 2, at].mean()), xytext=(inward, 0), ha=side,
                        textcoords="offset points", va="center", color=ink_on(color), fontsize=15)
    _draw_key(ax, [part for part, share in shares.items() if 100 * VISIBLE < share.max() < NAMED])
    _draw_marks(ax, marks or {})
    ax.xaxis.set_major_formatter(lambda value, _: count_name(value))
    ax.set_title(title, pad=30 if marks else None)
    set_matrix(ax, np.transpose(list(shares.values())), rows=(x_label, map(count_name, x)),
               columns=("", shares), title=": ".join(filter(None, [title, "share of the FLOPs (%)"])))
    return set_description(ax, _describe_shares(x, shares, x_label, title))


def count_name(number):
    """Write a number of tokens briefly; a multiple of 1024 below a million counts in steps of 1024.

    >>> count_name(32_768), count_name(200_000), count_name(10**7), count_name(64)
    ('32k', '200k', '10M', '64')
    """
    if number < 1e6 and number % 1024 == 0:
        return f"{number / 1024:.0f}k"
    size, letter = next(((size, letter) for size, letter in DECADES if number >= size), DECADES[-1])
    digits = f"{number / size:.0f}" if number >= 100 * size else f"{number / size:.2g}"
    return f"{digits}{letter}"


def brief(value):
    """Write an amount with three digits, and large ones with all of theirs.

    >>> brief(46.7028), brief(1571.3), brief(0.001)
    ('46.7', '1,571', '0.001')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _check_map(ledgers):
    if not isinstance(ledgers, Mapping) or not ledgers:
        raise ValueError(f"ledgers must be a dictionary with at least one bar, got {ledgers!r}")
    return ledgers


def _check_parts(parts, name):
    if not isinstance(parts, Mapping):
        raise ValueError(f"{name} must be a dictionary of parts, got {type(parts).__name__}")
    return {part: amount for part, amount in parts.items()
            if check_number(amount, f"{name}[{part!r}]", low=0.0) and _color(part)}


def _color(part):
    return PART_COLORS[check_choice(part, "part", PART_COLORS)]


def _draw_bar(ax, row, parts, scale):
    """Draw one stacked bar; return the parts whose names found room on it."""
    widths = np.array(list(parts.values())) / scale
    lefts, named = np.cumsum(widths) - widths, set()
    draw_bars(ax, lefts, row - BAR / 2, widths, BAR, facecolor=[PART_COLORS[part] for part in parts],
              edgecolor="white", linewidth=1)
    points = ax.get_window_extent().width * 72 / ax.figure.dpi / ax.get_xlim()[1]  # per unit of the axis
    for part, left, width in zip(parts, lefts, widths, strict=True):
        if LETTER * 13 * len(part) < points * width:
            ax.text(left + width / 2, row, f"{part}\n{brief(width)}", ha="center", va="center", fontsize=13,
                    color=ink_on(PART_COLORS[part]), linespacing=1.25, clip_on=True)
            named.add(part)
    return named


def _draw_key(ax, parts):
    patches = [Patch(color=PART_COLORS[part], label=part) for part in dict.fromkeys(parts)]
    if patches:
        ax.legend(handles=patches, loc="upper left", bbox_to_anchor=(1.02, 1.0))


def _as_percent(amounts):
    whole = sum(amounts.values()) if amounts else np.zeros(1)
    if any((values < 0).any() for values in amounts.values()) or not (whole > 0).all():
        raise ValueError("parts must hold amounts of at least 0 with a sum above 0 at every x")
    return {part: 100 * values / whole for part, values in amounts.items()}


def _widest(share):
    """Return the place where an area is widest; of several equal ones the middle one."""
    best = np.flatnonzero(share >= 0.999 * share.max())
    return int(best[len(best) // 2])


def _side(fraction):
    """Return the alignment of a name at this fraction of the axis, and points to move it inwards."""
    if fraction < 0.2:
        return "left", 10
    return ("right", -10) if fraction > 0.8 else ("center", 0)


def _draw_marks(ax, marks):
    for words, place in marks.items():
        ax.axvline(check_number(place, f"marks[{words!r}]"), color="white", linewidth=2)
        ax.annotate(words, (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 6), ha="center",
                    textcoords="offset points", color=MUTED)


def _tabulate(ax, ledgers, sums, scale, title):
    """Attach a row per part and one for the sum, a column per bar."""
    parts = dict.fromkeys(part for ledger in ledgers.values() for part in ledger)
    amounts = [[part, *(ledger[part] / scale if part in ledger else None for ledger in ledgers.values())]
               for part in parts]
    names = [name.replace("\n", " ") or "amount" for name in ledgers]
    set_table(ax, ["part", *names], [*amounts, ["sum", *sums.values()]], title=title)


def _describe_ledgers(rows, sums, scale, unit, title):
    words = []
    for name, parts in rows.items():
        listed = ", ".join(f"{part} {brief(amount / scale)}" for part, amount in parts.items())
        words.append(f"{name} {brief(sums[name])} ({listed})".replace("\n", " "))
    return f"Stacked bars, {title or 'ledger'}, in {unit}: {'; '.join(words)}."


def _describe_shares(x, shares, x_label, title):
    words = [f"{part} from {share[0]:.3g}% to {share[-1]:.3g}%" for part, share in shares.items()]
    return (f"Stacked areas, {title or 'shares'}: shares over {x_label} from {count_name(x[0])} to "
            f"{count_name(x[-1])}; {', '.join(words)}.")

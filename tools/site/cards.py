"""The pictures of the index: one drawing for each notebook, with three words at most, made for a card.

Each shows the one thing that its notebook is about. They are drawn and not measured: numbers stand in the
notebooks.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from moeviz.style import INK, LINE, MUTED, expert_colors, ink_on

SIZE, DPI, POINTS = (4.8, 2.7), 200, 20  # inches, pixels per inch, size of the words
COLORS = expert_colors(8)


def card(stem):
    """Return the figure of a notebook's card, or None for a notebook that has none.

    >>> [text.get_text() for text in card("07_collapse").axes[0].texts]
    ['load', 'steps']
    """
    draw = CARDS.get(stem[:2])
    if draw is None:
        return None
    figure = Figure(figsize=SIZE, dpi=DPI, layout="none")
    FigureCanvasAgg(figure)  # what its pixels are drawn on
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 16), ylim=(0, 9))
    ax.set_axis_off()
    draw(ax)
    return figure


def _word(ax, x, y, text, color=INK, ha="center"):
    ax.text(x, y, text, color=color, ha=ha, va="center", fontsize=POINTS)


def _box(ax, x, y, wide, high, color, **look):
    ax.add_patch(Rectangle((x, y), wide, high, facecolor=color, **{"edgecolor": "none", **look}))


def _bars(ax, heights, left=1.5, wide=1.35, step=1.65, colors=COLORS):
    for place, high in enumerate(heights):
        _box(ax, left + step * place, 1.0, wide, high, colors[place % len(colors)])


def _arrow(ax, start, end, color, width=3.0):
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=18, color=color,
                                 linewidth=width, shrinkA=0, shrinkB=0))


def _line(ax, x, y, color=INK, **look):
    ax.plot(x, y, color=color, **{"linewidth": 4, "solid_capstyle": "round", **look})


def _cells(ax, grid, left, bottom, size, gap=0.12):
    """Draw a grid of colours, None for an empty cell, from the top down."""
    for row, colors in enumerate(reversed(grid)):
        for column, color in enumerate(colors):
            place = left + column * (size + gap), bottom + row * (size + gap)
            _box(ax, *place, size, size, color or "none", edgecolor=LINE, linewidth=1.5)


def _start(ax):
    for place, (letter, expert) in enumerate(zip("route me", (0, 3, 3, 1, 5, 7, 2, 0), strict=True)):
        _box(ax, 1.0 + 1.77 * place, 3.4, 1.6, 2.2, COLORS[expert])
        _word(ax, 1.8 + 1.77 * place, 4.5, letter, ink_on(COLORS[expert]))


def _cut(ax):
    _box(ax, 1.2, 1.5, 4.6, 6.0, MUTED)
    _arrow(ax, (6.3, 4.5), (8.3, 4.5), INK)
    for place, color in enumerate(COLORS):
        _box(ax, 8.8 + 1.5 * (place % 4), 4.7 - 3.2 * (place // 4), 1.3, 2.8, color,
             alpha=1 if place in (1, 6) else 0.25)


def _plane(ax):
    around = ((0, 0), (0, 9), (16, 9), (16, 0), (0, 0))
    for color, one, other in zip(COLORS, around, around[1:], strict=False):
        ax.fill(*zip(one, (9, 4.5), other, strict=True), color=color, alpha=0.45, linewidth=0)
    for x, y in ((2.5, 4), (6, 7.5), (13.5, 4.5), (8, 1.5), (14, 6.6), (4.5, 5)):
        ax.add_patch(Circle((x, y), 0.42, color=INK))


def _knobs(ax):
    for at, turn in zip((3.2, 8, 12.8), (2.2, 0.9, 0.2), strict=True):
        ax.add_patch(Circle((at, 5.3), 1.9, facecolor="none", edgecolor=INK, linewidth=4))
        _line(ax, [at, at + 1.8 * np.cos(turn)], [5.3, 5.3 + 1.8 * np.sin(turn)], COLORS[4])
    for at, word in zip((3.2, 8, 12.8), ("top-k", "noise", "heat"), strict=True):
        _word(ax, at, 1.7, word)


def _dispatch(ax):
    for token, expert in enumerate((0, 2, 1, 0, 2)):
        _arrow(ax, (3.2, 7.7 - 1.6 * token), (11.6, 7.1 - 2.6 * expert), COLORS[expert])
        ax.add_patch(Circle((2.4, 7.7 - 1.6 * token), 0.6, color=INK))
    for expert in range(3):
        _box(ax, 12, 6.2 - 2.6 * expert, 2.8, 1.8, COLORS[expert])


def _load(ax):
    _bars(ax, (5.6, 3.1, 2.4, 4.4, 0.5, 3.0, 1.4, 2.6))
    ax.plot([1, 15], [3.9, 3.9], color=INK, linewidth=3, linestyle=(0, (3, 2)))
    _word(ax, 11.5, 4.9, "fair share")


def _capacity(ax):
    seats = [[COLORS[0]] * 4, [COLORS[1]] * 2 + [None] * 2, [COLORS[2]] * 3 + [None]]
    _cells(ax, seats, 1.2, 1.6, 1.7, 0.25)
    for place in range(2):
        _box(ax, 10.2 + 1.95 * place, 5.5, 1.7, 1.7, "white", edgecolor=INK, hatch="///", linewidth=1.5)
    _line(ax, [9.5, 9.5], [1.2, 7.6])
    _word(ax, 12.2, 4.4, "dropped")


def _collapse(ax):
    steps = np.linspace(0, 1, 60)
    shares = np.array([np.exp(push * steps) for push in (4, 3, 1, -4, -5, -6)])
    tops = np.cumsum(shares / shares.sum(axis=0), axis=0) * 6 + 1.9
    for color, low, high in zip(COLORS, np.vstack([np.full(60, 1.9), tops[:-1]]), tops, strict=False):
        ax.fill_between(1.2 + 13.6 * steps, low, high, color=color, linewidth=0)
    _word(ax, 2.6, 8.45, "load")
    _word(ax, 13.6, 0.95, "steps")


def _thermostat(ax):
    steps = np.linspace(0, 1, 300)
    for color, start in zip(COLORS, (2.6, 1.4, -1.2, -2.4), strict=False):
        _line(ax, 1 + 14 * steps, 4.5 + start * np.exp(-5 * steps) * np.cos(16 * steps), color)
    ax.plot([1, 15], [4.5, 4.5], color=INK, linewidth=2.5, linestyle=(0, (3, 2)))
    _word(ax, 12.5, 1.4, "fair share")


def _rows(ax):
    rng = np.random.default_rng(1)
    order = [rng.permutation(4) for _ in range(4)]
    grid = [[COLORS[column] if row[column] == 0 else None for column in range(4)] for row in order]
    _cells(ax, grid, 1.0, 1.0, 1.5)
    _cells(ax, [[COLORS[column] if (row + column) % 4 == 1 else None for column in range(4)]
                for row in range(4)], 8.6, 1.0, 1.5)
    _word(ax, 4.2, 8.2, "rows")
    _word(ax, 11.8, 8.2, "columns")


def _board(ax):
    places = (6.6, 5.8), (6.2, 3.4), (5.0, 1.6), (3.9, 0.8), (2.6, 0.5)
    for color, (share, uneven) in zip(COLORS, places, strict=False):
        ax.add_patch(Circle((2 + 2 * uneven, 1.4 + share), 0.65, color=color))
    _line(ax, [1.2, 1.2, 15], [8.4, 1.2, 1.2], LINE, linewidth=3)
    _word(ax, 5.0, 8.2, "captured")
    _word(ax, 12.4, 0.5, "uneven", MUTED)


def _count(ax):
    for place, (high, dark) in enumerate(((6.4, 1.8), (2.6, 2.6))):
        _box(ax, 2.2 + 6.8 * place, 1.9, 4.4, high, "#d7dbe0")
        _box(ax, 2.2 + 6.8 * place, 1.9, 4.4, dark, COLORS[2])
    _word(ax, 4.4, 0.95, "experts")
    _word(ax, 11.2, 0.95, "dense")
    _word(ax, 4.4, 2.8, "active", ink_on(COLORS[2]))


def _models(ax):
    rng = np.random.default_rng(3)
    years = rng.uniform(0, 1, 26)
    for x, y in zip(1.6 + 12.6 * years, 1.6 + 4.8 * years + rng.normal(0, 0.9, 26), strict=True):
        ax.add_patch(Circle((x, y), 0.36, color=COLORS[int(x) % 3 + 4], alpha=0.9))
    _line(ax, [1, 1, 15.2], [8.4, 0.9, 0.9], LINE, linewidth=3)
    _word(ax, 4.6, 7.9, "parameters")


def _faster(ax):
    for place, (long, color) in enumerate(((12.5, MUTED), (6.8, COLORS[2]), (4.6, COLORS[4]))):
        _box(ax, 1.4, 6.2 - 2.1 * place, long, 1.4, color)
    _word(ax, 12.4, 1.2, "seconds")


def _learning(ax):
    steps = np.linspace(0, 1, 80)
    for color, rate in ((MUTED, 1.6), (COLORS[4], 3.6)):
        _line(ax, 1.4 + 13.4 * steps, 1.8 + 5.8 * np.exp(-rate * steps), color)
    _word(ax, 10.6, 5.0, "dense", MUTED)
    _word(ax, 5.6, 1.6, "experts")


def _context(ax):
    x = np.linspace(0, 1, 80)
    share = 1 / (1 + np.exp(-9 * (x - 0.55)))
    ax.fill_between(1 + 14 * x, 1.9, 1.9 + 6.2 * (1 - share), color=COLORS[2], linewidth=0)
    ax.fill_between(1 + 14 * x, 1.9 + 6.2 * (1 - share), 8.1, color=COLORS[1], linewidth=0)
    _word(ax, 4.2, 4.4, "experts", ink_on(COLORS[2]))
    _word(ax, 11.4, 6.4, "attention", ink_on(COLORS[1]))
    _word(ax, 13.2, 0.95, "tokens")


def _transformer(ax):
    rows = np.arange(5)
    grid = [[COLORS[5] if column <= row else None for column in rows] for row in rows]
    _cells(ax, grid, 1.2, 1.4, 1.12, 0.1)
    _arrow(ax, (7.9, 4.5), (9.8, 4.5), INK)
    for place, color in enumerate(COLORS[:3]):
        _box(ax, 10.4, 6.0 - 2.3 * place, 4.2, 1.8, color)


def _specialise(ax):
    rng = np.random.default_rng(0)
    for row in range(4):
        for column in range(8):
            shade = 0.95 if column // 2 == row else rng.uniform(0.04, 0.16)
            _box(ax, 4.9 + 1.3 * column, 6.4 - 1.6 * row, 1.2, 1.5, COLORS[0], alpha=shade)
    _word(ax, 2.6, 4.6, "topics")
    _word(ax, 10, 0.75, "experts")


def _flow(ax):
    t = np.linspace(0, 1, 40)
    bend = 3 * t**2 - 2 * t**3
    for start, end, width in ((0, 1, 16), (0, 3, 7), (1, 0, 12), (2, 2, 18), (3, 1, 5), (3, 3, 10)):
        ax.plot(2.6 + 10.8 * t, 7.6 - 2.1 * (start + (end - start) * bend), color=COLORS[start], alpha=0.55,
                linewidth=width, solid_capstyle="butt")
    for side in (1.6, 13.4):
        for expert in range(4):
            _box(ax, side, 6.9 - 2.1 * expert, 1.0, 1.4, COLORS[expert])


def _devices(ax):
    for place in range(4):
        _box(ax, 1.2 + 3.6 * place, 5.2, 2.9, 2.6, "#d7dbe0")
        for other in range(2):
            _box(ax, 1.55 + 3.6 * place + 1.2 * other, 5.8, 1.0, 1.4, COLORS[2 * place + other])
    for start, end in ((0, 2), (3, 1), (1, 2)):
        bend = 0.45 if end > start else -0.45
        ax.add_patch(FancyArrowPatch((2.6 + 3.6 * start, 5.0), (2.6 + 3.6 * end, 5.0), color=INK, linewidth=3,
                                     arrowstyle="-|>", mutation_scale=18, connectionstyle=f"arc3,rad={bend}"))
    _word(ax, 8, 1.1, "exchange")


def _serving(ax):
    for reader, chosen in enumerate(((0, 3), (3, 5), (0, 1), (3, 0))):
        ax.add_patch(Circle((2.2, 7.9 - 1.9 * reader), 0.55, color=INK))
        for expert in chosen:
            _arrow(ax, (2.9, 7.9 - 1.9 * reader), (10.8, 8.0 - 1.4 * expert), COLORS[expert])
    for expert in range(6):
        wanted = expert in (0, 1, 3, 5)
        _box(ax, 11, 7.5 - 1.4 * expert, 3.6, 1.05, COLORS[expert], alpha=1 if wanted else 0.2)
    _word(ax, 3.2, 0.8, "readers")


def _bugs(ax):
    pale = ["#c9ced4"] * 4
    _bars(ax, (3.2, 3.0, 3.3, 3.1, 6.4, 3.2, 2.9, 3.1), colors=[*pale, COLORS[5], *pale])
    ax.add_patch(Circle((8.8, 5.2), 2.4, facecolor="none", edgecolor=INK, linewidth=5))
    _line(ax, [10.6, 13.0], [3.5, 1.2], linewidth=8)


CARDS = {"00": _start, "01": _cut, "02": _plane, "03": _knobs, "04": _dispatch, "05": _load, "06": _capacity,
         "07": _collapse, "08": _thermostat, "09": _rows, "10": _board, "11": _count, "12": _models,
         "13": _faster, "14": _learning, "15": _context, "16": _transformer, "17": _specialise, "18": _flow,
         "19": _devices, "20": _serving, "21": _bugs}

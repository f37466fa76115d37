"""Two columns of the scoreboard as a map: what a router gains in one, it often pays in the other."""

import numpy as np

from moeviz.checks import check_kind
from moeviz.figure_data import set_table
from moeviz.plots.naming import RADIUS, share_names, write_names
from moeviz.scoreboard import Board, find_column
from moeviz.style import INK, LINE, MUTED, OKABE_ITO, axes_or_new, set_description

KINDS = ((True, "o", OKABE_ITO[4], "causal"), (False, "D", OKABE_ITO[5], "not causal"),
         (None, "s", MUTED, "not known"))
MARGIN = np.array([[0.1, 0.1], [0.2, 0.1]])  # low and high side; names need room on the right


def plot_tradeoff(board, *, across="captured", up="max_violation", ax=None, title=""):
    """Draw every router of a Board as a named point over two columns, with the front that none beats.

    board: a `scoreboard.Board`; rows with an unknown in one of the two are left out. across, up: columns with
    a better side, which the axis labels name. Filled circles are causal, open diamonds are not; a
    learner's own routers are stars with bold names. Routers at the same place share a name. The dashed line
    joins `board.front(across, up)`. Returns the Axes.
    Raises ValueError for a board without such rows, or a wrong column.

    >>> from moeviz import routing, scoreboard
    >>> ax = plot_tradeoff(scoreboard.score({"top-k": routing.top_k, "soft": routing.soft}, np.eye(3)))
    >>> ax.get_xlabel()
    'captured (higher is better)'
    """
    check_kind(board, "board", Board)
    places = np.column_stack([board.column(across), board.column(up)]).astype(float)
    front = np.isin(board.names, board.front(across, up).names)
    there = np.isfinite(places).all(axis=1)
    if not there.any():
        raise ValueError(f"board must have a row with known {across} and {up}, got none")
    ax = axes_or_new(ax, (13, 8.5))
    _set_limits(ax, places[there])
    _draw_front(ax, places[front])
    _draw_points(ax, board, places, there)
    ax.set(xlabel=_label(across), ylabel=_label(up), title=title)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, fontsize=13)
    _name_points(ax, board, places, there)
    words = {kind: word for kind, _, _, word in KINDS}
    set_table(ax, ["router", _label(across), _label(up), "kind", "beaten by none"], title=title or "routers",
              rows=[[row.name, *place, words[row.causal], "yes" if best else "no"] for row, place, best, here
                    in zip(board.rows, places, front, there, strict=True) if here])
    return set_description(ax, _describe(board, places, there, front, across, up, title))


def _label(name):
    column = find_column(name)
    return f"{column.heading} ({'higher' if column.best == 'high' else 'lower'} is better)"


def _set_limits(ax, places):
    low, high = places.min(axis=0), places.max(axis=0)
    pad = MARGIN * np.where(high > low, high - low, 1.0)
    left, bottom = low - pad[0]
    right, top = high + pad[1]
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _draw_front(ax, places):
    if len(places) > 1:
        ax.plot(*places[np.argsort(places[:, 0])].T, color=LINE, linestyle=(0, (5, 4)), linewidth=1.8,
                label="beaten by none", zorder=1)


def _draw_points(ax, board, places, there):
    own, causal = np.isin(board.names, board.own), [row.causal for row in board.rows]
    for kind, marker, color, label in KINDS:
        here = there & ~own & np.array([value is kind for value in causal])
        if here.any():
            ax.plot(*places[here].T, marker, color=color, markerfacecolor=color if kind else "white",
                    markeredgewidth=2, markersize=2 * RADIUS - 2, label=label, zorder=3)
    if (there & own).any():
        ax.plot(*places[there & own].T, "*", color=OKABE_ITO[0], markeredgecolor=INK, markersize=19,
                label="yours", zorder=3.5)


def _name_points(ax, board, places, there):
    names, spots = share_names(np.array(board.names)[there], places[there])
    write_names(ax, names, spots, bold=[name for name in names if set(name.split(", ")) & set(board.own)])


def _describe(board, places, there, front, across, up, title):
    spots = [f"{name} ({x:.3g}, {y:.3g})"
             for name, (x, y), here in zip(board.names, places, there, strict=True) if here]
    beaten_by_none = [name for name, is_front in zip(board.names, front, strict=True) if is_front]
    headings = f"{find_column(across).heading} against {find_column(up).heading}"
    return (f"Scatter chart, {title or headings}: {len(spots)} routers, {', '.join(spots)}; "
            f"beaten by none: {', '.join(beaten_by_none)}.")

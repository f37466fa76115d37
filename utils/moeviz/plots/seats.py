"""Seats per expert, filled token by token, with the overflow left standing."""

from dataclasses import replace

import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_count
from moeviz.capacity import seat_positions
from moeviz.figure_data import set_table
from moeviz.plots.glyphs import draw_glyphs, readable
from moeviz.plots.inputs import check_labels
from moeviz.record import EMPTY, check_routing
from moeviz.style import FAINT, INK, MUTED, axes_or_new, dropped_patch, expert_colors, ink_on, set_description

CELL_HEIGHT = 0.5  # inches, at the default figure size
EDGE = "#d6d6d6"
AISLE = 0.5  # of a seat, between the seats and those who stand


def plot_seats(routed, capacity, *, seats=None, step=None, labels=None, ax=None):
    """Draw a row of `capacity` seats per expert with the tokens sitting in them, and the overflow standing.

    seats: (T, k) int, each choice's place in its expert's queue, from `capacity.seat_positions`; None
    seats all first choices before any second. What capacity dropped before does not matter here.
    step: show only the first `step` choices as they arrive; None shows all. labels: T texts.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> ax = plot_seats(Routing(None, [[0.9, 0.1]] * 2, [[0], [0]], [[1.0]] * 2, [[True]] * 2), 1)
    >>> ax.get_xlabel()
    'seat (capacity 1 per expert)'
    """
    labels = readable(check_labels(labels, check_routing(routed).num_tokens))
    capacity = check_count(capacity, "capacity", low=0)
    token, expert, seat = _arrivals(routed, seats)
    shown = len(token) if step is None else check_count(step, "step", low=0, high=len(token))
    columns = max(seat.max(initial=0) + 1, capacity)
    width = min(max(0.5, 0.15 * max(map(len, labels))), 11 / (columns + 1))
    ax = axes_or_new(ax, (max(width * (columns + 1) + 1.2, 5), CELL_HEIGHT * routed.num_experts + 1.6))
    _draw_empty_seats(ax, routed.num_experts, capacity)
    _draw_people(ax, routed, capacity, (token[:shown], expert[:shown], seat[:shown]), labels, width)
    _dress(ax, routed, capacity, columns)
    ax.set(aspect=CELL_HEIGHT / width, anchor="NW")
    _tabulate(ax, routed, capacity, (token[:shown], expert[:shown], seat[:shown]), labels)
    return set_description(ax, _describe(routed, capacity, seat[:shown], len(token)))


def _arrivals(routed, seats):
    """Return token, expert and seat of every choice in an order of arrival that agrees with the seats."""
    chosen = routed.expert_index != EMPTY
    seats = seat_positions(replace(routed, kept=chosen)) if seats is None else np.asarray(seats)
    if seats.shape != chosen.shape or seats.dtype.kind not in "iu":
        raise ValueError(f"seats must be whole numbers of shape {chosen.shape}, "
                         f"got {seats.dtype} of shape {seats.shape}")
    token, slot = np.nonzero(chosen & (seats != EMPTY))
    expert, seat = routed.expert_index[token, slot], seats[token, slot]
    if len(set(zip(expert.tolist(), seat.tolist(), strict=True))) < len(seat) or (seat < 0).any():
        raise ValueError("seats must be 0 or more and give each choice of an expert a place of its own")
    for keys in ((token, slot), (slot, token), (token, seat, slot), (token, seat)):
        order = np.lexsort(keys)
        by_expert = np.argsort(expert[order], kind="stable")
        if (np.diff(seat[order][by_expert])[np.diff(expert[order][by_expert]) == 0] > 0).all():
            break
    return token[order], expert[order], seat[order]


def _draw_empty_seats(ax, num_experts, capacity):
    expert, seat = (grid.ravel() for grid in np.mgrid[:num_experts, :capacity])
    ax.add_collection(PolyCollection(_cells(expert, seat), facecolors=FAINT, edgecolors=EDGE, linewidths=1.0))


def _draw_people(ax, routed, capacity, people, labels, width):
    token, expert, seat = people
    seated = seat < capacity
    cells = _cells(expert, seat + np.where(seated, 0, AISLE))
    colors = np.array(expert_colors(routed.num_experts))[expert]
    ax.add_collection(PolyCollection(cells[seated], facecolors=colors[seated], edgecolors=colors[seated]))
    if not seated.all():
        ax.add_collection(PolyCollection(cells[~seated], **dropped_patch()))
    inks = [ink_on(color) if sits else INK for color, sits in zip(colors, seated, strict=True)]
    words = [labels[t] for t in token]
    size = min(16, 105 * width / (0.5 + max(map(len, labels))))
    if width >= 0.2 and words:
        draw_glyphs(ax, words, cells.mean(axis=1), size=size, colors=inks, cell=(width, -CELL_HEIGHT))


def _cells(expert, seat):
    box = np.array([[0.04, 0.07], [0.96, 0.07], [0.96, 0.93], [0.04, 0.93]]) - [0, 0.5]
    return np.stack([seat, expert], axis=1)[:, None] + box


def _dress(ax, routed, capacity, columns):
    rows = routed.num_experts
    ax.plot([capacity + AISLE / 2] * 2, [-0.5, rows - 0.5], color=INK, linewidth=2.5, solid_capstyle="butt")
    if columns > capacity:
        ax.text(capacity + AISLE, -0.6, "dropped", color=MUTED, va="bottom", fontsize=13)
    every = 1 if capacity <= 24 else 10
    ax.set(xlim=(-0.1, columns + AISLE), ylim=(rows - 0.45, -0.55), title=routed.label, ylabel="expert",
           xlabel=f"seat (capacity {capacity} per expert)")
    ax.set_xticks(np.arange(0, capacity, every) + 0.5, range(0, capacity, every))
    ax.set_yticks(range(0, rows, 1 if rows <= 16 else rows // 8))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _tabulate(ax, routed, capacity, people, labels):
    """Attach a row per expert: how many sit and how many stand, and who, in the order of the seats."""
    rows = []
    for expert in range(routed.num_experts):
        queue = sorted((seat, labels[token]) for token, owner, seat in zip(*people, strict=True)
                       if owner == expert)
        sits = [label for seat, label in queue if seat < capacity]
        stands = [label for seat, label in queue if seat >= capacity]
        rows.append([expert, len(sits), " ".join(sits), len(stands), " ".join(stands)])
    set_table(ax, ["expert", "seated", "who sits", "dropped", "who is dropped"], rows)


def _describe(routed, capacity, seat, total):
    seated = int((seat < capacity).sum())
    return (f"Seat plan, {routed.label}: {routed.num_experts} experts with {capacity} seats each; "
            f"{len(seat)} of {total} choices have arrived, {seated} sit, {len(seat) - seated} are dropped.")

"""Who goes where? Tokens and experts as a matrix, as a flow, as seats."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle

from moeviz.arrays import check_count, check_matrix, top_k_mask
from moeviz.capacity import seat_positions
from moeviz.plots.draw import (
    bare,
    boxes,
    check_labels,
    draw_glyphs,
    draw_tile,
    extremes,
    readable,
    ribbon,
    set_weights,
)
from moeviz.plots.load import count_assignments, name_busiest
from moeviz.record import EMPTY, check_routing, check_weights
from moeviz.style import (
    FAINT,
    FONTS,
    INK,
    LINE,
    MUTED,
    Layout,
    axes_or_new,
    dropped_patch,
    expert_colors,
    headline,
    ink_on,
    set_description,
    set_matrix,
    set_table,
)

MAX_NUMBERED = 12
MAX_LABELLED = 72
TEXT_X, GATE_X, STOP_X, EXPERT_X, END_X = 0.03, 0.16, 0.88, 1.0, 1.05
CELL_HEIGHT = 0.5  # inches, at the default figure size
EDGE = "#d6d6d6"
AISLE = 0.5  # of a seat, between the seats and those who stand


def plot_assignment(routed, *, labels=None, ax=None):
    """Draw the matrix of tokens and experts: a choice is a bar in its expert's colour, as long as its weight.

    Up to 12 tokens and experts: tokens are the rows, as in the array (T, E), and each choice has its
    weight printed. More tokens run along the x axis, as text does. Dropped choices are grey, hatched.
    labels: T texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_assignment(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).get_ylabel()
    'token'
    """
    labels = readable(check_labels(labels, check_routing(routed).num_tokens))
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    choices = (token, routed.expert_index[token, slot], check_weights(routed)[token, slot],
               routed.kept[token, slot])
    numbered = max(routed.num_tokens, routed.num_experts) <= MAX_NUMBERED
    draw = _draw_numbered if numbered else _draw_wide
    ax = draw(ax, routed, labels, *choices)
    headline(ax, name_busiest(sum(count_assignments(routed)), counted=True), routed.label)
    bare(ax)
    set_weights(ax, routed, labels)
    weight, kept = choices[2:]
    spread = f"{weight.min():.3g} to {weight.max():.3g}" if len(weight) else "none"
    return set_description(ax, (
        f"Matrix, {routed.label}: {routed.num_tokens} tokens by {routed.num_experts} experts, {len(weight)} "
        f"choices with weights {spread}, {(~kept).sum()} dropped."))


def _draw_numbered(ax, routed, labels, token, expert, weight, kept):
    rows, columns = routed.shape
    ax = axes_or_new(ax, (1.1 * columns + 1.2, min(0.62 * rows + 1.4, 7.4)))
    _draw_ground(ax, np.arange(columns), np.arange(rows), 0.46, 0.45)
    length = 0.84 * weight / max(1.0, weight.max(initial=0.0))
    _draw_bars(ax, routed, expert, kept, boxes(expert - 0.42, token + 0.1, length, 0.24))
    for t, e, w in zip(token, expert, weight, strict=True):
        ax.text(e, t - 0.15, f"{w:.2f}", ha="center", va="center", fontsize=16)
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), ylabel="token",
           xlabel="expert (bar length: combine weight)")
    ax.set_xticks(range(columns))
    ax.set_yticks(range(rows), labels, family=FONTS, fontsize=15, parse_math=False)
    return ax


def _draw_wide(ax, routed, labels, token, expert, weight, kept):
    columns, rows = routed.shape
    ax = axes_or_new(ax, (np.clip(0.19 * columns + 1, 7, 13), np.clip(0.5 * rows + 1.4, 3, 8)))
    _draw_ground(ax, [(columns - 1) / 2], np.arange(rows), columns / 2, 0.46)
    length = 0.88 * weight / max(1.0, weight.max(initial=0.0))
    _draw_bars(ax, routed, expert, kept, boxes(token - 0.44, expert + 0.44, 0.88, -length))
    ax.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.5, -0.5), ylabel="expert",
           xlabel="token (bar height: combine weight)")
    ax.set_yticks(range(0, rows, 1 if rows <= 16 else rows // 8))
    if columns <= MAX_LABELLED:
        ax.set_xticks(range(columns), labels, family=FONTS, parse_math=False)
    return ax


def _draw_ground(ax, x, y, half_width, half_height):
    x, y = (grid.ravel() for grid in np.meshgrid(x, y))
    cells = boxes(x - half_width, y - half_height, 2 * half_width, 2 * half_height)
    ax.add_collection(PolyCollection(cells, facecolors=FAINT, edgecolors="none", zorder=0))


def _draw_bars(ax, routed, expert, kept, bars):
    colors = np.array(expert_colors(routed.num_experts))[expert]
    ax.add_collection(PolyCollection(bars[kept], facecolors=colors[kept], edgecolors="none"))
    if not kept.all():
        ax.add_collection(PolyCollection(bars[~kept], **dropped_patch()))


def plot_flow(routed, *, labels=None, ax=None):
    """Draw a ribbon from each token through the gate to each of its experts, as wide as the combine weight.

    An expert's block is as high as its load, a slot per choice. Where capacity dropped the choice, slot
    and ribbon are grey and hatched, and the ribbon ends before the block. Reads well for 6 to 40 tokens.
    labels: T texts. Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_flow(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])).texts[-1].get_text()
    'expert 1: 0'
    """
    labels = readable(check_labels(labels, check_routing(routed).num_tokens))
    ax = axes_or_new(ax, (10, np.clip(0.2 * routed.num_tokens + 1.5, 5, 9)))
    loads, height = sum(count_assignments(routed)), routed.num_tokens
    tops, slot_height = _stack_experts(loads, height)
    _draw_ribbons(ax, routed, tops, slot_height)
    _draw_text_and_gate(ax, labels)
    _draw_experts(ax, routed, tops, slot_height)
    ax.set(xlim=(-0.01, 1.22), ylim=(1.01 * height, -0.08 * height))
    lost = count_assignments(routed)[1].sum()
    found = f"{lost} of {loads.sum()} choices are dropped" if lost else name_busiest(loads, counted=True)
    headline(ax, found, routed.label)
    ax.set_axis_off()
    set_weights(ax, routed, labels)
    return set_description(ax, (
        f"Flow diagram, {routed.label}: {loads.sum()} choices of {routed.num_tokens} tokens run through the "
        f"gate to {routed.num_experts} experts; {extremes(loads)}; {lost} dropped."))


def _draw_ribbons(ax, routed, tops, slot_height):
    token, expert, weight, kept = _sorted_choices(routed)
    unit = _weight_unit(routed, slot_height)
    starts = _stack_ribbons(routed, unit)[token, expert]
    ends = tops[expert] + slot_height * (_rank_within(expert) + 0.5)
    colors = expert_colors(routed.num_experts)
    for start, end, width, e, is_kept in zip(starts, ends, weight * unit, expert, kept, strict=True):
        look = {"facecolor": colors[e], "alpha": 0.8, "linewidth": 0} if is_kept else {
            **dropped_patch(), "linewidth": 0.7, "zorder": 0.8}
        stop = EXPERT_X if is_kept else STOP_X
        ax.add_patch(PathPatch(ribbon(GATE_X, start, stop, end, width), **look))


def _sorted_choices(routed):
    """Return token, expert, weight, kept of every choice, by expert, the dropped last, then by token."""
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    expert, kept = routed.expert_index[token, slot], routed.kept[token, slot]
    order = np.lexsort((token, ~kept, expert))
    return token[order], expert[order], check_weights(routed)[token, slot][order], kept[order]


def _stack_experts(loads, height):
    """Return the tops of the experts' blocks (E,) and the height of a slot; blocks and gaps fill `height`."""
    gap = min(0.045 * height, 0.4 * height / len(loads))
    slot_height = (height - gap * len(loads)) / max(loads.sum(), 1)
    return gap / 2 + np.cumsum(loads * slot_height + gap) - (loads * slot_height + gap), slot_height


def _weight_unit(routed, slot_height):
    """Return the ribbon width of weight 1: as wide as token rows and expert slots allow."""
    row, single = check_weights(routed).sum(axis=1).max(), routed.combine_weight.max()
    return min(0.8 / max(row, 1e-12), 0.9 * slot_height / max(single, 1e-12), 0.8)


def _stack_ribbons(routed, unit):
    """Return where on its token's row each ribbon starts, (T, E); a token's ribbons lie in expert order."""
    chosen = np.zeros(routed.shape)
    token, slot = np.nonzero(routed.expert_index != EMPTY)
    chosen[token, routed.expert_index[token, slot]] = check_weights(routed)[token, slot] * unit
    middle = np.cumsum(chosen, axis=1) - chosen / 2 - chosen.sum(axis=1, keepdims=True) / 2
    return middle + np.arange(routed.num_tokens)[:, None] + 0.5


def _rank_within(expert):
    """Return the place of each entry among the equal entries before it; `expert` is sorted."""
    return np.arange(len(expert)) - np.searchsorted(expert, expert)


def _draw_text_and_gate(ax, labels):
    rows = np.arange(len(labels)) + 0.5
    ax.hlines(rows, TEXT_X + 0.012, GATE_X, color=LINE, linewidth=1.2)
    size = 16 if len(labels) <= 24 else 12
    for y, label in zip(rows, labels, strict=True):
        ax.text(TEXT_X, y, label, family=FONTS, fontsize=size, ha="right", va="center", parse_math=False)
    ax.add_patch(FancyBboxPatch((GATE_X - 0.012, 0.1), 0.012, len(labels) - 0.2, facecolor=MUTED, linewidth=0,
                                boxstyle="round,pad=0,rounding_size=0.006", mutation_aspect=len(labels)))
    for x, word, side in ((TEXT_X, "text", "right"), (GATE_X, "gate", "center")):
        _write_heading(ax, x, word, side, len(labels))


def _write_heading(ax, x, word, side, num_tokens):
    ax.text(x, -0.045 * num_tokens, word, color=MUTED, ha=side, va="center", fontsize=14)


def _draw_experts(ax, routed, tops, slot_height):
    kept, dropped = count_assignments(routed)
    heading = "experts: kept + dropped" if dropped.any() else "experts: tokens"
    _write_heading(ax, EXPERT_X, heading, "left", routed.num_tokens)
    for expert, color in enumerate(expert_colors(routed.num_experts)):
        height, lost = kept[expert] * slot_height, dropped[expert] * slot_height
        ax.add_patch(Rectangle((EXPERT_X, tops[expert]), END_X - EXPERT_X, height, facecolor=color,
                               edgecolor=color, linewidth=1.0))
        if lost:
            ax.add_patch(Rectangle((EXPERT_X, tops[expert] + height), END_X - EXPERT_X, lost,
                                   **dropped_patch()))
        ax.text(END_X + 0.012, tops[expert] + (height + lost) / 2, va="center", fontsize=14,
                s=f"expert {expert}: {kept[expert]}" + (f" + {dropped[expert]}" if lost else ""))


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
    token, expert, seat = arrivals(routed, seats)
    shown = len(token) if step is None else check_count(step, "step", low=0, high=len(token))
    columns = max(seat.max(initial=0) + 1, capacity)
    width = min(max(0.5, 0.15 * max(map(len, labels))), 8.6 / (columns + 1))
    ax = axes_or_new(ax, (max(width * (columns + 1) + 1.2, 5), CELL_HEIGHT * routed.num_experts + 1.6))
    ax.add_collection(PolyCollection(_seat_boxes(*np.indices((routed.num_experts, capacity)).reshape(2, -1)),
                                     facecolors=FAINT, edgecolors=EDGE, linewidths=1.0))
    _draw_people(ax, routed, capacity, (token[:shown], expert[:shown], seat[:shown]), labels, width)
    _dress(ax, routed, capacity, columns)
    stand = int((seat[:shown] >= capacity).sum())
    headline(ax, f"{stand} of {shown} choices find no seat", routed.label,
             pad=24 if columns > capacity else None)
    ax.set(aspect=CELL_HEIGHT / width, anchor="NW")
    _tabulate(ax, routed, capacity, (token[:shown], expert[:shown], seat[:shown]), labels)
    return set_description(ax, (
        f"Seat plan, {routed.label}: {routed.num_experts} experts with {capacity} seats each; {shown} of "
        f"{len(token)} choices have arrived, {shown - stand} sit, {stand} are dropped."))


def arrivals(routed, seats):
    """Return token, expert and seat (N,) of every choice in an order of arrival that agrees with the seats.

    seats: as in `plot_seats`, which says what raises a ValueError.

    >>> from moeviz.record import Routing
    >>> one = Routing(None, [[0.9, 0.1]] * 2, [[0], [0]], [[1.0]] * 2, [[True]] * 2)
    >>> [each.tolist() for each in arrivals(one, [[1], [0]])]
    [[1, 0], [0, 0], [0, 1]]
    """
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


def _draw_people(ax, routed, capacity, people, labels, width):
    token, expert, seat = people
    seated = seat < capacity
    cells = _seat_boxes(expert, seat + np.where(seated, 0, AISLE))
    colors = np.array(expert_colors(routed.num_experts))[expert]
    ax.add_collection(PolyCollection(cells[seated], facecolors=colors[seated], edgecolors=colors[seated]))
    if not seated.all():
        ax.add_collection(PolyCollection(cells[~seated], **dropped_patch()))
    inks = [ink_on(color) if sits else INK for color, sits in zip(colors, seated, strict=True)]
    words = [labels[t] for t in token]
    size = min(16, 105 * width / (0.5 + max(map(len, labels))))
    if width >= 0.2 and words:
        draw_glyphs(ax, words, cells.mean(axis=1), size=size, colors=inks, cell=(width, -CELL_HEIGHT))


def _seat_boxes(expert, seat):
    return boxes(seat + 0.04, expert - 0.43, 0.92, 0.86)


def _dress(ax, routed, capacity, columns):
    rows = routed.num_experts
    ax.plot([capacity + AISLE / 2] * 2, [-0.5, rows - 0.5], color=INK, linewidth=2.5, solid_capstyle="butt")
    if columns > capacity:
        ax.text(capacity + AISLE, -0.6, "dropped", color=MUTED, va="bottom", fontsize=13)
    every = 1 if capacity <= 24 else 10
    ax.set(xlim=(-0.1, columns + AISLE), ylim=(rows - 0.45, -0.55), ylabel="expert",
           xlabel=f"seat (capacity {capacity} per expert)")
    ax.set_xticks(np.arange(0, capacity, every) + 0.5, range(0, capacity, every))
    ax.set_yticks(range(0, rows, 1 if rows <= 16 else rows // 8))
    bare(ax)


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


def plot_two_choices(scores, k, capacity, *, labels=None):
    """Draw one matrix of scores twice: tokens pick k experts in their rows, experts pick tokens in columns.

    scores: (T, E). k: experts per token. capacity: tokens per expert. Chosen cells have their expert's
    colour; the counts at the edges are what each way leaves open. labels: T texts. Returns Axes (2,) of a
    new figure. Raises ValueError naming the wrong argument.

    >>> plot_two_choices([[2.0, 1.0], [3.0, 0.0]], 1, 1)[0].get_title().split()[-3:]
    ['0', 'to', '2']
    """
    scores = check_matrix(scores, "scores", "(T, E)")
    tokens, experts = scores.shape
    labels = check_labels(labels, tokens)
    check_count(capacity, "capacity", high=tokens)
    ways = {"tokens choose: experts get": top_k_mask(scores, check_count(k, "k", high=experts)),
            "experts choose: tokens get": top_k_mask(scores.T, capacity).T}
    axes = plt.subplots(1, 2, figsize=(10, 0.5 * tokens + 2.0), sharey=True, layout=Layout())[1]
    for axis, (ax, (words, chosen)) in enumerate(zip(axes, ways.items(), strict=True)):
        open_sums = chosen.sum(axis=axis)
        _draw_choices(ax, scores, chosen, labels)
        headline(ax, f"{words} {open_sums.min()} to {open_sums.max()}")
        for at, count in enumerate(open_sums):
            place = (at + 0.5, tokens + 0.45) if axis == 0 else (experts + 0.35, at + 0.5)
            ax.text(*place, str(count), ha="center", va="center", fontweight="bold", fontsize=14)
        ax.set_ylabel("token" if ax is axes[0] else "")  # the second shares the rows of the first
        set_description(ax, f"Matrix of scores, {words} {', '.join(map(str, open_sums))}.")
    return axes


def _draw_choices(ax, scores, chosen, labels):
    tokens, experts = scores.shape
    colors = expert_colors(experts)
    for (token, expert), score in np.ndenumerate(scores):
        ground = colors[expert] if chosen[token, expert] else "white"
        draw_tile(ax, expert, token, 1, 1, ground, f"{score:.2f}", edgecolor=EDGE, fontsize=13,
                  color=ink_on(ground) if chosen[token, expert] else MUTED)
    ax.set(xlim=(0, experts + 0.7), ylim=(tokens + 0.8, 0), xlabel="expert")
    ax.set_xticks(np.arange(experts) + 0.5, range(experts))
    ax.set_yticks(np.arange(tokens) + 0.5, labels, family=FONTS, parse_math=False)
    bare(ax)
    set_matrix(ax, np.where(chosen, scores, np.nan), rows=("token", labels),
               columns=("expert", range(experts)))

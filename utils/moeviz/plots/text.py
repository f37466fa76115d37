"""The picture of the course: text coloured by the expert that each byte goes to."""

from collections import Counter
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection

from moeviz.arrays import check_count
from moeviz.plots.draw import boxes, check_labels, draw_glyphs, extremes, readable
from moeviz.plots.load import plot_load
from moeviz.record import EMPTY, check_routing
from moeviz.style import (
    FAINT,
    INK,
    Layout,
    axes_or_new,
    dropped_patch,
    expert_colors,
    fixed_axes,
    headline,
    ink_on,
    set_description,
    set_narrow,
    set_table,
)


class Cell(NamedTuple):
    """A cell of the text: its size in inches and, as shares of its height, where its lines stand."""

    width: float
    height: float
    label_at: float
    number_at: tuple
    stripe_top: tuple


ONE_CHOICE = Cell(0.34, 0.54, 0.36, (0.77,), (0.04,))
TWO_CHOICES = Cell(0.34, 0.80, 0.24, (0.52, 0.84), (0.04, 0.68))
LABEL_SIZE, NUMBER_SIZE = 18, 12  # points
NARROWEST = 5.0  # inches, for a title
NARROW_ROW, LONG_ROW = 17, 20  # bytes in a line of the form for a narrow screen; from here on there is one
MIN_COLUMNS, MAX_ROWS, MOST_OFTEN = 12, 150, 4
TITLE_ROOM, LOAD_WIDTH, LOAD_HEIGHT, SCALE_WIDTH = 0.6, 2.6, 2.7, 1.04  # inches


def plot_text(routed, labels, *, ax=None, per_row=28, show_second=False, text_bytes=None):
    """Draw the text as a grid: each byte on the colour of its first-choice expert, whose number stands below.

    A choice that capacity dropped is grey and hatched; a byte without an expert is pale.
    labels: T texts, such as `text.byte_labels` gives; a label that the font lacks becomes the hex of
    its byte, from `text_bytes` (T bytes) if given. `show_second` adds a stripe for the second choice.
    Returns the Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_text(Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]], "one"), ["a"]).axison
    False
    """
    labels, columns = _check(routed, labels, per_row, text_bytes)
    rows = -(-routed.num_tokens // columns)
    cell, alone = TWO_CHOICES if show_second and routed.k > 1 else ONE_CHOICE, ax is None
    ax = axes_or_new(ax, (max(cell.width * columns + 0.4, NARROWEST), cell.height * rows + 0.6 + TITLE_ROOM))
    _draw_text(ax, routed, readable(labels, text_bytes), columns, cell)
    _draw_key(ax, routed, columns, rows, cell)
    ax.set_ylim(rows + 0.6 / cell.height, 0)
    if alone and columns >= LONG_ROW:
        set_narrow(ax, partial(plot_text, routed, labels, per_row=NARROW_ROW, show_second=show_second,
                               text_bytes=text_bytes))
    return ax


def plot_text_layers(routings, labels, *, per_row=18, text_bytes=None):
    """Draw the same text once per layer, each beside the load of its experts; the picture of the course.

    routings: L records of the same T tokens. Returns an array of Axes (L, 2): text, load.
    Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> plot_text_layers([Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[True]])], ["a"]).shape
    (1, 2)
    """
    if not len(routings := list(routings)):
        raise ValueError("routings must hold at least one Routing, got none")
    labels, columns = [_check(routed, labels, per_row, text_bytes) for routed in routings].pop()
    rows = -(-len(labels) // columns)
    width, height = ONE_CHOICE.width * columns, ONE_CHOICE.height * rows + TITLE_ROOM + 0.6
    size = (width + LOAD_WIDTH + SCALE_WIDTH + 0.16, max(height, LOAD_HEIGHT) * len(routings))
    axes = fixed_axes(size, left=0.08, top=0.7, rows=len(routings), columns=2, gap=(SCALE_WIDTH, 1.4),
                      squeeze=False, width_ratios=(width, LOAD_WIDTH))
    for (left, right), routed in zip(axes, routings, strict=True):
        _draw_text(left, routed, readable(labels, text_bytes), columns, ONE_CHOICE)
        plot_load(routed, ax=right, compact=True).set_title("")
    top = max(ax.get_ylim()[1] for ax in axes[:, 1])
    for ax in axes[:, 1]:
        ax.set_ylim(0, top)
    return axes


def _check(routed, labels, per_row, text_bytes):
    labels = check_labels(labels, check_routing(routed).num_tokens)
    if text_bytes is not None and len(text_bytes) != routed.num_tokens:
        raise ValueError(f"text_bytes must have {routed.num_tokens} entries, got {len(text_bytes)}")
    per_row = check_count(per_row, "per_row")
    if len(labels) > MAX_ROWS * per_row:
        raise ValueError(f"labels must fit {MAX_ROWS} rows of {per_row}, got {len(labels)}; draw a part")
    return labels, max(min(routed.num_tokens, per_row), min(MIN_COLUMNS, per_row))


def _draw_text(ax, routed, labels, columns, cell):
    tokens = np.arange(routed.num_tokens)
    corners = np.stack([tokens % columns, tokens // columns], axis=1).astype(float)
    inks = [_draw_cells(ax, routed, slot, corners, top) for slot, top in enumerate(cell.stripe_top)]
    sizes = [LABEL_SIZE if len(label) <= 1 else 26 / len(label) for label in labels]
    _write(ax, labels, corners + np.array([0.5, cell.label_at]), sizes, inks[0], cell)
    for slot, at in enumerate(cell.number_at):
        numbers = ["" if expert == EMPTY else str(expert) for expert in routed.expert_index[:, slot]]
        _write(ax, numbers, corners + np.array([0.5, at]), NUMBER_SIZE, inks[slot], cell)
    ax.set(xlim=(0, columns), ylim=(corners[-1, 1] + 1, 0), aspect=cell.height / cell.width, anchor="NW")
    headline(ax, _finding(routed), routed.label)
    ax.set_axis_off()
    _tabulate(ax, routed, labels, len(cell.stripe_top))
    set_description(ax, _describe(routed))


def _finding(routed):
    """Say how many first choices were dropped, or who reads most and who least."""
    first = routed.expert_index[:, 0]
    lost = int(((first != EMPTY) & ~routed.kept[:, 0]).sum())
    if lost:
        return f"{lost} of {len(first)} bytes lose their first choice"
    counts = np.bincount(first[first != EMPTY], minlength=routed.num_experts)
    return f"expert {counts.argmax()} is first choice of {counts.max()} of {len(first)} bytes"


def _draw_cells(ax, routed, slot, corners, top):
    """Draw the cells of one choice; return the ink that is readable on each."""
    experts, kept = routed.expert_index[:, slot], routed.kept[:, slot]
    colors = np.array([*expert_colors(routed.num_experts), FAINT])[experts]
    cells = boxes(corners[:, 0] + 0.03, corners[:, 1] + top, 0.94, 0.96 - top)
    plain = kept | (experts == EMPTY)
    ax.add_collection(PolyCollection(cells[plain], facecolors=colors[plain], edgecolors="none"))
    if not plain.all():
        ax.add_collection(PolyCollection(cells[~plain], **dropped_patch()))
    return [ink_on(color) if is_plain else INK for color, is_plain in zip(colors, plain, strict=True)]


def _write(ax, texts, places, sizes, colors, cell):
    draw_glyphs(ax, texts, places, size=sizes, colors=colors, cell=(cell.width, -cell.height))


def _draw_key(ax, routed, columns, rows, cell):
    """Draw one swatch per expert under the text, numbered as often as the numbers fit."""
    dropped = (routed.expert_index[:, 0] != EMPTY) & ~routed.kept[:, 0]
    top, bottom = rows + 0.17 / cell.height, rows + 0.48 / cell.height
    room = max(1.0, columns - 2.8 - 4.5 * dropped.any())  # in a very narrow text the key runs on to the right
    width = min(1.0, room / routed.num_experts)
    left = 2.6 + width * np.arange(routed.num_experts)
    colors, every = expert_colors(routed.num_experts), int(np.ceil(1.0 / width))
    swatches = boxes(left, top, 0.94 * width, bottom - top)
    ax.add_collection(PolyCollection(swatches, facecolors=colors))
    places = swatches.mean(axis=1)
    _write(ax, [str(e) for e in range(0, len(left), every)], places[::every], NUMBER_SIZE,
           [ink_on(color) for color in colors[::every]], cell)
    _write(ax, ["expert"], [(1.1, places[0, 1])], NUMBER_SIZE + 1, [INK], cell)
    if dropped.any():
        right = left[-1] + width + 0.6
        ax.add_collection(PolyCollection(boxes(right, top, 1, bottom - top), **dropped_patch()))
        _write(ax, ["dropped"], [(right + 2.5, places[0, 1])], NUMBER_SIZE + 1, [INK], cell)


def _tabulate(ax, routed, labels, slots):
    """Attach a row per expert: the labels that it gets most often, and how many choices, kept and dropped."""
    columns = ["expert", "most often, first choice"]
    for slot in range(slots):
        columns += [f"{('first', 'second')[slot]} choices", "of them dropped"]
    rows, first = [], routed.expert_index[:, 0]
    for expert in range(routed.num_experts):
        often = Counter(label for label, owner in zip(labels, first, strict=True) if owner == expert)
        most = "; ".join(f"{label} ×{count}" for label, count in often.most_common(MOST_OFTEN))
        rows.append([expert, most])
        for slot in range(slots):
            here = routed.expert_index[:, slot] == expert
            rows[-1] += [here.sum(), (here & ~routed.kept[:, slot]).sum()]
    set_table(ax, columns, rows, title=f"{routed.label}: who gets what")


def _describe(routed):
    first, kept = routed.expert_index[:, 0], routed.kept[:, 0]
    counts = np.bincount(first[first != EMPTY], minlength=routed.num_experts)
    return (f"Coloured text, {routed.label}: {routed.num_tokens} bytes, each in the colour of its first "
            f"of {routed.num_experts} experts; {extremes(counts, unit='bytes')}; "
            f"{((first != EMPTY) & ~kept).sum()} first choices dropped.")


KEY_ROOM, LINE_ROOM = 0.6, 0.52  # inches, the second for a title of one line


def plot_text_orders(routings, labels, *, per_row=28):
    """Draw the same text once per routing, one below the other, with up to two choices; dropped ones hatched.

    routings: {name: Routing} of the same T tokens, for instance one per drop order. labels: T texts.
    The title counts the dropped choices and the tokens left with none; one key stands below all.
    Returns an array of Axes (N,).
    Raises ValueError naming the wrong argument.

    >>> from moeviz.record import Routing
    >>> axes = plot_text_orders({"token": Routing(None, [[0.9, 0.1]], [[0]], [[1.0]], [[False]])}, ["a"])
    >>> axes[0].get_title()[:29]
    'Token: 1 of 1 choices dropped'
    """
    if not isinstance(routings, dict) or not routings:
        raise ValueError(f"routings must be {{name: Routing}} with at least one entry, got {routings!r}")
    labels = [check_labels(labels, check_routing(routed).num_tokens) for routed in routings.values()].pop()
    columns = min(max(len(labels), MIN_COLUMNS), per_row)
    cell = TWO_CHOICES if all(routed.k > 1 for routed in routings.values()) else ONE_CHOICE
    rows = -(-len(labels) // per_row)
    heights = [cell.height * rows] * (len(routings) - 1) + [cell.height * rows + KEY_ROOM]
    titles = len(routings) * (TITLE_ROOM if columns < LONG_ROW else LINE_ROOM)
    size = max(cell.width * columns + 0.4, NARROWEST), sum(heights) + titles
    axes = plt.subplots(len(routings), 1, figsize=size, squeeze=False, layout=Layout(),
                        height_ratios=heights)[1][:, 0]
    for ax, (name, routed) in zip(axes, routings.items(), strict=True):
        _draw_text(ax, routed, readable(labels), columns, cell)
        chosen, kept = routed.expert_index != EMPTY, routed.kept
        headline(ax, f"{(chosen & ~kept).sum()} of {chosen.sum()} choices dropped, "
                     f"{(~kept.any(axis=1)).sum()} of {len(kept)} tokens left with none", name)
    losing = [routed for routed in routings.values() if not routed.kept[:, 0].all()]
    _draw_key(axes[-1], (losing or [routed])[0], columns, rows, cell)
    axes[-1].set_ylim(rows + KEY_ROOM / cell.height, 0)
    if columns >= LONG_ROW:
        set_narrow(axes[0], partial(plot_text_orders, routings, labels, per_row=NARROW_ROW))
    return axes


def plot_text_rows(routed, labels, row_names, *, text_bytes=None, lines=1, ax=None):
    """Draw R lines of text, each byte on the colour of its first expert, with a name before each line.

    routed, labels, text_bytes: as for `plot_text`, R lines of equal length one after the other.
    row_names: R texts. lines: in how many equal parts, one below the other, a line is broken. Returns the
    Axes. Raises ValueError naming the wrong argument.

    >>> from moeviz.routing import top_k
    >>> ax = plot_text_rows(top_k([[1.0, 0.0]] * 4, k=1), list("jain"), ["German", "English"])
    >>> [text.get_text() for text in ax.texts][-2:]
    ['German', 'English']
    """
    row_names, num_tokens = [str(name) for name in row_names], check_routing(routed).num_tokens
    if not row_names or num_tokens % len(row_names):
        raise ValueError(f"row_names must divide the {num_tokens} tokens, got {len(row_names)} names")
    labels, length = check_labels(labels, num_tokens), num_tokens // len(row_names)
    if length % check_count(lines, "lines"):
        raise ValueError(f"lines must divide the {length} tokens of a line, got {lines}")
    ax = plot_text(routed, labels, per_row=length // lines, text_bytes=text_bytes, ax=ax)
    halves = partial(plot_text_rows, routed, labels, row_names, text_bytes=text_bytes, lines=2)
    set_narrow(ax, halves if lines == 1 and length % 2 == 0 and length >= LONG_ROW else None)
    for row, name in enumerate(row_names):
        ax.annotate(name, (0, lines * row + 0.5), xytext=(-8, 0), textcoords="offset points", ha="right",
                    va="center", fontsize=14, annotation_clip=False)
    return set_description(ax, f"{ax.moeviz_description} Lines: {', '.join(row_names)}.")

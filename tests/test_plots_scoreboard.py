"""The pictures of the scoreboard and its explorer: every row, its marks, and names that do not overlap."""

import math

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from cases import cases
from moeviz import plots, routing, scoreboard, style, widgets
from moeviz.plots import compare
from moeviz.plots.compare import BEST
from moeviz.plots.names import overlaps, share_names
from moeviz.scoreboard.table import CORE, cell
from moeviz.widgets import balancing
from plot_contract import assert_draws_on_the_given_axes, words_on

pytestmark = pytest.mark.slow
LOGITS = np.random.default_rng(0).normal(size=(24, 8)) + np.linspace(0, 1.5, 8)


def mine(logits):
    return routing.top_k(logits - logits.mean(axis=0), k=2)


ROUTERS = {**scoreboard.line_up(LOGITS, np.arange(24)), "my router": mine}
BOARD = scoreboard.score(ROUTERS, LOGITS, own="my router").sorted_by("max_violation")
FEW = BOARD.where(lambda row: row.experts < 3)
DRAW = {"board": lambda **kw: plots.plot_scoreboard(BOARD, **kw),
        "map": lambda **kw: plots.plot_tradeoff(FEW, **kw)}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_a_plot_keeps_to_its_axes(draw):
    assert_draws_on_the_given_axes(draw)
    with pytest.raises(ValueError, match="ax must be"):
        draw(ax="left")


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_every_text_has_at_least_12_points(draw):
    style.use()
    ax = draw()
    ax.figure.draw_without_rendering()
    assert min(t.get_fontsize() for t in ax.findobj(mpl.text.Text) if t.get_text()) >= 12


def texts(ax):
    return [text.get_text() for text in ax.texts]


def cells(ax, name, board=BOARD):
    """Read the cells of a column; each has to be one that the board has somewhere."""
    every = {cell(row, column) for row in board.rows for column in scoreboard.COLUMNS}
    return words_on(ax, f"_{name}", sorted(every))


def test_rows_stand_in_the_order_of_the_board_and_the_own_one_is_framed_bold_and_marked():
    ax = plots.plot_scoreboard(BOARD)
    names = [text for text in ax.texts if text.get_position()[0] == 0][1:]
    assert [name.get_text().removeprefix("▶ ") for name in names] == list(BOARD.names)
    assert sorted(names, key=lambda name: name.get_position()[1]) == names
    bold = [name.get_text() for name in names if name.get_fontweight() == "bold"]
    assert bold == ["▶ my router"]
    frame, = [patch for patch in ax.patches if patch.get_edgecolor()[3] and patch.get_linewidth() == 2]
    assert frame.get_y() < BOARD.names.index("my router") + 0.5 < frame.get_y() + frame.get_height()


@cases("name", ["of_best", "experts", "router_entropy", "causal", "leak", "name"])
def test_the_column_of_the_order_is_shown(name):
    board = BOARD.sorted_by(name)
    heading = scoreboard.find_column(name).heading
    assert any(text.startswith(heading) for text in texts(plots.plot_scoreboard(board)))
    core = board._repr_html_().partition("<details")[0]
    assert f">{heading}" in core


def test_numbers_are_printed_and_bars_are_in_proportion():
    ax = plots.plot_scoreboard(BOARD)
    drawn = cells(ax, "captured")
    assert [f"{row.captured:.3f}" for row in BOARD.rows] == [each.text for each in drawn]
    assert [each.place[1] for each in drawn] == [at + 0.5 for at in range(len(BOARD))]
    assert np.ptp([each.box[2] for each in drawn]) < 1e-6  # they end below each other
    assert [BOARD.names[at] for at, each in enumerate(drawn) if each.weight == "bold"] == ["soft"]
    bars = [c for c in ax.collections if isinstance(c, PolyCollection)][CORE.index("captured")]
    lengths = np.array([np.ptp(path.vertices[:, 0]) for path in bars.get_paths()])
    np.testing.assert_allclose(lengths / lengths.max(), BOARD.column("captured"), atol=1e-9)
    colors = [to_hex(color) for color in bars.get_facecolor()]
    best = colors.index(BEST.lower())
    assert colors.count(BEST.lower()) == 1 and BOARD.names[best] == "soft"


def test_bars_begin_at_a_line():
    ax = plots.plot_scoreboard(BOARD)
    zeros = next(line for line in ax.lines if np.isnan(line.get_ydata()).any())
    bars = [c.get_paths()[0].vertices[:, 0].min() for c in ax.collections if isinstance(c, PolyCollection)]
    assert len(bars) == len(CORE) and set(np.round(bars, 9)) <= set(np.round(zeros.get_xdata(), 9))


def test_a_column_in_which_most_are_best_distinguishes_nobody():
    ax = plots.plot_scoreboard(BOARD)
    for name in ("drop_rate", "leak"):
        assert {each.weight for each in cells(ax, name) if each.text == "0.0%"} == {"normal"}


def test_unknowns_are_written_out_and_the_order_is_shown():
    ax = plots.plot_scoreboard(BOARD)
    for name in CORE:
        column = scoreboard.find_column(name)
        assert [each.text for each in cells(ax, name)] == [cell(row, column) for row in BOARD.rows]
    heading, = [text for text in ax.texts if text.get_text() == "MaxVio ↓"]
    assert heading.get_fontweight() == "bold"
    assert ax.get_title().replace("\n", " ") == "Sorted by MaxVio: soft first of 21, MaxVio 0.00"


def test_the_arrow_to_what_is_better_keeps_off_the_steps():
    rows = [(0.65, 0.35), (0.66, 0.0), (0.68, 0.0), (0.698, 0.6), (0.713, 0.18)]
    ax = plt.subplots(figsize=(10, 7.5))[1]
    compare._set_limits(ax, np.array(rows))
    steps = compare._draw_front(ax, np.array([rows[2], rows[4]]))
    (left, bottom, right, top), = compare._draw_arrow(ax, np.array(rows), steps)
    assert not any(a < right and c > left and b < top and d > bottom for a, b, c, d in steps)


def test_a_board_with_unknown_numbers_can_be_drawn():
    board = scoreboard.score({"none": lambda z: np.zeros(z.shape), "top-k": routing.top_k}, LOGITS)
    ax = plots.plot_scoreboard(board)
    assert "?" in {each.text for name in CORE for each in cells(ax, name, board)}
    assert "1 routers" in style.describe(plots.plot_tradeoff(board))


@cases("plot", [plots.plot_scoreboard, plots.plot_tradeoff])
def test_what_is_no_board_is_named(plot):
    for wrong in (BOARD.rows, BOARD.where(lambda row: False)):
        with pytest.raises(ValueError, match="board must"):
            plot(wrong)


# --- the map ---

def test_points_stand_at_their_readings_with_a_marker_for_causal():
    board = FEW.sorted_by("captured")
    ax = plots.plot_tradeoff(board)
    by_label = {line.get_label(): line.get_xydata() for line in ax.lines}
    for label, causal in (("causal", True), ("not causal", False)):
        rows = [row for row in board.rows if row.causal is causal and row.name != "my router"]
        np.testing.assert_allclose(by_label[label], [(row.captured, row.max_violation) for row in rows])
    assert by_label["yours"].tolist() == [[FEW["my router"].captured, FEW["my router"].max_violation]]
    front = sorted((row.captured, row.max_violation) for row in FEW.front("captured", "max_violation").rows)
    np.testing.assert_allclose(by_label["beaten by none"], front)


def test_names_do_not_overlap_and_routers_at_one_place_share_one():
    style.use()
    ax = plots.plot_tradeoff(FEW)
    ax.figure.draw_without_rendering()
    shared, _ = share_names(FEW.names, np.column_stack([FEW.column("captured"), FEW.column("max_violation")]))
    words = words_on(ax, "_names", shared)
    boxes = np.array([word.box for word in words])
    assert overlaps(boxes, boxes).sum() == len(boxes)
    named = [name for word in words for name in word.text.split(", ")]
    assert sorted(named) == sorted(FEW.names)
    assert any({"top-k", "cosine", "sigmoid top-k"} <= set(word.text.split(", ")) for word in words)
    bold, = [word.text for word in words if word.weight == "bold"]
    assert "my router" in bold


def test_the_map_is_drawn_anew_for_a_phone_with_every_name():
    style.use()
    wide = plots.plot_tradeoff(FEW)
    thin = wide.moeviz_narrow()
    thin.figure.draw_without_rendering()
    assert style.on_phone(thin) and thin.figure.get_tightbbox().width <= style.PHONE + 0.1
    shared, _ = share_names(FEW.names, np.column_stack([FEW.column("captured"), FEW.column("max_violation")]))
    words = words_on(thin, "_names", shared)
    boxes = np.array([word.box for word in words])
    assert len(words) == len(shared) and overlaps(boxes, boxes).sum() == len(boxes)
    arrow, = [text for text in thin.texts if text.get_text() == "better"]
    word = mpl.text.Text.get_window_extent(arrow)
    assert word.x0 > thin.bbox.x0 + 4 and word.x1 < thin.bbox.x1
    assert style.describe(thin) == style.describe(wide)


def test_a_rounding_error_does_not_part_routers_at_one_place():
    names, places = share_names(["a", "b", "c"], np.array([[0.1, 0.3], [0.5, 0.5], [0.1, 0.1 + 0.2]]))
    assert names == ["a, c", "b"] and places.tolist() == [[0.1, 0.3], [0.5, 0.5]]


def test_descriptions_hold_numbers_and_the_own_router():
    said = style.describe(plots.plot_scoreboard(BOARD))
    assert "21 routers" in said and "own: my router" in said and "captured from 1.000 (soft)" in said
    said = style.describe(plots.plot_tradeoff(FEW))
    assert f"my router ({FEW['my router'].captured:.3g}" in said and "beaten by none" in said


# --- the explorer ---

SHORT = {name: ROUTERS[name] for name in ("top-k", "quantile", "my router")}


def drawn(column, factor, *, order="token", own=()):
    board = balancing.limited_board(SHORT, LOGITS, own=own, factor=factor, order=order)
    return balancing.draw_scoreboard(board, column, factor=factor, order=order)


def test_the_default_picture_is_the_sorted_board():
    ax = drawn("max_violation", math.inf, own="my router")
    assert [t for t in texts(ax) if t in SHORT or t.startswith("▶")] == [
        "▶ my router" if name == "my router" else name
        for name in scoreboard.score(SHORT, LOGITS).sorted_by("max_violation").names]
    assert "no limit of seats" in ax.get_title(loc="center")


def test_seats_and_column_reach_the_picture():
    ax = drawn("drop_rate", 0.5, order="choice")
    board = scoreboard.score(scoreboard.with_seats(SHORT, 0.5, order="choice"), LOGITS)
    row = board["top-k"]
    assert row.leak > 0
    assert f"{100 * row.drop_rate:.1f}%" in {each.text for each in cells(ax, "drop_rate", board)}
    assert f"{100 * row.leak:.1f}%" in {each.text for each in cells(ax, "leak", board)}
    first = f"{board.sorted_by('drop_rate').names[0]} first of {len(board)}, drops "
    assert ax.get_title(loc="center").replace("\n", " ").startswith(
        f"Factor 0.5 by choice: {first}")
    with pytest.raises(ValueError, match="column must be one of"):
        drawn("speed", math.inf)


def test_every_control_shows_one_more_picture(shown):
    box = widgets.explore_scoreboard(SHORT, LOGITS, own="my router")
    controls = box.children[1].children
    before = len(shown)
    for control in controls:
        control.index = 2
    assert len(shown) == before + len(controls) and plt.get_fignums() == []


def test_another_order_of_the_rows_runs_no_router_again(shown):
    calls = []
    counted = {"counted": lambda logits: calls.append(1) or routing.top_k(logits, k=1)}
    column, factor, _ = widgets.explore_scoreboard(counted, LOGITS).children[1].children
    once = len(calls)
    assert once
    column.index = 0
    assert len(calls) == once and len(shown) == 2
    factor.index = 0
    assert len(calls) > once and len(shown) == 3

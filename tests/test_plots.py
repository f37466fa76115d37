"""The pictures of a routing, read back from their artists."""

from functools import partial

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.font_manager import findfont
from matplotlib.patches import PathPatch, Rectangle

from cases import cases
from moeviz import capacity, plots, routing, style
from moeviz.plots.draw import WIDEST, can_draw, outline, readable
from moeviz.record import EMPTY, Routing
from plot_contract import assert_draws_on_the_given_axes, assert_makes_its_own_figure

COLORS = [color.lower() for color in style.OKABE_ITO]


def make_routing(expert_index, weight=None, kept=None, num_experts=4, label="by hand"):
    index = np.array(expert_index)
    probs = np.full((len(index), num_experts), 1 / num_experts)
    weight = np.where(index == EMPTY, 0, 1 / index.shape[1]) if weight is None else weight
    kept = index != EMPTY if kept is None else kept
    return Routing(None, probs, index, weight, kept, label)


@pytest.fixture
def six():
    """Six tokens, four experts, k = 2; expert 1 is full after two, so that two choices are dropped."""
    index = [[0, 1], [1, 2], [0, 1], [2, 3], [3, 1], [0, 3]]
    kept = np.ones((6, 2), dtype=bool)
    kept[2, 1] = kept[4, 1] = False
    weight = [[0.7, 0.3], [0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.8, 0.2], [0.75, 0.25]]
    return make_routing(index, weight, kept)


@pytest.fixture
def many():
    return routing.top_k(np.random.default_rng(0).normal(size=(64, 8)), k=2)


def hatched(ax):
    """Return how many patches or polygons of the axes are hatched."""
    patches = sum(patch.get_hatch() is not None for patch in ax.patches)
    return patches + sum(len(cells.get_paths()) for cells in ax.collections if cells.get_hatch())


def face_colors(collection):
    return [to_hex(color) for color in collection.get_facecolor()]


# --- what every plot of a routing keeps to ---

EVERY = {
    "plot_text": lambda r, **kw: plots.plot_text(r, ["a"] * getattr(r, "num_tokens", 1), **kw),
    "plot_assignment": plots.plot_assignment,
    "plot_flow": plots.plot_flow,
    "plot_load": plots.plot_load,
}


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_draws_on_the_given_axes_and_makes_no_figure(draw, six):
    assert_draws_on_the_given_axes(partial(draw, six))


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_without_axes_a_plot_makes_one_figure_and_leaves_the_current_axes_alone(draw, six):
    assert_makes_its_own_figure(partial(draw, six))


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_carries_title_and_description(draw, six):
    ax = draw(six)
    assert ax.get_title().startswith("By hand: ") and any(map(str.isdigit, ax.get_title()))
    assert "by hand" in style.describe(ax)
    assert ("0 first" if draw is EVERY["plot_text"] else "2 dropped") in style.describe(ax)


@pytest.mark.slow
@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (40, 1, 1), (5, 64, 4)])
def test_a_plot_draws_odd_sizes_without_a_warning(draw, shape):
    tokens, experts, k = shape
    ax = draw(routing.top_k(np.random.default_rng(1).normal(size=(tokens, experts)), k=k))
    ax.figure.draw_without_rendering()


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
def test_a_plot_draws_tokens_without_any_expert(draw):
    ax = draw(make_routing([[EMPTY], [EMPTY]]))
    ax.figure.draw_without_rendering()
    assert " 0 " in style.describe(ax) and "dropped" in style.describe(ax)


@pytest.mark.parametrize("draw", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("wrong", [None, np.zeros((3, 2)), "routing"])
def test_what_is_no_routing_is_named(draw, wrong):
    with pytest.raises(ValueError, match="routed must be a Routing"):
        draw(wrong)


# --- glyphs ---

def test_labels_that_the_fonts_lack_become_the_hex_of_their_byte():
    assert readable(["a", "𒀀", "\n", "é", "␣"]) == ["a", "F0", "0A", "é", "␣"]
    assert readable(["𒀀", "·", "·", "·"], "𒀀".encode()) == ["F0", "·", "·", "·"]


def test_a_label_that_has_a_glyph_but_cannot_be_seen_becomes_hex_too():
    assert readable(["\u00a0", "\u00ad"]) == ["C2", "C2"]


def test_a_script_is_drawn_where_the_machine_has_a_font_for_it_and_no_font_is_missed():
    for family in style.FONTS:
        assert findfont(family, fallback_to_default=False)
    assert readable(["語"]) == (["語"] if can_draw("語") else ["E8"])


def test_a_letter_is_no_wider_than_its_cell():
    widths = [np.ptp(outline(letter).vertices[:, 0]) for letter in "mW—⟶"]
    assert max(widths) <= WIDEST < np.ptp(outline("mm").vertices[:, 0])


def test_an_outline_is_centred_sideways():
    x = outline("m").vertices[:, 0]
    assert x.min() == pytest.approx(-x.max())
    assert 0.3 < x.max() - x.min() < 0.7


# --- plot_text ---

def glyph_places(ax):
    """Return the middle of every outline, one array per text collection."""
    return [np.array([path.get_extents().get_points().mean(axis=0) for path in c.get_paths()])
            for c in ax.collections if isinstance(c, PathCollection)]


def test_each_byte_stands_in_its_cell_on_its_experts_colour(six):
    ax = plots.plot_text(six, list("abcdef"), per_row=4)
    cells = next(c for c in ax.collections if isinstance(c, PolyCollection))
    assert face_colors(cells) == [COLORS[e] for e in six.expert_index[:, 0]]
    corners = [path.get_extents().min for path in cells.get_paths()]
    assert np.floor(corners).tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [0, 1], [1, 1]]
    letters, numbers = glyph_places(ax)[:2]
    assert np.floor(letters).tolist() == np.floor(numbers).tolist() == np.floor(corners).tolist()
    assert (numbers[:, 1] > letters[:, 1]).all()  # the axis points down: the number stands below


def test_the_number_below_a_byte_is_its_expert_so_that_colour_is_not_the_only_cue(six):
    ax = plots.plot_text(six, list("abcdef"))
    numbers = [c for c in ax.collections if isinstance(c, PathCollection)][1]
    for path, expert in zip(numbers.get_paths(), six.expert_index[:, 0], strict=True):
        assert len(path.vertices) == len(outline(str(expert)).vertices)
        assert (path.codes == outline(str(expert)).codes).all()


def test_ink_follows_the_ground(six):
    ax = plots.plot_text(make_routing([[0], [4], [7]], num_experts=8), list("abc"))
    letters = next(c for c in ax.collections if isinstance(c, PathCollection))
    assert face_colors(letters) == ["#000000", "#ffffff", "#ffffff"]


def test_a_dropped_first_choice_is_hatched_and_a_missing_one_pale():
    record = make_routing([[0], [1], [EMPTY]], kept=np.array([[True], [False], [False]]))
    ax = plots.plot_text(record, list("abc"))
    plain = next(c for c in ax.collections if isinstance(c, PolyCollection))
    assert face_colors(plain) == [COLORS[0], style.FAINT]
    assert hatched(ax) == 2  # the cell and its swatch in the key
    assert "1 first choices dropped" in style.describe(ax)


def test_the_second_choice_is_a_stripe_at_the_foot_of_the_cell(six):
    record = make_routing(six.expert_index)
    ax = plots.plot_text(record, list("abcdef"), show_second=True)
    first, second = [c for c in ax.collections if isinstance(c, PolyCollection)][:2]
    assert face_colors(second) == [COLORS[e] for e in record.expert_index[:, 1]]
    assert second.get_paths()[0].get_extents().y0 > first.get_paths()[0].get_extents().y0 + 0.5
    numbers = [c for c in ax.collections if isinstance(c, PathCollection)][2]
    for path, expert in zip(numbers.get_paths(), record.expert_index[:, 1], strict=True):
        assert path.codes.tolist() == outline(str(expert)).codes.tolist()


def test_the_description_of_a_text_counts_its_bytes():
    sentence = style.describe(plots.plot_text(make_routing([[3], [3], [1], [3]]), list("abcd")))
    assert "4 bytes" in sentence
    assert "most to expert 3 (3 bytes, 75%)" in sentence and "fewest to expert 0 (0 bytes, 0%)" in sentence


def test_type_is_at_least_12_points_at_the_default_size(six):
    style.use()
    ax = plots.plot_text(routing.top_k(np.random.default_rng(0).normal(size=(96, 8)), k=2), ["x"] * 96)
    ax.figure.draw_without_rendering()
    cell = ax.transData.transform([[0, 0], [1, 1]])
    width = abs(cell[1, 0] - cell[0, 0]) / ax.figure.dpi
    assert width >= 0.33  # inches: the numbers are 12 points in a cell of 0.34


@cases(("arguments", "name"), [
    ({"labels": ["a"]}, "labels"), ({"labels": b"abcdef"}, "labels"),
    ({"per_row": 0}, "per_row"), ({"per_row": 2.5}, "per_row"), ({"text_bytes": b"ab"}, "text_bytes"),
    ({"ax": "left"}, "ax"),
])
def test_wrong_arguments_of_plot_text_are_named(six, arguments, name):
    with pytest.raises(ValueError, match=name):
        plots.plot_text(six, **{"labels": list("abcdef"), **arguments})


def test_a_text_too_long_for_a_picture_is_refused(many):
    with pytest.raises(ValueError, match="labels must fit"):
        plots.plot_text(routing.top_k(np.zeros((151, 2)), k=1), ["a"] * 151, per_row=1)


# --- plot_text_layers ---

def test_layers_stand_below_each_other_with_their_load_on_one_scale(six, many):
    first, second = (routing.top_k(np.random.default_rng(s).normal(size=(9, 8)), k=2) for s in (0, 1))
    axes = plots.plot_text_layers([first, second], list("abcdefghi"))
    assert axes.shape == (2, 2)
    assert axes[0, 1].get_ylim() == axes[1, 1].get_ylim()
    bars = [patch.get_height() for patch in axes[1, 1].patches]
    assert bars == pytest.approx(100 * second.dispatch().sum(axis=0) / 18)
    assert style.describe(axes).count("Coloured text") == 2


@cases(("routings", "name"), [([], "routings"), (["x"], "routed")])
def test_wrong_layers_are_named(routings, name):
    with pytest.raises(ValueError, match=name):
        plots.plot_text_layers(routings, ["a"])


def test_layers_of_different_length_are_named(six, many):
    with pytest.raises(ValueError, match="labels"):
        plots.plot_text_layers([six, many], list("abcdef"))


# --- plot_load ---

def test_bars_are_the_shares_and_the_dropped_part_stands_on_top(six):
    ax = plots.plot_load(six)
    kept, dropped = ax.patches[:4], ax.patches[4:8]
    assert [bar.get_height() for bar in kept] == pytest.approx([25, 100 / 6, 100 / 6, 25])
    assert [to_hex(bar.get_facecolor()) for bar in kept] == COLORS[:4]
    assert dropped[1].get_height() == pytest.approx(100 / 6)
    assert dropped[1].get_y() == pytest.approx(kept[1].get_height())
    assert all(bar.get_hatch() for bar in dropped)


def test_load_prints_share_and_number_and_the_fair_share(six):
    ax = plots.plot_load(six)
    texts = [text.get_text() for text in ax.texts]
    assert texts[:4] == ["25%\n3", "33%\n4", "17%\n2", "25%\n3"]
    assert texts[4] == "fair share\n25%"
    assert ax.lines[0].get_ydata()[0] == 25
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3"]
    assert "12 assignments" in ax.get_ylabel()


def test_the_description_of_a_load_has_the_extremes(six):
    sentence = style.describe(plots.plot_load(six))
    assert "most to expert 1 (4, 33%), fewest to expert 2 (2, 17%)" in sentence
    assert "fair share 25%" in sentence and "share of 12 assignments" in sentence


# --- plot_assignment ---

def test_a_small_matrix_prints_its_weights_and_draws_them_to_length(six):
    ax = plots.plot_assignment(six, labels=["The", "cat", "sat", "on", "the", "mat"])
    assert [text.get_text() for text in ax.texts][:3] == ["0.70", "0.30", "0.90"]
    _, kept, dropped = [c for c in ax.collections if isinstance(c, PolyCollection)]
    widths = np.array([path.get_extents().width for path in kept.get_paths()])
    assert widths / widths[0] == pytest.approx(six.combine_weight[six.kept] / 0.7)
    assert face_colors(kept) == [COLORS[e] for e in six.expert_index[six.kept]]
    assert len(dropped.get_paths()) == hatched(ax) == 2
    assert [label.get_text() for label in ax.get_yticklabels()] == ["The", "cat", "sat", "on", "the", "mat"]


def test_a_long_matrix_runs_along_x_and_has_no_numbers(many):
    ax = plots.plot_assignment(many, labels=list("abcdefgh" * 8))
    kept = ax.collections[1]
    heights = [path.get_extents().height for path in kept.get_paths()]
    assert np.array(heights) / 0.88 == pytest.approx(many.combine_weight.ravel())
    middles = np.array([path.get_extents().get_points().mean(axis=0) for path in kept.get_paths()])
    assert np.round(middles[:, 0]).tolist() == np.repeat(np.arange(64), 2).tolist()
    feet = np.array([path.get_extents().y1 for path in kept.get_paths()])
    assert np.round(feet - 0.44).tolist() == many.expert_index.ravel().tolist()
    assert not ax.texts
    assert ax.get_xlabel().startswith("token")


def test_weights_above_one_are_drawn_to_the_largest(six):
    record = make_routing(six.expert_index, weight=2.5 * six.combine_weight)
    ax = plots.plot_assignment(record)
    widths = [path.get_extents().width for path in ax.collections[1].get_paths()]
    assert max(widths) == pytest.approx(0.84)
    assert "0.25 to 2.25" in style.describe(ax)


# --- plot_flow ---

def ribbons(ax):
    return [patch for patch in ax.patches if isinstance(patch, PathPatch)]


def test_every_choice_is_a_ribbon_as_wide_as_its_weight(six):
    ax = plots.plot_flow(six)
    kept = [patch for patch in ribbons(ax) if not patch.get_hatch()]
    assert len(ribbons(ax)) == 12 and len(kept) == 10
    widths = {}
    for ribbon in kept:
        start, end = ribbon.get_path().vertices[0], ribbon.get_path().vertices[7]
        widths.setdefault(to_hex(ribbon.get_facecolor()), []).append(end[1] - start[1])
    unit = widths[COLORS[0]][0] / 0.7
    assert np.array(widths[COLORS[0]]) / unit == pytest.approx([0.7, 0.5, 0.75])
    assert np.array(widths[COLORS[3]]) / unit == pytest.approx([0.4, 0.8, 0.25])


def test_blocks_are_as_high_as_the_load_and_dropped_ribbons_end_before_them(six):
    ax = plots.plot_flow(six)
    blocks = [patch for patch in ax.patches if type(patch) is Rectangle]
    kept = [block for block in blocks if not block.get_hatch()]
    heights = np.array([block.get_height() for block in kept])
    assert heights / heights[0] == pytest.approx(np.array([3, 2, 2, 3]) / 3)
    assert [to_hex(block.get_facecolor()) for block in kept] == COLORS[:4]
    for ribbon in ribbons(ax):
        right = ribbon.get_path().vertices[:, 0].max()
        assert (right < blocks[0].get_x()) == bool(ribbon.get_hatch())
    texts = [text.get_text() for text in ax.texts]
    assert texts[-4:] == ["expert 0: 3", "expert 1: 2 + 2", "expert 2: 2", "expert 3: 3"]


def test_ribbons_of_a_token_start_on_its_row_and_end_in_their_experts_block(many):
    ax = plots.plot_flow(many)
    blocks = {to_hex(p.get_facecolor()): p for p in ax.patches if type(p) is Rectangle}
    rows = []
    for ribbon in ribbons(ax):
        vertices = ribbon.get_path().vertices
        block = blocks[to_hex(to_rgba(ribbon.get_facecolor())[:3])]
        assert block.get_y() <= vertices[3, 1] < vertices[4, 1] <= block.get_y() + block.get_height()
        assert np.floor(vertices[0, 1]) == np.floor(vertices[7, 1])
        rows.append(int(vertices[0, 1]))
    assert np.bincount(rows).tolist() == [2] * 64


def test_ribbons_of_a_token_lie_side_by_side_at_the_gate(six):
    starts = {}
    for ribbon in ribbons(plots.plot_flow(six)):
        top, bottom = ribbon.get_path().vertices[[0, 7], 1]
        starts.setdefault(int(top), []).append((top, bottom))
    for first, second in map(sorted, starts.values()):
        assert first[1] == pytest.approx(second[0])


def test_the_dropped_come_last_at_their_expert():
    kept = np.array([[False], [True], [True]])
    ends = {bool(ribbon.get_hatch()): ribbon.get_path().vertices[3, 1]
            for ribbon in ribbons(plots.plot_flow(make_routing([[0], [0], [0]], kept=kept)))}
    assert ends[True] > ends[False]  # the axis points down


def test_wrong_labels_are_named_by_matrix_and_flow(six):
    for draw in (plots.plot_assignment, plots.plot_flow):
        with pytest.raises(ValueError, match="labels"):
            draw(six, labels=["a"])


@pytest.mark.parametrize("per_row", [1, 3, 7])
def test_a_narrow_text_with_drops_still_has_its_key(per_row):
    dropped = capacity.apply_capacity(routing.top_k(np.zeros((6, 8)), k=1), 2)
    ax = plots.plot_text(dropped, list("abcdef"), per_row=per_row)
    swatches = [c for c in ax.collections if len(c.get_paths()) == 8]
    assert len(swatches) == 1 and all(np.ptp(path.vertices[:, 0]) > 0 for path in swatches[0].get_paths())


# --- names that look like formulas ---

TRICKY = r"$\bad{$ costs 5_"


@pytest.mark.parametrize("plot", EVERY.values(), ids=EVERY)
def test_a_dollar_sign_in_a_name_is_a_dollar_sign(plot, six):
    named = six.relabel(TRICKY)
    ax = plot(named)
    ax.figure.draw_without_rendering()  # a formula that does not parse raises here
    assert outline("$a$").vertices.shape != outline("a").vertices.shape


def test_names_of_curves_and_tokens_may_hold_dollar_signs():
    curves = {TRICKY: [1.0, 2.0], "b": [2.0, 1.0]}
    plots.plot_curves([1, 2], curves, x_label="$x$", y_label="y").figure.draw_without_rendering()
    plots.plot_text(make_routing([[0], [1]]), ["$a$", TRICKY]).figure.draw_without_rendering()


def test_names_that_lines_would_run_through_stand_below_the_chart():
    def drawn(*lines):
        curves = {f"a line of {at}": np.array(line) for at, line in enumerate(lines)}
        return plots.plot_curves(np.arange(20), curves, x_label="step", y_label="share")

    ramp = np.linspace(0, 1, 20)
    above = drawn(*(level * (ramp < 0.9) for level in (0, 1, 2)))
    assert above.get_legend() is None and [text.xy[1] for text in above.texts] == [0, 1, 2]
    steep = drawn(*(np.clip(8 * ramp - shift, 0, 1) for shift in (1, 2, 3)))
    below = [text.get_text() for text in steep.get_legend().get_texts()]
    assert below == [f"a line of {at}" for at in range(3)]
    assert not steep.texts

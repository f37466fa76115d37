"""Other forms of a figure: the dark one, read from its pixels, and where its panels stand."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from cases import cases
from moeviz import dark, forms, plots, style
from moeviz.record import Routing

pytestmark = pytest.mark.slow
ONE_EACH = Routing(None, np.full((8, 8), 1 / 8), np.arange(8)[:, None], np.ones((8, 1)),
                   np.ones((8, 1), bool), "one token for each expert")


def drawn(figure):
    """Return the colours of a figure's pixels on the dark ground, {hex: how many}."""
    pixels = both(figure)[1][..., :3].reshape(-1, 3)
    colors, counts = np.unique(pixels, axis=0, return_counts=True)
    return {to_hex(color / 255): int(count) for color, count in zip(colors, counts, strict=True)}


def both(figure):
    """Return the pixels (H, W, 4) of a figure as it is and of its dark form."""
    canvas = dark.BothCanvas(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba()), canvas.night()


@pytest.fixture
def ax():
    figure = plt.figure(figsize=(2, 1), dpi=50)
    yield figure.add_axes((0, 0, 1, 1))
    plt.close(figure)


def filled(ax, color):
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.add_patch(plt.Rectangle((0, 0), 1, 1, color=color))
    return ax


@cases("style_of", [{}, {"rotation": 90}, {"rotation": 30}, {"antialiased": False}, {"parse_math": False},
                    {"fontsize": 7}, {"family": "monospace"}, {"y": 0.3}, {"dpi": 61}, {"height": 1.33},
                    {"fontfeatures": ["-kern"]}, {"language": "tr"}])
def test_a_text_looks_as_matplotlib_draws_it_at_first_and_again(style_of):
    frame = {name: style_of.get(name, value) for name, value in (("dpi", 50), ("height", 1))}
    options = {name: value for name, value in style_of.items() if name not in (*frame, "y")}
    for words in ("AVAfi 3", "two\nlines", "$x_t^2$ of", "über"):
        for _ in range(2):
            figure = plt.figure(figsize=(3, frame["height"]), dpi=frame["dpi"])
            said = figure.text(0.3, style_of.get("y", 0.5), words)
            for name in [name for name in options if hasattr(said, f"set_{name}")]:  # an older one lacks some
                getattr(said, f"set_{name}")(options[name])
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            assert np.array_equal(both(figure)[0], canvas.buffer_rgba())
            plt.close(figure)


@pytest.mark.parametrize("color", style.expert_colors(8)[:7])
def test_an_expert_keeps_its_colour_and_white_becomes_the_ground(ax, color):
    seen = drawn(filled(ax, color).figure)
    assert max(seen, key=seen.get) == color.lower()
    assert to_hex(dark.partner(to_rgb("white"))) == dark.GROUND


@cases("color", style.expert_colors(8)[:7])
def test_tints_and_shades_of_an_expert_lead_to_its_own_colour(color):
    own = np.array(to_rgb(color))
    for end in (0.99 * own + 0.01, 0.8 * own):  # almost no white; a fifth of black
        assert dark.partner(tuple(end)) == pytest.approx(own, abs=0.02)


@cases("color", [*style.SERIES, *style.OKABE_ITO, style.MUTED, *style.expert_colors(64)])
def test_whatever_is_drawn_can_be_seen(color):
    assert style.contrast(dark.partner(to_rgb(color)), dark.GROUND) >= dark.SEEN
    assert style.contrast(dark.partner(to_rgb(style.INK)), dark.GROUND) >= 7


def test_zero_is_the_ground_and_more_is_lighter():
    for ramp, start in ((style.HEAT, 0.0), (style.AROUND, 0.5)):
        shades = dark.partner(ramp(np.linspace(start, 1, 9)))
        assert style.contrast(shades[0, :3], dark.GROUND) < 1.05
        light = [style.luminance(shade[:3]) for shade in shades]
        assert light == sorted(light)


@pytest.mark.parametrize("expert", range(8))
def test_a_text_can_be_read_on_what_it_stands(ax, expert):
    color = style.expert_colors(8)[expert]
    filled(ax, color).text(0.5, 0.5, "MMM", fontsize=40, ha="center", va="center", color=style.ink_on(color))
    seen = drawn(ax.figure)
    ground, ink, *_ = sorted(seen, key=seen.get, reverse=True)
    assert ink in (dark.GROUND, dark.LIGHT)
    other, = {dark.GROUND, dark.LIGHT} - {ink}
    assert style.contrast(ground, ink) > style.contrast(ground, other)


def test_letters_that_are_outlines_can_be_read_too(monkeypatch):
    inks, choose = [], dark._inks
    monkeypatch.setattr(dark, "_inks", lambda *given: inks.append(choose(*given)) or inks[-1])
    figure = plots.plot_text(ONE_EACH, "M" * 8).figure
    drawn(figure)
    plt.close(figure)
    letters = next(each for each in inks if len(each) >= 8)[:8]
    grounds = [dark.partner(to_rgb(color)) for color in style.expert_colors(8)]
    assert min(style.contrast(ink[:3], ground) for ink, ground in zip(letters, grounds, strict=True)) >= 3.4


def test_the_figure_stays_as_it_is_and_nothing_of_it_is_lost(ax):
    ax.imshow([[1, 0.5]], cmap="viridis", vmin=0, extent=(0, 1, 0, 1))
    ax.pcolormesh([2, 3], [0, 1], [[0.5]], cmap="viridis", vmin=0)
    ax.tripcolor([4, 5, 4], [0, 0, 1], [0.1, 0.5, 0.3], shading="gouraud")
    ax.scatter([6, 6], [0.3, 0.7], s=[50, 90], color="C1")
    ax.plot([7, 7.5, 8], [0, 1, 0], "o-", markersize=9)
    ax.text(9, 0.5, r"$x^2$", color="C2")
    ax.set(xlim=(0, 10), ylim=(0, 1), aspect="auto")
    plain = FigureCanvasAgg(ax.figure)
    plain.draw()
    (day, night), again = both(ax.figure), both(ax.figure)[1]
    assert (day == np.asarray(plain.buffer_rgba())).all() and (night == again).all()
    there = np.abs(night[..., :3] / 255 - to_rgb(dark.GROUND)).max(axis=-1)
    inked = day[..., :3].min(axis=-1) < 155
    assert inked.mean() > 0.1 and there[inked].min() > 0.04


def test_panels_are_found_side_by_side_with_their_colour_bars():
    figure, axes = plt.subplots(2, 2, figsize=(8, 4), gridspec_kw={"hspace": 0.5, "wspace": 0.5})
    shown = axes[0, 0].imshow(np.eye(2))
    figure.colorbar(shown, ax=axes[0, 0])
    figure.canvas.draw()
    panels = forms.panels_of(figure, Bbox.from_bounds(0, 0, 8, 4))
    assert len(panels) == 4
    lefts, tops, rights, bottoms = np.transpose(panels)
    bar = figure.axes[-1].get_window_extent()
    assert lefts[0] < bar.x0 and bar.x1 <= rights[0] <= lefts[1] and lefts[2] < rights[2] <= lefts[3]
    assert (bottoms[:2] <= tops[2:] + forms.OVERLAP).all()


def test_panels_that_stand_below_each_other_are_no_reason_to_cut():
    figure, _ = plt.subplots(3, 1, layout="constrained")
    figure.canvas.draw()
    assert forms.panels_of(figure, Bbox.from_bounds(0, 0, *figure.get_size_inches())) == []


def test_a_panel_that_shares_its_rows_takes_their_labels_along():
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, gridspec_kw={"wspace": 0.5})
    axes[0].set_yticks([0, 1], ["prose", "code"])
    axes[2].tick_params(labelleft=True)
    figure.canvas.draw()
    frame = Bbox.from_bounds(0, 0, 9, 3)
    panels = forms.panels_of(figure, frame)
    first, second, third = forms.labels_of(figure, frame, panels)
    assert first is third is None
    left, top, right, bottom = second
    names = axes[0].yaxis.get_ticklabels()[0].get_window_extent()
    assert left <= names.x0 and names.x1 <= right <= axes[0].bbox.x0 + 1
    assert top == panels[1][1] and bottom < panels[1][3]
    plt.close(figure)


def test_an_expert_with_its_fair_share_has_the_number_of_the_line():
    ax = plots.plot_load(ONE_EACH, compact=True)
    assert [text.get_text() for text in ax.texts] == ["12.5"] * 8
    plt.close(ax.figure)


def wide_one(**size):
    ax = plots.plot_load(ONE_EACH, ax=style.axes_or_new(None, (10, 5), **size))
    ax.set_title("a title that is much too long to fit on a narrow screen as one line of 1 figure")
    return ax


@pytest.mark.parametrize("size", [{}, {"left": 1.0, "right": 1.2}])
def test_a_figure_becomes_less_wide_with_letters_of_the_same_size(size):
    with plt.rc_context():
        style.use()
        ax = wide_one(**size)
        before, sizes = drawn(ax.figure), [text.get_fontsize() for text in ax.texts]
        with forms.narrowed(ax.figure) as works:
            assert works and ax.figure.get_figwidth() == forms.NARROW
            assert [text.get_fontsize() for text in ax.texts] == sizes
            assert "\n" in ax._left_title.get_text() and forms.clashes(ax.figure) == 0
            assert not size or ax.get_position().x0 * forms.NARROW == pytest.approx(1.0)
        assert drawn(ax.figure) == before  # as wide as it was
    plt.close(ax.figure)


def test_a_figure_that_cannot_be_read_less_wide_is_not_squeezed():
    figures = [plt.figure(figsize=(10, 3)) for _ in range(2)]
    figures[0].add_subplot().set_aspect("equal")
    ax = figures[1].add_subplot()
    ax.set_xticks(range(9), ["expert number"] * 9, fontsize=9)
    for figure in figures:
        with forms.narrowed(figure) as works:
            assert not works
    ax.set_xticks(range(9), list("abcdefghi"))
    with forms.narrowed(figures[1]) as works:
        assert works
    plt.close("all")


def test_panels_below_a_title_go_with_it():
    figure, axes = plt.subplots(2, 2, figsize=(8, 4), gridspec_kw={"hspace": 0.5, "wspace": 0.5})
    for ax in axes[0]:
        ax.set_title("a run")
    figure.canvas.draw()
    panels = forms.panels_of(figure, Bbox.from_bounds(0, 0, 8, 4))
    assert [left < 400 for left, *_ in panels] == [True, True, False, False]
    axes[1, 0].set_title("another")
    panels = forms.panels_of(figure, Bbox.from_bounds(0, 0, 8, 4))
    assert [left < 400 for left, *_ in panels] == [True, False, True, False]
    plt.close(figure)


def test_the_title_of_a_drawn_table_stands_above_its_first_part_alone():
    figure, ax = plt.subplots(figsize=(8, 4))
    ax = style.set_columns(ax, (0, 0.2), [(0, 0.6), (0.6, 1)])
    ax.set_title("a finding as wide as both parts of it", loc="left")
    figure.canvas.draw()
    frame = Bbox.from_bounds(0, 0, 8, 4)
    (_, first, *_), (_, second, *_) = panels = forms.panels_of(figure, frame)
    named = forms.labels_of(figure, frame, panels)
    title = next(part for part in ax.findobj(Text) if part.get_text().startswith("a finding"))
    below = 400 - title.get_window_extent().y0
    assert first == 0 and second == pytest.approx(below, abs=1) and named[1][1] == second
    plt.close(figure)


@cases("count", [9, 16, 64])
def test_many_experts_keep_their_order_of_colours(count):
    for color in style.expert_colors(count):
        kept = np.array(dark.partner(to_rgb(color)))
        lifted = np.array(dark.lifted(to_rgb(color)))
        assert np.abs(kept - lifted).max() < 0.02


@pytest.mark.parametrize("color", ["#F0E442", "#0072B2", "#000000"])
def test_a_mark_on_a_colour_can_be_seen(ax, color):
    filled(ax, color).scatter([0.25, 0.75], [0.5, 0.5], s=300, c=[style.ink_on(color)] * 2, linewidths=1.6)
    mark, below = both(ax.figure)[1][[25, 5], 25, :3] / 255
    assert style.contrast(mark, below) >= dark.SEEN


def test_a_coloured_word_on_the_dark_ground_keeps_its_colour():
    blue = to_rgb(style.expert_colors(8)[4])
    word = dark._ink((*blue, 1.0), np.array([np.array(to_rgb(dark.GROUND)) * 255]))[:3]
    assert style.contrast(word, dark.GROUND) >= dark.READ
    assert word[2] - word[0] > 0.3  # blue, and not the ink of expert 7


def crowded_map():
    spots = {"layer 1": (0.66, 1), "sure, rotates": (0, 1), "undecided, rotates": (1, 1), "always 0": (0, 0)}
    return plots.plot_entropy_map(spots, paths={"push": [[0.66, 1], [0.3, 0.3], [0, 0]]})


@cases("draw", [crowded_map, lambda: plots.plot_dense_blocks(np.ones((4, 64)), 8)])
def test_what_a_phone_needs_to_show_whole_can_be_drawn_narrow(draw):
    style.use()
    figure = draw().figure
    with forms.narrowed(figure) as can_be_read:
        assert can_be_read
    plt.close(figure)


STEPS = [("score", np.linspace(-2.7, 2.3, 8)), ("softmax", np.full(8, 0.125)), ("top-2", np.eye(8)[0]),
         ("renormalise", np.eye(8)[0] / 2)]
READINGS = {name: np.arange(4) / 4 for name in ("CV", "MaxVio", "Gini", "1 - Ent", "dead", "drops (%)")}


@cases("draw", [
    lambda: plots.plot_gate_steps(STEPS, np.arange(8) < 2),
    lambda: plots.plot_meters({f"load {row}": np.arange(1, 9) for row in range(4)}, READINGS),
    lambda: plots.plot_block(8, 2)])
def test_a_wide_drawing_is_set_in_two_parts_above_each_other_for_a_phone(draw):
    style.use()
    wide = draw()
    thin = wide.moeviz_narrow()
    assert thin.figure.get_tightbbox().width <= forms.NARROW < wide.figure.get_tightbbox().width
    assert thin.figure.get_tightbbox().height > 1.4 * wide.figure.get_tightbbox().height
    assert {text.get_text() for text in wide.texts} <= {text.get_text() for text in thin.texts}
    assert forms.clashes(thin.figure) == forms.clashes(wide.figure)
    assert all(text.get_fontsize() >= 12 for text in thin.texts)
    plt.close(wide.figure), plt.close(thin.figure)


def test_a_number_is_not_crossed_by_the_line_to_compare_with():
    ax = plots.plot_timing(["slow", "quick"], [0.05, 0.003], mark=(0.0045, "a quarter"))
    below, above = ax.lines[0].get_zorder(), [text for text in ax.texts if " ms" in text.get_text()]
    assert all(text.get_bbox_patch() and text.get_zorder() > below for text in above[:2])


@cases("expert", range(7))
def test_a_line_on_white_is_a_line_of_the_same_expert_on_the_dark_ground(expert):
    color = style.expert_colors(8)[expert]
    assert to_hex(dark.partner(to_rgb(style.on_white(color)))) == to_hex(dark.lifted(to_rgb(color)))


def test_numbers_in_the_cells_of_a_matrix_stand_apart_on_a_phone():
    style.use()
    ax = plots.plot_matrix(np.full((2, 8), -0.27), row_label="term", column_label="number", middle=0,
                           limits=(-1, 1), row_names=["expert 3", "expert 2"])
    with forms.narrowed(ax.figure) as can_be_read:
        first, second = (text.get_window_extent() for text in ax.texts[:2])
        assert can_be_read and second.x0 - first.x1 > 5
    plt.close(ax.figure)


def test_headings_of_metrics_stand_apart_on_a_phone_where_names_of_loads_are_long():
    style.use()
    wide = plots.plot_meters({"all places": np.arange(1, 9), "without padding": np.arange(1, 9)},
                             {name: values[:2] for name, values in READINGS.items()})
    thin = wide.moeviz_narrow()
    thin.figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in thin.texts}
    assert boxes["Gini"].x0 - boxes["MaxVio"].x1 > 5
    plt.close(wide.figure), plt.close(thin.figure)

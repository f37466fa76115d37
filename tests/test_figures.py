"""What every figure of the package promises, and its table, over a small example of each plot."""

from io import BytesIO
from typing import NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox

from cases import cases
from figure_examples import OTHERS, TABLES
from moeviz import forms, plots, style
from moeviz.tables import as_table

pytestmark = pytest.mark.slow
DRAWS_EXPERTS = {"plot_block", "plot_network", "plot_noisy_threshold", "plot_products",
                 "plot_thermostat"}  # with lines, in their colours


class Seen(NamedTuple):
    """What was seen of a figure in the classroom style."""

    same: bool  # whether a second save gave the pixels of the first
    titles: list
    width: float  # inches
    colors: set  # of its lines and bars
    smallest: float  # points of its smallest text
    alt: str
    tables: list
    nameless: list  # panels that stand without the labels of their rows where they stack


@pytest.fixture(scope="module")
def seen():
    with mpl.rc_context():
        style.use()
        every = OTHERS | {name: draw for name, (draw, *_) in TABLES.items()}
        found = {name: _look(np.ravel(draw())[0].figure) for name, draw in every.items()}
    return found


def _look(figure):
    same = _pixels(figure) == _pixels(figure)
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text().strip() and text.get_visible()]
    plt.close(figure)
    titles = [title for ax in figure.axes if (title := ax.get_title(loc="left"))]
    lines = {to_hex(line.get_color()) for ax in figure.axes for line in ax.lines}
    return Seen(same, titles, figure.get_figwidth(), lines, min(text.get_fontsize() for text in texts),
                style.describe(figure), style.tables_of(figure), _nameless(figure))


def _nameless(figure):
    """Return the panels whose rows have labels in another panel alone, which do not go with them."""
    FigureCanvasAgg(figure)
    frame = Bbox.from_bounds(0, 0, *figure.get_size_inches())
    panels = forms.panels_of(figure, frame)
    strips, named = forms.labels_of(figure, frame, panels), {}
    for ax in figure.axes:
        texts = [label for label in ax.yaxis.get_ticklabels() if label.get_visible() and label.get_text()]
        named.setdefault(ax.get_position().bounds[1::2], []).append((ax, bool(texts and ax.axison)))
    without = [ax for row in named.values() if {True, False} == {has for _, has in row}
               for ax, has in row if not has and ax.axison and ax.get_label() != "<colorbar>"]
    middles = [(ax.bbox.x0 + ax.bbox.x1) / 2 for ax in without]
    return [panel for panel, strip in zip(panels, strips, strict=True)
            if strip is None and any(panel[0] < middle < panel[2] for middle in middles)]


def _pixels(figure):
    """Return the figure as it is stored in a notebook, coarser."""
    raw = BytesIO()
    figure.savefig(raw, format="rgba", dpi=40, bbox_inches="tight")
    return raw.getvalue()


def test_a_figure_saved_again_gives_the_same_pixels(seen):
    assert [name for name, figure in seen.items() if not figure.same] == []


def test_a_panel_never_stands_without_the_labels_of_its_rows(seen):
    assert {name: figure.nameless for name, figure in seen.items() if figure.nameless} == {}


def test_no_text_is_smaller_than_12_points(seen):
    assert {name: figure.smallest for name, figure in seen.items() if figure.smallest < 12} == {}


def test_a_title_says_what_was_found_with_a_number(seen):
    assert {name: figure.titles for name, figure in seen.items()
            if not figure.titles or not all(any(map(str.isdigit, title)) for title in figure.titles)} == {}


def test_a_figure_is_at_most_1000_pixels_wide(seen):
    assert {name: figure.width for name, figure in seen.items() if figure.width > 10} == {}


def test_a_series_has_no_expert_s_colour(seen):
    experts = {color.lower() for color in style.OKABE_ITO[:7]}  # black is every reader's ink
    assert {name for name, figure in seen.items() if figure.colors & experts} <= DRAWS_EXPERTS


def test_a_figure_of_fixed_margins_keeps_them_when_it_is_saved():
    with mpl.rc_context():
        style.use()
        ax = style.fixed_axes((8, 4), left=1)
        ax.set_ylabel("so long a name would move the axes, were there a layout " * 2)
        before = ax.get_position().bounds
        assert _pixels(ax.figure) == _pixels(ax.figure)
    assert ax.get_position().bounds == before


# ---- its table

@cases("name", TABLES)
def test_a_plot_has_a_table_with_its_numbers(seen, name):
    shown = seen[name].tables[0]
    assert shown["title"].strip()
    assert tuple(" | ".join(line) for line in (shown["columns"], *shown["rows"])) == TABLES[name][1:]


def test_no_plot_is_forgotten():
    assert {name for name in plots.__all__ if name.startswith("plot_")} <= set(TABLES) | set(OTHERS)


def test_the_bias_of_a_thermostat_has_a_table_of_its_own(seen):
    assert [(each["title"], each["rows"][-1]) for each in seen["plot_thermostat"].tables] == [
        ("load (% of choices)", ["1", "50", "50"]), ("bias, less its mean", ["1", "-0.2", "0.2"])]


def test_a_text_and_the_load_beside_it_have_each_their_table(seen):
    assert [each["title"] for each in seen["plot_text_layers"].tables] == [
        "tiny: who gets what", "tiny: load"]


def test_of_many_dots_those_furthest_from_the_diagonal_are_told():
    x = np.linspace(0, 1, 100)
    every = plots.plot_evidence({"suspect": plots.Evidence(x, x ** 2, ("x", "y"))})
    shown, = style.tables_of(every[0].figure)
    assert shown["title"] == "suspect: the 12 of 100 dots furthest from the diagonal"
    gaps = [float(row[1]) - float(row[2]) for row in shown["rows"]]
    assert min(gaps) > 0.24 and len(gaps) == 12


@cases("rows, shown, left_out", [
    (13, 13, ""), (24, 24, ""), (25, 12, "12 of 25 rows, evenly chosen"),
    (200, 12, "12 of 200 rows, evenly chosen")])
def test_a_table_never_lacks_just_a_few_rows(rows, shown, left_out):
    ax = plt.subplots()[1]
    ax.plot(range(rows), range(rows), label="line")
    table, = style.tables_of(ax.figure)
    plt.close(ax.figure)
    assert len(table["rows"]) == shown
    assert table["title"].endswith(f"({left_out})") if left_out else "of" not in table["title"]


@cases("experts, shown", [(16, 17), (17, 13)])
def test_sixteen_experts_have_all_their_columns(experts, shown):
    columns = ["token", *range(experts)]
    assert len(as_table("weights", columns, [range(experts + 1)])["columns"]) == shown


def test_numbers_of_a_column_stand_below_each_other():
    table = as_table("shares", ["step", "share", "steps"], [[1, 0.5, 7], [2, 0.1234, 10.0], [3, 1.0, ""]])
    assert [row[1] for row in table["rows"]] == ["0.500", "0.123", "1.000"]
    assert [row[0] for row in table["rows"]] == ["1", "2", "3"]

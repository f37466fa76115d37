"""The palette, the ink, the descriptions, and that only `use` touches matplotlib's settings."""

import colorsys
import re
from base64 import b64decode
from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

from cases import cases
from moeviz import dark, style
from moeviz.plots.draw import plain_ticks
from moeviz.tables import as_html


def test_what_no_font_can_draw_is_spelled_out_wherever_it_stands(monkeypatch):
    monkeypatch.setattr(style, "FONTS", style.MONO)
    style.can_draw.cache_clear()
    ax = plt.subplots()[1]
    ax.set_xticks([0, 1], ["東", "é"])
    ax.set(title="a 語", ylabel="語")
    ax.text(0, 0, "中 b")
    style.set_description(ax, "Texts.")
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["U+6771", "é"]
    assert [ax.get_title(), ax.get_ylabel(), ax.texts[0].get_text()] == ["a U+8A9E", "U+8A9E", "U+4E2D b"]
    style.can_draw.cache_clear()
    plt.close(ax.figure)


def wcag_contrast(one, other):
    """The formula of WCAG 2.1 written out channel by channel."""
    def lightness(color):
        total = 0.0
        for share, channel in zip((0.2126, 0.7152, 0.0722), to_rgb(color), strict=True):
            total += share * (channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
        return total + 0.05
    return max(lightness(one), lightness(other)) / min(lightness(one), lightness(other))


def test_the_first_eight_experts_have_the_okabe_ito_colours_in_order():
    assert style.expert_colors(8) == ["#E69F00", "#56B4E9", "#009E73", "#F0E442",
                                      "#0072B2", "#D55E00", "#CC79A7", "#000000"]
    assert style.expert_colors(3) == style.expert_colors(8)[:3]


@pytest.mark.parametrize("count", [1, 8, 9, 64, 128])
def test_every_expert_has_a_colour_of_its_own(count):
    colors = style.expert_colors(count)
    assert len(colors) == count
    assert len(set(colors)) == count


def test_colours_beyond_eight_run_from_dark_to_light():
    lightness = [style.luminance(color) for color in style.expert_colors(64)]
    assert (np.diff(lightness) > 0).all()


@cases("count", [0, -1, 2.0, True, "8", None])
def test_a_wrong_number_of_experts_is_named(count):
    with pytest.raises(ValueError, match="num_experts"):
        style.expert_colors(count)


def test_ink_is_readable_on_every_colour_there_is():
    grid = [colorsys.hsv_to_rgb(h, s, v) for h in np.linspace(0, 1, 13)
            for s in (0, 0.5, 1) for v in np.linspace(0, 1, 21)]
    for color in [*grid, *style.expert_colors(8), *style.expert_colors(64), style.DROPPED, style.FAINT]:
        ink = style.ink_on(color)
        assert ink in ("black", "white")
        assert wcag_contrast(ink, color) >= 4.5
        assert style.contrast(ink, color) == pytest.approx(wcag_contrast(ink, color))


def test_ink_for_running_text_and_for_asides_is_readable_on_white():
    assert wcag_contrast(style.INK, "white") >= 7
    assert wcag_contrast(style.MUTED, "white") >= 4.5


def test_tint_mixes_with_white():
    assert style.tint("#0072B2", 1.0).upper() == "#0072B2"
    assert style.tint("#000000", 0.5) == "#808080"
    with pytest.raises(ValueError, match="amount"):
        style.tint("#000000", 1.5)


def test_use_sets_large_type_and_nothing_below_12_points():
    style.use()
    sizes = [mpl.rcParams[name] for name in ("font.size", "axes.titlesize", "axes.labelsize",
                                             "xtick.labelsize", "ytick.labelsize", "legend.fontsize")]
    assert min(sizes) >= 12
    assert not mpl.rcParams["figure.constrained_layout.use"]


def test_importing_the_package_leaves_the_settings_alone():
    mpl.rcdefaults()
    before = dict(mpl.rcParams)
    import moeviz.plots  # noqa: F401
    assert dict(mpl.rcParams) == before


def test_describe_joins_the_sentences_of_a_figure_and_of_an_array():
    fig, axes = plt.subplots(1, 2)
    style.set_description(axes[0], "One.")
    style.set_description(axes[1], "Two.")
    assert style.describe(axes[0]) == "One."
    assert style.describe(axes) == style.describe(fig) == "One. Two."


def test_describe_names_what_has_no_description():
    with pytest.raises(ValueError, match="drawn"):
        style.describe(plt.figure().add_subplot())


def test_axes_or_new_uses_the_given_axes_and_never_the_current_one():
    current = plt.figure().add_subplot()
    given = plt.figure(figsize=(2, 2)).add_subplot()
    assert style.axes_or_new(given) is given
    fresh = style.axes_or_new(None, (3, 4))
    assert fresh not in (current, given)
    assert fresh.figure.get_size_inches().tolist() == [3, 4]


@cases("wrong", [plt, 3, "ax", np.zeros(2)])
def test_something_else_than_axes_is_named(wrong):
    with pytest.raises(ValueError, match="ax must be"):
        style.axes_or_new(wrong)


def test_fixed_axes_keep_their_margins_in_inches():
    axes = style.fixed_axes((12, 8), left=1, right=0.5, bottom=0.75, top=0.25, rows=3, columns=2,
                            gap=(1.5, 0.5))
    inches = np.array([[ax.get_position().extents * [12, 8, 12, 8] for ax in row] for row in axes])
    left, bottom, right, top = np.moveaxis(inches, 2, 0)
    assert left[:, 0] == pytest.approx(1) and right[:, 1] == pytest.approx(11.5)
    assert bottom[2] == pytest.approx(0.75) and top[0] == pytest.approx(7.75)
    assert left[:, 1] - right[:, 0] == pytest.approx(1.5) and bottom[:-1] - top[1:] == pytest.approx(0.5)
    assert axes[0, 0].figure.get_layout_engine() is None


def test_new_axes_have_fixed_margins_where_they_are_given():
    style.use()
    assert style.axes_or_new(None, (4, 3), left=1).get_position().x0 == pytest.approx(0.25)
    assert style.axes_or_new(None, (4, 3)).figure.get_layout_engine() is not None


def test_numbers_below_0_have_a_minus_sign_wherever_they_are_seen():
    ax = plt.subplots()[1]
    ax.plot([-2, 2], [-0.5, 0.5], label="from -0.5")
    ax.set(title="top-2 takes it to -0.5", xlabel="x (-2 to 2)")
    ax.text(0, 0, "-0.25")
    plain_ticks(ax.xaxis)
    style.set_description(ax, "A line from -0.5 to 0.5.")
    ax.figure.canvas.draw()
    seen = [ax.get_title(), ax.get_xlabel(), ax.texts[0].get_text(), style.describe(ax),
            *(label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())),
            as_html({"columns": ["change"], "rows": [["-0.5"]]}).split("</style>")[1]]
    assert not [text for text in seen if re.search(r"(?<!\w)-\d", text)] and "−0.5" in seen[0]
    assert seen[0].startswith("top-2 ") and "−2" in seen
    plt.close(ax.figure)


def test_an_output_holds_its_figure_for_both_themes_and_hides_the_dark_one_by_itself():
    ax = style.set_description(plt.subplots(figsize=(3, 2))[1], "Bars: 3 <of> them.")
    canvas = ax.figure.canvas
    data, about = style.as_output(ax.figure)
    assert ax.figure.canvas is canvas and about["image/png"]["alt"] == "Bars: 3 <of> them."
    shown = re.findall(r'moeviz-by-(\w+)" alt="([^"]*)" style="([^"]*)" src="data:[^,]*,([^"]*)"',
                       data["text/html"])
    assert [(name, alt, "display: none" in own) for name, alt, own, _ in shown] == [
        ("day", "Bars: 3 &lt;of&gt; them.", False), ("night", "Bars: 3 &lt;of&gt; them.", True)]
    day, night = (plt.imread(BytesIO(b64decode(png))) for *_, png in shown)
    assert shown[0][-1] == data["image/png"] and day.shape[:2] == night.shape[:2]
    assert day[0, 0, :3].tolist() == [1, 1, 1] and to_hex(night[0, 0]) == dark.GROUND
    plt.close(ax.figure)


def test_a_figure_of_the_readers_own_is_a_png_alone():
    figure = plt.subplots(figsize=(1, 1))[0]
    assert [*style.as_output(figure)[0]] == ["image/png"]
    plt.close(figure)

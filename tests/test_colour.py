"""Colour is never the only cue, and what is drawn can be seen: in grey, with colour blindness, on white."""

from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from moeviz import cluster, plots, style
from moeviz.plots import devices
from tools import colour

TEXT = ("text.color", "axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor")
GRAPHICS = ("axes.edgecolor", "xtick.color", "ytick.color", "hatch.color")
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
SEEN = 15  # a distance in CIELAB, where 2 can just be told apart side by side


def lab(colors):
    """Return the CIELAB values of sRGB colours (..., 3)."""
    share = colour.to_linear(colors) @ TO_XYZ.T / [0.9505, 1.0, 1.089]
    bent = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def rgb(colors):
    return np.array([to_rgb(color) for color in colors])


# --- the tool ---

@pytest.mark.parametrize("view", colour.MATRICES)
def test_grey_stays_what_it_is_in_every_view(view):
    greys = np.repeat(np.linspace(0, 1, 11)[:, None], 3, axis=1)
    assert np.allclose(colour.seen(greys, view), greys, atol=2e-3)


def test_red_and_green_look_alike_to_the_colour_blind_and_blue_and_yellow_do_not():
    red, green, blue, yellow = rgb(["#c05000", "#5f8000", "#0000ff", "#ffff00"])
    for view in ("protanopia", "deuteranopia"):
        plain, blind = (np.linalg.norm(np.subtract(*lab(pair)))
                        for pair in ([red, green], colour.seen([red, green], view)))
        assert blind < plain / 2
        assert np.linalg.norm(np.subtract(*lab(colour.seen([blue, yellow], view)))) > 100


def test_lightness_runs_from_black_to_white():
    assert colour.lightness(np.zeros(3)) == 0
    assert colour.lightness(np.ones(3)) == pytest.approx(100)
    assert colour.lightness(np.full(3, 0x77 / 255)) == pytest.approx(50, abs=0.5)


def test_a_sheet_is_written_for_every_picture(tmp_path):
    picture = tmp_path / "a.png"
    mpl.image.imsave(picture, np.random.default_rng(0).random((4, 6, 3)))
    assert colour.main([str(picture), str(tmp_path / "sheets")]) == 0
    assert mpl.image.imread(tmp_path / "sheets" / "a.png").shape[:2] == (8, 12)


# --- experts ---

@pytest.mark.parametrize("view", ["protanopia", "deuteranopia"])
def test_any_two_of_eight_experts_differ_to_the_colour_blind(view):
    seen = lab(colour.seen(rgb(style.expert_colors(8)), view))
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > SEEN


def test_more_experts_differ_in_lightness_from_the_next_but_one():
    light = colour.lightness(rgb(style.expert_colors(16)))
    assert (light[2:] - light[:-2] > 5).all()


# --- lines and bars without colour ---

def test_lines_of_different_colours_have_different_dashes():
    ax = plots.plot_curves([0, 1], {name: [0, 1] for name in "abcdefg"}, x_label="", y_label="")
    assert len({str(line._dash_pattern) for line in ax.lines}) == len(style.SERIES) == 7


def test_lines_of_one_colour_have_one_dash():
    ax = plots.plot_curves([0, 1], {"a": [0, 1], "b": [1, 2]}, x_label="", y_label="",
                           colors=dict.fromkeys("ab", "black"))
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-"]


def test_paths_of_the_map_of_entropies_have_different_dashes():
    paths = {name: np.full((2, 2), 0.5) for name in "ab"}
    first, second = plots.plot_entropy_map({}, paths=paths).lines
    assert first.get_linestyle() != second.get_linestyle()


@pytest.mark.parametrize("view", colour.MATRICES)
def test_what_a_device_does_differs_in_lightness_in_every_view(view):
    busy = [color for kind, (color, _) in devices.KINDS.items() if kind != "wait"]
    light = colour.lightness(colour.seen(rgb(busy), view))
    assert min(abs(one - other) for one, other in combinations(light, 2)) > SEEN
    ax = plots.plot_timeline(cluster.timeline(cluster.Phases([1.0, 0.5], [2.0, 1.0], [1.0, 0.5])))
    assert any(bar.get_hatch() for bar in ax.patches)


# --- contrast on white ---

def settings():
    file = Path(style.__file__).with_name("classroom.mplstyle")
    return mpl.rc_params_from_file(file, use_default_template=False)


def test_text_has_a_contrast_of_4_5_on_white():
    colors = [style.INK, style.MUTED, *(settings()[name] for name in TEXT)]
    assert min(style.contrast(color, "white") for color in colors) >= 4.5


def test_lines_and_frames_have_a_contrast_of_3_on_white():
    colors = [style.LINE, *style.SERIES, *(settings()[name] for name in GRAPHICS)]
    assert min(style.contrast(color, "white") for color in colors) >= 3


def test_dropped_and_waiting_have_hatches_with_a_contrast_of_3():
    patch = style.dropped_patch()
    assert style.contrast(patch["edgecolor"], patch["facecolor"]) >= 3


@pytest.mark.parametrize("color", [*style.OKABE_ITO, "white", "yellow"])
def test_a_colour_for_lines_on_white_is_kept_or_darkened(color):
    shade = style.on_white(color)
    assert style.contrast(shade, "white") >= 3
    assert (style.contrast(color, "white") < 3) == (shade != mpl.colors.to_hex(color))

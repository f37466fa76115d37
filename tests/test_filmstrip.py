"""Filmstrips: what they hold, what they refuse, and in Chromium how they move."""

import base64
import json
import re
from functools import cache
from html import unescape
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from cases import cases
from moeviz import dark, plots, style, widgets
from moeviz import filmstrip as films
from moeviz.widgets.balancing import draw_entropy
from moeviz.widgets.core import make_film
from tools import browser

pytestmark = pytest.mark.slow
FRAMES = [0.5, 0.7, 0.9]
NASTY = '</script><img src=x onerror="document.title=1">"\'&'
LOGITS = np.random.default_rng(1).normal(size=(24, 4))


def draw(share, width=4):
    ax = plt.subplots(figsize=(width, 2))[1]
    return plots.plot_load_film([[share, 1 - share]] * 10, ax=ax, title=f"share {share}")


def strip(**changes):
    options = {"captions": [f"share {share}" for share in FRAMES], "label": "share"} | changes
    return films.filmstrip(options.pop("plot", draw), options.pop("frames", FRAMES), **options)


@cache
def plain():
    """Return the page that most tests look at."""
    with plt.rc_context():
        return strip()


def frames_of(page):
    text = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)[1]
    return json.loads(text)


def pixels(source):
    return np.asarray(Image.open(BytesIO(base64.b64decode(source.partition("base64,")[2]))).convert("RGB"))


def first_image(page):
    return {name: unescape(value) for name, value in
            re.findall(r'(\w+)="([^"]*)"', re.search(r"<img [^>]*>", page)[0])}


def test_every_frame_has_its_picture_caption_and_alt_text():
    page = plain()
    frames, image = frames_of(page), first_image(page)
    assert [frame["caption"] for frame in frames] == ["share 0.5", "share 0.7", "share 0.9"]
    assert [frame["alt"] for frame in frames] == [style.describe(draw(share)) for share in FRAMES]
    shown = [pixels(frame["day"] or image["src"]) for frame in frames]
    assert {shot.shape for shot in shown} == {(int(image["height"]), int(image["width"]), 3)}
    assert (shown[0] != shown[1]).any() and (shown[1] != shown[2]).any()


def test_every_frame_has_its_words_and_tables_of_which_one_is_shown():
    page = strip(start=1)
    one = r'<div class="numbers"( hidden)?><p>(.*?)</p>(.*?)</table></div></div>'
    parts = re.findall(one, page, re.DOTALL)
    assert [bool(hidden) for hidden, _, _ in parts] == [True, False, True]
    assert [unescape(words) for _, words, _ in parts] == [style.describe(draw(share)) for share in FRAMES]
    assert [re.findall(r"<td>(.*?)</td>", table)[:2] for *_, table in parts] == [
        ["50", "50"], ["70", "30"], ["90", "10"]]
    assert page.count("<summary>In words and numbers</summary>") == 1


def test_without_scripts_the_start_frame_is_there_and_the_controls_are_not():
    page = strip(start=2)
    assert first_image(page)["alt"] == style.describe(draw(0.9))
    assert '<p class="caption" role="status">share 0.9</p>' in page
    assert '<div class="controls" hidden>' in page
    assert ('<input type="range" min="0" max="2" step="1" value="2" autocomplete="off" aria-label="share">'
            in page)
    assert [bool(frame["day"]) for frame in frames_of(page)] == [True, True, False]


def test_pixels_are_those_of_the_figure_but_for_rounding():
    figure = draw(0.7).figure
    figure.canvas.draw()
    expected = np.asarray(figure.canvas.buffer_rgba())[:, :, :3].astype(int)
    shown = pixels(first_image(strip(start=1))["src"]).astype(int)
    assert np.abs(shown - expected).max() <= 255 / films.SHADES / 2 + 1
    assert (shown == 255).any()  # white stays white: no seam against the card


def test_the_dark_form_of_a_frame_has_the_ground_of_its_page():
    night = re.search(r'<img class="by-night" src="([^"]+)"', plain())[1]
    assert to_hex(pixels(night)[0, 0] / 255) == dark.GROUND


def test_no_figure_is_left_open():
    strip()
    assert plt.get_fignums() == []


def test_smaller_figures_get_margins():
    page = strip(plot=lambda width: draw(0.5, width), frames=[4, 8], captions=["a", "b"])
    image = first_image(page)
    assert (image["width"], image["height"]) == ("800", "200")
    assert (pixels(image["src"])[:, 410:] == 255).all()


def test_texts_cannot_break_out():
    page = strip(captions=[NASTY] * 3, label=NASTY)
    assert page.count("</script>") == 2
    assert "<img src=x" not in page
    assert frames_of(page)[1]["caption"] == NASTY


def test_it_is_self_contained_and_small():
    page = plain()
    assert not re.search(r"https?:|//\w|@import|url\((?!\"\$)", re.sub(r"base64,[^\"]*", "", page))
    assert len(page.encode()) < films.MAX_BYTES
    assert not re.search(r'\bid="', page)
    assert page._repr_html_() == page


@cases(("changes", "message"), [
    ({"captions": ["one"]}, "captions must be one per frame, got 1 for 3"),
    ({"frames": [], "captions": []}, "captions must be one per frame"),
    ({"label": " "}, "label must say"),
    ({"start": 3}, "start must"),
])
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        strip(**changes)


def noise(seed, width=100, height=60):
    """Draw what no format makes smaller: five such frames fit into 200 kB, and nine do not."""
    ax = plt.figure(figsize=(width / 100, height / 100)).add_axes((0, 0, 1, 1))
    ax.imshow(np.random.default_rng(seed).random((height, width, 3)), aspect="auto")
    ax.set_axis_off()
    return style.set_description(ax, f"Noise {seed}.")


def test_what_is_too_large_is_refused_with_its_size():
    with pytest.raises(films.TooLargeError, match=r"make [\d,]+ bytes of HTML, more than 700,000"):
        strip(plot=lambda share: noise(int(10 * share), 400, 200))


def test_without_webp_a_png_is_written(monkeypatch):
    save = plt.imsave

    def refuse(file, shot, format, pil_kwargs):
        if format == "webp":
            raise KeyError("WEBP")
        save(file, shot, format=format, pil_kwargs=pil_kwargs)

    monkeypatch.setattr(plt, "imsave", refuse)
    kind, data = films.picture(np.full((3, 2, 4), 255, dtype=np.uint8))
    assert kind == "image/png"
    assert Image.open(BytesIO(data)).size == (2, 3)


@pytest.fixture
def page_edition(monkeypatch):
    monkeypatch.setenv("MOEVIZ_EDITION", "page")


def test_an_explorer_becomes_a_filmstrip_from_the_same_default(page_edition, monkeypatch):
    monkeypatch.setattr(widgets.core, "FRAMES", (3,))
    page = widgets.explore_entropy(LOGITS)
    assert plt.get_fignums() == []
    drawn = draw_entropy(LOGITS, temperature=1.0, push=0.0, expert=0, k=2)
    assert first_image(page)["alt"] == style.describe(drawn)
    assert {frame["caption"].partition(":")[0] for frame in frames_of(page)} == {"temperature"}
    assert "One control moves the point sideways only." in page


def test_a_page_has_a_film_for_each_control_that_can_be_moved(page_edition):
    drawn = []
    page = widgets.explore(lambda **values: drawn.append(values) or noise(0, 5, 5), caption="Try.", film="b",
                           a=ipywidgets.Text("x"), b=ipywidgets.IntSlider(1, 0, 9, description="b"),
                           c=ipywidgets.Dropdown(options=["one", "two"], description="c <"),
                           d=ipywidgets.FloatSlider(0, max=1, description="d"))
    open_one, *folded = page.split('<details class="more">')
    assert re.findall(r'type="range".*?aria-label="(.*?)"', open_one) == ["b"]
    control = r'<summary>Move instead: (.*?)</summary>.*type="range" min="0" max="(\d)"'
    assert [re.findall(control, each, re.DOTALL) for each in folded] == [[("c &lt;", "1")], [("d", "4")]]
    assert len(drawn) == 9 + (2 - 1) + (5 - 1)  # where all controls are at rest, once for all films


def film_of(control, plot=lambda x, other: noise(0, 5, 5)):
    return frames_of(make_film(plot, {"x": control, "other": ipywidgets.IntSlider(3, description="other")},
                               "x"))


@pytest.mark.parametrize(("control", "expected"), [
    (ipywidgets.IntSlider(4, 1, 5, description="k"), ["k: 1", "k: 2", "k: 3", "k: 4", "k: 5"]),
    (ipywidgets.FloatSlider(0.3, min=0, max=1, step=0.5, description="a"), ["a: 0", "a: 0.3", "a: 1"]),
    (ipywidgets.FloatLogSlider(1, min=-1, max=1, step=1, description="t"), ["t: 0.1", "t: 1", "t: 10"]),
    (ipywidgets.Dropdown(options=[("one", 1), ("two", 2)], description="n"), ["n: one", "n: two"]),
    (ipywidgets.SelectionSlider(options=[2, 4], description="n"), ["n: 2", "n: 4"]),
])
def test_stops_of_a_control(control, expected):
    assert [frame["caption"] for frame in film_of(control)] == expected


def test_stops_where_nothing_can_be_drawn_are_left_out():
    def plot(x, other):
        if x > 4:
            raise ValueError("more than there are")
        return noise(0, 5, 5)

    frames = film_of(ipywidgets.IntSlider(2, 0, 8, description="n"), plot)
    assert [frame["caption"] for frame in frames] == [f"n: {number}" for number in range(5)]
    assert [frame["day"] for frame in frames].index("") == 2
    with pytest.raises(ValueError, match="film must be"):
        widgets.explore(plot, caption="", film=["x"], x=ipywidgets.IntSlider(2))


def test_many_stops_are_thinned_and_the_default_stays():
    frames = film_of(ipywidgets.IntSlider(37, 0, 100, description="n"))
    captions = [frame["caption"] for frame in frames]
    assert len(captions) == 9
    assert {"n: 0", "n: 37", "n: 100"} <= set(captions)
    assert [frame["day"] for frame in frames].index("") == captions.index("n: 37")


def test_a_count_begins_at_0_and_goes_on_one_by_one():
    frames = film_of(ipywidgets.IntSlider(68, 0, 68, description="n"))
    assert [frame["caption"] for frame in frames] == [f"n: {number}" for number in (*range(23), 68)]
    assert frames[0]["day"] == ""  # the first one stands there from the beginning
    short = film_of(ipywidgets.IntSlider(3, 0, 3, description="n"))
    assert [frame["caption"] for frame in short] == ["n: 0", "n: 1", "n: 2", "n: 3"]


def test_a_film_that_is_too_large_gets_fewer_frames_and_draws_none_again(monkeypatch):
    monkeypatch.setattr(films, "MAX_BYTES", 200_000)
    drawn = []

    def plot(x, other):
        drawn.append(x)
        return noise(x)

    large = film_of(ipywidgets.IntSlider(30, 0, 30, description="n"), plot)
    assert [frame["caption"] for frame in large] == [f"n: {number}" for number in (*range(4), 30)]
    assert sorted(drawn) == [*range(8), 30]
    assert len(film_of(ipywidgets.IntSlider(0, 0, 100, description="n"), plot)) == 5
    monkeypatch.setattr(films, "MAX_BYTES", 20_000)
    with pytest.raises(ValueError, match="too large with 3 frames"):
        film_of(ipywidgets.IntSlider(0, 0, 100, description="n"), plot)


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    """Open two filmstrips in one page in Chromium."""
    file = tmp_path_factory.mktemp("film") / "film.html"
    with plt.rc_context():
        body = strip(start=1) + strip(captions=[NASTY] * 3, label="other")
    file.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>film</title><body>{body}',
                    encoding="utf-8")
    browser.needed()
    with browser.browse() as page:
        page.goto(file.as_uri())
        yield page


@pytest.mark.browser
class TestInChromium:
    def state(self, page, which=0):
        part = page.locator(".moeviz-filmstrip").nth(which)
        return (part.locator("input").input_value(), part.locator(".caption").inner_text(),
                part.locator("img.by-day").get_attribute("alt"), part.locator("img.by-day").bounding_box(),
                part.locator("img.by-day").get_attribute("src"))

    def test_slider_keys_and_buttons_change_picture_caption_and_alt_text(self, player):
        seen = [self.state(player)]
        other = self.state(player, 1)
        part = player.locator(".moeviz-filmstrip").first
        part.locator("input").focus()
        player.keyboard.press("ArrowRight")
        seen.append(self.state(player))
        part.get_by_role("button", name="Previous").click()
        part.get_by_role("button", name="Previous").click()
        seen.append(self.state(player))
        part.get_by_role("button", name="Previous").click()
        assert self.state(player) == seen[-1]
        part.get_by_role("button", name="Next").press("Enter")
        assert self.state(player) == seen[0]
        assert [place for place, *_ in seen] == ["1", "2", "0"]
        assert [caption for _, caption, *_ in seen] == ["share 0.7", "share 0.9", "share 0.5"]
        assert len({alt for _, _, alt, _, _ in seen}) == len({source for *_, source in seen}) == 3
        assert len({str(box) for *_, box, _ in seen}) == 1
        assert self.state(player, 1) == other

    def test_words_and_numbers_are_those_of_the_frame(self, player):
        part = player.locator(".moeviz-filmstrip").first
        part.get_by_text("In words and numbers").click()
        shown = []
        for place in "012":
            part.locator("input").fill(place)
            assert part.locator(".numbers:visible").count() == part.locator("table:visible").count() == 1
            assert part.locator(".numbers:visible p").inner_text() == self.state(player)[2]
            shown.append(part.locator("td:visible").first.inner_text())
        assert shown == ["50", "70", "90"]

    def test_a_nasty_caption_stays_a_text(self, player):
        assert self.state(player, 1)[1] == NASTY
        assert player.title() == "film"

    def test_nothing_plays_where_motion_is_unwelcome(self, player):
        play = player.locator(".moeviz-filmstrip").first.get_by_role("button", name="Play")
        assert play.is_visible()
        player.emulate_media(reduced_motion="reduce")
        play.wait_for(state="hidden")
        player.emulate_media(reduced_motion="no-preference")
        play.click()
        player.wait_for_function("document.querySelector('.moeviz-filmstrip input').value === '2'")


@pytest.mark.browser
def test_panels_that_stack_on_a_phone_are_all_on_one_scale(player):
    """Each filled the width that there is, so that a narrow panel had larger letters than its neighbour."""
    def side_by_side(share):
        axes = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(2, 1))[1]
        for ax in axes:
            ax.set_title("2 words")
            style.set_description(ax, "A line.")
        return axes

    with player.context.browser.new_page(viewport={"width": 400, "height": 900}) as page:
        page.set_content(f"<!DOCTYPE html>{strip(plot=side_by_side)}")
        scales = page.locator(".panels .by-day .row div").evaluate_all("""all => all.map(pane =>
            pane.clientWidth / parseFloat(pane.style.aspectRatio.split("/")[0]))""")
    assert len(scales) == 2 and scales[0] == pytest.approx(scales[1], rel=0.02)


def test_strips_of_other_widths_on_one_page_leave_each_other_alone():
    narrow, wide = (strip(plot=lambda share, width=width: draw(share, width)) for width in (4, 9))
    looks = [re.search("<style>(.*?)</style>", page, re.DOTALL)[1] for page in (narrow, wide)]
    assert looks[0] == looks[1]  # one style counts for all strips of a page
    assert "--whole: 400px" in narrow and "--whole: 900px" in wide


@cases("tint", ["#f6efe6", "#eef2f9", "#fbf9f7", "#f3f3f3"])
def test_a_pale_tint_keeps_its_hue(tint):
    pixels = np.full((2, 2, 4), 255, np.uint8)
    pixels[1, 1, :3] = [int(tint[at:at + 2], 16) for at in (1, 3, 5)]
    kept = np.asarray(Image.open(BytesIO(films.picture(pixels)[1])).convert("RGB"))[1, 1]
    assert np.abs(kept.astype(int) - pixels[1, 1, :3]).max() <= 2

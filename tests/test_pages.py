"""The whole course as pages: read as text, then opened in Chromium, heard, measured and lectured from.

The pages come from the runs that test_notebooks.py leaves. A browser goes through all of them once; the tests
look at what it saw.
"""

import itertools
import json
import re
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from accessible import IN_EACH_FORM, faults
from tools import browser, notebooks
from tools.site import build as builder
from tools.site.cards import CARDS, POINTS, card

pytestmark = [pytest.mark.notebook, pytest.mark.timeout(1200)]  # alone, this module runs every notebook
MAX_SITE, MAX_PAGE = 27_000_000, 2_500_000  # bytes
PHONE = 364  # pixels that a figure has on a page of 400
TEXTS = {"cards.html", "teaching.html"}  # pages without a notebook
SECONDS = 1.0  # from a click to a page that can be used, on a machine that does nothing else
WIDE = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
CUT_OFF = """() => [...document.querySelectorAll("main *")].filter(part => {
    if (!part.checkVisibility() || part.closest("svg, math, canvas, .sr, .heard, .still")) return false;
    const style = getComputedStyle(part);
    return style.overflowX === "hidden" && part.scrollWidth > part.clientWidth + 1;
}).map(part => part.outerHTML.slice(0, 200))"""
# of texts and formulas; a table of many numbers may scroll, and shows at its edge that it does
SCROLLS = """() => [...document.querySelectorAll("main .scroll, main .scroll td")].filter(part =>
    part.scrollWidth > part.clientWidth + 1 && part.checkVisibility()
    && !part.querySelector(".moeviz-table, figure"))
    .map(part => part.outerHTML.slice(0, 200))"""
FORMS_SHOWN = """[...new Set([...document.querySelectorAll(".by-day, .by-night")]
    .filter(part => part.checkVisibility()).map(part => part.className.match(/by-[a-z]+/)[0]))]"""
CLOSED = """[...document.querySelectorAll("main > .now details:not([open], .hint, .more)")].filter(
    each => each.checkVisibility() && !each.closest("figure, .solution, .moeviz-filmstrip, .moeviz-live"))
    .at(-1)"""
TOLD = f"""(() => {{
    const answer = {CLOSED};
    const after = part => answer.compareDocumentPosition(part) === Node.DOCUMENT_POSITION_FOLLOWING;
    return !answer ? [] : [...document.querySelectorAll("main > .now :is(table, pre, p)")]
        .filter(part => part.checkVisibility() && after(part))
        .map(part => part.outerHTML.slice(0, 120));
}})()"""
TOO_TALL = "document.documentElement.scrollHeight > innerHeight"
ON = """button => {  // opens what is closed, and goes on
    const said = document.querySelector(".said"), at = said.textContent;
    for (let press = 0; press < 9 && at === said.textContent; press++) button.click();
}"""
WORDS = """[...document.querySelectorAll("main > .now:not(.cell), main > .now > .part")]
    .filter(part => part.checkVisibility()).map(part => part.textContent.trim()).join(" ")"""
PICTURE = """[...document.querySelectorAll("main .now :is(img, .moeviz-live)")]
    .some(part => part.checkVisibility())"""
SMALL = """[...document.querySelectorAll("main .now img")].filter(part => part.checkVisibility())
.map(image => {
    const [wide, high] = ["width", "height"].map(side => Number(image.getAttribute(side)));
    const drawn = image.parentElement.querySelector("source")?.getAttribute("width") ?? wide;
    const letters = drawn * 9.5 / parseFloat(image.style.getPropertyValue("--least")) || 12 * 100 / 72;
    return [letters * Math.min(image.clientWidth / wide, image.clientHeight / high), image.alt.slice(0, 60)];
}).concat([...document.querySelectorAll("main .now .moeviz-live *")]
    .filter(part => part.checkVisibility() && !part.matches("svg *, math *, .heard, .heard *, option"))
    .filter(part => [...part.childNodes].some(
        node => node.nodeType === 3 && node.textContent.trim()))
    .map(part => [parseFloat(getComputedStyle(part).fontSize) * part.closest(".moeviz-live").style.zoom,
        part.outerHTML.slice(0, 80)]))
.filter(([size]) => size < 23.5)"""
ALONE = 85  # letters: a sentence that has no screen of its own where a picture follows
THROUGH = f"""() => {{  // to ask from outside at every step takes ten times as long
    const seen = {{steps: 1, asked: 0, told: [], tall: [], lonely: [], small: []}};
    const said = document.querySelector(".said");
    let words = "";
    const next = [...document.querySelectorAll(".lecture-bar button")][1];
    for (;; seen.steps++) {{
        seen.asked += Boolean({CLOSED});
        seen.told.push(...{TOLD});
        if ({TOO_TALL}) seen.tall.push(said.textContent);
        seen.small.push(...{SMALL});
        if ({PICTURE} && words) seen.lonely.push(words);
        words = !({PICTURE} || {CLOSED} || {WORDS}.length > {ALONE}) ? {WORDS} : "";
        if (next.disabled) return seen;
        ({ON})(next);
    }}
}}"""
ONE_QUESTION = ("08", "09", "14", "16", "21")  # all other notebooks ask more than one
LOADED = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
TALL_PICTURES = """() => document.documentElement.scrollHeight <= innerHeight ? [] :
    [...document.querySelectorAll("main .now :is(.moeviz-live, .moeviz-filmstrip)")].filter(part =>
    part.checkVisibility()).map(part => part.className)"""
AFTER_A_QUESTION = """() => {
    const folds = document.querySelectorAll("main > .cell.now > .part details:not([open], .more)");
    const closed = [...folds].find(part => part.checkVisibility()
        && !part.closest("figure, .moeviz-filmstrip, .moeviz-live"));
    return [...document.querySelectorAll("main > .now:not(.cell), main > .now > .part")].filter(part => closed
        && part.checkVisibility() && closed.compareDocumentPosition(part) & Node.DOCUMENT_POSITION_FOLLOWING)
        .map(part => part.outerHTML.slice(0, 120));
}"""
TEXT_SIZES = """() => [...document.querySelectorAll("main *, .lecture-bar *")].filter(part =>
    part.checkVisibility() && !part.closest("svg, math, sup, sub, .moeviz-live")
    && [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(part => [parseFloat(getComputedStyle(part).fontSize), part.outerHTML.slice(0, 120)])"""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the site once, from the runs that test_notebooks.py leaves."""
    folder = tmp_path_factory.mktemp("site")
    builder.build(folder)
    return folder


@pytest.fixture(scope="session")
def pages(site):
    """Return {name: HTML} of all pages."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(site.glob("*.html"))}


# ---- as text

def test_every_notebook_has_a_page_and_a_place_on_the_map(pages):
    stems = [path.stem for path in notebooks.paths()]
    assert set(pages) == {f"{stem}.html" for stem in stems} | TEXTS | {"index.html"}
    assert re.findall(r'<li class="of-\d"><a href="([^"]+)\.html"><img ', pages["index.html"]) == stems
    assert pages["index.html"].count(" minutes</p>") == len(stems)


def test_it_is_small(site, pages):
    assert builder.size(site) < MAX_SITE
    assert {name: len(text) for name, text in pages.items() if len(text.encode()) > MAX_PAGE} == {}


def test_every_picture_says_what_it_shows(pages):
    for name, text in pages.items():
        alts = re.findall(r'<img [^>]*\balt="([^"]*)"', text)
        assert len(alts) == text.count("<img ")
        if name != "index.html":  # there the title beside a picture says it
            assert [alt for alt in alts if len(alt) < 40 or not re.search(r"\d", alt)] == []


def test_every_picture_has_a_table_of_its_numbers(pages):
    for name, text in pages.items():
        figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
        frames = [part.partition("</details>")[0] for part in text.split('<div class="numbers"')[1:]]
        assert name in TEXTS | {"index.html"} or figures, name
        assert [each[:200] for each in (*figures, *frames) if "<td" not in each] == [], name
        assert not re.search(r"<th[^>]*>\s*</th>", text), name


def test_a_figure_fits_a_phone_with_letters_that_can_be_read(pages):
    """Parts I and II have figures that scroll there; a filmstrip's are held by test_explorer_frames.py."""
    wide = {name: [each for each in map(int, re.findall(r"--least: (\d+)px", text)) if each > PHONE]
            for name, text in pages.items() if "11" <= name[:2] <= "21"}
    assert len(wide) == 11 and {name: each for name, each in wide.items() if each} == {}


def test_one_title_and_no_skipped_level(pages):
    for name, text in pages.items():
        levels = [int(level) for level in re.findall(r"<h(\d)", text)]
        assert levels.count(1) == 1 and levels[0] == 1, name
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), name


def test_every_explorer_is_a_filmstrip(pages):
    for path in notebooks.paths():
        cells = notebooks.code_cells(notebooks.load(path))
        calls = sum(cell.source.count("widgets.explore_") for cell in cells)
        assert pages[f"{path.stem}.html"].count('class="moeviz-filmstrip"') >= calls
        assert "VBox(" not in pages[f"{path.stem}.html"]


def test_links_within_the_site_lead_somewhere(site, pages):
    ids = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
    for name, text in pages.items():
        for url in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"https?:|data:", url):
                continue
            place, _, part = unescape(url).partition("#")
            assert not place or (site / unquote(place)).is_file(), (name, url)
            assert not part or unquote(part) in ids[place or name], (name, url)


def test_nothing_is_loaded_from_elsewhere(pages):
    for text in pages.values():
        assert not re.search(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(?:https?:)?//', text)


def test_the_index_of_headings_is_whole(site, pages):
    text = (site / "headings.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("const HEADINGS = ").removesuffix(";\n"))
    assert len(entries) == sum(len(re.findall(r"<h[1-6] id=", text)) for text in pages.values())


def test_a_card_has_three_words_at_most_in_letters_for_a_card():
    stems = [path.stem for path in notebooks.paths()]
    assert {stem[:2] for stem in stems} <= set(CARDS)
    for stem in stems:
        texts = card(stem).axes[0].texts
        assert len([text for text in texts if len(text.get_text()) > 1]) <= 3, stem
        assert all(text.get_fontsize() >= POINTS == 20 for text in texts)


# ---- in a browser

@pytest.fixture(scope="module")
def chromium():
    """Open Chromium without a network; what was asked for is in `page.asked`."""
    browser.needed()
    with browser.browse(offline=True) as page:
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
        yield page


def open_page(page, site, name, width=1280, scheme="light"):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto((site / name).as_uri())


class Visit(NamedTuple):
    """What was seen of a page: at 1280 pixels in the light, and at 400 in the dark."""

    seconds: float  # until it could be used
    pictures: bool  # whether all were there
    serious: list  # what axe finds in each form
    too_wide: list  # pixels
    cut_off: list


@pytest.fixture(scope="module")
def visits(chromium, site, pages):
    """Go through all pages once and return {name: Visit}."""
    in_the_dark = {"index.html", "cards.html", *list(pages)[1:-1:9]}  # one file of colours serves all
    return {name: visit(chromium, site, name, both=name in in_the_dark) for name in pages}


def visit(page, site, name, both):
    """Look at a page in the light and, narrow, in the dark; `both` lets axe see it in the dark too."""
    open_page(page, site, name)
    seconds = page.evaluate(LOADED)
    for _ in range(2):  # the first visit warms the disk, and other programs may be busy
        if seconds > SECONDS:
            page.goto((site / name).as_uri())
            seconds = min(seconds, page.evaluate(LOADED))
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.evaluate("Promise.all([...document.images].map(image => image.decode().catch(() => null)))")
    pictures = page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    serious, wide, cut = axe(page), page.evaluate(WIDE), page.evaluate(CUT_OFF)
    page.set_viewport_size({"width": 400, "height": 900})
    page.emulate_media(color_scheme="dark")
    narrow, narrow_cut = page.evaluate(WIDE), page.evaluate(CUT_OFF) + page.evaluate(SCROLLS)
    serious += axe(page, IN_EACH_FORM) if both else []
    return Visit(seconds, pictures, serious, [wide, narrow], cut + narrow_cut)


def axe(page, rules=None):
    """Return what axe calls serious or critical on a page, [(rule, element), ...].

    `region` takes long, and what it finds is moderate.
    """
    return [(rule, element) for rule, impact, element in faults(page, rules, without=["region"])
            if impact in ("serious", "critical")]


@pytest.mark.browser
def test_no_page_asks_the_network_or_breaks(chromium, visits):
    assert {name for name, seen in visits.items() if not seen.pictures} == set()
    assert [url for url in chromium.asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert chromium.complaints == []
    with refused(chromium):  # the ear is open
        chromium.evaluate("fetch('http://example.org/x').catch(() => 0)")
    chromium.complaints.clear()


def refused(page):
    """Wait for the complaint that the page's policy refuses what is done within."""
    return page.expect_console_message(lambda said: "Content Security Policy" in said.text)


@pytest.mark.browser
def test_axe_finds_nothing_serious(visits):
    assert {name: seen.serious for name, seen in visits.items() if seen.serious} == {}


@pytest.mark.browser
def test_nothing_is_wider_than_its_page_or_cut_off(visits):
    assert {name: seen.too_wide for name, seen in visits.items() if max(seen.too_wide) > 0} == {}
    assert {name: seen.cut_off for name, seen in visits.items() if seen.cut_off} == {}


@pytest.mark.browser
def test_pages_are_ready_soon(visits):
    assert {name: seen.seconds for name, seen in visits.items() if seen.seconds > SECONDS} == {}


@pytest.mark.browser
def test_axe_does_find_what_is_wrong(chromium, tmp_path):
    bad = '<!DOCTYPE html><title>x</title><img src="data:,"><p style="color: #bbb">words to read'
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    open_page(chromium, tmp_path, "bad.html")
    assert {"image-alt", "color-contrast", "html-has-lang"} <= {rule for rule, _ in axe(chromium)}
    chromium.complaints.clear()


@pytest.mark.browser
@pytest.mark.parametrize("pale", ["color: #999", "background: #ddd; color: #777", "opacity: 0.4"])
def test_one_pale_text_among_many_is_found(chromium, pale):
    text = "<section><p>words to <b>read</b></section>"
    for odd, found in ((text, []), (text.replace("section", f"section style='{pale}'"), ["color-contrast"])):
        chromium.set_content(f"<!DOCTYPE html>{9 * text}{odd}{9 * text}")
        assert [rule for rule, _ in axe(chromium, IN_EACH_FORM)] == found


@pytest.mark.browser
def test_a_script_that_is_not_of_the_page_does_not_run(chromium, site):
    open_page(chromium, site, "02_gating_by_hand.html")
    with refused(chromium):
        chromium.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.foreign = true";
            document.body.append(script);
        }""")
    assert chromium.evaluate("window.foreign") is None
    chromium.complaints.clear()


@pytest.mark.browser
def test_search_finds_a_heading_and_goes_there(chromium, site):
    open_page(chromium, site, "index.html")
    chromium.get_by_label("Search headings").fill("limits toy capacity")
    hits = chromium.locator(".results a").count()
    assert chromium.locator(".search .count").inner_text() == f"{hits} found"
    chromium.keyboard.press("Enter")
    chromium.wait_for_url(re.compile(r"/06_capacity\.html#limits-of-this-toy$"))


@pytest.mark.browser
def test_the_theme_can_be_chosen_and_is_kept(chromium, site):
    ground = "getComputedStyle(document.body).backgroundColor"
    open_page(chromium, site, "index.html")
    light = chromium.evaluate(ground)
    chromium.get_by_role("button", name="Dark theme").click()
    dark = chromium.evaluate(ground)
    assert dark != light
    open_page(chromium, site, "00_start_here.html")
    assert chromium.evaluate(ground) == dark
    assert chromium.evaluate(FORMS_SHOWN) == ["by-night"]  # figures drawn for the dark
    chromium.get_by_role("button", name="Light theme").click()
    assert chromium.evaluate(ground) == light and chromium.evaluate(FORMS_SHOWN) == ["by-day"]


@pytest.mark.browser
def test_tables_of_words_take_the_width_of_a_phone(chromium):
    css = (builder.HERE / "assets" / "style.css").read_text(encoding="utf-8")
    words = "<td>a claim of several words that fill a line and more</td>"
    tables = "".join(f'<div class="scroll"><table><tr>{words * count}</tr></table></div>'
                     for count in (2, 3, 7))
    chromium.set_viewport_size({"width": 400, "height": 900})
    chromium.set_content(f"<!DOCTYPE html><style>{css}</style><main>{tables}</main>")
    room, *wide = chromium.evaluate("[document.querySelector('main'), ...document.querySelectorAll('table')]"
                                    ".map(each => Math.round(each.getBoundingClientRect().width))")
    assert wide == [room, room, room]  # the cells of seven columns stand below each other
    assert chromium.evaluate("document.documentElement.scrollWidth") == 400


@pytest.mark.browser
def test_panels_stack_on_a_narrow_page(chromium, site):
    wide, narrow = [], []
    for seen, width in ((wide, 1280), (narrow, 400)):
        open_page(chromium, site, "17_do_experts_specialise.html", width=width)
        picture = chromium.locator("picture.by-day:has(source) img").first
        picture.scroll_into_view_if_needed()
        picture.evaluate("image => image.decode()")
        seen.extend(picture.bounding_box()[side] for side in ("width", "height"))
    assert wide[0] > 900 > 380 > narrow[0] and narrow[1] / narrow[0] > 1.5 * wide[1] / wide[0]
    strip = chromium.locator(".stacks")
    assert strip.count() == 0 or strip.first.locator(".panels .by-day").count() > 1


@pytest.mark.browser
def test_the_first_tab_skips_to_the_content(chromium, site):
    open_page(chromium, site, "00_start_here.html")
    chromium.keyboard.press("Tab")
    assert chromium.evaluate("document.activeElement.className") == "skip"
    chromium.keyboard.press("Enter")
    assert chromium.evaluate("document.activeElement.id") == "content"


@pytest.mark.browser
def test_a_slider_moves_its_picture_in_the_page(chromium, site):
    open_page(chromium, site, "03_topk_noise_temperature.html")
    strip = chromium.locator(".moeviz-filmstrip").first
    before = strip.locator("img.by-day").get_attribute("src")
    strip.locator("input").press("ArrowLeft")
    assert strip.locator("img.by-day").get_attribute("src") != before


# ---- lecture and handout

@pytest.fixture
def lecture(chromium, site, request):
    """Open a page on a projector and press L: the one that a test asks for, or notebook 07's."""
    open_page(chromium, site, getattr(request, "param", "07_collapse.html"))
    chromium.set_viewport_size({"width": 1920, "height": 1080})
    chromium.keyboard.press("l")
    assert chromium.locator(".lecture-bar").is_visible()
    yield chromium
    chromium.emulate_media(media="screen")


def place(page):
    """Return the number of the step that is shown, and of how many."""
    return tuple(map(int, re.match(r"(\d+) of (\d+)", page.locator(".said").inner_text()).groups()))


@pytest.mark.browser
def test_a_lecture_goes_through_every_text_picture_and_question_once(lecture):
    number, steps = place(lecture)
    assert number == 1 and steps > 15
    wanted = lecture.evaluate("""() => [...document.querySelectorAll("main > *")].filter(part =>
        !part.matches(".elsewhere") && (!part.matches(".cell") || part.children.length > 1)).length""")
    shown, opened, small, tall, too_tall, early = set(), 0, [], [], [], []
    for _ in range(3 * steps):
        before = place(lecture)[0]
        shown |= set(lecture.evaluate("""() => [...document.querySelectorAll("main > *")].map((part, at) =>
            part.checkVisibility() ? at : -1)""")) - {-1}
        small += [each for each in lecture.evaluate(TEXT_SIZES) if each[0] < 24]
        early += lecture.evaluate(AFTER_A_QUESTION)
        picture = lecture.locator("main > .now img:visible")
        tall += [picture.first.bounding_box()["height"]] if picture.count() else []
        too_tall += lecture.evaluate(TALL_PICTURES)
        lecture.keyboard.press(" ")
        opened += place(lecture)[0] == before
        if before == steps and place(lecture)[0] == steps and not opened_one(lecture):
            break
    assert len(shown) == wanted
    assert opened >= 2  # answers, each with a press of its own
    assert small == [] and min(tall) > 600 and too_tall == [] and early == []
    for _ in range(2):
        lecture.keyboard.press("ArrowLeft")
    assert place(lecture)[0] == steps - 2
    assert axe(lecture) == []


@pytest.mark.browser
@pytest.mark.parametrize("lecture", ["02_gating_by_hand.html"], indirect=True)
def test_the_end_of_a_long_answer_is_seen(lecture):
    lecture.keyboard.press("End")
    for _ in range(place(lecture)[1]):
        if lecture.locator(".now", has_text="repair a router").count():
            break
        lecture.keyboard.press("ArrowLeft")
    lecture.keyboard.press(" ")
    box = lecture.locator("main > details.now[open]").bounding_box()
    assert 500 < box["y"] + box["height"] <= lecture.locator(".lecture-bar").bounding_box()["y"]


@pytest.mark.browser
@pytest.mark.parametrize(("lecture", "least"), [
    (f"{path.stem}.html", 1 if path.stem[:2] in ONE_QUESTION else 2) for path in notebooks.paths()],
    indirect=["lecture"])
def test_nothing_tells_an_answer_before_it_is_opened_and_all_fits_the_screen(lecture, least):
    seen = lecture.evaluate(THROUGH)
    assert seen["steps"] == place(lecture)[1] == place(lecture)[0]
    assert seen["asked"] >= least and seen["told"] == [] and seen["tall"] == []
    assert seen["lonely"] == [] and seen["small"] == []


@pytest.mark.browser
@pytest.mark.parametrize("lecture", ["18_routing_of_real_models.html", "21_bug_hunt.html"], indirect=True)
def test_an_opened_answer_fits_the_screen_with_its_question(lecture):
    opened, too_tall, steps = 0, [], place(lecture)[1]
    while place(lecture)[0] < steps:
        before = place(lecture)[0]
        lecture.keyboard.press(" ")
        opened += place(lecture)[0] == before
        too_tall += [place(lecture)] * lecture.evaluate(TOO_TALL)
    assert opened >= 5 and too_tall == []


ALL_STEPS = f"""() => {{
    const next = [...document.querySelectorAll(".lecture-bar button")][1], steps = [];
    for (;;) {{
        const parts = [...document.querySelectorAll("main > .now:not(.cell), main > .now > .part")];
        steps.push([parts.map(part => part.textContent.trim().slice(0, 9)), {PICTURE}, {WORDS}]);
        if (next.disabled) return steps;
        ({ON})(next);
    }}
}}"""


@pytest.mark.browser
@pytest.mark.parametrize(
    "lecture", ["01_dense_to_sparse.html", "09_balance_by_construction.html"], indirect=True)
def test_a_claim_stands_with_what_it_claims(lecture):
    steps = lecture.evaluate(ALL_STEPS)
    assert [words for starts, _, words in steps if all(each[0] == "✓" for each in starts)] == []


@pytest.mark.browser
@pytest.mark.parametrize("lecture", ["10_one_matrix_every_router.html"], indirect=True)
def test_answers_that_follow_each_other_stand_together(lecture):
    asked = [words.count("Guess, then open") for _, _, words in lecture.evaluate(ALL_STEPS)]
    assert max(asked) == 3 and sum(asked) == 4


@pytest.mark.browser
@pytest.mark.parametrize("lecture", ["02_gating_by_hand.html"], indirect=True)
def test_what_leads_to_a_picture_does_not_stand_below_the_one_before(lecture):
    steps = lecture.evaluate(ALL_STEPS)
    assert [picture for _, picture, words in steps if "same six steps on a byte" in words] == [False]


def opened_one(page):
    return page.locator("main > .now details:not([open]):not(.hint)").count() > 0


@pytest.mark.browser
def test_a_lecture_has_a_clock_and_an_end(lecture):
    assert re.match(r"0:0\d", lecture.locator(".clock").inner_text())
    for _ in range(12):
        lecture.keyboard.press("PageDown")
    lecture.keyboard.press("Escape")
    assert not lecture.locator(".lecture-bar").is_visible()
    assert lecture.evaluate("scrollY") > 1000  # where the lecture ended
    assert lecture.locator("main > *:visible").count() > 50


@pytest.mark.browser
def test_a_control_keeps_its_keys_in_a_lecture(lecture):
    for _ in range(place(lecture)[1]):
        if lecture.locator(".moeviz-live input:visible").count():
            break
        lecture.keyboard.press("PageDown")
    at, slider = place(lecture), lecture.locator(".moeviz-live input:visible").first
    before = slider.input_value()
    slider.press("ArrowLeft")
    assert slider.input_value() != before and place(lecture) == at
    slider.press("PageDown")
    assert place(lecture)[0] == at[0] + 1


@pytest.mark.browser
def test_a_handout_has_exercises_and_no_solutions(chromium, site):
    open_page(chromium, site, "07_collapse.html", scheme="dark")
    chromium.emulate_media(media="print")
    try:
        assert chromium.locator("h3", has_text="Level 1").first.is_visible()
        code = chromium.locator("details.solution .highlight")
        assert code.count() >= 3 and not any(code.nth(at).is_visible() for at in range(code.count()))
        assert not chromium.locator("details.hint").first.is_visible()
        asked = chromium.locator(".predict").first
        assert "Your guess" in asked.evaluate("e => getComputedStyle(e, '::after').content")
        assert not any(each.is_visible() for each in chromium.locator(".reveal, .reveal *").all())
        assert chromium.locator(".moeviz-live *").first.evaluate(
            "e => getComputedStyle(e).printColorAdjust") == "exact"
        assert chromium.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert chromium.evaluate(FORMS_SHOWN) == ["by-day"]
    finally:
        chromium.emulate_media(media="screen")


@pytest.mark.browser
@pytest.mark.parametrize("page", ["10_one_matrix_every_router.html", "21_bug_hunt.html"])
def test_all_readings_of_a_board_stand_beside_each_other(chromium, site, page):
    open_page(chromium, site, page)
    assert chromium.evaluate("""() => [...document.querySelectorAll(".more")]
        .filter(fold => !fold.closest("figure, .moeviz-filmstrip"))
        .map(fold => { fold.open = true; return fold.querySelector(".moeviz-table") })
        .map(table => table.scrollWidth - table.clientWidth)
        .every(excess => excess <= 1)""")

"""Live views in Chromium: every control by mouse, by keys and by touch; no request, no complaint."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb

import live_tools as tools
from cases import cases
from moeviz import live, tinylm, transformer
from moeviz.dark import partner
from moeviz.live import show
from moeviz.live.sentence import EXAMPLES, MAX_BYTES, clip
from moeviz.style import expert_colors
from tools.site.pages import HERE, make_map

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(show.HERE.glob("*/*.js"))
TEXT = "The router sends each byte to two experts: 3 + 4 = 7."
RNG = np.random.default_rng(0)
MOST = 1_200_000  # bytes of a page with the sentence
HEADS_THAT_TOUCH = """[...document.querySelectorAll('.heads')].flatMap(heads => {
    const boxes = [...heads.children].filter(head => head.textContent && head.checkVisibility()).map(head => {
        const range = document.createRange();
        range.selectNodeContents(head);
        return range.getBoundingClientRect();
    });
    const touching = boxes.slice(1).filter((box, at) => box.left < boxes[at].right + 3);
    return touching.map(box => box.left);
})"""

LETTERS = """[...document.querySelectorAll(".moeviz-live *")].filter(part =>
    part.checkVisibility() && !part.closest(".heard, .still, style, script")
    && [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(part => Math.round(10 * parseFloat(getComputedStyle(part).fontSize) * part.currentCSSZoom) / 10)"""


# ---- modules and pages

def test_modules_share_one_scope_without_a_clash():
    names = [name for path in MODULES for name in re.findall(
        r"^(?:export )?(?:async )?(?:function|const|class|let) (\w+)", path.read_text(), re.MULTILINE)]
    names = [name for name in names if name != "open"]  # each view has one, and no two views meet
    assert sorted(set(names)) == sorted(names)


def test_a_module_stands_once_and_after_what_it_needs():
    text = show.join("views/sentence.js")
    assert text.count("function softmax(") == text.count("function topKIndex(") == 1
    assert text.index("function softmax(") < text.index("function routeTopK(") < text.index("function open(")
    assert not re.search(r"^(import|export)\b", text, re.MULTILINE)


def test_every_import_is_understood():
    for path in MODULES:
        source = path.read_text()
        assert len(re.findall(r"^import\b", source, re.MULTILINE)) == len(show.IMPORT.findall(source)), path


def test_lines_can_be_read_without_scrolling():
    long = {f"{path.name}, line {number}" for path in MODULES
            for number, line in enumerate(path.read_text().splitlines(), start=1) if len(line) > 120}
    assert long == set()


def test_a_percentage_is_written_as_everywhere_without_a_space():
    assert [path.name for path in MODULES if re.search(r"\} %|\d %", path.read_text())] == []


def oxlint(*arguments):
    command = [Path(sys.executable).with_name("oxlint"), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_linter_finds_nothing():
    ran = oxlint("utils")
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("wrong", [
    "export const x = y;", "var x = 1;\nexport { x };", "export function f(a) { return a == 1; }",
    "export function f() {" + "\n  f();" * 30 + "\n}"])
def test_the_linter_finds_what_is_wrong(tmp_path, wrong):
    (tmp_path / "wrong.js").write_text(wrong)
    assert oxlint("-c", str(ROOT / ".oxlintrc.json"), str(tmp_path)).returncode == 1


@pytest.mark.slow
def test_the_sentence_is_one_page_without_addresses(stored):
    view = live.sentence(stored)
    assert len(view._repr_html_().encode()) < MOST
    bare = re.sub(r"base64,[^\"]*|\"weights\":\"[^\"]*\"|http://www.w3.org/2000/svg", "", str(view))
    assert not re.search(r"https?:|//\w|@import|url\(", bare)
    assert not re.search(r'\bid="', bare)
    assert plt.get_fignums() == []
    assert re.search(r'<img src="data:image/webp;base64,[^"]+" alt="[^"]{40,}"', str(view))
    assert str(live.sentence(stored)) == str(view)


def test_sentences_are_cut_between_characters():
    assert clip("é" * 101) == "é" * 100
    assert all(len(text.encode()) <= MAX_BYTES for text in EXAMPLES.values())


@cases(("changes", "message"), [
    ({"model": 7}, "model must be a TinyLM"), ({"start": ""}, "start must")])
def test_wrong_arguments_are_named(stored, changes, message):
    with pytest.raises(ValueError, match=message):
        live.sentence(**({"model": stored} | changes))


# ---- the sentence

@pytest.fixture(scope="module")
def opened(stored, tmp_path_factory):
    with plt.rc_context():
        view = live.sentence(stored, TEXT)
    with tools.opened(view, tmp_path_factory.mktemp("sentence")) as page:
        yield page


def read(page):
    tools.settle(page)
    figures = [page.locator(f".figures .{name}").inner_text() for name in ("loss", "was", "change")]
    return [float(text.replace("−", "-")) for text in figures]


def loads(page, layer=0):
    tools.settle(page)
    return [int(text) for text in page.locator(".layer").nth(layer).locator(".count").all_inner_texts()]


def call(page):
    tools.settle(page)
    return page.locator("code").inner_text()


@pytest.mark.browser
class TestSentence:
    def test_it_says_what_python_says(self, page, stored):
        assert read(page) == [pytest.approx(stored.loss(TEXT), abs=6e-4)] * 2 + [0.0]
        for layer, routed in enumerate(stored.route(TEXT)):
            assert loads(page, layer) == np.bincount(routed.expert_index.ravel(), minlength=8).tolist()
        assert call(page) == f'model.route("{TEXT}")'
        assert page.locator(".still").count() == 0

    def test_typing_changes_all_at_once(self, page, stored):
        field = page.get_by_label("Your sentence")
        field.press("End")
        field.press_sequentially(" é")
        assert read(page)[0] == pytest.approx(stored.loss(TEXT + " é"), abs=6e-4)
        assert page.locator(".tile:visible").count() == len(TEXT) + 3
        field.fill("")
        tools.settle(page)
        assert page.locator(".tile:visible").count() == 0
        field.fill("a" * 300)
        tools.settle(page)
        assert page.locator(".tile:visible").count() == MAX_BYTES
        assert page.get_by_text(f"cut at {MAX_BYTES} bytes").is_visible()

    def test_an_emptied_sentence_leaves_idle_experts_and_the_chances_of_a_first_byte(self, page, stored):
        page.get_by_label("capacity factor").press("Home")
        page.get_by_label("Your sentence").fill("")
        assert [loads(page, layer) for layer in (0, 1)] == [[0] * 8] * 2
        for kind in ("score", "weight"):
            assert {*page.locator(f".row .{kind}").all_inner_texts()} == {""}
        assert page.locator(".figures b:visible").all_inner_texts() == ["–"] * 3
        assert page.locator(".chances .title").inner_text() == "First byte"
        shown = [float(text) for text in page.locator(".chances li > span:last-child").all_inner_texts()]
        first = np.exp(-np.array([stored.losses(chr(byte))[0] for byte in range(128)]))
        assert shown == pytest.approx(np.sort(first)[::-1][:len(shown)], abs=6e-4)
        assert page.locator("code").is_hidden()

    def test_nothing_in_an_emptied_view_breaks_the_sentence_that_comes_next(self, page, stored):
        page.get_by_label("Your sentence").fill("")
        tools.settle(page)
        box = page.get_by_label("Bias of expert 3 of layer 1", exact=True).bounding_box()
        page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 8)
        page.get_by_role("switch", name="expert 6 of layer 1 is on").click()
        page.get_by_role("button", name="Light the bytes of expert 4 of layer 1").click()
        assert loads(page) == [0] * 8
        page.get_by_label("Your sentence").fill(TEXT)
        assert call(page) == f'model.route("{TEXT}", off={{1: [6]}})'
        wanted = tools.run(tools.in_double(stored), TEXT, off={1: [6]})
        assert read(page)[0] == pytest.approx(wanted.loss.mean(), abs=6e-4)

    def test_examples_can_be_picked(self, page, stored):
        for name, text in EXAMPLES.items():
            page.get_by_role("button", name=name, exact=True).click()
            assert read(page)[0] == pytest.approx(stored.loss(text), abs=6e-4)

    def test_a_tile_shows_its_way_under_pointer_finger_and_keys(self, page, stored):
        routed = stored.route(TEXT)[0]
        tiles, weights = page.locator(".tile"), page.locator(".layer").first.locator(".weight")

        def shown(at):
            tools.settle(page)
            wanted = {f"× {w:.2f}" for w in routed.combine_weight[at]}
            return {text for text in weights.all_inner_texts() if text} == wanted

        assert tiles.nth(3).get_attribute("aria-label").startswith("byte 4, space; layer 1: expert")
        tiles.nth(5).hover()
        assert shown(5)
        page.mouse.move(2, 2)
        assert shown(len(TEXT) - 1)
        tiles.nth(7).tap()
        assert shown(7)
        tiles.nth(7).focus()
        page.keyboard.press("ArrowRight")
        assert shown(8)
        page.keyboard.press("Home")
        assert shown(0)

    def test_an_expert_lights_its_bytes(self, page, stored):
        index = stored.route(TEXT)[0].expert_index
        badge = page.get_by_role("button", name="Light the bytes of expert 4 of layer 1")
        for act in (badge.hover, badge.focus, badge.click, badge.tap):
            act()
            tools.settle(page)
            assert page.locator(".block.first").count() == (index[:, 0] == 4).sum()
            assert page.locator(".block.second").count() == (index[:, 1] == 4).sum()
            page.mouse.move(2, 2)
            badge.blur()
            if act == badge.click:
                assert badge.get_attribute("aria-pressed") == "true"
                badge.click()
                page.mouse.move(2, 2)
                badge.blur()
            tools.settle(page)

    def test_sliders_and_lists_do_what_python_does(self, page, stored):
        exact = tools.in_double(stored)
        k = page.get_by_label("k", exact=True)
        k.press("ArrowRight")
        assert read(page)[0] == pytest.approx(tools.run(exact, TEXT, k=3).loss.mean(), abs=6e-4)
        page.get_by_label("temperature").press("ArrowLeft")
        page.get_by_label("capacity factor").press("Home")
        page.get_by_label("seats by").select_option("score")
        wanted = tools.run(exact, TEXT, k=3, temperature=0.89, capacity=0.25, order="score")
        assert read(page)[0] == pytest.approx(wanted.loss.mean(), abs=6e-4)
        assert call(page).endswith(', k=3, temperature=0.89, capacity=0.25, order="score")')
        dropped = sum((~routed.kept).sum() for routed in wanted.layers)
        assert page.locator(".figures .dropped").inner_text().startswith(f"{dropped} choices dropped")
        page.get_by_role("button", name="As trained").click()
        assert read(page)[2] == 0
        assert k.input_value() == "2"

    def test_a_load_follows_the_pointer(self, page):
        bar = page.get_by_label("Bias of expert 3 of layer 1", exact=True)
        box = bar.bounding_box()
        before = loads(page)
        page.mouse.move(box["x"] + 2, box["y"] + 8)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], box["y"] + 8, steps=5)
        page.mouse.up()
        after = loads(page)
        assert after[3] > before[3] and sum(after) == sum(before)
        grip = page.locator(".layer").first.locator(".grip").nth(3).bounding_box()
        assert grip["x"] + grip["width"] / 2 == pytest.approx(box["x"] + 0.75 * box["width"], abs=6)
        assert read(page)[2] != 0

    def test_a_load_follows_a_finger(self, page):
        bar = page.get_by_label("Bias of expert 5 of layer 2", exact=True)
        before, box = loads(page, 1), bar.bounding_box()
        page.touchscreen.tap(box["x"] + 0.9 * box["width"], box["y"] + 8)
        tapped = loads(page, 1)[5]
        assert tapped > before[5]
        tools.drag_by_finger(page, *((box["x"] + part * box["width"], box["y"] + 8) for part in (0.9, 0.6)))
        assert loads(page, 1)[5] < tapped

    def test_a_load_follows_keys(self, page, stored):
        bar = page.get_by_label("Bias of expert 3 of layer 1", exact=True)
        for _ in range(5):
            bar.press("ArrowRight")
        bar.press("PageUp")
        wanted = tools.run(tools.in_double(stored), TEXT, bias={1: [0, 0, 0, 0.15, 0, 0, 0, 0]})
        assert loads(page) == np.bincount(wanted.layers[0].expert_index.ravel(), minlength=8).tolist()
        assert bar.get_attribute("aria-valuenow") == "0.15"
        assert bar.get_attribute("aria-valuetext") == f"bias +0.150: {loads(page)[3]} choices"
        bar.press("Home")
        assert read(page)[2] == 0

    def test_experts_can_be_switched_off_but_not_all(self, page, stored):
        switch = page.get_by_role("switch", name="expert 6 of layer 1 is on")
        switch.press("Space")
        wanted = tools.run(tools.in_double(stored), TEXT, off={1: [6]})
        assert read(page)[0] == pytest.approx(wanted.loss.mean(), abs=6e-4)
        assert switch.get_attribute("aria-checked") == "false"
        switch.tap()
        assert read(page)[2] == 0
        for expert in range(8):
            page.get_by_role("switch", name=f"expert {expert} of layer 1 is on").click()
        assert page.get_by_role("switch", checked=True).count() == 9
        assert loads(page)[7] == len(TEXT)

    def test_the_line_does_the_same_in_a_cell(self, page, stored):
        page.get_by_label("k", exact=True).press("ArrowRight")
        page.get_by_role("switch", name="expert 6 of layer 2 is on").click()
        page.get_by_label("Bias of expert 3 of layer 1", exact=True).press("PageUp")
        page.get_by_label("capacity factor").press("Home")
        routed = eval(call(page), {"model": stored})
        for layer, each in enumerate(routed):
            assert loads(page, layer) == np.bincount(each.expert_index.ravel(), minlength=8).tolist()
        dropped = sum((~each.kept).sum() for each in routed)
        assert page.locator(".figures .dropped").inner_text().startswith(f"{dropped} choices dropped")

    def test_the_line_can_be_copied(self, page):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy as Python").click()
        page.get_by_role("button", name=re.compile("Copied|Marked")).wait_for()

    def test_the_line_quotes_what_python_reads(self, page):
        for text in ('a "b" \\ c', "tab\tnew\nline", "naïve 東京 \u2028 end"):
            page.get_by_label("Your sentence").fill(text)
            assert eval(call(page), {"model": type("M", (), {"route": staticmethod(str)})}) == text

    def test_listeners_hear_what_happened(self, page):
        heard = page.get_by_role("status")
        page.get_by_label("k", exact=True).press("ArrowLeft")
        page.wait_for_function("document.querySelector('.heard').textContent.includes('change')")
        assert re.match(r"Byte 53, \.; layer 1: expert \d \(1\.00\); layer 2: .*Loss \d\.\d+, change [+−]",
                        heard.inner_text())

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
    def test_axe_finds_nothing_and_the_page_fits(self, page, scheme, width):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_selector(f".moeviz-live[data-theme='{scheme}']")
        assert tools.violations(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Light the bytes of expert 4 of layer 1").click()
        page.get_by_label("capacity factor").press("Home")
        tools.settle(page)
        assert tools.violations(page) == {}

    def test_the_theme_is_that_of_the_page_around(self, page):
        page.evaluate("document.body.style.background = '#111'")
        page.wait_for_selector(".moeviz-live[data-theme='dark']")
        page.evaluate("document.body.dataset.jpThemeLight = 'true'")
        page.wait_for_selector(".moeviz-live[data-theme='light']")

    def test_experts_have_the_colours_that_figures_have_in_both_themes(self, page):
        experts, styles = range(8), "getComputedStyle(document.querySelector('.moeviz-live'))"
        for scheme, dressed in (("light", lambda color: color), ("dark", partner)):
            page.emulate_media(color_scheme=scheme)
            page.locator(f".moeviz-live[data-theme={scheme}]").wait_for()
            asked = [to_hex(dressed(to_rgb(color))) for color in expert_colors(8)]
            assert [page.evaluate(f"{styles}.getPropertyValue('--e{expert}')") for expert in experts] == asked
            black = "rgb(0, 0, 0)" if scheme == "light" else "rgb(236, 239, 242)"
            grounds = page.evaluate("""[...document.querySelectorAll('.block')].map(block =>
                getComputedStyle(block).backgroundImage).join()""")
            assert (black in grounds) and ("rgb(0, 0, 0)" in grounds) == (scheme == "light")
        page.emulate_media(color_scheme="light")

    @pytest.mark.parametrize("width", [265, 300, 370, 384, 388, 400, 440, 540, 780, 900, 1280])
    def test_headings_of_a_layer_stand_apart(self, page, width):
        page.set_viewport_size({"width": width, "height": 900})
        tools.settle(page)
        touching = page.evaluate(HEADS_THAT_TOUCH)
        page.locator(".tile").first.hover()
        weights = page.locator(".weight:not(:empty)").evaluate_all(
            "all => all.map(each => each.scrollWidth - each.clientWidth)")
        page.set_viewport_size({"width": 1280, "height": 900})
        assert touching == [] and len(weights) >= 2 and max(weights) <= 0  # none reaches into its ribbon

    def test_motion_is_little_where_little_is_wanted(self, page):
        duration = "getComputedStyle(document.querySelector('.switch'), '::after').transitionDuration"
        assert page.evaluate(duration) == "0s"
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(duration) != "0s"

    def test_no_key_leaves_and_nothing_is_asked_for(self, page):
        page.evaluate("window.keys = 0; document.addEventListener('keydown', () => { window.keys += 1; })")
        page.get_by_label("Your sentence").press("a")
        page.get_by_label("k", exact=True).press("ArrowRight")
        page.locator(".tile").first.press("b")
        assert page.evaluate("window.keys") == 0
        early = "'lmSuppressShortcuts' in document.activeElement.dataset"  # what Notebook 7 asks on capture
        assert page.evaluate(early)
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []


@pytest.fixture(scope="module")
def attentive(opened, tmp_path_factory):
    file = tools.write(live.sentence(transformer.load(), TEXT), tmp_path_factory.mktemp("transformer"))
    page, said = opened.context.browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    yield page
    assert said == []
    page.close()


@pytest.mark.browser
class TestTransformer:
    @pytest.fixture
    def page(self, attentive):
        attentive.emulate_media(color_scheme="light")
        attentive.set_viewport_size({"width": 1280, "height": 900})
        attentive.reload()
        return attentive

    def test_it_says_what_python_says(self, page):
        model = transformer.load()
        assert read(page) == [pytest.approx(model.loss(TEXT), abs=6e-4)] * 2 + [0.0]
        page.get_by_role("switch", name="expert 4 of layer 3 is on").click()
        page.get_by_label("capacity factor").press("Home")
        assert call(page) == f'model.route("{TEXT}", off={{3: [4]}}, capacity=0.25, order="choice")'
        routed = eval(call(page), {"model": model})
        for layer, each in enumerate(routed):
            assert loads(page, layer) == np.bincount(each.expert_index.ravel(), minlength=8).tolist()
        assert page.locator(".tile").first.locator(".block").count() == 3

    def test_attention_of_the_byte_under_the_pointer_is_drawn_and_said(self, page):
        at = 20
        looks = [block.looks[:, at].mean(axis=0) for block in transformer.load().trace(TEXT)]
        page.locator(".tile").nth(at).hover()
        tools.settle(page)
        heights = page.evaluate("""() => [...document.querySelectorAll(".tile")].map(tile =>
            [...tile.querySelectorAll(".look")].map(look => new DOMMatrix(look.style.transform).d))""")
        for layer, row in enumerate(looks):
            wanted = row / row.max()
            shown = np.where(wanted < 0.05, 0, wanted)
            np.testing.assert_allclose(np.array(heights)[:, layer], shown, atol=6e-3)
            words = f" at {row.argmax() + 1} ({row.max():.2f}) in layer {layer + 1}"
            assert words in page.locator(".tale").last.inner_text()
        page.get_by_role("button", name="Light the bytes of expert 4 of layer 2").click()
        tools.settle(page)
        flat = "[...document.querySelectorAll('.look')].every(look => look.style.transform === 'scaleY(0)')"
        assert page.evaluate(flat)

    @pytest.mark.parametrize(("width", "abreast"), [(1280, 2), (1400, 3), (1700, 3)])
    def test_layers_stand_abreast_where_there_is_room_and_headings_apart(self, page, width, abreast):
        page.set_viewport_size({"width": width, "height": 900})
        tools.settle(page)
        tops = [layer.bounding_box()["y"] for layer in page.locator(".layer").all()]
        assert tops.count(tops[0]) == abreast
        rows = {row.bounding_box()["y"] for row in page.locator(".chances li").all()}
        assert len(rows) == (1 if abreast == 3 else 8)
        assert page.evaluate(HEADS_THAT_TOUCH) == []

    def test_in_a_lecture_all_letters_have_24_pixels_and_the_view_fits_the_screen(self, page):
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.get_by_label("Your sentence").fill("The sum of 17 and 25 is 42.")  # that of notebook 16
        page.evaluate("document.documentElement.classList.add('lecture')")
        page.add_style_tag(content=".moeviz-live { zoom: 1.5; max-width: none !important; "
                                   "width: calc(1766px / 1.5) } body { margin: 0 }")
        tools.settle(page)
        assert [size for size in page.evaluate(LETTERS) if size < 24] == []
        assert page.locator(".moeviz-live").bounding_box()["height"] <= 1080 - 88  # the bar below it
        tops = {layer.bounding_box()["y"] for layer in page.locator(".layer").all()}
        assert len(tops) == 1 and page.evaluate(HEADS_THAT_TOUCH) == []

    def test_it_writes_on_until_it_is_told_to_stop_or_the_reader_types(self, page):
        writer = page.get_by_role("button", name="Write on")
        writer.click()
        page.wait_for_function(f"document.querySelectorAll('.tile:not([hidden])').length > {len(TEXT) + 3}")
        field = page.get_by_label("Your sentence")
        written = field.input_value()
        assert written.startswith(TEXT) and written.isascii()
        field.press("End")
        field.press("x")
        assert writer.get_attribute("aria-pressed") == "false"
        typed = field.input_value()
        page.wait_for_timeout(250)
        assert field.input_value() == typed

    @pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
    def test_axe_finds_nothing_and_the_page_fits(self, page, scheme, width):
        tools.assert_accessible(page, scheme, width)


@pytest.mark.browser
def test_without_scripts_the_figure_stands_there(stored, opened, tmp_path):
    page = opened.context.browser.new_page(java_script_enabled=False)
    page.goto(tools.write(live.sentence(stored), tmp_path).as_uri())
    assert page.locator(".moeviz-live img").is_visible()
    assert page.locator(".moeviz-live button").count() == 0
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("model", [
    tinylm.init(RNG, tinylm.Config(num_experts=12, k=3, layers=3, width=16, hidden=8)),
    transformer.init(RNG, transformer.Config(
        num_experts=12, k=3, layers=2, width=12, heads=2, hidden=6, context=9))],
    ids=["bytes", "transformer"])
def test_other_sizes_than_the_stored_models(model, opened, tmp_path):
    page = opened.context.browser.new_page()
    page.goto(tools.write(live.sentence(model, TEXT), tmp_path).as_uri())
    for layer, routed in enumerate(model.route(TEXT)):
        assert loads(page, layer) == np.bincount(routed.expert_index.ravel(), minlength=12).tolist()
    assert read(page)[0] == pytest.approx(model.loss(TEXT), abs=6e-4)
    page.close()


@pytest.mark.browser
def test_the_first_page_of_the_site_begins_with_typing(stored, opened, tmp_path):
    shutil.copytree(HERE / "assets", tmp_path, dirs_exist_ok=True)
    (tmp_path / "headings.js").write_text("const HEADINGS = [];")
    (tmp_path / "index.html").write_text(make_map([], {}), encoding="utf-8")
    page, said = opened.context.browser.new_page(viewport={"width": 400, "height": 800}), []
    page.on("console", lambda line: said.append(line.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_label("Your sentence").fill("My own text")
    assert read(page)[0] == pytest.approx(stored.loss("My own text"), abs=6e-4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert said == []
    assert tools.violations(page) == {}
    page.close()

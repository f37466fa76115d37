"""JupyterLab in Chromium: run all cells, type a sentence, move a slider, and see the figure change.

One small notebook holds one cell for every explorer of the package: each control moves, picture and numbers
follow, nothing complains.
"""

import re

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from accessible import faults
from tools import browser, explorers, notebooks

pytestmark = pytest.mark.browser
START = notebooks.NOTEBOOKS / "00_start_here.ipynb"
TEMPERATURE = notebooks.NOTEBOOKS / "03_topk_noise_temperature.ipynb"
EXPLORER = """import ipywidgets
import matplotlib.pyplot as plt


def redraw(text, height):
    plt.figure(figsize=(2, 2))
    plt.bar([0], [height])
    plt.title(text)
    plt.show()


ipywidgets.interact(redraw, text=ipywidgets.Text("one"), height=ipywidgets.IntSlider(3, 1, 9));"""
THEME = "name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: `JupyterLab ${name}`})"
NAMES = tuple(explorers.CELLS)
EXPLORERS = "explorers.ipynb"
OPEN_PATH = "window.jupyterapp.shell.currentWidget?.context?.path"
SAME_NUMBERS = {("capacity", 1)}  # the order changes who is dropped, not how many
LISTEN = """() => {
    window.moevizKernel = [];
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    kernel.iopubMessage.connect((_, message) => {
        const {msg_type} = message.header;
        const stderr = msg_type === "stream" && message.content.name === "stderr";
        const text = message.content.text || "";
        // the front end asks for this before anything has imported ipywidgets, in every notebook
        if (stderr && text.startsWith("No such comm")) return;
        if (stderr || msg_type === "error")
            window.moevizKernel.push(text || message.content.traceback.join("\\n"));
    });
}"""
EVALUATE = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const asked = kernel.requestExecute({code: "", silent: true, user_expressions: {value: code}});
    const {value} = (await asked.done).content.user_expressions;
    return value.status === "ok" ? value.data["text/plain"] : value.evalue;
}"""
WATCH_HEIGHT = """element => {
    window.moevizHeights = [];
    window.moevizObserver?.disconnect();
    window.moevizObserver = new ResizeObserver(
        entries => entries.forEach(entry => window.moevizHeights.push(entry.contentRect.height)));
    window.moevizObserver.observe(element);
}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve the course's notebooks and four small ones."""
    home = tmp_path_factory.mktemp("lab")
    small, broken = home / "small.ipynb", home / "broken.ipynb"
    filler = [new_markdown_cell("Scroll on.\n\n" * 30)]
    notebooks.save(new_notebook(cells=[*filler, new_code_cell(EXPLORER)], metadata=notebooks.METADATA), small)
    wrong = new_code_cell("import warnings\nwarnings.warn('beware')\n1 / 0")
    notebooks.save(new_notebook(cells=[wrong], metadata=notebooks.METADATA), broken)
    tabled, source = home / "tabled.ipynb", 'table({"name": ["short", "longer"], "value": [1.5, 20]})'
    shown = new_code_cell(f"from moeviz.exercises import table\n{source}")
    notebooks.save(new_notebook(cells=[shown], metadata=notebooks.METADATA), tabled)
    cells = [new_code_cell(source) for source in (explorers.SETUP, *explorers.CELLS.values())]
    notebooks.save(new_notebook(cells=cells, metadata=notebooks.METADATA), home / EXPLORERS)
    with browser.serve([*notebooks.paths(), small, broken, tabled, home / EXPLORERS], home) as running:
        yield running


@pytest.fixture(scope="module")
def page():
    """Open Chromium; without one the tests are skipped, but never where CI runs them."""
    browser.needed()
    with browser.browse() as opened:
        opened.said = []
        opened.on("console", lambda line: line.type == "error" and opened.said.append(line.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        yield opened


def open_and_run(page, lab, name):
    """Open a notebook, run all of it, and make sure that it did run and complained about nothing."""
    browser.open_notebook(page, lab, name)
    browser.run_all(page)
    assert not [mark for mark in browser.run_marks(page) if mark.strip() in ("[ ]:", "[*]:")]
    assert browser.errors(page) == []


def use(page, area, act):
    """Do something to the controls and return the figure before and after it."""
    before = browser.picture(area)
    act()
    return before, browser.wait_for_change(page, area, before)


def assert_outputs_accessible(page):
    """Hold what our cells show to axe; the handles of its sliders ipywidgets leaves without a name."""
    found = [(rule, element) for rule, impact, element in faults(page, within=".jp-OutputArea-output")
             if impact in ("serious", "critical")]
    assert [each for each in found if "noUi-handle" not in each[1]] == []


def pictures_seen(page):
    """Return the forms of figures that are shown, by their class."""
    shown = page.locator(".jp-OutputArea-output img[class^=moeviz]:visible")
    return set(shown.evaluate_all("images => images.map(image => image.className)"))


def type_sentence(area, sentence):
    box = area.locator("input[type=text]").first
    box.fill(sentence)
    box.press("Enter")


def move_slider(area):
    handle = area.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")


def test_a_small_explorer_follows_its_controls(page, lab, tmp_path):
    open_and_run(page, lab, "small.ipynb")
    area = browser.output_of(page, "ipywidgets.interact")
    _, typed = use(page, area, lambda: type_sentence(area, "two"))
    _, moved = use(page, area, lambda: move_slider(area))
    assert typed != moved
    with pytest.raises(TimeoutError, match="stayed"):
        browser.wait_for_change(page, area, moved, seconds=1)
    assert browser.errors(page) == []
    pictures = [path.read_bytes() for path in browser.shoot(page, tmp_path, "small")]
    assert len(set(pictures)) == len(pictures) >= 2


def test_errors_and_warnings_are_seen(page, lab):
    browser.open_notebook(page, lab, "broken.ipynb")
    browser.run_all(page)
    assert ["beware" in text or "ZeroDivisionError" in text for text in browser.errors(page)] == [True, True]


def test_words_of_a_table_stand_left_and_numbers_right(page, lab):
    open_and_run(page, lab, "tabled.ipynb")
    sides = page.locator(".moeviz-table tr").evaluate_all("""rows => rows.map(row =>
        [...row.children].map(cell => getComputedStyle(cell).textAlign))""")
    assert sides == [["left", "right"]] * 3


@pytest.mark.skipif(not START.is_file(), reason="notebook 00 is not there")
def test_a_live_sentence_is_routed_and_keeps_its_keys_and_a_guess_is_typed(page, lab):
    open_and_run(page, lab, START.name)
    area = browser.output_of(page, "live.sentence")
    field, cells = area.get_by_label("Your sentence"), page.locator(".jp-Cell").count()
    field.fill("Ein Satz: ")
    field.press_sequentially("42 aabb")
    area.locator(".tile:visible").nth(len("Ein Satz: 42 aabb") - 1).wait_for()  # drawn a frame later
    assert area.locator(".tile:visible").count() == len("Ein Satz: 42 aabb")
    bar = area.get_by_label("Bias of expert 3 of layer 1", exact=True)
    for key in ("ArrowRight", "a", "b", "d", "d", "ArrowRight"):
        bar.press(key)
    bar.press("ArrowRight")
    area.locator("[aria-label='Bias of expert 3 of layer 1'][aria-valuenow='0.03']").wait_for()
    assert page.locator(".jp-Cell").count() == cells
    page.get_by_label("Your guess").first.fill("two")
    page.get_by_label("Your guess").first.press("Tab")
    page.locator(".jp-CodeCell", has_text="reveal(guess, first.k)").click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("You said two, measured: 2. Right.").wait_for()
    alt = page.locator(".jp-CodeCell img").first.get_attribute("alt")
    assert len(alt) > 40 and page.get_by_text("In words and numbers").count() >= 4
    assert pictures_seen(page) == {"moeviz-by-day"}
    printed = page.locator("[data-mime-type='application/vnd.jupyter.stdout'] pre").first
    assert printed.evaluate("element => getComputedStyle(element).wordBreak") == "normal"
    assert_outputs_accessible(page)
    page.evaluate(THEME, "Dark")
    try:
        area.locator(".moeviz-live[data-theme='dark']").wait_for()
        assert pictures_seen(page) == {"moeviz-by-night"}
        assert_outputs_accessible(page)
    finally:
        page.evaluate(THEME, "Light")
    assert browser.errors(page) == []


@pytest.mark.skipif(not TEMPERATURE.is_file(), reason="notebook 03 is not there")
def test_a_slider_moves_the_temperature(page, lab):
    open_and_run(page, lab, TEMPERATURE.name)
    striped = """[...document.querySelectorAll(".moeviz-table tbody tr")].filter(row =>
        getComputedStyle(row).backgroundColor !== "rgba(0, 0, 0, 0)").length"""
    assert page.locator(".moeviz-table tbody tr").count() > 9 and page.evaluate(striped) == 0
    area = browser.output_of(page, "explore_temperature")
    use(page, area, lambda: move_slider(area))
    assert_outputs_accessible(page)
    page.evaluate(THEME, "Dark")
    try:
        area.locator("img.moeviz-by-night").wait_for()
        use(page, area, lambda: move_slider(area))
        assert pictures_seen(page) == {"moeviz-by-night"}
    finally:
        page.evaluate(THEME, "Light")
    assert browser.errors(page) == []


# ---- every explorer

@pytest.fixture
def explored(page, lab):
    """Give the page in which the notebook with all explorers has run; the first test runs it."""
    if page.url != "about:blank" and page.evaluate(OPEN_PATH) == EXPLORERS:
        return page
    page.said.clear()
    browser.open_notebook(page, lab, EXPLORERS)
    page.evaluate(LISTEN)
    browser.run_all(page)
    page.set_default_timeout(20_000)
    return page


def test_the_notebook_runs_without_a_complaint(explored):
    assert browser.errors(explored) == []
    assert complaints(explored) == []
    assert explored.locator(".jp-Cell-outputArea img:visible").count() == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_explorer_follows_each_of_its_controls(explored, name):
    said = complaints(explored)
    area = browser.output_of(explored, f"explore_{name}(")
    area.scroll_into_view_if_needed()
    picture = area.locator(".jp-OutputArea", has=explored.locator("img")).last
    controls = area.locator(".widget-inline-hbox:not(.widget-label)")
    assert 1 <= controls.count() <= 4
    tracks = area.locator(".noUi-base")
    assert all(tracks.nth(place).bounding_box()["width"] >= 120 for place in range(tracks.count()))
    picture.evaluate(WATCH_HEIGHT)
    for place in range(controls.count()):
        explored.evaluate(EVALUATE, "0")  # answered when the kernel has drawn what was asked before
        source, words = browser.picture(area), alt_of(area)
        move(controls.nth(place))
        browser.wait_for_change(explored, area, source)
        assert alt_of(area) != words
        assert numbers(alt_of(area)) != numbers(words) or (name, place) in SAME_NUMBERS
    explored.wait_for_timeout(50)
    heights = explored.evaluate("() => window.moevizHeights")
    assert max(heights) - min(heights) <= 2, f"the output jumps: {heights}"
    assert explored.evaluate(EVALUATE, "__import__('matplotlib.pyplot').pyplot.get_fignums()") == "[]"
    assert complaints(explored) == said


def complaints(page):
    """Return the errors of the browser's console and of the kernel so far."""
    return page.said + page.evaluate("() => window.moevizKernel") + browser.errors(page)


def alt_of(area):
    """Return the alt text of an output's figure."""
    return area.locator("img").first.get_attribute("alt")


def numbers(words):
    """Return the numbers in a text, in order."""
    return re.findall(r"\d[\d.,]*", words)


def move(control):
    """Move a slider five steps, a choice to the next one."""
    if control.locator("select").count():
        choice = control.locator("select")
        count = choice.locator("option").count()
        choice.select_option(index=(choice.evaluate("element => element.selectedIndex") + 1) % count)
    else:
        handle = control.locator(".noUi-handle")
        place = [handle.get_attribute(f"aria-value{word}") for word in ("now", "max")]
        handle.press("PageDown" if place[0] == place[1] else "PageUp")

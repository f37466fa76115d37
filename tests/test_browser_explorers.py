"""Every explorer in JupyterLab: each control moves, picture and numbers follow, nothing complains.

One small notebook holds one cell per explorer; it runs once, and the tests take the explorers in turn.
"""

import re

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from moeviz import widgets
from tools import browser, explorers, notebooks

NAMES = tuple(explorers.CELLS)
NAME = "explorers.ipynb"
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


def test_every_explorer_of_the_package_is_tried():
    exported = {name.removeprefix("explore_") for name in widgets.__all__ if name.startswith("explore_")}
    assert exported == set(NAMES)
    assert all(f"widgets.explore_{name}(" in cell for name, cell in explorers.CELLS.items())


def test_every_explorer_of_the_notebooks_is_tried():
    used = {name for path in notebooks.paths() for cell in notebooks.code_cells(notebooks.load(path))
            for name in re.findall(r"widgets\.explore_(\w+)\(", cell.source)}
    assert used <= set(NAMES)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Open the notebook with all explorers, run it, and listen to the browser's console and to the kernel."""
    browser.needed()
    home = tmp_path_factory.mktemp("explorers")
    cells = [new_code_cell(source) for source in (explorers.SETUP, *explorers.CELLS.values())]
    notebooks.save(new_notebook(cells=cells, metadata=notebooks.METADATA), home / NAME)
    with browser.serve([home / NAME], home) as lab, browser.browse() as opened:
        opened.said = []
        opened.on("console", lambda line: line.type == "error" and opened.said.append(line.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        browser.open_notebook(opened, lab, NAME)
        opened.evaluate(LISTEN)
        browser.run_all(opened)
        opened.set_default_timeout(20_000)
        yield opened


@pytest.mark.browser
def test_the_notebook_runs_without_a_complaint(page):
    assert browser.errors(page) == []
    assert complaints(page) == []
    assert page.locator(".jp-Cell-outputArea img").count() == len(NAMES)


@pytest.mark.browser
@pytest.mark.parametrize("name", NAMES)
def test_an_explorer_follows_each_of_its_controls(page, name):
    said = complaints(page)
    area = browser.output_of(page, f"explore_{name}(")
    area.scroll_into_view_if_needed()
    picture = area.locator(".jp-OutputArea", has=page.locator("img")).last
    controls = area.locator(".widget-inline-hbox:not(.widget-label)")
    assert 1 <= controls.count() <= 4
    tracks = area.locator(".noUi-base")
    assert all(tracks.nth(place).bounding_box()["width"] >= 120 for place in range(tracks.count()))
    picture.evaluate(WATCH_HEIGHT)
    for place in range(controls.count()):
        page.evaluate(EVALUATE, "0")  # answered when the kernel has drawn what was asked before
        source, words = browser.picture(area), alt_of(area)
        move(controls.nth(place))
        browser.wait_for_change(page, area, source)
        assert alt_of(area) != words
        assert numbers(alt_of(area)) != numbers(words) or (name, place) in SAME_NUMBERS
    page.wait_for_timeout(50)
    heights = page.evaluate("() => window.moevizHeights")
    assert max(heights) - min(heights) <= 2, f"the output jumps: {heights}"
    assert page.evaluate(EVALUATE, "__import__('matplotlib.pyplot').pyplot.get_fignums()") == "[]"
    assert complaints(page) == said


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

"""The site: small notebooks as pages, and the whole course opened in Chromium, heard and counted."""

import itertools
import json
import re
from html import unescape
from urllib.parse import unquote

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import browser, notebooks, runs
from tools.site import build as builder
from tools.site.__main__ import read_options
from tools.site.elsewhere import check_repository
from tools.site.markdown import PageRenderer, render
from tools.site.outputs import Figures, join_streams, show
from tools.site.pages import linker, opening

pytestmark = pytest.mark.timeout(1200)  # alone, this module runs every notebook
MAX_SITE, MAX_PAGE = 25_000_000, 2_500_000  # bytes
SECONDS = 1.0  # from a click to a page that can be used, on a machine that does nothing else
AXE = {"resultTypes": ["violations"], "selectors": False, "preload": False}
OPENING = ("# Watch it\n\n**Why so?**\n\n**Needs:** x.  \n**Minutes:** 35.  \n"
           "**Place:** Part II, load. After [x](a.ipynb).")


def html(source, link=lambda url: url):
    return render(source, PageRenderer(link))


# ---- markdown and outputs

def test_headings_get_ids_of_their_own():
    renderer = PageRenderer(lambda url: url)
    text = render("# One & two\n\n## Part `x`", renderer) + render("## Part x", renderer)
    assert re.findall(r'<h(\d) id="([^"]+)"', text) == [("1", "one-two"), ("2", "part-x"), ("2", "part-x-2")]
    assert [heading.text for heading in renderer.headings] == ["One & two", "Part x", "Part x"]


def test_math_becomes_mathml():
    text = html("Let $p_i = e^{x_i}$.\n\n$$\\sum_i p_i = 1$$\n")
    assert text.count("<math") == 2
    assert 'display="block"' in text
    assert "$" not in text


def test_solutions_stay_folded():
    text = html("<details><summary>Solution</summary>\n\n```python\nx = 1\n```\n\n</details>")
    assert re.search(r"<details><summary>Solution</summary>.*highlight.*</details>", text, re.DOTALL)
    assert "<details open" not in text


def test_links_lead_into_the_site(tmp_path):
    link = linker({"01_a"}, tmp_path)
    assert link("01_a.ipynb#part") == "01_a.html#part"
    assert link("02_gone.ipynb") is None
    assert link("https://example.org/x") == "https://example.org/x"
    assert link("#part") == "#part"
    assert link("../README.md") == "files/README.md"
    assert (tmp_path / "files" / "README.md").read_bytes() == (notebooks.ROOT / "README.md").read_bytes()
    assert link("../gone.md") is None
    assert html("[a](02_gone.ipynb)", link) == "<p>a</p>\n"


def test_no_file_outside_the_project_is_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.site.pages.ROOT", tmp_path / "project")
    (tmp_path / "project").mkdir()
    for place in ("secret.txt", "project/open.txt", "project/.git/config"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("x")
    (tmp_path / "project" / "out.txt").symlink_to(tmp_path / "secret.txt")
    link = linker(set(), tmp_path / "site")
    assert link("../../secret.txt") is link("../.git/config") is link("../out.txt") is None
    assert link("../open.txt") == "files/open.txt"
    assert [path.name for path in tmp_path.joinpath("site").rglob("*.txt")] == ["open.txt"]


def test_the_opening_is_read(tmp_path):
    read = opening(tmp_path / "05_x.ipynb", new_notebook(cells=[new_markdown_cell(OPENING)]))
    assert tuple(read) == ("05_x", "Watch it", "Why so?", "35", "Part II, load")


def test_outputs(tmp_path):
    prints = [new_output("stream", name=name, text=text) for name, text in
              [("stdout", "a<b\n"), ("stdout", "c\n"), ("stderr", "d")]]
    assert [show(each, None) for each in join_streams(prints)] == [
        '<pre class="printed stdout">a&lt;b\nc\n</pre>', '<pre class="printed stderr">d</pre>']
    sentence, row = "a sentence of words " * 3, "  1  2  3" * 9
    said = show(new_output("stream", text=f"{sentence}\n{row}"), None)
    assert said == f'<pre class="printed stdout"><span>{sentence}</span>\n{row}</pre>'
    plain = new_output("execute_result", {"text/plain": "<1>"})
    assert show(plain, None) == '<pre class="printed">&lt;1&gt;</pre>'
    assert show(new_output("display_data", {"text/html": "<b>", "text/plain": "x"}), None) == (
        '<div class="scroll"><b></div>')


# ---- links to Binder and to the source

def build_small(folder, monkeypatch, repository):
    """Build the site of one notebook without running it; return the texts of its pages."""
    path = folder / "00_a.ipynb"
    notebooks.save(new_notebook(cells=[new_markdown_cell(OPENING)], metadata=notebooks.METADATA), path)
    monkeypatch.setattr(builder, "run_all", lambda paths: [notebooks.load(path) for path in paths])
    builder.build(folder / "site", [path], repository=repository)
    return [(folder / "site" / name).read_text(encoding="utf-8") for name in ("00_a.html", "index.html")]


def test_pages_of_a_known_repository_link_to_binder_and_to_the_source(tmp_path, monkeypatch):
    for page in build_small(tmp_path, monkeypatch, "octo-cat/moe.viz"):
        assert re.findall(r'<a href="(https:[^"]+)">([^<]+)</a>', page) == [
            ("https://mybinder.org/v2/gh/octo-cat/moe.viz/HEAD?urlpath=lab/tree/notebooks/00_a.ipynb",
             "Run on Binder"),
            ("https://github.com/octo-cat/moe.viz/blob/HEAD/notebooks/00_a.ipynb", "View source")]


def test_pages_of_an_unknown_repository_link_nowhere(tmp_path, monkeypatch):
    for page in build_small(tmp_path, monkeypatch, ""):
        assert "https:" not in page and "elsewhere" not in page


@pytest.mark.parametrize("name", ["owner", "owner/", "/name", "a/b/c", "-a/b", "a/..", "a/.", "a b/c",
                                  "a/b\n", 'a/b"><script>', "a/b?x", "https://github.com/a/b", "ä/b"])
def test_no_other_name_is_taken_for_a_repository(name, tmp_path, capsys):
    with pytest.raises(ValueError, match="repository must be OWNER/NAME as on GitHub, got"):
        check_repository(name)
    with pytest.raises(SystemExit):
        read_options([f"--repository={name}"], {})
    assert "repository must be OWNER/NAME" in capsys.readouterr().err
    with pytest.raises(ValueError, match="OWNER/NAME"):
        builder.build(tmp_path / "site", [], repository=name)
    assert not (tmp_path / "site").exists()


def test_a_workflow_names_its_repository_and_the_command_line_another():
    there = {"GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "https://github.com"}
    assert read_options([], {}).repository == ""
    assert read_options([], there).repository == "a/b"
    assert read_options(["--repository", "c/d"], there).repository == "c/d"
    assert read_options([], {**there, "GITHUB_SERVER_URL": "https://git.example.org"}).repository == ""
    with pytest.raises(SystemExit):  # a folder would be emptied
        read_options(["notebooks"], {})


# ---- runs

def write(path, *cells):
    cells = [new_code_cell(cell) for cell in cells]
    notebooks.save(new_notebook(cells=cells, metadata=notebooks.METADATA), path)


@pytest.mark.notebook
def test_a_run_is_kept_until_something_changes(tmp_path):
    path, store = tmp_path / "00_a.ipynb", tmp_path / "runs"
    code = "import os, uuid\nprint(uuid.uuid4(), os.environ['MOEVIZ_EDITION'])"
    write(path, code)
    first, second = (notebooks.printed(runs.executed(path, store).cells[0]) for _ in range(2))
    assert first == second
    assert first.endswith("page\n")
    write(path, code, "1")
    assert notebooks.printed(runs.executed(path, store).cells[0]) != first
    assert [file.suffix for file in store.iterdir()] == [".ipynb"]


def test_a_lock_is_held_by_one_and_freed(tmp_path):
    lock = tmp_path / "x.lock"
    with runs.locked(lock):
        assert lock.exists()
    assert not lock.exists()
    lock.touch()
    runs.os.utime(lock, (0, 0))  # left behind long ago
    with runs.locked(lock):
        assert lock.stat().st_mtime > 0


@pytest.mark.notebook
def test_a_figure_has_alt_text_for_pages_and_for_notebooks_and_its_numbers(tmp_path):
    code = ("import numpy as np\nimport matplotlib.pyplot as plt\nfrom moeviz import plots, routing, style\n"
            "style.use()\nplots.plot_load(routing.top_k(np.eye(4), k=1));")
    done = notebooks.execute(new_notebook(cells=[new_code_cell(code), new_code_cell("plt.plot([1, 2]);")]))
    output, own = done.cells[0].outputs[0], done.cells[1].outputs[-1]
    alt = output.metadata["image/png"]["alt"]
    assert alt in unescape(output.data["text/html"])
    assert "25" in alt
    page = show(output, Figures(tmp_path))
    assert f'alt="{alt}"' in page and "<td>25</td>" in page
    assert {"image/png"} <= set(own.data) and "text/html" not in own.data  # a reader's own figure


# ---- the whole course

@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the site once, from the runs that test_notebooks.py leaves."""
    folder = tmp_path_factory.mktemp("site")
    builder.build(folder)
    return folder


@pytest.fixture(scope="session")
def pages(site):
    """Return {name: HTML} of the site."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(site.glob("*.html"))}


@pytest.mark.notebook
def test_every_notebook_has_a_page_and_a_place_on_the_map(pages):
    stems = [path.stem for path in notebooks.paths()]
    assert set(pages) == {f"{stem}.html" for stem in stems} | {"index.html"}
    assert re.findall(r'<li><a href="([^"]+)\.html">', pages["index.html"]) == stems
    assert pages["index.html"].count(" minutes</p>") == len(stems)


@pytest.mark.notebook
def test_it_is_small(site, pages):
    assert builder.size(site) < MAX_SITE
    assert {name: len(text) for name, text in pages.items() if len(text.encode()) > MAX_PAGE} == {}


@pytest.mark.notebook
def test_every_picture_says_what_it_shows(pages):
    for name, text in pages.items():
        alts = re.findall(r'<img [^>]*\balt="([^"]*)"', text)
        assert len(alts) == text.count("<img ")
        if name != "index.html":  # there the title beside a picture says it
            assert [alt for alt in alts if len(alt) < 40 or not re.search(r"\d", alt)] == []


@pytest.mark.notebook
def test_every_picture_has_a_table_of_its_numbers(pages):
    for name, text in pages.items():
        figures = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
        frames = [part.partition("</details>")[0] for part in text.split('<div class="numbers"')[1:]]
        assert name == "index.html" or (figures and frames), name
        assert [each[:200] for each in (*figures, *frames) if "<td>" not in each] == [], name
        assert not re.search(r"<th[^>]*>\s*</th>", text), name


@pytest.mark.notebook
def test_one_title_and_no_skipped_level(pages):
    for name, text in pages.items():
        levels = [int(level) for level in re.findall(r"<h(\d)", text)]
        assert levels.count(1) == 1 and levels[0] == 1, name
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), name


@pytest.mark.notebook
def test_every_explorer_is_a_filmstrip(pages):
    for path in notebooks.paths():
        cells = notebooks.code_cells(notebooks.load(path))
        calls = sum(cell.source.count("widgets.explore_") for cell in cells)
        assert pages[f"{path.stem}.html"].count('class="moeviz-filmstrip"') >= calls
        assert "VBox(" not in pages[f"{path.stem}.html"]


@pytest.mark.notebook
def test_links_within_the_site_lead_somewhere(site, pages):
    ids = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in pages.items()}
    for name, text in pages.items():
        for url in re.findall(r'(?:href|src)="([^"]+)"', text):
            if re.match(r"https?:|data:", url):
                continue
            place, _, part = unescape(url).partition("#")
            assert not place or (site / unquote(place)).is_file(), (name, url)
            assert not part or unquote(part) in ids[place or name], (name, url)


@pytest.mark.notebook
def test_nothing_is_loaded_from_elsewhere(pages):
    for text in pages.values():
        assert not re.search(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(?:https?:)?//', text)


@pytest.mark.notebook
def test_the_index_of_headings_is_whole(site, pages):
    text = (site / "headings.js").read_text(encoding="utf-8")
    entries = json.loads(text.removeprefix("const HEADINGS = ").removesuffix(";\n"))
    assert len(entries) == sum(len(re.findall(r"<h[1-6] id=", text)) for text in pages.values())


@pytest.fixture(scope="module")
def chromium():
    """Open Chromium with every address but files blocked; what was asked for is in `page.asked`."""
    browser.needed()
    with browser.browse() as page:
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
        page.route(re.compile(r"^(?!file:|data:)"), lambda route: route.abort())
        yield page


def open_page(page, site, name, width=1280, scheme="light"):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto((site / name).as_uri())


@pytest.mark.browser
def test_no_page_asks_the_network_or_breaks(chromium, site, pages):
    for name in pages:
        open_page(chromium, site, name)
        chromium.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        chromium.wait_for_function("[...document.images].every(image => image.complete)")
        assert chromium.evaluate("[...document.images].every(image => image.naturalWidth > 0)"), name
    assert [url for url in chromium.asked if not url.startswith(("file:", "data:"))] == []
    assert chromium.complaints == []
    chromium.evaluate("fetch('http://example.org/x').catch(() => 0)")
    assert chromium.asked[-1] == "http://example.org/x"  # the ear is open
    chromium.complaints.clear()


@pytest.mark.browser
def test_axe_finds_nothing_serious(chromium, site, pages):
    from axe_playwright_python.sync_playwright import Axe

    # the dark theme is one file of colours: three pages hold every kind of cell, output and table
    views = [(name, 1280, "light") for name in pages] + [(name, 400, "dark") for name in list(pages)[-3:]]
    found = {}
    for name, width, scheme in views:
        open_page(chromium, site, name, width, scheme)
        result = Axe().run(chromium, options=AXE).response["violations"]
        found.update({(name, scheme, each["id"]): each["nodes"][0]["html"] for each in result
                      if each["impact"] in ("serious", "critical")})
    assert found == {}


@pytest.mark.browser
def test_axe_does_find_what_is_wrong(chromium, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    bad = '<!DOCTYPE html><title>x</title><img src="data:,"><p style="color: #bbb">words to read'
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    open_page(chromium, tmp_path, "bad.html")
    names = {each["id"] for each in Axe().run(chromium).response["violations"]}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= names
    chromium.complaints.clear()


@pytest.mark.browser
def test_pages_fit_a_phone(chromium, site, pages):
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for name in pages:
        open_page(chromium, site, name, width=400)
        assert chromium.evaluate(wide) <= 0, name


@pytest.mark.browser
def test_pages_are_ready_soon(chromium, site, pages):
    """The first visit warms the disk; the page's own clock is read at the second."""
    slow = {}
    for name in pages:
        seconds = []
        for _ in range(3):
            open_page(chromium, site, name)
            seconds.append(chromium.evaluate("performance.getEntriesByType('navigation')[0]"
                                             ".domContentLoadedEventEnd / 1000"))
        slow[name] = min(seconds)
    assert {name: took for name, took in slow.items() if took > SECONDS} == {}


@pytest.mark.browser
def test_search_finds_a_heading_and_goes_there(chromium, site):
    open_page(chromium, site, "index.html")
    chromium.get_by_label("Search headings").fill("limits toy capacity")
    assert chromium.locator(".count").inner_text() == f"{chromium.locator('.results a').count()} found"
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
    chromium.get_by_role("button", name="Light theme").click()
    assert chromium.evaluate(ground) == light


@pytest.mark.browser
def test_the_first_tab_skips_to_the_content(chromium, site):
    open_page(chromium, site, "00_start_here.html")
    chromium.keyboard.press("Tab")
    assert chromium.evaluate("document.activeElement.className") == "skip"
    chromium.keyboard.press("Enter")
    assert chromium.evaluate("document.activeElement.id") == "content"


@pytest.mark.browser
def test_a_slider_moves_its_picture_in_the_page(chromium, site):
    open_page(chromium, site, "07_collapse.html")
    strip = chromium.locator(".moeviz-filmstrip").first
    before = strip.locator("img").get_attribute("src")
    strip.locator("input").press("ArrowLeft")
    assert strip.locator("img").get_attribute("src") != before

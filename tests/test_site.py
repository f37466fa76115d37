"""The site: small notebooks as pages, and the whole course opened in Chromium, heard and counted."""

import os
import re
import subprocess
import sys
import time
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cases import cases
from moeviz import dark
from moeviz.tables import as_html
from tools import browser, notebooks, runs
from tools.site import build as builder
from tools.site import edition
from tools.site.__main__ import read_options
from tools.site.elsewhere import check_repository
from tools.site.markdown import PageRenderer, mathml, render
from tools.site.outputs import Figures, join_streams, pixels_of, show, stacked
from tools.site.pages import Page, linker, make_map, make_text, opening, with_policy

pytestmark = pytest.mark.timeout(1200)  # alone, this module runs every notebook
MAX_SITE, MAX_PAGE = 25_000_000, 2_500_000  # bytes
SECONDS = 1.0  # from a click to a page that can be used, on a machine that does nothing else
AXE = {"resultTypes": ["violations"], "selectors": False, "preload": False}
OPENING = ("# Watch it\n\n**Why so?**\n\n**Needs:** x.  \n**Minutes:** 35.  \n"
           "**Place:** Part II, load. After [x](a.ipynb).")


def test_cells_of_tables_are_broken_between_words():
    """`anywhere` lets a column become as narrow as a letter: numbers stood upright on narrow screens."""
    css = (builder.HERE / "assets" / "style.css").read_text(encoding="utf-8")
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", css)
    cells = [body for names, body in rules if re.search(r"\bt[dh]\b", names)]
    assert cells and not [body for body in cells if "overflow-wrap: anywhere" in body]


def html(source, link=lambda url: url):
    return render(source, PageRenderer(link))


@pytest.mark.browser
def test_tables_of_five_and_six_columns_fit_a_phone():
    browser.needed()
    css = (builder.HERE / "assets" / "style.css").read_text(encoding="utf-8")
    seats = (["top-k, by", "MaxVio", "drops", "no expert", "captured", "leak"],
             ["choice", "0.086", "0.079", "0.000", "0.667", "0.285"])
    seeds = (["weights", "CV importance, by seed", "CV load, by seed", "published CVs", "FVU, by seed"],
             ["0.2, 0.0", "0.18, 0.28, 0.22", "0.17, 0.26, 0.26", "0.06, 0.17", "0.62, 0.72, 0.63"])
    shown = "".join(as_html({"columns": columns, "rows": [row]}) for columns, row in (seats, seeds))
    with browser.browse() as page:
        page.set_viewport_size({"width": 400, "height": 900})
        page.set_content(f"<!DOCTYPE html><style>{css}</style><main>{shown}</main>")
        wide = page.locator(".moeviz-table").evaluate_all(
            "all => all.map(each => each.scrollWidth - each.clientWidth)")
    assert wide == [0, 0]


# ---- markdown and outputs

def test_headings_get_ids_of_their_own():
    renderer = PageRenderer(lambda url: url)
    text = render("# One & two\n\n## Part `x`", renderer) + render("## Part x", renderer)
    assert re.findall(r'<h(\d) id="([^"]+)"', text) == [("1", "one-two"), ("2", "part-x"), ("2", "part-x-2")]
    assert [heading.text for heading in renderer.headings] == ["One & two", "Part x", "Part x"]


def test_planned_minutes_stand_beside_a_heading_and_not_in_its_name():
    renderer = PageRenderer(lambda url: url)
    text = render("## The rule · 5 min\n\n## A · 3 min walk", renderer)
    assert '<h2 id="the-rule" data-minutes="5"><span class="name">The rule</span> ' in text
    assert '<small class="minutes">5 min</small></h2>' in text
    assert [heading.text for heading in renderer.headings] == ["The rule", "A · 3 min walk"]


def test_functions_stand_apart_and_a_large_bracket_with_an_exponent_stays_large():
    assert re.findall(r"<mi>a</mi>(<mspace[^>]*>)<mi>tanh</mi>(<mspace[^>]*>)<mi>x", mathml(r"a \tanh x"))
    assert "<mspace" not in mathml(r"1 + \exp(x)")
    assert mathml(r"\log_2 x").index("</msub>") < mathml(r"\log_2 x").index("<mspace")
    assert '<msup><mrow><mo stretchy="true" minsize' in mathml(r"\Big(x\Big)^2")


def test_an_option_and_a_span_of_time_stay_in_one_line():
    table = "| 9-10 | 9:40-10:30 | well-kept |\n|--|--|--|\n| 1 | 2 | 3 |"
    text = html(f"Run `moeviz x --off` or `f(a-b)`.\n\n{table}")
    assert re.findall(r'<span class="whole">(.*?)</span>', text) == ["--off", "f(a-b)", "9-10", "9:40-10:30"]
    assert "<code>moeviz x <span" in text and ">well-kept</th>" in text


def test_a_short_part_of_a_name_never_stands_alone_on_a_line():
    text = html("# z-loss\n\nA top-2 gate, the k-th, GPT-4, E = 64, T × E, 2020 to 2022, Mixture-of-Experts, "
                "![top-1](x.png)")
    assert re.findall(r'<span class="whole">(.*?)</span>', text) == [
        "z-loss", "top-2", "k-th", "GPT-4", "E = 64", "T × E", "2020 to 2022"]
    assert 'alt="top-1"' in text
    assert '<span class="whole">K-EXAONE-236B-A23B</span>' in as_html({"columns": ["model"],
                                                                       "rows": [["K-EXAONE-236B-A23B"]]})


def test_a_cell_knows_the_words_above_its_column():
    text = html("| On | *One* & two |\n|--|--|\n| a | b |\n| c | d |")
    assert re.findall(r'<td role="cell" data-label="(.*?)">(.)', text) == [
        ("On", "a"), ("One &amp; two", "b"), ("On", "c"), ("One &amp; two", "d")]


def test_math_becomes_mathml():
    text = html("Let $p_i = e^{x_i}$.\n\n$$\\sum_i p_i = 1$$\n")
    assert text.count("<math") == 2
    assert 'display="block"' in text
    assert "$" not in text


def test_formulas_of_one_line_are_set_apart_so_that_they_stand_below_each_other_on_a_phone():
    assert html(r"$$f = a, \qquad g = b, \qquad h = c$$").count("<math") == 3
    assert html(r"$$\begin{cases} a = 1 & b = 2 \end{cases} \qquad\qquad c = d$$").count("<math") == 2
    assert html(r"$$a = \frac{b = c}{d} = f(g=1) = e$$").count("<math") == 3
    kept = (r"a = \frac{b \qquad c}{d}", r"\left( a \qquad b \right)",
            r"\begin{cases} a & b \qquad c \end{cases}")
    assert [html(f"$${formula}$$").count("<math") for formula in kept] == [1, 1, 1]


def test_solutions_stay_folded():
    text = html("<details><summary>Solution</summary>\n\n```python\nx = 1\n```\n\n</details>")
    assert re.search(r'<details class="solution"><summary>Solution</summary>.*highlight.*</details>', text,
                     re.DOTALL)
    assert html("<details><summary>Hint 2</summary>\n\nx\n\n</details>").startswith('<details class="hint">')
    assert html("<details><summary>More</summary>\n\nx\n\n</details>").startswith("<details>")
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
    waits = [show(new_output("stream", text=text), None) for text in
             ("f: not attempted yet\n", "suspect a: not named yet\nf: not attempted yet", "f: right\n", "")]
    assert ["waiting" in each for each in waits] == [True, True, False, False]  # a handout leaves them out
    plain = new_output("execute_result", {"text/plain": "<1>"})
    assert show(plain, None) == '<pre class="printed">&lt;1&gt;</pre>'
    assert show(new_output("display_data", {"text/html": "<b>", "text/plain": "x"}), None) == (
        '<div class="scroll"><b></div>')


def test_a_page_runs_its_own_scripts_and_asks_nobody():
    data = '<script type="application/json">1</script>'
    page = with_policy(f'<meta content="@policy@"><script>go()</script>{data}')
    assert page.count("sha256-") == 1 and "default-src 'none'" in page and "connect-src" not in page
    assert with_policy('<meta content="@policy@"><script>other()</script>') != page


# ---- links to Binder and to the source

def build_small(folder, monkeypatch, repository):
    """Build the site of one notebook without running it; return the texts of its pages."""
    path = folder / "00_a.ipynb"
    notebooks.save(new_notebook(cells=[new_markdown_cell(OPENING)], metadata=notebooks.METADATA), path)
    monkeypatch.setattr(builder, "run_all", lambda paths: [notebooks.load(path) for path in paths])
    builder.build(folder / "site", [path], repository=repository)
    return [(folder / "site" / name).read_text(encoding="utf-8") for name in ("00_a.html", "index.html")]


@pytest.mark.slow
def test_pages_of_a_known_repository_link_to_binder_and_to_the_source(tmp_path, monkeypatch):
    for page in build_small(tmp_path, monkeypatch, "octo-cat/moe.viz"):
        assert re.findall(r'<a href="(https:[^"]+)">([^<]+)</a>', page) == [
            ("https://mybinder.org/v2/gh/octo-cat/moe.viz/HEAD?urlpath=lab/tree/notebooks/00_a.ipynb",
             "Run on Binder"),
            ("https://github.com/octo-cat/moe.viz/blob/HEAD/notebooks/00_a.ipynb", "View source")]


def test_the_teachers_page_is_on_the_map_and_folds_its_answers(tmp_path, monkeypatch):
    build_small(tmp_path, monkeypatch, "")
    page = (tmp_path / "site" / "teaching.html").read_text(encoding="utf-8")
    assert page.count("<h1") == 1 and page.count("<details>") >= 15 and "<table" in page
    assert "Content-Security-Policy" in page and "@policy@" not in page
    assert '<a href="teaching.html">Teaching with these notebooks</a>' in (
        tmp_path / "site" / "index.html").read_text(encoding="utf-8")


def text_page(path, notebook):
    """Return the page of a notebook's text alone, which is made sooner."""
    renderer = PageRenderer(lambda url: url)
    html = "".join(render(cell.source, renderer) for cell in notebooks.markdown_cells(notebook))
    return Page(opening(path, notebook), html, renderer.headings, "")


@pytest.mark.slow
def test_the_cards_are_a_page_whose_entries_lead_to_their_sections(tmp_path):
    course = [notebooks.load(path) for path in notebooks.paths()]
    pages = {path.stem: text_page(path, each) for path, each in zip(notebooks.paths(), course, strict=True)}
    texts = builder.make_texts(course, list(pages.values()), tmp_path)
    page = make_text(texts[0], texts)
    entries = [row for row in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL) if "<math" in row]
    assert len(entries) >= 37 and all(".html#" in row for row in entries)
    links = re.findall(r'<a href="(\d\d_\w+)\.html#([^"]+)"', page)
    assert [link for link in links if f'id="{link[1]}"' not in pages[link[0]].html] == []
    assert ("06_capacity", "how-many-seats") in links and ("00_start_here", "symbols") not in links
    for other in (make_text(texts[1], texts), make_map([], {}, texts)):
        assert '<a href="cards.html">Symbols, formulas and words</a>' in other


@pytest.mark.slow
def test_pages_of_an_unknown_repository_link_nowhere(tmp_path, monkeypatch):
    for page in build_small(tmp_path, monkeypatch, ""):
        assert "https:" not in page and "elsewhere" not in page


@cases("name", ["owner", "owner/", "/name", "a/b/c", "-a/b", "a/..", "a/.", "a b/c",
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


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell whether a process lives without ending it")
def test_a_lock_of_a_process_that_is_gone_holds_nobody_up(tmp_path):
    lock = tmp_path / "x.lock"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.write_text(str(gone.pid))
    start = time.monotonic()
    with runs.locked(lock):
        assert lock.read_text() == str(os.getpid())
    assert time.monotonic() - start < 5


PLOT = """import numpy as np
import matplotlib.pyplot as plt
from moeviz import plots, routing, style
style.use()
axes = plt.subplots(1, 2, figsize=(9, 3), layout=style.Layout())[1]
for ax in axes:
    plots.plot_load(routing.top_k(np.eye(4), k=1), ax=ax, compact=True);"""
OWN = """drawings, draw = [], plt.Figure.draw
plt.Figure.draw = lambda *given: drawings.append(draw(*given))
plt.plot([1, 2]);"""


@pytest.mark.notebook
def test_a_figure_has_alt_text_its_numbers_a_dark_form_and_panels_that_stack(tmp_path):
    cells = [new_code_cell(PLOT), new_code_cell(OWN), new_code_cell("print(len(drawings))")]
    done = notebooks.execute(new_notebook(cells=cells), **runs.for_pages())
    output, own = done.cells[0].outputs[0], done.cells[1].outputs[-1]
    about = output.metadata["image/png"]
    assert about["alt"] in unescape(output.data["text/html"]) and "25" in about["alt"]
    page = show(output, Figures(tmp_path))
    assert page.count(f'alt="{about["alt"]}"') == 2 and "<td>25</td>" in page
    assert re.findall(r'<picture class="([^"]+)"><source media="\(max-width: 700px\)"', page) == [
        "by-day", "by-night"]
    day, night = (pixels_of(png) for png in (output.data["image/png"], about["dark"]))
    assert day.shape == night.shape and day[0, 0, 0] == 255 and to_hex(night[0, 0] / 255) == dark.GROUND
    stack = stacked(day, about["panels"])
    assert len(about["panels"]) == 2 and stack.shape[1] < 0.6 * day.shape[1]
    assert len(stack) > 1.5 * day.shape[0]
    assert about["seen"]["same"] and about["seen"]["width"] == day.shape[1] <= 900
    assert {"image/png"} <= set(own.data) and "text/html" not in own.data  # a reader's own figure
    assert "by-night" not in show(own, Figures(tmp_path))
    assert notebooks.printed(done.cells[2]) == "2\n"  # to measure it and to save it, no third time


def test_panels_of_one_column_never_stand_abreast():
    pixels, columns = np.zeros((50, 90, 4), np.uint8), [[0, 0, 40, 20], [0, 30, 40, 50], [50, 0, 90, 20]]
    assert stacked(pixels, columns, room=1000).shape[1] < 60
    assert stacked(pixels, columns[::2], room=1000).shape[1] > 60


def test_pictures_of_films_become_files(tmp_path):
    source = "data:image/webp;base64,UklGRg=="
    film = new_output("display_data", {"text/html": f'<img src="{source}"><script>["{source}"]</script>'})
    page = show(film, Figures(tmp_path))
    address, again = re.findall(r'"(images/\w+\.webp)"', page)
    assert address == again and (tmp_path / address).read_bytes() == b"RIFF" and "data:" not in page


def test_labels_stand_before_a_panel_that_has_none():
    pixels = np.zeros((20, 90, 4), np.uint8)
    pixels[:, 2:9] = 7
    plain, named = (stacked(pixels, [[0, 0, 40, 20], [50, 0, 90, 20]], labels)
                    for labels in (None, [None, [0, 0, 10, 20]]))
    assert named.shape[1] == plain.shape[1] + 10 and len(named) == len(plain)
    assert (named[20:, 2:9] == 7).all() and not (plain[20:, 2:9] == 7).any()


def test_a_figure_of_one_panel_has_a_narrow_form(tmp_path):
    source = PLOT.partition("axes = ")[0] + ("plots.plot_load(routing.top_k(np.eye(8), k=1))\n"
                                             "plots.plot_text(routing.top_k(np.eye(4)[[0] * 40]), 'a' * 40);")
    done = notebooks.execute(new_notebook(cells=[new_code_cell(source)]), **runs.for_pages())
    for output in done.cells[0].outputs:
        about, wide = output.metadata["image/png"], pixels_of(output.data["image/png"])
        day, night = (pixels_of(about["narrow"][form]) for form in ("day", "dark"))
        assert day.shape == night.shape and day.shape[1] < 700 < wide.shape[1]
        assert to_hex(night[0, 0] / 255) == dark.GROUND
        page = show(output, Figures(tmp_path))
        assert page.count(f'width="{day.shape[1]}" height="{day.shape[0]}"') == 2


def test_a_figure_that_moves_between_two_saves_is_seen():
    class Drifting(plt.Line2D):
        def draw(self, renderer):
            self.set_ydata([self.get_ydata()[0] + 0.1, 0.5])
            super().draw(renderer)

    found = []
    for line in (plt.Line2D, Drifting):
        figure = plt.figure(figsize=(2, 2))
        figure.add_axes((0, 0, 1, 1)).add_artist(line([0, 1], [0, 0.5]))
        found.append(edition.looks(figure, edition.both(figure)["day"])["same"])
        plt.close(figure)
    assert found == [True, False]

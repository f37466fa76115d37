"""Builds the site: runs the notebooks, makes a page of each, a map of all, and an index of their headings."""

import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

from tools import folders, notebooks, runs
from tools.site import formulas
from tools.site.elsewhere import check_repository, elsewhere
from tools.site.outputs import Figures
from tools.site.pages import HERE, ROOT, linker, make_map, make_page, make_text, opening, read_text

WORKERS = 2


def build(site, paths=None, repository=""):
    """Write the site beside a folder, then put it in the folder's place; return its pages.

    paths: of notebooks; all of the course by default. repository: "OWNER/NAME" on GitHub, if pages are to
    link there and to Binder. Raises what the first failing notebook raises, and ValueError for a folder that
    holds anything but an older site.
    """
    check_repository(repository)
    folders.check_target(site)
    paths = list(paths or notebooks.paths())
    done = run_all(paths)
    openings = [opening(path, notebook) for path, notebook in zip(paths, done, strict=True)]
    with folders.replaced(site) as folder:
        return write_pages(folder, done, openings, repository, texts=True)


def write_pages(site, done, openings, repository, texts=False):
    """Write a page for each executed notebook, the map and what they need; return the notebooks' pages.

    texts: whether the cards and the teachers' page become pages too.
    """
    figures, link = Figures(site), linker({each.stem for each in openings}, site)
    pages = [make_page(notebook, openings, place, link, figures, elsewhere(repository, openings[place].stem))
             for place, notebook in enumerate(done)]
    for page in pages:
        write(site / f"{page.opening.stem}.html", page.html)
    others = make_texts(done, pages, site) if texts else []
    for text in others:
        write(site / text.address, make_text(text, others))
    write(site / "index.html", make_map(pages, elsewhere(repository, openings[0].stem), others))
    # a script, because a page opened as a file may not fetch anything
    write(site / "headings.js", f"const HEADINGS = {json.dumps(index(pages, others), ensure_ascii=False)};\n")
    write(site / ".nojekyll", "")
    shutil.copytree(HERE / "assets", site, dirs_exist_ok=True)
    return pages


def make_texts(done, pages, site):
    """Return the pages without a notebook: the cards, where a notebook has some, and the teachers' page."""
    stems = {page.opening.stem for page in pages}
    cards, teaching = formulas.make_cards(done, pages), (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    found = [read_text(formulas.ADDRESS, cards, linker(stems, site))] if cards else []
    return [*found, read_text("teaching.html", teaching, linker(stems, site, folder=""))]


def run_all(paths):
    """Return the executed notebooks, run two at a time, from the end: the tests begin at the front."""
    with warnings.catch_warnings(), ThreadPoolExecutor(WORKERS) as pool:
        warnings.simplefilter("ignore")  # for both threads, as execute() does for each run
        return list(pool.map(runs.executed, reversed(paths)))[::-1]


def index(pages, texts):
    """Return [address, heading, title of the page] of every heading."""
    whole = [(f"{page.opening.stem}.html", page.opening.title, page.headings) for page in pages]
    whole += [(text.address, text.title, text.headings) for text in texts]
    return [[f"{address}#{heading.name}", heading.text, title]
            for address, title, headings in whole for heading in headings]


def write(path, text):
    """Write a text as UTF-8."""
    path.write_text(text, encoding="utf-8", newline="\n")


def size(site):
    """Return the bytes of all files of the site."""
    return sum(path.stat().st_size for path in site.rglob("*") if path.is_file())


__all__ = ["ROOT", "build", "index", "size"]

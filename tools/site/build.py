"""Builds the site: runs the notebooks, makes a page of each, a map of all, and an index of their headings."""

import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor

from tools import notebooks, runs
from tools.site.elsewhere import check_repository, elsewhere
from tools.site.outputs import Figures
from tools.site.pages import HERE, ROOT, linker, make_map, make_page, opening

WORKERS = 2


def build(site, paths=None, repository=""):
    """Write the site into a folder, which is emptied first; return its pages.

    paths: of notebooks; all of the course by default. repository: "OWNER/NAME" on GitHub, if pages are to
    link there and to Binder. Raises what the first failing notebook raises.
    """
    check_repository(repository)
    paths = list(paths or notebooks.paths())
    done = run_all(paths)
    shutil.rmtree(site, ignore_errors=True)
    figures = Figures(site)
    openings = [opening(path, notebook) for path, notebook in zip(paths, done, strict=True)]
    link = linker({path.stem for path in paths}, site)
    pages = [make_page(notebook, openings, place, link, figures, elsewhere(repository, paths[place].stem))
             for place, notebook in enumerate(done)]
    for page in pages:
        write(site / f"{page.opening.stem}.html", page.html)
    write(site / "index.html", make_map(pages, elsewhere(repository, paths[0].stem)))
    # a script, because a page opened as a file may not fetch anything
    write(site / "headings.js", f"const HEADINGS = {json.dumps(index(pages), ensure_ascii=False)};\n")
    write(site / ".nojekyll", "")
    shutil.copytree(HERE / "assets", site, dirs_exist_ok=True)
    return pages


def run_all(paths):
    """Return the executed notebooks, run two at a time, from the end: the tests begin at the front."""
    with warnings.catch_warnings(), ThreadPoolExecutor(WORKERS) as pool:
        warnings.simplefilter("ignore")  # for both threads, as execute() does for each run
        return list(pool.map(runs.executed, reversed(paths)))[::-1]


def index(pages):
    """Return [address, heading, title of the page] of every heading."""
    return [[f"{page.opening.stem}.html#{heading.name}", heading.text, page.opening.title]
            for page in pages for heading in page.headings]


def write(path, text):
    """Write a text as UTF-8."""
    path.write_text(text, encoding="utf-8", newline="\n")


def size(site):
    """Return the bytes of all files of the site."""
    return sum(path.stat().st_size for path in site.rglob("*") if path.is_file())


__all__ = ["ROOT", "build", "index", "size"]

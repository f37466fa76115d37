"""Notebooks to pages: what a page is, and the template that nbconvert fills with it."""

import posixpath
import re
import shutil
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from nbconvert.exporters import TemplateExporter
from nbconvert.filters import Highlight2HTML

from tools.site.markdown import Heading, PageRenderer, render
from tools.site.outputs import join_streams, show

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Opening(NamedTuple):
    """What the first cell of a notebook says about it."""

    stem: str
    title: str
    question: str
    minutes: str
    part: str


class Page(NamedTuple):
    """A finished page."""

    opening: Opening
    html: str
    headings: list[Heading]
    thumbnail: str  # address in the site; "" where the page has no figure


def opening(path, notebook):
    """Read the title, the question, the minutes and the part from the first cell."""
    text = notebook.cells[0].source
    found = [re.search(pattern, text, re.MULTILINE) for pattern in (
        r"^# (.+)$", r"^\*\*(.+\?)\*\*\s*$", r"^\*\*Minutes:\*\* (\d+)", r"Part [IVX]+, [^.]+")]
    title, question, minutes = (match[1].strip() if match else "" for match in found[:3])
    return Opening(path.stem, title or path.stem, question, minutes, found[3][0] if found[3] else "")


def linker(stems, site, folder="notebooks"):
    """Return a function that turns an address in a notebook into one in the site, or None."""
    def link(url):
        if re.match(r"[a-z]+:|#|//", url):
            return url
        place, _, fragment = url.partition("#")
        path = posixpath.normpath(posixpath.join(folder, place))
        anchor = f"#{fragment}" if fragment else ""
        if path.endswith(".ipynb"):
            stem = posixpath.basename(path).removesuffix(".ipynb")
            return f"{stem}.html{anchor}" if stem in stems else None
        return _copied(path, site)

    return link


def _copied(path, site):
    """Copy a file of the project into the site and return its address there."""
    source = ROOT / path
    hidden = any(part.startswith(".") for part in path.split("/"))  # .. and .git, .env, ...
    if hidden or not source.is_file() or not source.resolve().is_relative_to(ROOT.resolve()):
        return None
    target = site / "files" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return f"files/{path}"


def make_page(notebook, openings, place, link, figures, elsewhere):
    """Return the page of an executed notebook.

    place: its position among all openings. elsewhere: {words: address} of the same notebook.
    """
    renderer, addresses = PageRenderer(link), []

    def show_output(output, cell):
        html = show(output, figures)
        kept = "keep_output" in cell.metadata.get("tags", [])
        addresses.extend((not kept, address) for address in re.findall(r' src="(images/[^"]+)"', html))
        return html

    maker = exporter({"markdown": lambda source: render(source, renderer), "output": show_output,
                      "code": Highlight2HTML(pygments_lexer="ipython3"), "joined": join_streams})
    maker.environment.globals.update(
        elsewhere=elsewhere, openings=openings, opening=openings[place], headings=renderer.headings,
        before=openings[place - 1] if place else None, after=[*openings, None][place + 1])
    html, _ = maker.from_notebook_node(notebook)
    thumbnail = figures.thumbnail(min(addresses, key=itemgetter(0))[1]) if addresses else ""
    return Page(openings[place], html, renderer.headings, thumbnail)


def make_map(pages, elsewhere):
    """Return the HTML of the first page: all others with question, minutes and a picture."""
    return exporter({}).environment.get_template("map.html.j2").render(pages=pages, elsewhere=elsewhere)


def exporter(filters):
    """Return nbconvert's exporter with the template of the site."""
    return TemplateExporter(template_name="moeviz_page", extra_template_basedirs=[str(HERE)], filters=filters,
                            file_extension=".html", enabled=True)

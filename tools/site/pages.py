"""Notebooks to pages: what a page is, and the template that nbconvert fills with it."""

import posixpath
import re
import shutil
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from nbconvert.exporters import TemplateExporter
from nbconvert.filters import Highlight2HTML

from moeviz import live, tinylm
from tools.site.cards import card
from tools.site.markdown import Heading, PageRenderer, render
from tools.site.outputs import join_streams, show

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SHOWN = {".md", ".png", ".webp", ".gif", ".jpg", ".svg", ".txt", ".cff"}  # what a page may need
POLICY_HERE = "@policy@"


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
    card: dict  # {class: address in the site} of its picture for both themes; empty where there is none


class Text(NamedTuple):
    """A page without a notebook."""

    address: str
    title: str
    body: str  # HTML
    headings: list[Heading]


def opening(path, notebook):
    """Read the title, the question, the minutes and the part from the first cell."""
    text = notebook.cells[0].source
    found = [re.search(pattern, text, re.MULTILINE) for pattern in (
        r"^# (.+)$", r"^\*\*(.+\?)\*\*\s*$", r"^\*\*Minutes:\*\* (\d+)", r"Part [IVX]+, [^.]+")]
    title, question, minutes = (match[1].strip() if match else "" for match in found[:3])
    return Opening(path.stem, title or path.stem, question, minutes, found[3][0] if found[3] else "")


def policy(html):
    """Return the Content-Security-Policy of a page: its own files, its own scripts by hash, no network."""
    scripts = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digests = {b64encode(sha256(script.encode()).digest()).decode() for script in scripts}
    hashes = [f"'sha256-{digest}'" for digest in sorted(digests)]
    return "; ".join(["default-src 'none'", "img-src 'self' data:", "style-src 'self' 'unsafe-inline'",
                      f"script-src 'self' {' '.join(hashes)}", "base-uri 'none'", "form-action 'none'"])


def with_policy(html):
    """Return a page with its policy in the place that its frame leaves for it."""
    return html.replace(POLICY_HERE, policy(html), 1)


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
    """Copy a text or a picture of the project into the site, return its address; None for other files."""
    source = ROOT / path
    hidden = any(part.startswith(".") for part in path.split("/"))  # .. and .git, .env, ...
    if hidden or source.suffix not in SHOWN or not source.is_file():
        return None
    if not source.resolve().is_relative_to(ROOT.resolve()):
        return None
    target = site / "files" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return f"files/{path}"


def make_page(notebook, openings, place, link, figures, elsewhere):
    """Return the page of an executed notebook.

    place: its position among all openings. elsewhere: {words: address} of the same notebook.
    """
    renderer = PageRenderer(link)
    maker = exporter({"markdown": lambda source: render(source, renderer),
                      "output": lambda output, cell: show(output, figures),
                      "code": Highlight2HTML(pygments_lexer="ipython3"), "joined": join_streams})
    maker.environment.globals.update(
        elsewhere=elsewhere, openings=openings, opening=openings[place], headings=renderer.headings,
        before=openings[place - 1] if place else None, after=[*openings, None][place + 1])
    html, _ = maker.from_notebook_node(notebook)
    drawn = card(openings[place].stem)
    return Page(openings[place], with_policy(html), renderer.headings,
                figures.card(drawn) if drawn else {})


def read_text(address, source, link):
    """Return the Text of a page in Markdown; its first heading is the title."""
    renderer = PageRenderer(link)
    body = render(source, renderer)
    return Text(address, renderer.headings[0].text, body, renderer.headings)


def make_text(text, texts):
    """Return the HTML of a Text; it links to the other texts."""
    template = exporter({}).environment.get_template("text.html.j2")
    others = [other for other in texts if other is not text]
    return with_policy(template.render(text=text, texts=others))


def make_map(pages, elsewhere, texts=()):
    """Return the HTML of the first page: a sentence to type, then all others with question and picture.

    texts: the pages without a notebook.
    """
    template = exporter({}).environment.get_template("map.html.j2")
    return with_policy(template.render(pages=pages, elsewhere=elsewhere, texts=texts, rows=rows,
                                       sentence=first_view()))


@cache
def first_view():
    """Return the HTML of the sentence to type, whose still picture takes a while."""
    return str(live.sentence(tinylm.load()))


def rows(count):
    """Return for each of `count` cards how many stand in its row: never one alone, at most four.

    >>> rows(5), rows(7), rows(1)
    ([3, 3, 3, 2, 2], [4, 4, 4, 4, 3, 3, 3], [1])
    """
    number = -(-count // 4)
    lengths = [count // number + (row < count % number) for row in range(number)]
    return [length for length in lengths for _ in range(length)]


def exporter(filters):
    """Return nbconvert's exporter with the template of the site."""
    return TemplateExporter(template_name="moeviz_page", extra_template_basedirs=[str(HERE)], filters=filters,
                            file_extension=".html", enabled=True)

"""The cards of notebook 00 as a page: symbols, formulas and words, each linked to the section that has it."""

import itertools
import re

from tools.notebooks import markdown_cells, without_fences

ADDRESS, TITLE = "cards.html", "Symbols, formulas and words"
_CARDS = re.compile(r"^## Cards to keep.*?\n(.*?)^### Notebooks$", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"(?<=[|,] )\[?(\d\d)\b(?:\]\([^)]+\))?(?=,| \|$)")
_HEADING = re.compile(r"^#{1,6} +.*$", re.MULTILINE)
_FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)


def letters(text):
    """Return the single letters that the formulas of a text use as symbols.

    >>> sorted(letters(r"so $x_t + \\mathrm{CV}$ and `$q$`"))
    ['t', 'x']
    """
    plain = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    found = set()
    for formula in _FORMULA.findall(plain):
        bare = re.sub(r"\\(?:text|mathrm|operatorname)\{[^}]*\}|\\[A-Za-z]+", "", formula)
        found |= set(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", bare))
    return found


def make_cards(notebooks, pages):
    """Return the Markdown of the page, or "" where no notebook has cards.

    notebooks, pages: of the course, in the same order; a page's headings are where an entry leads.
    """
    texts = [whole_text(notebook) for notebook in notebooks]
    found = next(filter(None, map(_CARDS.search, texts)), None)
    if found is None:
        return ""
    texts = [text.replace(found[1], re.sub(r"\$.*\$", "", found[1])) for text in texts]  # they lead elsewhere
    parts = {page.opening.stem[:2]: (page, sections(text)) for text, page in zip(texts, pages, strict=True)}
    lines = [_linked(line, parts) for line in found[1].replace("\n### ", "\n## ").splitlines()]
    return "\n".join([f"# {TITLE}", "", *lines])


def whole_text(notebook):
    """Return the Markdown of a notebook without its code."""
    return "\n\n".join(without_fences(cell.source) for cell in markdown_cells(notebook))


def sections(text):
    """Return the text below each heading, in order."""
    ends = [found.end() for found in _HEADING.finditer(text)]
    return [text[start:end] for start, end in itertools.pairwise([*ends, len(text)])]


def _linked(row, parts):
    return _PLACE.sub(lambda found: _link(found[1], row, parts), row) if row.startswith("|") else row


def _link(number, row, parts):
    if number not in parts:
        return number
    page, texts = parts[number]
    heading = page.headings[place_of(letters(row), texts)]
    return f"[{number}, {heading.text}]({page.opening.stem}.ipynb#{heading.name})"


def place_of(wanted, texts):
    """Return the position of the text whose displayed formulas hold most of the letters, the first of equals.

    Where no displayed formula has any, all formulas count.

    >>> place_of({"a", "b"}, ["$b$", "$$a$$", "$$a + b$$"]), place_of({"c"}, ["", "$c$"])
    (2, 1)
    """
    shown = ["".join(re.findall(r"\$\$.*?\$\$", text, re.DOTALL)) for text in texts]
    hits = [len(wanted & letters(text)) for text in shown]
    if not any(hits):
        hits = [len(wanted & letters(text)) for text in texts]
    return hits.index(max(hits))

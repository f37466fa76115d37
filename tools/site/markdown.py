"""Markdown to HTML as the pages need it: headings with ids, links within the site, math as MathML."""

import itertools
import re
from html import escape, unescape
from typing import NamedTuple

from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from moeviz.tables import whole

# "## A section · 5 min": the plan of a lecture stands in the headings of sections
PLANNED = re.compile(r"\s*·\s*(\d+) min$")
FUNCTION = r"<mi>(?:exp|ln|log|cos|sin|tan|tanh)</mi>"
THIN = '<mspace width="0.17em"/>'
BROKEN = re.compile(r"(?<!\S)\S*-\S*(?!\S)")  # a word that a line's end would break at its hyphen
FOLDS = re.compile(r"<details>(?=\s*<summary>(Solution|Hint \d)</summary>)")


class Heading(NamedTuple):
    """A heading of a page."""

    level: int
    name: str  # its id
    text: str


class PageRenderer(IPythonRenderer):
    """Renders the cells of one page and collects its headings.

    link: turns the address of a link or an image into one that works in the site, or None to leave it out.
    """

    def __init__(self, link):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.resolve = link
        self.headings = []

    def heading(self, text, level, **attributes):
        planned = PLANNED.search(text)
        text = PLANNED.sub("", text)
        plain = unescape(re.sub(r"<[^>]+>", "", text))
        name = self._free_name(re.sub(r"[^\w]+", "-", plain.lower()).strip("-") or "part")
        self.headings.append(Heading(level, name, plain))
        if planned is None:
            return f'<h{level} id="{escape(name)}">{text}</h{level}>\n'
        return (f'<h{level} id="{escape(name)}" data-minutes="{planned[1]}"><span class="name">{text}</span> '
                f'<small class="minutes">{planned[1]} min</small></h{level}>\n')

    def _free_name(self, name):
        taken = {heading.name for heading in self.headings} | {"content"}
        numbered = (f"{name}-{number}" for number in range(2, 1000))
        return name if name not in taken else next(each for each in numbered if each not in taken)

    def link(self, text, url, title=None):
        target = self.resolve(url)
        return text if target is None else super().link(text, target, title)

    def image(self, text, url, title=None):
        target = self.resolve(url)
        return escape(text) if target is None else super().image(text, target, title)

    def text(self, text):
        return whole(super().text(text))

    def codespan(self, text):
        return f"<code>{whole(escape(text), BROKEN)}</code>"

    def table(self, text):
        return f'<div class="scroll"><table role="table">\n{with_roles(text)}</table></div>\n'

    def inline_math(self, body):
        return mathml(body)

    def block_math(self, body):
        shown = ["".join(mathml(link, "block") for link in chain(part)) for part in apart(body)]
        shown = [f'<div class="formulas chain">{part}</div>' if part.count("<math") > 1 else part
                 for part in shown]
        return f'<div class="scroll formulas">{"".join(shown)}</div>\n'

    def multiline_math(self, text):
        return self.block_math(text.strip().removeprefix("$$").removesuffix("$$"))

    def latex_environment(self, name, body):
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


def with_roles(rows):
    """Return the rows of a table whose cells know their roles, and below a head the words above them.

    A narrow page stacks the cells of a row, each behind its label; a browser forgets then what they are.

    >>> with_roles("<th>a</th><tr><td>1</td></tr>")
    '<th role="columnheader">a</th><tr role="row"><td role="cell" data-label="a">1</td></tr>'
    """
    heads = [escape(unescape(re.sub(r"<[^>]+>", "", head)))
             for head in re.findall(r"<th\b[^>]*>(.*?)</th>", rows)]
    labels = itertools.cycle(heads)
    rows = re.sub(r"<td\b", lambda found: f'<td role="cell" data-label="{next(labels)}"', rows)
    return re.sub(r"<th\b", '<th role="columnheader"', rows).replace("<tr>", '<tr role="row">')


def apart(body):
    r"""Return the formulas that a displayed one consists of, which a narrow page sets below each other.

    >>> apart(r"a = b, \qquad c = d"), apart(r"\frac{a \qquad b}{c}")
    (['a = b,', 'c = d'], ['\\frac{a \\qquad b}{c}'])
    """
    parts = [part.strip() for part in body.split(r"\qquad") if part.strip()]
    return parts if all(map(_is_whole, parts)) else [body]


def chain(formula):
    r"""Return the parts of a chain of equations, each but the first with its sign before it.

    >>> chain(r"a = \frac{b = c}{d} = e"), chain("a = b")
    (['a = \\frac{b = c}{d}', '= e'], ['a = b'])
    """
    parts = formula.split("=")
    ends = [end for end in range(2, len(parts)) if _is_whole("=".join(parts[:end]))]
    pieces = ["=".join(parts[start:end]).strip() for start, end in itertools.pairwise([0, *ends, len(parts)])]
    return [pieces[0], *(f"= {piece}" for piece in pieces[1:])]


def _is_whole(formula):
    return all(formula.count(opened) == formula.count(closed)
               for opened, closed in (("{", "}"), (r"\left", r"\right"), (r"\begin", r"\end"), ("(", ")")))


def mathml(formula, display="inline"):
    r"""Return a formula as MathML: space around functions, and large brackets that stay so with an exponent.

    `a \tanh x` would read like the inverse function otherwise, and `\Big)^2` would have a small bracket.
    """
    html = convert(formula, display=display)
    html = re.sub(r'<msup>(<mo )(minsize="[^"]+" maxsize="[^"]+">\)</mo>)',
                  r'<msup><mrow>\1stretchy="true" \2</mrow>', html)
    html = re.sub(rf"(?<=</m[in]>)({FUNCTION})", rf"{THIN}\1", html)
    html = re.sub(rf"(?<!<msub>)(?<!<msup>)({FUNCTION})(?=<m[infsu])", rf"\1{THIN}", html)
    return re.sub(rf"(<msub>{FUNCTION}<mn>\d+</mn></msub>)(?=<m[infsu])", rf"\1{THIN}", html)


def render(source, renderer):
    """Return one cell's markdown as HTML; folded hints and solutions are known by their classes."""
    html = MarkdownWithMath(renderer=renderer).render(source)
    return FOLDS.sub(lambda found: f'<details class="{found[1].split()[0].lower()}">', html)

"""One look for every picture of the course: colours of experts, ink, and a sentence for each figure.

`use()` is the only place that touches matplotlib's settings.
"""

import re
import sys
import textwrap
from base64 import b64encode
from functools import lru_cache
from html import escape
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.container import BarContainer
from matplotlib.font_manager import findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine

from moeviz.dark import BothCanvas, small
from moeviz.palette import (  # noqa: F401  whoever draws finds the colours here
    AROUND,
    HEAT,
    OKABE_ITO,
    PALE,
    PALER,
    SERIES,
    contrast,
    expert_colors,
    ink_on,
    luminance,
    on_white,
    tint,
)
from moeviz.tables import as_html, as_one_quantity, as_power, as_table, as_text, evenly, with_minus

INK = "#222222"
MUTED = "#5f6368"
LINE = "#8c8c8c"
FAINT = "#f2f2f2"
DROPPED = "#e4e4e4"
DROPPED_LINES = "#7a7a7a"
HATCH = "////"
DARK = ':is([data-jp-theme-light="false"], .vscode-dark)'  # JupyterLab and Notebook, VS Code
FRONT_ENDS = f"""<style>{DARK} .moeviz-by-day {{ display: none }}
{DARK} .moeviz-by-night {{ display: inline !important }}
.jp-Notebook:has(.moeviz-by-day) .jp-OutputArea-output pre {{ word-break: normal }}
</style>"""  # JupyterLab breaks a long printed line anywhere, within words, too
MOST_OF_A_MATRIX, MOST_POINTS = 12, 12  # rows of the table of a matrix, points of one line
PHONE = 6.1  # inches: letters of 12 points are 9.5 pixels high where a figure fills a phone
ROUTER = re.compile(r"top-\w+")
BY_POWER = re.compile(r"\d(?:\.\d+)?e[+-]\d+")  # as Python writes numbers
WHOLE = 6  # words of a title that needs no finding
BREATH = re.compile(r"\b(?:expert|layer|device|block|seed) \d+|\d[\d.,]* of \d[\d.,]*|\d[\d.,]* times\b")
JOINT = "\xa0"  # a space at which no line ends
SETTING = re.compile(r", [A-Za-z]\w* = \S+")  # such as "layer 1, C = 9": what was set, not what was found
TITLE_LETTER = 0.132  # inches that a letter of a title takes on average
PAD, PASSES = 0.08, 2  # inches around the axes; of the layout
MONO = ("DejaVu Sans Mono", "DejaVu Sans")
# scripts that these two lack, in fonts of this machine that have them; without any, bytes stand there
OTHER_SCRIPTS = ("Noto Sans Mono CJK JP", "Noto Sans CJK JP", "Noto Sans CJK SC", "Hiragino Sans",
                 "PingFang SC", "Yu Gothic", "Microsoft YaHei", "WenQuanYi Micro Hei",
                 "Noto Sans Devanagari", "Kohinoor Devanagari", "Devanagari Sangam MN", "Nirmala UI",
                 "Mangal", "Arial Unicode MS")
INSTALLED = {font.name for font in mpl.font_manager.fontManager.ttflist}
FONTS = (*MONO, *(name for name in OTHER_SCRIPTS if name in INSTALLED))


def use():
    """Apply the classroom style to every figure made from now on: large type, few lines, white ground.

    In a notebook, figures get their alt text from here on too.

    >>> use()
    """
    plt.style.use(Path(__file__).with_name("classroom.mplstyle"))
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell:
        _draw_once(shell)
        shell.display_formatter.mimebundle_formatter.for_type(mpl.figure.Figure, as_output)


def _draw_once(shell):
    """Let a notebook draw a figure for `as_output` alone: matplotlib would before it and after it, too."""
    if "inline" in mpl.get_backend():
        plt.switch_backend(mpl.get_backend())  # else the first figure would do so, and undo what follows
        plt.uninstall_repl_displayhook()
        shell.display_formatter.formatters["image/png"].pop(mpl.figure.Figure, None)


def as_output(figure):
    """Return a figure as PNG for code hosts and as HTML for front ends, which drop a PNG's alt text.

    A reader's own figure, of which nothing is described, is a PNG alone.
    """
    return bundle(figure, *drawn(figure))


def drawn(figure):
    """Return a figure as PNG (base64) and the pixels (H, W, 4) of its dark form; its canvas stays."""
    canvas, both, raw = figure.canvas, BothCanvas(figure), BytesIO()
    figure.savefig(raw, format="png", dpi=figure.dpi, bbox_inches="tight")
    figure.set_canvas(canvas)
    return b64encode(raw.getvalue()).decode(), both.night()


def bundle(figure, png, night):
    """Return what a front end gets of a figure, {type: content}, and what is known about it."""
    try:
        alt = describe(figure)
    except ValueError:
        return {"image/png": png}, {}
    tables = tables_of(figure)
    html = (f"{in_both_themes(png, night, alt)}<details><summary>In words and numbers</summary>"
            f"<p>{escape(alt)}</p>{''.join(map(as_html, tables))}</details>")
    return {"image/png": png, "text/html": html}, {"image/png": {"alt": alt, "tables": tables}}


def in_both_themes(png, night, alt, look="max-width: 100%"):
    """Return HTML with a picture, and in its place the dark one where a front end is dark.

    png: base64. night: pixels (H, W, 4). Without style sheets the dark one stays hidden. look: of both.
    """
    forms = {"day": (png, look), "night": (b64encode(small(night)).decode(), f"{look}; display: none")}
    return FRONT_ENDS + "".join(
        f'<img class="moeviz-by-{name}" alt="{escape(alt)}" style="{own}" src="data:image/png;base64,{data}">'
        for name, (data, own) in forms.items())


def dropped_patch():
    """Return the patch settings of everything that capacity dropped: grey, with hatching.

    >>> dropped_patch()["hatch"]
    '////'
    """
    return {"facecolor": DROPPED, "edgecolor": DROPPED_LINES, "hatch": HATCH, "linewidth": 0.0}


def axes_or_new(ax, size=None, **margins):
    """Return `ax`, or the axes of a new figure of `size` (width, height in inches); never the current one.

    margins: as in `fixed_axes`, where they are known; without them matplotlib finds them.
    """
    if ax is None:
        return fixed_axes(size, **margins) if margins else plt.subplots(figsize=size, layout=Layout())[1]
    if not isinstance(ax, mpl.axes.Axes):
        raise ValueError(f"ax must be a matplotlib Axes or None, got {type(ax).__name__}")
    return ax


class Layout(ConstrainedLayoutEngine):
    """A constrained layout that is found once, so that a figure saved twice looks the same.

    Found anew at every save, it would move: one pass of it changes what the next one measures.
    """

    def __init__(self):
        super().__init__(h_pad=PAD, w_pad=PAD)
        self._found = False

    def execute(self, fig):
        """Find the layout of a figure in PASSES passes at its first drawing, and leave it alone later."""
        for _ in range(0 if self._found else PASSES):
            super().execute(fig)
        self._found = True


def fixed_axes(size, *, left, right=0.08, bottom=0.66, top=0.42, rows=1, columns=1, gap=(0, 0), **options):
    """Return the Axes (or array of Axes) of a new figure with fixed margins; all lengths in inches.

    Panels stand still from one picture to the next, and no layout has to be found, which takes as long as
    drawing. size: (width, height). gap: between columns and between rows. options: of `plt.subplots`.

    >>> fixed_axes((10, 5), left=1, right=1).get_position().width.round(3).item()
    0.8
    """
    width, height = size
    wide = (width - left - right - (columns - 1) * gap[0]) / columns
    high = (height - bottom - top - (rows - 1) * gap[1]) / rows
    grid = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height,
            "top": 1 - top / height, "wspace": gap[0] / wide, "hspace": gap[1] / high}
    return plt.subplots(rows, columns, figsize=size, gridspec_kw=grid, **options)[1]


def headline(ax, finding, subject="", *, pad=None, room=None):
    """Write what a picture found above it, after what it is about, wrapped to the width there is.

    finding: a sentence with its number, without a full stop. subject: a few words, or nothing; or a whole
    sentence, six words or more with a number, that stands in place of the finding. pad: points between
    axes and title, where something else stands there. room: inches for a line, where it is not all there is.

    >>> ax = fixed_axes((6, 3), left=1)
    >>> headline(ax, "expert 3 gets 22% of the choices, 1.8 times its fair share", "layer 1").get_title()
    'Layer 1: expert 3 gets 22% of the\\nchoices, 1.8 times its fair share'
    >>> headline(ax, "5 of 9 bytes", "trained, layer 1").get_title()
    'Trained, layer 1: 5 of 9 bytes'
    >>> headline(ax, "5 of 9 bytes", "top-2").get_title()
    'With top-2, 5 of 9 bytes'
    """
    counted = SETTING.sub("", subject)
    whole = any(map(str.isdigit, counted)) and len(counted.split()) >= WHOLE
    words = subject if whole else f"{subject}: {finding}" if subject else finding
    if ROUTER.match(words):  # a name that no sentence begins with
        words = f"with {words}".replace(": ", ", ", 1) if ROUTER.fullmatch(subject) else f"with {words}"
    figure = ax.figure.figure  # the whole one, where this is a part of it
    panels = [each.get_position() for each in figure.axes if each.get_label() != "<colorbar>"]
    place, alone = ax.get_position(), len({round(each.x0, 3) for each in panels}) == 1
    room = room or figure.get_figwidth() * ((1.0 if alone else place.x1) - place.x0)
    first = words.split()[0].rstrip(":,")
    if first.isalpha() and (first[1:] or words.startswith("a ")):  # a sentence; k and E are symbols
        words = words[0].upper() + words[1:]
    ax.set_title(wrapped(words, max(24 if alone else 12, int(room / TITLE_LETTER))), pad=pad)
    return ax


def wrapped(words, width):
    """Return words in lines of up to `width` letters, all shorter where few would be left for the last.

    What is read in one breath stays in one line: expert 7, 8 of 8, 1.28 times.

    >>> wrapped("expert 2 gets 21% of its share", 28)
    'expert 2 gets\\n21% of its share'
    >>> wrapped("suspect f: 8 of 8 level", 14)
    'suspect f:\\n8 of 8 level'
    """
    joined = BREATH.sub(lambda found: found[0].replace(" ", JOINT), words)
    words = joined if max(map(len, joined.split(" "))) <= width else words
    lines = textwrap.wrap(words, width)
    if len(lines) > 1 and len(lines[-1]) < width / 4:
        lines = next(fewer for each in range(len(words) // len(lines), width + 1)
                     if len(fewer := textwrap.wrap(words, each, break_long_words=False)) == len(lines))
    return "\n".join(lines).replace(JOINT, " ")


def _plain(value):
    return as_power(value, 3) if value >= 1e7 or value < 1e-4 else as_text(value)


def set_description(ax, sentence):
    """Attach a sentence to an axes, for `describe` to find; return the axes.

    Every plot ends here, so here its texts are kept from being read as formulas: names of tokens, routers and
    models come from people, and a dollar sign in one is a dollar sign. What no font can draw is spelled out.
    """
    ax.moeviz_description = BY_POWER.sub(lambda found: _plain(float(found[0])), sentence)
    for text in _plain_texts(ax):
        text.set_parse_math(False)
        text.set_text(with_minus(text.get_text()))
        if not text.get_text().isascii():
            _use_fonts(text)
            text.set_text(spelled(text.get_text()))
    for axis in (ax.xaxis, ax.yaxis):
        _spell_ticks(axis)
    return ax


def _use_fonts(text):
    text.set_family(list(dict.fromkeys([*text.get_fontfamily(), *FONTS])))


def _spell_ticks(axis):
    """Spell out the names that ticks were given; matplotlib keeps them in a dictionary of places."""
    names = (*getattr(getattr(axis.get_major_formatter(), "func", None), "args", ()), None)[0]
    if isinstance(names, dict) and not "".join(map(str, names.values())).isascii():
        names.update({place: spelled(name) for place, name in names.items()})
        for label in axis.get_ticklabels():
            _use_fonts(label)


def spelled(text):
    """Return a text with U+XXXX in place of each character that no font of the course can draw.

    >>> spelled("é"), spelled("\U00012000")
    ('é', 'U+12000')
    """
    return text if text.isascii() else "".join(
        char if char.isspace() or can_draw(char) else f"U+{ord(char):04X}" for char in text)


@lru_cache(maxsize=4096)
def can_draw(text):
    """Tell whether every character is printable and has a glyph in the course's fonts.

    >>> can_draw("a"), can_draw("\U00012000")
    (True, False)
    """
    fonts = [get_font(findfont(family)) for family in FONTS]
    return text.isprintable() and all(
        any(font.get_char_index(ord(char)) for font in fonts) for char in text)


def _plain_texts(ax):
    """Return the texts of an axes but for tick labels that a formatter writes, which may be powers."""
    texts = [ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
    legend = ax.get_legend()
    texts += [*legend.get_texts(), legend.get_title()] if legend else []
    return texts + [label for axis in (ax.xaxis, ax.yaxis)
                    if isinstance(axis.get_major_formatter(), mpl.ticker.FixedFormatter)
                    for label in axis.get_ticklabels()]


def describe(drawn):
    """Return the sentence that says what an Axes, an array of Axes or a Figure shows, numbers included.

    It is the alt text wherever the figure is shown. Raises ValueError when nothing was described.

    >>> fig = mpl.figure.Figure()
    >>> describe(set_description(fig.add_subplot(), "Bar chart: expert 0 has 3 tokens."))
    'Bar chart: expert 0 has 3 tokens.'
    """
    every = drawn.axes if isinstance(drawn, mpl.figure.FigureBase) else np.ravel(drawn)
    sentences = [ax.moeviz_description for ax in every if hasattr(ax, "moeviz_description")]
    if not sentences:
        raise ValueError("drawn has no description: it was not drawn by a plot of moeviz")
    return with_minus(" ".join(sentences))


def set_narrow(ax, draw):
    """Attach to an axes what draws its figure anew for a narrow screen, where the plot knows how; return it.

    draw: a function without arguments that returns the Axes (or array of Axes) of a new figure, or None.

    >>> set_narrow(plt.subplots()[1], None).moeviz_narrow
    """
    ax.moeviz_narrow = draw
    return ax


def set_columns(ax, names, parts):
    """Attach to a drawn table how it is cut where a screen is narrow; return the axes.

    names: (left, right) of the names of its rows. parts: those of each part, along x in units of the axes;
    all but the first get the names once more.

    >>> set_columns(plt.subplots()[1], (0, 1), [(0, 3), (3, 5)]).moeviz_columns
    ((0, 1), [(0, 3), (3, 5)])
    """
    ax.moeviz_columns = names, parts
    return ax


def phone_axes(ax, height=None, **margins):
    """Return the axes of a new figure that fills a phone, as tall as that of `ax` or of a height in inches.

    margins: as of `axes_or_new`.

    >>> phone_axes(plt.subplots(figsize=(10, 4))[1]).figure.get_size_inches().tolist()
    [6.1, 4.0]
    """
    return axes_or_new(None, (PHONE, height or ax.figure.get_figheight()), **margins)


def on_phone(ax):
    """Tell whether the figure of an axes is one for a phone.

    >>> on_phone(plt.subplots(figsize=(10, 4))[1])
    False
    """
    return bool(ax.figure.get_figwidth() <= PHONE)


def set_table(ax, columns, rows, *, title=None):
    """Attach a table to an axes, for `tables_of` to find; return the axes.

    columns: N headings. rows: lists of N texts or numbers, the first of which names the row; None and NaN
    become empty cells. Of more than 64 rows or 13 columns as many are kept, evenly chosen, and the title
    says so. title: the one of the axes by default.

    >>> import matplotlib.pyplot as plt
    >>> ax = set_table(plt.subplots()[1], ["expert", "tokens"], [[0, 3], [1, 5]])
    >>> ax.moeviz_table["rows"]
    [['0', '3'], ['1', '5']]
    """
    ax.moeviz_table = as_table(title, columns, rows)
    return ax


def set_matrix(ax, values, *, rows, columns, title=None):
    """Attach a matrix (R, N) to an axes as a table of at most 12 by 12 cells, evenly chosen.

    values: numbers of one quantity, or texts. rows, columns: (what they are, R or N names), such as
    ("token", [0, 1, 2]).

    >>> import matplotlib.pyplot as plt
    >>> ax = set_matrix(plt.subplots()[1], [[0.5, 0.25]], rows=("token", "a"), columns=("slot", range(2)))
    >>> ax.moeviz_table["columns"], ax.moeviz_table["rows"]
    (['token', 'slot 0', 'slot 1'], [['a', '0.50', '0.25']])
    """
    headings = [rows[0], *(f"{columns[0]} {name}".strip() for name in columns[1])]
    texts = as_one_quantity([list(line) for line in values])
    body = [[name, *line] for name, line in zip(rows[1], texts, strict=True)]
    ax.moeviz_table = as_table(title, headings, body, most=MOST_OF_A_MATRIX)
    return ax


def tables_of(figure):
    """Return a table for each axes that has one attached, or else bars or named lines; cells are texts.

    A line of many points gives up to 12 of them, evenly chosen. Diagrams without numbers give no table.
    Names of bars are known once the figure has been drawn.

    >>> import matplotlib.pyplot as plt
    >>> ax = plt.subplots()[1]
    >>> ax.plot([0, 1], [2, 3], label="loss") and tables_of(ax.figure)[0]["rows"]
    [['0', '2'], ['1', '3']]
    """
    return [_named(ax, table) for ax in figure.axes
            if (table := getattr(ax, "moeviz_table", None) or _bars(ax) or _lines(ax))]


def _named(ax, table):
    """Return the table under its own title or that of the axes, with what was left out."""
    title = table["title"] or _title(ax) or ax.get_ylabel() or ax.get_xlabel() or "numbers of the figure"
    left_out = f" ({table['left_out']})" if table["left_out"] else ""
    return {"title": title + left_out, "columns": table["columns"], "rows": table["rows"]}


def _title(ax):
    return ax.get_title(loc="left") or ax.get_title()


def _bars(ax):
    """Return the table of all bars; None where there are none, or several series carry no name."""
    groups = [each for each in ax.containers if isinstance(each, BarContainer)]
    series = [_name(group) for group in groups]
    if not groups or series.count("") > 1:
        return None
    sideways = groups[0].orientation == "horizontal"
    axis = ax.yaxis if sideways else ax.xaxis
    names = {round(place, 6): label.get_text() for place, label in
             zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)}
    rows = [[name or "unnamed", *_bar(bar, names, sideways)]
            for name, group in zip(series, groups, strict=True) for bar in group]
    across, up = ax.get_xlabel(), ax.get_ylabel()
    pair = [up or "name", across or "value"] if sideways else [across or "x", up or "value"]
    first = 0 if any(series) else 1  # a column of nothing says nothing
    return as_table(None, ["series", *pair][first:], [row[first:] for row in rows])


def _bar(bar, names, sideways):
    middle = bar.get_y() + bar.get_height() / 2 if sideways else bar.get_x() + bar.get_width() / 2
    return [names.get(round(middle, 6)) or middle, bar.get_width() if sideways else bar.get_height()]


def _name(artist):
    return "" if artist.get_label().startswith("_") else artist.get_label()


def _lines(ax):
    """Return the table of all named lines: a column each over the same x, or else a row per point."""
    lines = {_name(line): np.column_stack(line.get_data(orig=False)) for line in ax.get_lines()}
    lines = {name: points for name, points in lines.items() if name and len(points) > 1}
    if not lines:
        return None
    across, up = ax.get_xlabel() or "x", ax.get_ylabel() or "value"
    shared = next(iter(lines.values()))[:, 0]
    if all(np.array_equal(points[:, 0], shared) for points in lines.values()):
        values = as_one_quantity(np.transpose([points[:, 1] for points in lines.values()]).tolist())
        rows = [[place, *line] for place, line in zip(shared, values, strict=True)]
        title = ": ".join(dict.fromkeys(filter(None, [_title(ax), up])))
        return as_table(title, [across, *lines], rows, most=MOST_POINTS)
    rows = [[name, *point] for name, points in lines.items()
            for point in points[evenly(len(points), MOST_POINTS)]]
    return as_table(None, ["series", across, up], rows)

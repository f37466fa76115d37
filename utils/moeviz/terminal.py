"""The course's first picture without a browser: a sentence in the terminal, coloured by expert.

Every byte is one cell, its first-choice expert's number below it, so the picture survives without colour.
"""

import argparse
import os
import shutil
import sys
import unicodedata

import numpy as np

from moeviz import text, tinylm
from moeviz.files import check_target, write_whole
from moeviz.metrics import counts
from moeviz.record import EMPTY
from moeviz.style import expert_colors, ink_on

MAX_BYTES = 100_000
BAR = 10
RESET = "\x1b[0m"
INKS = {"black": "0;0;0", "white": "255;255;255"}
LEFT_TO_RIGHT = "\u200e"
ASCII = {"␣": "_", "↵": "/", "⇥": ">", "·": ".", "◌": "", "█": "#", "■": "#", "□": "-",
         "▏": "|", LEFT_TO_RIGHT: ""}


def main(argv=None):
    """Run the command line; return its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["progress"]:
        return _progress(argv[1:])
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        sentence = _sentence(options.sentence, parser)
        model = tinylm.load() if options.weights is None else tinylm.load_weights(options.weights)
        routings, labels = model.route(sentence), text.byte_labels(sentence)
        if options.png is not None:
            _save_png(check_target(options.png), routings, labels, sentence)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(show(routings, labels, width=_width(), color=_wants_color(options.color, sys.stdout),
               encoding=sys.stdout.encoding or "ascii"))
    return 0


def _progress(argv):
    """Show which exercises were right on this machine, or keep that no longer."""
    from moeviz.exercises import progress  # whose exercises take a while to import

    parser = argparse.ArgumentParser(prog="python -m moeviz progress", description=progress.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--off", action="store_true", help="forget it and keep nothing from now on")
    if parser.parse_args(argv).off:
        progress.turn_off()
    print(printable(progress.report(), sys.stdout.encoding or "ascii"))
    return 0


def show(routings, labels, *, width=80, color=False, encoding="utf-8"):
    """Return the text of the picture: per layer the cells, the expert numbers and the loads.

    routings: one Routing per layer, of T tokens each. labels: T labels from `text.byte_labels`.
    width: columns of the terminal. color: 24-bit ANSI backgrounds. encoding: what the output can show.

    >>> from moeviz.routing import top_k
    >>> print(show([top_k([[1.0, 0.0], [0.0, 1.0]], k=1)], ["h", "i"], encoding="ascii"))
    top-1
    hi
    01
    load: share of all 2 choices; an even share is 50.0 %
     0  ##########  50.0%   1  ##########  50.0%
    """
    labels = [printable(label, encoding) for label in labels]
    blocks = [_layer(routed, labels, width, color, encoding) for routed in routings]
    return "\n\n".join(blocks)


def printable(words, encoding):
    """Return words as the encoding can show them: signs become ASCII look-alikes, the rest "?".

    >>> printable("■□ 1 of 2", "ascii"), printable("é", "latin-1"), printable("日", "latin-1")
    ('#- 1 of 2', 'é', '?')
    """
    return "".join(c if _can_show(c, encoding) else ASCII.get(c, "?") for c in words)


def cell_width(label):
    """Return the columns that a label takes: 2 for wide characters, 0 for marks on another one.

    >>> cell_width("a"), cell_width("日"), cell_width("◌" + chr(0x301))
    (1, 2, 1)
    """
    return sum(_columns(character) for character in label)


def _columns(character):
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _can_show(character, encoding):
    try:
        character.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _layer(routed, labels, width, color, encoding):
    first = np.where(routed.kept[:, 0], routed.expert_index[:, 0], EMPTY)
    marks = ["-" if expert == EMPTY else str(expert) for expert in first]
    paint = _painter(routed.num_experts, color)
    lines = [_bold(routed.label, color)]
    for row in _rows(labels, marks, width):
        lines.append("".join(paint(_fill(labels[i], marks[i], encoding), first[i]) for i in row))
        lines.append("".join(_fill(marks[i], labels[i], encoding) for i in row))
    return "\n".join([*lines, *_load_lines(routed, width, paint, encoding)])


def _rows(labels, marks, width):
    """Break the cells into rows of at most `width` columns, and after every line break of the text."""
    rows, used = [[]], 0
    for i, (label, mark) in enumerate(zip(labels, marks, strict=True)):
        size = max(cell_width(label), cell_width(mark))
        if rows[-1] and (used + size > width or labels[rows[-1][-1]] == "↵"):
            rows.append([])
            used = 0
        rows[-1].append(i)
        used += size
    return rows


def _fill(label, beside, encoding):
    """Pad a label to the width of the cell; keep right-to-left letters in the order of the bytes."""
    padding = " " * (cell_width(beside) - cell_width(label))
    turns = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in label)
    return label + printable(LEFT_TO_RIGHT, encoding) * turns + padding


def _load_lines(routed, width, paint, encoding):
    chosen = counts(routed)
    cells = [_load_cell(expert, count, chosen, paint, encoding) for expert, count in enumerate(chosen)]
    per_line = max(1, min(4, (width + 2) // 24))
    head = (f"load: share of all {chosen.sum()} choices; "
            f"an even share is {100 / routed.num_experts:.1f} %")
    return [head] + ["  ".join(cells[i:i + per_line]) for i in range(0, len(cells), per_line)]


def _load_cell(expert, count, chosen, paint, encoding):
    """Draw one expert's load; the longest bar is the busiest expert's."""
    filled = round(BAR * count / max(chosen.max(), 1))
    bar = printable("█", encoding) * filled + "." * (BAR - filled)
    return f"{paint(f'{expert:2} ', expert)} {bar} {count / max(chosen.sum(), 1):6.1%}"


def _painter(num_experts, color):
    if not color:
        return lambda cell, expert: cell
    codes = [f"\x1b[38;2;{INKS[ink_on(c)]}m\x1b[48;2;{_rgb(c)}m" for c in expert_colors(num_experts)]
    return lambda cell, expert: cell if expert == EMPTY else codes[expert] + cell + RESET


def _rgb(color):
    return ";".join(str(int(color[i:i + 2], 16)) for i in (1, 3, 5))


def _bold(words, color):
    return f"\x1b[1m{words}{RESET}" if color else words


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m moeviz",
        description="Show to which expert a trained router sends each byte of a sentence.",
        epilog="Without a sentence, standard input is read. Put -- before one that begins with a dash. "
               "Other commands: `trace FILE` reports on a captured routing, `count config.json` counts a "
               "model; `trace --help` says more.")
    parser.add_argument("sentence", nargs="*", help="any text, in any script")
    parser.add_argument("--png", metavar="FILE", help="also write the picture to FILE")
    parser.add_argument("--color", action=argparse.BooleanOptionalAction,
                        help="colour the cells (default: on a terminal, unless NO_COLOR is set)")
    parser.add_argument("--weights", metavar="FILE", help="a model from `python -m moeviz.tinylm --out FILE`")
    return parser


def _sentence(words, parser):
    if words:
        return _checked(" ".join(words))
    if sys.stdin is None or sys.stdin.isatty():
        parser.error("there is no sentence; try: python -m moeviz \"The router reads bytes.\"")
    return _checked(sys.stdin.buffer.read(MAX_BYTES + 2).removesuffix(b"\n").removesuffix(b"\r"))


def _checked(sentence):
    sentence = text.encode(sentence)
    if len(sentence) > MAX_BYTES:
        raise ValueError(f"the sentence has more than {MAX_BYTES} bytes, too many for a terminal")
    return sentence


def _save_png(path, routings, labels, sentence):
    import matplotlib
    matplotlib.use("agg")
    from moeviz import plots, style
    style.use()
    axes = plots.plot_text_layers(routings, labels, text_bytes=sentence)
    write_whole(path, lambda file: axes[0, 0].figure.savefig(file, format="png", bbox_inches="tight"))


def _width():
    return max(shutil.get_terminal_size((80, 24)).columns, 1)


def _wants_color(asked, stream):
    """Follow --color or --no-color, else NO_COLOR (no-color.org), TERM and whether this is a terminal."""
    if asked is not None:
        return asked and (_enable_ansi() or not stream.isatty())
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return False
    return _enable_ansi()


def _enable_ansi():
    """Ask a Windows console to understand colour codes; say whether it does. Elsewhere it does."""
    if os.name != "nt":
        return True
    import ctypes
    kernel, mode = ctypes.windll.kernel32, ctypes.c_ulong()
    console = kernel.GetStdHandle(-11)
    return bool(kernel.GetConsoleMode(console, ctypes.byref(mode))
                and kernel.SetConsoleMode(console, mode.value | 4))

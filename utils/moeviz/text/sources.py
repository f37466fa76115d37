"""Where the words come from: texts that a Python installation already holds, and our own fallback.

A source is a list of groups, a group a list of pieces [(name, text)]: help topics, files, runs of lines.
Pieces are what is held out as a whole (see `split`). Names come as {language: [(key, name)]}. Each source
comes with a note that says what it is.
"""

import ast
import importlib
import platform
import sysconfig
from functools import partial
from importlib import resources, util
from pathlib import Path

LANGUAGES = ("ar", "de", "el", "en", "es", "fr", "he", "hi", "ja", "ka", "ko", "pl", "ru", "th", "tr", "zh")
RUN_LINES, GROUP_RUNS = 60, 100
_CODE_FILES = ("bisect", "calendar", "cmd", "colorsys", "contextlib", "copy", "csv", "dataclasses",
               "filecmp", "fnmatch", "fractions", "functools", "graphlib", "gzip", "heapq", "operator",
               "pprint", "queue", "random", "sched", "shlex", "statistics", "textwrap", "timeit")
_NOT_READ = frozenset({"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "pydoc_data",
                       "encodings", "turtledemo", "__pycache__"})
_MISSING = (ImportError, AttributeError, OSError, LookupError, ValueError)


def prose(size, fallback=False):
    """Return Python's help topics, and the docstrings of NumPy and matplotlib where `size` asks for more."""
    return _first_found(partial(_prose, size), partial(_own_pieces, "\n\n"), "prose", fallback)


def code(size, fallback=False):
    """Return modules of the standard library, 24 at first, all of them where `size` asks for more."""
    return _first_found(partial(_library_code, size), partial(_own_pieces, "\n\n\n"), "code", fallback)


def names(fallback=False, languages=LANGUAGES):
    """Return {language: [(key, name)]} of countries, languages and currencies from CLDR, or our fallback.

    A key stands for the same thing in every language. languages: codes of CLDR; the fallback knows those
    of LANGUAGES and of the five scripts, and has names for keys.
    """
    return _first_found(partial(_cldr_names, languages), _own_names, "names", fallback)


def digits(size):
    """Return at least `size` bytes of sums, tables and dates in runs of 60 lines, the same on every machine.

    >>> digits(9)[0][0][0][1].splitlines()[0]
    '0 + 0 = 0'
    """
    groups, length = [], 0
    while length <= size:
        first = len(groups) * GROUP_RUNS
        groups.append([(f"run {run}", _digit_run(run)) for run in range(first, first + GROUP_RUNS)])
        length += _length(groups[-1])
    return groups, "digits: generated lines of sums, tables and dates"


def lines_of(found):
    """Join names to a text of four names a line.

    >>> lines_of(["a", "b", "c", "d", "e"])
    'a, b, c, d\\ne'
    """
    return "\n".join(", ".join(found[start:start + 4]) for start in range(0, len(found), 4))


def _first_found(read, read_own, domain, fallback):
    reason = "asked for"
    if not fallback:
        try:
            found, source = read()
            return found, f"{domain}: {source}"
        except _MISSING as error:
            reason = f"the usual source is missing here ({error})"
    return read_own(domain), f"{domain}: FALLBACK, a short text of our own; {reason}"


def _prose(size):
    topics = importlib.import_module("pydoc_data.topics").topics
    groups, note = [sorted(topics.items())], f"help topics of Python {_python()}"
    for package in ("numpy", "matplotlib"):
        if sum(map(_length, groups)) < size and (pieces := _docstrings(package)):
            groups.append(pieces)
            note += f", docstrings of {package} {importlib.import_module(package).__version__}"
    return groups, note


def _docstrings(package):
    """Return [(file, its docstrings)] of an installed package without its tests, or nothing."""
    found = util.find_spec(package)
    folder = Path(found.submodule_search_locations[0]) if found else Path()
    pieces = ((name, _docs_in(text)) for name, text in (_python_files(folder) if found else ()))
    return [(f"{package}/{name}", text) for name, text in pieces if text]


def _docs_in(source):
    """Join the long texts of a file that stand for themselves: docstrings, and those added to C functions."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
             and isinstance(node.value, str) and len(node.value) > 200 and "\n" in node.value]
    return "\n\n".join("\n".join(line.strip() for line in text.strip().splitlines()) for text in texts)


def _library_code(size):
    folder = Path(sysconfig.get_path("stdlib"))
    files = [path for path in (folder / f"{name}.py" for name in _CODE_FILES) if path.is_file()]
    if not files:
        raise LookupError("no source files of the standard library")
    groups = [[(path.name, path.read_text(encoding="utf-8")) for path in files]]
    if _length(groups[0]) < size:
        known = {name for name, _ in groups[0]}
        groups.append([piece for piece in _python_files(folder) if piece[0] not in known])
    count = sum(map(len, groups))
    return groups, f"{count} modules of the standard library of Python {_python()}"


def _python_files(folder):
    """Return [(name, text)] of the Python files in a folder, tests and packages of others left out."""
    found = []
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if not _NOT_READ & set(inside.parts):
            found.append((inside.as_posix(), path.read_text(encoding="utf-8", errors="ignore")))
    return found


def _cldr_names(languages):
    babel = importlib.import_module("babel")
    try:
        found = {language: _names_in(babel.Locale.parse(language)) for language in languages}
    except babel.UnknownLocaleError as error:  # an old Babel; not one of _MISSING
        raise LookupError(str(error)) from None
    return found, f"countries, languages and currencies in {len(found)} languages, Babel {babel.__version__}"


def _names_in(locale):
    tables = {"country": locale.territories, "language": locale.languages, "currency": locale.currencies}
    return [(f"{kind} {key}", str(table[key])) for kind, table in tables.items() for key in sorted(table)]


def _own_text(domain):
    folder = resources.files("moeviz").joinpath("data")
    return folder.joinpath(f"fallback_{domain}.txt").read_text(encoding="utf-8")


def _own_pieces(border, domain):
    return [[(piece, f"{piece}\n") for piece in _own_text(domain).split(border)]]


def _own_names(domain):
    rows = (line.split(": ", 1) for line in _own_text(domain).splitlines())
    return {language: [(name, name) for name in text.split(", ")] for language, text in rows}


def _digit_run(run):
    return "\n".join(_digit_line(run * RUN_LINES + i) for i in range(RUN_LINES))


def _digit_line(i):
    """Build line i from remainders of large products, so that no random stream is needed.

    Each of the six kinds gives 27,916 different lines or more.
    """
    q, kind = divmod(i, 6)
    a, b, c = q * 7919 % 997, q * 104_729 % 89, q * 1_299_709 % 28
    match kind:
        case 0:
            return f"{a} + {b} = {a + b}"
        case 1:
            return f"{a} * {b} = {a * b}"
        case 2:
            return f"{1900 + a % 150}-{1 + b % 12:02}-{1 + c:02} {b % 24:02}:{a % 60:02}"
        case 3:
            return " ".join(f"{(1 + c) * (a + n):5}" for n in range(1, 11))
        case 4:
            return f"{a}/{b + 1} = {a / (b + 1):.4f}"
    return ", ".join(str(a + n * (1 + c)) for n in range(8))


def _length(pieces):
    return sum(len(text) for _, text in pieces)


def _python():
    return platform.python_version()

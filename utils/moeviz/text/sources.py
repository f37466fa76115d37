"""Where the words come from: texts that a Python installation already holds, and our own fallback.

Each source returns its text (names: one text per language) and a note that says what it is.
"""

import importlib
import platform
import sysconfig
from functools import partial
from importlib import resources
from pathlib import Path

LANGUAGES = ("ar", "de", "el", "en", "es", "fr", "he", "hi", "ja", "ka", "ko", "pl", "ru", "th", "tr", "zh")
_CODE_FILES = ("bisect", "calendar", "cmd", "colorsys", "contextlib", "copy", "csv", "dataclasses",
               "filecmp", "fnmatch", "fractions", "functools", "graphlib", "gzip", "heapq", "operator",
               "pprint", "queue", "random", "sched", "shlex", "statistics", "textwrap", "timeit")
_MISSING = (ImportError, AttributeError, OSError, LookupError, ValueError)


def prose(fallback=False):
    """Return Python's own help topics, or our fallback prose."""
    return _first_found(_help_topics, _own_text, "prose", fallback)


def code(fallback=False):
    """Return modules of the standard library, or our fallback code."""
    return _first_found(_library_code, _own_text, "code", fallback)


def names(fallback=False, languages=LANGUAGES):
    """Return {language: names of countries, languages and currencies} from CLDR, or our fallback.

    languages: codes of CLDR; the fallback knows those of LANGUAGES and of the five scripts.
    """
    return _first_found(partial(_cldr_names, languages), _own_names, "names", fallback)


def digits(size):
    """Return `size` bytes of sums, tables and dates, the same on every machine.

    >>> digits(9)[0]
    '0 + 0 = 0'
    """
    lines, length = [], 0
    while length <= size:
        lines.append(_digit_line(len(lines)))
        length += len(lines[-1]) + 1
    return "\n".join(lines)[:size], "digits: generated lines of sums, tables and dates"


def _first_found(read, read_own, domain, fallback):
    reason = "asked for"
    if not fallback:
        try:
            found, source = read()
            return found, f"{domain}: {source}"
        except _MISSING as error:
            reason = f"the usual source is missing here ({error})"
    return read_own(domain), f"{domain}: FALLBACK, a short text of our own; {reason}"


def _help_topics():
    topics = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in sorted(topics)), f"help topics of Python {_python()}"


def _library_code():
    folder = Path(sysconfig.get_path("stdlib"))
    files = [path for path in (folder / f"{name}.py" for name in _CODE_FILES) if path.is_file()]
    if not files:
        raise LookupError("no source files of the standard library")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return text, f"{len(files)} modules of the standard library of Python {_python()}"


def _cldr_names(languages):
    babel = importlib.import_module("babel")
    try:
        texts = {language: _names_in(babel.Locale.parse(language)) for language in languages}
    except babel.UnknownLocaleError as error:  # an old Babel; not one of _MISSING
        raise LookupError(str(error)) from None
    return texts, f"countries, languages and currencies in {len(texts)} languages, Babel {babel.__version__}"


def _names_in(locale):
    tables = (locale.territories, locale.languages, locale.currencies)
    found = [str(table[key]) for table in tables for key in sorted(table)]
    return "\n".join(", ".join(found[start:start + 4]) for start in range(0, len(found), 4))


def _own_text(domain):
    folder = resources.files("moeviz").joinpath("data")
    return folder.joinpath(f"fallback_{domain}.txt").read_text(encoding="utf-8")


def _own_names(domain):
    return dict(line.split(": ", 1) for line in _own_text(domain).splitlines())


def _digit_line(i):
    """Build line i from remainders of large products, so that no random stream is needed."""
    a, b, c = i * 7919 % 997, i * 104_729 % 89, i * 1_299_709 % 28
    match i % 6:
        case 0:
            return f"{a} + {b} = {a + b}"
        case 1:
            return f"{a} * {b} = {a * b}"
        case 2:
            return f"{1900 + a % 150}-{1 + b % 12:02}-{1 + c:02} {b % 24:02}:{a % 60:02}"
        case 3:
            return " ".join(f"{(1 + c) * n:4}" for n in range(1, 11))
        case 4:
            return f"{a}/{b + 1} = {a / (b + 1):.4f}"
    return ", ".join(str(b + n * (1 + c)) for n in range(8))


def _python():
    return platform.python_version()

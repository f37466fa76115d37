"""Real text as bytes: a corpus from the Python installation, and helpers that name single bytes.

Nothing is downloaded. Where a source is missing, a short text of our own (in data/) stands in and
`Corpus.notes` says so.
"""

import ast
import hashlib
import importlib
import platform
import sysconfig
import unicodedata
import zlib
from dataclasses import dataclass, field
from functools import partial
from importlib import util
from pathlib import Path

import numpy as np

from moeviz.arrays import check_choice, check_count, check_mask, check_vector
from moeviz.checks import check_flag, check_kind, check_several, check_texts
from moeviz.files import stored

BYTE_CLASS_NAMES = ("space", "newline", "lower", "upper", "digit", "punctuation",
                    "non-ascii lead", "continuation")


def encode(sentence, name="sentence"):
    """Turn a sentence into its UTF-8 bytes, (T,) uint8; bytes and uint8 arrays pass through.

    name: what a ValueError calls it. Raises ValueError when it is empty, of another type, or holds half a
    surrogate pair.

    >>> encode("né").tolist()
    [110, 195, 169]
    """
    if isinstance(sentence, str):
        try:
            sentence = sentence.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ValueError(f"{name} has a character without UTF-8 bytes: {error.reason}") from None
    if isinstance(sentence, (bytes, bytearray)):
        sentence = np.frombuffer(sentence, dtype=np.uint8)
    if not isinstance(sentence, np.ndarray) or sentence.dtype != np.uint8 or sentence.ndim != 1:
        raise ValueError(f"{name} must be text, bytes or a (T,) uint8 array, got {_describe(sentence)}")
    if len(sentence) == 0:
        raise ValueError(f"{name} must not be empty")
    return sentence


def byte_classes(text):
    """Return the class of each byte, (T,) int, an index into BYTE_CLASS_NAMES.

    Tab counts as space, carriage return as newline, other control bytes as punctuation. A byte of
    192 and above starts a character outside ASCII, 128..191 continues one.
    Raises ValueError as `encode` does.

    >>> [BYTE_CLASS_NAMES[c] for c in byte_classes("A é")]
    ['upper', 'space', 'non-ascii lead', 'continuation']
    """
    text = encode(text, "text")
    tests = [np.isin(text, (32, 9)), np.isin(text, (10, 13)), (text >= 97) & (text <= 122),
             (text >= 65) & (text <= 90), (text >= 48) & (text <= 57), text < 128, text >= 192]
    return np.select(tests, range(7), default=7)


def byte_labels(text):
    """Return a printable label per byte, a list of T strings.

    A space is ␣, a newline ↵, a tab ⇥. A character of several bytes stands at its first byte, with "·"
    at each of the others; a combining mark sits on ◌. Bytes that cannot be shown are two hex digits.
    Raises ValueError as `encode` does.

    >>> byte_labels("né, 1")
    ['n', 'é', '·', ',', '␣', '1']
    """
    characters = encode(text, "text").tobytes().decode("utf-8", "surrogateescape")
    return [label for character in characters for label in _character_labels(character)]


def _character_labels(character):
    raw = character.encode("utf-8", "surrogateescape")
    named = {" ": "␣", "\n": "↵", "\t": "⇥"}.get(character)
    drawable = character.isprintable() and not "\ufe00" <= character <= "\ufe0f"
    shown = named or (character if drawable else f"{raw[0]:02X}")
    if unicodedata.category(shown[0]).startswith("M"):
        shown = "◌" + shown
    return [shown] + ["·"] * (len(raw) - 1)


def _describe(value):
    return f"dtype {value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)


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
        groups.append([
            (f"run {run}", "\n".join(_digit_line(run * RUN_LINES + i) for i in range(RUN_LINES)))
            for run in range(first, first + GROUP_RUNS)])
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
    groups, note = [sorted(topics.items())], f"help topics of Python {platform.python_version()}"
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
    return groups, f"{count} modules of the standard library of Python {platform.python_version()}"


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
    return stored(f"fallback_{domain}.txt").read_text(encoding="utf-8")


def _own_pieces(border, domain):
    return [[(piece, f"{piece}\n") for piece in _own_text(domain).split(border)]]


def _own_names(domain):
    rows = (line.split(": ", 1) for line in _own_text(domain).splitlines())
    return {language: [(name, name) for name in text.split(", ")] for language, text in rows}


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

SHARE = 10  # one byte in ten
LEAST = 32  # bytes: what is shorter repeats by chance


def split(groups, *, border="\n\n"):
    """Split groups of pieces [(name, text)] into (training text, held-out text), a tenth of each group.

    Which pieces are held out hangs on their names alone, and each group is split for itself, so a longer
    list of groups holds out what a shorter one did. border: what parts a piece, "\\n\\n" paragraphs, "\\n"
    lines; a part of 32 characters or more that the training text holds too is taken out of the held-out one.

    >>> pieces = [(name, f"This is the whole text of {name}.") for name in "abcdefghij"]
    >>> [len(text) for text in split([pieces])]
    [260, 28]
    """
    sides = [], []
    for group in groups:
        held = _held_out(group)
        for name, text in group:
            sides[name in held].append(text)
    known = {part for text in sides[0] for part in text.split(border)}
    held_out = (border.join(part for part in text.split(border) if len(part) < LEAST or part not in known)
                for text in sides[1])
    return "\n".join(sides[0]), "\n".join(held_out)


def split_names(found):
    """Split [(key, name)] into (training names, held-out names): one key in ten, the same in each language.

    A held-out name that another key has in training is left out.

    >>> split_names([("country DE", "Germany"), ("country FR", "France"), ("country BE", "Belgium")])
    (['Germany', 'France'], ['Belgium'])
    """
    sides = [], []
    for key, name in found:
        sides[_place(key) % SHARE == 0].append(name)
    known = set(sides[0])
    return sides[0], [name for name in sides[1] if name not in known]


def _held_out(group):
    """Return the names of the pieces that are held out: in an order by hash, as many as fit into a tenth."""
    room = sum(len(text) for _, text in group) / SHARE
    chosen = set()
    for name, text in sorted(group, key=lambda piece: (_place(piece[0]), piece[0])):
        if len(text) <= room:
            chosen.add(name)
            room -= len(text)
    return chosen or {min(group, key=lambda piece: (len(piece[1]), piece[0]))[0]}


def _place(name):
    return zlib.crc32(name.encode())


DOMAIN_NAMES = ("prose", "code", "digits", "names")
BLOCK = 2000  # bytes that are held out together where a text has no pieces


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Text as bytes, each byte with the domain it comes from.

    text: (N,) uint8, the bytes. domain: (N,) int, an index into domain_names; each domain is one run.
    domain_names: D names. notes: one line per domain that says where its text comes from.
    held_out: (N,) bool, the bytes that training must not see; None, for a text that has no pieces to hold
    out as a whole, takes every 10th block of 2000 bytes of each domain (of a 20th where it is short).
    sha256 is computed from the text. Raises ValueError naming the field that does not fit.

    >>> Corpus(encode("ab1"), [0, 0, 1], ("letters", "digits"), ()).sha256[:8]
    'ca5ba87c'
    """

    text: np.ndarray
    domain: np.ndarray
    domain_names: tuple
    notes: tuple = ()
    held_out: np.ndarray | None = None
    sha256: str = field(init=False)

    def __post_init__(self):
        text = np.array(encode(self.text, "text"))
        domain = np.array(check_vector(self.domain, "domain", kind="iu"))
        names, notes = check_texts(self.domain_names, "domain_names"), check_several(self.notes, "notes")
        if len(domain) != len(text):
            raise ValueError(f"domain must have shape ({len(text)},) like text, got {domain.shape}")
        if domain.min() < 0 or domain.max() >= len(names):
            raise ValueError(f"domain must lie in 0..{len(names) - 1}, got {domain.min()} to {domain.max()}")
        mask = self.held_out
        mask = _blocks(domain) if mask is None else np.array(check_mask(mask, len(text), "held_out"))
        for name, array in {"text": text, "domain": domain, "held_out": mask}.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for name, value in {"domain_names": names, "notes": notes,
                            "sha256": hashlib.sha256(text.tobytes()).hexdigest()}.items():
            object.__setattr__(self, name, value)

    def __repr__(self):
        sizes = np.bincount(self.domain, minlength=len(self.domain_names))
        parts = ", ".join(f"{name} {size}" for name, size in zip(self.domain_names, sizes, strict=True))
        return f"Corpus of {len(self.text)} bytes ({parts}), sha256 {self.sha256[:12]}"


def load_corpus(*, bytes_per_domain=400_000, fallback=False):
    """Collect up to `bytes_per_domain` bytes each of prose, code, digit lines and multilingual names.

    Prose is Python's own help text, code the standard library, names come from CLDR through Babel;
    the digit lines are generated. Beyond half a million bytes prose goes on with the docstrings of NumPy
    and matplotlib. A tenth of each domain is held out in whole help topics, files, runs of digit lines
    and names, and comes last in it. `fallback=True` uses our own short texts, which also stand in for
    each source that this Python installation lacks.
    Raises ValueError if bytes_per_domain is not a whole number of at least 100.

    >>> load_corpus(bytes_per_domain=500, fallback=True).domain_names
    ('prose', 'code', 'digits', 'names')
    """
    size = check_count(bytes_per_domain, "bytes_per_domain", low=100)
    found = [(prose(size, fallback), "\n\n"), (code(size, fallback), "\n\n"),
             (digits(size), "\n")]
    names = load_names(bytes_per_language=size // len(LANGUAGES), fallback=fallback)
    sides = [_sides(split(groups, border=border), size) for (groups, _), border in found]
    sides.append((names.text.tobytes(), names.held_out))
    texts, masks = zip(*sides, strict=True)
    notes = [note for (_, note), _ in found]
    return join(texts, DOMAIN_NAMES, [*notes, *names.notes], np.concatenate(masks))


def load_names(*, bytes_per_language=20_000, fallback=False):
    """Collect names of countries, languages and currencies; the domain of a byte is its language.

    LANGUAGES lists the sixteen languages, in eleven scripts. One name in ten is held out, in all languages.
    Raises ValueError if bytes_per_language is not a whole number of at least 4 (the bytes of one character).

    >>> len(load_names(bytes_per_language=100, fallback=True).domain_names)
    16
    """
    size = check_count(bytes_per_language, "bytes_per_language", low=4)
    by_language, note = names(fallback)
    both = (split_names(by_language[language]) for language in LANGUAGES)
    texts, masks = zip(*(_sides(tuple(map(lines_of, each)), size) for each in both), strict=True)
    return join(texts, LANGUAGES, [note], np.concatenate(masks))


def held_out_mask(corpus):
    """Return which bytes training must not see, (N,) bool: `Corpus.held_out`.

    Raises ValueError for what is no Corpus.

    >>> corpus = Corpus(np.zeros(40_000, dtype=np.uint8), np.zeros(40_000, dtype=int), ("zeros",))
    >>> np.nonzero(held_out_mask(corpus))[0][[0, 1999, 2000]].tolist()
    [18000, 19999, 38000]
    """
    return check_kind(corpus, "corpus", Corpus).held_out


def window_starts(corpus, *, width, held_out):
    """Return the starts of all windows of `width` bytes that lie in one domain and on one side.

    held_out=True gives windows of held-out bytes only, held_out=False windows of training bytes only.
    Raises ValueError for what is no Corpus, or a width that is no whole number from 1 to its length.

    >>> corpus = load_corpus(bytes_per_domain=2000, fallback=True)
    >>> starts = window_starts(corpus, width=9, held_out=True)
    >>> bool(held_out_mask(corpus)[starts + 8].all())
    True
    """
    mask = held_out_mask(corpus)
    width = check_count(width, "width", high=len(mask))
    change = (np.diff(corpus.domain) != 0) | (np.diff(mask) != 0)
    stretch = np.concatenate([[0], np.cumsum(change)])
    starts = np.arange(len(mask) - width + 1)
    inside = stretch[starts] == stretch[starts + width - 1]
    return starts[inside & (mask[starts] == check_flag(held_out, "held_out"))]


def join(texts, names, notes, held_out=None):
    """Return the Corpus of D texts, each of bytes and a domain of its own, with D names."""
    sizes = [len(text) for text in texts]
    return Corpus(b"".join(texts), np.repeat(np.arange(len(texts)), sizes), names, notes, held_out)


def cut(text, size):
    """Keep the first `size` bytes, without half a character at the end."""
    whole = text.replace("\r\n", "\n").encode("utf-8", "ignore")
    return whole[:size].decode("utf-8", "ignore").encode()


def _sides(both, size):
    """Return the bytes of (training text, held-out text), a tenth of `size` for that, and which they are."""
    training, held_out = cut(both[0] + "\n", size - size // 10), cut(both[1] + "\n", size // 10)
    return training + held_out, np.arange(len(training) + len(held_out)) >= len(training)


def _blocks(domain):
    """Mark every 10th block of 2000 bytes of each domain; one of less than 40,000 bytes has 20 blocks."""
    mask = np.zeros(len(domain), dtype=bool)
    for each in range(domain.max() + 1):
        inside = np.nonzero(domain == each)[0]
        block = max(1, min(BLOCK, len(inside) // 20))
        mask[inside] = np.arange(len(inside)) // block % 10 == 9
    return mask


SCRIPT_OF = {"de": "Latin", "es": "Latin", "tr": "Latin",
             "bg": "Cyrillic", "ru": "Cyrillic", "uk": "Cyrillic",
             "ar": "Arabic", "fa": "Arabic", "ur": "Arabic",
             "hi": "Devanagari", "mr": "Devanagari", "ne": "Devanagari",
             "yue": "Han", "zh": "Han"}
SCRIPTS = tuple(dict.fromkeys(SCRIPT_OF.values()))


def load_scripts(*, languages=tuple(SCRIPT_OF), bytes_per_language=12_000, fallback=False):
    """Collect up to `bytes_per_language` bytes of names in each language, by default all of SCRIPT_OF.

    The domain of a byte is its language. From CLDR through Babel; without it a few names of our own
    stand in, again and again in another order until each language has its bytes.
    Raises ValueError for a language that is not in SCRIPT_OF, or if bytes_per_language is not a whole number
    of at least 200.

    >>> load_scripts(bytes_per_language=200, fallback=True).domain_names[:4]
    ('de', 'es', 'tr', 'bg')
    """
    size = check_count(bytes_per_language, "bytes_per_language", low=200)
    languages = tuple(check_choice(language, "languages", SCRIPT_OF) for language in languages)
    by_language, note = names(fallback, languages)
    whole = (lines_of([name for _, name in by_language[language]]) for language in languages)
    texts = [cut(repeat_names(text, size), size) for text in whole]
    return join(texts, languages, [note])


def repeat_names(text, size):
    """Return the text, followed by lines of its names in other orders until it has `size` bytes.

    >>> repeat_names("a, b, c", 14)
    'a, b, c\\nc, a, b'
    """
    lines, length, names = [text], len(text.encode()), text.replace("\n", ", ").split(", ")
    while length < size:
        step = len(lines) % len(names)
        names = names[-1:] + names[:-1] if step else names[::-1]
        lines.append(", ".join(names))
        length += len(lines[-1].encode()) + 1
    return "\n".join(lines)

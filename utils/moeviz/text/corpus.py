"""Corpus: text as bytes with domains, where it is loaded from, and the split into training and held-out.

N is the number of bytes of a corpus.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from moeviz.arrays import check_count, check_mask, check_vector
from moeviz.checks import check_flag, check_kind, check_several, check_texts
from moeviz.text import sources
from moeviz.text.split import split, split_names
from moeviz.text.symbols import encode

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
    found = [(sources.prose(size, fallback), "\n\n"), (sources.code(size, fallback), "\n\n"),
             (sources.digits(size), "\n")]
    names = load_names(bytes_per_language=size // len(sources.LANGUAGES), fallback=fallback)
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
    by_language, note = sources.names(fallback)
    both = (split_names(by_language[language]) for language in sources.LANGUAGES)
    texts, masks = zip(*(_sides(tuple(map(sources.lines_of, each)), size) for each in both), strict=True)
    return join(texts, sources.LANGUAGES, [note], np.concatenate(masks))


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

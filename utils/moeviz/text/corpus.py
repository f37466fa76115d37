"""Corpus: text as bytes with domains, where it is loaded from, and the split into training and held-out.

N is the number of bytes of a corpus.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from moeviz.arrays import check_count, check_vector
from moeviz.checks import check_flag, check_kind, check_several, check_texts
from moeviz.text import sources
from moeviz.text.symbols import encode

DOMAIN_NAMES = ("prose", "code", "digits", "names")
BLOCK = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Text as bytes, each byte with the domain it comes from.

    text: (N,) uint8, the bytes. domain: (N,) int, an index into domain_names; each domain is one run.
    domain_names: D names. notes: one line per domain that says where its text comes from.
    sha256 is computed from the text. Raises ValueError naming the field that does not fit.

    >>> Corpus(encode("ab1"), [0, 0, 1], ("letters", "digits"), ()).sha256[:8]
    'ca5ba87c'
    """

    text: np.ndarray
    domain: np.ndarray
    domain_names: tuple
    notes: tuple = ()
    sha256: str = field(init=False)

    def __post_init__(self):
        text = np.array(encode(self.text, "text"))
        domain = np.array(check_vector(self.domain, "domain", kind="iu"))
        names, notes = check_texts(self.domain_names, "domain_names"), check_several(self.notes, "notes")
        if len(domain) != len(text):
            raise ValueError(f"domain must have shape ({len(text)},) like text, got {domain.shape}")
        if domain.min() < 0 or domain.max() >= len(names):
            raise ValueError(f"domain must lie in 0..{len(names) - 1}, got {domain.min()} to {domain.max()}")
        text.setflags(write=False)
        domain.setflags(write=False)
        for name, value in {"text": text, "domain": domain, "domain_names": names, "notes": notes,
                            "sha256": hashlib.sha256(text.tobytes()).hexdigest()}.items():
            object.__setattr__(self, name, value)

    def __repr__(self):
        sizes = np.bincount(self.domain, minlength=len(self.domain_names))
        parts = ", ".join(f"{name} {size}" for name, size in zip(self.domain_names, sizes, strict=True))
        return f"Corpus of {len(self.text)} bytes ({parts}), sha256 {self.sha256[:12]}"


def load_corpus(*, bytes_per_domain=400_000, fallback=False):
    """Collect up to `bytes_per_domain` bytes each of prose, code, digit lines and multilingual names.

    Prose is Python's own help text, code the standard library, names come from CLDR through Babel;
    the digit lines are generated. `fallback=True` uses our own short texts, which also stand in for
    each source that this Python installation lacks.
    Raises ValueError if bytes_per_domain is not a whole number of at least 100.

    >>> load_corpus(bytes_per_domain=500, fallback=True).domain_names
    ('prose', 'code', 'digits', 'names')
    """
    size = check_count(bytes_per_domain, "bytes_per_domain", low=100)
    (prose, prose_note), (code, code_note) = sources.prose(fallback), sources.code(fallback)
    digits, digits_note = sources.digits(size)
    names = load_names(bytes_per_language=size // len(sources.LANGUAGES), fallback=fallback)
    texts = [cut(prose, size), cut(code, size), cut(digits, size), names.text.tobytes()]
    return join(texts, DOMAIN_NAMES, [prose_note, code_note, digits_note, *names.notes])


def load_names(*, bytes_per_language=20_000, fallback=False):
    """Collect names of countries, languages and currencies; the domain of a byte is its language.

    LANGUAGES lists the sixteen languages, in eleven scripts. Raises ValueError if bytes_per_language
    is not a whole number of at least 4 (the bytes of one character).

    >>> len(load_names(bytes_per_language=100, fallback=True).domain_names)
    16
    """
    size = check_count(bytes_per_language, "bytes_per_language", low=4)
    by_language, note = sources.names(fallback)
    texts = [cut(by_language[language], size) for language in sources.LANGUAGES]
    return join(texts, sources.LANGUAGES, [note])


def held_out_mask(corpus):
    """Mark the bytes that training must not see, (N,) bool: every 10th block of 2000 bytes per domain.

    A domain of less than 40,000 bytes is cut into 20 blocks, so that it has held-out bytes too.
    Raises ValueError for what is no Corpus.

    >>> corpus = Corpus(np.zeros(40_000, dtype=np.uint8), np.zeros(40_000, dtype=int), ("zeros",))
    >>> np.nonzero(held_out_mask(corpus))[0][[0, 1999, 2000]].tolist()
    [18000, 19999, 38000]
    """
    mask = np.zeros(len(check_kind(corpus, "corpus", Corpus).text), dtype=bool)
    for domain in range(len(corpus.domain_names)):
        inside = np.nonzero(corpus.domain == domain)[0]
        block = max(1, min(BLOCK, len(inside) // 20))
        mask[inside] = np.arange(len(inside)) // block % 10 == 9
    return mask


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


def join(texts, names, notes):
    """Return the Corpus of D texts, each of bytes and a domain of its own, with D names."""
    sizes = [len(text) for text in texts]
    return Corpus(b"".join(texts), np.repeat(np.arange(len(texts)), sizes), names, notes)


def cut(text, size):
    """Keep the first `size` bytes, without half a character at the end."""
    whole = text.replace("\r\n", "\n").encode("utf-8", "ignore")
    return whole[:size].decode("utf-8", "ignore").encode()

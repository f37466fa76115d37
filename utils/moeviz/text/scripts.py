"""Names of countries, languages and currencies in fourteen languages that share five scripts.

For the question whether experts follow a script or a language: every script has more than one language.
"""

from moeviz.arrays import check_count
from moeviz.text import sources
from moeviz.text.corpus import cut, join

SCRIPT_OF = {"de": "Latin", "es": "Latin", "tr": "Latin",
             "bg": "Cyrillic", "ru": "Cyrillic", "uk": "Cyrillic",
             "ar": "Arabic", "fa": "Arabic", "ur": "Arabic",
             "hi": "Devanagari", "mr": "Devanagari", "ne": "Devanagari",
             "yue": "Han", "zh": "Han"}
SCRIPTS = tuple(dict.fromkeys(SCRIPT_OF.values()))


def load_scripts(*, bytes_per_language=12_000, fallback=False):
    """Collect up to `bytes_per_language` bytes of names in each language of SCRIPT_OF.

    The domain of a byte is its language. From CLDR through Babel; without it a few names of our own
    stand in, again and again in another order until each language has its bytes.
    Raises ValueError if bytes_per_language is not a whole number of at least 200.

    >>> load_scripts(bytes_per_language=200, fallback=True).domain_names[:4]
    ('de', 'es', 'tr', 'bg')
    """
    size = check_count(bytes_per_language, "bytes_per_language", low=200)
    by_language, note = sources.names(fallback, tuple(SCRIPT_OF))
    whole = (sources.lines_of([name for _, name in by_language[language]]) for language in SCRIPT_OF)
    texts = [cut(repeat_names(text, size), size) for text in whole]
    return join(texts, tuple(SCRIPT_OF), [note])


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

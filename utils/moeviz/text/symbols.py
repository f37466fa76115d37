"""Single bytes: from a sentence to bytes, and a class and a printable label for each byte. T bytes."""

import unicodedata

import numpy as np

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

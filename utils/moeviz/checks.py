"""Checks of arguments that are neither arrays nor numbers: flags, texts, several of a kind, one record."""

from collections.abc import Iterable

from moeviz.arrays import check_count


def check_flag(value, name):
    """Return `value` if it is True or False, or raise a ValueError.

    >>> check_flag(True, "tied")
    True
    """
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value


def check_optional(value, name, low=1):
    """Return `value` if it is None or a whole number of at least `low`, or raise a ValueError.

    >>> check_optional(None, "window") is None
    True
    """
    return value if value is None else check_count(value, name, low)


def check_text(value, name):
    """Return `value` if it is text that is not empty, or raise a ValueError.

    >>> check_text("Mixtral", "name")
    'Mixtral'
    """
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def check_several(value, name):
    """Return several things as a tuple, or raise a ValueError for a single one; a text is a single one.

    >>> check_several([1, 2], "layers")
    (1, 2)
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise ValueError(f"{name} must be a list, got {value!r}")
    return tuple(value)


def check_texts(value, name):
    """Return different texts as a tuple, or raise a ValueError.

    >>> check_texts(["prose", "prose"], "domain_names")
    Traceback (most recent call last):
    ValueError: domain_names must be different texts, got ('prose', 'prose')
    """
    texts = check_several(value, name)
    if not all(isinstance(text, str) for text in texts) or len(set(texts)) != len(texts):
        raise ValueError(f"{name} must be different texts, got {texts}")
    return texts


def check_kind(value, name, kind):
    """Return `value` if it is an instance of the class `kind`, or raise a ValueError that names both.

    >>> check_kind(7, "corpus", dict)
    Traceback (most recent call last):
    ValueError: corpus must be a dict, got int
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOaeio" else "a"
        raise ValueError(f"{name} must be {article} {kind.__name__}, got {type(value).__name__}")
    return value


def store(record, check, *names, **limits):
    """Check fields of a frozen record, and store what `check` returns: a plain int for an int32, say.

    Meant for `__post_init__`. Raises the ValueError of `check(value, name, **limits)`.

    >>> from types import SimpleNamespace
    >>> record = SimpleNamespace(layers=True)
    >>> store(record, check_flag, "layers")
    >>> record.layers
    True
    """
    for name in names:
        object.__setattr__(record, name, check(getattr(record, name), name, **limits))

"""Checks of single fields that the descriptions of a model share."""

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

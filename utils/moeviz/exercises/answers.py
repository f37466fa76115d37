"""Compare an answer with the expected one, whatever container it came in, and show both.

An answer is brought into the expected structure first: a list counts as the array or the tuple it stands
for, an array of two as a pair, an array without axes as a number. Shapes have to agree exactly.
"""

import math
import numbers

import numpy as np

from moeviz.record import Routing

TOLERANCE = 1e-6  # relative; absolute where everything expected is 0
ZERO = 1e-12      # expected values below this are rounding
DIGITS = (3, 5, 8, 12, 17)
MANY = 40         # numbers of an array that are shown in full


class MisfitError(Exception):
    """Raised where an answer cannot be read as the structure that is expected."""


def fit(got, expected):
    """Return the answer in the structure of the expected value, or raise a MisfitError.

    >>> fit([[1, 2], [3, 4]], (np.zeros(2), np.zeros(2)))
    (array([1, 2]), array([3, 4]))
    """
    if isinstance(expected, (tuple, list)):
        items = _items(got)
        if items is None or len(items) != len(expected):
            raise MisfitError
        return tuple(fit(item, one) for item, one in zip(items, expected, strict=True))
    if isinstance(expected, np.ndarray) or np.isscalar(expected):
        array = _numbers(got, text=np.asarray(expected).dtype.kind == "U")
        if array.shape != np.shape(expected):
            raise MisfitError
        return array if isinstance(expected, np.ndarray) else array[()]
    if type(got) is not type(expected):
        raise MisfitError
    return got


def _items(value):
    """Return the parts of a tuple, a list or an array with axes, else None."""
    if isinstance(value, (tuple, list)):
        return value
    return list(value) if isinstance(value, np.ndarray) and value.ndim and not value.dtype.names else None


def _numbers(value, *, text):
    """Return an array of numbers, or of text; anything else is a MisfitError."""
    try:
        array = np.asarray(value)
        if array.dtype.kind == "O":
            array = array.astype(float)
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise MisfitError from None
    if array.dtype.kind != "U" if text else array.dtype.kind not in "biufc":
        raise MisfitError
    return array


def same(expected, got, tolerance=TOLERANCE):
    """Say whether two values of one structure agree; NaN agrees with NaN, and a Routing counts by its parts.

    >>> same((np.zeros(2), 1.0), (np.zeros(2), 1.0 + 1e-9))
    True
    """
    if isinstance(expected, Routing):
        fields = ("expert_index", "combine_weight", "kept")
        return isinstance(got, Routing) and all(
            same(getattr(expected, name), getattr(got, name), tolerance) for name in fields)
    if isinstance(expected, (tuple, list)):
        return (isinstance(got, (tuple, list)) and len(expected) == len(got)
                and all(same(one, other, tolerance) for one, other in zip(expected, got, strict=True)))
    if isinstance(expected, np.random.Generator):
        return True  # drawing from it is no change of an input
    one, other = np.asarray(expected), np.asarray(got)
    if one.shape != other.shape:
        return False
    if np.array_equal(one, other):
        return True
    return (one.dtype.kind in "biufc" and other.dtype.kind in "biufc"
            and bool(_close(one, other, tolerance).all()))


def _close(expected, got, tolerance):
    finite = np.abs(expected[np.isfinite(expected)].astype(float))
    scale = finite.max(initial=0.0)
    absolute = tolerance * (min(1.0, scale) if scale > ZERO else 1.0)
    return np.isclose(got, expected, rtol=tolerance, atol=absolute, equal_nan=True)


def agree(expected, got):
    """Say whether an answer, in whatever container, has the expected value."""
    try:
        return same(expected, fit(got, expected))
    except MisfitError:
        return False


def describe(value, depth=0):
    """Say what kind of thing a value is, by its shape where it has one.

    >>> describe((np.zeros((2, 3)), 1.0))
    '(shape (2, 3), a single value)'
    """
    if isinstance(value, Routing):
        return f"a Routing of {value.num_tokens} tokens, {value.num_experts} experts, k = {value.k}"
    if isinstance(value, tuple) and depth < 2 and len(value) < 6:
        return "(" + ", ".join(describe(item, depth + 1) for item in value) + ")"
    if isinstance(value, (str, type(None))):
        return "None" if value is None else "a text"
    if isinstance(value, (list, np.ndarray, numbers.Number, np.generic)):
        try:
            shape = _numbers(value, text=False).shape
        except MisfitError:
            return f"{_article(value)} that holds no plain numbers"
        return f"shape {shape}" if shape else "a single value"
    return _article(value)


def _article(value):
    name = type(value).__name__
    name = f"{name} of {len(value)}" if isinstance(value, (tuple, list)) else name
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def show(name, value, digits=DIGITS[0]):
    """Return an indented line, or several, with a named value.

    >>> show("k", 2)
    '  k = 2'
    """
    lines = text(value, digits).splitlines() or [""]
    return f"  {name} = " + ("\n" + " " * (len(name) + 5)).join(lines)


def show_case(names, case):
    """Return the lines of all arguments of a case."""
    return "\n".join(show(name, value) for name, value in zip(names, case, strict=True))


def show_both(expected, got):
    """Return the lines of the expected value and the learner's, with as many digits as it takes to differ."""
    digits = next((n for n in DIGITS if text(expected, n) != text(got, n)), DIGITS[-1])
    return "\n".join([show("expected", expected, digits), show("yours", got, digits),
                      *_first_difference(expected, got)])


def _first_difference(expected, got):
    """Name the first place where two long arrays differ."""
    if not isinstance(expected, np.ndarray) or expected.size <= MANY or not isinstance(got, np.ndarray):
        return []
    place = tuple(np.argwhere(~_close(expected, got, TOLERANCE))[0].tolist())
    return [show(f"at {list(place)}, {whose}", values[place], 8)
            for whose, values in (("expected", expected), ("yours", got))]


def text(value, digits, depth=0):
    """Return a value as a learner would write it, floats with that many digits.

    >>> text((np.float64(0.25), np.array([1.0, 2.0])), 3)
    '(0.25, [1. 2.])'
    """
    if isinstance(value, str):
        return repr(str(value))
    if isinstance(value, np.ndarray) and value.ndim:
        return np.array2string(value, precision=digits, suppress_small=digits < DIGITS[-1],
                               threshold=MANY, edgeitems=2)
    if isinstance(value, (tuple, list)) and depth < 3:
        inside = ", ".join(text(item, digits, depth + 1) for item in value[:MANY])
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.item()
    if isinstance(value, float) and math.isfinite(value):
        whole = value.is_integer() and abs(value) < 10**12
        return f"{value:.1f}" if whole else f"{value:.{max(digits + 1, 1)}g}"
    try:
        return str(value)
    except Exception:  # the learner's own class may raise anything
        return f"<{type(value).__name__}>"

"""Read pickled counters without trusting them: Counter and NumPy's whole numbers, and nothing else.

Unpickling runs whatever the file names. Here a name can only mean one of the stand-ins below, which make
plain dicts and ints; every instruction that the published files do not use is refused beforehand.
"""

import functools
import io
import pickle
import pickletools

MAX_BYTES = 1_000_000
MAX_COUNT = 2**53
_ALLOWED = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "NONE", "NEWTRUE", "NEWFALSE", "BININT",
    "BININT1", "BININT2", "LONG1", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES",
    "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "STACK_GLOBAL", "REDUCE",
    "BUILD"))
_PUT, _GET = ("MEMOIZE", "BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
_CODES = frozenset(f"{sign}{size}" for sign in "iu" for size in (1, 2, 4, 8))
_BROKEN = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, EOFError, MemoryError,
           RecursionError, pickle.UnpicklingError)


def load_counters(content, name):
    """Return the list of {key: count} in a pickle of Counters; a key is an int or a pair of ints.

    content: bytes. name: what ValueErrors call it. Raises ValueError for anything else in it, before
    anything of it could run.

    >>> import collections
    >>> load_counters(pickle.dumps([collections.Counter({(0, 3): 5})]), "one pair")
    [{(0, 3): 5}]
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name} has {len(content)} bytes, more than the {MAX_BYTES} allowed")
    try:
        _check_instructions(content)
        counters = _Restricted(io.BytesIO(content)).load()
        return [_checked(counter) for counter in counters] if type(counters) is list else _refuse(counters)
    except _BROKEN as error:
        raise ValueError(f"{name} is no list of counters: {error}") from None


class _Integer:
    """Stands in for numpy.dtype: a whole number of so many bytes, signed or not."""

    def __init__(self, code, *flags):
        if not isinstance(code, str) or code not in _CODES:
            raise ValueError(f"numpy.dtype {code!r} is no whole number")
        self.size, self.signed, self.order = int(code[1]), code[0] == "i", "little"

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise ValueError("numpy.dtype has a state that is not known")
        self.order = "big" if state[1] == ">" else "little"


def _scalar(kind, raw):
    """Stands in for numpy's scalar: the int in these bytes."""
    if not isinstance(kind, _Integer) or not isinstance(raw, bytes) or len(raw) != kind.size:
        raise ValueError("a NumPy scalar that is no whole number")
    return int.from_bytes(raw, kind.order, signed=kind.signed)


def _counter(counts=None):
    """Stands in for collections.Counter: a plain dict."""
    if type(counts) is not dict:
        raise ValueError("a Counter of something that is no dict")
    return counts


_KNOWN = {("collections", "Counter"): _counter, ("numpy", "dtype"): _Integer,
          ("numpy.core.multiarray", "scalar"): _scalar, ("numpy._core.multiarray", "scalar"): _scalar}


class _Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise ValueError(f"it asks for {module}.{name}")
        known = _KNOWN[module, name]
        return functools.partial(known)  # a new one each time: a state would stay on it


def _check_instructions(content):
    """Refuse instructions of no use here, and tuples that are used twice: nested, they take ages to hash."""
    slots, memoized, previous = set(), 0, ""
    for code, argument, _ in pickletools.genops(content):
        if code.name not in _ALLOWED:
            raise ValueError(f"it has the instruction {code.name}")
        if code.name in _PUT and code.name != "MEMOIZE" and argument > len(content):
            raise ValueError(f"it keeps a thing at place {argument}, far beyond what it holds")
        if code.name in _PUT:
            slot = memoized if code.name == "MEMOIZE" else argument
            slots.update([slot] if "TUPLE" in previous else [])
            memoized += 1
        elif code.name in _GET and argument in slots:
            raise ValueError("it uses a tuple twice")
        elif code.name != "FRAME":
            previous = code.name


def _checked(counter):
    if type(counter) is not dict:
        _refuse(counter)
    for key, count in counter.items():
        parts = key if isinstance(key, tuple) else (key,)
        if len(parts) > 2 or not all(type(part) is int and 0 <= part < 2**15 for part in parts):
            raise ValueError("a key must be an expert or a pair of experts")
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            raise ValueError("a count must be a whole number of at least 0")
    return counter


def _refuse(value):
    raise ValueError(f"it holds {type(value).__name__} where counters belong")

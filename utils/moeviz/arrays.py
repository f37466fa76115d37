"""Small array functions that everything above shares. T tokens, E experts, k choices."""

import math

import numpy as np

_erf = np.frompyfunc(math.erf, 1, 1)
BLOCK = 2**16


def softmax(scores, axis=-1):
    """Turn scores into positive shares that sum to 1 along `axis`; safe for large scores.

    >>> softmax(np.array([0.0, 0.0, 1000.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    with np.errstate(over="ignore"):  # beyond the range of floats stands -inf, and its power is 0
        shifted = scores - np.max(scores, axis=axis, keepdims=True)
    powers = np.exp(shifted, out=shifted if shifted.dtype.kind == "f" else None)  # new memory is slow
    powers /= powers.sum(axis=axis, keepdims=True)
    return powers


def softmax_backward(probs, dprobs):
    """Carry a gradient from softmax's output (T, E) back to its input (T, E).

    >>> softmax_backward(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])).tolist()
    [[0.25, -0.25]]
    """
    return probs * (dprobs - (probs * dprobs).sum(axis=-1, keepdims=True))


def log_sum_exp(scores, axis=-1):
    """Return log(sum(exp(scores))) along `axis`, safe for large scores.

    >>> round(float(log_sum_exp(np.array([1e4, 1e4])) - 1e4), 6)
    0.693147
    """
    top = np.max(scores, axis=axis, keepdims=True)
    with np.errstate(over="ignore"):  # as in softmax
        shifted = scores - top
    return np.squeeze(top, axis) + np.log(np.exp(shifted).sum(axis=axis))


def sigmoid(scores):
    """Squash each score into (0, 1) by itself; no overflow at either end.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4])).tolist()
    [0.0, 0.5, 1.0]
    """
    shrunk = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1 / (1 + shrunk), shrunk / (1 + shrunk))


def softplus(scores):
    """Return log(1 + exp(score)), a smooth max(score, 0).

    >>> softplus(np.array([-1e4, 1e4])).tolist()
    [0.0, 10000.0]
    """
    return np.maximum(scores, 0) + np.log1p(np.exp(-np.abs(scores)))


def normal_cdf(values):
    """Return the probability that a standard normal draw lies below each value.

    >>> normal_cdf(np.array([-40.0, 0.0, 40.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    scaled = np.asarray(values, dtype=float) / math.sqrt(2)
    flat, shares = scaled.ravel(), np.empty(scaled.size)
    for start in range(0, len(flat), BLOCK):  # erf's results are Python objects: a few at a time
        shares[start:start + BLOCK] = _erf(flat[start:start + BLOCK])
    return 0.5 * (1 + shares.reshape(scaled.shape))


def top_k_index(scores, k):
    """Return the columns of the k largest scores of each row, best first: (T, E) -> (T, k).

    Ties go to the lowest column, which is why the sort is stable.

    >>> top_k_index(np.array([[1.0, 3.0, 3.0, 2.0]]), 2).tolist()
    [[1, 2]]
    """
    if k == 1:
        return np.argmax(scores, axis=-1)[..., None]  # the same, without sorting
    return np.argsort(-scores, axis=-1, kind="stable")[..., :k].copy()  # not a view of all T x E


def top_k_mask(scores, k):
    """Return (T, E) bool: True at the k largest scores of each row, those of `top_k_index`.

    >>> top_k_mask(np.array([[1.0, 3.0, 3.0, 2.0]]), 2).tolist()
    [[False, True, True, False]]
    """
    mask = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(mask, top_k_index(scores, k), True, axis=-1)
    return mask


def one_hot(index, num_classes):
    """Return a bool array with True at each index; a negative index gives an all-False row.

    >>> one_hot(np.array([1, -1]), 3).astype(int).tolist()
    [[0, 1, 0], [0, 0, 0]]
    """
    return np.asarray(index)[..., None] == np.arange(num_classes)


def check_matrix(value, name, shape="(T, E)"):
    """Return `value` as a finite float matrix, or raise a ValueError that says what is wrong.

    >>> check_matrix([[1, 2]], "logits").dtype
    dtype('float64')
    >>> check_matrix([1.0, 2.0], "logits")
    Traceback (most recent call last):
    ValueError: logits must have shape (T, E), got shape (2,)
    """
    array = as_array(value, name)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape {shape}, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if array.dtype not in (np.float32, np.float64):  # half precision is too coarse for shares
        array = array.astype(float)
    if not all_finite(array):
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name} must be finite, got {array[row, column]} at [{row}, {column}]")
    return array


def check_same_shape(value, name, like, like_name):
    """Return `value` as a finite float matrix of the same shape as `like`, or raise ValueError.

    >>> check_same_shape([[1.0]], "noise_logits", np.zeros((1, 2)), "logits")
    Traceback (most recent call last):
    ValueError: noise_logits must have the shape of logits (1, 2), got (1, 1)
    """
    array = check_matrix(value, name)
    if array.shape != like.shape:
        raise ValueError(f"{name} must have the shape of {like_name} {like.shape}, got {array.shape}")
    return array


def check_vector(value, name, length=None, kind="fiu"):
    """Return `value` as a finite vector of one of the dtype kinds, or raise ValueError.

    >>> check_vector([0.1, 0.2], "bias", length=3)
    Traceback (most recent call last):
    ValueError: bias must have shape (3,), got shape (2,)
    """
    array = as_array(value, name)
    if array.ndim != 1 or (length is not None and len(array) != length):
        expected = "one dimension" if length is None else f"shape ({length},)"
        raise ValueError(f"{name} must have {expected}, got shape {array.shape}")
    if array.dtype.kind not in kind:
        raise ValueError(f"{name} has dtype {array.dtype}, expected one of the kinds {'/'.join(kind)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def check_mask(value, length, name="mask"):
    """Return `value` as a bool vector with at least one True (None: all True), or raise ValueError.

    >>> check_mask(None, 2).tolist()
    [True, True]
    >>> check_mask([False, False], 2)
    Traceback (most recent call last):
    ValueError: mask must be True for at least one token, got none
    """
    if value is None:
        return np.ones(length, dtype=bool)
    mask = check_vector(value, name, length, kind="b")
    if not mask.any():
        raise ValueError(f"{name} must be True for at least one token, got none")
    return mask


def check_count(value, name, low=1, high=None):
    """Return `value` as an int between low and high, or raise a ValueError.

    >>> check_count(3, "k", high=2)
    Traceback (most recent call last):
    ValueError: k must be a whole number between 1 and 2, got 3
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not whole or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"between {low} and {high}"
        raise ValueError(f"{name} must be a whole number {limits}, got {value!r}")
    return int(value)


def check_number(value, name, low=-math.inf, high=math.inf):
    """Return `value` as a finite float between low and high, both included, or raise ValueError.

    >>> check_number(-1.0, "factor", low=0.0)
    Traceback (most recent call last):
    ValueError: factor must be a number between 0.0 and inf, got -1.0
    """
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} must be a number between {low} and {high}, got {value!r}")
    return float(value)


def check_choice(value, name, allowed):
    """Return `value` if it is one of `allowed` (texts, whole numbers, None), or raise a ValueError.

    >>> check_choice("first", "order", ("choice", "token"))
    Traceback (most recent call last):
    ValueError: order must be one of 'choice', 'token', got 'first'
    """
    plain = isinstance(value, (str, int, np.integer, type(None))) and not isinstance(value, bool)
    if not plain or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def check_rng(rng):
    """Return `rng` if it is a NumPy generator, or raise a ValueError that shows how to make one."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy Generator such as np.random.default_rng(0), got {rng!r}")
    return rng


def all_finite(array):
    """Return whether no entry is NaN or infinite; the sum of squares tells it fast, unless it overflows.

    >>> all_finite(np.array([1e308, 1e308])), all_finite(np.array([np.inf, -np.inf]))
    (True, False)
    """
    flat = array.ravel()
    return math.isfinite(np.vdot(flat, flat)) or bool(np.isfinite(flat).all())  # vdot gives no warning


def as_array(value, name):
    """Return `value` as an array, or raise a ValueError that names it.

    >>> as_array([[1], [2, 3]], "kept")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: kept is not an array: ...
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} hides {np.ma.count_masked(value)} masked entries, which would be counted: "
                         "leave their rows out, or fill them with what they stand for")
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # PyTorch refuses with a RuntimeError
        raise ValueError(f"{name} is not an array: {error}") from None

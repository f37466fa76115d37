"""What the exercises draw their cases from, and mistakes that come in every combination."""

import inspect
from functools import partial
from itertools import chain, combinations

import numpy as np


def whole(rng, *limits):
    """Return one whole number from each (low, high), both ends included, as plain ints.

    >>> whole(np.random.default_rng(0), (2, 2), (5, 5))
    (2, 5)
    """
    return tuple(int(rng.integers(low, high + 1)) for low, high in limits)


def choices(rng, num_tokens, num_experts, k):
    """Return (T, k): different experts for each token.

    >>> choices(np.random.default_rng(0), 3, 4, 2).shape
    (3, 2)
    """
    return rng.permuted(np.tile(np.arange(num_experts), (num_tokens, 1)), axis=1)[:, :k]


def scores(rng, num_tokens, num_experts, ties=False):
    """Return scores (T, E); with ties they are whole numbers, of which some are equal.

    >>> scores(np.random.default_rng(0), 2, 3).shape
    (2, 3)
    """
    if ties:
        return rng.integers(-2, 3, size=(num_tokens, num_experts)).astype(float)
    return 2 * rng.normal(size=(num_tokens, num_experts))


def asked(specification, **others):
    """Return the mistake of who answers another question: the right answer where some arguments differ.

    others: the value of an argument, or a function that makes it of the right one.

    >>> asked(lambda width, k: width * k, width=1, k=lambda k: k + 1)(5, 2)
    3
    """
    def answer(*case):
        arguments = inspect.signature(specification).bind(*case).arguments
        for name, other in others.items():
            arguments[name] = other(arguments[name]) if callable(other) else other
        return specification(**arguments)
    return answer


def name_bugs(exercise, function, shows):
    """Make every combination of bugs a mistake of an exercise, so that an answer with two is told both.

    function: like the specification, with one more argument `bugs`. shows: {bug: what one sees}.
    """
    sets = chain.from_iterable(combinations(shows, size) for size in range(1, len(shows) + 1))
    for bugs in sets:
        sentence = "still there: " + "; ".join(f"{bug}, {shows[bug]}" for bug in bugs)
        exercise.mistakes[sentence] = partial(function, bugs=bugs)
        if len(bugs) > 1:
            exercise.joined.add(sentence)

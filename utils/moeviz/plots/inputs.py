"""Checks of what a plot is given, and the words its description is made of."""

import numpy as np


def check_labels(labels, num_tokens, name="labels"):
    """Return one text per token; None gives the token numbers. Raises ValueError on another length.

    >>> check_labels(None, 3)
    ['0', '1', '2']
    """
    if labels is None:
        return [str(token) for token in range(num_tokens)]
    if isinstance(labels, (bytes, bytearray)):
        raise ValueError(f"{name} must be texts, one per token, got bytes")
    texts = [str(label) for label in labels]
    if len(texts) != num_tokens:
        raise ValueError(f"{name} must have one entry per token ({num_tokens}), got {len(texts)}")
    return texts


def extremes(counts, noun="expert", unit=""):
    """Say which entry is largest and which is smallest, with their values and shares.

    >>> extremes(np.array([3, 1]), unit="tokens")
    'most to expert 0 (3 tokens, 75%), fewest to expert 1 (1 tokens, 25%)'
    """
    total = max(counts.sum(), 1)
    words = [f"{noun} {at} ({counts[at]:g}{' ' + unit if unit else ''}, {100 * counts[at] / total:.0f}%)"
             for at in (int(np.argmax(counts)), int(np.argmin(counts)))]
    return f"most to {words[0]}, fewest to {words[1]}"

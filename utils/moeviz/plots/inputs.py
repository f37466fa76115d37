"""Checks of what a plot is given, the words its description is made of, and the table of a routing."""

import numpy as np

from moeviz.figure_data import set_matrix
from moeviz.record import EMPTY


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


def set_weights(ax, routed, labels):
    """Attach the matrix of tokens and experts: the weight of each choice, marked where it was dropped."""
    texts = np.full(routed.probs.shape, "", dtype=object)
    for token, slot in np.argwhere(routed.expert_index != EMPTY):
        fate = "" if routed.kept[token, slot] else " dropped"
        texts[token, routed.expert_index[token, slot]] = f"{routed.combine_weight[token, slot]:.3g}{fate}"
    set_matrix(ax, texts, rows=("token", labels), columns=("expert", range(routed.num_experts)),
               title=f"{routed.label}: weight of each choice")


def extremes(counts, noun="expert", unit=""):
    """Say which entry is largest and which is smallest, with their values and shares.

    >>> extremes(np.array([3, 1]), unit="tokens")
    'most to expert 0 (3 tokens, 75%), fewest to expert 1 (1 tokens, 25%)'
    """
    total = max(counts.sum(), 1)
    words = [f"{noun} {at} ({counts[at]:g}{' ' + unit if unit else ''}, {100 * counts[at] / total:.0f}%)"
             for at in (int(np.argmax(counts)), int(np.argmin(counts)))]
    return f"most to {words[0]}, fewest to {words[1]}"

"""Losses of the form E sum_i f_i P_i: the share of choices times the mean score, expert by expert.

f is a count and has no gradient, so it is held constant; the gradient runs through P alone. The
uniform value is 1, but 1 is no lower bound: f = (.6, .4) with P = (.31, .69) gives 0.924. Read the
gradient, which pushes down the busy experts, and never use the value as a measure of imbalance.
Dropped choices count: the loss is about what the router asked for.
"""

import numpy as np

from moeviz.arrays import (
    check_choice,
    check_mask,
    check_vector,
    one_hot,
    sigmoid,
    softmax,
    softmax_backward,
    softplus,
)
from moeviz.record import check_logits, check_routing

CONVENTIONS = ("share", "per_k")


def switch_loss(routed, *, convention="share", mask=None, scoring="softmax"):
    """Return E sum_i f_i P_i and its gradient on the logits (T, E).

    f_i: share of all choices that went to expert i. P_i: mean of probs[:, i] over the tokens.
    convention: "share" lets f sum to 1 (uniform value 1: Switch); "per_k" lets f sum to the choices
    per token (uniform value k: the transformers code for Mixtral). The second is k times the first.
    mask: (T,) bool, False for padding, which then counts in neither f nor P.
    scoring: how probs come from the logits, "softmax" or "sigmoid" (s / sum s).
    Take each layer by itself: pooling layers hides opposite collapses.
    Raises ValueError for a routing without logits, an unknown convention, a wrong mask, or probs that
    `scoring` did not make (Sinkhorn's plan passes no gradient).
    Source: Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6.

    >>> from moeviz.routing import top_k
    >>> value, dlogits = switch_loss(top_k([[0.0, 9.0], [9.0, 0.0]], k=1))
    >>> round(value, 6)
    1.0
    """
    check_choice(convention, "convention", CONVENTIONS)
    chosen = check_routing(routed).chosen()
    mask = check_mask(mask, len(chosen))
    value, dlogits = _product_loss(routed, chosen, np.where(mask, 0, -1), scoring)
    factor = 1.0 if convention == "share" else float(chosen[mask].sum() / mask.sum())
    return value * factor, dlogits * factor


def gshard_loss(routed, *, mask=None):
    """Return E sum_i f1_i P_i, with f1 the share of FIRST choices, and its gradient (T, E).

    Second choices are not counted. The paper writes the mean over experts of f1 P, which is this
    value divided by E^2; in this form the uniform value is 1. At k=1 it equals `switch_loss`.
    mask: (T,) bool, False for padding.
    Raises ValueError for a routing without logits, probs that are not a softmax, or a wrong mask.
    Source: Lepikhin et al. 2020 (GShard), arXiv 2006.16668, algorithm 1.

    >>> from moeviz.routing import top_k
    >>> value, dlogits = gshard_loss(top_k([[0.0, 0.0]], k=2))
    >>> value
    1.0
    """
    first = one_hot(check_routing(routed).expert_index[:, 0], routed.num_experts)
    mask = check_mask(mask, len(first))
    return _product_loss(routed, first, np.where(mask, 0, -1), "softmax")


def sequence_loss(routed, sequence_ids, *, scoring="sigmoid"):
    """Return E sum_i f_i P_i taken within each sequence, averaged over sequences, and dlogits (T, E).

    sequence_ids: (T,) int, equal for the tokens of one sequence. Every sequence weighs the same,
    however long it is. In the paper f is (E / k T) times the count, which is E times the share here.
    scoring: "sigmoid" (DeepSeek-V3: P is the mean of s / sum s, without the bias) or "softmax".
    With a single sequence it equals `switch_loss`.
    Raises ValueError for a routing without logits, wrong sequence_ids or a wrong scoring.
    Source: DeepSeek-V3 technical report, arXiv 2412.19437, equations 17 to 20.

    >>> from moeviz.routing import top_k
    >>> two_topics = top_k([[9.0, -9.0], [-9.0, 9.0]], k=1)
    >>> value, dlogits = sequence_loss(two_topics, [0, 1], scoring="softmax")
    >>> round(value, 3)
    2.0
    """
    chosen = check_routing(routed).chosen()
    ids = check_vector(sequence_ids, "sequence_ids", length=len(chosen), kind="iu")
    return _product_loss(routed, chosen, np.unique(ids, return_inverse=True)[1], scoring)


def _product_loss(routed, chosen, group, scoring):
    """Average E sum_i f_i P_i over the groups of tokens; group (T,) int, -1 leaves a token out."""
    _check_scoring(routed, scoring)
    member = one_hot(group, group.max() + 1).astype(float)
    tokens = member.sum(axis=0)[:, None]
    count = member.T @ chosen
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    scale = routed.num_experts / len(tokens)
    value = scale * (share * (member.T @ routed.probs) / tokens).sum()
    dprobs = scale * member @ (share / tokens)
    dlog = softmax_backward(routed.probs, dprobs.astype(routed.logits.dtype))
    return float(value), dlog if scoring == "softmax" else dlog * sigmoid(-routed.logits)


def _check_scoring(routed, scoring):
    """Refuse probs that another score made: the gradient would be silently wrong."""
    check_logits(routed)
    log_scores = {"softmax": lambda z: z, "sigmoid": lambda z: -softplus(-z)}
    check_choice(scoring, "scoring", log_scores)
    logits, probs = routed.logits[:64], routed.probs[:64]  # some rows tell; all would slow training
    if np.abs(softmax(log_scores[scoring](logits)) - probs).max() > 1e-3:
        raise ValueError(f"scoring must be the one that made the probs of {routed.label!r}, got {scoring!r}")

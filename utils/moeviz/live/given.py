"""Views of given numbers: the gate over a plane, one matrix under two routers, choices that take seats."""

import numpy as np

from moeviz import plots
from moeviz.arrays import check_matrix
from moeviz.capacity import expert_capacity
from moeviz.live.show import colors, page
from moeviz.plots.draw import check_labels
from moeviz.record import EMPTY, check_routing
from moeviz.routing import top_k

ROOM = 1.25  # the square reaches this much further than the farthest arrow or token
MOST_OF_A_BOARD, MOST_OF_SEATS = 24, 200  # tokens


def plane(gate, tokens, *, labels=None):
    """Return a live view of a gate (2, E): drag its arrows, and regions, tokens and load follow.

    tokens: (T, 2), each sent to its first choice. labels: T texts, or None for dots without names.
    Raises ValueError for other shapes or numbers that are not finite.
    """
    gate, tokens = check_matrix(gate, "gate", "(2, E)"), check_matrix(tokens, "tokens", "(T, 2)")
    if len(gate) != 2 or tokens.shape[1] != 2:
        raise ValueError(f"gate and tokens must have width 2, got shapes {gate.shape} and {tokens.shape}")
    labels = [""] * len(tokens) if labels is None else check_labels(labels, len(tokens))
    span = ROOM * max(float(np.abs(gate).max()), float(np.abs(tokens).max()), 1.0)
    state = {"start": {"arrows": gate.T.tolist(), "bias": [0.0] * gate.shape[1]}, "points": tokens.tolist(),
             "labels": labels, "span": span, **colors(gate.shape[1])}
    drawn = plots.plot_regions(gate, tokens=tokens, span=span)
    return page("plane", state, label="A gate over the plane: drag its arrows", fallback=drawn)


def board(logits, labels):
    """Return a live view of one matrix under two routers: each token picks experts, each expert tokens.

    logits: (T, E) of up to 24 tokens, shown and used to two decimals. labels: T texts. A token makes two
    choices, and an expert takes as many tokens as gives the same number of them. An edit of a late token
    shows who looks ahead. Raises ValueError for more tokens or another number of labels.
    """
    logits = check_matrix(logits, "logits").round(2)
    labels = _few_labels(labels, len(logits), MOST_OF_A_BOARD)
    drawn = plots.plot_assignment(top_k(logits, 2), labels=labels)
    state = {"logits": logits.tolist(), "labels": labels, "k": 2, **colors(logits.shape[1])}
    return page("board", state, label="Token choice beside expert choice on one matrix", fallback=drawn)


def seats(routed, labels):
    """Return a live view of capacity: move factor, order and groups, mark padding, watch who arrives.

    routed: a Routing of up to 200 tokens. labels: T texts. Choices dropped before, and EMPTY slots, stay out.
    Raises ValueError for more tokens or another number of labels.
    """
    num_tokens = check_routing(routed, "routed").num_tokens
    labels = _few_labels(labels, num_tokens, MOST_OF_SEATS)
    index = np.where(routed.expert_index == EMPTY, 0, routed.expert_index)
    drawn = np.random.default_rng(0).permutation(num_tokens)
    state = {"expertIndex": index.tolist(), "probs": routed.probs.tolist(), "kept": routed.kept.tolist(),
             "labels": labels, "drawn": drawn.tolist(), **colors(routed.num_experts)}
    places = expert_capacity(num_tokens, routed.num_experts, routed.k, 1.0)
    return page("seats", state, label="Seats of the experts, taken one after the other",
                fallback=plots.plot_seats(routed, places, labels=labels))


def _few_labels(labels, num_tokens, most):
    """Return one text per token; ValueError for another number of them, or more tokens than a view holds."""
    if num_tokens > most:
        raise ValueError(f"a view holds up to {most} tokens, got {num_tokens}")
    return check_labels(labels, num_tokens)

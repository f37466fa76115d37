"""Three forward passes through the chosen experts only: the specification, the padded and the fast one."""

import numpy as np

from moeviz.arrays import check_count
from moeviz.experts.dense import run_expert
from moeviz.experts.groups import check_layer, group_by_expert


def forward_loop(tokens, bank, routing):
    """Return the output (T, D) of the layer, token by token and choice by choice: the specification.

    tokens: (T, D). y_t = sum over the kept choices of weight * expert(x_t). Slow, and easy to read.
    Raises ValueError where tokens, bank and routing do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_loop(tokens, bank, routing.top_k(tokens[:, :2], k=1)).shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    output = np.zeros_like(tokens)
    for t in range(routing.num_tokens):
        for slot in range(routing.top_k):
            if routing.kept[t, slot]:
                expert = routing.expert_index[t, slot]
                output[t] += routing.combine_weight[t, slot] * run_expert(tokens[t:t + 1], bank, expert)[0]
    return output


def forward_grouped(tokens, bank, routing):
    """Return the output (T, D) of the layer with one pair of matrix products per expert: the fast one.

    tokens: (T, D). Assignments are sorted by expert, so that each expert reads one contiguous slice.
    Nothing is padded or dropped (MegaBlocks, Gale 2022, does the same with block-sparse products).
    Raises ValueError where tokens, bank and routing do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_grouped(tokens, bank, routing.top_k(tokens[:, :2], k=1)).shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    groups = group_by_expert(routing, tokens.dtype)
    output = np.zeros_like(tokens)
    for expert, (start, stop) in enumerate(groups.spans):
        rows = groups.token[start:stop]
        result = run_expert(tokens[rows], bank, expert)
        result *= groups.weight[start:stop]
        output[rows] += result  # a token chooses an expert once, so no row is named twice here
    return output


def forward_padded(tokens, bank, routing, *, capacity=None):
    """Return the output (T, D) of the layer through a buffer (E, C, D) with C seats per expert.

    tokens: (T, D). capacity: the number of seats C; None takes the fullest expert. Every seat is
    computed, empty ones too: the price of a fixed shape (GShard, Lepikhin 2020).
    Raises ValueError where the inputs do not fit together, or an expert has more than C kept choices:
    apply_capacity decides who is dropped, this function does not.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_padded(tokens, bank, routing.top_k(tokens[:, :2], k=1), capacity=3).shape
    (3, 4)
    """
    tokens = check_layer(tokens, bank, routing)
    pairs = routing.pairs()
    load = np.bincount(pairs.expert, minlength=bank.num_experts)
    capacity = int(load.max()) if capacity is None else check_count(capacity, "capacity")
    if load.max() > capacity:
        raise ValueError(f"capacity must be at least {load.max()}, the load of expert {load.argmax()}, "
                         f"got {capacity}")
    seat = np.arange(len(pairs.token)) - (np.cumsum(load) - load)[pairs.expert]
    buffer = np.zeros_like(tokens, shape=(bank.num_experts, capacity, bank.width))
    buffer[pairs.expert, seat] = tokens[pairs.token]
    results = run_expert(buffer, bank, slice(None))[pairs.expert, seat]
    output = np.zeros_like(tokens)
    np.add.at(output, pairs.token, results * pairs.weight.astype(tokens.dtype)[:, None])
    return output

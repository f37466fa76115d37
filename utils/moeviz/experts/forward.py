"""Three forward passes through the chosen experts only: the specification, the padded and the fast one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from moeviz.arrays import check_count
from moeviz.experts.activation import make_activate
from moeviz.experts.dense import make_scratch, run_network
from moeviz.experts.groups import check_layer, group_by_expert, longest, sum_rows, take_rows


def forward_loop(tokens, bank, routed):
    """Return the output (T, D) of the layer, token by token and choice by choice: the specification.

    tokens: (T, D). y_t = sum over the kept choices of weight * expert(x_t). Slow, and easy to read.
    Raises ValueError where tokens, bank and routed do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_loop(tokens, bank, routing.top_k(tokens[:, :2], k=1)).shape
    (3, 4)
    """
    tokens, bank = check_layer(tokens, bank, routed)
    output = np.zeros_like(tokens)
    for t in range(routed.num_tokens):
        for slot in range(routed.k):
            if routed.kept[t, slot]:
                expert = bank.expert(routed.expert_index[t, slot])
                output[t] += routed.combine_weight[t, slot] * run_network(tokens[t], expert, bank.activation)
    return output


def forward_grouped(tokens, bank, routed, *, threads=1):
    """Return the output (T, D) of the layer with one pair of matrix products per expert: the fast one.

    tokens: (T, D). Assignments are sorted by expert, so that each expert reads one contiguous slice.
    Nothing is dropped and nothing padded (MegaBlocks, Gale 2022, does the same with block-sparse products).
    threads: how many share out the experts; with more than one, let each product have a single one
    (OPENBLAS_NUM_THREADS=1), or they wait for each other.
    Raises ValueError where tokens, bank and routed do not fit together, or for fewer than one thread.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_grouped(tokens, bank, routing.top_k(tokens[:, :2], k=1)).shape
    (3, 4)
    """
    tokens, bank = check_layer(tokens, bank, routed)
    groups = group_by_expert(routed, tokens.dtype)
    said = np.empty((len(groups.token) + 1, bank.width), tokens.dtype)
    said[-1] = 0

    def work(queue):
        most = longest(groups.spans)
        scratch = make_scratch(most, bank.expert(0), said.dtype)  # once for all: fresh memory is slow
        space, gates = scratch[0], scratch[-1]
        activate = make_activate(bank.activation, most, bank.hidden, said.dtype)
        w_in, w_out, w_gate = bank.expert(slice(None))
        for expert, rows in queue:
            part = said[rows]  # holds the expert's tokens, and then what the expert says about them
            take_rows(tokens, groups.token[rows], part)
            hidden = np.dot(part, w_in[expert], space[:len(part)])  # begins sooner than np.matmul
            if w_gate is None:
                activate(hidden)
            else:
                hidden *= activate(np.dot(part, w_gate[expert], gates[:len(part)]))
            np.dot(hidden, w_out[expert], part)

    queue = enumerate(groups.spans)  # whoever is free takes the next expert
    if check_count(threads, "threads") == 1:
        work(queue)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, [queue] * threads))
    return sum_rows(said, groups.place, groups.weight)


def forward_padded(tokens, bank, routed, *, capacity=None):
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
    tokens, bank = check_layer(tokens, bank, routed)
    token, expert, _, slot = routed.pairs()
    load = np.bincount(expert, minlength=bank.num_experts).tolist()
    capacity = _check_capacity(capacity, load)
    seat = np.concatenate([np.arange(size) for size in load])
    buffer = np.zeros((bank.num_experts, capacity, bank.width), tokens.dtype)
    buffer[expert, seat] = tokens[token]
    for index, seats in enumerate(buffer):
        run_network(seats, bank.expert(index), bank.activation, out=seats)
    said = np.zeros((*routed.kept.shape, bank.width), tokens.dtype)
    said[token, slot] = buffer[expert, seat]
    return np.einsum("tkd,tk->td", said, routed.combine_weight.astype(tokens.dtype, copy=False))


def _check_capacity(capacity, load):
    """Return C, or the largest load where it is None; raise ValueError where it is less than that."""
    most = max(load)
    if capacity is None:
        return most
    if check_count(capacity, "capacity") < most:
        raise ValueError(f"capacity must be {most} for the load of expert {load.index(most)}, got {capacity}")
    return capacity

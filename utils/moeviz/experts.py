"""Experts: banks of feed-forward networks, four forward passes that agree, and the gradients derived by hand.

T tokens, E experts, k choices, D model width, H hidden width. One network (`run_network`, `network_backward`)
stands behind every pass; the passes differ in how they bring tokens to their experts.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise, repeat
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from moeviz.arrays import check_choice, check_count, check_matrix, check_rng
from moeviz.checks import check_kind
from moeviz.record import check_routing, check_weights

ACTIVATIONS = ("relu", "gelu", "silu")
BLOCK = 512  # tokens that are worked on at a time, so that their rows stay near the processor
_GELU_SCALE, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715

@dataclass(frozen=True, eq=False)
class ExpertBank:
    """The weights of E experts; expert e maps a token x (D,) to activation(x @ w_in[e]) @ w_out[e].

    w_in: (E, D, H). w_out: (E, H, D). w_gate: (E, D, H) or None. With w_gate the expert is gated
    (SwiGLU with "silu"): (activation(x @ w_gate[e]) * (x @ w_in[e])) @ w_out[e] (Shazeer 2020).
    activation: "relu", "gelu" (tanh form) or "silu".

    The arrays are not copied and stay writeable: an optimiser updates them in place.
    Raises ValueError naming the field that is wrong.

    >>> ExpertBank(np.ones((8, 4, 16)), np.ones((8, 16, 4))).hidden
    16
    """

    w_in: np.ndarray
    w_out: np.ndarray
    w_gate: np.ndarray | None = None
    activation: str = "relu"

    def __post_init__(self):
        check_choice(self.activation, "activation", ACTIVATIONS)
        experts, width, hidden = _check_weights(self.w_in, "w_in", "(E, D, H)").shape
        _check_weights(self.w_out, "w_out", "(E, H, D)", (experts, hidden, width))
        if self.w_gate is not None:
            _check_weights(self.w_gate, "w_gate", "(E, D, H)", (experts, width, hidden))

    @property
    def num_experts(self):
        return self.w_in.shape[0]

    @property
    def width(self):
        """The model width D: the length of a token vector."""
        return self.w_in.shape[1]

    @property
    def hidden(self):
        """The hidden width H of each expert."""
        return self.w_in.shape[2]

    def expert(self, index):
        """Return (w_in, w_out, w_gate or None) of one expert; `slice(None)` for all of them at once."""
        w_gate = None if self.w_gate is None else self.w_gate[index]
        return self.w_in[index], self.w_out[index], w_gate

    def each(self):
        """Return an iterator over what `expert` returns for each expert in turn."""
        return each_expert((self.w_in, self.w_out, self.w_gate))


def random_bank(num_experts, width, hidden, *, rng, gated=False, activation="relu", dtype=np.float64):
    """Draw an ExpertBank with normal weights of standard deviation 1 / sqrt(rows that feed each unit).

    gated: with a w_gate. dtype: float32 or float64.
    Raises ValueError for counts below 1, an unknown activation or dtype, or an rng that is no Generator.

    >>> random_bank(8, 4, 16, rng=np.random.default_rng(0)).w_out.shape
    (8, 16, 4)
    """
    num_experts, width = check_count(num_experts, "num_experts"), check_count(width, "width")
    hidden, rng = check_count(hidden, "hidden"), check_rng(rng)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    draw = partial(_draw, rng, dtype)
    w_in, w_out = draw(num_experts, width, hidden), draw(num_experts, hidden, width)
    return ExpertBank(w_in, w_out, draw(num_experts, width, hidden) if gated else None, activation)


def split_dense(w_in, w_out, num_experts, *, w_gate=None, activation="relu"):
    """Cut a dense layer into an ExpertBank: expert e owns the e-th block of the hidden units.

    w_in: (D, H). w_out: (H, D). w_gate: (D, H) or None. The pieces have H / num_experts hidden units
    and sum to the dense layer: all experts at weight 1 give `dense_forward` (MoEfication, Zhang 2022).
    Raises ValueError for shapes that do not fit or an H that num_experts does not divide.

    >>> split_dense(np.ones((4, 16)), np.ones((16, 4)), 8).w_in.shape
    (8, 4, 2)
    """
    w_in, w_out, w_gate = check_dense(w_in, w_out, w_gate)
    width, hidden = w_in.shape
    check_count(num_experts, "num_experts", high=hidden)
    if hidden % num_experts:
        raise ValueError(f"num_experts must divide the {hidden} hidden units, got {num_experts}")
    w_gate = None if w_gate is None else _cut_columns(w_gate, num_experts)
    w_out = w_out.reshape(num_experts, hidden // num_experts, width).copy()
    return ExpertBank(_cut_columns(w_in, num_experts), w_out, w_gate, activation)


def check_dense(w_in, w_out, w_gate):
    """Return w_in (D, H), w_out (H, D) and w_gate (D, H) or None if they fit together, or raise ValueError.

    >>> check_dense(np.ones((2, 3)), np.ones((2, 3)), None)
    Traceback (most recent call last):
    ValueError: w_out must have shape (3, 2), got shape (2, 3)
    """
    w_in, w_out = check_matrix(w_in, "w_in", "(D, H)"), check_matrix(w_out, "w_out", "(H, D)")
    w_gate = None if w_gate is None else check_matrix(w_gate, "w_gate", "(D, H)")
    wanted = {"w_out": (w_out, w_in.shape[::-1]), "w_gate": (w_gate, w_in.shape)}
    for name, (matrix, shape) in wanted.items():
        if matrix is not None and matrix.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got shape {matrix.shape}")
    return w_in, w_out, w_gate


def check_bank(value, name="bank"):
    """Return `value` if it is an ExpertBank, or raise ValueError."""
    return check_kind(value, name, ExpertBank)


def bank_as(bank, dtype):
    """Return the bank with all weights of one dtype: itself where they are.

    >>> bank_as(ExpertBank(np.ones((8, 4, 16)), np.ones((8, 16, 4))), np.float32).w_in.dtype
    dtype('float32')
    """
    w_in, w_out, w_gate = weights = bank.w_in, bank.w_out, bank.w_gate
    if w_in.dtype == w_out.dtype == dtype and (w_gate is None or w_gate.dtype == dtype):
        return bank
    return ExpertBank(*map_weights(lambda array: array.astype(dtype), weights), bank.activation)


def each_expert(weights):
    """Return an iterator over (w_in[e], w_out[e], w_gate[e] or None) for (w_in, w_out, w_gate or None).

    >>> list(each_expert(([1, 2], [3, 4], None)))
    [(1, 3, None), (2, 4, None)]
    """
    w_in, w_out, w_gate = weights
    return zip(w_in, w_out, repeat(None, len(w_in)) if w_gate is None else w_gate, strict=True)


def map_weights(function, weights):
    """Return function(array) for each of (w_in, w_out, w_gate or None), and None for None.

    >>> map_weights(len, ([1, 2], [3], None))
    (2, 1, None)
    """
    return tuple(None if array is None else function(array) for array in weights)


def _check_weights(array, name, letters, shape=None):
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{name} must be a float array of shape {letters}, got {kind}")
    if array.ndim != 3 or array.size == 0 or (shape is not None and array.shape != shape):
        raise ValueError(f"{name} must have shape {shape or letters}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _draw(rng, dtype, num_experts, rows, columns):
    return (rng.standard_normal((num_experts, rows, columns)) / np.sqrt(rows)).astype(dtype)


def _cut_columns(matrix, num_experts):
    blocks = np.reshape(matrix, (len(matrix), num_experts, -1))
    return np.ascontiguousarray(blocks.transpose(1, 0, 2))


def activate(values, activation, out=None):
    """Return relu, gelu or silu of values (..., H), in `out` where one is given.

    gelu is the tanh form of Hendrycks & Gimpel 2016, which GPT-2 uses; silu(x) = x * sigmoid(x).

    >>> activate(np.array([-1.0, 2.0]), "relu").tolist()
    [0.0, 2.0]
    """
    if activation == "relu":
        return np.maximum(values, 0, out=out)
    share = _inverse_share(values, activation)
    return np.divide(values, share, out=share if out is None else out)


def slope(values, activation):
    """Return the derivative of the activation at values (..., H); relu's is 0 at 0, and comes as bool.

    >>> slope(np.array([-1.0, 0.0, 2.0]), "relu").tolist()
    [False, False, True]
    """
    if activation == "relu":
        return values > 0
    share = 1 / _inverse_share(values, activation)
    growth = 1 if activation == "silu" else 2 * _GELU_SCALE * (1 + 3 * _GELU_CUBIC * values * values)
    return share + values * share * (1 - share) * growth


def _inverse_share(values, activation):
    """Return 1 + exp(-z), whose inverse sigmoid(z) is the share of each value that passes.

    silu has z = value; gelu's tanh form is the same with z = 2 sqrt(2 / pi) (value + 0.044715 value^3).
    NumPy's exp takes half the time of its tanh.
    """
    inverse = np.negative(values)
    if activation == "gelu":
        inverse *= 2 * _GELU_SCALE * (1 + _GELU_CUBIC * values * values)
    with np.errstate(over="ignore"):  # infinite where nothing passes
        np.exp(inverse, out=inverse)
    inverse += 1
    return inverse


def run_network(rows, weights, activation, *, out=None, units=(None, None, None)):
    """Return hidden @ w_out, (n, D), and its units (linear, gate, hidden) on the way there, (n, H) each.

    linear is rows @ w_in, gate is rows @ w_gate or None, and hidden is activation(linear), or
    activation(gate) * linear. Plain relu lets hidden take linear's place.
    rows: (n, D) or (D,). weights: (w_in, w_out, w_gate or None), see ExpertBank. out: (n, D), may be rows.
    units: arrays to write to, so that a training step finds the memory of the step before.

    >>> run_network(np.ones((1, 2)), (np.ones((2, 3)), np.ones((3, 2)), None), "relu")[0].tolist()
    [[6.0, 6.0]]
    """
    (w_in, w_out, w_gate), (linear, gate, hidden) = weights, units
    linear = np.dot(rows, w_in, linear)  # begins half a microsecond sooner than np.matmul
    if w_gate is None:
        hidden = activate(linear, activation, out=linear if activation == "relu" else hidden)
    else:
        gate = np.dot(rows, w_gate, gate)
        hidden = activate(gate, activation, out=hidden)
        hidden *= linear
    return np.dot(hidden, w_out, out), (linear, gate, hidden)


def network_backward(rows, units, weights, activation, drows, dweights, *, dhidden=None):
    """Return the gradient of rows (n, D) and write those of the weights into dweights.

    rows, units: what `run_network` was given and returned. drows: (n, D), the gradient of its output;
    overwritten. dweights: arrays of the shapes of weights, or None for w_gate. dhidden: (n, H), room.
    """
    (linear, gate, hidden), (w_in, w_out, w_gate), (dw_in, dw_out, dw_gate) = units, weights, dweights
    np.dot(hidden.T, drows, dw_out)
    dhidden = np.dot(drows, w_out.T, dhidden)
    if w_gate is None:
        dhidden *= slope(linear, activation)
        np.dot(rows.T, dhidden, dw_in)
        return np.dot(dhidden, w_in.T, drows)
    dgate = dhidden * linear
    dgate *= slope(gate, activation)
    dhidden *= activate(gate, activation)
    np.dot(rows.T, dhidden, dw_in)
    np.dot(rows.T, dgate, dw_gate)
    return np.add(np.dot(dhidden, w_in.T), np.dot(dgate, w_gate.T), out=drows)


def dense_forward(tokens, w_in, w_out, w_gate=None, activation="relu"):
    """Return activation(tokens @ w_in) @ w_out, the feed-forward layer that an expert layer replaces.

    tokens: (T, D). w_in: (D, H). w_out: (H, D). w_gate: (D, H) or None, for the gated form.
    Returns (T, D) in the dtype of tokens. Raises ValueError for shapes that do not fit.

    >>> dense_forward(np.ones((1, 2)), np.ones((2, 3)), np.ones((3, 2))).tolist()
    [[6.0, 6.0]]
    """
    tokens = check_matrix(tokens, "tokens", "(T, D)")
    check_choice(activation, "activation", ACTIVATIONS)
    weights = check_dense(w_in, w_out, w_gate)
    _check_width(tokens, len(w_in), "w_in")
    weights = map_weights(lambda array: array.astype(tokens.dtype, copy=False), weights)
    output = np.empty_like(tokens)
    for start in range(0, len(tokens), BLOCK):
        run_network(tokens[start:start + BLOCK], weights, activation, out=output[start:start + BLOCK])
    return output


def forward_all(tokens, bank, weights):
    """Return sum_e weights[t, e] * expert_e(x_t), (T, D): every expert on every token, the reference.

    tokens: (T, D). weights: (T, E), such as `routed.combine()`; a weight of 0 leaves an expert out of
    the sum, but its products are computed all the same. Raises ValueError for shapes that do not fit.

    >>> from moeviz import experts
    >>> bank = experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> experts.forward_all(np.ones((3, 4)), bank, np.full((3, 2), 0.5)).shape
    (3, 4)
    """
    tokens, weights = check_matrix(tokens, "tokens", "(T, D)"), check_matrix(weights, "weights")
    _check_width(tokens, check_bank(bank).width, "bank")
    if weights.shape != (len(tokens), bank.num_experts):
        raise ValueError(f"weights must have shape ({len(tokens)}, {bank.num_experts}), got {weights.shape}")
    output = np.zeros_like(tokens)
    for expert in range(bank.num_experts):
        output += weights[:, expert, None] * run_network(tokens, bank.expert(expert), bank.activation)[0]
    return output


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
                said, _ = run_network(tokens[t], bank.expert(routed.expert_index[t, slot]), bank.activation)
                output[t] += routed.combine_weight[t, slot] * said
    return output


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


class Groups(NamedTuple):
    """The N kept assignments sorted by expert, a row for each; a row N of zeros is nobody's."""

    spans: list  # for each expert the slice of its rows
    choice: np.ndarray  # (N,) which choice a row is, as token * k + slot
    token: np.ndarray  # (N,) whose it is
    place: np.ndarray  # (T, k) the row of each choice; N for a choice that is not kept
    weight: np.ndarray  # (T, k) the weight of each choice


def group_by_expert(routed, dtype):
    """Return the Groups of a routing, with weights of the given dtype.

    >>> from moeviz import routing
    >>> group_by_expert(routing.top_k(np.eye(2)[::-1], k=1), float).place.tolist()
    [[1], [0]]
    """
    choice, load = routed.kept_by_expert()
    spans = [slice(start, stop) for start, stop in pairwise(accumulate(load, initial=0))]
    place = np.empty(routed.kept.shape, int)
    place.fill(len(choice))
    place.ravel()[choice] = np.arange(len(choice))
    weight = routed.combine_weight.astype(dtype, copy=False)
    return Groups(spans, choice, choice // routed.k, place, weight)


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
    rows = _take_rows(tokens, groups.token, np.empty((len(groups.token) + 1, bank.width), tokens.dtype))

    def run(span, weights):
        run_network(rows[span], weights, bank.activation, out=rows[span])

    if check_count(threads, "threads") == 1:
        for span, weights in zip(groups.spans, bank.each(), strict=True):
            run(span, weights)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, groups.spans, bank.each()))
    return _sum_rows(rows, groups.place, groups.weight)


class Memory(NamedTuple):
    """The large arrays of a training step; row n belongs to the n-th of the N `Groups` rows."""

    tokens: np.ndarray  # (N + 1, D)
    units: tuple  # (linear, gate, hidden) of `run_network`, (N + 1, H) each
    said: np.ndarray  # (N + 1, D) what the experts say, before its weight
    dsaid: np.ndarray  # (N + 1, D) the gradient of said, and then of tokens
    dhidden: np.ndarray  # (N + 1, H) of one expert after the other, from row 0
    dweights: tuple  # the gradients of w_in, w_out and w_gate or None


class Cache(NamedTuple):
    """What `backward` needs from the forward."""

    bank: ExpertBank
    groups: Groups
    memory: Memory
    units: list  # for each expert its rows of the memory's units


class Gradients(NamedTuple):
    """The gradient of a loss with respect to every input of the expert layer."""

    tokens: np.ndarray  # (T, D) through the experts; the router's part comes on top
    w_in: np.ndarray  # (E, D, H)
    w_out: np.ndarray  # (E, H, D)
    w_gate: np.ndarray | None  # (E, D, H)
    combine_weight: np.ndarray  # (T, k); 0 for choices that are not kept


def forward_cached(tokens, bank, routed, *, workspace=None):
    """Return the output (T, D) of the layer and the cache that `backward` takes.

    tokens: (T, D). The same result as `forward_grouped`, with every intermediate kept. The cache holds
    the bank itself: call `backward` before an optimiser changes the bank's arrays. Gradients come in the
    dtype of tokens.
    workspace: a dict of yours that keeps the large arrays for the next call, which overwrites the cache
    and the gradients of this one: fresh memory costs a training step more than the activations do.
    Raises ValueError where tokens, bank and routed do not fit together.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> output.shape
    (3, 4)
    """
    tokens, bank = check_layer(tokens, bank, routed)
    groups = group_by_expert(routed, tokens.dtype)
    memory = _find_memory({} if workspace is None else workspace, bank, routed.kept.size + 1)
    _take_rows(tokens, groups.token, memory.tokens)
    memory.said[len(groups.token)] = 0
    units = [map_weights(itemgetter(span), memory.units) for span in groups.spans]
    for span, weights, room in zip(groups.spans, bank.each(), units, strict=True):
        run_network(memory.tokens[span], weights, bank.activation, out=memory.said[span], units=room)
    return _sum_rows(memory.said, groups.place, groups.weight), Cache(bank, groups, memory, units)


def backward(cache, doutput):
    """Return the Gradients of a loss whose gradient at the layer's output is doutput (T, D).

    cache: from `forward_cached`. Choices that were not kept reached no output and get gradient 0.
    Raises ValueError unless doutput is finite and has the shape of the output.

    >>> from moeviz import experts, routing
    >>> tokens, bank = np.ones((3, 4)), experts.random_bank(2, 4, 8, rng=np.random.default_rng(0))
    >>> output, cache = experts.forward_cached(tokens, bank, routing.top_k(tokens[:, :2], k=1))
    >>> experts.backward(cache, np.ones_like(output)).w_in.shape
    (2, 4, 8)
    """
    (bank, groups, memory, units), doutput = cache, _check_doutput(doutput, cache)
    _take_rows(doutput, groups.token, memory.dsaid)
    weight = groups.weight.ravel().take(groups.choice)[:, None]
    dweight, ones = np.zeros(len(weight) + 1, doutput.dtype), np.ones(bank.width, doutput.dtype)
    experts = zip(groups.spans, units, bank.each(), each_expert(memory.dweights), strict=True)
    for span, passed, weights, dweights in experts:
        drows = memory.dsaid[span]
        np.dot(drows * memory.said[span], ones, dweight[span])
        drows *= weight[span]
        network_backward(memory.tokens[span], passed, weights, bank.activation, drows, dweights,
                         dhidden=memory.dhidden[:len(drows)])
    return Gradients(_sum_rows(memory.dsaid, groups.place), *memory.dweights, dweight.take(groups.place))


def _find_memory(workspace, bank, length):
    """Return the Memory for so many rows that a workspace keeps for such a bank, or make it."""
    key = bank.w_in.shape, bank.w_in.dtype, bank.activation, bank.w_gate is None
    kept = workspace.get(key)
    if kept is None or len(kept.tokens) < length:
        kept = workspace[key] = _make_memory(bank, length)
    return kept


def _make_memory(bank, length):
    rows = partial(np.empty, (length, bank.width), bank.w_in.dtype)
    dhidden = np.empty((length, bank.hidden), bank.w_in.dtype)
    dweights = map_weights(np.empty_like, bank.expert(slice(None)))
    return Memory(rows(), _make_units(bank, length), rows(), rows(), dhidden, dweights)


def _make_units(bank, length):
    """Return room for so many rows of the units of `run_network`."""
    make = partial(np.empty, (length, bank.hidden), bank.w_in.dtype)
    linear, gate = make(), None if bank.w_gate is None else make()
    return linear, gate, linear if gate is None and bank.activation == "relu" else make()


def _take_rows(values, token, out):
    """Write to out the row of values (T, D) of each token (N,), then a row of zeros, and return it."""
    values.take(token, axis=0, out=out[:len(token)], mode="clip")  # "raise" would copy once more
    out[len(token)] = 0
    return out


def _sum_rows(rows, place, weight=None):
    """Return (T, D): for each token the sum of its rows of (N + 1, D), each times its weight if given.

    place: (T, k) which rows. weight: (T, k) or None. The inverse way of `_take_rows`; a block of tokens
    at a time, so that the rows fetched for it are still near the processor when they are added.
    """
    total = np.empty((len(place), rows.shape[1]), rows.dtype)
    for start in range(0, len(place), BLOCK):
        block = slice(start, start + BLOCK)
        if weight is None:
            part = rows.take(place[block, 0], axis=0, out=total[block], mode="clip")
            for slot in range(1, place.shape[1]):
                part += rows.take(place[block, slot], axis=0)
        else:
            np.einsum("tkd,tk->td", rows.take(place[block], axis=0), weight[block], out=total[block])
    return total


def check_layer(tokens, bank, routed):
    """Return tokens (T, D) as floats and the bank in their dtype if all fit together, or raise ValueError."""
    tokens, bank, routed = check_matrix(tokens, "tokens", "(T, D)"), check_bank(bank), check_routing(routed)
    _check_width(tokens, bank.width, "bank")
    if routed.num_experts != bank.num_experts:
        raise ValueError(f"routed has {routed.num_experts} experts, but bank has {bank.num_experts}")
    if routed.num_tokens != len(tokens):
        raise ValueError(f"routed has {routed.num_tokens} tokens, but tokens has {len(tokens)} rows")
    check_weights(routed)
    return tokens, bank_as(bank, tokens.dtype)


def _check_width(tokens, width, name):
    """Raise ValueError unless the token vectors are as long as the width D of the weights."""
    if tokens.shape[1] != width:
        raise ValueError(f"tokens must have width {width} to fit {name}, got shape {tokens.shape}")


def _check_doutput(doutput, cache):
    shape = cache.groups.place.shape[0], cache.bank.width
    doutput = check_matrix(doutput, "doutput", "(T, D)")
    if doutput.shape != shape:
        raise ValueError(f"doutput must have the shape of the output {shape}, got shape {doutput.shape}")
    return doutput.astype(cache.memory.said.dtype, copy=False)

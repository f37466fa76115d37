"""The board: every router of the course lined up, scored, and set in a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

import numpy as np

from moeviz import routing
from moeviz.arrays import (
    check_choice,
    check_count,
    check_matrix,
    check_number,
    check_vector,
    log_sum_exp,
    sigmoid,
    softmax,
)
from moeviz.capacity import ORDERS, apply_capacity, expert_capacity
from moeviz.checks import check_kind, check_texts
from moeviz.record import EMPTY, Routing
from moeviz.scoreboard import table
from moeviz.scoreboard.measure import RouterError, check_routers, measure, route

# Whether training a router calls for a balancing or sparsity loss: declared here, it cannot be measured.
NEEDS_LOSS = MappingProxyType({
    "soft": False, "top-1": True, "top-k": True, "noisy top-k": True, "GShard top-2": True,
    "group-limited": True, "cosine": True, "null experts": True, "sigmoid top-k": True,
    "sigmoid + bias": False, "sigmoid + bias + groups": False, "top-p": True, "ReLU": True,
    "one threshold": True, "threshold per expert": False, "expert choice": False, "Sinkhorn": False,
    "quantile": False, "hash": False, "random": False})


def line_up(calibration, token_ids=None, *, k=2):
    """Return {name: router}: every router of `moeviz.routing`, about k experts per token.

    calibration: (N, E) logits of other text, from which thresholds, biases and p are set, so that
    nothing about the scored text leaks in. token_ids: (T,) of the scored text, for the hash router, which
    is left out without them. Each router takes logits (T, E), those that draw also rng: see `route`.
    `routing.soft_moe` is not among them: it chooses no experts.
    Raises ValueError for a bad matrix, ids that are no vector of whole numbers, or k not in 1..E.

    >>> routers = line_up(np.eye(4), [7, 7, 9])
    >>> len(routers), routers["top-k"](np.eye(4)).k
    (20, 2)
    """
    calibration = check_matrix(calibration, "calibration", "(N, E)").astype(float)
    k = check_count(k, "k", high=calibration.shape[1])
    routers = {**_token_choice(calibration, k), **_variable(calibration, k), **_balanced(k)}
    if token_ids is not None:
        ids = check_vector(token_ids, "token_ids", kind="iu")
        routers["hash"] = lambda logits: routing.hash_route(ids, logits.shape[1], k)
    return routers


def with_seats(routers, factor, *, k=2, order="choice"):
    """Return the same routers, each followed by a limit of ceil(k T factor / E) seats per expert.

    routers: {name: router}. The seats are the same for all of them, for k choices a token, whatever a
    router's own number of choices is. order: see `moeviz.capacity.apply_capacity`.
    Raises ValueError for routers that are no {name: router}, a negative factor, k below 1 or another order.

    >>> limited = with_seats({"top-1": lambda logits: routing.top_k(logits, 1)}, 1.0, k=1)
    >>> limited["top-1"]([[1.0, 0.0], [1.0, 0.0]], rng=None).kept.ravel().tolist()
    [True, False]
    """
    check_routers(routers)
    check_number(factor, "factor", low=0.0)
    check_count(k, "k")
    check_choice(order, "order", ORDERS)
    return {name: partial(_limited, router, factor, k, order) for name, router in routers.items()}


def _limited(router, factor, k, order, logits, rng):
    routed = route(router, logits, rng=rng)
    seats = expert_capacity(routed.num_tokens, routed.num_experts, min(k, routed.num_experts), factor)
    return apply_capacity(routed, seats, order=order, rng=rng)


def _token_choice(calibration, k):
    num_experts = calibration.shape[1]
    groups = _groups(num_experts, k)
    bias = routing.quantile_bias(sigmoid(calibration), k)
    return {
        "soft": routing.soft,
        "top-1": lambda logits: routing.top_k(logits, 1, renormalize=False),
        "top-k": lambda logits: routing.top_k(logits, k),
        "noisy top-k": lambda logits, rng: routing.noisy_top_k(logits, np.zeros_like(logits), k, rng=rng),
        "GShard top-2": routing.gshard_top_2,
        "group-limited": lambda logits: routing.softmax_group_limited(logits, k, **groups),
        # the gate has projected each token to E numbers; expert e sits on axis e of that space
        "cosine": lambda logits: routing.cosine_top_k(logits, np.eye(num_experts), k, temperature=0.2),
        "null experts": lambda logits: _with_null_experts(logits, k),
        "sigmoid top-k": lambda logits: routing.sigmoid_top_k(logits, k),
        "sigmoid + bias": lambda logits: routing.sigmoid_top_k(logits, k, bias=bias),
        "sigmoid + bias + groups": lambda logits: routing.sigmoid_top_k(logits, k, bias=bias, **groups)}


def _variable(calibration, k):
    share = k / calibration.shape[1]
    probs = softmax(calibration)
    falling = -np.sort(-probs, axis=1)
    p = np.quantile(np.cumsum(falling, axis=1) - falling, share)  # top-p adds experts while below p
    p = float(np.clip(p, 1e-6, 1.0))
    cut, score_cut = np.quantile(probs, 1 - share), np.quantile(calibration, 1 - share)
    cuts = routing.quantile_cut(calibration, k)
    return {"top-p": lambda logits: routing.top_p(logits, p),
            "ReLU": lambda logits: routing.relu_route(logits - score_cut),
            "one threshold": lambda logits: routing.threshold(logits, cut),
            "threshold per expert": lambda logits: routing.threshold(logits, cuts)}


def _balanced(k):
    return {"expert choice": lambda logits: routing.expert_choice(
                logits, min(len(logits), expert_capacity(*logits.shape, k, 1.0))),
            "Sinkhorn": lambda logits: routing.sinkhorn(logits, k, iterations=20),
            "quantile": lambda logits: routing.quantile_balanced(logits, k),
            "random": lambda logits, rng: routing.random_route(*logits.shape, k, rng=rng)}


def _groups(num_experts, k):
    """Return two groups of which one is open, or one group where two do not fit."""
    fits = num_experts % 2 == 0 and k <= num_experts // 2
    return {"num_groups": 2 if fits else 1, "top_groups": 1}


def _with_null_experts(logits, k):
    """Route beside half as many null experts, which score as an average expert; leave their slots EMPTY."""
    num_experts = logits.shape[1]
    average = log_sum_exp(logits)[:, None] - np.log(num_experts)
    beside = np.hstack([logits, np.repeat(average, max(1, num_experts // 2), axis=1)])
    routed = routing.null_experts(beside, k, num_null=beside.shape[1] - num_experts)
    real = routed.expert_index < num_experts
    return Routing(logits, softmax(logits), np.where(real, routed.expert_index, EMPTY),
                   np.where(real, routed.combine_weight, 0), real)


@dataclass(frozen=True, eq=False, repr=False)
class Board:
    """Rows of routers, best first where sorted; made by `score`.

    rows: N Rows. routings: {name: Routing}, for every plot and metric. remarks: {name: sentence} on routers
    that are missing, or of which something could not be told. own: names that are the learner's, which
    tables and pictures mark. sorted_column: the column of the order, or None.
    """

    rows: tuple
    routings: Mapping
    remarks: Mapping = field(default_factory=dict)
    own: tuple = ()
    sorted_column: str | None = None

    @property
    def names(self):
        """The names of the rows, in order."""
        return tuple(row.name for row in self.rows)

    def __getitem__(self, name):
        """Return the Row of that router, or raise a KeyError that lists the names."""
        if name not in self.names:
            why = self.remarks.get(name, f"the board has {', '.join(self.names)}")
            raise KeyError(f"no row {name!r}: {why}")
        return self.rows[self.names.index(name)]

    def __len__(self):
        return len(self.rows)

    def column(self, name):
        """Return one column as an array (N,) in the order of the rows; numbers that are not known are NaN."""
        table.find_column(name)
        values = [getattr(row, name) for row in self.rows]
        return np.array([np.nan if value is None else value for value in values])

    def sorted_by(self, column):
        """Return the board in the order of one column, best first; ties keep their order, unknowns come last.

        Raises ValueError naming the columns for any other name.
        """
        return replace(self, rows=table.ordered(self.rows, column), sorted_column=column)

    def where(self, keep):
        """Return the board of the rows for which keep(row) is true, such as lambda row: row.causal."""
        return replace(self, rows=tuple(row for row in self.rows if keep(row)))

    def front(self, *columns):
        """Return the board of the rows that no other row beats: none is as good everywhere and better once.

        columns: two or more that have a better side, such as "max_violation" and "captured". Rows with an
        unknown in one of them are left out. Raises ValueError for other columns.
        """
        values = np.array([table.goodness(self.rows, column) for column in columns]).reshape(len(columns), -1)
        known = np.isfinite(values).all(axis=0)
        as_good = (values[:, :, None] >= values[:, None, :]).all(axis=0)  # row n against row m
        better = (values[:, :, None] > values[:, None, :]).any(axis=0)
        beaten = (as_good & better & known[:, None]).any(axis=0)
        return replace(self, rows=tuple(row for row, out in zip(self.rows, beaten | ~known, strict=True)
                                        if not out))

    def __repr__(self):
        return table.as_text(self.rows, self.own, self.remarks.values(), self._caption())

    def _repr_html_(self):
        return table.as_html(self.rows, self.own, self.remarks.values(), self._caption(), self.sorted_column)

    def _caption(self):
        heading = self.sorted_column and table.find_column(self.sorted_column).heading
        return f"{len(self)} routers" + (f", sorted by {heading}" if heading else "")


def score(routers, logits, *, own=(), needs_loss=None):
    """Run every router on the same logits and return the Board of what each one did.

    routers: {name: router}, for instance `line_up(...)` with one's own added; `route` says what a router is.
    logits: (T, E). own: the name, or names, of the learner's routers. needs_loss: {name: bool}, declared
    for routers beyond the line-up. A router that fails costs the others nothing: its row is missing, and the
    board says why.
    Raises ValueError for bad logits, routers that are no {name: router}, or names that are not in it.

    >>> from moeviz import routing
    >>> board = score({"top-k": routing.top_k, "mine": lambda logits: None}, np.eye(3), own="mine")
    >>> board.names, board.remarks["mine"]
    (('top-k',), 'mine is missing: it returned None; does it end with `return ...`?')
    """
    logits = check_matrix(logits, "logits").astype(float)
    own = check_texts((own,) if isinstance(own, str) else own, "own")
    declared = check_kind({} if needs_loss is None else needs_loss, "needs_loss", Mapping)
    _check_names(check_routers(routers), own, declared)
    rows, routings, remarks = [], {}, {}
    for name, router in routers.items():
        loss = declared.get(name, NEEDS_LOSS.get(name))
        try:
            row, routings[name] = measure(router, logits, name=name, needs_loss=loss)
        except RouterError as error:
            remarks[name] = f"{name} is missing: it {error}"
        else:
            rows.append(row)
            remarks.update(_remark(row, len(logits)))
    return Board(tuple(rows), MappingProxyType(routings), MappingProxyType(remarks), own)


def _check_names(routers, own, declared):
    for argument, names in {"own": own, "needs_loss": declared}.items():
        strange = [name for name in names if name not in routers]
        if strange:
            raise ValueError(f"{argument} names {strange[0]!r}, which is not among the routers")


def _remark(row, num_tokens):
    if row.leak is None and num_tokens > 1:
        return {row.name: f"{row.name}: two calls with the same seed differ; to draw random numbers, "
                          "take them from an argument called rng"}
    return {}

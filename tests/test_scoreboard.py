"""The scoreboard: what a router may be, what is measured of it, and the board that holds the rows."""

import math
from functools import partial, wraps
from itertools import pairwise

import numpy as np
import pytest

from cases import cases
from moeviz import metrics, routing, scoreboard
from moeviz.arrays import softmax, top_k_index
from moeviz.capacity import apply_capacity
from moeviz.record import EMPTY, Routing
from moeviz.scoreboard import RouterError, line_up, route, score, with_seats
from moeviz.scoreboard.table import COLUMNS

T, E, K = 24, 8, 2
LOGITS = np.random.default_rng(0).normal(size=(T, E)) + np.linspace(0, 1.5, E)
OTHER_TEXT = np.random.default_rng(1).normal(size=(200, E)) + np.linspace(0, 1.5, E)
IDS = np.arange(T) % 7
NOT_CAUSAL = {"expert choice", "Sinkhorn", "quantile"}

ONE = {"a": routing.top_k}


def routers():
    return line_up(OTHER_TEXT, IDS, k=K)


# --- what a router may return ---

def choices(logits):
    index = top_k_index(logits, 2)
    return index, np.full(index.shape, 0.5)


def dense(logits):
    index, weight = choices(logits)
    table = np.zeros(logits.shape)
    np.put_along_axis(table, index, weight, axis=1)
    return table


@cases("answer", [choices, dense, lambda z: dense(z).tolist(),
                                    lambda z: dense(z).astype(np.float32)])
def test_choices_and_weights_say_the_same(answer):
    routed = route(answer, LOGITS, name="mine")
    assert routed.label == "mine"
    np.testing.assert_array_equal(np.sort(routed.expert_index), np.sort(top_k_index(LOGITS, 2)))
    np.testing.assert_array_equal(routed.combine(), dense(LOGITS))
    np.testing.assert_allclose(routed.probs, softmax(LOGITS))


def test_a_routing_passes_through_but_for_its_label():
    given = apply_capacity(routing.top_k(LOGITS, K), 2)
    routed = route(lambda logits: given, LOGITS, name="mine")
    assert routed.label == "mine"
    assert all(np.array_equal(getattr(routed, field), getattr(given, field))
               for field in ("logits", "probs", "expert_index", "combine_weight", "kept"))


def test_a_free_number_of_experts_leaves_empty_slots():
    routed = route(lambda z: np.where(z > 1, z, 0), [[2.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    assert routed.expert_index.tolist() == [[2, 0], [EMPTY, EMPTY]]
    index, weight = np.array([[1, EMPTY]]), np.array([[0.3, 0.0]])
    assert route(lambda z: (index, weight), [[0.0, 1.0]]).kept.tolist() == [[True, False]]


def test_rng_is_given_to_those_that_take_it_and_to_no_others():
    rng = np.random.default_rng(3)
    seen = []
    route(lambda logits, rng: seen.append(rng) or dense(logits), LOGITS, rng=rng)
    route(dense, LOGITS, rng=rng)
    route(partial(lambda k, logits, rng: seen.append(rng) or dense(logits), 2), LOGITS, rng=rng)
    assert seen == [rng, rng]
    assert not scoreboard.takes_rng(np.exp)


def broken(logits):
    raise ZeroDivisionError("by zero")


def in_place(logits):
    logits -= logits.max()
    return dense(logits)


def with_entry(value):
    def router(logits):
        table = dense(logits)
        table[3, 1] = value
        return table
    return router


def with_index(value):
    def router(logits):
        index, weight = choices(logits)
        index[0, 0] = value
        return index, weight
    return router


WRONG = {
    "nothing": (lambda z: None, "returned None; does it end with `return"),
    "text": (lambda z: "top-2", "returned a str; expected a Routing"),
    "one number": (lambda z: 3, "returned a int; expected"),
    "three tables": (lambda z: (z, z, z), "returned a tuple of 3; expected"),
    "other tokens": (lambda z: routing.top_k(z[:5], K), "Routing of 5 tokens and 8 experts for logits of 24"),
    "other experts": (lambda z: routing.top_k(z[:, :4], K), "24 tokens and 4 experts for logits of"),
    "weights of another shape": (lambda z: dense(z).T, r"shape of logits \(24, 8\), got \(8, 24\)"),
    "experts without weights": (lambda z: choices(z)[0], "return expert_index, weights"),
    "a row": (lambda z: z[0], r"weights must have shape \(T, E\), got shape \(8,\)"),
    "NaN weight": (with_entry(np.nan), r"weights must be finite, got nan at \[3, 1\]"),
    "infinite weight": (with_entry(np.inf), "weights must be finite, got inf"),
    "negative weight": (with_entry(-0.5), "weights must be non-negative, got -0.5"),
    "a mask": (lambda z: z > 0, "weights must hold real numbers, got dtype bool"),
    "ragged rows": (lambda z: [[1.0], [1.0, 2.0]], "weights is not an array"),
    "expert E": (with_index(E), r"expert_index must lie in 0..7 \(or be EMPTY, -1\), got 8"),
    "expert -2": (with_index(-2), "expert_index must lie in 0..7"),
    "one expert twice": (lambda z: (np.zeros((T, 2), int), np.ones((T, 2))), "names an expert twice"),
    "float experts": (lambda z: (choices(z)[0] * 1.0, choices(z)[1]), "expert_index must hold whole numbers"),
    "weights of one slot": (lambda z: (choices(z)[0], choices(z)[1][:, :1]), "weights must have the shape"),
    "NaN among the weights": (lambda z: (choices(z)[0], choices(z)[1] * np.nan), "weights must be finite"),
    "changed input": (in_place, "changed the logits it was given"),
    "an exception": (broken, "raised ZeroDivisionError: by zero"),
    "another argument": (lambda logits, k: dense(logits), "raised TypeError"),
    "no function": (np.ones((T, E)), "is no function but a ndarray"),
}


@pytest.mark.parametrize(("router", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_routing_is_named_and_the_others_survive(router, message):
    with pytest.raises(RouterError, match=message):
        route(router, LOGITS)
    three = {"top-k": routing.top_k, "my router": router, "soft": routing.soft}
    board = score(three, LOGITS, own="my router")
    assert board.names == ("top-k", "soft")
    assert board.remarks["my router"].startswith("my router is missing: it ")
    assert board.remarks["my router"] in repr(board)


def test_a_router_that_fails_only_when_later_tokens_change_says_so():
    def router(logits):
        return dense(logits) if np.array_equal(logits, LOGITS) else None
    assert "later tokens changed" in score({"mine": router}, LOGITS).remarks["mine"]


def test_an_interrupt_is_not_taken_for_a_fault():
    def router(logits):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        route(router, LOGITS)


# --- what is measured ---

def test_readings_of_a_routing_typed_by_hand():
    logits = np.log([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6], [0.1, 0.1, 0.8]])
    index = np.array([[0, 1], [0, 2], [2, EMPTY], [1, EMPTY]])
    kept = np.array([[True, True], [True, False], [True, False], [False, False]])
    weight = np.where(index == EMPTY, 0, 0.25)
    given = Routing(logits, softmax(logits), index, weight, kept)
    row = score({"mine": lambda z: given}, logits)["mine"]
    assert row.captured == pytest.approx((0.5 + 0.3 + 0.6 + 0.6) / 4)
    assert row.of_best == pytest.approx(2.0 / (0.8 + 0.6 + 0.6 + 0.5))
    assert row.drop_rate == pytest.approx(2 / 6)
    assert (row.experts, row.fewest, row.most, row.unserved) == (1.0, 0, 2, 0.25)
    assert row.max_violation == pytest.approx(2 / (4 / 3) - 1)
    assert row.load_entropy == pytest.approx(metrics.load_entropy([2, 1, 1]))
    assert row.router_entropy == pytest.approx(metrics.router_entropy(given))


def test_captured_uses_the_shared_scores_whatever_the_router_chose_by():
    made = routing.sigmoid_top_k(LOGITS, K)
    by_loop = sum(softmax(LOGITS)[t, e] for t in range(T) for e in made.expert_index[t]) / T
    assert scoreboard.captured(made, LOGITS) == pytest.approx(by_loop)
    assert by_loop != pytest.approx(metrics.captured_score(made))
    with pytest.raises(ValueError, match="logits must have shape"):
        scoreboard.captured(made, LOGITS[:4])


def test_no_routing_of_as_many_choices_captures_more_than_the_best():
    board = score({**routers(), **with_seats({"seats": routing.top_k}, 0.5)}, LOGITS)
    assert (board.column("of_best") <= 1 + 1e-12).all()
    cut = np.sort(softmax(LOGITS), axis=None)[-50]
    best = score({"best": lambda z: routing.threshold(z, np.nextafter(cut, 0))}, LOGITS)["best"]
    assert best.experts == pytest.approx(50 / T)
    assert best.of_best == pytest.approx(1)
    assert scoreboard.best_captured(LOGITS, T * E) == pytest.approx(1)


def test_a_router_that_chooses_nothing_has_a_row_with_unknowns():
    board = score({"nothing": lambda z: np.zeros(z.shape), "top-k": routing.top_k}, LOGITS)
    row = board["nothing"]
    assert row.unserved == 1 and row.captured == 0 and math.isnan(row.max_violation)
    assert board.sorted_by("max_violation").names == ("top-k", "nothing")


# --- causal or not, random or not ---

@cases("name", sorted(routers()))
def test_the_line_up_is_causal_but_for_those_that_look_at_the_batch(name):
    row = score({name: routers()[name]}, LOGITS)[name]
    assert row.causal == (name not in NOT_CAUSAL)
    assert (row.leak > 0) == (name in NOT_CAUSAL)
    assert row.random == (name in {"noisy top-k", "GShard top-2", "random"})


def test_leak_is_a_share_of_earlier_tokens_alone():
    def follow_the_last(logits):  # token 0 copies the last token's choice
        copied = logits.copy()
        copied[0] = logits[-1]
        return routing.top_k(copied, 1)
    assert scoreboard.leak(follow_the_last, LOGITS) == pytest.approx(1 / (T // 4))
    assert scoreboard.leak(lambda z: routing.top_k(z, 1), LOGITS) == 0


@cases("distance", [1, 5])
def test_a_look_ahead_of_a_few_tokens_is_seen(distance):
    row = score({"ahead": lambda z: routing.top_k(np.roll(z, -distance, axis=0), K)}, LOGITS)["ahead"]
    assert row.leak > 0 and row.causal is False


def test_a_look_back_is_causal():
    assert score({"back": lambda z: routing.top_k(np.cumsum(z, axis=0), K)}, LOGITS)["back"].causal


def test_weights_alone_can_leak():
    def loud(logits):
        routed = routing.top_k(logits, K)
        return routed.expert_index, routed.combine_weight / logits.max()
    row = score({"loud": loud}, LOGITS)["loud"]
    assert row.leak == 1 and not row.causal


def test_hidden_draws_are_seen_and_leave_causality_open():
    hidden = np.random.default_rng(0)
    def mine(logits):
        return routing.random_route(*logits.shape, K, rng=hidden)
    board = score({"mine": mine}, LOGITS)
    assert board["mine"].random and board["mine"].leak is board["mine"].causal is None
    assert "an argument called rng" in board.remarks["mine"]
    assert "?" in repr(board)


def test_one_token_has_no_later_ones():
    board = score({"top-k": routing.top_k}, LOGITS[:1])
    assert board["top-k"].causal is None and not board.remarks


# --- the line-up and its seats ---

def test_every_router_of_the_package_is_in_the_line_up(monkeypatch):
    called = set()
    def spy(name):
        original = getattr(routing, name)
        return wraps(original)(lambda *a, **kw: called.add(name) or original(*a, **kw))
    helpers = {"SoftMixing", "soft_moe", "sinkhorn_plan", "quantile_bias", "quantile_cut",
               "gshard_top_2_backward", "noisy_top_k_backward", "weights_backward"}
    public = {name for name in routing.__all__ if callable(getattr(routing, name))} - helpers
    for name in public:
        monkeypatch.setattr(routing, name, spy(name))
    for router in routers().values():
        route(router, LOGITS, rng=np.random.default_rng(0))
    assert called == public


def test_the_line_up_declares_its_losses_and_uses_about_k_experts():
    board = score(routers(), OTHER_TEXT[:T])
    assert set(board.names) == set(scoreboard.NEEDS_LOSS)
    assert all(row.needs_loss == scoreboard.NEEDS_LOSS[row.name] for row in board.rows)
    wide = score(line_up(OTHER_TEXT, k=K), OTHER_TEXT)
    free = [wide[name].experts for name in ("top-p", "ReLU", "one threshold", "threshold per expert")]
    assert free == pytest.approx([K] * 4, rel=0.05)
    assert wide["threshold per expert"].max_violation == pytest.approx(0, abs=0.03)


@cases(("num_experts", "k"), [(1, 1), (3, 2), (6, 3), (6, 6), (16, 4)])
def test_the_line_up_fits_any_number_of_experts(num_experts, k):
    logits = np.random.default_rng(2).normal(size=(12, num_experts))
    board = score(line_up(logits, np.arange(12), k=k), logits)
    assert not board.remarks and len(board) == 20


def test_null_experts_leave_slots_empty_where_a_token_is_sure():
    routed = route(routers()["null experts"], [[9.0] + [0.0] * 7, [1.0, 1.0] + [0.0] * 6])
    assert (routed.expert_index != EMPTY).sum(axis=1).tolist() == [1, 2]
    np.testing.assert_allclose(routed.combine_weight[1], np.e / (2 * np.e + 6) / 1.5)  # four average nulls


def test_without_token_ids_there_is_no_hash():
    assert set(routers()) - set(line_up(OTHER_TEXT)) == {"hash"}


def test_seats_of_first_choices_first_leak_and_seats_token_by_token_do_not():
    limited = {order: with_seats({"top-k": routing.top_k}, 1.0, order=order) for order in ("choice", "token")}
    by_choice, by_token = (score(limited[order], LOGITS)["top-k"] for order in ("choice", "token"))
    assert by_choice.leak > 0 == by_token.leak
    expected = apply_capacity(routing.top_k(LOGITS, K), 6, order="token")
    assert by_token.drop_rate == metrics.drop_rate(expected)
    assert by_token.max_violation == pytest.approx(metrics.max_violation(expected.dispatch().sum(axis=0)))


def test_enough_seats_change_nothing_and_a_broken_router_stays_broken_inside():
    free = score({"top-k": routing.top_k}, LOGITS)["top-k"]
    assert score(with_seats({"top-k": routing.top_k}, E / K), LOGITS)["top-k"] == free
    board = score(with_seats({"mine": lambda z: None}, 1.0), LOGITS)
    assert board.remarks["mine"] == "mine is missing: it returned None; does it end with `return ...`?"


def test_routers_that_draw_still_draw_behind_their_seats():
    board = score(with_seats(routers(), 1.0, order="token"), LOGITS)
    assert not board.remarks and board["random"].random and board["noisy top-k"].causal


def test_random_seats_draw_from_the_seed():
    row = score(with_seats({"top-k": routing.top_k}, 0.5, order="random"), LOGITS)["top-k"]
    assert row.random and row.leak is not None


@cases(("call", "message"), [
    (lambda: with_seats(ONE, -1.0), "factor"), (lambda: with_seats(ONE, 1.0, order="size"), "order must be"),
    (lambda: with_seats(ONE, 1.0, k=0), "k must be"), (lambda: line_up(LOGITS, k=9), "k must be"),
    (lambda: with_seats([routing.top_k], 1.0), "routers must be"),
    (lambda: line_up(LOGITS[0]), "calibration must have shape"),
    (lambda: line_up(LOGITS, [0.5]), "token_ids"),
    (lambda: score([], LOGITS), "routers must be"), (lambda: score({}, LOGITS), "at least one"),
    (lambda: score({1: routing.top_k}, LOGITS), "routers must be"),
    (lambda: score(ONE, LOGITS * np.nan), "logits must be finite"),
    (lambda: score(ONE, LOGITS, own="b"), "own names 'b'"),
    (lambda: score(ONE, LOGITS, needs_loss={"b": True}), "needs_loss names 'b'"),
    (lambda: score(ONE, LOGITS, own=5), "own must be a list, got 5"),
    (lambda: score(ONE, LOGITS, own=["a", "a"]), "own must be different texts"),
    (lambda: score(ONE, LOGITS, needs_loss=["a"]), "needs_loss must be a Mapping, got list"),
    (lambda: scoreboard.best_captured(LOGITS, LOGITS.size + 1), "choices must be a whole number"),
])
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- the board ---

BOARD = score({**routers(), "mine": choices}, LOGITS, own="mine", needs_loss={"mine": False})


@cases("column", [column.name for column in COLUMNS])
def test_sorted_rows_are_in_order_best_first(column):
    board = BOARD.sorted_by(column)
    assert sorted(board.names) == sorted(BOARD.names)
    values = [getattr(row, column) for row in board.rows]
    best = scoreboard.find_column(column).best
    assert all(a >= b if best == "high" else a <= b for a, b in pairwise(values))


def test_ties_keep_the_order_they_had():
    names = BOARD.sorted_by("name").sorted_by("drop_rate").names
    assert names == BOARD.sorted_by("name").names


def test_an_unknown_column_lists_the_columns():
    for call in (BOARD.sorted_by, BOARD.column):
        with pytest.raises(ValueError, match=r"one of 'name', 'max_violation', .*'random', got 'speed'"):
            call("speed")


def test_a_row_and_its_routing_by_name():
    assert BOARD["mine"].name == "mine" and BOARD["mine"].needs_loss is False
    assert BOARD.routings["mine"].label == "mine"
    with pytest.raises(KeyError, match="the board has soft"):
        BOARD["yours"]
    with pytest.raises(KeyError, match="returned None"):
        score({"a": lambda z: None}, LOGITS)["a"]


def test_where_keeps_rows_and_marks():
    causal = BOARD.where(lambda row: row.causal)
    assert set(BOARD.names) - set(causal.names) == NOT_CAUSAL and causal.own == ("mine",)
    assert len(BOARD.where(lambda row: False)) == 0 and "0 routers" in repr(BOARD.where(lambda row: False))


def test_front_is_what_no_row_beats():
    front = set(BOARD.front("captured", "max_violation").names)
    for row in BOARD.rows:
        here = row.captured, -row.max_violation
        others = [(other.captured, -other.max_violation) for other in BOARD.rows]
        assert (row.name in front) != any(np.greater_equal(o, here).all() and o != here for o in others)
    with pytest.raises(ValueError, match="no better side"):
        BOARD.front("experts", "captured")


def test_rows_with_unknowns_neither_stand_in_the_front_nor_beat_anyone():
    board = score({"nothing": lambda z: np.zeros(z.shape), "top-k": routing.top_k}, LOGITS)
    assert board.front("max_violation", "captured").names == ("top-k",)


def test_text_is_a_table_with_the_own_row_marked():
    lines = repr(BOARD.sorted_by("captured")).splitlines()
    assert lines[0] == "21 routers, sorted by captured"
    assert lines[1].split()[:3] == ["router", "MaxVio", "captured"]
    assert len({len(line) for line in lines[1:22]}) == 1
    assert [line for line in lines if line.startswith("▶")] == [line for line in lines if " mine" in line]
    assert "100.0%" in lines[2] and lines[2].startswith("  soft")


def test_html_is_a_table_with_caption_marks_and_escaped_names():
    board = score({"<b>": choices, "<i>": lambda z: None, "top-k": routing.top_k}, LOGITS, own=["<b>", "<i>"])
    html = board.sorted_by("leak")._repr_html_()
    assert html.count("<tr>") == 6 and "sorted by leak" in html
    core, every = html.split('<details class="more">')
    assert (core.count('scope="col"'), every.count('scope="col"')) == (5, len(COLUMNS))
    assert core.count("linear-gradient") == 4 and every.startswith("<summary>All 14 readings</summary>")
    assert "<strong>▶ &lt;b&gt;</strong>" in html and "<b>" not in html
    assert "<p>&lt;i&gt; is missing" in html


def test_scoring_is_repeatable_and_leaves_the_logits_alone():
    before = LOGITS.copy()
    again = score({**routers(), "mine": choices}, LOGITS, own="mine", needs_loss={"mine": False})
    assert again.rows == BOARD.rows
    assert np.array_equal(before, LOGITS)


def test_moved_early_keeps_the_choices_of_changed_tokens_alone():
    later = LOGITS.copy()
    later[18:] = LOGITS[18:, ::-1]
    before, after = (routing.expert_choice(z, 6) for z in (LOGITS, later))
    moved = scoreboard.changed_tokens(before, after)[:18]
    lit = scoreboard.moved_early(before, after, 18)
    assert 0 < moved.sum() < 18
    assert np.array_equal(lit.dispatch(), before.dispatch()[:18] & moved[:, None])
    assert f"{moved.sum()} of 18" in lit.label
    with pytest.raises(ValueError, match="cut"):
        scoreboard.moved_early(before, after, 25)

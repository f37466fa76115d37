"""The Routing record: what it derives, what it protects and what it refuses."""

import copy
import dataclasses
import math

import numpy as np
import pytest

from cases import cases
from moeviz import metrics
from moeviz.record import EMPTY, Routing, check_routing


def fields(**changes):
    """Return the fields of a routing of 3 tokens over 3 experts: one dropped choice, one EMPTY slot."""
    values = {
        "logits": np.zeros((3, 3)),
        "probs": np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]),
        "expert_index": np.array([[0, 1], [1, EMPTY], [2, 0]]),
        "combine_weight": np.array([[0.6, 0.4], [1.0, 0.0], [0.75, 0.25]]),
        "kept": np.array([[True, False], [True, False], [True, True]]),
        "label": "three tokens",
    }
    return values | changes


def test_counts():
    routed = Routing(**fields())
    assert (routed.num_tokens, routed.num_experts, routed.k) == (3, 3, 2)


def test_pairs_are_the_kept_assignments_sorted_by_expert_then_token():
    pairs = Routing(**fields()).pairs()
    assert pairs.token.tolist() == [0, 2, 1, 2]
    assert pairs.expert.tolist() == [0, 0, 1, 2]
    assert pairs.weight.tolist() == [0.6, 0.25, 1.0, 0.75]
    assert pairs.slot.tolist() == [0, 1, 0, 0]


def test_dispatch_and_combine_leave_dropped_and_empty_out():
    routed = Routing(**fields())
    assert routed.dispatch().tolist() == [[True, False, False], [False, True, False], [True, False, True]]
    assert routed.combine().tolist() == [[0.6, 0, 0], [0, 1.0, 0], [0.25, 0, 0.75]]


def test_a_token_may_have_no_expert():
    routed = Routing(None, [[0.5, 0.5]], [[EMPTY]], [[0.0]], [[False]])
    assert not routed.dispatch().any()
    assert len(routed.pairs().token) == 0
    assert "no expert" in repr(routed)


def test_arrays_are_copies_and_read_only_and_the_learners_array_stays_writable():
    given = fields()
    routed = Routing(**given)
    for name in ("logits", "probs", "expert_index", "combine_weight", "kept"):
        stored = getattr(routed, name)
        assert not np.shares_memory(stored, given[name])
        with pytest.raises(ValueError, match="read-only"):
            stored[0, 0] = 0
        given[name][0, 0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        routed.label = "other"


def test_replace_checks_again():
    with pytest.raises(ValueError, match="kept must be bool"):
        dataclasses.replace(Routing(**fields()), kept=np.ones((1, 1), dtype=bool))


def test_repr_shows_weights_drops_and_how_many_tokens_are_not_shown():
    assert repr(Routing(**fields())).splitlines() == [
        "Routing 'three tokens': 3 tokens, 3 experts, k = 2",
        "  token 0: e0 0.600, e1 0.400 dropped",
        "  token 1: e1 1.000",
        "  token 2: e2 0.750, e0 0.250",
    ]
    many = Routing(None, np.ones((9, 1)), np.zeros((9, 1), int), np.ones((9, 1)), np.ones((9, 1), bool))
    assert repr(many).splitlines()[-1] == "  ... 3 more"
    assert len(repr(many).splitlines()) == 8


def test_rounding_of_row_sums_is_forgiven_but_not_more():
    Routing(**fields(probs=np.full((3, 3), 1 / 3, dtype=np.float32)))
    with pytest.raises(ValueError, match="sum to 1"):
        Routing(**fields(probs=np.full((3, 3), 1 / 3 + 1e-4)))


def test_check_routing_passes_a_routing_only():
    routed = Routing(**fields())
    assert check_routing(routed) is routed
    with pytest.raises(ValueError, match="first must be a Routing, got list"):
        check_routing([], "first")


BAD = {
    "logits of another shape": ({"logits": np.zeros((3, 2))}, "logits must have the shape of probs"),
    "logits not finite": ({"logits": np.full((3, 3), math.inf)}, "logits must be finite"),
    "probs missing": ({"probs": None}, "num_experts must be said where probs are None"),
    "probs empty": ({"probs": np.zeros((0, 3))}, "probs must not be empty"),
    "probs one-dimensional": ({"probs": np.ones(3)}, "probs must have shape"),
    "probs not a number": ({"probs": np.full((3, 3), math.nan)}, "probs must be finite"),
    "probs negative": ({"probs": np.array([[1.5, -0.5, 0.0]] * 3)}, "probs must be non-negative, got -0.5"),
    "probs not summing": ({"probs": np.full((3, 3), 0.5)}, "probs must sum to 1 in each row, got 1.5"),
    "index ragged": ({"expert_index": [[0, 1], [1], [2, 0]]}, "expert_index is not an array"),
    "index too short": ({"expert_index": np.zeros((2, 2), int)}, r"expert_index must have shape \(3, k\)"),
    "index no slots": ({"expert_index": np.zeros((3, 0), int)}, r"expert_index must have shape \(3, k\)"),
    "index of floats": ({"expert_index": np.zeros((3, 2))}, "expert_index must hold whole numbers"),
    "index too high": ({"expert_index": np.array([[0, 3]] * 3)}, r"expert_index must lie in 0\.\.2 .* got 3"),
    "index too low": ({"expert_index": np.array([[0, -2]] * 3)}, "expert_index must lie in .* got -2"),
    "index twice": ({"expert_index": np.array([[0, 1], [2, 1], [1, 1]])}, "expert twice for token 2"),
    "weight of another shape": ({"combine_weight": np.zeros((3, 1))}, "combine_weight must have the shape"),
    "weight not finite": ({"combine_weight": np.full((3, 2), math.nan)}, "combine_weight must be finite"),
    "weight negative": ({"combine_weight": np.array([[-0.1, 0], [1, 0], [1, 0]])}, "weight must be non-neg"),
    "weight in an EMPTY slot": ({"combine_weight": np.ones((3, 2))}, "combine_weight must be .* 0 where"),
    "kept of ints": ({"kept": np.zeros((3, 2), int)}, "kept must be bool"),
    "kept of another shape": ({"kept": np.zeros((2, 3), bool)}, "kept must be bool of shape"),
    "kept in an EMPTY slot": ({"kept": np.ones((3, 2), bool)}, "kept must be False where .* EMPTY"),
    "label not text": ({"label": 3}, "label must be text, got 3"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_fields_are_named_and_left_alone(changes, message):
    given = fields(**changes)
    before = copy.deepcopy(given)
    with pytest.raises(ValueError, match=message):
        Routing(**given)
    for name, value in before.items():
        np.testing.assert_equal(given[name], value)


# --- what servers return: experts alone ---

def bare(**changes):
    """Return the fields of a routing of which only the experts are known."""
    return {"logits": None, "probs": None, "expert_index": [[0, 2], [1, EMPTY]], "combine_weight": None,
            "kept": [[True, True], [True, False]], "label": "a server's", "num_experts": 4} | changes


def test_a_routing_of_experts_alone_counts_and_says_what_it_lacks():
    routed = Routing(**bare())
    assert (routed.num_tokens, routed.num_experts, routed.k, routed.shape) == (2, 4, 2, (2, 4))
    assert routed.dispatch().astype(int).tolist() == [[1, 0, 1, 0], [0, 1, 0, 0]]
    assert "token 0: e0, e2" in repr(routed)
    assert metrics.load(routed).round(3).tolist() == [0.333, 0.333, 0.333, 0.0]
    assert routed.pairs().weight is None
    for meter, what in ((metrics.router_entropy, "probs"), (metrics.captured_score, "probs"),
                        (metrics.importance, "weights"), (Routing.combine, "weights")):
        with pytest.raises(ValueError, match=f"must have {what}.*only the chosen experts are known"):
            meter(routed)


@cases(("changes", "words"), [
    ({"num_experts": None}, "num_experts must be said where probs are None"),
    ({"num_experts": 2}, "expert_index must lie in"),
    ({"probs": [[0.5, 0.5, 0, 0]] * 2, "num_experts": 3}, "num_experts must be the 4 columns of probs"),
    ({"logits": [[1.0, 2.0]] * 2}, "logits must have the shape of probs"),
    ({"label": 3}, "label must be text"),
])
def test_a_routing_of_experts_alone_is_checked(changes, words):
    with pytest.raises(ValueError, match=words):
        Routing(**bare(**changes))


def test_another_label_shares_the_arrays_and_checks_nothing(monkeypatch):
    routed = Routing(**bare())
    monkeypatch.setattr(Routing, "__post_init__", None)  # calling it would fail
    named = routed.relabel("mine")
    assert named.expert_index is routed.expert_index
    assert (named.label, routed.label, named.num_experts) == ("mine", "a server's", 4)
    with pytest.raises(ValueError, match="label must be text"):
        routed.relabel(3)

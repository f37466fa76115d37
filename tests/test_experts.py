"""The forward passes against a slow sum over pairs, the backward against finite differences, bad input."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import EMPTY, Routing, experts
from moeviz.experts import activate

KINDS = [(activation, gated) for activation in experts.ACTIVATIONS for gated in (False, True)]
FORWARDS = {
    "loop": experts.forward_loop,
    "padded": experts.forward_padded,
    "grouped": experts.forward_grouped,
    "two threads": lambda tokens, bank, routed: experts.forward_grouped(tokens, bank, routed, threads=2),
    "cached": lambda tokens, bank, routed: experts.forward_cached(tokens, bank, routed)[0],
    "all": lambda tokens, bank, routed: experts.forward_all(tokens, bank, routed.combine()),
}


def make_routing(rng, num_tokens, num_experts, k, *, empty=0.15, dropped=0.15, weight=None):
    """Return a random routing with EMPTY slots and dropped choices; dropped choices keep their weight."""
    index = np.argsort(rng.random((num_tokens, num_experts)), axis=1)[:, :k]
    index[rng.random(index.shape) < empty] = EMPTY
    weight = rng.random(index.shape) if weight is None else np.full(index.shape, weight)
    kept = (index != EMPTY) & (rng.random(index.shape) >= dropped)
    probs = np.full((num_tokens, num_experts), 1 / num_experts)
    return Routing(None, probs, index, np.where(index == EMPTY, 0, weight), kept, "random")


def make_layer(seed, activation="relu", gated=False, num_tokens=7, num_experts=4, k=2, width=3, hidden=5):
    rng = np.random.default_rng(seed)
    bank = experts.random_bank(num_experts, width, hidden, rng=rng, gated=gated, activation=activation)
    return rng.standard_normal((num_tokens, width)), bank, make_routing(rng, num_tokens, num_experts, k)


def scalar_activation(x, activation):
    if activation == "relu":
        return max(x, 0.0)
    if activation == "silu":
        return x / (1 + math.exp(-x))
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def slow_expert(token, bank, e):
    """Return expert e's answer for one token (D,), number by number."""
    hidden = []
    for h in range(bank.hidden):
        linear = sum(token[d] * bank.w_in[e, d, h] for d in range(bank.width))
        if bank.w_gate is None:
            hidden.append(scalar_activation(linear, bank.activation))
        else:
            gate = sum(token[d] * bank.w_gate[e, d, h] for d in range(bank.width))
            hidden.append(scalar_activation(gate, bank.activation) * linear)
    columns = bank.w_out[e].T
    return np.array([sum(h * weight for h, weight in zip(hidden, column, strict=True)) for column in columns])


def slow_layer(tokens, bank, routed):
    output = np.zeros(tokens.shape)
    for (t, slot), kept in np.ndenumerate(routed.kept):
        if kept:
            answer = slow_expert(tokens[t], bank, routed.expert_index[t, slot])
            output[t] += routed.combine_weight[t, slot] * answer
    return output


@cases("forward", FORWARDS)
@cases(("activation", "gated"), KINDS)
def test_every_forward_is_the_weighted_sum_of_the_kept_experts(forward, activation, gated):
    tokens, bank, routed = make_layer(0, activation, gated)
    assert (routed.expert_index == EMPTY).any() and (~routed.kept & (routed.expert_index != EMPTY)).any()
    expected = slow_layer(tokens, bank, routed)
    np.testing.assert_allclose(FORWARDS[forward](tokens, bank, routed), expected, rtol=1e-12, atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), num_tokens=st.integers(1, 9), num_experts=st.integers(1, 6),
       k=st.integers(1, 6), kind=st.sampled_from(KINDS))
def test_the_forwards_agree_on_any_routing(seed, num_tokens, num_experts, k, kind):
    tokens, bank, routed = make_layer(seed, *kind, num_tokens, num_experts, min(k, num_experts))
    outputs = [forward(tokens, bank, routed) for forward in FORWARDS.values()]
    for output in outputs[1:]:
        np.testing.assert_allclose(output, outputs[0], rtol=1e-10, atol=1e-12)


@cases("forward", FORWARDS)
@cases("sizes", [(1, 1, 1), (1, 5, 5), (9, 1, 1), (6, 4, 4), (1, 8, 2)])
def test_one_token_one_expert_and_k_equal_to_e(forward, sizes):
    num_tokens, num_experts, k = sizes
    tokens, bank, routed = make_layer(1, num_tokens=num_tokens, num_experts=num_experts, k=k)
    expected = slow_layer(tokens, bank, routed)
    np.testing.assert_allclose(FORWARDS[forward](tokens, bank, routed), expected, atol=1e-12)


@cases("forward", ["padded", "grouped", "cached"])
def test_more_tokens_than_one_block(forward):
    tokens, bank, routed = make_layer(1, num_tokens=700, k=3)
    expected = experts.forward_all(tokens, bank, routed.combine())
    np.testing.assert_allclose(FORWARDS[forward](tokens, bank, routed), expected, atol=1e-12)


@pytest.mark.parametrize("forward", FORWARDS)
@pytest.mark.parametrize("gone", [{"empty": 1.0}, {"dropped": 1.0}], ids=["all empty", "all dropped"])
def test_tokens_without_an_expert_get_zeros(forward, gone):
    tokens, bank, _ = make_layer(2)
    routed = make_routing(np.random.default_rng(0), len(tokens), bank.num_experts, 2, **gone)
    assert FORWARDS[forward](tokens, bank, routed).tolist() == np.zeros(tokens.shape).tolist()


@cases("forward", FORWARDS)
def test_an_expert_may_get_every_token_and_others_none(forward):
    tokens, bank, _ = make_layer(3)
    ones = np.ones((len(tokens), 1))
    only = Routing(None, np.full((len(tokens), 4), 0.25), 2 * ones.astype(int), ones, ones > 0, "all to one")
    expected = [slow_expert(token, bank, 2) for token in tokens]
    np.testing.assert_allclose(FORWARDS[forward](tokens, bank, only), expected, atol=1e-12)


@cases("forward", FORWARDS)
@cases("gated", [False, True])
def test_float32_tokens_give_a_float32_output(forward, gated):
    tokens, bank, routed = make_layer(4, "silu", gated)
    singles = [None if part is None else part.astype(np.float32) for part in bank.expert(slice(None))]
    small = experts.ExpertBank(*singles, "silu")
    for weights in (bank, small):
        output = FORWARDS[forward](tokens.astype(np.float32), weights, routed)
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, slow_layer(tokens, bank, routed), rtol=1e-4, atol=1e-5)


@cases("forward", FORWARDS)
def test_the_output_has_the_dtype_of_the_tokens_whatever_the_weights_have(forward):
    tokens, bank, routed = make_layer(4)
    mixed = experts.ExpertBank(bank.w_in.astype(np.float32), bank.w_out.astype(np.float16))
    output = FORWARDS[forward](tokens, mixed, routed)
    assert output.dtype == np.float64
    np.testing.assert_allclose(output, slow_layer(tokens, mixed, routed), rtol=1e-6)
    assert mixed.w_out.dtype == np.float16


def test_gradients_keep_the_dtype():
    tokens, bank, routed = make_layer(4)
    bank = experts.ExpertBank(bank.w_in.astype(np.float32), bank.w_out.astype(np.float32))
    output, cache = experts.forward_cached(tokens.astype(np.float32), bank, routed)
    gradients = experts.backward(cache, output.astype(float))
    assert {part.dtype for part in gradients if part is not None} == {np.dtype(np.float32)}


def test_the_order_of_the_tokens_only_orders_the_output():
    tokens, bank, routed = make_layer(5)
    order = np.random.default_rng(0).permutation(len(tokens))
    moved = Routing(None, routed.probs[order], routed.expert_index[order], routed.combine_weight[order],
                    routed.kept[order], "permuted")
    expected = experts.forward_grouped(tokens, bank, routed)[order]
    np.testing.assert_allclose(experts.forward_grouped(tokens[order], bank, moved), expected, atol=1e-12)


@cases("activation", experts.ACTIVATIONS)
@cases("gated", [False, True])
def test_split_dense_adds_up_to_the_dense_layer(activation, gated):
    rng = np.random.default_rng(6)
    tokens, w_in, w_out = (rng.standard_normal(shape) for shape in [(9, 4), (4, 12), (12, 4)])
    w_gate = rng.standard_normal((4, 12)) if gated else None
    bank = experts.split_dense(w_in, w_out, 3, w_gate=w_gate, activation=activation)
    everyone = make_routing(rng, 9, 3, 3, empty=0, dropped=0, weight=1.0)
    dense = experts.dense_forward(tokens, w_in, w_out, w_gate, activation)
    for forward in FORWARDS.values():
        np.testing.assert_allclose(forward(tokens, bank, everyone), dense, rtol=1e-12, atol=1e-12)
    whole = experts.ExpertBank(w_in[None], w_out[None], w_gate[None] if gated else None, activation)
    np.testing.assert_allclose(dense, [slow_expert(token, whole, 0) for token in tokens], atol=1e-12)


def test_split_dense_gives_expert_e_the_block_e_and_copies():
    w_in, w_out = np.arange(8.0).reshape(2, 4), np.arange(8.0).reshape(4, 2)
    bank = experts.split_dense(w_in, w_out, 2)
    assert bank.w_in[1].tolist() == [[2, 3], [6, 7]] and bank.w_out[1].tolist() == [[4, 5], [6, 7]]
    bank.w_in[:], bank.w_out[:] = -1, -1
    assert w_in.min() == 0 and w_out.min() == 0


def test_dense_forward_is_the_same_across_its_blocks_of_tokens():
    rng = np.random.default_rng(7)
    tokens, w_in, w_out = (rng.standard_normal(shape) for shape in [(1300, 3), (3, 5), (5, 3)])
    expected = np.maximum(tokens @ w_in, 0) @ w_out
    np.testing.assert_allclose(experts.dense_forward(tokens, w_in, w_out), expected, atol=1e-12)
    assert experts.dense_forward(tokens.astype(np.float32), w_in, w_out).dtype == np.float32


def numeric_gradient(loss, array, step=1e-5):
    """Return the central difference of loss() for every entry of array, which is changed and put back."""
    gradient = np.zeros(array.shape)
    for at in np.ndindex(array.shape):
        value = array[at]
        array[at] = value + step
        above = loss()
        array[at] = value - step
        gradient[at] = (above - loss()) / (2 * step)
        array[at] = value
    return gradient


def relative_error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


@cases(("activation", "gated"), KINDS)
def test_backward_matches_finite_differences(activation, gated):
    tokens, bank, routed = make_layer(8, activation, gated)
    doutput = np.random.default_rng(9).standard_normal(tokens.shape)
    gradients = experts.backward(experts.forward_cached(tokens, bank, routed)[1], doutput)
    inputs = {"tokens": tokens, "w_in": bank.w_in, "w_out": bank.w_out, "w_gate": bank.w_gate}

    def loss():
        return (slow_layer(tokens, bank, routed) * doutput).sum()

    for name, array in inputs.items():
        if array is None:
            assert getattr(gradients, name) is None
            continue
        expected = numeric_gradient(loss, array)
        assert relative_error(getattr(gradients, name), expected) < 1e-6, name


@cases(("activation", "gated"), KINDS)
def test_gradient_of_the_weight_is_what_the_expert_says_along_doutput(activation, gated):
    tokens, bank, routed = make_layer(10, activation, gated)
    doutput = np.random.default_rng(9).standard_normal(tokens.shape)
    found = experts.backward(experts.forward_cached(tokens, bank, routed)[1], doutput).combine_weight
    for (t, slot), kept in np.ndenumerate(routed.kept):
        # the output is linear in the weights, so this product is the exact derivative
        answer = slow_expert(tokens[t], bank, routed.expert_index[t, slot]) @ doutput[t] if kept else 0.0
        assert found[t, slot] == pytest.approx(answer, rel=1e-10, abs=1e-12)


def test_gradients_are_zero_where_nothing_was_kept():
    tokens, bank, _ = make_layer(11, "silu", True)
    nobody = make_routing(np.random.default_rng(0), len(tokens), bank.num_experts, 2, dropped=1.0)
    gradients = experts.backward(experts.forward_cached(tokens, bank, nobody)[1], np.ones_like(tokens))
    assert all((part == 0).all() for part in gradients)
    assert [part.shape for part in gradients] == [(7, 3), (4, 3, 5), (4, 5, 3), (4, 3, 5), (7, 2)]


@cases("load", [(0, 700, 3, 2, 0, 600, 0), (512, 1, 511, 0), (0, 0, 5), (600,)])
def test_experts_of_any_load_lose_nobody(load):
    """More rows than fit in one block, experts larger than a block, and experts with nothing to do."""
    rng = np.random.default_rng(0)
    chosen = rng.permutation(np.repeat(np.arange(len(load)), load))[:, None]
    routed = Routing(None, np.full((len(chosen), len(load)), 1 / len(load)), chosen,
                      rng.random(chosen.shape), np.ones(chosen.shape, bool), "large")
    tokens = rng.standard_normal((len(chosen), 3))
    for activation, gated in KINDS:
        bank = experts.random_bank(len(load), 3, 4, rng=rng, gated=gated, activation=activation)
        expected = experts.forward_all(tokens, bank, routed.combine())
        for forward in ("grouped", "two threads", "cached"):
            np.testing.assert_allclose(FORWARDS[forward](tokens, bank, routed), expected, atol=1e-12)
        found = experts.backward(experts.forward_cached(tokens, bank, routed)[1], expected)
        halves = [one_expert_gradients(tokens, bank, routed, expected, e) for e in range(len(load))]
        np.testing.assert_allclose(found.tokens, sum(half.tokens for half in halves), atol=1e-10)
        for e, half in enumerate(halves):
            np.testing.assert_allclose(found.w_in[e], half.w_in[0], atol=1e-10)
            np.testing.assert_allclose(found.w_out[e], half.w_out[0], atol=1e-10)


def one_expert_gradients(tokens, bank, routed, doutput, e):
    """Return the gradients of a layer that has expert e alone, with the weights that others' tokens lack."""
    w_in, w_out, w_gate = bank.expert(slice(e, e + 1))
    alone = experts.ExpertBank(w_in, w_out, w_gate, bank.activation)
    weight = routed.combine()[:, [e]]
    everybody = Routing(None, np.ones_like(weight), np.zeros_like(weight, dtype=int), weight,
                        np.ones_like(weight, dtype=bool), "one expert")
    return experts.backward(experts.forward_cached(tokens, alone, everybody)[1], doutput)


@cases("shape", [(5,), (0, 4), (7, 4), (64, 4), (3, 7, 4), (2, 3, 7, 4)])
@cases("order", ["C", "F"])
def test_relu_takes_any_shape_and_memory_order(shape, order):
    values = np.asarray(np.random.default_rng(0).standard_normal(shape), order=order)
    for view in (values, values[::-1], values.T):
        np.testing.assert_array_equal(activate(view, "relu"), np.maximum(view, 0))


@cases(("activation", "gated"), KINDS)
def test_a_workspace_changes_no_number_and_saves_fresh_memory(activation, gated):
    workspace, seen = {}, []
    for seed, dropped in ((0, 0.0), (1, 0.0), (2, 0.3), (0, 0.0)):
        tokens, bank, _ = make_layer(seed, activation, gated, num_tokens=9)
        routed = make_routing(np.random.default_rng(seed), 9, 4, 2, empty=0, dropped=dropped)
        expected, fresh = experts.forward_cached(tokens, bank, routed)
        output, cache = experts.forward_cached(tokens, bank, routed, workspace=workspace)
        np.testing.assert_array_equal(output, expected)
        pairs = zip(experts.backward(fresh, tokens), experts.backward(cache, tokens), strict=True)
        assert all(a is b is None or (a == b).all() for a, b in pairs)
        seen.append(cache)
    assert len(workspace) == 1
    assert all(cache.memory is seen[0].memory for cache in seen)


def test_two_forward_passes_share_no_array():
    tokens, bank, routed = make_layer(14, "gelu", True)
    cache = experts.forward_cached(tokens, bank, routed)[1]
    first = experts.backward(cache, tokens)
    before = [part.copy() for part in first]
    experts.backward(experts.forward_cached(tokens, bank, routed)[1], 2 * tokens + 1)
    assert all((a == b).all() for a, b in zip(first, before, strict=True))


@cases("threads", [0, -1, 1.5, "two"])
def test_threads_are_counted(threads):
    with pytest.raises(ValueError, match="threads"):
        experts.forward_grouped(*make_layer(0), threads=threads)


@cases("activation", experts.ACTIVATIONS)
def test_huge_values_stay_finite(activation):
    tokens, bank, routed = make_layer(12, activation, gated=True)
    output, cache = experts.forward_cached(tokens * 1e4, bank, routed)
    assert np.isfinite(output).all()
    assert all(np.isfinite(part).all() for part in experts.backward(cache, tokens))


def test_nothing_that_goes_in_is_changed():
    tokens, bank, routed = make_layer(13, "gelu", gated=True)
    doutput = np.ones_like(tokens)
    inputs = [tokens, doutput, *bank.expert(slice(None))]
    before = [array.copy() for array in inputs]
    for forward in FORWARDS.values():
        forward(tokens, bank, routed)
    caches = [experts.forward_cached(tokens, bank, routed)[1] for _ in range(2)]
    first, second = (experts.backward(cache, doutput) for cache in caches)
    assert all((a == b).all() for a, b in zip(inputs, before, strict=True))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_the_bank_holds_the_arrays_themselves_and_they_stay_writeable():
    w_in, w_out = np.ones((2, 3, 5)), np.ones((2, 5, 3))
    bank = experts.ExpertBank(w_in, w_out)
    bank.w_in[:] -= 0.5
    assert w_in.max() == 0.5 and bank.w_in is w_in
    assert (bank.num_experts, bank.width, bank.hidden) == (2, 3, 5)


def test_random_bank_has_unit_scale_and_the_seed_decides():
    bank = experts.random_bank(4, 100, 200, rng=np.random.default_rng(0), gated=True, dtype=np.float32)
    again = experts.random_bank(4, 100, 200, rng=np.random.default_rng(0), gated=True, dtype=np.float32)
    assert (bank.w_gate == again.w_gate).all() and not (bank.w_gate == bank.w_in).any()
    assert bank.w_in.dtype == bank.w_out.dtype == bank.w_gate.dtype == np.float32
    assert bank.w_in.std() * 100**0.5 == pytest.approx(1, abs=0.02)
    assert bank.w_out.std() * 200**0.5 == pytest.approx(1, abs=0.02)


def test_padded_takes_a_capacity_that_fits():
    tokens, bank, routed = make_layer(14)
    fullest = int(routed.dispatch().sum(axis=0).max())
    expected = slow_layer(tokens, bank, routed)
    for capacity in (fullest, fullest + 3):
        found = experts.forward_padded(tokens, bank, routed, capacity=capacity)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    with pytest.raises(ValueError, match=f"capacity must .*{fullest}.*got {fullest - 1}"):
        experts.forward_padded(tokens, bank, routed, capacity=fullest - 1)


A, B = np.ones((2, 3, 5)), np.ones((2, 5, 3))  # w_in, w_out of two experts
BAD_BANKS = {
    "w_in of two dimensions": ((A[0], B), "w_in must have shape"),
    "w_in of whole numbers": ((A.astype(int), B), "w_in must be a float array"),
    "w_in is a list": ((A.tolist(), B), "w_in must be a float array.*list"),
    "no expert": ((A[:0], B[:0]), "w_in must have shape"),
    "w_in with NaN": ((A * np.nan, B), "w_in must be finite, got nan"),
    "w_out with infinity": ((A, B * np.inf), "w_out must be finite, got inf"),
    "w_out not turned": ((A, A), r"w_out must have shape \(2, 5, 3\), got shape \(2, 3, 5\)"),
    "other number of experts": ((A, np.ones((3, 5, 3))), r"w_out must have shape \(2, 5, 3\)"),
    "w_gate of another width": ((A, B, np.ones((2, 4, 5))), r"w_gate must have shape \(2, 3, 5\)"),
    "unknown activation": ((A, B, None, "tanh"), "activation must be one of 'relu', 'gelu', 'silu'"),
    "activation is no text": ((A, B, None, None), "activation must be one of .* got None"),
}


@cases("case", BAD_BANKS)
def test_a_bad_bank_is_refused(case):
    fields, message = BAD_BANKS[case]
    with pytest.raises(ValueError, match=message):
        experts.ExpertBank(*fields)


TOKENS, BANK, ROUTING = make_layer(15)
SHORTER = make_routing(np.random.default_rng(0), 6, 4, 2)
FEWER = make_routing(np.random.default_rng(0), 7, 3, 2)
BAD_LAYERS = {
    "tokens of another width": ((TOKENS[:, :2], BANK, ROUTING), "tokens must have width 3 to fit bank"),
    "one token without its axis": ((TOKENS[0], BANK, ROUTING), r"tokens must have shape \(T, D\)"),
    "NaN in tokens": ((TOKENS * np.nan, BANK, ROUTING), "tokens must be finite, got nan"),
    "no tokens": ((TOKENS[:0], BANK, ROUTING), "tokens must not be empty"),
    "tokens are text": ((TOKENS.astype(str), BANK, ROUTING), "tokens must hold real numbers"),
    "routing for fewer tokens": ((TOKENS, BANK, SHORTER), "routed has 6 tokens, but tokens has 7"),
    "routing for fewer experts": ((TOKENS, BANK, FEWER), "routed has 3 experts, but bank has 4"),
    "an array instead of a bank": ((TOKENS, BANK.w_in, ROUTING), "bank must be an ExpertBank, got ndarray"),
    "weights for a routing": ((TOKENS, BANK, ROUTING.combine()), "routed must be a Routing, got ndarray"),
}


@cases("forward", ["loop", "padded", "grouped", "cached"])
@cases("case", BAD_LAYERS)
def test_a_layer_that_does_not_fit_is_refused(forward, case):
    inputs, message = BAD_LAYERS[case]
    with pytest.raises(ValueError, match=message):
        FORWARDS[forward](*inputs)


WEIGHTS, RNG = np.ones((7, 4)), np.random.default_rng(0)
CACHE = experts.forward_cached(TOKENS, BANK, ROUTING)[1]
BAD_CALLS = {
    "capacity of 0": (experts.forward_padded, (TOKENS, BANK, ROUTING), {"capacity": 0}, "capacity must"),
    "capacity of 1.5": (experts.forward_padded, (TOKENS, BANK, ROUTING), {"capacity": 1.5}, "capacity must"),
    "weights for fewer tokens": (experts.forward_all, (TOKENS, BANK, WEIGHTS[:6]), {},
                                 r"weights must have shape \(7, 4\), got \(6, 4\)"),
    "NaN in weights": (experts.forward_all, (TOKENS, BANK, WEIGHTS * np.nan), {}, "weights must be finite"),
    "all, narrow tokens": (experts.forward_all, (TOKENS[:, :2], BANK, WEIGHTS), {}, "tokens must"),
    "all without a bank": (experts.forward_all, (TOKENS, None, WEIGHTS), {}, "bank must be an ExpertBank"),
    "doutput too short": (experts.backward, (CACHE, TOKENS[:6]), {},
                          r"doutput must have the shape of the output \(7, 3\), got shape \(6, 3\)"),
    "NaN in doutput": (experts.backward, (CACHE, TOKENS * np.nan), {}, "doutput must be finite"),
    "dense on wide tokens": (experts.dense_forward, (TOKENS, A[0, :2], B[0, :, :2]), {}, "tokens must"),
    "dense w_out not turned": (experts.dense_forward, (TOKENS, A[0], A[0]), {},
                               r"w_out must have shape \(5, 3\)"),
    "dense w_gate turned": (experts.dense_forward, (TOKENS, A[0], B[0], B[0]), {},
                            r"w_gate must have shape \(3, 5\)"),
    "dense with tanh": (experts.dense_forward, (TOKENS, A[0], B[0]), {"activation": "tanh"}, "activation"),
    "split does not divide": (experts.split_dense, (A[0], B[0], 2), {},
                              "num_experts must divide the 5 hidden units, got 2"),
    "split too fine": (experts.split_dense, (A[0], B[0], 6), {}, "num_experts must"),
    "random bank of 0 experts": (experts.random_bank, (0, 3, 5), {"rng": RNG}, "num_experts must"),
    "random bank of negative width": (experts.random_bank, (2, -3, 5), {"rng": RNG}, "width must"),
    "random bank without hidden units": (experts.random_bank, (2, 3, 0), {"rng": RNG}, "hidden must"),
    "random bank with a seed": (experts.random_bank, (2, 3, 5), {"rng": 0}, "rng must be a numpy Generator"),
    "random bank with elu": (experts.random_bank, (2, 3, 5), {"rng": RNG, "activation": "elu"}, "activation"),
    "random bank of ints": (experts.random_bank, (2, 3, 5), {"rng": RNG, "dtype": int}, "dtype must"),
}


@cases("case", BAD_CALLS)
def test_a_bad_call_is_refused(case):
    function, inputs, options, message = BAD_CALLS[case]
    with pytest.raises(ValueError, match=message):
        function(*inputs, **options)

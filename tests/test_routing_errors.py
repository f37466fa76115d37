"""Bad input to the routers: the message names the argument, and the input is left as it was."""

import copy

import numpy as np
import pytest

from cases import cases
from moeviz import routing

Z = np.zeros((3, 4))
NAN = np.array([[0.0, np.nan]])
RNG = {"rng": np.random.default_rng(0)}
PAIR = {"num_groups": 2, "top_groups": 1}
WARM = {"temperature": 1.0}

# (router, positional arguments, keyword arguments, message)
CASES = [
    (routing.soft, [NAN], {}, r"logits must be finite, got nan at \[0, 1\]"),
    (routing.soft, [np.zeros((0, 4))], {}, r"logits must not be empty, got shape \(0, 4\)"),
    (routing.top_k, [Z, 5], {}, "k must be a whole number between 1 and 4, got 5"),
    (routing.top_k, [Z, 0], {}, "k must be a whole number between 1 and 4, got 0"),
    (routing.top_k, [Z, 2.0], {}, "k must be a whole number between 1 and 4, got 2.0"),
    (routing.top_k, [Z, -1], {}, "k must be a whole number between 1 and 4, got -1"),
    (routing.top_k, [np.zeros(4)], {}, r"logits must have shape \(T, E\), got shape \(4,\)"),
    (routing.top_k, [np.zeros((2, 3, 4))], {}, r"logits must have shape \(T, E\), got shape \(2, 3, 4\)"),
    (routing.top_k, [np.zeros((3, 0))], {}, r"logits must not be empty, got shape \(3, 0\)"),
    (routing.top_k, [np.full((2, 2), np.inf)], {}, r"logits must be finite, got inf at \[0, 0\]"),
    (routing.top_k, [[["a", "b"]]], {}, "logits must hold real numbers, got dtype <U1"),
    (routing.top_k, [[[1 + 1j, 0]]], {}, "logits must hold real numbers, got dtype complex128"),
    (routing.top_k, [Z > 0], {}, "logits must hold real numbers, got dtype bool"),
    (routing.top_k, [[[1.0, 2.0], [1.0]]], {}, "logits is not an array"),
    (routing.noisy_top_k, [Z, Z[:, :2]], RNG, r"noise_logits must have the shape of logits \(3, 4\)"),
    (routing.noisy_top_k, [Z[:1, :2], NAN], RNG, "noise_logits must be finite"),
    (routing.noisy_top_k, [Z, Z], {"rng": None}, "rng must be a numpy Generator .* got None"),
    (routing.noisy_top_k, [Z, Z, 9], RNG, "k must be .* got 9"),
    (routing.gshard_top_2, [Z], {"rng": 0}, "rng must be a numpy Generator .* got 0"),
    (routing.gshard_top_2, [Z], {**RNG, "threshold": 0.0}, "threshold must be .* got 0.0"),
    (routing.gshard_top_2, [Z], {**RNG, "threshold": 1.5}, "threshold must be .* got 1.5"),
    (routing.gshard_top_2, [NAN], RNG, "logits must be finite"),
    (routing.sigmoid_top_k, [Z], {"bias": np.zeros(3)}, r"bias must have shape \(4,\), got shape \(3,\)"),
    (routing.sigmoid_top_k, [Z], {"bias": Z}, r"bias must have shape \(4,\), got shape \(3, 4\)"),
    (routing.sigmoid_top_k, [Z], {"bias": [0, 0, 0, np.inf]}, "bias must be finite, got inf"),
    (routing.sigmoid_top_k, [Z], {"bias": ["a"] * 4}, "bias has dtype <U1"),
    (routing.sigmoid_top_k, [Z], {"num_groups": 3}, "num_groups must divide the 4 experts, got 3"),
    (routing.sigmoid_top_k, [Z], {"num_groups": 0}, "num_groups must be .* got 0"),
    (routing.sigmoid_top_k, [Z], {"num_groups": 2, "top_groups": 3}, "top_groups must be .* got 3"),
    (routing.sigmoid_top_k, [Z, 3], PAIR, "k must be at most the 2 experts of the open groups, got 3"),
    (routing.sigmoid_top_k, [Z], {"scale": -1.0}, "scale must be .* got -1.0"),
    (routing.softmax_group_limited, [Z], {"num_groups": 3, "top_groups": 1}, "num_groups must divide"),
    (routing.softmax_group_limited, [Z, 3], PAIR, "k must be at most the 2 experts"),
    (routing.softmax_group_limited, [Z], {**PAIR, "scale": np.nan}, "scale must be .* got nan"),
    (routing.cosine_top_k, [Z, np.zeros((2, 3))], WARM, "expert_embeddings must have the width"),
    (routing.cosine_top_k, [Z, np.zeros(4)], WARM, r"expert_embeddings must have shape \(E, D\)"),
    (routing.cosine_top_k, [NAN, Z], WARM, "tokens must be finite"),
    (routing.cosine_top_k, [Z, Z], {"temperature": 0.0}, "temperature must be .* got 0.0"),
    (routing.cosine_top_k, [Z, Z, 4], WARM, "k must be a whole number between 1 and 3, got 4"),
    (routing.expert_choice, [Z, 4], {}, "capacity must be a whole number between 1 and 3, got 4"),
    (routing.expert_choice, [Z, 0], {}, "capacity must be .* got 0"),
    (routing.expert_choice, [NAN, 1], {}, "logits must be finite"),
    (routing.top_p, [Z, 0.0], {}, "p must be .* got 0.0"),
    (routing.top_p, [Z, 1.1], {}, "p must be .* got 1.1"),
    (routing.top_p, [Z, "a"], {}, "p must be .* got 'a'"),
    (routing.threshold, [Z, np.nan], {}, "cut must be a number .* got nan"),
    (routing.threshold, [Z, np.zeros(3)], {}, r"cut must have shape \(4,\), got shape \(3,\)"),
    (routing.threshold, [Z, None], {}, "cut must be a number .* got None"),
    (routing.quantile_cut, [Z, 5], {}, "k must be .* got 5"),
    (routing.sinkhorn, [Z, 5], {}, "k must be .* got 5"),
    (routing.sinkhorn, [Z], {"iterations": -1}, "iterations must be .* got -1"),
    (routing.sinkhorn_plan, [NAN], {"iterations": 1}, "logits must be finite"),
    (routing.quantile_balanced, [Z], {"sweeps": 0}, "sweeps must be .* got 0"),
    (routing.quantile_balanced, [Z, 5], {}, "k must be .* got 5"),
    (routing.quantile_bias, [NAN, 1], {}, "scores must be finite"),
    (routing.hash_route, [[-1, 2], 4], {}, "token_ids must be whole numbers >= 0, got -1"),
    (routing.hash_route, [[0.5], 4], {}, "token_ids has dtype float64"),
    (routing.hash_route, [np.zeros(0, int), 4], {}, "token_ids must not be empty"),
    (routing.hash_route, [[[1]], 4], {}, r"token_ids must have one dimension, got shape \(1, 1\)"),
    (routing.hash_route, [[1], 0], {}, "num_experts must be .* got 0"),
    (routing.hash_route, [[1], 4, 5], {}, "k must be .* got 5"),
    (routing.random_route, [0, 4], RNG, "num_tokens must be .* got 0"),
    (routing.random_route, [3, 4, 5], RNG, "k must be .* got 5"),
    (routing.random_route, [3, 4], {"rng": np.random}, "rng must be a numpy Generator"),
    (routing.null_experts, [Z], {"num_null": 4}, "num_null must be a whole number between 0 and 3, got 4"),
    (routing.null_experts, [Z], {"num_null": 1, "bias": np.zeros(3)}, "bias must have shape"),
    (routing.null_experts, [NAN], {"num_null": 1}, "logits must be finite"),
    (routing.relu_route, [NAN], {}, "logits must be finite"),
    (routing.soft_moe, [Z, np.zeros((2, 3))], {}, "slots must have the width of tokens 4, got 3"),
    (routing.soft_moe, [NAN, Z], {}, "tokens must be finite"),
    (routing.soft_moe, [Z, Z], {"scale": -1.0}, "scale must be .* got -1.0"),
]


@pytest.mark.parametrize(("route", "args", "options", "message"), CASES,
                         ids=[f"{route.__name__}: {message[:30]}" for route, _, _, message in CASES])
def test_bad_input_is_named_and_left_alone(route, args, options, message):
    arrays = {name: value for name, value in options.items() if name != "rng"}
    before = copy.deepcopy((args, arrays))
    with pytest.raises(ValueError, match=f"^{message}"):
        route(*args, **options)
    np.testing.assert_equal((args, arrays), before)


@cases(("route", "args"), [
    (routing.noisy_top_k, [Z, Z]), (routing.gshard_top_2, [Z]), (routing.random_route, [3, 4]),
])
def test_a_router_that_draws_has_no_ambient_rng(route, args):
    with pytest.raises(TypeError, match="'rng'"):
        route(*args)

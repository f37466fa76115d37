"""The routers of published families: worked by hand, and beside the modules of transformers."""

import importlib.util
import math

import numpy as np
import pytest

from cases import cases
from moeviz.routing import sigmoid_top_k, top_k
from moeviz.routing.families import families, router_of
from moeviz.routing.published import Router, Seats

HERE = importlib.util.find_spec("torch") and importlib.util.find_spec("transformers")
needs_torch = pytest.mark.skipif(not HERE, reason="torch and transformers are not installed")


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def weights(router, logits, **given):
    """Return {expert: weight} of the first token."""
    made = router(logits, **given)
    return dict(zip(made.expert_index[0].tolist(), made.combine_weight[0].tolist(), strict=True))


def test_softmax_families_differ_in_what_the_weights_sum_to():
    logits = [[0.0, math.log(2), math.log(5)]]
    assert weights(router_of("mixtral"), logits) == pytest.approx({2: 5 / 7, 1: 2 / 7})
    assert weights(router_of("olmoe"), logits, k=2) == pytest.approx({2: 5 / 8, 1: 2 / 8})
    twice = router_of({"model_type": "dbrx", "attn_config": {}, "ffn_config": {"moe_top_k": 2,
                       "moe_normalize_expert_weights": 2.0}})
    norm = math.hypot(5, 2)
    assert weights(twice, logits) == pytest.approx({2: 5 / norm, 1: 2 / norm})
    never = router_of({"model_type": "dbrx", "ffn_config": {"moe_top_k": 2,
                                                            "moe_normalize_expert_weights": None}})
    assert weights(never, logits) == pytest.approx({2: 5 / 8, 1: 2 / 8})


def test_bias_chooses_and_never_weighs():
    logits, bias = [[0.0, 1.0, 2.0]], [1.0, 0.0, 0.0]
    v3 = router_of({"model_type": "deepseek_v3", "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2,
                    "routed_scaling_factor": 2.5})
    low, high = sigmoid(0), sigmoid(2)
    assert weights(v3, logits, bias=bias) == pytest.approx({0: 2.5 * low / (low + high),
                                                            2: 2.5 * high / (low + high)})
    total = 1 + math.e + math.e**2
    ernie = weights(router_of("ernie4_5_moe"), logits, k=2, bias=bias)
    assert ernie == pytest.approx({0: 1 / (1 + math.e**2), 2: math.e**2 / (1 + math.e**2)})
    longcat = weights(router_of("longcat_flash"), logits, k=2, bias=bias)
    assert longcat == pytest.approx({0: 6 / total, 2: 6 * math.e**2 / total})
    on_logits = weights(router_of("kolibri1"), logits, k=1, bias=[2.5, 0.0, 0.0])
    assert on_logits == pytest.approx({0: 0.5})
    floor = router_of({"model_type": "ernie4_5_moe", "moe_norm_min": 2.0})
    assert weights(floor, logits, k=1) == pytest.approx({2: math.e**2 / total / 2})
    assert weights(router_of("lfm2_moe"), [[-30.0, -31.0]], k=1)[0] == pytest.approx(
        sigmoid(-30) / (sigmoid(-30) + 1e-6))


def test_square_root_of_softplus_and_a_table_of_token_ids():
    config = {"model_type": "deepseek_v4", "n_routed_experts": 3, "num_experts_per_tok": 2,
              "routed_scaling_factor": 1.0}
    score = [math.sqrt(math.log1p(math.exp(value))) for value in (0.0, 1.0, 2.0)]
    got = weights(router_of(config), [[0.0, 1.0, 2.0]])
    assert got == pytest.approx({2: score[2] / (score[1] + score[2]), 1: score[1] / (score[1] + score[2])})
    table = [[0, 1], [1, 2]]
    looked = router_of(config, layer=2)([[0.0, 1.0, 2.0]] * 2, token_ids=[0, 1], table=table)
    assert looked.expert_index.tolist() == table
    assert looked.combine_weight[0, 0] == pytest.approx(score[0] / (score[0] + score[1]))
    assert not router_of(config, layer=3).hashed
    with pytest.raises(ValueError, match="needs token_ids"):
        router_of(config, layer=0)([[0.0, 1.0, 2.0]])
    with pytest.raises(ValueError, match=r"table must lie in 0\.\.2, got 0 to 3"):
        router_of(config, layer=0)([[0.0, 1.0, 2.0]], token_ids=[0], table=[[0, 3]])


def test_groups_close_to_zero_or_to_minus_infinity():
    """With a negative bias an open expert may stand below 0: then a closed one at 0 is taken."""
    logits, bias = [[5.0, 4.0, 0.0, -9.0]], [-2.0, -2.0, 0.5, 0.0]
    given = {"k": 2, "scores": "sigmoid", "bias": "choice", "groups": 2, "top_groups": 1}
    closed = Router("closed", **given)(logits, bias=bias)
    assert closed.expert_index.tolist() == [[2, 3]]
    at_zero = Router("zero", **given, closed=0.0)([[5.0, 4.0, 9.0, 8.0]], bias=[-0.2, -0.2, -2.0, -2.0])
    assert at_zero.expert_index.tolist() == [[0, 1]]
    both = {"model_type": "deepseek_v2", "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
            "routed_scaling_factor": 16.0}
    logits = [[3.0, 0.0, 2.9, 2.8]]
    limited = router_of(both | {"topk_method": "group_limited_greedy"})(logits)
    assert limited.expert_index.tolist() == [[0, 1]]  # the group of the best expert
    assert router_of(both | {"topk_method": "greedy"})(logits).expert_index.tolist() == [[0, 2]]


def test_sparsemixer_takes_shares_within_a_band():
    router = router_of({"model_type": "phimoe", "router_jitter_noise": 0.1})
    got = weights(router, [[2.0, 1.9, 1.0, -5.0]])
    second = 1.0  # (1.9 - 1.0) / 1.9 lies outside the band of 0.2
    assert got == pytest.approx({0: math.exp(2.0) / (math.exp(2.0) + math.exp(1.9)), 1: second})


def test_a_number_per_expert_and_a_soft_cap():
    got = weights(router_of("gemma4"), [[0.0, math.log(3)]], k=2, expert_scale=[10.0, 1.0])
    assert got == pytest.approx({1: 0.75, 0: 2.5})
    capped = router_of({"model_type": "laguna", "moe_router_logit_softcapping": 1.0})
    assert weights(capped, [[0.0, 50.0]], k=1, bias=[0.4, 0.0]) == {0: pytest.approx(1.0)}


def test_llama4_chooses_by_logit_where_sigmoids_are_all_one():
    router = router_of("llama4")
    for logits in (np.float32([[17, 18]]), np.array([[40.0, 50.0, 60.0]]), np.float32([[90, 91, 89]])):
        best = int(np.argmax(logits))
        assert router(logits).expert_index.tolist() == [[best]]
        assert sigmoid_top_k(logits, 1).expert_index.tolist() == [[best]]
        assert sigmoid_top_k(logits, 1, bias=np.zeros(logits.shape[1])).expert_index.tolist() == [[best]]


def test_large_logits_do_not_change_the_choice():
    logits = 10 * np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32)
    assert np.array_equal(sigmoid_top_k(logits, 4).expert_index, top_k(logits, 4).expert_index)
    assert np.array_equal(sigmoid_top_k(logits, 4, bias=np.zeros(16)).expert_index,
                          top_k(logits, 4).expert_index)


def test_seats_of_nllb():
    logits = [[2.0, 1.0], [3.0, 1.0], [1.0, 0.5], [0.0, 9.0]]
    router = router_of({"model_type": "nllb-moe", "moe_eval_capacity_token_fraction": 0.5})
    made = router(logits)
    assert made.kept.tolist() == [[True, True], [True, False], [False, False], [True, False]]
    assert made.combine_weight[1].tolist() == [1.0, 0.0]  # weights are made from what is left
    first = router_of({"model_type": "nllb-moe", "moe_eval_capacity_token_fraction": 0.25,
                       "batch_prioritized_routing": True, "normalize_router_prob_before_dropping": True})
    made = first(logits, mask=[True, True, True, False])
    assert made.kept[:, 0].tolist() == [False, True, False, False]
    assert made.combine_weight[3].tolist() == [0.0, 0.0] and made.expert_index[3].tolist() == [-1, -1]
    assert made.combine_weight[0, 0] == pytest.approx(math.e / (1 + math.e))
    assert [Seats(share=0.0).of(5, 2), Seats(3, 0.0).of(5, 2)] == [6, 3]


def test_what_a_family_does_not_take_is_refused():
    with pytest.raises(ValueError, match="mixtral has no bias"):
        router_of("mixtral")([[0.0, 1.0]], bias=[0.0, 0.0])
    with pytest.raises(ValueError, match="logits of qwen3_moe must have 4 columns, got 2"):
        router_of({"model_type": "qwen3_moe", "num_experts": 4})([[0.0, 1.0]], k=1)
    with pytest.raises(ValueError, match="k must be a whole number between 1 and 2, got None"):
        router_of("grok-1")([[0.0, 1.0]])
    with pytest.raises(ValueError, match="second_expert_policy = 'random' is not known here"):
        router_of({"model_type": "nllb-moe", "second_expert_policy": "random"})
    with pytest.raises(ValueError, match="got 'gpt2'; no name is near"):
        router_of("gpt2")


@cases(("field", "value", "message"), [
    ("norm_topk_prob", "yes", "norm_topk_prob .* True or False, got 'yes'"),
    ("routed_scaling_factor", [], r"routed_scaling_factor .* must be a number .* got \[\]"),
    ("num_hash_layers", "x", "num_hash_layers .* whole number of at least 0, got 'x'"),
    ("mlp_layer_types", 3, "mlp_layer_types .* must be a list, got 3"),
])
def test_a_field_of_a_router_that_is_no_such_value_is_named(field, value, message):
    family = "deepseek_v4" if field in ("num_hash_layers", "mlp_layer_types") else "deepseek_v3"
    with pytest.raises(ValueError, match=message):
        router_of({"model_type": family, field: value}, layer=0)


@cases("name", sorted(name for name, family in families().items() if "router" in family))
def test_every_family_routes(name):
    logits = np.random.default_rng(1).standard_normal((6, 64)).astype(np.float32)
    made = router_of({"model_type": families()[name]["types"][0], "n_group": 1, "topk_group": 1})(logits, k=2)
    assert made.expert_index.shape == (6, 2) and made.combine_weight.dtype == np.float32
    assert np.abs(made.probs.sum(axis=1) - 1).max() < 1e-5


@pytest.mark.slow
@needs_torch
@pytest.mark.parametrize("changes", [{}, {"normalize_router_prob_before_dropping": True},
                                     {"batch_prioritized_routing": True},
                                     {"moe_eval_capacity_token_fraction": 0.25}])
def test_nllb_as_transformers_has_it(changes):
    import torch
    from transformers import NllbMoeConfig
    from transformers.models.nllb_moe.modeling_nllb_moe import NllbMoeTop2Router

    config = NllbMoeConfig(d_model=8, num_experts=4, **changes)
    torch.manual_seed(0)
    router = NllbMoeTop2Router(config).eval()
    torch.nn.init.normal_(router.classifier.weight)
    with torch.no_grad():
        _, gates, logits = router(torch.randn(40, 8))
    assert np.abs(router_of(config.to_dict())(logits.numpy()).combine() - gates.numpy()).max() < 2e-5


@needs_torch
@pytest.mark.slow
def test_switch_as_transformers_has_it():
    import torch
    from transformers import SwitchTransformersConfig
    from transformers.models.switch_transformers.modeling_switch_transformers import (
        SwitchTransformersTop1Router,
    )

    config = SwitchTransformersConfig(d_model=8, num_experts=4, expert_capacity=64)
    torch.manual_seed(0)
    router = SwitchTransformersTop1Router(config).eval()
    with torch.no_grad():
        chosen, weight, logits = router(torch.randn(1, 40, 8))
    made = router_of(config.to_dict())(logits.numpy().reshape(40, 4))
    assert made.expert_index[:, 0].tolist() == chosen.reshape(40, 4).argmax(dim=1).tolist()
    assert np.abs(made.combine_weight[:, 0] - weight.numpy().ravel()).max() < 2e-5

"""The recorder beside the models themselves: what their experts are handed, and this library's routers."""

import importlib.util
import os
import pathlib

import numpy as np
import pytest

from moeviz import routing, traces
from moeviz.traces import recorder

if (any(importlib.util.find_spec(name) is None for name in ("torch", "transformers"))
        and not os.environ.get("MOEVIZ_EXTRAS")):  # which promises that they are there
    pytest.skip("torch and transformers are not installed (requirements-traces.txt)", allow_module_level=True)

import torch
import transformers

torch.set_num_threads(1)  # tiny products: threads would only wait for each other

SIZES = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 24, "max_position_embeddings": 64,
         "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SMALL = {"moe_intermediate_size": 16, "num_experts": 8, "num_experts_per_tok": 3, "decoder_sparse_step": 1}
FAMILIES = {
    "Mixtral": {"num_local_experts": 8, "num_experts_per_tok": 2},
    "Olmoe": {"num_experts": 8, "num_experts_per_tok": 4},
    "Qwen2Moe": {**SMALL, "shared_expert_intermediate_size": 16},
    "Qwen3Moe": {**SMALL, "norm_topk_prob": True, "head_dim": 8, "mlp_only_layers": [1]},
    "DeepseekV3": {"n_routed_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 16, "n_group": 4,
                   "topk_group": 2, "first_k_dense_replace": 1, "n_shared_experts": 1, "kv_lora_rank": 8,
                   "q_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
                   "num_key_value_heads": 4, "routed_scaling_factor": 2.5, "norm_topk_prob": True},
    "GptOss": {"num_local_experts": 8, "num_experts_per_tok": 2, "head_dim": 8},
}
LIBRARY = {
    "Mixtral": lambda logits, bias: routing.top_k(logits, 2),
    "Olmoe": lambda logits, bias: routing.top_k(logits, 4, renormalize=False),
    "Qwen2Moe": lambda logits, bias: routing.top_k(logits, 3, renormalize=False),
    "Qwen3Moe": lambda logits, bias: routing.top_k(logits, 3),
    "DeepseekV3": lambda logits, bias: routing.sigmoid_top_k(
        logits, 3, bias=bias, num_groups=4, top_groups=2, scale=2.5),
    "GptOss": lambda logits, bias: routing.top_k(logits, 2),
}
MOE_LAYERS = {"Qwen3Moe": (0, 2), "DeepseekV3": (1, 2)}
IDS = np.random.default_rng(0).integers(3, 64, size=(3, 7))
MASK = np.array([[1] * 7, [0] * 2 + [1] * 5, [0] * 4 + [1] * 3])


def model_of(family):
    """Return a tiny random model of a family, its routers and biases large enough to have preferences."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SIZES | FAMILIES[family])
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    for router in recorder.find_routers(model).values():
        torch.nn.init.normal_(router.weight, std=0.5)
        for name in ("bias", "e_score_correction_bias"):
            if hasattr(router, name):
                torch.nn.init.normal_(getattr(router, name), std=0.3)
    return model


def handed_to_experts(model, **given):
    """Return [(index, weight)] that each experts module receives in one pass: patched, no hook is used."""
    got = []

    def watch(forward):
        def watched(hidden, *arguments, **named):
            index, weight = [*arguments, *named.values()]
            got.append((index.numpy(force=True), weight.numpy(force=True)))
            return forward(hidden, *arguments, **named)
        return watched

    for module in model.modules():
        if type(module).__name__.endswith("Experts"):
            module.forward = watch(module.forward)
    with torch.no_grad():
        model(**{name: torch.tensor(value) for name, value in given.items()})
    return got


def as_rows(index, weight, num_experts=8):
    """Return (T, E) with the weight of each expert, whatever the order of the choices."""
    rows = np.zeros((len(index), num_experts))
    np.put_along_axis(rows, index, weight, axis=1)
    return rows


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def test_each_layer_agrees_with_what_its_experts_are_handed(family):
    model = model_of(family)
    trace = traces.record(model, IDS)
    handed = handed_to_experts(model_of(family), input_ids=IDS)
    assert trace.layers == MOE_LAYERS.get(family, (0, 1, 2))
    assert len(handed) == len(trace.layers)
    for layer, (index, weight) in zip(trace.layers, handed, strict=True):
        routed = trace.routing(layer)
        assert np.array_equal(np.sort(routed.expert_index), np.sort(index))
        got = as_rows(routed.expert_index, routed.combine_weight)
        assert np.abs(got - as_rows(index, weight)).max() <= 1e-5
        assert routed.num_experts == 8 and routed.kept.all()
    assert trace.tokens.tolist() == IDS.ravel().tolist()
    assert trace.sequence.tolist() == np.repeat([0, 1, 2], 7).tolist()
    assert trace.model == f"{family}ForCausalLM"


def test_the_routers_of_this_library_do_the_same(family):
    model = model_of(family)
    for layer, router in recorder.find_routers(model).items():
        routed = traces.record(model, IDS).routing(layer)
        bias = getattr(router, "e_score_correction_bias", None)
        made = LIBRARY[family](routed.logits, None if bias is None else bias.numpy())
        assert np.array_equal(routed.expert_index, made.expert_index)
        assert np.abs(routed.combine_weight - made.combine_weight).max() <= 1e-5
        assert np.abs(routed.probs - made.probs).max() <= 1e-5


def test_padding_is_left_out_and_what_is_left_is_what_the_experts_got(family):
    trace = traces.record(model_of(family), IDS, attention_mask=MASK, domains=["b", "a", "b"])
    handed = handed_to_experts(model_of(family), input_ids=IDS, attention_mask=MASK)
    real = MASK.ravel().astype(bool)
    assert trace.num_tokens == MASK.sum()
    assert trace.tokens.tolist() == IDS.ravel()[real].tolist()
    assert trace.sequence.tolist() == np.repeat([0, 1, 2], 7)[real].tolist()
    assert [trace.domain_names[code] for code in trace.domain] == ["b"] * 7 + ["a"] * 5 + ["b"] * 3
    for layer, (index, weight) in zip(trace.layers, handed, strict=True):
        routed = trace.routing(layer)
        got = as_rows(routed.expert_index, routed.combine_weight)
        assert np.abs(got - as_rows(index, weight)[real]).max() <= 1e-5


def test_recording_changes_nothing_and_leaves_no_hook():
    model, ids = model_of("Olmoe"), torch.tensor(IDS)
    with torch.no_grad():
        before = model(ids).logits
        traces.record(model, ids)
        assert torch.equal(model(ids).logits, before)
    assert not any(module._forward_hooks for module in model.modules())
    model.forward = lambda **given: 1 / 0
    with pytest.raises(ZeroDivisionError):
        traces.record(model, ids)
    assert not any(module._forward_hooks for module in model.modules())


def test_half_precision_one_text_a_name_and_the_part_without_a_head():
    model = model_of("Mixtral").to(torch.bfloat16)
    trace = traces.record(model.model, IDS[0].tolist(), name="half")
    handed = handed_to_experts(model, input_ids=IDS[:1])
    assert (trace.model, trace.num_tokens, trace.layers) == ("half", 7, (0, 1, 2))
    for layer, (index, _) in zip(trace.layers, handed, strict=True):
        assert np.array_equal(np.sort(trace.routing(layer).expert_index), np.sort(index))


def test_a_trace_of_a_model_can_be_saved(tmp_path):
    trace = traces.record(model_of("DeepseekV3"), IDS)
    traces.save_trace(trace, tmp_path / "a.npz")
    back = traces.load_trace(tmp_path / "a.npz")
    for layer in trace.layers:
        assert np.array_equal(back.routing(layer).expert_index, trace.routing(layer).expert_index)
        assert np.allclose(back.routing(layer).probs, trace.routing(layer).probs)


def test_an_unknown_model_is_named_beside_the_known_routers():
    dense = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))
    with pytest.raises(ValueError) as error:
        traces.record(dense, IDS)
    assert "found none in LlamaForCausalLM" in str(error.value)
    assert all(name in str(error.value) for name in recorder.ROUTERS)
    with pytest.raises(ValueError, match="found none in str"):
        traces.record("mixtral", IDS)


def test_two_families_or_two_routers_in_a_layer_are_refused():
    both = torch.nn.ModuleList([model_of("Mixtral"), model_of("Olmoe")])
    with pytest.raises(ValueError, match="more than one class"):
        traces.record(both, IDS)
    with pytest.raises(ValueError, match="more than one router in a layer"):
        traces.record(torch.nn.ModuleList([model_of("Mixtral"), model_of("Mixtral")]), IDS)


def test_a_router_that_returns_something_else_is_refused():
    model = model_of("Mixtral")
    router = next(iter(recorder.find_routers(model).values()))
    forward = router.forward
    router.forward = lambda hidden: (*forward(hidden), None)[:4]
    experts = model.model.layers[0].mlp
    experts.forward = lambda hidden: (router(hidden), hidden)[1]
    with pytest.raises(ValueError, match="MixtralTopKRouter did not return"):
        traces.record(model, IDS)


@pytest.mark.parametrize(("given", "message"), [
    ({"input_ids": np.ones((2, 3))}, "input_ids must be whole numbers"),
    ({"input_ids": np.zeros((1, 2, 3), int)}, "input_ids must have shape"),
    ({"input_ids": IDS, "attention_mask": MASK[:2]}, "attention_mask must hold 0 and 1 in shape"),
    ({"input_ids": IDS, "attention_mask": MASK * 2}, "attention_mask must hold 0 and 1"),
    ({"input_ids": IDS, "attention_mask": MASK * 0}, "with a 1 in it"),
    ({"input_ids": IDS, "domains": ["a"]}, "domains must have shape"),
])
def test_bad_input_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        traces.record(model_of("Mixtral"), **given)


def test_the_tiny_mixtral_is_the_same_each_time_and_leaves_the_seed_alone():
    torch.manual_seed(3)
    first = torch.rand(1)
    torch.manual_seed(3)
    one, other = (traces.record(traces.tiny_mixtral(seed=1), IDS) for _ in range(2))
    assert torch.equal(torch.rand(1), first)
    assert np.array_equal(one.routing(2).expert_index, other.routing(2).expert_index)
    assert traces.can_record()


def test_the_requirements_say_what_the_recorder_was_tested_with():
    text = (pathlib.Path(__file__).resolve().parent.parent / "requirements-traces.txt").read_text()
    assert "torch==2.13.0" in text and "transformers>=" in text

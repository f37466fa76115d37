"""The recorder beside the models themselves: what their experts are handed, and this library's routers."""

import importlib.util
import os
import pathlib

import numpy as np
import pytest

from moeviz import traces
from moeviz.traces import recorder

if (any(importlib.util.find_spec(name) is None for name in ("torch", "transformers"))
        and not os.environ.get("MOEVIZ_EXTRAS")):  # which promises that they are there
    pytest.skip("torch and transformers are not installed (requirements-traces.txt)", allow_module_level=True)

import tiny_models
from cases import cases

pytestmark = pytest.mark.slow
IDS = np.random.default_rng(0).integers(3, 90, size=(3, 7))
MASK = np.array([[1] * 7, [0] * 2 + [1] * 5, [0] * 4 + [1] * 3])
TOKENS_APART = {"nemotron_h", "jamba", "granitemoehybrid", "kimi_linear", "bailing_hybrid"}


def watch_experts(model):
    """Return a list that fills with the (index, weight) of each experts module: patched, no hook is used."""
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
    return got


def as_rows(index, weight, num_experts=8):
    """Return (T, E) with the weight of each expert, whatever the order of the choices."""
    rows = np.zeros((len(index), num_experts))
    np.put_along_axis(rows, index, weight, axis=1)
    return rows


@pytest.mark.parametrize("kind", tiny_models.TYPES)
def test_each_layer_agrees_with_what_its_experts_are_handed(kind):
    """The recorder itself refuses a router whose logits do not lead there by its family's rules."""
    model = tiny_models.tiny(kind)
    given_tokens = kind in ("llama4_text", "jetmoe")  # their experts are handed tokens, not choices
    handed = [] if given_tokens else watch_experts(model)
    trace = traces.record(model, IDS, attention_mask=MASK, domains=["b", "a", "b"])
    real = MASK.ravel().astype(bool)
    assert trace.num_tokens == MASK.sum() and trace.scores in ("softmax", "sigmoid", "sqrtsoftplus")
    assert trace.tokens.tolist() == IDS.ravel()[real].tolist()
    assert trace.sequence.tolist() == np.repeat([0, 1, 2], 7)[real].tolist()
    assert [trace.domain_names[code] for code in trace.domain] == ["b"] * 7 + ["a"] * 5 + ["b"] * 3
    if given_tokens:
        return
    assert len(handed) == len(trace.layers)
    for layer, (index, weight) in zip(trace.layers, handed, strict=True):
        routed = trace.routing(layer)
        got = as_rows(routed.expert_index, routed.combine_weight, routed.num_experts)
        wanted = as_rows(index, weight, routed.num_experts)[real]
        assert np.array_equal(got > 0, wanted > 0)
        factor = np.median(got.sum(axis=1) / wanted.sum(axis=1))  # some blocks scale the output afterwards
        assert np.abs(got - wanted * factor).max() <= 2e-5 and routed.kept.all()


def test_layers_without_experts_are_skipped_and_shared_experts_are_apart():
    dense_first = traces.record(tiny_models.tiny("glm4_moe", first_k_dense_replace=2), IDS)
    assert dense_first.layers == (2, 3)
    some = traces.record(tiny_models.tiny("qwen3_moe", mlp_only_layers=[1]), IDS)
    assert some.layers == (0, 2, 3)
    assert traces.record(tiny_models.tiny("granitemoeshared"), IDS).num_experts == 8


def test_shares_in_the_place_of_logits_are_taken_back():
    """As releases 5.0 to 5.5 of transformers have it."""
    import torch

    model = tiny_models.tiny("mixtral")
    right = traces.record(model, IDS)
    for place in recorder.find_layers(model):
        forward = place.router.forward
        place.router.forward = lambda hidden, forward=forward: (
            torch.softmax(forward(hidden)[0].float(), dim=-1), *forward(hidden)[1:])
    shares = traces.record(model, IDS)
    for layer in right.layers:
        assert np.abs(right.routing(layer).probs - shares.routing(layer).probs).max() < 1e-5


@cases(("change", "message"), [
    (lambda logits, weight, index: (logits, weight * 1.01 + weight.detach().clone().uniform_(), index),
     "does not choose"),
    (lambda logits, weight, index: (logits, weight, (index + 1) % 8), "MixtralTopKRouter of mixtral top-3"),
    (lambda logits, weight, index: (logits * 2, weight, index), "20 of 21|21 of 21"),
])
def test_a_router_that_disagrees_with_its_family_is_refused(change, message):
    model = tiny_models.tiny("mixtral")
    for place in recorder.find_layers(model):
        forward = place.router.forward
        place.router.forward = lambda hidden, forward=forward: change(*forward(hidden))
    with pytest.raises(ValueError, match=message):
        traces.record(model, IDS)


def test_recording_changes_nothing_and_leaves_no_hook():
    import torch

    model, ids = tiny_models.tiny("olmoe"), torch.tensor(IDS)
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
    import torch

    model = tiny_models.tiny("mixtral").to(torch.bfloat16)
    handed = watch_experts(model)
    trace = traces.record(model.model, IDS[0].tolist(), name="half")
    assert (trace.model, trace.num_tokens, trace.layers) == ("half", 7, (0, 1, 2, 3))
    for layer, (index, _) in zip(trace.layers, handed, strict=True):
        assert np.array_equal(np.sort(trace.routing(layer).expert_index), np.sort(index))


def test_a_trace_of_a_model_can_be_saved(tmp_path):
    trace = traces.record(tiny_models.tiny("deepseek_v3"), IDS)
    traces.save_trace(trace, tmp_path / "a.npz")
    back = traces.load_trace(tmp_path / "a.npz")
    for layer in trace.layers:
        assert np.array_equal(back.routing(layer).expert_index, trace.routing(layer).expert_index)
        assert np.allclose(back.routing(layer).probs, trace.routing(layer).probs)


def test_a_model_without_routers_is_refused():
    import torch
    import transformers

    dense = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=96, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=8))
    with pytest.raises(ValueError, match=r"routers \(gate, router, gating\).* found none in LlamaFor"):
        traces.record(dense, IDS)
    with pytest.raises(ValueError, match="found none in str"):
        traces.record("mixtral", IDS)
    with pytest.raises(ValueError, match="more than one router in a layer"):
        traces.record(torch.nn.ModuleList([tiny_models.tiny("mixtral"), tiny_models.tiny("mixtral")]), IDS)


def test_a_fused_block_that_never_calls_its_router_is_refused():
    model = tiny_models.tiny("mixtral")
    model.model.layers[1].mlp.forward = lambda hidden: hidden
    with pytest.raises(ValueError, match="layer 1: MixtralTopKRouter and its experts must each be called"):
        traces.record(model, IDS)


def test_an_unknown_family_keeps_what_its_experts_received(monkeypatch):
    import transformers

    known = traces.record(tiny_models.tiny("mixtral"), IDS)
    monkeypatch.setattr(transformers.MixtralConfig, "to_dict", lambda config: {"model_type": "unheard_of"})
    trace = traces.record(tiny_models.tiny("mixtral"), IDS)
    assert trace.scores == "weights" and trace.logits is None
    assert np.array_equal(trace.index[0], known.index[0])


@cases(("given", "message"), [
    ({"input_ids": np.ones((2, 3))}, "input_ids must be whole numbers"),
    ({"input_ids": np.zeros((1, 2, 3), int)}, "input_ids must have shape"),
    ({"input_ids": IDS, "attention_mask": MASK[:2]}, "attention_mask must hold 0 and 1 in shape"),
    ({"input_ids": IDS, "attention_mask": MASK * 2}, "attention_mask must hold 0 and 1"),
    ({"input_ids": IDS, "attention_mask": MASK * 0}, "with a 1 in it"),
    ({"input_ids": IDS, "domains": ["a"]}, "domains must have shape"),
])
def test_bad_input_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        traces.record(tiny_models.tiny("mixtral"), **given)


def test_the_tiny_mixtral_is_the_same_each_time_and_leaves_the_seed_alone():
    import torch

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

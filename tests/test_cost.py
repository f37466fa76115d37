"""Costs against sums by hand, arrays that are really made, slow loops, and published numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import cost
from moeviz.cost import ModelSpec, mean_positions
from moeviz.models import catalogue, model

MIXTRAL = {"layers": 32, "d_model": 4096, "vocab": 32000,
           "attention": {"kind": "grouped-query", "heads": 32, "kv_heads": 8, "head_dim": 128},
           "moe": {"experts": 8, "top_k": 2, "hidden": 14336}}
SMALL = {"layers": 4, "d_model": 12, "vocab": 50,
         "attention": {"kind": "grouped-query", "heads": 6, "kv_heads": 2, "head_dim": 4, "qkv_bias": True,
                       "out_bias": True, "qk_norm": "full", "output_gate": True, "sinks": True,
                       "v_head_dim": 3},
         "dense": {"hidden": 20, "bias": True},
         "moe": {"experts": 5, "top_k": 2, "hidden": 7, "bias": True, "shared_experts": 2, "shared_hidden": 9,
                 "shared_gate": True, "router_bias": True, "first_dense": 1}}


WITHOUT_FFN = {key: MIXTRAL[key] for key in ("layers", "d_model", "vocab", "attention")}


def spec(base=MIXTRAL, **changes):
    return ModelSpec.from_dict(base | changes)


def dense_spec(hidden):
    return spec(WITHOUT_FFN, dense={"hidden": hidden})


def small_layer(moe):
    """Return the shapes of every array in one layer of SMALL, written out by name."""
    shapes = {"q": (12, 24), "k": (12, 8), "v": (12, 6), "gate": (12, 18), "o": (18, 12), "q bias": (24,),
              "k bias": (8,), "v bias": (6,), "o bias": (12,), "q norm": (24,), "k norm": (8,), "sinks": (6,),
              "first norm": (12,), "second norm": (12,)}
    if not moe:
        return shapes | {"up": (12, 20), "gated": (12, 20), "down": (20, 12), "up bias": (20,),
                         "gated bias": (20,), "down bias": (12,)}
    shapes |= {"router": (12, 5), "router bias": (5,), "shared gate": (12, 1)}
    for e in range(5):
        shapes |= {f"up {e}": (12, 7), f"gated {e}": (12, 7), f"down {e}": (7, 12), f"up bias {e}": (7,),
                   f"gated bias {e}": (7,), f"down bias {e}": (12,)}
    for e in range(2):
        shapes |= {f"shared up {e}": (12, 9), f"shared gated {e}": (12, 9), f"shared down {e}": (9, 12),
                   f"shared biases {e}": (9 + 9 + 12,)}
    return shapes


def total_size(shapes):
    return sum(np.zeros(shape).size for shape in shapes)


# --- parameters -----------------------------------------------------------------------------------


def test_mixtral_by_hand():
    attention = 4096 * 32 * 128 + 2 * 4096 * 8 * 128 + 32 * 128 * 4096
    expert, router, table, norms = 3 * 4096 * 14336, 4096 * 8, 32000 * 4096, 65 * 4096
    count = cost.count_parameters(spec())
    assert count.total == 32 * (attention + 8 * expert + router) + 2 * table + norms == 46_702_792_704
    assert count.active == 32 * (attention + 2 * expert + router) + 2 * table + norms == 12_879_925_248
    assert count.active_without_embedding == count.active - table
    assert count.active_without_tables == count.active - 2 * table
    assert count.by_part["experts"] / count.total == pytest.approx(0.966, abs=5e-4)


def test_eight_times_seven_is_not_the_size():
    one_of_eight = cost.count_parameters(dense_spec(14336)).total
    assert one_of_eight == 7_241_732_096
    assert 8 * one_of_eight / cost.count_parameters(spec()).total == pytest.approx(57.9 / 46.7, abs=2e-3)


def test_olmoe_to_the_digit():
    count = cost.count_parameters(ModelSpec.from_dict({
        "layers": 16, "d_model": 2048, "vocab": 50304,
        "attention": {"kind": "multi-head", "heads": 16, "head_dim": 128, "qk_norm": "full"},
        "moe": {"experts": 64, "top_k": 8, "hidden": 1024}}))
    assert count.total == 6_919_161_856
    assert count.active / 1e9 == pytest.approx(1.282, abs=5e-4)


def test_a_model_made_of_arrays_has_that_many_numbers():
    layers = [small_layer(moe=layer > 0) for layer in range(4)]
    tables_and_norm = [(50, 12), (12, 50), (12,)]
    shapes = [shape for layer in layers for shape in layer.values()] + tables_and_norm
    not_chosen = [shape for layer in layers for name, shape in layer.items() if name[-1] in "234"]
    count = cost.count_parameters(spec(SMALL))
    assert count.total == total_size(shapes)
    assert count.active == total_size(shapes) - total_size(not_chosen)


def test_tied_table_is_counted_once_and_stays_as_head():
    tied, untied = (cost.count_parameters(spec(tied=flag)) for flag in (True, False))
    table = 32000 * 4096
    assert untied.total - tied.total == table
    assert tied.by_part["head"] == 0 and tied.by_part["embedding"] == table
    assert tied.active_without_embedding == tied.active
    assert tied.active_without_tables == untied.active_without_tables == tied.active - table


def test_latent_attention_by_hand():
    """DeepSeek-V3: one layer's matrices as the paper names them, and the two norms on the latents."""
    down_q, up_q, down_kv = 7168 * 1536, 1536 * 128 * 192, 7168 * (512 + 64)
    up_k, up_v, out = 512 * 128 * 128, 512 * 128 * 128, 128 * 128 * 7168
    latent = cost.LatentAttention(layers=61, heads=128, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128,
                                  q_rank=1536)
    assert latent.weights(7168) == down_q + up_q + down_kv + up_k + up_v + out == 187_105_280
    assert latent.vectors(7168) == 1536 + 512
    direct = cost.LatentAttention(layers=1, heads=16, kv_rank=512, nope_dim=128, rope_dim=64, v_dim=128)
    assert direct.weights(2048) == 2048 * 16 * 192 + 2048 * 576 + 512 * 16 * 256 + 16 * 128 * 2048
    assert direct.vectors(2048) == 512


def test_encoder_decoder_has_cross_attention_and_two_final_norms():
    fields = {"kind": "encoder-decoder", "encoder_layers": 2, "decoder_layers": 3, "d_model": 8, "vocab": 0,
              "attention": {"kind": "multi-head", "heads": 2, "head_dim": 4},
              "dense": {"hidden": 16, "gated": False}}
    made = ModelSpec.from_dict(fields)
    assert {group.stack: group.layers for group in made.attention} == {"encoder": 2, "decoder": 3, "cross": 3}
    assert cost.count_parameters(made).by_part["attention"] == 8 * 4 * 8 * 8
    assert cost.count_parameters(made).by_part["norms"] == (8 + 5 + 2) * 8


def test_norms_can_be_two_per_block_or_none_or_with_a_shift():
    norms = [cost.count_parameters(spec(norms_per_sublayer=n)).by_part["norms"] // 4096 for n in (0, 1, 2)]
    assert norms == [0, 65, 129]
    assert cost.count_parameters(spec(norm_vectors=2)).by_part["norms"] == 2 * 65 * 4096


def test_layers_that_borrow_keys_and_values_weigh_and_cache_less():
    own, borrowed = (cost.Attention(layers=1, heads=4, kv_heads=2, head_dim=8, qk_norm="head", own_kv=flag)
                     for flag in (True, False))
    assert own.weights(16) - borrowed.weights(16) == 2 * 16 * 2 * 8
    assert (own.cache_values(10), borrowed.cache_values(10)) == (2 * 2 * 8 * 10, 0)
    assert own.score_flops(10, "decode") == borrowed.score_flops(10, "decode") > 0
    assert (own.vectors(16), borrowed.vectors(16)) == (16, 8)


@given(st.integers(1, 16), st.data())
def test_active_grows_with_k_up_to_the_total(experts, data):
    top_k = data.draw(st.integers(1, experts))
    hidden = data.draw(st.integers(1, 30))
    count = cost.count_parameters(spec(moe={"experts": experts, "top_k": top_k, "hidden": hidden}))
    assert count.total - count.active == 32 * (experts - top_k) * 3 * 4096 * hidden
    assert count.active_without_tables < count.active_without_embedding < count.active <= count.total
    assert sum(count.by_part.values()) == count.total


@given(st.integers(2, 40), st.data())
def test_every_nth_and_first_dense_place_the_layers(layers, data):
    first = data.draw(st.integers(0, layers - 1))
    every = data.draw(st.integers(1, layers - first))
    slow = sum(layer >= first and (layer - first + 1) % every == 0 for layer in range(layers))
    parts = {"dense": {"hidden": 8}} if slow < layers else {}
    made = spec(MIXTRAL | parts, layers=layers,
                moe={"experts": 4, "top_k": 1, "hidden": 8, "every": every, "first_dense": first})
    assert [group.layers for group in made.moe] == [slow]
    assert sum(group.layers for group in made.dense) == layers - slow


# --- FLOPs ----------------------------------------------------------------------------------------


def test_flops_are_two_per_weight_and_scores_by_hand():
    flops = cost.flops_per_token(spec(), 1000).by_part
    assert flops["attention projections"] == 2 * 32 * 41_943_040
    assert flops["attention scores"] == 4 * 32 * 128 * 1000 * 32
    assert flops["experts"] == 2 * 32 * 2 * 3 * 4096 * 14336
    assert flops["router"] == 2 * 32 * 4096 * 8
    assert flops["head"] == 2 * 4096 * 32000
    assert flops["dense FFN"] == flops["shared experts"] == flops["state layers"] == 0


# Mixtral's shape, from the closed forms: share of the scores in decode and prefill, share of the
# experts in decode, saving of the whole model against a dense block as large as all experts.
TABLE = [(4_096, 7.8, 4.0, 81.6, 3.45, 3.55), (32_000, 39.7, 24.8, 53.3, 2.60, 3.00),
         (128_000, 72.5, 56.8, 24.3, 1.73, 2.15), (200_000, 80.4, 67.3, 17.3, 1.52, 1.87),
         (1_000_000, 95.4, 91.1, 4.1, 1.12, 1.24), (10_000_000, 99.5, 99.0, 0.4, 1.01, 1.03)]


@cases(("context", "decode", "prefill", "experts", "saved", "saved_prefill"), TABLE)
def test_context_table(context, decode, prefill, experts, saved, saved_prefill):
    dense = dense_spec(8 * 14336)
    at_end = cost.flops_per_token(spec(), context)
    on_average = cost.flops_per_token(spec(), context, phase="prefill")
    assert 100 * at_end.share("attention scores") == pytest.approx(decode, abs=0.06)
    assert 100 * on_average.share("attention scores") == pytest.approx(prefill, abs=0.06)
    assert 100 * at_end.share("experts") == pytest.approx(experts, abs=0.06)
    assert cost.flops_per_token(dense, context).total / at_end.total == pytest.approx(saved, abs=0.006)
    ratio = cost.flops_per_token(dense, context, phase="prefill").total / on_average.total
    assert ratio == pytest.approx(saved_prefill, abs=0.006)


def test_changing_the_experts_is_describing_another_model():
    assert spec().with_moe(experts=16, hidden=7168) == spec(moe={"experts": 16, "top_k": 2, "hidden": 7168})
    assert spec(SMALL).with_moe(top_k=5).moe[0].top_k == 5
    assert spec(SMALL).with_moe(top_k=5).dense == spec(SMALL).dense
    shared = {"experts": 8, "top_k": 2, "hidden": 512, "shared_experts": 1}
    assert spec().with_moe(shared_experts=1, hidden=512) == spec(moe=shared)
    assert spec(moe=shared).with_moe(shared_experts=0) == spec(moe=shared | {"shared_experts": 0})
    assert spec(SMALL).with_moe(hidden=3).moe[0].shared_hidden == 9


@cases(("base", "changes", "message"), [
    (MIXTRAL, {"top_k": 9}, "top_k"), (MIXTRAL, {"expert": 4}, "field to change must be one of 'layers'"),
    (WITHOUT_FFN | {"dense": {"hidden": 8}}, {"experts": 4}, "with_moe needs a model with MoE layers")])
def test_wrong_changes_of_the_experts_are_named(base, changes, message):
    with pytest.raises(ValueError, match=message):
        spec(base).with_moe(**changes)


def test_flops_over_contexts_are_those_of_each_context():
    parts = cost.flops_over(spec(), [10, 1000], phase="prefill")
    assert list(parts) == ["attention projections", "attention scores", "router", "experts", "head"]
    for at, context in enumerate((10, 1000)):
        one = cost.flops_per_token(spec(), context, phase="prefill").by_part
        assert {part: values[at] for part, values in parts.items()} == {part: one[part] for part in parts}
    with pytest.raises(ValueError, match="contexts"):
        cost.flops_over(spec(), [])


@given(st.integers(1, 60), st.integers(1, 60))
def test_mean_positions_is_the_mean_of_a_loop(context, window):
    window = min(window, context)
    loop = [len(range(max(0, i - window), i)) for i in range(1, context + 1)]
    assert mean_positions(context, window) == pytest.approx(sum(loop) / context, rel=1e-12)


def test_windows_stop_the_growth_of_scores_and_cache():
    windowed = spec(attention={"kind": "sliding-window", "heads": 32, "kv_heads": 8, "head_dim": 128,
                               "window": 4096})
    for context, same in ((1000, True), (4096, True), (8192, False)):
        pairs = [(cost.flops_per_token(windowed, context).total, cost.flops_per_token(spec(), context).total),
                 (cost.kv_cache_bytes(windowed, context), cost.kv_cache_bytes(spec(), context))]
        assert [a == b for a, b in pairs] == [same, same]
    assert cost.kv_cache_bytes(windowed, 10**6) == cost.kv_cache_bytes(spec(), 4096)


def test_encoder_and_cross_attention_see_everything_in_both_phases():
    fields = {"layers": 4, "heads": 2, "head_dim": 4}
    for stack, ratio in (("encoder", 1), ("cross", 1), ("decoder", 2)):
        group = cost.Attention(**fields, stack=stack)
        decode, prefill = (group.score_flops(999, phase) for phase in ("decode", "prefill"))
        assert decode / prefill == pytest.approx(ratio, rel=2e-3)


def test_latent_attention_scores_in_both_forms():
    deepseek = model("DeepSeek-V3").spec
    expanded, absorbed = (cost.flops_per_token(deepseek, 1000, absorbed=flag).by_part["attention scores"]
                          for flag in (False, True))
    assert expanded == 61 * 2 * 128 * (192 + 128) * 1000
    assert absorbed == 61 * 2 * 128 * 1088 * 1000


def test_state_layers_cost_the_same_at_any_context():
    minimax = model("MiniMax-Text-01").spec
    short, long = (cost.flops_per_token(minimax, n).by_part["state layers"] for n in (1, 10**6))
    assert short == long == 70 * (2 * (5 * 6144 * 8192 + 8192) + 4 * 64 * 128 * 128)


# --- memory ---------------------------------------------------------------------------------------


@cases(("name", "per_token"), [("DeepSeek-V3", 70_272), ("Mixtral 8x7B", 131_072)])
def test_cache_bytes_per_token(name, per_token):
    assert cost.kv_cache_bytes(model(name).spec, 1) == per_token
    assert cost.kv_cache_bytes(model(name).spec, 32_768) == 32_768 * per_token


@cases(("layers", "per_token"), [(80, 327_680), (126, 516_096)])
def test_cache_of_dense_models_that_the_deepseek_paper_prints(layers, per_token):
    """Qwen-2.5 72B and LLaMA-3.1 405B in arXiv 2505.09343, table 1: 8 key/value heads of 128."""
    dense = spec(WITHOUT_FFN, layers=layers, dense={"hidden": 8192})
    assert cost.kv_cache_bytes(dense, 1) == per_token


JAMBA_TABLE = [("Mixtral 8x7B", 32), ("Mixtral 8x22B", 56), ("Jamba v0.1", 4), ("Jamba-1.5-Large", 9)]


@cases(("name", "gibibytes"), JAMBA_TABLE)
def test_cache_at_256k_that_the_jamba_paper_prints(name, gibibytes):
    """arXiv 2408.12570, table 1, in GiB at 262,144 tokens; the states of the Mamba layers are < 1 % of it."""
    printed = cost.kv_cache_bytes(model(name).spec, 2**18) / 2**30
    assert printed == pytest.approx(gibibytes, rel=0.01) and printed >= gibibytes


def test_an_encoder_keeps_no_cache_but_cross_attention_does():
    made = ModelSpec.from_dict({
        "kind": "encoder-decoder", "encoder_layers": 5, "decoder_layers": 3, "d_model": 8, "vocab": 0,
        "attention": {"kind": "multi-head", "heads": 2, "head_dim": 4}, "dense": {"hidden": 16}})
    per_layer = 2 * 2 * 4 * 100
    assert cost.kv_cache_bytes(made, 100) == 2 * (3 + 3) * per_layer


def test_training_and_serving_bytes():
    weights = cost.count_parameters(spec()).total
    training = cost.training_bytes(spec())
    assert training.total == 16 * weights
    assert training.by_part["Adam averages"] == 8 * weights
    serving = cost.serving_bytes(spec(), 1000)
    assert serving.by_part == {"weights": 2 * weights, "cache": 1000 * 131_072}


# --- roofline -------------------------------------------------------------------------------------


def test_h100_peaks_and_ridge():
    chip = cost.hardware("H100 SXM")
    assert (chip.peak_flops, chip.bandwidth) == (989.4e12, 3.35e12)
    assert chip.ridge == pytest.approx(295.3, abs=0.05)
    assert "nvidia.com" in chip.source  # the maker's own figures


def test_roofline_is_the_longer_of_the_two():
    chip = cost.Hardware("chip", "any", 100.0, 10.0, "here")
    assert cost.roofline_seconds(1000, 50, chip=chip) == 10
    assert cost.roofline_seconds(1000, 200, chip=chip) == 20
    assert cost.roofline_seconds(np.array([1000, 0]), 200, chip=chip).tolist() == [20, 20]
    assert cost.roofline_seconds(chip.ridge * 7, 7, chip=chip) == pytest.approx(0.7)


TOUCHED = [(8, 2, 1, 2), (8, 2, 4, 5.5), (8, 2, 16, 7.9), (64, 8, 16, 56), (256, 8, 8, 57), (256, 8, 32, 163),
           (256, 8, 128, 252), (256, 8, 256, 256)]


@cases(("experts", "k", "batch", "touched"), TOUCHED)
def test_experts_touched_as_printed(experts, k, batch, touched):
    rounding = 0.5 if touched > 10 else 0.05
    assert cost.experts_touched(experts, k, batch) == pytest.approx(touched, abs=rounding)


def test_experts_touched_against_draws():
    rng = np.random.default_rng(0)
    draws = [len({e for _ in range(5) for e in rng.choice(12, 3, replace=False)}) for _ in range(4000)]
    error = np.std(draws) / math.sqrt(4000)
    assert np.mean(draws) == pytest.approx(cost.experts_touched(12, 3, 5), abs=4 * error)


def test_break_even_batches():
    ridge = 989 / 3.35
    assert round(cost.break_even_batch(8, 2, ridge=ridge)) == 1181
    assert round(cost.break_even_batch(256, 8, ridge=ridge)) == 9447
    assert cost.break_even_batch(8, 2, ridge=ridge, bytes_per_weight=1) == pytest.approx(1181 / 2, abs=1)


def test_break_even_is_where_time_turns_from_memory_to_arithmetic():
    """Seconds of one MoE layer written out: below the batch the bytes decide, above it the FLOPs."""
    chip, per_expert = cost.hardware(), 3 * 4096 * 14336
    even = cost.break_even_batch(8, 2, ridge=chip.ridge)
    for batch, by_memory in ((0.99 * even, True), (1.01 * even, False)):
        flops = 2 * per_expert * 2 * batch
        moved = 2 * per_expert * cost.experts_touched(8, 2, batch)
        seconds = cost.roofline_seconds(flops, moved, chip=chip)
        assert (seconds == moved / chip.bandwidth) == by_memory


HUMP = [(8, 2, {1: 1.0, 8: 3.6, 32: 4.0, 256: 4.0, 512: 2.3, 1024: 1.15, 2048: 1.0}),
        (256, 8, {1: 1.0, 8: 7.2, 32: 20, 64: 28, 256: 32, 512: 18, 2048: 4.6, 8192: 1.15, 16384: 1.0})]


@cases(("experts", "k", "ratios"), HUMP)
def test_hump_as_printed(experts, k, ratios):
    found = cost.time_against_dense(experts, k, np.array(list(ratios)), ridge=989 / 3.35)
    assert found == pytest.approx(list(ratios.values()), rel=0.03)
    assert found.max() <= experts / k


# --- shape of the records -------------------------------------------------------------------------


def test_specs_are_frozen_equal_by_value_and_hashable():
    assert spec() == spec() and hash(spec()) == hash(spec())
    with pytest.raises(AttributeError):
        spec().d_model = 1


def test_reading_leaves_the_dictionary_alone():
    before = repr(SMALL)
    spec(SMALL)
    assert repr(SMALL) == before


def test_kinds_of_attention_are_one_record():
    heads = {"multi-head": {}, "grouped-query": {"kv_heads": 4}, "multi-query": {}}
    made = {kind: spec(attention={"kind": kind, "heads": 8, "head_dim": 16, **more}).attention[0].kv_heads
            for kind, more in heads.items()}
    assert made == {"multi-head": 8, "grouped-query": 4, "multi-query": 1}


@pytest.mark.parametrize("each", catalogue(), ids=lambda each: each.name)
def test_every_published_shape_has_sane_costs(each):
    count, flops = cost.count_parameters(each.spec), cost.flops_per_token(each.spec, 1)
    matrices = count.active_without_embedding - count.active_by_part["norms"] - count.active_by_part["other"]
    assert 0 < count.active < count.total
    assert flops.total >= 1.98 * matrices
    assert cost.kv_cache_bytes(each.spec, 2000) >= cost.kv_cache_bytes(each.spec, 1000)
    assert flops.total <= cost.flops_per_token(each.spec, 2000, phase="prefill").total


def test_tables_print_their_parts():
    assert "46,702,792,704" in repr(cost.count_parameters(spec()))
    assert "12,879,925,248" in repr(cost.count_parameters(spec())).splitlines()[-1]
    assert "27,644,657,664" in repr(cost.flops_per_token(spec(), 4096)).splitlines()[-1]
    assert "<td>46,702,792,704</td><td>12,879,925,248</td>" in cost.count_parameters(spec())._repr_html_()
    assert "<td>27,644,657,664</td>" in cost.flops_per_token(spec(), 4096)._repr_html_()


# --- bad input ------------------------------------------------------------------------------------

ONE = {"kind": "grouped-query", "heads": 32, "kv_heads": 8, "head_dim": 128}
MOE = {"experts": 8, "top_k": 2, "hidden": 16}
BAD_FIELDS = [
    ({"d_modell": 4}, "unknown field 'd_modell'; allowed: attention, d_model"),
    ({"d_model": 0}, "d_model must be a whole number of at least 1, got 0"),
    ({"d_model": 2.5}, "d_model must be a whole number"),
    ({"vocab": -1}, "vocab must be a whole number of at least 0, got -1"),
    ({"layers": True}, "layers must be a whole number"),
    ({"layers": 31, "attention": ONE | {"layers": 32}}, "decoder has 31 layers, the groups have 32"),
    ({"kind": "encoder"}, "kind must be one of 'decoder', 'encoder-decoder', got 'encoder'"),
    ({"kind": "encoder-decoder"}, "kind 'encoder-decoder' has no field 'layers'"),
    ({"encoder_layers": 3}, "kind 'decoder' has no field 'encoder_layers'"),
    ({"tied": 1}, "tied must be True or False, got 1"),
    ({"name": ""}, "name must be text"),
    ({"norms_per_sublayer": 3}, "norms_per_sublayer must be a whole number between 0 and 2"),
    ({"attention": 5}, "attention must be a dictionary or a list of them, got 5"),
    ({"attention": []}, "decoder has 32 layers, the groups have 0"),
    ({"attention": {"heads": 4}}, r"attention\[0\]: missing field 'kind'"),
    ({"attention": ONE | {"kind": "linear"}}, "kind must be one of 'multi-head'"),
    ({"attention": ONE | {"kv_heads": 5}}, r"attention\[0\]: kv_heads must divide heads = 32, got 5"),
    ({"attention": ONE | {"kind": "multi-head"}}, "multi-head has no field 'kv_heads'"),
    ({"attention": {"kind": "grouped-query", "heads": 4, "head_dim": 8}}, "missing field 'kv_heads'"),
    ({"attention": ONE | {"kind": "sliding-window"}}, "missing field 'window'"),
    ({"attention": ONE | {"window": 0}}, "window must be a whole number of at least 1, got 0"),
    ({"attention": ONE | {"qk_norm": "all"}}, "qk_norm must be one of None, 'head', 'full', got 'all'"),
    ({"attention": ONE | {"stack": "encoder"}}, "the decoder has 32 layers, the groups have 0"),
    ({"attention": {"kind": "latent", "heads": 4}}, "missing field 'kv_rank'; allowed: bias"),
    ({"attention": {"kind": "other", "parameters": 0}}, "parameters must be a whole number of at least 1"),
    ({"moe": MOE | {"top_k": 9}}, "moe: top_k must be a whole number between 1 and 8, got 9"),
    ({"moe": MOE | {"expert": 9}}, "moe: unknown field 'expert'; allowed: bias, every, experts, first_dense"),
    ({"moe": {"experts": 8, "top_k": 2}}, "moe: missing field 'hidden'"),
    ({"moe": MOE | {"shared_hidden": 3}}, "need shared_experts of at least 1"),
    ({"moe": MOE | {"every": 33}}, "moe: every must be a whole number between 1 and 32, got 33"),
    ({"moe": MOE | {"every": 2, "layers": 16}}, "moe: every needs the model's layers, and none of its own"),
    ({"moe": MOE | {"first_dense": 3}}, "the model has 32 layers, these groups have 29"),
    ({"moe": MOE | {"gated": "yes"}}, "moe: gated must be True or False, got 'yes'"),
    ({"moe": [MOE]}, r"moe\[0\]: missing field 'layers'"),
    ({"moe": 3}, "moe must be a dictionary"),
    ({"dense": {"hidden": 4}}, "dense: no layer is left for it"),
]


@cases(("changes", "message"), BAD_FIELDS)
def test_wrong_fields_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        spec(**changes)


@cases("missing", ["d_model", "vocab", "attention"])
def test_missing_fields_are_named(missing):
    with pytest.raises(ValueError, match=f"missing field '{missing}'"):
        ModelSpec.from_dict({key: value for key, value in MIXTRAL.items() if key != missing})


def test_a_model_needs_feed_forward_layers_and_a_dictionary():
    with pytest.raises(ValueError, match="missing field 'dense' or 'moe'"):
        ModelSpec.from_dict({key: value for key, value in MIXTRAL.items() if key != "moe"})
    with pytest.raises(ValueError, match="model must be a dictionary, got 'mixtral'"):
        ModelSpec.from_dict("mixtral")
    with pytest.raises(ValueError, match=r"attention\[0\]: missing field 'layers'"):
        ModelSpec.from_dict({key: value for key, value in MIXTRAL.items() if key != "layers"})


def test_specs_built_by_hand_are_checked_too():
    group, block = cost.Attention(layers=1, heads=1, head_dim=1), cost.DenseFFN(layers=1, hidden=1)
    with pytest.raises(ValueError, match="attention must be a tuple with at least one of Attention"):
        ModelSpec("x", 1, 1, [group], (block,))
    with pytest.raises(ValueError, match="ffn must hold DenseFFN, MoEFFN, got Attention"):
        ModelSpec("x", 1, 1, (group,), (group,))
    with pytest.raises(ValueError, match="must have the stacks cross, decoder, encoder, got decoder"):
        ModelSpec("x", 1, 1, (group,), (block,), kind="encoder-decoder")


BAD_CALLS = [
    (lambda: cost.flops_per_token(spec(), 0), "context must be a whole number of at least 1, got 0"),
    (lambda: cost.flops_per_token(model("DBRX"), 9), "spec must be a ModelSpec, got Model"),
    (lambda: cost.count_parameters({}), "spec must be a ModelSpec, got dict"),
    (lambda: cost.kv_cache_bytes(MIXTRAL, 9), "spec must be a ModelSpec, got dict"),
    (lambda: cost.flops_over(spec(), 9), "contexts must have one dimension"),
    (lambda: cost.flops_over(spec(), []), "contexts"),
    (lambda: cost.Hardware("x", "y", 0.0, 1.0, "z"), "peak_flops must be a number between 1.0"),
    (lambda: cost.Hardware("x", "y", 1e12, math.nan, "z"), "bandwidth must be a number"),
    (lambda: cost.flops_per_token(spec(), 9, phase="train"), "phase must be one of 'decode', 'prefill'"),
    (lambda: cost.flops_per_token(spec(), 9).share("scores"), "part must be one of 'attention projections'"),
    (lambda: cost.kv_cache_bytes(spec(), 1.5), "context must be a whole number"),
    (lambda: cost.training_bytes(MIXTRAL), "spec must be a ModelSpec, got dict"),
    (lambda: cost.serving_bytes(spec(), 0), "context must be a whole number"),
    (lambda: cost.hardware("abacus"), "name must be one of 'H100 SXM', got 'abacus'"),
    (lambda: cost.roofline_seconds(-1, 1, chip=cost.hardware()), "flops must hold finite numbers"),
    (lambda: cost.roofline_seconds(1, math.inf, chip=cost.hardware()), "bytes_moved must hold finite"),
    (lambda: cost.roofline_seconds(1, 1, chip="H100"), "chip must be a Hardware, got str"),
    (lambda: cost.experts_touched(8, 9, 1), "k must be a whole number between 1 and 8, got 9"),
    (lambda: cost.experts_touched(8, 2, [-1]), "batch must hold finite numbers of at least 0"),
    (lambda: cost.break_even_batch(8, 2, ridge=-1), "ridge must be a number"),
    (lambda: cost.time_against_dense(8, 2, 0, ridge=295), "batch must hold finite numbers of at least 1"),
]


@cases(("call", "message"), BAD_CALLS)
def test_bad_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_decoding_over_contexts_compares_with_the_latent_that_the_cache_holds():
    spec = model("DeepSeek-V3").spec
    over = {phase: cost.flops_over(spec, [10_000], phase=phase)["attention scores"][0]
            for phase in ("decode", "prefill")}
    alone = {absorbed: cost.flops_per_token(spec, 10_000, absorbed=absorbed).by_part["attention scores"]
             for absorbed in (True, False)}
    assert over["decode"] == alone[True] > 3 * alone[False]
    assert over["prefill"] == pytest.approx(alone[False] / 2, rel=1e-3)

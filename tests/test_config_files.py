"""Reading config.json: real files of many families, defaults, spellings, nesting, and what is not read."""

import json
import pathlib
import warnings

import pytest

from cases import cases
from moeviz.cost import ModelSpec, count_parameters, kv_cache_bytes
from moeviz.models import model
from moeviz.routing.families import families, find_family, read_config

FILES = pathlib.Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "configs"
EXPECTED = json.loads((FILES / "expected.json").read_text(encoding="utf-8")) if FILES.exists() else {}


def count(config, **changes):
    return count_parameters(ModelSpec.from_hf_config(config | changes))


@pytest.mark.skipif(not EXPECTED, reason="the folder of files is absent")
@cases("name", sorted(EXPECTED))
def test_a_real_file_gives_the_known_count(name):
    config = json.loads((FILES / f"{name}.json").read_text(encoding="utf-8"))
    found, known = count(config), EXPECTED[name]  # a warning would be an error here
    if known["total"] is not None:
        assert found.total == pytest.approx(known["total"], rel=1e-4)
    if known["active"] is not None:
        assert found.active == pytest.approx(known["active"], rel=1e-4)


# Public counts, every digit of them, of files that leave everything to the defaults of their family.
FROM_DEFAULTS = {
    "mixtral": 46_702_792_704, "deepseek_v3": 671_026_419_200, "deepseek_v32": 671_877_944_064,
    "gpt_oss": 116_829_156_672, "minimax_m2": 228_689_764_864, "qwen3_next": 79_674_391_296,
    "qwen3_5_moe": 34_660_610_688, "glm4_moe_lite": 29_943_393_920, "glm_moe_dsa": 743_911_218_432,
    "ernie4_5_moe": 21_825_437_888, "jamba": 51_570_323_328, "llama4_text": 107_769_861_120,
    "mimo_v2_flash": 308_778_780_864, "deepseek_v4": 284_325_879_255,
}


@cases(("kind", "total"), FROM_DEFAULTS.items())
def test_defaults_of_a_family_are_those_of_its_release(kind, total):
    assert count({"model_type": kind}).total == total


@cases("name", sorted(families()))
def test_every_family_is_found_by_each_of_its_names(name):
    family = families()[name]
    assert family["source"] and family["types"]
    for kind in family["types"]:
        assert find_family({"model_type": kind}) == name
    for each in family["architectures"]:
        assert find_family({"architectures": [each]}) == name
        assert find_family({"model_type": "renamed", "architectures": [each]}) == name


QWEN = {"model_type": "qwen3_moe", "num_experts": 128, "num_hidden_layers": 48, "num_key_value_heads": 4,
        "head_dim": 128}


def test_spellings_of_a_field_count_as_one():
    plain = count(QWEN)
    for name in ("num_local_experts", "n_routed_experts", "moe_num_experts"):
        renamed = {key: value for key, value in QWEN.items() if key != "num_experts"} | {name: 128}
        assert count(renamed).by_part == plain.by_part
    assert count({"model_type": "mixtral", "num_experts": 4}).total < count({"model_type": "mixtral"}).total
    both = read_config({"model_type": "qwen3_moe", "num_experts": 3, "num_local_experts": 5})
    assert both.whole("num_experts") == 5  # the family's own spelling


@cases("wrapper", ["text_config", "llm_config", "language_config"])
def test_a_nested_text_model_is_read(wrapper):
    nested = {"model_type": "some_vl", "tie_word_embeddings": True, wrapper: QWEN, "vision_config": {"n": 3}}
    assert count(nested).total == count(QWEN, tie_word_embeddings=True).total
    without = {key: value for key, value in QWEN.items() if key != "model_type"}
    assert count({"model_type": "qwen3_moe", wrapper: without}).total == count(QWEN).total


def test_what_is_null_is_not_a_default():
    no_query_latent = count({"model_type": "deepseek_v3", "q_lora_rank": None})
    assert no_query_latent.by_part["attention"] != count({"model_type": "deepseek_v3"}).by_part["attention"]
    with pytest.raises(ValueError, match="lacks the field 'n_routed_experts'"):
        count({"model_type": "deepseek_v3", "n_routed_experts": None})


MAVERICK = {"model_type": "llama4_text", "num_local_experts": 128}


def test_a_list_of_moe_layers_comes_before_the_step():
    listed = count(MAVERICK, moe_layers=list(range(1, 48, 2)))
    assert listed.total == count(MAVERICK, interleave_moe_layer_step=2).total
    both = count(MAVERICK, moe_layers=list(range(1, 48, 2)), interleave_moe_layer_step=1)
    assert both.total == listed.total
    assert count(MAVERICK, moe_layers=[]).by_part["experts"] == 0
    sparse = {"model_type": "glm4_moe", "mlp_layer_types": ["dense"] * 40 + ["sparse"] * 6}
    assert ModelSpec.from_hf_config(sparse).moe[0].layers == 6
    by_list = {"model_type": "mimo_v2_flash", "moe_layer_freq": [0] * 10 + [1] * 38}
    assert ModelSpec.from_hf_config(by_list).moe[0].layers == 38


def test_many_dense_layers_named_are_read_at_once():
    many = list(range(100_000)) * 3
    assert ModelSpec.from_hf_config(QWEN | {"mlp_only_layers": many}).moe == ()


def test_unread_fields_are_named():
    with pytest.warns(UserWarning, match="type 'qwen3_moe': num_shared_experts, q_lora_rank not read here"):
        count(QWEN, num_shared_experts=2, q_lora_rank=512)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        count(QWEN, num_shared_experts=0, q_lora_rank=None, router_aux_loss_coef=0.1, bos_token_id=1,
              image_token_index=5, expert_dropout=0.0, shared_list=[0, 0], unheard_of=12)


def test_shapes_counted_by_hand():
    """Tiny models, each matrix written out: width 8, vocabulary 10, untied unless said."""
    tiny = {"hidden_size": 8, "vocab_size": 10, "num_hidden_layers": 1, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 4, "tie_word_embeddings": False, "num_experts": 4,
            "num_experts_per_tok": 2, "moe_intermediate_size": 3, "intermediate_size": 5}
    tables, norms, router = 2 * 10 * 8, 3 * 8, 8 * 4
    attention = 8 * 8 + 2 * 8 * 4 + 8 * 8
    qwen = count({"model_type": "qwen3_moe"} | tiny)
    assert qwen.total == tables + norms + router + attention + 2 * 4 + 4 * 3 * 8 * 3
    assert qwen.total - qwen.active == 2 * 3 * 8 * 3
    wide = {name: size for name, size in tiny.items() if name != "moe_intermediate_size"}
    grok = count({"architectures": ["Grok1ModelForCausalLM"]} | wide, tie_word_embeddings=True)
    assert grok.total == 80 + 5 * 8 + router + attention + 4 * 3 * 8 * 5
    arctic = count({"model_type": "arctic", "parallel_attn_mlp_res": True, "moe_layer_frequency": 1} | wide)
    assert arctic.total == tables + 4 * 8 + router + attention + 4 * 3 * 8 * 5 + 3 * 8 * 8
    latent = count({"model_type": "nemotron_h", "hybrid_override_pattern": "*E", "moe_latent_size": 2,
                    "moe_shared_expert_intermediate_size": 6, "n_shared_experts": 1} | tiny)
    experts, shared = 4 * 2 * 2 * 3, 2 * 8 * 6 + 2 * 8 * 2
    assert latent.total == tables + norms + router + 4 + attention + experts + shared


TINY = {"hidden_size": 8, "vocab_size": 10, "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 4,
        "num_key_value_heads": 1, "num_experts_per_tok": 1, "moe_intermediate_size": 3,
        "intermediate_size": 5}


def test_a_dense_block_beside_the_experts_of_grok_2():
    grok = TINY | {"model_type": "git", "architectures": ["Grok1ForCausalLM"], "num_local_experts": 4,
                   "residual_moe": True}
    attention, experts, dense, norms = 2 * 8 * 8 + 2 * 8 * 4, 4 * 3 * 8 * 3 + 8 * 4, 3 * 8 * 5, 4 * 8
    assert count(grok).total == 2 * (attention + experts + dense + norms) + 8 + 2 * 80


def test_sizes_that_a_saved_file_names_layer_by_layer():
    gemma = TINY | {"model_type": "gemma4_text", "enable_moe_block": True, "num_experts": 4,
                    "top_k_experts": 1, "hidden_size_per_layer_input": 0,
                    "layer_types": ["sliding_attention", "full_attention"]}
    named = count(gemma, per_layer_config={"1": {"head_dim": 16}})
    assert named.by_part == count(gemma, global_head_dim=16).by_part
    assert named.total - count(gemma, per_layer_config={}).total == 12 * 8 * (2 + 1 + 1 + 2) + 2 * 12


def test_small_readers_of_pages_have_plain_attention():
    pages = TINY | {"model_type": "deepseek_v2", "use_mla": False, "n_routed_experts": 4,
                    "n_shared_experts": 1, "first_k_dense_replace": 1, "kv_lora_rank": None,
                    "qk_nope_head_dim": 0}
    assert count({"model_type": "deepseek_vl_v2", "language_config": pages}).by_part["attention"] == 2 * (
        8 * 8 + 2 * 8 * 4 + 8 * 8)


def test_linear_layers_of_ring():
    ring = TINY | {"model_type": "bailing_moe_linear", "num_experts": 4, "num_hidden_layers": 4,
                   "layer_group_size": 2, "use_qk_norm": True, "first_k_dense_replace": 0}
    found = count(ring).by_part
    assert found["state layers"] == 2 * (5 * 8 * 8 + 8 + 2 * 4)
    assert found["attention"] == 2 * (2 * 8 * 8 + 2 * 8 * 4 + 2 * 4)


@pytest.mark.parametrize(("given", "sparse"), [
    ({}, 6), ({"num_sparse_decoder_layers": 0}, 4), ({"decoder_sparse_step": 2}, 9),
    ({"num_layers": 5, "num_decoder_layers": 3, "num_sparse_encoder_layers": 7}, 3)])
def test_the_layers_of_switch_that_hold_experts(given, sparse):
    """Counted from the class: the second layer and every so-manieth from there, none for a step of 0."""
    assert ModelSpec.from_hf_config({"model_type": "switch_transformers"} | given).moe[0].layers == sparse


def test_a_list_that_names_too_few_layers_is_refused():
    with pytest.raises(ValueError, match="layer_types of type 'gpt_oss' must name all 36 layers, got 4"):
        count({"model_type": "gpt_oss", "layer_types": ["full_attention"] * 4})
    with pytest.raises(ValueError, match="moe_layer_freq of type 'mimo_v2_flash' must name all 48 layers"):
        count({"model_type": "mimo_v2_flash", "moe_layer_freq": [0, 1]})


def test_a_list_says_which_layers_hold_experts():
    listed = {"model_type": "exaone_moe", "num_hidden_layers": 4, "is_moe_layer": [False, True, True, False],
              "layer_types": ["full_attention"] * 4}
    assert ModelSpec.from_hf_config(listed).moe[0].layers == 2


def test_the_first_deepseek_moe_to_the_last_digit():
    """The count of its stored weights, as its repository states it."""
    first = {"model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944,
             "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
             "moe_intermediate_size": 1408,
             "first_k_dense_replace": 1, "num_hidden_layers": 28, "num_attention_heads": 16}
    assert count(first).total == count_parameters(model("DeepSeekMoE 16B").spec).total == 16_375_728_128


def test_pairs_of_values_are_those_of_text_and_of_pictures():
    text = TINY | {"model_type": "ernie4_5_moe", "moe_num_experts": 4, "moe_num_shared_experts": 1,
                   "moe_k": 1, "moe_layer_start_index": 1, "moe_layer_end_index": 1, "num_hidden_layers": 3}
    pair = text | {"model_type": "ernie4_5_moe_vl", "moe_num_experts": [4, 2],
                   "moe_layer_start_index": [1, 2], "moe_layer_end_index": [1, 2],
                   "moe_intermediate_size": [3, 1]}
    assert count(pair).by_part == count(text).by_part


def test_a_file_of_dbrx_without_its_width_is_refused():
    dbrx = {"model_type": "dbrx", "n_heads": 48, "n_layers": 40, "attn_config": {"kv_n_heads": 8},
            "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}}
    with pytest.raises(ValueError, match="lacks the field 'd_model'"):
        count(dbrx)
    with pytest.raises(ValueError, match="lacks the field 'd_model'"):
        count(dbrx, ffn_config=dbrx["ffn_config"] | {"hidden_size": 6144})
    with pytest.raises(ValueError, match="d_model = 2048 must be a multiple of n_heads = 48"):
        count(dbrx, d_model=2048)
    with pytest.raises(ValueError, match="and that of ffn_config, got 4096"):
        count(dbrx, d_model=6144, ffn_config=dbrx["ffn_config"] | {"hidden_size": 4096})
    assert count(dbrx, d_model=6144, vocab_size=100352).total == 131_596_523_520


def test_chunks_are_no_window():
    """Each token of a chunk sees the tokens before it in the chunk: half of it on average."""
    scout = ModelSpec.from_hf_config({"model_type": "llama4_text"})
    local, full = scout.attention
    assert (local.chunk, local.layers, full.layers) == (8192, 36, 12)
    width = 2 * 40 * 2 * 128
    assert local.score_flops(131_072, "prefill") == width * 8193 / 2
    assert local.score_flops(8193, "decode") == width and local.score_flops(8192, "decode") == width * 8192
    assert local.cache_values(10**6) == 8192 * 2 * 8 * 128
    assert model("Llama 4 Scout").spec.attention[0].chunk == 8192


def test_an_indexer_is_counted_and_kept():
    plain, indexed = ({"model_type": kind} for kind in ("deepseek_v3", "deepseek_v32"))
    index = 61 * (1536 * 64 * 128 + 7168 * 128 + 7168 * 64 + 2 * 128)
    assert count(indexed).total - count(plain).total == index
    caches = [kv_cache_bytes(ModelSpec.from_hf_config(config), 1) for config in (plain, indexed)]
    assert caches == [2 * 61 * 576, 2 * 61 * (576 + 128)]
    shared_choice = count({"model_type": "glm_moe_dsa", "indexer_types": ["full"] * 21 + ["shared"] * 57})
    one = 2048 * 32 * 128 + 6144 * (128 + 32) + 2 * 128
    assert count({"model_type": "glm_moe_dsa"}).total - shared_choice.total == 57 * one


@pytest.mark.slow
def test_defaults_agree_with_the_installed_transformers():
    auto = pytest.importorskip("transformers.models.auto.configuration_auto")
    for name in ("mixtral", "qwen3_moe", "olmoe", "deepseek_v3", "gpt_oss", "afmoe", "lfm2_moe", "jamba"):
        made = auto.CONFIG_MAPPING[name]()
        config = read_config({"model_type": name})
        for field in ("num_experts", "num_experts_per_tok", "hidden_size", "num_hidden_layers", "vocab_size",
                      "num_attention_heads", "intermediate_size", "tie_word_embeddings"):
            assert config.get(field) == getattr(made, config.own(field), config.get(field)), (name, field)


FROM_CLASSES = {  # counts of the classes of transformers 5.24.0 at their defaults, biases of routers included
    "axk2": 20_314_500_992, "hy_v4": 58_278_201_581, "hy_v4_vl": 769_907_408_797,
    "dots3_note": 279_551_729_536, "glm5_next": 313_326_828_862, "mistral_large4": 1_050_118_202_912,
    "bailing_hybrid": 124_414_211_552, "inkling": 975_340_287_042, "inkling2": 593_718_497_280,
    "inkling2_loop": 26_068_159_488, "sarvam_mla": 106_031_767_424, "sarvam_moe": 32_152_650_368,
    "zaya": 8_840_489_464,
}


@pytest.mark.parametrize(("kind", "total"), FROM_CLASSES.items())
def test_defaults_of_a_family_are_those_of_its_class(kind, total):
    assert count({"model_type": kind}).total == total

"""Hand-typed config.json files of every family, against the catalogue and against the digits."""

import pytest

from cases import cases
from moeviz.cost import ModelSpec, count_parameters
from moeviz.models import model

USUAL = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size")


def usual(*sizes, **more):
    return dict(zip(USUAL, sizes, strict=True)) | {"tie_word_embeddings": False} | more


CONFIGS = {
    "Mixtral 8x7B": usual(4096, 32, 32, 8, 32000, model_type="mixtral", intermediate_size=14336,
                          num_local_experts=8, num_experts_per_tok=2, sliding_window=None, hidden_act="silu"),
    "Qwen1.5-MoE-A2.7B": usual(2048, 24, 16, 16, 151936, model_type="qwen2_moe", intermediate_size=5632,
                               num_experts=60, num_experts_per_tok=4, moe_intermediate_size=1408,
                               shared_expert_intermediate_size=5632, decoder_sparse_step=1,
                               use_sliding_window=False, sliding_window=32768),
    "Qwen3-30B-A3B": usual(2048, 48, 32, 4, 151936, model_type="qwen3_moe", head_dim=128, num_experts=128,
                           num_experts_per_tok=8, moe_intermediate_size=768, intermediate_size=6144,
                           decoder_sparse_step=1, mlp_only_layers=[], attention_bias=False),
    "OLMoE-1B-7B": usual(2048, 16, 16, 16, 50304, model_type="olmoe", intermediate_size=1024, num_experts=64,
                         num_experts_per_tok=8, attention_bias=False, clip_qkv=None),
    "DeepSeek-V2": usual(5120, 60, 128, 128, 102400, model_type="deepseek_v2", q_lora_rank=1536,
                         kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
                         intermediate_size=12288, moe_intermediate_size=1536, n_routed_experts=160,
                         n_shared_experts=2, num_experts_per_tok=6, moe_layer_freq=1,
                         first_k_dense_replace=1),
    "DeepSeek-V2-Lite": usual(2048, 27, 16, 16, 102400, model_type="deepseek_v2", q_lora_rank=None,
                              kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
                              intermediate_size=10944, moe_intermediate_size=1408, n_routed_experts=64,
                              n_shared_experts=2, num_experts_per_tok=6, first_k_dense_replace=1),
    "DeepSeek-V3": usual(7168, 61, 128, 128, 129280, model_type="deepseek_v3", q_lora_rank=1536,
                         kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128,
                         intermediate_size=18432, moe_intermediate_size=2048, n_routed_experts=256,
                         n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=3,
                         num_nextn_predict_layers=1, attention_bias=False),
    "gpt-oss-20b": usual(2880, 24, 64, 8, 201088, model_type="gpt_oss", head_dim=64, intermediate_size=2880,
                         num_local_experts=32, num_experts_per_tok=4, sliding_window=128, attention_bias=True,
                         layer_types=["sliding_attention", "full_attention"] * 12),
    "GLM-4.5": usual(5120, 92, 96, 8, 151552, model_type="glm4_moe", head_dim=128, intermediate_size=12288,
                     moe_intermediate_size=1536, n_routed_experts=160, n_shared_experts=1,
                     num_experts_per_tok=8, first_k_dense_replace=3, attention_bias=True, use_qk_norm=True),
    "GLM-4.5-Air": usual(4096, 46, 96, 8, 151552, model_type="glm4_moe", head_dim=128,
                         intermediate_size=10944, moe_intermediate_size=1408, n_routed_experts=128,
                         n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=1,
                         attention_bias=True, use_qk_norm=False),
    "Phi-3.5-MoE": usual(4096, 32, 32, 8, 32064, model_type="phimoe", intermediate_size=6400,
                         num_local_experts=16, num_experts_per_tok=2, attention_bias=True, lm_head_bias=True,
                         sliding_window=131072),
    "DBRX": {"model_type": "dbrx", "d_model": 6144, "n_heads": 48, "n_layers": 40, "vocab_size": 100352,
             "attn_config": {"kv_n_heads": 8, "clip_qkv": 8}, "tie_word_embeddings": False,
             "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}},
    "Llama 4 Scout": {"model_type": "llama4", "vision_config": {"hidden_size": 1408},
                      "text_config": usual(5120, 48, 40, 8, 202048, model_type="llama4_text", head_dim=128,
                                           intermediate_size=8192, intermediate_size_mlp=16384,
                                           num_local_experts=16, num_experts_per_tok=1,
                                           interleave_moe_layer_step=1, attention_chunk_size=8192,
                                           no_rope_layers=[1, 1, 1, 0] * 12)},
    "Llama 4 Maverick": usual(5120, 48, 40, 8, 202048, model_type="llama4_text", head_dim=128,
                              intermediate_size=8192, intermediate_size_mlp=16384, num_local_experts=128,
                              num_experts_per_tok=1, interleave_moe_layer_step=2, attention_chunk_size=8192,
                              layer_types=(["chunked_attention"] * 3 + ["full_attention"]) * 12),
    "MiniMax-Text-01": usual(6144, 80, 64, 8, 200064, model_type="minimax_text_01", head_dim=128,
                             intermediate_size=9216, num_local_experts=32, num_experts_per_tok=2,
                             attn_type_list=[0, 0, 0, 0, 0, 0, 0, 1] * 10, shared_intermediate_size=0),
    "MiniMax-M2": usual(3072, 62, 48, 8, 200064, model_type="minimax_m2", head_dim=128,
                        intermediate_size=1536, num_local_experts=256, num_experts_per_tok=8,
                        use_qk_norm=True, use_routing_bias=True,
                        attn_type_list=[1] * 62, shared_intermediate_size=0, num_mtp_modules=3),
}


@cases(("name", "config"), CONFIGS.items())
def test_config_and_catalogue_describe_the_same_shape(name, config):
    assert ModelSpec.from_hf_config(config, name) == model(name).spec


@cases("name", [name for name in CONFIGS if model(name).exact_total])
def test_configs_give_the_public_count_to_the_digit(name):
    count = count_parameters(ModelSpec.from_hf_config(CONFIGS[name]))
    assert count.total == model(name).exact_total.value


def changed(name, **changes):
    return CONFIGS[name] | changes


def test_newer_and_older_spellings_agree():
    kinds = ["linear_attention"] * 7 + ["full_attention"]
    newer = changed("MiniMax-Text-01", model_type="minimax", layer_types=kinds * 10, attn_type_list=None)
    assert ModelSpec.from_hf_config(newer, "x") == ModelSpec.from_hf_config(CONFIGS["MiniMax-Text-01"], "x")
    scout = CONFIGS["Llama 4 Scout"]["text_config"] | {"no_rope_layers": []}
    assert ModelSpec.from_hf_config(scout, "x") == ModelSpec.from_hf_config(CONFIGS["Llama 4 Scout"], "x")
    default = changed("gpt-oss-20b", layer_types=None)
    assert ModelSpec.from_hf_config(default, "x") == ModelSpec.from_hf_config(CONFIGS["gpt-oss-20b"], "x")


def test_dense_layers_among_moe_layers():
    every_second = changed("Qwen3-30B-A3B", decoder_sparse_step=2, mlp_only_layers=[1, 3])
    made = ModelSpec.from_hf_config(every_second)
    assert (made.moe[0].layers, made.dense[0].layers, made.dense[0].hidden) == (22, 26, 6144)
    spaced = ModelSpec.from_hf_config(changed("DeepSeek-V2", moe_layer_freq=4))
    assert spaced.moe[0].layers == len([i for i in range(1, 60) if i % 4 == 0])


def test_switches_change_what_they_switch():
    plain = count_parameters(ModelSpec.from_hf_config(CONFIGS["Mixtral 8x7B"])).total
    tied = ModelSpec.from_hf_config(changed("Mixtral 8x7B", tie_word_embeddings=True))
    assert plain - count_parameters(tied).total == 4096 * 32000
    windowed = ModelSpec.from_hf_config(changed("Mixtral 8x7B", sliding_window=4096))
    assert windowed.attention[0].window == 4096
    bare = ModelSpec.from_hf_config(changed("MiniMax-M2", use_qk_norm=False, use_routing_bias=False))
    dropped = 62 * (256 + 128 * (48 + 8))
    assert count_parameters(model("MiniMax-M2").spec).total - count_parameters(bare).total == dropped


BAD_CONFIGS = [
    ("mixtral", "config must be a dictionary, got 'mixtral'"),
    ({}, "model_type must be a family that moeviz.routing.families knows, got None"),
    ({"model_type": "qwen3_6_moe"}, "got 'qwen3_6_moe'; the nearest is 'qwen3_[25]?_?moe'"),
    ({"model_type": "zzz", "q_lora_rank": 24, "kv_lora_rank": 8, "n_group": 8, "first_k_dense_replace": 8},
     "got 'zzz'; no name is near: .* or give the sizes to ModelSpec.from_dict"),
    ({"model_type": "my_moe"}, "got 'my_moe'; no name is near"),
    (changed("Mixtral 8x7B", num_local_experts=None), "type 'mixtral' lacks the field 'num_local_experts'"),
    (changed("Mixtral 8x7B", hidden_size="4096"), "hidden_size of type 'mixtral' must be a whole number"),
    (changed("Mixtral 8x7B", num_key_value_heads=7), "kv_heads must divide heads = 32, got 7"),
    (changed("Mixtral 8x7B", num_experts_per_tok=9), "moe: top_k must be .* between 1 and 8, got 9"),
    (changed("Mixtral 8x7B", tie_word_embeddings="no"), "tie_word_embeddings .* True or False, got 'no'"),
    (changed("Qwen1.5-MoE-A2.7B", use_sliding_window=True), "use_sliding_window = True is not known here"),
    (changed("DeepSeek-V3", first_k_dense_replace=-1), "first_k_dense_replace .* at least 0, got -1"),
    (changed("DeepSeek-V3", kv_lora_rank=None), "lacks the field 'kv_lora_rank'"),
    (changed("DeepSeek-V3", num_hidden_layers=10_001), "num_hidden_layers of type 'deepseek_v3' must be"),
    (changed("Qwen3-30B-A3B", mlp_only_layers=3), "mlp_only_layers of type 'qwen3_moe' must be a list"),
    (changed("gpt-oss-20b", layer_types=3), "layer_types of type 'gpt_oss' must be a list"),
    (changed("gpt-oss-20b", layer_types="full"), "layer_types of type 'gpt_oss' must be a list"),
    (CONFIGS["Llama 4 Scout"]["text_config"] | {"no_rope_layers": 3}, "no_rope_layers of .* must be a list"),
    (changed("MiniMax-Text-01", attn_type_list=1), "attn_type_list of type 'minimax.*' must be a list"),
    (changed("DBRX", ffn_config=None), "lacks the field 'ffn_config'"),
    (changed("DBRX", attn_config=3), "attn_config must be a dictionary, got 3"),
    (changed("MiniMax-Text-01", attn_type_list=None), "lacks the field 'attn_type_list'"),
    (changed("MiniMax-Text-01", num_local_experts=[8, 16] * 40), "num_local_experts of .* must be a whole"),
    (changed("MiniMax-M2", shared_intermediate_size=8), "shared_intermediate_size = 8 is not known here"),
    (changed("Llama 4 Maverick", interleave_moe_layer_step=0), "interleave_moe_layer_step .* got 0"),
    ({"model_type": "jamba", "mamba_proj_bias": 3}, "mamba_proj_bias .* True or False, got 3"),
    ({"model_type": "arctic", "parallel_attn_mlp_res": {}}, "parallel_attn_mlp_res .* True or False, got {}"),
    ({"model_type": "glm_moe_dsa", "indexer_types": 3}, "indexer_types .* must be a list, got 3"),
    ({"model_type": "nemotron_h", "hybrid_override_pattern": 1}, "hybrid_override_pattern .* a list, got 1"),
    ({"model_type": "nemotron_h", "hybrid_override_pattern": [["M"]]}, "a layer is neither of M, mamba"),
    ({"model_type": "step3p7", "moe_layers_enum": 3}, "moe_layers_enum must be a list, got 3"),
    ({"model_type": "step3p7", "moe_layers_enum": "1,x"}, "moe_layers_enum must be a whole number.*'x'"),
    ({"model_type": "deepseek_v4", "compress_ratios": ["a"] * 100}, "compress_ratios must be .*, got 'a'"),
    ({"model_type": "axk2", "q_lora_rank": {}}, "q_lora_rank"),
    ({"model_type": "inkling2", "layer_types": [1] * 100}, "layer_types .* must name hybrid_sliding"),
    ({"model_type": "deepseek_v4", "mlp_layer_types": 3}, "mlp_layer_types .* must be a list, got 3"),
    ({"model_type": "kimi_linear", "linear_attn_config": 3}, "linear_attn_config .* must be a dict, got int"),
    ({"model_type": "kimi_linear", "linear_head_dim": {}}, "head_dim must be a whole number .* got {}"),
    ({"model_type": "minimax_m3", "sparse_attention_config": "x"}, "sparse_attention_config .* got str"),
    ({"model_type": "mistral_large4", "index_n_heads": 0}, "index_n_heads .* of at least 1, got 0"),
]


@cases(("config", "message"), BAD_CONFIGS)
def test_wrong_configs_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        ModelSpec.from_hf_config(config)


def test_reading_leaves_the_config_alone():
    before = repr(CONFIGS)
    for config in CONFIGS.values():
        ModelSpec.from_hf_config(config)
    assert repr(CONFIGS) == before

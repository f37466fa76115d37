"""Random models of every causal MoE class of transformers, small enough to run in a tenth of a second.

torch and transformers are imported when a model is asked for, so that collecting tests costs nothing.
"""

import dataclasses
import importlib
import re

import pytest

# Whatever a configuration calls them: sizes that any of the fields below may have.
SIZES = {
    32: "hidden_size d_model", 48: "intermediate_size dense_intermediate_size ffn_hidden_size",
    16: "moe_intermediate_size expert_ffn_hidden_size shared_expert_intermediate_size q_lora_rank "
        "index_head_dim "
        "shared_intermediate_size share_expert_dim moe_shared_expert_intermediate_size moe_hidden_size "
        "router_hidden_size",
    8: "num_experts num_local_experts n_routed_experts moe_num_experts head_dim kv_lora_rank "
       "qk_nope_head_dim "
       "qk_rope_head_dim v_head_dim sliding_window linear_key_head_dim linear_value_head_dim linear_head_dim "
       "kv_channels mamba_n_heads mamba_d_head mamba_d_state mamba_num_heads mamba_head_dim ssm_state_size "
       "o_lora_rank",
    4: "num_hidden_layers num_attention_heads linear_num_value_heads linear_num_heads index_topk "
       "mamba_dt_rank",
    3: "num_experts_per_tok num_experts_per_token moe_k moe_topk top_k_experts",
    2: "num_key_value_heads n_group num_expert_group linear_num_key_heads index_n_heads o_groups "
       "layer_group_size "
       "eos_token_id num_layers",
    1: "topk_group n_shared_experts num_shared_experts moe_num_shared_experts first_k_dense_replace "
       "bos_token_id "
       "num_dense_layers mamba_n_groups n_groups",
    0: "pad_token_id", 96: "vocab_size", 128: "max_position_embeddings"}
COMMON = {name: size for size, names in SIZES.items() for name in names.split()}
COMMON["intermediate_size_mlp"] = 48
HALF = ["linear_attention", "full_attention"] * 2
INKLING = {"swa_num_attention_heads": 4, "swa_num_key_value_heads": 2, "swa_head_dim": 8, "d_rel": 2,
           "rel_extent": 8, "sliding_window_size": 8, "layer_types": ["hybrid_sliding", "hybrid"] * 2}
OWN = {
    "gemma4_text": {"enable_moe_block": True, "hidden_size_per_layer_input": 0, "global_head_dim": 8},
    "dbrx": {"attn_config": {"kv_n_heads": 2, "rope_theta": 1e4, "clip_qkv": 8}, "n_heads": 4, "n_layers": 2,
             "ffn_config": {"moe_num_experts": 8, "moe_top_k": 3, "ffn_hidden_size": 16, "hidden_size": 32,
                            "ffn_act_fn": {"name": "silu"}}},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]
                 * 2}, "nemotron_h": {"hybrid_override_pattern": "ME*E"},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"] * 2}, "kimi_linear": {"layer_types": HALF},
    "minimax_m3_vl_text": {"mlp_layer_types": ["dense", *["sparse"] * 3], "index_block_size": 4,
                           "index_topk_blocks": 2},
    "deepseek_v4": {"num_hash_layers": 1, "compress_ratios": [0, 4, 4, 4], "num_key_value_heads": 1,
                    "head_dim": 16, "qk_rope_head_dim": 8},
    "deepseek_v2": {"topk_method": "group_limited_greedy"}, "longcat_flash": {"zero_expert_num": 4},
    "glm4v_moe_text": {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2],
                                           "rope_theta": 1e4,
                                           "partial_rotary_factor": 1.0}},
    "phimoe": {"num_experts_per_tok": 2}, "llama4_text": {"num_experts_per_tok": 1},
    "dots3_note_text": {"swa_num_attention_heads": 4, "swa_num_key_value_heads": 4, "swa_q_lora_rank": 12,
                        "swa_kv_lora_rank": 8, "swa_head_dim": 16, "swa_qk_nope_head_dim": 8,
                        "swa_v_head_dim": 8},
    "qwen4_exp_text": {"indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 8,
                       "indexer_budget": 16, "indexer_compress_ratio": 4, "hc_count": 2, "hc_lowrank": 4,
                       "ple_layer_ids": [1], "ngram_vocab_size_base": 50, "heads_per_ngram": 2,
                       "ple_embed_dim": 32},
    "glm5_next_text": {"layer_types": HALF, "index_kpool": 4, "qk_rope_head_dim": 0, "index_topk": 8},
    "hy_v4_vl_text": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
                                          "mrope_section": [2, 1, 1]}},
    "zaya": {"num_experts_per_tok": 1},
    "inkling_text": INKLING | {"mlp_layer_types": ["dense", *["sparse"] * 3]},
    "inkling2_text": INKLING | {"n_layers_per_attn_res_block": 2, "unpadded_vocab_size": 90},
    "inkling2_loop_text": INKLING | {
        "n_layers_per_attn_res_block": 2, "unpadded_vocab_size": 90, "loop_layer_index_start": 2,
        "loop_layer_index_end": 4, "loop_gate_rank": 4},
}
CLASSES = {"step3p5": "Step3p7TextModel", "muse_spark_text": "MuseSparkTextModel",
           "mistral4": "Mistral4Model",
           "mistral_large4_text": "MistralLarge4TextModel",
           "qwen3_omni_moe_text": "Qwen3OmniMoeThinkerTextModel", "glm5_next_text": "Glm5NextTextModel",
           "hy_v4_vl_text": "HYV4VLTextModel", "unlimited_ocr_text": "UnlimitedOcrTextModel"}
TYPES = [
    "mixtral", "phimoe", "qwen2_moe", "qwen3_moe", "qwen3_vl_moe_text", "qwen3_next",
    "qwen3_5_moe_text", "qwen3_omni_moe_text", "lara_mini", "flint", "mellum", "kolibri1", "olmoe",
    "flex_olmo", "granitemoe", "granitemoe_swa", "granitemoeshared", "granitemoehybrid", "deepseek_v2",
    "deepseek_v3", "deepseek_v32", "glm_moe_dsa", "glm4_moe_lite", "axk1", "axk2", "mistral4",
    "mistral_large4_text", "glm4_moe", "glm4v_moe_text", "dots1", "dots3_note_text", "solar_open",
    "exaone_moe", "hy_v3", "hy_v4", "mimo_v2_flash", "afmoe", "beam", "gpt_oss", "dbrx", "llama4_text",
    "minimax", "minimax_m2", "minimax_m3_vl_text", "jamba", "jetmoe", "kimi_linear", "bailing_hybrid",
    "nemotron_h", "gemma4_text", "step3p5", "hunyuan_v1_moe", "ernie4_5_moe", "lfm2_moe",
    "longcat_flash", "deepseek_v4", "aria_text", "cohere2_moe", "laguna", "muse_spark_text",
    "qwen4_exp_text", "glm5_next_text", "hy_v4_vl_text", "inkling2_text", "unlimited_ocr_text",
]
COUNTED = [kind for kind in TYPES if kind != "longcat_flash"] + [  # and those that nothing records
    "inkling_text", "inkling2_loop_text", "zaya"]
GATE = re.compile(r"(router|gate|gating|classifier)\.(weight|(layer|wg|proj|gate|classifier)\.weight)$")


def tiny(kind, *, build=None, **changes):
    """Return a random model of a type, its routers and biases large enough to have preferences.

    build: makes the model from its class and configuration; left out it is run with random numbers.
    """
    import torch

    config = tiny_config(kind, **changes)
    made = model_class(kind, config)
    if build is not None:
        return build(made, config)
    torch.set_num_threads(1)  # tiny products: threads would only wait for each other
    torch.manual_seed(0)
    model = made(config).eval()
    with torch.no_grad():
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            _stir(name, value)
    return model


def tiny_config(kind, **changes):
    """Return the configuration of a tiny model; skips the test where transformers has no such type."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if kind not in CONFIG_MAPPING:
        pytest.skip(f"this release of transformers has no {kind}")
    configuration = CONFIG_MAPPING[kind]
    names = {field.name for field in dataclasses.fields(configuration)} | set(configuration.attribute_map)
    given = {name: value for name, value in COMMON.items() if name in names}
    for alias, name in configuration.attribute_map.items():
        if name in given:
            given.pop(alias, None)
    if "kv_lora_rank" in given:
        given["num_key_value_heads"] = 4
    if kind != "nemotron_h":
        given.setdefault("first_k_dense_replace", 1)
    return configuration(**given | OWN.get(kind, {}) | changes).get_text_config()


def model_class(kind, config):
    """Return the class of a type's language model, with a head where there is one."""
    from transformers.models.auto import modeling_auto as auto

    name = (CLASSES.get(kind) or auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
            or auto.MODEL_MAPPING_NAMES[kind])
    module = importlib.import_module(type(config).__module__.replace("configuration_", "modeling_"))
    return getattr(module, name)


def _stir(name, value):
    import torch

    if re.search(r"correction_bias|expert_bias|per_expert_scale", name):
        value.copy_(torch.rand(value.shape) * 0.2 + ("scale" in name))
    elif GATE.search(name) and value.dim() == 2:
        value.copy_(torch.randn(value.shape) * 0.5)
    elif name.endswith("tid2eid"):
        value.copy_(torch.stack([torch.randperm(8)[:value.shape[1]] for _ in value]))

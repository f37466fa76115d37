"""Hugging Face config.json -> the dictionary of `moeviz.cost.schema`, for the common MoE families.

Field names and their meaning: the configuration and modeling files of each family in the library
`transformers`. A vision tower and heads that predict further tokens (MTP) are left out.
"""

from moeviz.arrays import check_choice
from moeviz.cost.hf_config import (
    REQUIRED,
    Config,
    attention_fields,
    bias_fields,
    local_experts,
    model_fields,
    two_kinds,
    with_dense,
)
from moeviz.cost.schema import check_mapping


def fields_from_config(config):
    """Return the fields for `ModelSpec.from_dict` that a config.json, read as a dictionary, gives.

    Raises ValueError for an unknown model_type (listing the known ones), for a field that the family
    needs and the config lacks, and for a setting whose parameters are not known here.

    >>> fields_from_config({"model_type": "mixtral"})
    Traceback (most recent call last):
    ValueError: config.json of type 'mixtral' lacks the field 'num_attention_heads'
    """
    config = check_mapping(config, "config")
    kind = check_choice(config.get("model_type"), "model_type", tuple(sorted(FAMILIES)))
    if kind == "llama4":
        config = check_mapping(config.get("text_config"), "text_config")
    return FAMILIES[kind](Config(config, kind))


def _mixtral(config):
    attention = attention_fields(config, window=config.get("sliding_window"))
    return model_fields(config, attention, moe=local_experts(config))


def _phimoe(config):
    attention = attention_fields(config, window=config.get("sliding_window"), **bias_fields(config))
    head_bias = config.whole("vocab_size") if config.get("lm_head_bias", False) else 0
    return model_fields(config, attention, moe=local_experts(config), norm_vectors=2, extra=head_bias)


def _qwen2_moe(config):
    attention = attention_fields(config, qkv_bias=config.get("qkv_bias", True))
    return _qwen_moe(config, attention, shared_experts=1, shared_gate=True,
                     shared_hidden=config.whole("shared_expert_intermediate_size"))


def _qwen3_moe(config):
    return _qwen_moe(config, attention_fields(config, qk_norm="head", **bias_fields(config)))


def _qwen_moe(config, attention, **options):
    config.refuse("use_sliding_window", False)
    layers, step = config.layers(), config.whole("decoder_sparse_step", 1)
    dense = config.several("mlp_only_layers")
    moe = {"layers": sum((i + 1) % step == 0 and i not in dense for i in range(layers)),
           "experts": config.whole("num_experts"), "top_k": config.whole("num_experts_per_tok"),
           "hidden": config.whole("moe_intermediate_size"), **options}
    return model_fields(config, attention, **with_dense(config, moe, "intermediate_size"))


def _olmoe(config):
    moe = {"experts": config.whole("num_experts"), "top_k": config.whole("num_experts_per_tok"),
           "hidden": config.whole("intermediate_size")}
    return model_fields(config, attention_fields(config, qk_norm="full", **bias_fields(config)), moe=moe)


def _deepseek(config):
    config.refuse("attention_bias", False)
    attention = {"kind": "latent", "heads": config.whole("num_attention_heads"),
                 "q_rank": config.get("q_lora_rank"), "kv_rank": config.whole("kv_lora_rank"),
                 "nope_dim": config.whole("qk_nope_head_dim"), "rope_dim": config.whole("qk_rope_head_dim"),
                 "v_dim": config.whole("v_head_dim")}
    return _routed_after_dense(config, attention, router_bias=config.kind != "deepseek_v2")


def _glm4_moe(config):
    norm = "head" if config.get("use_qk_norm", False) else None
    attention = attention_fields(config, qkv_bias=config.get("attention_bias", False), qk_norm=norm)
    return _routed_after_dense(config, attention, router_bias=True)


def _routed_after_dense(config, attention, router_bias):
    first = config.whole("first_k_dense_replace", 0, low=0)
    step = config.whole("moe_layer_freq", 1)
    moe = {"layers": sum(i >= first and i % step == 0 for i in range(config.layers())),
           "experts": config.whole("n_routed_experts"), "top_k": config.whole("num_experts_per_tok"),
           "hidden": config.whole("moe_intermediate_size"), "router_bias": router_bias,
           "shared_experts": config.whole("n_shared_experts", 0, low=0)}
    return model_fields(config, attention, **with_dense(config, moe, "intermediate_size"))


def _gpt_oss(config):
    layers = config.layers()
    kinds = config.several("layer_types", ["sliding_attention", "full_attention"] * layers)[:layers]
    full = attention_fields(config, sinks=True, **bias_fields(config, default=True))
    windowed = full | {"kind": "sliding-window", "window": config.whole("sliding_window")}
    groups = two_kinds(windowed, full, kinds.count("sliding_attention"), layers)
    return model_fields(config, groups, moe=local_experts(config, bias=True, router_bias=True))


def _dbrx(config):
    inner = Config(check_mapping(config.need("attn_config"), "attn_config"), config.kind)
    ffn = Config(check_mapping(config.need("ffn_config"), "ffn_config"), config.kind)
    heads, d_model = config.whole("n_heads"), config.whole("d_model")
    attention = {"kind": "grouped-query", "heads": heads, "kv_heads": inner.whole("kv_n_heads"),
                 "head_dim": d_model // heads}
    moe = {"experts": ffn.whole("moe_num_experts"), "top_k": ffn.whole("moe_top_k"),
           "hidden": ffn.whole("ffn_hidden_size")}
    return {"name": config.kind, "layers": config.whole("n_layers"), "d_model": d_model,
            "vocab": config.whole("vocab_size"), "tied": config.get("tie_word_embeddings", False),
            "attention": attention, "moe": moe}


def _llama4(config):
    layers, step = config.layers(), config.whole("interleave_moe_layer_step", 1)
    full = attention_fields(config, **bias_fields(config))
    local = full | {"kind": "sliding-window", "window": config.whole("attention_chunk_size")}
    groups = two_kinds(local, full, _chunked_layers(config, layers), layers)
    moe = local_experts(config, layers=layers // step, shared_experts=1)
    return model_fields(config, groups, **with_dense(config, moe, "intermediate_size_mlp"))


def _chunked_layers(config, layers):
    """Return how many layers attend within their own chunk: those with rotary positions, 3 of 4."""
    if config.get("layer_types"):
        return config.several("layer_types").count("chunked_attention")
    return sum(map(bool, config.several("no_rope_layers") or [(i + 1) % 4 != 0 for i in range(layers)]))


def _minimax(config):
    config.refuse("shared_intermediate_size", 0)
    full = attention_fields(config)
    width = full["heads"] * full["head_dim"]
    lightning = {"kind": "other", "parameters": 5 * config.whole("hidden_size") * width + width,
                 "state": width * full["head_dim"]}  # query, key, value, gate, output; one norm
    kinds = config.several("layer_types") or config.several("attn_type_list", REQUIRED)
    linear = sum(kind in ("linear_attention", 0) for kind in kinds)
    groups = two_kinds(lightning, full, linear, config.layers())
    return model_fields(config, groups, moe=local_experts(config))


def _minimax_m2(config):
    config.refuse("shared_intermediate_size", 0)
    norm = "full" if config.get("use_qk_norm", True) else None
    moe = local_experts(config, router_bias=config.get("use_routing_bias", True))
    return model_fields(config, attention_fields(config, qk_norm=norm), moe=moe)


FAMILIES = {
    "mixtral": _mixtral, "phimoe": _phimoe, "qwen2_moe": _qwen2_moe, "qwen3_moe": _qwen3_moe,
    "olmoe": _olmoe, "deepseek_v2": _deepseek, "deepseek_v3": _deepseek, "kimi_k2": _deepseek,
    "glm4_moe": _glm4_moe, "gpt_oss": _gpt_oss, "dbrx": _dbrx, "llama4": _llama4, "llama4_text": _llama4,
    "minimax": _minimax, "minimax_text_01": _minimax, "minimax_m1": _minimax, "minimax_m2": _minimax_m2,
}

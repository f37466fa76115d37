"""From the fields of a config.json to groups of layers: families of softmax attention.

What the families share stands first. Then comes one function per layout, named in the table of
`moeviz.routing.families`; each takes a `Config` and returns the dictionary of `moeviz.cost.schema`.
Source: the configuration and modeling files of each family in the library `transformers`, or, where the
table says so, in the repository of the model.
"""

from collections import Counter

from moeviz.arrays import check_count
from moeviz.checks import check_several
from moeviz.routing.families import REQUIRED


def sizes(config):
    """Return the fields that every model has, from the usual names."""
    return {"name": str(config.get("_name_or_path") or config.kind), "d_model": config.whole("hidden_size"),
            "vocab": config.whole("vocab_size"), "tied": config.flag("tie_word_embeddings")}


def model_fields(config, attention, moe, *, width="intermediate_size", **more):
    """Return the fields of a model whose layers hold `moe` or, where those leave some, a dense block.

    width: the field that holds the dense blocks' width. more: further fields of the model.
    """
    layers = config.layers()
    dense = {"dense": {"hidden": config.whole(width)}} if moe["layers"] != layers else {}
    sparse = {"moe": moe} if moe["layers"] else {}
    return sizes(config) | {"layers": layers, "attention": attention, **dense, **sparse, **more}


def attention_fields(config, **options):
    """Return the fields of a softmax attention group, from the usual names, with further `options`."""
    heads = config.whole("num_attention_heads")
    head_dim = config.whole("head_dim", config.whole("hidden_size") // heads)
    kv_heads = config.whole("num_key_value_heads", heads)
    return {"kind": "grouped-query", "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, **options}


def bias_fields(config, default=False):
    """Return the biases of all four projections, where `attention_bias` switches them together."""
    bias = config.flag("attention_bias", default)
    return {"qkv_bias": bias, "out_bias": bias}


def with_layers(counts):
    """Return the groups of pairs (group, number of layers), without those that have no layer."""
    return [group | {"layers": layers} for group, layers in counts if layers]


def two_kinds(config, first, second, first_layers):
    """Return the groups of layers of two kinds: so many of the first, the others of the second."""
    return with_layers([(first, first_layers), (second, config.layers() - first_layers)])


def kinds_of_layers(config, default):
    """Return the kind of every layer, from `layer_types` or else from `default`, a list or a function."""
    given = config.several("layer_types") or (default(config.layers()) if callable(default) else default)
    return config.for_each_layer(list(given), "layer_types")


def windowed(config, full, default, **changes):
    """Return the groups of layers with a sliding window and without; default: see `kinds_of_layers`.

    changes: what else differs in layers with a window.
    """
    local_layers = kinds_of_layers(config, default).count("sliding_attention")
    local = full
    if local_layers:
        local = full | {"kind": "sliding-window", "window": config.whole("sliding_window"), **changes}
    return two_kinds(config, local, full, local_layers)


def every(step, many, one="full_attention"):
    """Return a function of the number of layers: every `step`-th is of kind `one`, the others of `many`."""
    return lambda layers: [one if (i + 1) % step == 0 else many for i in range(layers)]


def all_full(layers):
    """Return the kinds of layers that all see everything."""
    return ["full_attention"] * layers


def sparse_layers(config):
    """Return how many layers hold experts: by their list, or after the first dense ones every n-th."""
    layers, kinds = config.layers(), config.get("mlp_layer_types")
    frequency = config.get("is_moe_layer", config.get("moe_layer_freq"))
    if isinstance(kinds, list):
        return sum(kind != "dense" for kind in config.for_each_layer(kinds, "mlp_layer_types"))
    if isinstance(frequency, list):
        return sum(map(bool, config.for_each_layer(frequency, "moe_layer_freq")))
    first, step = config.whole("first_k_dense_replace", 0, low=0), config.whole("moe_layer_freq", 1)
    return sum(i >= first and i % step == 0 for i in range(layers))


def experts(config, layers=None, hidden="moe_intermediate_size", **options):
    """Return the fields of experts of the usual names in so many layers or in all, with further `options`."""
    return {"layers": config.layers() if layers is None else layers, "experts": config.whole("num_experts"),
            "top_k": config.whole("num_experts_per_tok"), "hidden": config.whole(hidden), **options}


def shared(config, width=None):
    """Return the fields of the shared experts, where there are any; width: of one, if not the others'."""
    number = config.whole("num_shared_experts", 0, low=0)
    wide = {} if width is None or not number else {"shared_hidden": width}
    return {"shared_experts": number, **wide}


def one_shared(width):
    """Return the fields of one shared expert of this width; none where it is 0."""
    return {"shared_experts": 1, "shared_hidden": width} if width else {}


def _plain(config):
    attention = attention_fields(config, window=config.get("sliding_window"))
    return model_fields(config, attention, experts(config, hidden="intermediate_size"))


def _phimoe(config):
    attention = attention_fields(config, window=config.get("sliding_window"), **bias_fields(config))
    head_bias = config.whole("vocab_size") if config.flag("lm_head_bias") else 0
    return model_fields(config, attention, experts(config, hidden="intermediate_size"), norm_vectors=2,
                        extra=head_bias)


def _qwen2_moe(config):
    attention = attention_fields(config, qkv_bias=config.flag("qkv_bias", True))
    return qwen_blocks(config, attention, **shared_and_gate(config))


def _qwen3_moe(config):
    return qwen_blocks(config, attention_fields(config, qk_norm="head", **bias_fields(config)))


def shared_and_gate(config):
    """Return the fields of one shared expert with a gate of its own."""
    return {"shared_gate": True, **one_shared(config.whole("shared_intermediate_size"))}


def qwen_blocks(config, attention, **options):
    """Return the fields of a model whose MoE layers lie as Qwen's fields say; options: of the experts."""
    config.refuse("use_sliding_window", False)
    step, dense = config.whole("decoder_sparse_step", 1), config.several("mlp_only_layers")
    sparse = sum((i + 1) % step == 0 and i not in dense for i in range(config.layers()))
    return model_fields(config, attention, experts(config, sparse, **options))


def _flint(config):
    full = attention_fields(config, qk_norm="head", sinks=True, **bias_fields(config))
    groups = windowed(config, full, lambda layers: [
        "full_attention" if i < 2 or i % 4 == 1 or i == layers - 1 else "sliding_attention"
        for i in range(layers)])
    return qwen_blocks(config, groups, **one_shared(config.whole("shared_intermediate_size")))


def _mellum(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    return model_fields(config, windowed(config, full, all_full), experts(config, sparse_layers(config)))


def _kolibri1(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    moe = experts(config, router_bias=True, **one_shared(config.whole("shared_intermediate_size")))
    return model_fields(config, windowed(config, full, all_full), moe, norms_per_sublayer=2)


def _olmoe(config):
    attention = attention_fields(config, qk_norm="full", **bias_fields(config))
    return model_fields(config, attention, experts(config, hidden="intermediate_size"))


def _granitemoe(config):
    full = attention_fields(config, sinks=config.name == "granitemoe_swa", **bias_fields(config))
    moe = experts(config, hidden="intermediate_size",
                  **one_shared(config.whole("shared_intermediate_size", 0, low=0)))
    return model_fields(config, windowed(config, full, all_full), moe)


def _glm4_moe(config):
    norm = "head" if config.flag("use_qk_norm", config.name == "dots1") else None
    bias = config.flag("attention_bias")
    attention = attention_fields(config, qkv_bias=bias, out_bias=bias and config.name == "dots1",
                                 qk_norm=norm)
    sparse = config.layers() if config.name == "solar_open" else sparse_layers(config)
    biased = config.family["router"]["scores"] != "softmax"
    moe = experts(config, sparse, router_bias=biased, **shared(config))
    return model_fields(config, attention, moe)


def _exaone_moe(config):
    pattern = config.get("sliding_window_pattern", 4)
    if isinstance(pattern, str):
        kinds = [("full_attention" if pattern[i % len(pattern)] == "G" else "sliding_attention")
                 for i in range(config.layers())]
    else:
        kinds = every(config.whole("sliding_window_pattern", 4), "sliding_attention")
    full = attention_fields(config, qk_norm="head")
    groups = windowed(config, full, kinds) if config.get("sliding_window") else full
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, groups, moe)


def _hy_v3(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, full, moe)


def _mimo_v2_flash(config):
    kinds = ["sliding_attention" if kind else "full_attention"
             for kind in config.several("hybrid_layer_pattern")] or (
        lambda layers: ["full_attention" if i == 0 or (i + 1) % 6 == 0 else "sliding_attention"
                        for i in range(layers)])
    full = attention_fields(config, v_head_dim=config.whole("v_head_dim"),
                            qkv_bias=config.flag("attention_bias"),
                            sinks=config.flag("add_full_attention_sink_bias"))
    groups = windowed(config, full, kinds, heads=config.whole("swa_num_attention_heads", full["heads"]),
                      kv_heads=config.whole("swa_num_key_value_heads", 2 * full["kv_heads"]),
                      head_dim=config.whole("swa_head_dim", full["head_dim"]),
                      v_head_dim=config.whole("swa_v_head_dim", full["v_head_dim"]),
                      sinks=config.flag("add_swa_attention_sink_bias", True))
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, groups, moe)


def _afmoe(config):
    full = attention_fields(config, qk_norm="head", output_gate=True, **bias_fields(config))
    groups = windowed(config, full, every(config.whole("global_attn_every_n_layers"), "sliding_attention"))
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, groups, moe, norms_per_sublayer=2)


def _beam(config):
    full = attention_fields(config, qk_norm="head", output_gate=True,
                            extra=config.whole("num_attention_heads"), **bias_fields(config))
    moe = experts(config, sparse_layers(config), router_bias=True)
    return model_fields(config, windowed(config, full, every(4, "sliding_attention")), moe,
                        norms_per_sublayer=2)


def _gpt_oss(config):
    full = attention_fields(config, sinks=True, **bias_fields(config, default=True))
    moe = experts(config, hidden="intermediate_size", bias=True, router_bias=True)
    return model_fields(config, windowed(config, full, every(2, "sliding_attention")), moe)


def _dbrx(config):
    inner, ffn = config.inner("attn_config"), config.inner("ffn_config")
    heads, d_model = config.whole("num_attention_heads"), config.whole("hidden_size")
    if d_model % heads or ffn.get("hidden_size", d_model) != d_model:
        raise ValueError(f"config.json of type 'dbrx': d_model = {d_model} must be a multiple of n_heads = "
                         f"{heads}, and that of ffn_config, got {ffn.get('hidden_size', d_model)}")
    attention = {"kind": "grouped-query", "heads": heads, "kv_heads": inner.whole("kv_n_heads"),
                 "head_dim": d_model // heads}
    moe = experts(ffn, config.layers(), "intermediate_size")
    config.seen |= inner.seen | ffn.seen
    return model_fields(config, attention, moe) | {"name": config.kind}


def _llama4(config):
    layers, step = config.layers(), config.whole("interleave_moe_layer_step", 1)
    full = attention_fields(config, **bias_fields(config))
    local = full | {"kind": "chunked", "chunk": config.whole("attention_chunk_size")}
    kinds = config.several("layer_types")[:layers]  # those with rotary positions attend in their own chunk
    chunked = kinds.count("chunked_attention") if kinds else sum(rotary_layers(config))
    groups = two_kinds(config, local, full, chunked)
    listed = config.get("moe_layers")
    sparse = layers // step if listed is None else len(
        {place for place in config.several("moe_layers") if isinstance(place, int) and 0 <= place < layers})
    moe = experts(config, sparse, "intermediate_size", shared_experts=1)
    return model_fields(config, groups, moe, width="intermediate_size_mlp")


def rotary_layers(config):
    """Return for each layer whether it has rotary positions: by a list, or all but every n-th."""
    layers, step = config.layers(), config.whole("no_rope_layer_interval", 4)
    listed = config.several("no_rope_layers") or [(i + 1) % step != 0 for i in range(layers)]
    return [bool(turns) for turns in listed[:layers]]


def _minimax(config):
    _no_shared(config)
    full = attention_fields(config)
    width = full["heads"] * full["head_dim"]
    lightning = {"kind": "other", "parameters": 5 * config.whole("hidden_size") * width + width,
                 "state": width * full["head_dim"]}  # query, key, value, gate, output; one norm
    kinds = config.several("layer_types") or config.several("attn_type_list")
    if not kinds and config.kind != "minimax":
        kinds = config.several("attn_type_list", REQUIRED)
    kinds = kinds or every(2, "full_attention", "linear_attention")(config.layers())
    linear = sum(kind in ("linear_attention", 0) for kind in kinds[:config.layers()])
    return model_fields(config, two_kinds(config, lightning, full, linear),
                        experts(config, hidden="intermediate_size"))


def _no_shared(config):
    width = config.get("shared_intermediate_size")
    if isinstance(width, list) and not any(width):
        return
    config.refuse("shared_intermediate_size", 0)


def _minimax_m2(config):
    _no_shared(config)
    norm = "full" if config.flag("use_qk_norm", True) else None
    moe = experts(config, hidden="intermediate_size", router_bias=config.flag("use_routing_bias", True))
    return model_fields(config, attention_fields(config, qk_norm=norm), moe)


def _minimax_m3(config):
    full = attention_fields(config, qk_norm="head")
    inner = config.mapping("sparse_attention_config")
    sparse = kinds_of_layers(config, [("full_attention", "sparse")[bool(on)] for on in
                                      inner.get("sparse_attention_freq", [])] or all_full)
    indexed = full | {"index_heads": inner.get("sparse_num_index_heads", config.whole("index_n_heads")),
                      "index_dim": inner.get("sparse_index_dim", config.whole("index_head_dim")),
                      "index_top_k": inner.get("sparse_topk_blocks", config.whole("index_topk_blocks"))
                      * inner.get("sparse_block_size", config.whole("index_block_size"))}
    wide = config.whole("shared_intermediate_size", 0, low=0) * config.whole("num_shared_experts", 1, low=0)
    hidden = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    moe = experts(config, sparse_layers(config), hidden, router_bias=config.flag("use_routing_bias", True),
                  **one_shared(wide))
    groups = two_kinds(config, indexed, full, sum(kind != "full_attention" for kind in sparse))
    return model_fields(config, groups, moe, width="dense_intermediate_size")


def _step3p7(config):
    d_model, heads = config.whole("hidden_size"), config.whole("num_attention_heads")
    other = config.mapping("attention_other_setting")
    config.refuse("mlp_bias", False)
    named = config.at_first(kinds_of_layers(config, all_full), "sliding_attention")
    near_heads = config.whole("num_sliding_attention_heads", other.get("num_attention_heads", heads))
    near_heads = named.get("num_attention_heads", near_heads)
    full = attention_fields(config, qk_norm="head", extra=d_model * heads, **bias_fields(config))
    groups = windowed(config, full, all_full, heads=near_heads, extra=d_model * near_heads)
    sparse, listed = sparse_layers(config), config.get("moe_layers_enum")
    if listed and not (config.has("mlp_layer_types") or config.has("moe_layer_freq")
                       or config.has("first_k_dense_replace")):
        if isinstance(listed, str):
            listed = [int(each) if each.strip().isdecimal() else each for each in listed.split(",")]
        places = [check_count(each, "moe_layers_enum", low=0)
                  for each in check_several(listed, "moe_layers_enum")]
        sparse = sum(place < config.layers() for place in places)
    config.get("num_shared_experts")
    moe = experts(config, sparse, router_bias=config.flag("use_moe_router_bias", True),
                  **one_shared(config.whole("shared_intermediate_size")))
    return model_fields(config, groups, moe)


def _hunyuan(config):
    config.refuse("use_mla", False)
    layers, norm = config.layers(), "head" if config.flag("use_qk_norm", True) else None
    shares = config.whole("cla_share_factor", 2) if config.flag("use_cla") else 1
    full = attention_fields(config, qk_norm=norm, **bias_fields(config))
    groups = two_kinds(config, full, full | {"own_kv": False}, -(-layers // shares))
    hidden = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    number = config.whole("num_shared_experts", 1, low=0) if config.flag("use_mixed_mlp_moe", True) else 0
    moe = experts(config, layers - config.whole("moe_layer_num_skipped", 0, low=0), hidden,
                  **one_shared(config.whole("intermediate_size") * number))
    return model_fields(config, groups, moe)


def _ernie4_5_moe(config):
    layers, step = config.layers(), config.whole("moe_layer_interval", 1)
    last = config.get("moe_layer_end_index", -1)
    last = layers - 1 if last == -1 else config.whole("moe_layer_end_index", low=0)
    first = config.whole("moe_layer_start_index", low=0)
    config.refuse("use_bias", False)
    sparse = (sparse_layers(config) if config.get("mlp_layer_types")
              else sum(first <= i <= last and (i + 1) % step == 0 for i in range(layers)))
    moe = experts(config, sparse, router_bias=True, **shared(config))
    return model_fields(config, attention_fields(config), moe)


def _aria(config):
    moe = experts(config, hidden="intermediate_size", shared_experts=config.whole("num_shared_experts"))
    return model_fields(config, attention_fields(config, **bias_fields(config)), moe)


def _cohere2_moe(config):
    full = attention_fields(config, **bias_fields(config))
    groups = windowed(config, full, every(config.whole("sliding_window_pattern", 4), "sliding_attention"))
    moe = experts(config, sparse_layers(config), "intermediate_size", **shared(config))
    prefix = config.get("prefix_dense_intermediate_size")
    return model_fields(config, groups, moe, norms=config.layers() + 1,
                        width="prefix_dense_intermediate_size" if prefix else "intermediate_size")


def _laguna(config):
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    gate = d_model * (1 if config.get("gating", True) in (True, "per-head") else full["head_dim"])
    per_layer = config.several("num_attention_heads_per_layer") or [full["heads"]] * layers
    kinds = kinds_of_layers(config, all_full)
    groups = [full | {"heads": heads, "extra": gate * heads, "layers": number}
              | ({"kind": "sliding-window", "window": config.whole("sliding_window")}
                 if kind == "sliding_attention" else {})
              for (heads, kind), number in Counter(zip(per_layer, kinds, strict=False)).items()]
    listed, dense = config.get("mlp_layer_types"), config.several("mlp_only_layers", [0])
    moe = experts(config, sparse_layers(config) if listed else layers - len(dense), router_bias=True,
                  **one_shared(config.whole("shared_intermediate_size")))
    return model_fields(config, groups, moe)


def _muse_spark(config):
    latent = config.whole("moe_hidden_size")
    full = attention_fields(config, output_gate=True, **bias_fields(config))
    moe = experts(config, sparse_layers(config), router_bias=True, latent=latent, router_extra=2 * latent)
    return model_fields(config, windowed(config, full, every(4, "sliding_attention")), moe,
                        norms=5 * config.layers() + 1)


def _bailing_moe(config):
    """Ring's linear models attend with a state of constant size in all but every so-manieth layer."""
    norm = "head" if config.flag("use_qk_norm") else None
    attention = attention_fields(config, qkv_bias=config.flag("use_qkv_bias"),
                                 out_bias=config.flag("use_bias"), qk_norm=norm)
    bias = config.flag("moe_router_enable_expert_bias", config.get("scoring_func") == "sigmoid")
    moe = experts(config, sparse_layers(config), router_bias=bias,
                  **shared(config, config.get("shared_intermediate_size")))
    layers, step = config.layers(), config.whole("layer_group_size", 1)
    if step == 1:
        return model_fields(config, attention, moe)
    width, d_model = attention["heads"] * attention["head_dim"], config.whole("hidden_size")
    linear = {"kind": "other", "state": width * attention["head_dim"],  # queries, keys, values, gate, out
              "parameters": 5 * d_model * width + width + (2 * attention["head_dim"] if norm else 0)}
    return model_fields(config, two_kinds(config, linear, attention, layers - layers // step), moe)


def _arctic(config):
    """With parallel_attn_mlp_res a dense block as wide as the model stands beside the experts."""
    layers, beside = config.layers(), config.flag("parallel_attn_mlp_res")
    sparse = layers // config.whole("moe_layer_frequency")
    config.get("use_residual")
    dense = with_layers([({"hidden": config.whole("hidden_size")}, sparse if beside else 0),
                         ({"hidden": config.whole("intermediate_size")}, layers - sparse)])
    attention = attention_fields(config, window=config.get("sliding_window"))
    return sizes(config) | {"attention": [attention | {"layers": layers}], "dense": dense,
                            "moe": [experts(config, sparse, "intermediate_size")],
                            "norms": (2 + beside) * layers + 1}


def _grok_1(config):
    """With residual_moe (Grok-2) a dense block stands beside the experts, which have a width of their own."""
    layers, beside = config.layers(), config.flag("residual_moe")
    moe = experts(config, hidden="moe_intermediate_size" if beside else "intermediate_size")
    dense = with_layers([({"hidden": config.whole("intermediate_size")}, layers if beside else 0)])
    return sizes(config) | {"attention": [attention_fields(config) | {"layers": layers}], "moe": [moe],
                            "dense": dense, "name": config.name, "norms": 4 * layers + 1}


LAYOUTS = {
    "plain": _plain, "phimoe": _phimoe, "qwen2_moe": _qwen2_moe, "qwen3_moe": _qwen3_moe,
    "flint": _flint, "mellum": _mellum, "kolibri1": _kolibri1, "olmoe": _olmoe,
    "granitemoe": _granitemoe, "glm4_moe": _glm4_moe, "exaone_moe": _exaone_moe,
    "hy_v3": _hy_v3, "mimo_v2_flash": _mimo_v2_flash, "afmoe": _afmoe, "beam": _beam,
    "gpt_oss": _gpt_oss, "dbrx": _dbrx, "llama4": _llama4, "minimax": _minimax,
    "minimax_m2": _minimax_m2, "minimax_m3": _minimax_m3, "step3p7": _step3p7, "hunyuan": _hunyuan,
    "ernie4_5_moe": _ernie4_5_moe, "aria": _aria, "cohere2_moe": _cohere2_moe, "laguna": _laguna,
    "muse_spark": _muse_spark, "bailing_moe": _bailing_moe, "arctic": _arctic, "grok_1": _grok_1,
}

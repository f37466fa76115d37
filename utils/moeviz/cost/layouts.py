"""From the fields of a config.json to groups of layers: families of softmax attention.

What the families share stands first. Then comes one function per layout, named in the table of
`moeviz.routing.families`; each takes a `Config` and returns the dictionary of `moeviz.cost.schema`.
Source: the configuration and modeling files of each family in the library `transformers`, or, where the
table says so, in the repository of the model.
"""

from moeviz.routing.families import REQUIRED


def model_fields(config, attention, **parts):
    """Return the fields of a model: sizes from the usual names, with `attention` and further `parts`."""
    name = config.get("_name_or_path") or config.kind
    return {"name": str(name), "layers": config.layers(), "d_model": config.whole("hidden_size"),
            "vocab": config.whole("vocab_size"), "tied": config.flag("tie_word_embeddings"),
            "attention": attention, **parts}


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


def two_kinds(first, second, first_layers, layers):
    """Return the groups that are not empty, with their numbers of layers."""
    counts = ((first, first_layers), (second, layers - first_layers))
    return [group | {"layers": count} for group, count in counts if count]


def windowed(config, full, local_layers):
    """Return the groups of layers with a sliding window and without, `local_layers` of the first kind."""
    layers = config.layers()
    if not local_layers:
        return two_kinds(full, full, 0, layers)
    local = full | {"kind": "sliding-window", "window": config.whole("sliding_window")}
    return two_kinds(local, full, local_layers, layers)


def tally(items):
    """Return {item: how often it comes}, in the order of their first coming.

    >>> tally("aba")
    {'a': 2, 'b': 1}
    """
    counts = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


def kinds_of_layers(config, default):
    """Return the kind of every layer, from `layer_types` or else from `default`, a list or a function."""
    layers = config.layers()
    given = config.several("layer_types") or (default(layers) if callable(default) else default)
    return config.for_each_layer(list(given), "layer_types")


def sliding(config, default):
    """Return how many layers have a sliding window; default: see `kinds_of_layers`."""
    return kinds_of_layers(config, default).count("sliding_attention")


def every(step, many, one):
    """Return a function of the number of layers: every `step`-th is of kind `one`, the others of `many`."""
    return lambda layers: [one if (i + 1) % step == 0 else many for i in range(layers)]


def all_full(layers):
    """Return the kinds of layers that all see everything."""
    return ["full_attention"] * layers


def sparse_layers(config):
    """Return how many layers hold experts: by their list, or after the first dense ones every n-th."""
    layers, kinds = config.layers(), config.get("mlp_layer_types")
    frequency, first = config.get("moe_layer_freq"), config.get("first_k_dense_replace", 0)
    frequency = config.get("is_moe_layer", frequency)
    if isinstance(kinds, list):
        return sum(kind != "dense" for kind in config.for_each_layer(kinds, "mlp_layer_types"))
    if isinstance(frequency, list):
        return sum(map(bool, config.for_each_layer(frequency, "moe_layer_freq")))
    first = config.whole("first_k_dense_replace", first, low=0)
    step = config.whole("moe_layer_freq", 1)
    return sum(i >= first and i % step == 0 for i in range(layers))


def experts(config, layers, hidden="moe_intermediate_size", **options):
    """Return the fields of `layers` layers of experts of the usual names, with further `options`."""
    return {"layers": layers, "experts": config.whole("num_experts"),
            "top_k": config.whole("num_experts_per_tok"),
            "hidden": config.whole(hidden), **options}


def shared(config, width=None):
    """Return the fields of the shared experts, where there are any; width: of one, if not the others'."""
    number = config.whole("num_shared_experts", 0, low=0)
    wide = {} if width is None or not number else {"shared_hidden": width}
    return {"shared_experts": number, **wide}


def blocks(config, moe, width="intermediate_size", **options):
    """Return the fields moe, and dense where some layers are left for it; neither where it has none."""
    left = config.layers() - moe["layers"]
    dense = {"dense": {"hidden": config.whole(width), **options}} if left else {}
    return dense | ({"moe": moe} if moe["layers"] else {})


def _plain(config):
    attention = attention_fields(config, window=config.get("sliding_window"))
    return model_fields(config, attention, moe=experts(config, config.layers(), "intermediate_size"))


def _phimoe(config):
    attention = attention_fields(config, window=config.get("sliding_window"), **bias_fields(config))
    head_bias = config.whole("vocab_size") if config.flag("lm_head_bias") else 0
    return model_fields(config, attention, moe=experts(config, config.layers(), "intermediate_size"),
                        norm_vectors=2, extra=head_bias)


def _qwen2_moe(config):
    attention = attention_fields(config, qkv_bias=config.flag("qkv_bias", True))
    return qwen_blocks(config, attention, **shared_and_gate(config))


def _qwen3_moe(config):
    return qwen_blocks(config, attention_fields(config, qk_norm="head", **bias_fields(config)))


def shared_and_gate(config):
    """Return the fields of one shared expert with a gate of its own."""
    return {"shared_experts": 1, "shared_gate": True,
            "shared_hidden": config.whole("shared_intermediate_size")}


def qwen_blocks(config, attention, **options):
    """Return the fields of a model whose MoE layers lie as Qwen's fields say; options: of the experts."""
    config.refuse("use_sliding_window", False)
    layers, step = config.layers(), config.whole("decoder_sparse_step", 1)
    dense = {i for i in config.several("mlp_only_layers") if isinstance(i, int)}
    moe = experts(config, sum((i + 1) % step == 0 and i not in dense for i in range(layers)), **options)
    return model_fields(config, attention, **blocks(config, moe))


def _flint(config):
    full = attention_fields(config, qk_norm="head", sinks=True, **bias_fields(config))
    near = sliding(config, lambda layers: ["full_attention" if i < 2 or i % 4 == 1 or i == layers - 1
                                           else "sliding_attention" for i in range(layers)])
    return qwen_blocks(config, windowed(config, full, near), shared_experts=1,
                        shared_hidden=config.whole("shared_intermediate_size"))


def _mellum(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    moe = experts(config, sparse_layers(config))
    return model_fields(config, windowed(config, full, sliding(config, all_full)), **blocks(config, moe))


def _kolibri1(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    moe = experts(config, config.layers(), router_bias=True, shared_experts=1,
                  shared_hidden=config.whole("shared_intermediate_size"))
    return model_fields(config, windowed(config, full, sliding(config, all_full)), norms_per_sublayer=2,
                        **blocks(config, moe))


def _olmoe(config):
    attention = attention_fields(config, qk_norm="full", **bias_fields(config))
    return model_fields(config, attention, moe=experts(config, config.layers(), "intermediate_size"))


def _granitemoe(config):
    full = attention_fields(config, sinks=config.name == "granitemoe_swa", **bias_fields(config))
    groups = windowed(config, full, sliding(config, all_full))
    return model_fields(config, groups, moe=experts(config, config.layers(), "intermediate_size",
                                                    **granite_shared(config)))


def granite_shared(config):
    """Return the fields of Granite's one shared expert, where it has a width."""
    width = config.whole("shared_intermediate_size", 0, low=0)
    return {"shared_experts": 1, "shared_hidden": width} if width else {}


def _glm4_moe(config):
    norm = "head" if config.flag("use_qk_norm", config.name == "dots1") else None
    bias = config.flag("attention_bias")
    attention = attention_fields(config, qkv_bias=bias, out_bias=bias and config.name == "dots1",
                                 qk_norm=norm)
    sparse = config.layers() if config.name == "solar_open" else sparse_layers(config)
    biased = config.family["router"]["scores"] != "softmax"
    moe = experts(config, sparse, router_bias=biased, **shared(config))
    return model_fields(config, attention, **blocks(config, moe))


def _exaone_moe(config):
    pattern = config.get("sliding_window_pattern", 4)
    if isinstance(pattern, str):
        kinds = [("full_attention" if pattern[i % len(pattern)] == "G" else "sliding_attention")
                 for i in range(config.layers())]
    else:
        kinds = every(config.whole("sliding_window_pattern", 4), "sliding_attention", "full_attention")
    full = attention_fields(config, qk_norm="head")
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    local = sliding(config, kinds) if config.get("sliding_window") else 0
    return model_fields(config, windowed(config, full, local), **blocks(config, moe))


def _hy_v3(config):
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    sparse = sparse_layers(config)
    if config.get("mlp_layer_types") is None and not config.has("first_k_dense_replace"):
        sparse = config.layers() - 1
    moe = experts(config, sparse, router_bias=True, **shared(config))
    return model_fields(config, full, **blocks(config, moe))


def _mimo_v2_flash(config):
    layers, pattern = config.layers(), config.several("hybrid_layer_pattern")
    kinds = ["sliding_attention" if kind else "full_attention" for kind in pattern] or (
        lambda n: ["full_attention" if i == 0 or (i + 1) % 6 == 0 else "sliding_attention" for i in range(n)])
    full = attention_fields(config, v_head_dim=config.whole("v_head_dim"),
                            qkv_bias=config.flag("attention_bias"),
                            sinks=config.flag("add_full_attention_sink_bias"))
    local = full | {"kind": "sliding-window", "window": config.whole("sliding_window"),
                    "heads": config.whole("swa_num_attention_heads", full["heads"]),
                    "kv_heads": config.whole("swa_num_key_value_heads", 2 * full["kv_heads"]),
                    "head_dim": config.whole("swa_head_dim", full["head_dim"]),
                    "v_head_dim": config.whole("swa_v_head_dim", full["v_head_dim"]),
                    "sinks": config.flag("add_swa_attention_sink_bias", True)}
    listed = config.get("mlp_layer_types") or config.get("moe_layer_freq")
    moe = experts(config, sparse_layers(config) if listed else layers - 1, router_bias=True, **shared(config))
    return model_fields(config, two_kinds(local, full, sliding(config, kinds), layers), **blocks(config, moe))


def _afmoe(config):
    step = config.whole("global_attn_every_n_layers")
    full = attention_fields(config, qk_norm="head", output_gate=True, **bias_fields(config))
    local = sliding(config, every(step, "sliding_attention", "full_attention"))
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, windowed(config, full, local), norms_per_sublayer=2, **blocks(config, moe))


def _beam(config):
    full = attention_fields(config, qk_norm="head", output_gate=True,
                            extra=config.whole("num_attention_heads"),
                            **bias_fields(config))
    local = sliding(config, every(4, "sliding_attention", "full_attention"))
    sparse = sparse_layers(config) if config.get("mlp_layer_types") else config.layers() - 3
    moe = experts(config, sparse, router_bias=True)
    return model_fields(config, windowed(config, full, local), norms_per_sublayer=2, **blocks(config, moe))


def _gpt_oss(config):
    kinds = kinds_of_layers(config, every(2, "sliding_attention", "full_attention"))
    full = attention_fields(config, sinks=True, **bias_fields(config, default=True))
    groups = windowed(config, full, kinds.count("sliding_attention"))
    moe = experts(config, config.layers(), "intermediate_size", bias=True, router_bias=True)
    return model_fields(config, groups, moe=moe)


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
    return model_fields(config, attention, moe=moe) | {"name": config.kind}


def _llama4(config):
    layers, step = config.layers(), config.whole("interleave_moe_layer_step", 1)
    full = attention_fields(config, **bias_fields(config))
    local = full | {"kind": "chunked", "chunk": config.whole("attention_chunk_size")}
    groups = two_kinds(local, full, _chunked_layers(config, layers), layers)
    listed = config.get("moe_layers")
    sparse = layers // step if listed is None else len(_places(config, "moe_layers", layers))
    moe = experts(config, sparse, "intermediate_size", shared_experts=1)
    return model_fields(config, groups, **blocks(config, moe, "intermediate_size_mlp"))


def _places(config, name, layers):
    """Return the set of the places of layers that a list names, within the model."""
    return {place for place in config.several(name) if isinstance(place, int) and 0 <= place < layers}


def _chunked_layers(config, layers):
    """Return how many layers attend within their own chunk: those with rotary positions, 3 of 4."""
    if config.get("layer_types"):
        return config.several("layer_types")[:layers].count("chunked_attention")
    step = config.whole("no_rope_layer_interval", 4)
    rotary = config.several("no_rope_layers") or [(i + 1) % step != 0 for i in range(layers)]
    return sum(map(bool, rotary[:layers]))


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
    return model_fields(config, two_kinds(lightning, full, linear, config.layers()),
                        moe=experts(config, config.layers(), "intermediate_size"))


def _no_shared(config):
    width = config.get("shared_intermediate_size")
    if isinstance(width, list) and not any(width):
        return
    config.refuse("shared_intermediate_size", 0)


def _minimax_m2(config):
    _no_shared(config)
    norm = "full" if config.flag("use_qk_norm", True) else None
    moe = experts(config, config.layers(), "intermediate_size",
                  router_bias=config.flag("use_routing_bias", True))
    return model_fields(config, attention_fields(config, qk_norm=norm), moe=moe)


def _minimax_m3(config):
    full = attention_fields(config, qk_norm="head")
    inner = config.get("sparse_attention_config") or {}
    sparse = kinds_of_layers(config, [("full_attention", "sparse")[bool(on)] for on in
                                      inner.get("sparse_attention_freq", [])] or all_full)
    indexed = full | {"index_heads": inner.get("sparse_num_index_heads", config.whole("index_n_heads")),
                      "index_dim": inner.get("sparse_index_dim", config.whole("index_head_dim")),
                      "index_top_k": inner.get("sparse_topk_blocks", config.whole("index_topk_blocks"))
                      * inner.get("sparse_block_size", config.whole("index_block_size"))}
    layers = config.layers()
    listed = config.get("mlp_layer_types") or config.get("moe_layer_freq")
    wide = config.whole("shared_intermediate_size", 0, low=0) * config.whole("num_shared_experts", 1, low=0)
    beside = {"shared_experts": 1, "shared_hidden": wide} if wide else {}
    hidden = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    moe = experts(config, sparse_layers(config) if listed else layers, hidden,
                  router_bias=config.flag("use_routing_bias", True), **beside)
    groups = two_kinds(indexed, full, sum(kind != "full_attention" for kind in sparse), layers)
    return model_fields(config, groups, **blocks(config, moe, "dense_intermediate_size"))


def _step3p7(config):
    layers, d_model = config.layers(), config.whole("hidden_size")
    heads = config.whole("num_attention_heads")
    other = config.get("attention_other_setting") or {}
    config.refuse("mlp_bias", False)
    kinds = kinds_of_layers(config, all_full)
    near, named = kinds.count("sliding_attention"), config.at_first(kinds, "sliding_attention")
    near_heads = config.whole("num_sliding_attention_heads", other.get("num_attention_heads", heads))
    near_heads = named.get("num_attention_heads", near_heads)
    full = attention_fields(config, qk_norm="head", extra=d_model * heads, **bias_fields(config))
    groups = two_kinds(full, full, 0, layers)
    if near:
        local = full | {"kind": "sliding-window", "window": config.whole("sliding_window"),
                        "heads": near_heads,
                        "extra": d_model * near_heads}
        groups = two_kinds(local, full, near, layers)
    listed = config.get("moe_layers_enum")
    places = listed.split(",") if isinstance(listed, str) else listed or range(3, layers)
    listed_kinds = config.get("mlp_layer_types") or config.get("moe_layer_freq")
    config.get("num_shared_experts")
    sparse = (sparse_layers(config) if listed_kinds or config.has("first_k_dense_replace")
              else sum(0 <= int(place) < layers for place in places))
    moe = experts(config, sparse, router_bias=config.flag("use_moe_router_bias", True), shared_experts=1,
                  shared_hidden=config.whole("shared_intermediate_size"))
    return model_fields(config, groups, **blocks(config, moe))


def _hunyuan(config):
    config.refuse("use_mla", False)
    layers, norm = config.layers(), "head" if config.flag("use_qk_norm", True) else None
    shares = config.whole("cla_share_factor", 2) if config.flag("use_cla") else 1
    full = attention_fields(config, qk_norm=norm, **bias_fields(config))
    owners = -(-layers // shares)
    groups = two_kinds(full, full | {"own_kv": False}, owners, layers)
    hidden = "moe_intermediate_size" if config.get("moe_intermediate_size") else "intermediate_size"
    moe = experts(config, layers - config.whole("moe_layer_num_skipped", 0, low=0), hidden)
    number = config.whole("num_shared_experts", 1, low=0) if config.flag("use_mixed_mlp_moe", True) else 0
    wide = config.whole("intermediate_size") * number
    moe |= {"shared_experts": 1, "shared_hidden": wide} if number else {}
    return model_fields(config, groups, **blocks(config, moe))


def _ernie4_5_moe(config):
    layers, step = config.layers(), config.whole("moe_layer_interval", 1)
    last = config.get("moe_layer_end_index", -1)
    last = layers - 1 if last == -1 else config.whole("moe_layer_end_index", low=0)
    first = config.whole("moe_layer_start_index", low=0)
    config.refuse("use_bias", False)
    sparse = (sparse_layers(config) if config.get("mlp_layer_types")
              else sum(first <= i <= last and (i + 1) % step == 0 for i in range(layers)))
    moe = experts(config, sparse, router_bias=True, **shared(config))
    return model_fields(config, attention_fields(config), **blocks(config, moe))


def _aria(config):
    full = attention_fields(config, **bias_fields(config))
    number = config.whole("num_shared_experts")
    moe = experts(config, config.layers(), "intermediate_size", shared_experts=number)
    return model_fields(config, full, moe=moe)


def _cohere2_moe(config):
    layers, step = config.layers(), config.whole("sliding_window_pattern", 4)
    full = attention_fields(config, **bias_fields(config))
    local = sliding(config, every(step, "sliding_attention", "full_attention"))
    number = config.whole("num_shared_experts", 0, low=0)
    moe = experts(config, sparse_layers(config), "intermediate_size",
                  **({"shared_experts": number} if number else {}))
    prefix = config.get("prefix_dense_intermediate_size")
    width = "prefix_dense_intermediate_size" if prefix else "intermediate_size"
    return model_fields(config, windowed(config, full, local), norms=layers + 1, **blocks(config, moe, width))


def _laguna(config):
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    gate = d_model * (1 if config.get("gating", True) in (True, "per-head") else full["head_dim"])
    per_layer = config.several("num_attention_heads_per_layer") or [full["heads"]] * layers
    kinds = kinds_of_layers(config, all_full)
    groups = [full | {"heads": heads, "extra": gate * heads, "layers": number}
              | ({"kind": "sliding-window", "window": config.whole("sliding_window")}
                 if kind == "sliding_attention" else {})
              for (heads, kind), number in tally(zip(per_layer, kinds, strict=False)).items()]
    listed, dense = config.get("mlp_layer_types"), config.several("mlp_only_layers", [0])
    moe = experts(config, sparse_layers(config) if listed else layers - len(dense), router_bias=True,
                  shared_experts=1, shared_hidden=config.whole("shared_intermediate_size"))
    return model_fields(config, groups, **blocks(config, moe))


def _muse_spark(config):
    layers, latent = config.layers(), config.whole("moe_hidden_size")
    full = attention_fields(config, output_gate=True, **bias_fields(config))
    local = sliding(config, every(4, "sliding_attention", "full_attention"))
    moe = experts(config, sparse_layers(config), router_bias=True, latent=latent, router_extra=2 * latent)
    return model_fields(config, windowed(config, full, local), norms=5 * layers + 1, **blocks(config, moe))


def _bailing_moe(config):
    """Ring's linear models attend with a state of constant size in all but every so-manieth layer."""
    norm = "head" if config.flag("use_qk_norm") else None
    attention = attention_fields(config, qkv_bias=config.flag("use_qkv_bias"),
                                 out_bias=config.flag("use_bias"),
                                 qk_norm=norm)
    bias = config.flag("moe_router_enable_expert_bias", config.get("scoring_func") == "sigmoid")
    width = config.get("shared_intermediate_size")
    moe = experts(config, sparse_layers(config), router_bias=bias, **shared(config, width))
    groups, layers, step = attention, config.layers(), config.whole("layer_group_size", 1)
    if step > 1:
        width, d_model = attention["heads"] * attention["head_dim"], config.whole("hidden_size")
        linear = {"kind": "other", "state": width * attention["head_dim"],  # queries, keys, values, gate, out
                  "parameters": 5 * d_model * width + width + (2 * attention["head_dim"] if norm else 0)}
        groups = two_kinds(linear, attention, layers - layers // step, layers)
    return model_fields(config, groups, **blocks(config, moe))


def _arctic(config):
    """With parallel_attn_mlp_res a dense block as wide as the model stands beside the experts."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    step, beside = config.whole("moe_layer_frequency"), config.flag("parallel_attn_mlp_res")
    config.get("use_residual")
    sparse = layers // step
    moe = experts(config, sparse, "intermediate_size")
    dense = [{"layers": sparse, "hidden": d_model}] if beside else []
    if layers > sparse:
        dense.append({"layers": layers - sparse, "hidden": config.whole("intermediate_size")})
    fields = model_fields(config, attention_fields(config, window=config.get("sliding_window")), moe=[moe])
    fields["attention"]["layers"] = layers
    return {name: value for name, value in fields.items() if name != "layers"} | {
        **({"dense": dense} if dense else {}), "norms": (2 + beside) * layers + 1}


def _grok_1(config):
    """With residual_moe (Grok-2) a dense block stands beside the experts, which have a width of their own."""
    layers, beside = config.layers(), config.flag("residual_moe")
    moe = experts(config, layers, "moe_intermediate_size" if beside else "intermediate_size")
    dense = {"dense": [{"layers": layers, "hidden": config.whole("intermediate_size")}]} if beside else {}
    fields = model_fields(config, attention_fields(config) | {"layers": layers}, moe=[moe], **dense)
    return {name: value for name, value in fields.items() if name != "layers"} | {
        "name": config.name, "norms": 4 * layers + 1}


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

"""From the fields of a config.json to groups of layers: families of latent attention (MLA).

As in `moeviz.cost.layouts`: one function per layout of the table of families. Some of them have an indexer,
which chooses the positions that a layer sees, and some keep several residual streams (hyper-connections).
Sources: DeepSeek-V2, arXiv 2405.04434; the modeling files of transformers.
"""

from collections import Counter

from moeviz.cost.layouts import (
    attention_fields,
    bias_fields,
    experts,
    kinds_of_layers,
    model_fields,
    rotary_layers,
    shared,
    sparse_layers,
    two_kinds,
)


def latent_fields(config, **options):
    """Return the fields of a latent attention group (MLA), with the indexer where there is one."""
    index = {}
    if config.get("index_head_dim") and config.get("index_n_heads"):
        index = {"index_heads": config.whole("index_n_heads"), "index_dim": config.whole("index_head_dim"),
                 "index_top_k": config.whole("index_topk", 2048)}
    return {"kind": "latent", "heads": config.whole("num_attention_heads"),
            "q_rank": config.get("q_lora_rank") and config.whole("q_lora_rank"),
            "kv_rank": config.whole("kv_lora_rank"), "nope_dim": config.whole("qk_nope_head_dim"),
            "rope_dim": config.whole("qk_rope_head_dim", low=0), "v_dim": config.whole("v_head_dim"),
            "bias": config.flag("attention_bias"), **index, **options}


def streams(config, maps, scales, head=True):
    """Return the parameters of hyper-connections: `maps` numbers per sublayer read from all the streams.

    scales: factors of one sublayer; head: whether the streams are mixed once more at the end.
    """
    number, sublayers = config.whole("hc_mult"), 2 * config.layers()
    width = number * config.whole("hidden_size")
    return sublayers * (maps * width + maps + scales) + head * (number * width + number + 1)


def _deepseek(config):
    moe = experts(config, sparse_layers(config), **shared(config))
    if config.get("use_mla") is False:  # the small models for reading pages keep plain attention
        return model_fields(config, attention_fields(config, **bias_fields(config)), moe)
    moe["router_bias"] = config.family["router"]["scores"] != "softmax"
    norm = config.name == "axk1"  # of the experts' output
    return model_fields(config, _indexed(config), moe,
                        extra=norm * moe["layers"] * config.whole("hidden_size"))


def _indexed(config):
    """Return the groups of latent attention; where some layers take the choice of another's indexer, two."""
    full = latent_fields(config)
    if "index_dim" not in full:
        return full
    having = index_owners(config)
    return two_kinds(config, full, _without_index(full, 0), sum(having))


def index_owners(config):
    """Return for each layer whether it has an indexer of its own; others take an earlier one's choice."""
    layers, own = config.layers(), config.spelled("indexer_types") or config.spelled("index_topk_pattern")
    if not own:
        step, offset = config.whole("index_topk_freq", 1), config.whole("index_skip_topk_offset", 2, low=0)
        return [max(i - offset + 1, 0) % step == 0 for i in range(layers)]
    return [kind in ("full", "F") for kind in config.for_each_layer(own, "indexer_types")]


def _axk2(config):
    """Queries and an output gate come from one matrix that reads two latents; gates of low rank on norms."""
    full = latent_fields(config)
    keys = full["nope_dim"] + full["rope_dim"]
    full["extra"] = config.whole("q_lora_rank") * full["heads"] * (keys + 2 * full["v_dim"])
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    gate = 2 * config.whole("hidden_size") * config.whole("gated_norm_rank")
    return model_fields(config, full, moe, extra=gate * (config.layers() + moe["layers"]))


def _mistral_large4(config):
    """One layer of four has no rotary part, the indexer reads the hidden state, latents may be shared."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = latent_fields(config) | {"q_rank": None}
    full["extra"] = 2 * (full["heads"] + d_model + config.whole("index_n_heads"))
    plain = full | {"rope_dim": 0, "nope_dim": full["nope_dim"] + full["rope_dim"]}
    sources = config.several("kv_source_layers") or range(layers)
    owners = (source == i for i, source in enumerate(sources))
    kinds = Counter(zip(rotary_layers(config), owners, index_owners(config), strict=False))
    groups = []
    for (turns, own, indexed), number in kinds.items():
        group = full if turns else plain
        group = group if indexed else _without_index(group, 2 * full["heads"])
        groups.append(group | {"own_kv": own, "layers": number})
    moe = experts(config, sparse_layers(config), **shared(config))
    return model_fields(config, groups, moe, extra=config.whole("qk_rope_head_dim") // 2)


def _without_index(group, extra):
    """Return a group without its indexer, with other `extra`."""
    return group | {"index_heads": 0, "index_dim": 0, "extra": extra}


def _dots3_note(config):
    """Layers with a window have sizes of their own; a gate per head, and a norm on the rotary part."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = latent_fields(config)
    kinds = kinds_of_layers(config, ["full_attention" if i < 2 or i % 4 == 1 else "sliding_attention"
                                     for i in range(layers)])
    full["extra"] = d_model * full["heads"] + full["rope_dim"]
    near = full | _near(config, kinds)
    near |= {"extra": d_model * near["heads"] + near["rope_dim"], "index_heads": 0, "index_dim": 0,
             "window": config.whole("sliding_window", 512)}
    moe = experts(config, sparse_layers(config), router_bias=True,
                  **shared(config, config.whole("shared_intermediate_size")))
    return model_fields(config, two_kinds(config, near, full, kinds.count("sliding_attention")), moe)


def _near(config, kinds):
    """Return what differs in dots3's layers with a window: from the first of them, or from swa_ fields."""
    names = {"num_attention_heads": "heads", "q_lora_rank": "q_rank", "kv_lora_rank": "kv_rank",
             "qk_nope_head_dim": "nope_dim", "qk_rope_head_dim": "rope_dim", "v_head_dim": "v_dim"}
    named = config.at_first(kinds, "sliding_attention")
    if config.get("per_layer_config") is None:
        named = {"num_attention_heads": 64, "q_lora_rank": 1024, "kv_lora_rank": 1024,
                 "qk_nope_head_dim": 192, "v_head_dim": 128}
        named = {name: config.whole(f"swa_{name}", value) for name, value in named.items()}
        rest = config.whole("swa_head_dim", 256) - named["qk_nope_head_dim"]
        named["qk_rope_head_dim"] = config.whole("swa_qk_rope_head_dim", rest, low=0)
    return {ours: named[name] for name, ours in names.items() if name in named}


def _hy_v4(config):
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = latent_fields(config)
    gate = d_model * full["heads"] * full["v_dim"] + full["heads"]  # and a sink per head
    kinds = list(config.several("indexer_types"))[:layers]
    own = kinds.count("full") if kinds else sum(i == 0 or i % 4 == 1 for i in range(layers))
    groups = two_kinds(config, full | {"extra": gate}, _without_index(full, gate), own)
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, groups, moe, extra=streams(config, 2 * config.whole("hc_mult"), 2))


LATENTS = {"deepseek": _deepseek, "axk2": _axk2, "mistral_large4": _mistral_large4, "dots3_note": _dots3_note,
           "hy_v4": _hy_v4}

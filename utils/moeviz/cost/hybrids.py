"""From the fields of a config.json to groups of layers: hybrids with state layers, and other own shapes.

As in `moeviz.cost.layouts`: one function per layout of the table of families.
Sources: the modeling files of transformers; Mamba: arXiv 2312.00752; Mamba-2: arXiv 2405.21060; gated delta
rule: arXiv 2412.06464; Kimi's delta attention: arXiv 2510.26692.
"""

import itertools
import math
from collections import Counter

from moeviz.arrays import check_count
from moeviz.cost.latents import index_owners, latent_fields, streams
from moeviz.cost.layouts import (
    attention_fields,
    bias_fields,
    every,
    experts,
    kinds_of_layers,
    model_fields,
    one_shared,
    qwen_blocks,
    shared,
    shared_and_gate,
    sizes,
    sparse_layers,
    two_kinds,
    with_layers,
)


def _with_linear(config, linear, full, default):
    """Return the groups of layers with linear attention and without; default: see `kinds_of_layers`."""
    return two_kinds(config, linear, full, kinds_of_layers(config, default).count("linear_attention"))


def _qwen_hybrid(config):
    return qwen_blocks(config, _with_gated_delta(config, _gated(config)), **shared_and_gate(config))


def _with_gated_delta(config, full):
    step = config.whole("full_attention_interval", 4)
    return _with_linear(config, _gated_delta(config), full, every(step, "linear_attention"))


def _gated(config):
    """Return the fields of Qwen's softmax attention; its gate is part of the query's projection."""
    gate = config.flag("attn_output_gate", True)
    full = attention_fields(config, qk_norm="head", output_gate=gate, **bias_fields(config))
    if gate and full["qkv_bias"]:
        full["extra"] = full["heads"] * full["head_dim"]
    return full


def _gated_delta(config):
    """Return the fields of a layer of gated delta rule: queries, keys, values, gate, decay, convolution."""
    d_model, kernel = config.whole("hidden_size"), config.whole("linear_conv_kernel_dim")
    heads, head = config.whole("linear_num_value_heads"), config.whole("linear_value_head_dim")
    keys = config.whole("linear_num_key_heads") * config.whole("linear_key_head_dim")
    values = heads * head
    mixed = 2 * keys + values
    parameters = (d_model * (mixed + values + 2 * heads) + mixed * kernel + 2 * heads + head + values
                  * d_model)
    return {"kind": "other", "parameters": parameters,
            "state": values * config.whole("linear_key_head_dim") + mixed * (kernel - 1)}


def _lara_mini(config):
    order = ("linear_attention", "sliding_attention", "linear_attention", "full_attention",
             "sliding_attention")
    kinds = kinds_of_layers(config, lambda layers: [order[i % len(order)] for i in range(layers)])
    full = attention_fields(config, qk_norm="head", **bias_fields(config))
    local = full | {"kind": "sliding-window", "window": config.whole("sliding_window")}
    groups = with_layers((group, kinds.count(kind)) for group, kind in (
        (_gated_delta(config), "linear_attention"), (local, "sliding_attention"), (full, "full_attention")))
    moe = experts(config, **one_shared(config.whole("shared_intermediate_size")))
    return model_fields(config, groups, moe)


def _granitemoehybrid(config):
    mamba = sum(kind in ("mamba", "linear_attention") for kind in
                kinds_of_layers(config, lambda n: ["linear_attention"] * n))
    heads, d_model = config.whole("mamba_n_heads"), config.whole("hidden_size")
    width = config.whole("mamba_expand") * d_model
    layer = _mamba2(config, d_model, heads, width // heads, config.whole("mamba_n_groups"),
                    config.whole("mamba_d_state"), config.whole("mamba_d_conv"),
                    config.flag("mamba_conv_bias", True), config.flag("mamba_proj_bias"))
    groups = two_kinds(config, layer, attention_fields(config, **bias_fields(config)), mamba)
    wide = config.whole("shared_intermediate_size", 0, low=0)
    if config.whole("num_experts", 0, low=0) == 0:
        return model_fields(config, groups, {"layers": 0}, width="shared_intermediate_size")
    return model_fields(config, groups, experts(config, hidden="intermediate_size", **one_shared(wide)))


def _mamba2(config, d_model, heads, head, groups, state, kernel, conv_bias, bias):
    """Return the fields of a Mamba-2 layer: one projection in, a convolution, a norm, one projection out."""
    width = heads * head
    mixed = width + 2 * groups * state
    matrices = d_model * (width + mixed + heads) + width * d_model
    biases = conv_bias * mixed + bias * (width + mixed + heads + d_model)
    return {"kind": "other", "parameters": matrices + mixed * kernel + biases + 3 * heads + width,
            "state": width * state + mixed * (kernel - 1)}


def _jamba(config):
    layers = config.layers()
    step, offset = config.whole("attn_layer_period"), config.whole("attn_layer_offset", low=0)
    attending = sum(i % step == offset for i in range(layers))
    every_so, at = config.whole("expert_layer_period"), config.whole("expert_layer_offset", low=0)
    d_model, inner = config.whole("hidden_size"), config.whole("mamba_expand") * config.whole("hidden_size")
    state, kernel = config.whole("mamba_d_state"), config.whole("mamba_d_conv")
    rank = config.get("mamba_dt_rank", "auto")
    rank = -(-d_model // 16) if rank == "auto" else config.whole("mamba_dt_rank")
    matrices = 3 * d_model * inner + 2 * inner * (rank + state) + inner * (state + 2)
    convolution = inner * (kernel + config.flag("mamba_conv_bias", True))
    norms, biases = rank + 2 * state, config.flag("mamba_proj_bias") * (2 * inner + d_model)
    mamba = {"kind": "other", "parameters": matrices + convolution + norms + biases,
             "state": inner * (state + kernel - 1)}
    full = attention_fields(config, window=config.get("sliding_window"))
    moe = experts(config, sum(i % every_so == at for i in range(layers)), "intermediate_size")
    if moe["experts"] == 1:
        moe["layers"] = 0
    return model_fields(config, two_kinds(config, full, mamba, attending), moe)


def _jetmoe(config):
    """Attention is a mixture too: k of E experts hold the queries and the outputs, keys are shared."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    kv_heads, head_dim = config.whole("num_key_value_heads"), config.whole("head_dim")
    keys = {"kind": "grouped-query", "layers": layers, "kv_heads": kv_heads, "head_dim": head_dim,
            "heads": kv_heads * config.whole("num_experts_per_tok"), "own_queries": False}
    moe = experts(config, hidden="intermediate_size")
    mixed = moe | {"hidden": kv_heads * head_dim, "gated": False}
    return sizes(config) | {"attention": [keys], "moe": [mixed, moe], "norms": 2 * layers + 1,
                            "extra": 2 * layers * d_model}


def _kimi_linear(config):
    inner = config.mapping("linear_attn_config")
    kinds = config.several("layer_types")
    if kinds:
        linear = kinds.count("linear_attention")
    elif "kda_layers" in inner:
        linear = len(inner["kda_layers"])
    else:
        linear = sum(not (i and i % 4 == 0) for i in range(config.layers()))
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    return model_fields(config, two_kinds(config, _own_delta(config), latent_fields(config), linear), moe)


def _own_delta(config):
    """Return the fields of delta attention, whose sizes the file may hold in a dictionary of their own."""
    inner = config.mapping("linear_attn_config")
    numbers = [check_count(inner.get(own, config.get(usual)), own) for own, usual in (
        ("num_heads", "linear_num_heads"), ("head_dim", "linear_head_dim"),
        ("short_conv_kernel_size", "linear_conv_kernel_dim"))]
    return _delta(config, *numbers)


def _delta(config, heads, head, kernel, full_gate=False, full_decay=False):
    """Return the fields of Kimi's delta attention; the output gate and the decay are of low rank or full."""
    d_model, width = config.whole("hidden_size"), heads * head
    low_rank = d_model * head + head * width
    gate = d_model * width if full_gate else low_rank
    decay = d_model * width if full_decay else low_rank
    parameters = (4 * d_model * width + 3 * width * kernel + gate + decay + width + heads + d_model * heads
                  + head)
    return {"kind": "other", "parameters": parameters, "state": width * head + 3 * width * (kernel - 1)}


def _bailing_hybrid(config):
    delta = _delta(config, config.whole("linear_num_heads", config.whole("num_attention_heads")),
                   config.whole("linear_head_dim", config.whole("head_dim")),
                   config.whole("linear_conv_kernel_dim", config.whole("short_conv_kernel_size")),
                   full_gate=True, full_decay=True)
    gate = config.whole("hidden_size") * config.whole("num_attention_heads")
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    groups = _with_linear(config, delta, latent_fields(config, extra=gate),
                          every(config.whole("layer_group_size"), "linear_attention"))
    return model_fields(config, groups, moe)


def _kimi_k3(config):
    gate = config.whole("hidden_size") * config.whole("num_attention_heads") * config.whole("v_head_dim")
    delta = _delta(config, config.whole("linear_num_heads"), config.whole("linear_head_dim"),
                   config.whole("linear_conv_kernel_dim"), full_gate=True)
    latent = config.whole("moe_latent_size")
    moe = experts(config, sparse_layers(config), router_bias=True, latent=latent, router_extra=latent,
                  **shared(config))
    groups = two_kinds(config, latent_fields(config, extra=gate), delta,
                       config.whole("full_attention_layers"))
    return model_fields(config, groups, moe)


def _glm5_next(config):
    """Delta attention and, every fourth layer, latent attention whose indexer scores pools of positions."""
    layers, number = config.layers(), config.whole("hc_mult")
    kinds = kinds_of_layers(config, every(4, "linear_attention"))
    full = latent_fields(config)
    into = config.whole("hidden_size") + config.whole("index_kpool")
    full["extra"] = config.whole("index_head_dim") * into
    seeing = [own for kind, own in zip(kinds, index_owners(config), strict=False)
              if kind != "linear_attention"]
    without = full | {"index_heads": 0, "index_dim": 0, "extra": 0}
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    groups = with_layers([(_own_delta(config), layers - len(seeing)), (full, sum(seeing)),
                          (without, len(seeing) - sum(seeing))])
    mixing = streams(config, 2 * number + number * number, 3, head=False)
    return model_fields(config, groups, moe, extra=mixing)


def _qwen4_exp(config):
    """Residual streams that are mixed by maps of low rank, an indexer, tables of n-grams in some layers."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    full = _gated(config)
    if config.get("indexer_n_heads"):
        heads, dim = config.whole("indexer_n_heads"), config.whole("indexer_head_dim")
        full |= {"index_heads": heads, "index_dim": dim, "index_top_k": config.whole("indexer_budget")}
    wide = config.whole("hc_count") * d_model
    mixer = wide + 2 * wide * config.whole("hc_lowrank")
    extra = 2 * layers * (mixer + wide * config.whole("hc_count")) + mixer + _ngrams(config, wide, d_model)
    moe = experts(config, **shared_and_gate(config))
    return model_fields(config, _with_gated_delta(config, full), moe, extra=extra, norms=0)


def _ngrams(config, wide, d_model):
    """Return the parameters of the tables of n-grams; each head of each table has a prime number of rows."""
    layers, width = config.several("ple_layer_ids"), config.whole("ple_embed_dim", d_model)
    heads = (config.whole("ngram_size") - 1) * config.whole("heads_per_ngram")
    size, by = config.whole("ngram_vocab_size_base"), config.whole("make_ngram_vocab_size_divisible_by")
    primes, total = iter(_primes(size)), 0
    for _ in range(len(layers)):
        rows = sum(next(primes) for _ in range(heads))
        total += -(-rows // by) * by * (width // heads)
    around = width * (wide + d_model) + wide * (3 + config.whole("ple_conv_kernel_size"))
    return total + len(layers) * around


def _primes(start):
    """Yield the prime numbers from `start` on."""
    for number in itertools.count(start):
        if number > 1 and all(number % divisor for divisor in range(2, math.isqrt(number) + 1)):
            yield number


def _zaya(config):
    """Convolutions over queries and keys, half of the values late, and a router that is a small MLP."""
    config.refuse("lm_head_bias", False)
    layers, d_model, small = config.layers(), config.whole("hidden_size"), config.whole("router_hidden_size")
    full = attention_fields(config, out_bias=config.flag("attention_bias"))
    head, kv_heads = full["head_dim"], full["kv_heads"]
    mixed = (full["heads"] + kv_heads) * head
    taps, grouped = config.whole("cca_time0"), config.whole("cca_time1")
    full["extra"] = mixed * (taps + 1 + head * grouped + 1) + kv_heads
    full["state"] = mixed * (taps + grouped - 2) + kv_heads * head // 2
    if config.flag("attention_bias"):
        full["extra"] += mixed + kv_heads * head
    moe = experts(config)
    router = d_model * small + 4 * small + 2 * small * small + (moe["experts"] + 1) * (small + 1)
    moe["router_extra"] = router - d_model * moe["experts"]
    extra = 2 * d_model + (layers - 1) * small
    return model_fields(config, full, moe, norms=10 * layers + 1, extra=extra)


def _inkling(config):
    """Short convolutions over keys, values and both outputs, and logits that depend on the distance."""
    layers, d_model, rank = config.layers(), config.whole("hidden_size"), config.whole("d_rel")
    moe = experts(config, sparse_layers(config), router_bias=True, **shared(config))
    moe["router_extra"] = moe["shared_experts"] * d_model + 1
    groups = [group | {"extra": group["extra"] + rank * (d_model * group["heads"] + reach)}
              for group, reach in _distances(config)]
    rows, vocab = config.whole("unpadded_vocab_size", config.whole("vocab_size")), config.whole("vocab_size")
    left = layers - moe["layers"]  # a dense block scales its output
    return model_fields(config, groups, moe, vocab=rows, extra=(vocab - rows + 1) * d_model + left)


def _distances(config):
    """Yield Inkling's groups, with the distances that each knows; extra holds what the convolutions take."""
    d_model, kernel = config.whole("hidden_size"), config.whole("conv_kernel_size")
    kinds = kinds_of_layers(config, every(6, "hybrid_sliding", "hybrid"))
    full = attention_fields(config, qk_norm="head")
    window = config.whole("sliding_window")
    local = {"kind": "sliding-window", "window": window, "heads": config.whole("swa_num_attention_heads"),
             "kv_heads": config.whole("swa_num_key_value_heads"), "head_dim": config.whole("swa_head_dim"),
             "qk_norm": "head"}
    groups = ((local, "hybrid_sliding", window), (full, "hybrid", config.whole("rel_extent")))
    for group, kind, reach in groups:
        width = 2 * (group["kv_heads"] * group["head_dim"] + d_model)
        if kind in kinds:
            yield group | {"layers": kinds.count(kind), "extra": width * kernel,
                           "state": width * (kernel - 1)}, reach


def _inkling2(config):
    """As Inkling, with gates, sinks and queries that read earlier blocks; some layers may repeat."""
    layers, d_model, rank = config.layers(), config.whole("hidden_size"), config.whole("d_rel")
    kernel, groups = config.whole("conv_kernel_size"), []
    for group, reach in _distances(config):
        heads, kv_heads = group["heads"], group["kv_heads"]
        wide = group["kind"] == "grouped-query"  # three queries and norms, and other convolutions
        extra = rank * (d_model * heads + reach + heads) + heads * (d_model + group["head_dim"])
        extra += d_model * (2 * kernel * kv_heads * wide + (7 if wide else 3))
        groups.append(group | {"qk_norm": None, "output_gate": True, "extra": group["extra"] + extra})
    if not groups:
        raise ValueError(f"layer_types of type {config.kind!r} must name hybrid_sliding or hybrid layers")
    first = 3 if groups[0]["kind"] == "grouped-query" else 1  # the first layer has no query of its own
    repeated = (config.whole("loop_layer_index_end", 0, low=0)
                - config.whole("loop_layer_index_start", 0, low=0))
    loops = 4 * repeated * d_model * (4 * config.whole("loop_gate_rank", 0, low=0) + 1)
    rows, vocab = config.whole("unpadded_vocab_size"), config.whole("vocab_size")
    return model_fields(config, groups, experts(config, router_bias=True), vocab=rows, norms=layers + 1,
                        extra=(vocab - rows + 2 - first) * d_model + loops)


NEMOTRON = {"M": "mamba", "mamba": "mamba", "linear_attention": "mamba", "*": "attention",
            "attention": "attention", "full_attention": "attention", "E": "moe", "moe": "moe", "-": "mlp",
            "mlp": "mlp"}


def _nemotron_h(config):
    """Every layer is one thing: a mixer, experts or a feed-forward block, with one norm before it."""
    pattern = config.spelled("hybrid_override_pattern") or config.several(
        "layer_types", ["linear_attention", "moe", "full_attention", "mlp"])
    kinds = [NEMOTRON.get(str(each)) for each in pattern]
    if None in kinds:
        raise ValueError(f"config.json of type {config.kind!r}: a layer is neither of {', '.join(NEMOTRON)}")
    mamba = _mamba2(config, config.whole("hidden_size"), config.whole("mamba_num_heads"),
                    config.whole("mamba_head_dim"), config.whole("n_groups"), config.whole("ssm_state_size"),
                    config.whole("conv_kernel"), config.flag("use_conv_bias", True), config.flag("use_bias"))
    config.refuse("mlp_bias", False)
    latent = {"latent": config.whole("moe_latent_size")} if config.get("moe_latent_size") else {}
    wide = config.get("shared_intermediate_size") if config.get("num_shared_experts", 1) else 0
    moe = experts(config, kinds.count("moe"), gated=False, router_bias=True, **latent, **one_shared(wide))
    dense = {"hidden": config.whole("intermediate_size"), "gated": False}
    attention = with_layers([(mamba, kinds.count("mamba")),
                             (attention_fields(config), kinds.count("attention"))])
    return sizes(config) | {"attention": attention, "moe": with_layers([(moe, moe["layers"])]),
                            "dense": with_layers([(dense, kinds.count("mlp"))])}


def _gemma4(config):
    """A dense block stands beside the experts of every layer; far-seeing layers have wider heads."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    config.refuse("num_kv_shared_layers", 0)
    config.refuse("use_double_wide_mlp", False)
    local = attention_fields(config, qk_norm="head", **bias_fields(config))
    kinds = kinds_of_layers(config, every(6, "sliding_attention", "full_attention"))
    kinds[-1] = "full_attention"  # whatever the list says
    full = local | _far(config, kinds, local)
    local |= {"kind": "sliding-window", "window": config.whole("sliding_window")}
    number, moe = config.whole("num_experts", 0, low=0), []
    if config.flag("enable_moe_block") and number:
        moe = [experts(config, router_extra=d_model + number)]
    small = config.whole("hidden_size_per_layer_input", 0, low=0)
    tables = (config.whole("vocab_size_per_layer_input", config.get("vocab_size")) + d_model) * layers * small
    extra = tables + layers * (2 * d_model * small + d_model) + small if small else 0
    return sizes(config) | {
        "attention": two_kinds(config, local, full, kinds.count("sliding_attention")), "moe": moe,
        "dense": [{"layers": layers, "hidden": config.whole("intermediate_size")}],
        "norms": (7 if moe else 4) * layers + 1, "extra": extra}


def _far(config, kinds, local):
    """Return what differs in Gemma's layers that see everything; a saved file says it layer by layer."""
    same = config.flag("attention_k_eq_v")
    if config.get("per_layer_config") is not None:
        named = config.at_first(kinds, "full_attention")
        return {"head_dim": named.get("head_dim", local["head_dim"]), "key_as_value": same,
                "kv_heads": named.get("num_key_value_heads", local["kv_heads"])}
    own = config.whole("num_global_key_value_heads", local["kv_heads"]) if same else local["kv_heads"]
    return {"head_dim": config.whole("global_head_dim"), "key_as_value": same, "kv_heads": own}


def _lfm2_moe(config):
    d_model, kernel = config.whole("hidden_size"), config.whole("conv_L_cache")
    kinds = kinds_of_layers(config, lambda n: ["conv"] * n)
    bias = config.flag("conv_bias")
    conv = {"kind": "other", "parameters": 4 * d_model * d_model + d_model * kernel + bias * 5 * d_model,
            "state": d_model * (kernel - 1)}
    full = attention_fields(config, qk_norm="head")
    moe = experts(config, sparse_layers(config), router_bias=config.flag("use_expert_bias", True))
    return model_fields(config, two_kinds(config, full, conv, kinds.count("full_attention")), moe,
                        tied=config.flag("tie_embedding", config.flag("tie_word_embeddings")))


def _longcat_flash(config):
    """Two attentions and two dense blocks per layer, and one mixture beside them; some experts do nothing."""
    layers, d_model = config.layers(), config.whole("hidden_size")
    zero = config.whole("zero_expert_num", 0, low=0)
    moe = experts(config, router_bias=True, router_extra=zero * (d_model + 1))
    return sizes(config) | {
        "attention": [latent_fields(config) | {"layers": 2 * layers}], "moe": [moe], "norms": 4 * layers + 1,
        "dense": [{"layers": 2 * layers, "hidden": config.whole("intermediate_size")}]}


def _deepseek_v4(config):
    layers, number = config.layers(), config.whole("hc_mult")
    kinds = config.several("mlp_layer_types")
    hashed = (kinds[:layers].count("hash_moe") if kinds
              else min(layers, config.whole("num_hash_layers", 3, low=0)))
    moe = experts(config, router_bias=True, **shared(config))
    ratios = Counter(_ratios(config, layers))
    return sizes(config) | {
        "attention": with_layers((_compressed(config, ratio), count) for ratio, count in ratios.items()),
        "moe": two_kinds(config, moe, moe | {"router_bias": False}, layers - hashed),
        "norms": 2 * layers + 1, "extra": streams(config, 2 * number + number * number, 3)}


def _ratios(config, layers):
    """Return how many tokens stand behind one compressed entry, layer by layer; 0 where nothing is."""
    given, kinds = config.several("compress_ratios"), config.several("layer_types")
    rates = {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128}
    rates |= config.mapping("compress_rates")
    if given and not kinds:
        return [check_count(ratio, "compress_ratios", low=0) for ratio in given[:layers]]
    kinds = kinds or ["heavily_compressed_attention"] * 2 + [
        ("heavily_compressed_attention", "compressed_sparse_attention")[i % 2] for i in range(layers)]
    return [check_count(rates.get(str(kind), 0), "compress_rates", low=0) for kind in kinds[:layers]]


def _compressed(config, ratio):
    """Return the fields of one layer of DeepSeek V4's attention; short ratios have an indexer."""
    d_model, head = config.whole("hidden_size"), config.whole("head_dim")
    heads = config.whole("num_attention_heads")
    rank, out, groups = config.whole("q_lora_rank"), config.whole("o_lora_rank"), config.whole("o_groups")
    parameters = (heads + d_model * rank + rank + rank * heads * head + d_model * head + head
                  + heads * head * out + groups * out * d_model)
    fields = {"kind": "compressed", "heads": heads, "head_dim": head,
              "window": config.whole("sliding_window"), "ratio": ratio}
    if not ratio:
        return fields | {"parameters": parameters}
    indexed = ratio < 128
    wide = 2 * head if indexed else head
    parameters += ratio * wide + 2 * d_model * wide + head
    if not indexed:
        return fields | {"parameters": parameters}
    index, index_heads = config.whole("index_head_dim"), config.whole("index_n_heads")
    parameters += (ratio * 2 * index + 2 * d_model * 2 * index + index + rank * index_heads * index
                   + d_model * index_heads)
    return fields | {"parameters": parameters, "index_dim": index, "index_heads": index_heads,
                     "index_top_k": config.whole("index_topk")}


def _switch_transformers(config):
    encoder, decoder = config.layers(), config.whole("num_decoder_layers", config.layers())
    heads = config.whole("num_attention_heads")
    sparse = _sparse_of_side(config, "encoder", encoder) + _sparse_of_side(config, "decoder", decoder)
    dense = {"hidden": config.whole("d_ff"), "gated": False}
    moe = dense | {"experts": config.whole("num_experts"), "top_k": 1,
                   "router_bias": config.flag("router_bias")}
    config.get("num_experts_per_tok")
    return sizes(config) | {
        "kind": "encoder-decoder", "encoder_layers": encoder, "decoder_layers": decoder,
        "attention": {"kind": "multi-head", "heads": heads, "head_dim": config.whole("head_dim")},
        "extra": 2 * heads * config.whole("relative_attention_num_buckets"),
        "moe": with_layers([(moe, sparse)]), "dense": with_layers([(dense, encoder + decoder - sparse)])}


def _sparse_of_side(config, side, layers):
    """Return how many layers of one side of Switch hold experts: the second, and every so-manieth from there.

    The class takes the step from the number of sparse layers where the file does not say it.
    """
    number = config.whole(f"num_sparse_{side}_layers", low=0)
    step = config.whole(f"{side}_sparse_step", layers // number if number else layers, low=0)
    return sum(step > 0 and (step == 1 or i % step == 1) for i in range(layers))


def _nllb_moe(config):
    heads, moe, dense, sides = config.whole("encoder_attention_heads"), [], [], {}
    for side in ("encoder", "decoder"):
        layers = sides[f"{side}_layers"] = config.whole(f"{side}_layers")
        sparse = layers // config.whole(f"{side}_sparse_step")
        block = {"hidden": config.whole(f"{side}_ffn_dim"), "gated": False, "bias": True}
        dense.append((block, layers - sparse))
        moe.append((block | {"experts": config.whole("num_experts"), "top_k": 2,
                             "router_bias": config.flag("router_bias")}, sparse))
    return sizes(config) | {
        "kind": "encoder-decoder", **sides, "norm_vectors": 2, "moe": with_layers(moe),
        "dense": with_layers(dense),
        "attention": {"kind": "multi-head", "heads": heads, "head_dim": config.whole("hidden_size") // heads,
                      "qkv_bias": True, "out_bias": True}}


HYBRIDS = {
    "qwen_hybrid": _qwen_hybrid, "lara_mini": _lara_mini, "granitemoehybrid": _granitemoehybrid,
    "jamba": _jamba, "jetmoe": _jetmoe, "kimi_linear": _kimi_linear, "bailing_hybrid": _bailing_hybrid,
    "kimi_k3": _kimi_k3, "nemotron_h": _nemotron_h, "gemma4": _gemma4, "lfm2_moe": _lfm2_moe,
    "longcat_flash": _longcat_flash, "deepseek_v4": _deepseek_v4,
    "switch_transformers": _switch_transformers, "nllb_moe": _nllb_moe, "glm5_next": _glm5_next,
    "qwen4_exp": _qwen4_exp, "zaya": _zaya, "inkling": _inkling, "inkling2": _inkling2,
}

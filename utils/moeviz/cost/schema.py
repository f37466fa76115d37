"""The dictionary that describes a model, for `ModelSpec.from_dict`. All sizes are whole numbers.

Top level
    name                text, default "model"
    kind                "decoder" (default) or "encoder-decoder"
    layers              layers of a decoder; encoder_layers and decoder_layers for an encoder-decoder.
                        Left out, every group below says its own `layers`
    d_model, vocab      model width; rows of the token table
    tied                default False: True where embedding and head are one table
    attention           one group or a list of groups, see below
    dense               the dense feed-forward layers: hidden, gated (True), bias (False), layers
    moe                 the MoE layers, see below
    norms_per_sublayer  default 1; norm_vectors: default 1; norms, extra: left out, 0 (see `ModelSpec`)

Each attention group has a `kind` and, unless it is the only one, its number of `layers`:
    "multi-head"        heads, head_dim
    "grouped-query"     heads, kv_heads, head_dim
    "multi-query"       heads, head_dim
    "sliding-window"    heads, head_dim, window, and kv_heads if it is not multi-head
    "chunked"           heads, head_dim, chunk, and kv_heads if it is not multi-head
    "latent"            heads, kv_rank, nope_dim, rope_dim, v_dim, and q_rank if queries are compressed
    "compressed"        parameters of one layer, heads, head_dim, window, ratio (see `CompressedAttention`)
    "other"             parameters of one layer and its constant state: state-space, linear attention
The first five also take the options of `Attention` (window, qk_norm, qkv_bias, ...). One group of an
encoder-decoder stands for all three of its stacks; in a list each group names its `stack`.

moe: experts, top_k, hidden, and the options of `MoEFFN` (shared_experts, router_bias, ...). Where the
MoE layers are: `first_dense` (the first so many are dense, default 0), then every `every`-th (default 1);
or their number as `layers`. The remaining layers are `dense`. Both `moe` and `dense` may be lists of groups,
each with its `layers`.
"""

from dataclasses import MISSING, fields

from moeviz.arrays import check_choice, check_count
from moeviz.cost.layers import Attention, CompressedAttention, DenseFFN, LatentAttention, MoEFFN, StateLayer

KINDS = ("decoder", "encoder-decoder")
PLAIN = ("name", "kind", "d_model", "vocab", "tied", "norms_per_sublayer", "norm_vectors", "norms",
         "extra")
LAYERS = ("layers", "encoder_layers", "decoder_layers")
ATTENTION_KINDS = ("multi-head", "grouped-query", "multi-query", "sliding-window", "chunked", "latent",
                   "compressed", "other")
SPECIAL = {"latent": LatentAttention, "compressed": CompressedAttention, "other": StateLayer}


def read_fields(source):
    """Return the arguments of `ModelSpec` that the dictionary `source` describes.

    Raises ValueError naming the group and the field, with what is allowed.

    >>> read_fields({"d_model": 8, "vocab": 0, "layers": 1, "dense": {"hidden": 32},
    ...     "attention": {"kind": "multi-head", "heads": 2, "head_dim": 4}})["ffn"]
    (DenseFFN(layers=1, hidden=32, gated=True, bias=False),)
    """
    source = {"name": "model", "kind": "decoder"} | check_mapping(source, "model")
    check_names(source, "model", (*PLAIN, *LAYERS, "attention", "dense", "moe"),
                needed=("d_model", "vocab", "attention"))
    check_choice(source["kind"], "kind", KINDS)
    layers = _stack_sizes(source)
    plain = {name: source[name] for name in PLAIN if name in source}
    total = sum(layers.values()) if layers else None
    return plain | {"attention": _read_attention(source, layers), "ffn": _read_ffn(source, total)}


def check_mapping(value, where):
    """Return `value` if it is a dictionary, or raise a ValueError.

    >>> check_mapping({}, "moe")
    {}
    """
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a dictionary, got {value!r}")
    return value


def check_names(source, where, allowed, needed=()):
    """Raise a ValueError where `source` has a name that is not allowed, or lacks a needed one.

    >>> check_names({"hiden": 4}, "dense", ("hidden",))
    Traceback (most recent call last):
    ValueError: dense: unknown field 'hiden'; allowed: hidden
    """
    listed = ", ".join(sorted(allowed))
    for name in source:
        if name not in allowed:
            raise ValueError(f"{where}: unknown field {name!r}; allowed: {listed}")
    for name in needed:
        if name not in source:
            raise ValueError(f"{where}: missing field {name!r}; allowed: {listed}")


def _stack_sizes(source):
    """Return the layers of each stack, or nothing where every group says its own."""
    names = LAYERS[:1] if source["kind"] == "decoder" else LAYERS[1:]
    wrong = [name for name in LAYERS if name in source and name not in names]
    if wrong:
        allowed = ", ".join(names)
        raise ValueError(f"model: kind {source['kind']!r} has no field {wrong[0]!r}; allowed: {allowed}")
    given = {name: check_count(source[name], name) for name in names if name in source}
    if given and len(given) < len(names):
        raise ValueError(f"model: encoder_layers and decoder_layers go together, got only {', '.join(given)}")
    return {name.removesuffix("_layers").replace("layers", "decoder"): size for name, size in given.items()}


def _read_attention(source, layers):
    groups = source["attention"]
    if isinstance(groups, dict):
        groups = [group | groups for group in _only_group(layers)]  # what the user wrote wins
    if not isinstance(groups, (list, tuple)):
        raise ValueError(f"attention must be a dictionary or a list of them, got {groups!r}")
    built = tuple(_attention_group(group, f"attention[{i}]") for i, group in enumerate(groups))
    for stack, size in layers.items():
        found = sum(group.layers for group in built if group.stack == stack)
        if found != size:
            raise ValueError(f"attention: the {stack} has {size} layers, the groups have {found}")
    return built


def _only_group(layers):
    if not layers:
        return [{}]
    groups = [{"layers": size, "stack": stack} for stack, size in layers.items()]
    if "encoder" in layers:
        return [*groups, {"layers": layers["decoder"], "stack": "cross"}]
    return [{"layers": layers["decoder"]}]


def _attention_group(group, where):
    group = dict(check_mapping(group, where))
    if "kind" not in group:
        raise ValueError(f"{where}: missing field 'kind'; allowed: {', '.join(ATTENTION_KINDS)}")
    kind = check_choice(group.pop("kind"), f"{where}: kind", ATTENTION_KINDS)
    if kind in SPECIAL:
        return build(SPECIAL[kind], group, where, also=("kind",))
    if kind in ("multi-head", "multi-query"):
        if "kv_heads" in group:
            raise ValueError(f"{where}: {kind} has no field 'kv_heads'; use grouped-query")
        group |= {"kv_heads": 1} if kind == "multi-query" else {}
    needed = {"grouped-query": ("kv_heads",), "sliding-window": ("window",),
              "chunked": ("chunk",)}.get(kind, ())
    return build(Attention, group, where, needed, also=("kind",))


def _read_ffn(source, layers):
    if "moe" not in source and "dense" not in source:
        raise ValueError("model: missing field 'dense' or 'moe'")
    moe = _read_groups(source, "moe", MoEFFN) or _read_moe(source, layers)
    left = None if layers is None else layers - sum(group.layers for group in moe)
    dense = _read_groups(source, "dense", DenseFFN) or _read_dense(source, left)
    found = sum(group.layers for group in (*dense, *moe))
    if layers is not None and found != layers:
        raise ValueError(f"dense and moe: the model has {layers} layers, these groups have {found}")
    return (*dense, *moe)


def _read_groups(source, name, record):
    """Return the groups of a list, each with its own layers; none where it is no list."""
    groups = source.get(name)
    if not isinstance(groups, (list, tuple)):
        return []
    return [build(record, check_mapping(group, name), f"{name}[{i}]") for i, group in enumerate(groups)]


def _read_dense(source, left):
    if source.get("dense", []) == []:
        return []
    group = check_mapping(source["dense"], "dense")
    if left == 0:
        raise ValueError("dense: no layer is left for it, all are MoE layers")
    return [build(DenseFFN, group if left is None else {"layers": left} | group, "dense")]


def _read_moe(source, layers):
    if source.get("moe", []) == []:
        return []
    group = dict(check_mapping(source["moe"], "moe"))
    placing = {name: group.pop(name) for name in ("every", "first_dense") if name in group}
    if placing and (layers is None or "layers" in group):
        raise ValueError(f"moe: {', '.join(placing)} needs the model's layers, and none of its own")
    if layers is not None:
        group.setdefault("layers", _moe_layers(layers, **placing))
    return [build(MoEFFN, group, "moe", also=("every", "first_dense"))]


def _moe_layers(layers, every=1, first_dense=0):
    check_count(every, "moe: every", high=layers)
    return (layers - check_count(first_dense, "moe: first_dense", low=0, high=layers - 1)) // every


def build(record, values, where, needed=(), also=()):
    """Return `record(**values)`, with every complaint led by the group it is about.

    needed: fields that must be there although the record has a default; also: names that the group
    allows and that were read before.

    >>> build(DenseFFN, {"layers": 2}, "dense")
    Traceback (most recent call last):
    ValueError: dense: missing field 'hidden'; allowed: bias, gated, hidden, layers
    """
    required = [field.name for field in fields(record) if field.default is MISSING]
    check_names(values, where, [*(field.name for field in fields(record)), *also], (*required, *needed))
    try:
        return record(**values)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None

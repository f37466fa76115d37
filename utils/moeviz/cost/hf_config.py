"""Reading a Hugging Face config.json: fields that must be there, and the parts that families share."""

from moeviz.arrays import check_count
from moeviz.checks import check_several

REQUIRED = object()
MOST_LAYERS = 10_000


class Config:
    """Read fields of a config.json, with an error that names the family and what is wrong."""

    def __init__(self, fields, kind):
        self.fields, self.kind = fields, kind

    def get(self, name, default=None):
        """Return the field, or `default` where it is missing or null."""
        return default if self.fields.get(name) is None else self.fields[name]

    def need(self, name):
        """Return the field, or raise a ValueError where it is missing or null."""
        if self.fields.get(name) is None:
            raise ValueError(f"config.json of type {self.kind!r} lacks the field {name!r}")
        return self.fields[name]

    def whole(self, name, default=REQUIRED, low=1):
        """Return the field as a whole number of at least `low`, or raise a ValueError.

        It must be there without a default.
        """
        value = self.need(name) if default is REQUIRED else self.get(name, default)
        return check_count(value, f"{name} of type {self.kind!r}", low)

    def layers(self):
        """Return the number of layers, small enough to loop over, or raise a ValueError."""
        return check_count(self.need("num_hidden_layers"), f"num_hidden_layers of type {self.kind!r}",
                           high=MOST_LAYERS)

    def several(self, name, default=()):
        """Return the items of a field that is a list, or raise a ValueError; `default` as in `whole`."""
        value = self.need(name) if default is REQUIRED else self.get(name, default)
        return check_several(value, f"{name} of type {self.kind!r}")

    def refuse(self, name, *harmless):
        """Raise a ValueError where the field is set to anything but null or a harmless value."""
        if self.get(name) not in (None, *harmless):
            seen = f"{name} = {self.get(name)!r}"
            raise ValueError(f"config.json of type {self.kind!r}: {seen} is not known here")


def model_fields(config, attention, **parts):
    """Return the fields of a model: sizes from the usual names, with `attention` and further `parts`."""
    return {"name": config.get("_name_or_path") or config.kind, "layers": config.layers(),
            "d_model": config.whole("hidden_size"), "vocab": config.whole("vocab_size"),
            "tied": config.get("tie_word_embeddings", False), "attention": attention, **parts}


def attention_fields(config, **options):
    """Return the fields of a softmax attention group, from the usual names, with further `options`."""
    heads = config.whole("num_attention_heads")
    head_dim = config.whole("head_dim", config.whole("hidden_size") // heads)
    kv_heads = config.whole("num_key_value_heads", heads)
    return {"kind": "grouped-query", "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, **options}


def bias_fields(config, default=False):
    """Return the biases of all four projections, where `attention_bias` switches them together."""
    bias = config.get("attention_bias", default)
    return {"qkv_bias": bias, "out_bias": bias}


def two_kinds(first, second, first_layers, layers):
    """Return the groups that are not empty, with their numbers of layers."""
    counts = ((first, first_layers), (second, layers - first_layers))
    return [group | {"layers": count} for group, count in counts if count]


def with_dense(config, moe, width_name):
    """Return the fields moe, and dense where some layers are left for it."""
    if moe["layers"] == config.layers():
        return {"moe": moe}
    return {"moe": moe, "dense": {"hidden": config.whole(width_name)}}


def local_experts(config, **options):
    """Return the fields of experts as Mixtral and its relatives name them, with further `options`."""
    return {"experts": config.whole("num_local_experts"), "top_k": config.whole("num_experts_per_tok"),
            "hidden": config.whole("intermediate_size"), **options}

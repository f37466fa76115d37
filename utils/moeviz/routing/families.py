"""Families of published models: reading their config.json, and the router of any of them.

The table is moeviz/data/families.json: names of fields that mean the same, the values that a configuration
class fills in, and how each family's router chooses. `router` of a family holds
    scores         "softmax", "sigmoid" or "sqrtsoftplus" of the logits; "sparsemixer", "nllb": own rules;
                   the name of a field that says which
    bias           "choice": a number per expert added to the scores, "logits": to the logits, for the choice
                   only
    group_score    what ranks groups of experts: their "best" score, or the sum of the "two best"
    closed         the score that experts of closed groups keep (left out: minus infinity)
    renormalize    whether the k weights are divided by their sum; by their p-norm where `power` is given
    floor, epsilon the least that sum may be, or what is added to it
    scale          what the weights are multiplied with
    expert_scale   weights are multiplied with one number per expert, given at the call
    softcap        logits become cap x tanh(logits / cap)
    jitter         width of the band of sparsemixer
    table          the first layers take their experts from a table of token ids, given at the call
A text in the place of a number or of true and false is the name of the field that says so.
"""

import difflib
from functools import cache

from moeviz.arrays import check_count, check_number
from moeviz.checks import check_flag, check_kind, check_several
from moeviz.files import stored_json
from moeviz.routing.published import Router, Seats

REQUIRED = object()
MOST_LAYERS = 10_000
NEAR = 0.75  # of the letters of two names of families, of which the one is read as the other
NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
SCORES = ("softmax", "sigmoid", "sqrtsoftplus")


def router_of(config, *, layer=None):
    """Return the `Router` of a config.json read as a dictionary, or of a family's name.

    layer: the number of the layer, for families whose first layers choose otherwise (DeepSeek V4); left
    out it is one of the usual layers. Called with logits (T, E) it gives what transformers computes; a name
    leaves E to the logits, and k to the call where the family has no usual one.
    Raises ValueError for an unknown family, naming the nearest one if it is near, or where no router is known
    of it.
    Source: the modeling files of transformers 5.24.0, family by family.

    >>> router_of("mixtral")([[0.0, 2.0, 2.0]], k=2).combine_weight.tolist()
    [[0.5, 0.5]]
    >>> router_of({"model_type": "llama4_text", "num_local_experts": 3})([[0.0, 50.0, 60.0]]).expert_index
    array([[2]])
    """
    config = read_config({"model_type": config} if isinstance(config, str) else config)
    k = config.get("num_experts_per_tok")
    rules = config.family.get("router")
    if rules is None:
        raise ValueError(f"the router of {config.kind!r} is not known here")
    if rules["scores"] in ("sparsemixer", "nllb"):
        rules = rules | {"renormalize": False}
    hashed = bool(rules.get("table")) and layer is not None and layer < _hash_layers(config)
    return Router(
        family=config.kind, k=None if k is None else config.whole("num_experts_per_tok"),
        num_experts=_num_experts(config),
        scores=_scores(config, rules),
        bias=rules.get("bias"), renormalize=_renormalize(config, rules),
        power=_number(config, rules, "power", 1.0), floor=_number(config, rules, "floor", 0.0),
        epsilon=_number(config, rules, "epsilon", 0.0), scale=_number(config, rules, "scale", 1.0),
        softcap=_number(config, rules, "softcap", 0.0), jitter=_number(config, rules, "jitter", 0.0),
        closed=rules.get("closed"), expert_scale=bool(rules.get("expert_scale")), hashed=hashed,
        seats=_seats(config, rules), **_groups(config, rules))


def _num_experts(config):
    """Return how many experts the file names, those that do nothing (LongCat) included; None without."""
    if not config.has("num_experts"):
        return None
    return config.whole("num_experts") + config.whole("zero_expert_num", 0, low=0)


def _hash_layers(config):
    if config.get("mlp_layer_types") is None:
        return config.whole("num_hash_layers", 3, low=0)
    return config.several("mlp_layer_types").count("hash_moe")


def _scores(config, rules):
    named = rules["scores"]
    if named == "scoring_func":
        named = config.get("scoring_func", "softmax")
    if named not in (*SCORES, "sparsemixer", "nllb"):
        raise ValueError(f"scoring_func of type {config.kind!r} must be one of {', '.join(SCORES)}, "
                         f"got {named!r}")
    return named


def _renormalize(config, rules):
    if rules.get("power"):
        return config.get(rules["power"]) is not None
    if rules.get("renormalize_softmax") and _scores(config, rules) == "softmax":
        return True
    rule = rules["renormalize"]
    return config.flag(rule) if isinstance(rule, str) else rule


def _number(config, rules, name, default):
    rule = rules.get(name, default)
    if isinstance(rule, str):
        return check_number(config.get(rule, default), f"{config.own(rule)} of type {config.kind!r}")
    return float(rule)


def _groups(config, rules):
    if "group_score" not in rules or (rules.get("groups_when", config.get("topk_method"))
                                      != config.get("topk_method")):
        return {}
    groups = config.whole("n_group", 1)
    return {"groups": groups, "top_groups": config.whole("topk_group", groups),
            "group_score": rules["group_score"]}


def _seats(config, rules):
    """Return the `Seats` of NLLB; None for everybody else."""
    if rules["scores"] != "nllb":
        return None
    config.refuse("second_expert_policy", "all")
    return Seats(config.get("expert_capacity"), config.get("moe_eval_capacity_token_fraction", 1.0),
                 config.get("normalize_router_prob_before_dropping", False),
                 config.get("batch_prioritized_routing", False))


@cache
def families():
    """Return the table of families, {name: entry}; the module says what an entry holds.

    >>> "Qwen3MoeForCausalLM" in families()["qwen3_moe"]["architectures"]
    True
    """
    return _table()["families"]


def read_config(config):
    """Return a `Config` of a config.json that was read as a dictionary.

    A nested text_config is looked into, other spellings of a field count as the same, and what the file
    leaves out has the family's default. Raises ValueError for what is no dictionary and for an unknown
    family, naming the nearest one if it is near.

    >>> read_config({"model_type": "qwen3_moe", "num_experts": 16}).whole("num_experts")
    16
    """
    if not isinstance(config, dict):
        raise ValueError(f"config must be a dictionary, got {config!r}")
    text, wrapped = _text_part(config)
    name = find_family(text) or (find_family(config) if wrapped else None)
    if name is None:
        raise _unknown(text if "model_type" in text else config)
    family = families()[name]
    text = _firsts(_opened(text, family.get("inner", ())), family.get("first_of", ()))
    outer = {field: config[field] for field in ("tie_word_embeddings",) if wrapped and field in config}
    filled = family["defaults"] | (family.get("wrapper", {}) if wrapped else {})
    kind = text.get("model_type") or config.get("model_type") or name
    return Config(kind, name, family, filled, text | outer)


def usual_name(name):
    """Return the name under which a field is read here, whatever a family calls it.

    >>> usual_name("n_routed_experts")
    'num_experts'
    """
    return _usual_names().get(name, name)


def find_family(config):
    """Return the name of the family that a config.json belongs to, or None.

    model_type decides, and `architectures` where it is absent or unknown.

    >>> find_family({"architectures": ["Grok1ModelForCausalLM"]})
    'grok_1'
    """
    kind, classes = config.get("model_type"), config.get("architectures")
    for name, family in families().items():
        if kind in family["types"] or kind == name:
            return name
    for name, family in families().items():
        if isinstance(classes, list) and any(each in family["architectures"] for each in classes):
            return name
    return None


class Config:
    """Read fields of a config.json, with an error that names the family and what is wrong."""

    def __init__(self, kind, name, family, defaults, given):
        self.kind, self.name, self.family, self.given = kind, name, family, given
        self.spelling = family.get("spelling", {})
        self.seen = set()
        self.fields = defaults | self._gathered(given)

    def get(self, name, default=None):
        """Return the field, or `default` where it is missing or null."""
        self.seen.add(name)
        return default if self.fields.get(name) is None else self.fields[name]

    def has(self, name):
        """Return whether the file itself, not the family's defaults, gives the field a value."""
        self.seen.add(name)
        return any(self.given.get(each) is not None for each in _spellings(name))

    def need(self, name):
        """Return the field, or raise a ValueError where it is missing or null."""
        if self.get(name) is None:
            raise ValueError(f"config.json of type {self.kind!r} lacks the field {self.own(name)!r}")
        return self.fields[name]

    def own(self, name):
        """Return the family's own spelling of a field."""
        return self.spelling.get(name, name)

    def whole(self, name, default=REQUIRED, low=1):
        """Return the field as a whole number of at least `low`, or raise a ValueError.

        It must be there without a default. A list that holds one value for each layer counts as that value
        where all are equal.
        """
        value = self.need(name) if default is REQUIRED else self.get(name, default)
        if isinstance(value, list) and value and all(each == value[0] for each in value):
            value = value[0]
        return check_count(value, f"{self.own(name)} of type {self.kind!r}", low)

    def flag(self, name, default=False):
        """Return the field, or `default`, or raise a ValueError where it is neither True nor False."""
        return check_flag(self.get(name, default), f"{self.own(name)} of type {self.kind!r}")

    def layers(self):
        """Return the number of layers, small enough to loop over, or raise a ValueError."""
        return check_count(self.need("num_hidden_layers"),
                           f"{self.own('num_hidden_layers')} of type {self.kind!r}", high=MOST_LAYERS)

    def for_each_layer(self, values, name):
        """Return the first `layers()` of a list, or raise a ValueError where it names fewer.

        A list may name more: the layers of a head for further tokens.
        """
        if len(values) < self.layers():
            raise ValueError(f"{self.own(name)} of type {self.kind!r} must name all {self.layers()} layers, "
                             f"got {len(values)}")
        return values[:self.layers()]

    def several(self, name, default=()):
        """Return the items of a field that is a list, or raise a ValueError; `default` as in `whole`."""
        value = self.need(name) if default is REQUIRED else self.get(name, default)
        return check_several(value, f"{self.own(name)} of type {self.kind!r}")

    def spelled(self, name):
        """Return the items of a list, or the letters of a text; empty where the field is missing."""
        value = self.get(name) or ()
        return tuple(value) if isinstance(value, str) else self.several(name)

    def mapping(self, name):
        """Return a field that is a dictionary, empty where it is missing, or raise a ValueError."""
        return check_kind(self.get(name) or {}, f"{self.own(name)} of type {self.kind!r}", dict)

    def at_first(self, kinds, kind):
        """Return what `per_layer_config` changes in the first layer of a kind; nothing where it does not.

        Saved files of families whose layers differ in size name the differences layer by layer.
        """
        numbered = {int(place): values for place, values in self.mapping("per_layer_config").items()}
        return numbered.get(kinds.index(kind), {}) if kind in kinds else {}

    def refuse(self, name, *harmless):
        """Raise a ValueError where the field is set to anything but null or a harmless value."""
        if self.get(name) not in (None, *harmless):
            seen = f"{name} = {self.get(name)!r}"
            raise ValueError(f"config.json of type {self.kind!r}: {seen} is not known here")

    def inner(self, name):
        """Return a nested dictionary as a `Config` of the same family, or raise a ValueError."""
        value = self.need(name)
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be a dictionary, got {value!r}")
        return Config(self.kind, self.name, self.family, {}, value)

    def unread(self):
        """Return the names of the file's fields that nobody asked for and that hold something."""
        read = {each for name in self.seen for each in _spellings(name)}
        return [name for name, value in self.given.items() if name not in read and _says_something(value)]

    def _gathered(self, given):
        """Return the file's fields under one spelling each; the family's own spelling wins."""
        aliases, plain = self.family.get("aliases", {}), {}
        for name, value in given.items():
            usual = _usual_names().get(name) or aliases.get(name) or name
            if usual not in plain or name == self.own(usual):
                plain[usual] = value
        return plain


def _says_something(value):
    """Whether a value is not null, zero, false or empty, nor a list of such."""
    return any(map(_says_something, value)) if isinstance(value, list) else bool(value)


@cache
def _table():
    return stored_json("families.json")


@cache
def _usual_names():
    return {other: name for name, others in _table()["names"].items() for other in others}


def _spellings(name):
    return (name, *_table()["names"].get(name, ()))


def _text_part(config):
    """Return (the part that describes the decoder, whether it was nested)."""
    for name in NESTED:
        inner = config.get(name)
        if isinstance(inner, dict):
            return _text_part(inner)[0], True
    return config, False


def _opened(config, names):
    """Return a config with the fields of its inner dictionaries beside its own, which win.

    The width is the model's own alone: a part of it may have another default.
    """
    for name in names:
        if isinstance(config.get(name), dict):
            config = {key: value for key, value in config[name].items() if key != "hidden_size"} | config
    return config


def _firsts(config, names):
    """Return a config with the first of each pair of values: of text, where pictures have experts too."""
    return config | {name: config[name][0] for name in config
                     if (name in names or usual_name(name) in names) and isinstance(config[name], list)
                     and config[name]}


def _unknown(config):
    """Return the ValueError of a family that nobody knows: a name like it, or how to go on without one."""
    kind = config.get("model_type")
    known = {_distinctive(name): name for family in families().values() for name in family["types"]}
    near = difflib.get_close_matches(_distinctive(str(kind)), known, n=1, cutoff=NEAR)
    advice = (f"the nearest is {known[near[0]]!r}: set model_type to it to read the file so" if near else
              "no name is near: set model_type to one of families() whose layers and router are alike, or "
              "give the sizes to ModelSpec.from_dict")
    return ValueError("model_type must be a family that moeviz.routing.families knows, "
                      f"got {kind!r}; {advice}")


def _distinctive(name):
    """Return a family's name without what every second one ends in: "my_moe" is not like "lfm2_moe".

    >>> _distinctive("qwen3_moe")
    'qwen3'
    """
    return name.replace("_moe", "").replace("moe", "")

"""Bytes that a model needs. 1 GB is 10^9 bytes, 1 GiB is 2^30: the functions return plain bytes."""

from moeviz.arrays import check_count, check_number
from moeviz.cost.parameters import count_parameters
from moeviz.cost.spec import check_spec
from moeviz.cost.tally import Tally

MOST_BYTES = 1024  # of one number


def kv_cache_bytes(spec, context, bytes_per_value=2, *, sequences=1):
    """Return the bytes of keys, values and states kept for sequences of `context` tokens each.

    bytes_per_value: 2 (bfloat16), 1 (8 bits). Window layers stop growing at their window, state
    layers do not grow at all. An encoder-decoder keeps `context` target tokens and, for its cross
    attention, `context` source tokens.
    Raises ValueError for what is no ModelSpec, a context or sequences below 1, or bytes_per_value of 0 or
    less, or above 1024.
    Source: DeepSeek-V2, arXiv 2405.04434, table 1.

    >>> from moeviz.models import model
    >>> kv_cache_bytes(model("DeepSeek-V3").spec, 1)
    70272
    """
    context, sequences = check_count(context, "context"), check_count(sequences, "sequences")
    values = sum(group.layers * group.cache_values(context) for group in check_spec(spec).attention)
    return _whole(values * sequences * _check_bytes(bytes_per_value, "bytes_per_value"))


def training_bytes(spec, *, weight_bytes=2, gradient_bytes=2, master_bytes=4, adam_bytes=8):
    """Return a Tally of the bytes that training keeps for every parameter, activations left out.

    The defaults are mixed precision with Adam: weights and gradients in bfloat16, a master copy of
    the weights and two averages in float32, 16 bytes together. master_bytes=0 for training without a
    copy. Experts that a token does not choose need all of it too.
    Raises ValueError for what is no ModelSpec, or bytes below 0 or above 1024.
    Source: ZeRO, arXiv 1910.02054, section 3.1.

    >>> from moeviz.models import model
    >>> training_bytes(model("OLMoE-1B-7B").spec).total // 6_919_161_856
    16
    """
    count = count_parameters(spec).total
    sizes = {"weights": weight_bytes, "gradients": gradient_bytes, "master weights": master_bytes,
             "Adam averages": adam_bytes}
    return Tally({part: _whole(count * check_number(size, f"bytes for {part}", low=0.0, high=MOST_BYTES))
                  for part, size in sizes.items()}, "bytes")


def serving_bytes(spec, context, *, sequences=1, weight_bytes=2, cache_bytes=2):
    """Return a Tally of the bytes for serving: all the weights, and the cache of all the sequences.

    context: tokens of each sequence, prompt and answer together. weight_bytes: 2 (bfloat16), 1
    (8 bits), 0.5 (4 bits, without its scales). Activations are left out.
    Raises ValueError as `kv_cache_bytes` does.

    >>> from moeviz.models import model
    >>> serving_bytes(model("Mixtral 8x7B").spec, 32768).by_part["weights"] / 1e9
    93.405585408
    """
    weights = count_parameters(spec).total * _check_bytes(weight_bytes, "weight_bytes")
    cache = kv_cache_bytes(spec, context, _check_bytes(cache_bytes, "cache_bytes"), sequences=sequences)
    return Tally({"weights": _whole(weights), "cache": cache}, "bytes")


def _check_bytes(value, name):
    if check_number(value, name, low=0.0, high=MOST_BYTES) == 0:
        raise ValueError(f"{name} must be more than 0, got {value!r}")
    return value


def _whole(amount):
    return amount if isinstance(amount, int) else round(amount)

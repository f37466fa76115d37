"""Record what the MoE layers of a Hugging Face model choose: hooks on routers and experts, one forward pass.

What counts is what a layer's experts receive: the module that holds them is handed the choices and weights of
every token, and that is what a trace keeps. The router beside it gives the logits; the family's rules
(`moeviz.routing.families`) must lead from them to the same choices and weights, or the recording is refused.
So is a release of transformers whose routers return something else; shares in the place of logits are taken
back to logits. Only `record` and `tiny_mixtral` need torch; nothing is downloaded.
Source of the modules: transformers, src/transformers/models/*/modeling_*.py.
"""

import importlib.util
import inspect
import re
from dataclasses import dataclass

import numpy as np

from moeviz.arrays import as_array, check_vector
from moeviz.record import EMPTY
from moeviz.routing.families import router_of
from moeviz.traces.trace import SCORES, Trace

ROUTERS = ("gate", "router", "gating")  # what the attribute beside the experts is called
BIASES = ("e_score_correction_bias", "expert_bias")
TOLERANCE = {"float32": 2e-5, "float64": 2e-5, "bfloat16": 2e-2, "float16": 4e-3}


def record(model, input_ids, *, attention_mask=None, domains=None, name=None):
    """Run a Hugging Face MoE model once and return the Trace of what its experts were given.

    model: a torch module with experts and routers as transformers has them since release 5, with or without
    a head; it runs as it is, so call `model.eval()` first. Layers without experts are skipped.
    input_ids: (B, S) token ids, or (S,) for one text. attention_mask: (B, S), 0 for padding; padding takes
    part in the pass but not in the trace. domains: B texts, the domain of each row. name: for the trace;
    None takes the name of the class. Tokens follow each other row by row; `sequence` says which row each is
    from. Raises ValueError for a model without experts and routers, for a router whose logits do not lead
    to what the experts received, and for ids, a mask or domains of a wrong shape; ImportError without torch.

    In a notebook: `trace = record(model, tokenizer("Route me.").input_ids)`
    """
    import torch

    places = find_layers(model)
    ids, mask = _batch(input_ids, attention_mask)
    device = next(model.parameters()).device
    given = {"input_ids": torch.tensor(ids, device=device)}
    if attention_mask is not None:
        given["attention_mask"] = torch.tensor(mask, device=device).long()
    caught = _run(model, places, given)
    router_for = _routers(model)
    layers = [_layer(place, caught[place.layer], router_for(place.layer), ids.ravel(), mask.ravel())
              for place in places]
    index, weight, logits, scores = zip(*layers, strict=True)
    known = len(set(scores)) == 1 and scores[0] in SCORES[:3] and all(part is not None for part in logits)
    if not known:
        index, weight = zip(*map(_by_weight, index, weight), strict=True)
    sequence = np.repeat(np.arange(len(ids)), ids.shape[1])[mask.ravel()]
    names = sorted(set(_check_domains(domains, len(ids))))
    domain = np.array([names.index(text) for text in domains])[sequence] if names else None
    num_experts = logits[0].shape[1] if known else max(places[0].num_experts, max(map(np.max, index)) + 1)
    return Trace(name or type(model).__name__, int(num_experts), tuple(place.layer for place in places),
                 index, weight, logits if known else None, scores=scores[0] if known else "weights",
                 tokens=ids[mask], sequence=sequence, domain=domain, domain_names=tuple(names))


@dataclass(frozen=True, eq=False)
class Place:
    """One MoE layer of a model: its number, its router and experts (torch modules), and E."""

    layer: int
    name: str
    router: object
    experts: object
    block: object
    num_experts: int


def find_layers(model):
    """Return the `Place` of every MoE layer, in order, or raise a ValueError saying what was looked for."""
    modules = dict(getattr(model, "named_modules", dict)())
    found = []
    for name, module in modules.items():
        path, _, last = name.rpartition(".")
        if not _holds_experts(last, module) or path not in modules:
            continue
        block = modules[path]
        router = next((getattr(block, each) for each in ROUTERS if hasattr(block, each)), None)
        if router is not None:
            found.append((path, router, module, block))
    found = found or _sorted_experts(modules)
    if not found:
        raise ValueError(f"model must hold routers ({', '.join(ROUTERS)}) beside experts, as transformers 5 "
                         f"has them; found none in {type(model).__name__}{_nearest(modules)}")
    numbers = [re.search(r"\b(?:layers|blocks|h)\.(\d+)\b", name) for name, *_ in found]
    layers = [int(number[1]) if number else at for at, number in enumerate(numbers)]
    if len(set(layers)) < len(layers):
        raise ValueError(f"model has more than one router in a layer: {[name for name, *_ in found]}")
    return [Place(layer, type(router).__name__, router, experts, block, _num_experts(experts, block, model))
            for layer, (_, router, experts, block) in zip(layers, found, strict=True)]


def _holds_experts(name, module):
    kind = type(module).__name__
    if name != "experts" or not kind.endswith("Experts"):
        return False
    return len(inspect.signature(module.forward).parameters) in (1, 3)


def _sorted_experts(modules):
    """Return the feed-forward blocks of JetMoE, whose experts are handed tokens sorted by expert."""
    return [(name, module.router, module.input_linear, module) for name, module in modules.items()
            if name.endswith("mlp") and hasattr(module, "router") and hasattr(module, "input_linear")
            and type(module.router).__name__.endswith("TopKGating")]


def _nearest(modules):
    """Return which modules look like routers, for the message that refuses a model."""
    seen = sorted({type(module).__name__ for module in modules.values()
                   if re.search(r"Router|Gating|TopK", type(module).__name__)})
    routers = ", ".join(seen)
    return f"; its routers {routers} have no experts beside them that are handed choices" if seen else ""


def _num_experts(experts, block, model):
    for part in (experts, block):
        for name in ("num_experts", "n_routed_experts"):
            if isinstance(getattr(part, name, None), int):
                return getattr(part, name)
    config = getattr(model, "config", None)
    found = next((getattr(config, name) for name in ("num_local_experts", "num_experts", "n_routed_experts")
                  if isinstance(getattr(config, name, None), int)), None)
    if found is None:
        raise ValueError(f"the number of experts of {type(experts).__name__} is not known here")
    return found


def _run(model, places, given):
    """Return {layer: (router's input and output, what the experts received)} of one forward pass."""
    import torch

    caught = {place.layer: {"router": [], "experts": []} for place in places}

    def after(layer):
        def keep(module, arguments, output):
            caught[layer]["router"].append((arguments, output))
        return keep

    def before(layer):
        def keep(module, arguments, named):
            caught[layer]["experts"].append([*arguments, *named.values()])
        return keep

    handles = [place.router.register_forward_hook(after(place.layer)) for place in places]
    handles += [place.experts.register_forward_pre_hook(before(place.layer), with_kwargs=True)
                for place in places]
    try:
        with torch.no_grad():
            model(**given)
    finally:
        for handle in handles:
            handle.remove()
    return caught


def _routers(model):
    """Return a function from the number of a layer to its family's Router, or None where it is unknown."""
    config = getattr(model, "config", None)
    if hasattr(config, "get_text_config"):
        config = config.get_text_config()
    fields = config.to_dict() if hasattr(config, "to_dict") else {}

    def of(layer):
        try:
            return router_of(fields, layer=layer)
        except ValueError:
            return None
    return of


def _layer(place, caught, router, ids, mask):
    """Return index (T, k) best first, weight (T, k), logits (T, E) and scores of one layer, no padding."""
    if len(caught["experts"]) != 1 or len(caught["router"]) != 1:
        raise ValueError(f"layer {place.layer}: {place.name} and its experts must each be called once per "
                         f"pass, got {len(caught['router'])} and {len(caught['experts'])} calls; neither a "
                         f"fused block nor a layer that runs several times can be recorded")
    arguments, output = caught["router"][0]
    index, weight = _received(place, caught["experts"][0], arguments, output)
    if len(index) != len(mask):
        raise ValueError(f"{place.name} chose for {len(index)} tokens, not for the {len(mask)} given")
    logits = _logits(output, len(mask), place.num_experts)
    index, weight = index[mask], weight[mask]
    if logits is None or router is None:
        return index, weight, None, "weights"
    logits = logits[mask]
    made = _made(place, router, logits, ids[mask], index.shape[1])
    scores = "softmax" if router.scores == "sparsemixer" else router.scores
    return (*_agreed(place, made, index, weight, _tolerance(place)), logits, scores)


def _received(place, arguments, router_arguments, output):
    """Return index (T, k) and weight (T, k): what the experts were handed."""
    if len(arguments) == 3:
        index, weight = (_numbers(part) for part in arguments[1:])
        if index.shape != weight.shape or index.ndim != 2:
            raise ValueError(f"the experts beside {place.name} received {index.shape} and {weight.shape}")
        return index.astype(np.int64), weight
    if len(arguments) == 2:
        return _unsorted(arguments[1], output)
    scaled, inputs = _numbers(arguments[0]), _numbers(router_arguments[0])
    scaled = scaled.reshape(place.num_experts, len(inputs), -1)  # Llama 4 scales what goes into each expert
    size = np.maximum(np.linalg.norm(inputs, axis=1, keepdims=True), 1e-30)
    share = np.linalg.norm(scaled, axis=2).T / size
    k = max(1, int((share > 0).sum(axis=1).max()))
    index = np.argsort(-share, axis=1, kind="stable")[:, :k]
    return index, np.take_along_axis(share, index, axis=1)


def _unsorted(sizes, output):
    """Return index (T, k) and weight (T, k) from the order that JetMoE's gating sorted the choices into."""
    order, token, weight = (part.detach().cpu().numpy() for part in output[:3])
    experts = np.repeat(np.arange(len(sizes)), [int(size) for size in sizes])
    shape = (int(token.max()) + 1, -1)
    index, weights = np.empty(len(order), np.int64), np.empty(len(order), np.float32)
    index[order], weights[order] = experts, weight.astype(np.float32)
    return index.reshape(shape), weights.reshape(shape)


def _logits(output, num_tokens, num_experts):
    """Return the router's logits (T, E or more), or None where it returned none; shares become logits."""
    parts = output if isinstance(output, (tuple, list)) else (output,)
    for part in reversed(parts) if len(parts) == 2 else parts:
        if not hasattr(part, "detach") or not part.is_floating_point():
            continue
        values = _numbers(part).reshape(-1, part.shape[-1])
        if len(values) != num_tokens or values.shape[1] < num_experts or not np.isfinite(values).all():
            continue
        if (values >= 0).all() and np.abs(values.sum(axis=1) - 1).max() < 1e-3:
            return np.log(np.maximum(values, np.finfo(np.float32).tiny))
        return values
    return None


def _made(place, router, logits, ids, k):
    """Return what the family's rules make of the logits."""
    extra = {}
    bias = _buffer(place, BIASES, logits.shape[1])
    if bias is not None and router.bias is not None:
        extra["bias"] = bias
    scale = _buffer(place, ("per_expert_scale",), logits.shape[1])
    if scale is not None and router.expert_scale:
        extra["expert_scale"] = scale
    if router.hashed:
        table = getattr(place.router, "tid2eid", None)
        extra |= {"token_ids": ids,
                  "table": None if table is None else table.detach().cpu().numpy().astype(np.int64)}
    return router(logits.astype(np.float32), k=k, **extra)


def _buffer(place, names, length):
    """Return a vector of the router, or of the block around it, by the end of its name; None without."""
    for part in (place.router, place.block):
        for name, value in (*part.named_buffers(), *part.named_parameters()):
            if name.rpartition(".")[2] in names and value.numel() == length:
                return _numbers(value).reshape(-1)
    return None


def _agreed(place, made, index, weight, tolerance):
    """Return index and weight in the order of the choice, or raise a ValueError where the rules disagree."""
    width = int(max(index.max(), made.num_experts - 1)) + 1
    got, wanted = _spread(index, weight, width), _spread(made.expert_index, made.combine_weight, width)
    factor = _factor(got, wanted)
    gap = np.abs(got * factor - wanted).max(axis=1)
    allowed = tolerance * np.maximum(1.0, np.abs(wanted).max(axis=1))
    wrong = gap > allowed
    if wrong.any() and not (tolerance > 1e-3 and wrong.mean() < 0.02):  # half precision: a few near ties
        token = int(np.argmax(wrong))
        raise ValueError(f"layer {place.layer}: {place.name} of {made.label} does not choose as its family "
                         f"does: {wrong.sum()} of {len(wrong)} tokens differ, token {token} by "
                         f"{gap[token]:.3g}")
    order = np.where(wrong[:, None], index, made.expert_index)
    return order, np.take_along_axis(got * factor, order, axis=1).astype(np.float32)


def _factor(got, wanted):
    """Return 1, or the one factor that some blocks multiply the experts' output with afterwards."""
    totals = got.sum(axis=1)
    ratios = wanted.sum(axis=1)[totals > 0] / totals[totals > 0]
    if len(ratios) and np.ptp(ratios) <= 1e-3 * abs(ratios[0]) and abs(ratios[0] - 1) > 1e-3:
        return float(np.median(ratios))
    return 1.0


def _spread(index, weight, width):
    """Return (T, width): the weight of each expert, 0 where it was not chosen."""
    table = np.zeros((len(index), width + 1))
    np.put_along_axis(table, np.where(index == EMPTY, width, index), weight, axis=1)
    return table[:, :width]


def _tolerance(place):
    value = next(iter(place.router.parameters()), next(iter(place.block.parameters())))
    return TOLERANCE.get(str(value.dtype).rpartition(".")[2], 5e-2)


def _by_weight(index, weight):
    order = np.argsort(-weight, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(weight, order, axis=1)


def _numbers(tensor):
    return tensor.detach().float().cpu().numpy()


def _batch(input_ids, attention_mask):
    ids = _table(input_ids, "input_ids")
    if ids.dtype.kind not in "iu" or ids.size == 0:
        raise ValueError(f"input_ids must be whole numbers of shape (B, S), got {ids.dtype} {ids.shape}")
    if attention_mask is None:
        return ids.astype(np.int64), np.ones(ids.shape, dtype=bool)
    mask = _table(attention_mask, "attention_mask")
    if mask.shape != ids.shape or not np.isin(mask, (0, 1)).all() or not mask.any():
        raise ValueError(f"attention_mask must hold 0 and 1 in shape {ids.shape}, with a 1 in it, "
                         f"got shape {mask.shape}")
    return ids.astype(np.int64), mask.astype(bool)


def _table(value, name):
    array = as_array(value.detach().cpu() if hasattr(value, "detach") else value, name)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"{name} must have shape (B, S), got {array.shape}")
    return array


def _check_domains(domains, rows):
    if domains is None:
        return ()
    return check_vector(np.array(list(domains), dtype=str), "domains", rows, kind="U").tolist()


def can_record():
    """Return whether torch and transformers are installed, which `record` needs.

    >>> can_record() in (True, False)
    True
    """
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def tiny_mixtral(*, seed=0):
    """Return a Mixtral over bytes with random weights, ready to run: nothing is read or downloaded.

    E = 8, k = 2, 3 layers. An untrained router says nothing about trained ones.
    Raises ImportError without torch and transformers.
    """
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = MixtralConfig(vocab_size=256, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
                               num_attention_heads=4, num_key_value_heads=2, num_local_experts=8,
                               num_experts_per_tok=2)
        return MixtralForCausalLM(config).eval()

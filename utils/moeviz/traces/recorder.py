"""Record what the MoE layers of a Hugging Face model choose: a hook on each router, one forward pass.

A router of transformers returns (logits, weights, experts) for every token, and that is what its experts
are given. Only `record` needs torch; it never downloads anything.
Source of the routers: transformers, src/transformers/models/*/modeling_*.py.
"""

import re

import numpy as np

from moeviz.arrays import as_array, check_vector, sigmoid
from moeviz.traces.trace import Trace

ROUTERS = {"MixtralTopKRouter": "softmax", "OlmoeTopKRouter": "softmax", "Qwen2MoeTopKRouter": "softmax",
           "Qwen3MoeTopKRouter": "softmax", "GptOssTopKRouter": "softmax", "DeepseekV3TopkRouter": "sigmoid"}


def record(model, input_ids, *, attention_mask=None, domains=None, name=None):
    """Run a Hugging Face MoE model once and return the Trace of what its routers chose.

    model: a torch module that holds routers of one known class (ROUTERS), with or without a head; it runs
    as it is, so call `model.eval()` first. input_ids: (B, S) token ids, or (S,) for one text.
    attention_mask: (B, S), 0 for padding; padding takes part in the pass but not in the trace.
    domains: B texts, the domain of each row. name: for the trace; None takes the name of the class.
    Tokens follow each other row by row; `sequence` says which row each is from.
    Raises ValueError for a model without a known router, which it names beside the known ones, and for
    ids, a mask or domains of a wrong shape; ImportError without torch.

    In a notebook: `trace = record(model, tokenizer("Route me.").input_ids)`
    """
    import torch

    routers = find_routers(model)
    ids, mask = _batch(input_ids, attention_mask)
    device = next(model.parameters()).device
    given = {"input_ids": torch.tensor(ids, device=device)}
    if attention_mask is not None:
        given["attention_mask"] = torch.tensor(mask, device=device).long()
    caught = _run(model, routers, given)
    layers = [_layer(caught[layer], router, mask.ravel()) for layer, router in routers.items()]
    index, weight, logits = zip(*layers, strict=True)
    sequence = np.repeat(np.arange(len(ids)), ids.shape[1])[mask.ravel()]
    names = sorted(set(_check_domains(domains, len(ids))))
    domain = np.array([names.index(text) for text in domains])[sequence] if names else None
    return Trace(name or type(model).__name__, logits[0].shape[1], tuple(routers), index, weight, logits,
                 scores=ROUTERS[type(next(iter(routers.values()))).__name__], tokens=ids[mask],
                 sequence=sequence, domain=domain, domain_names=tuple(names))


def find_routers(model):
    """Return {layer number: router module} of a model, or raise a ValueError that lists the known classes."""
    modules = getattr(model, "named_modules", dict)()
    found = [(name, module) for name, module in modules if type(module).__name__ in ROUTERS]
    if not found:
        raise ValueError(f"model must hold one of the routers {', '.join(ROUTERS)}; "
                         f"found none in {type(model).__name__}")
    if len({type(module).__name__ for _, module in found}) > 1:
        raise ValueError("model holds routers of more than one class; give the part with one of them")
    numbers = [re.search(r"\blayers\.(\d+)\.", name) for name, _ in found]
    layers = [int(number[1]) if number else at for at, number in enumerate(numbers)]
    if len(set(layers)) < len(layers):
        raise ValueError(f"model has more than one router in a layer: {[name for name, _ in found]}")
    return dict(zip(layers, (module for _, module in found), strict=True))


def _run(model, routers, given):
    """Return {layer: what its router returned} of one forward pass; the hooks are gone afterwards."""
    import torch

    caught = {}

    def hook_of(layer):
        def keep(module, arguments, output):
            caught.setdefault(layer, []).append(output)
        return keep

    handles = [router.register_forward_hook(hook_of(layer)) for layer, router in routers.items()]
    try:
        with torch.no_grad():
            model(**given)
    finally:
        for handle in handles:
            handle.remove()
    return caught


def _layer(outputs, router, mask):
    """Return index (T, k) best first, weight (T, k) and logits (T, E) of one layer, without padding."""
    kind = type(router).__name__
    if len(outputs) != 1 or not isinstance(outputs[0], tuple) or len(outputs[0]) != 3:
        raise ValueError(f"{kind} did not return (logits, weights, experts) once; this release of "
                         f"transformers routes in a way that is not known here")
    logits, weight, index = (part.detach().float().cpu().numpy() for part in outputs[0])
    index = index.astype(np.int64)
    if len(logits) != len(mask) or weight.shape != index.shape or index.max() >= logits.shape[1]:
        raise ValueError(f"{kind} returned shapes {logits.shape}, {weight.shape}, {index.shape}")
    order = np.argsort(-np.take_along_axis(_selection(logits, router), index, axis=1), kind="stable")
    index, weight = (np.take_along_axis(part, order, axis=1)[mask] for part in (index, weight))
    return index, weight, logits[mask]


def _selection(logits, router):
    """Return (T, E): the scores that the router ranked."""
    if ROUTERS[type(router).__name__] == "softmax":
        return logits
    return sigmoid(logits) + router.e_score_correction_bias.detach().float().cpu().numpy()


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

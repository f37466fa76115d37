"""Traces on disk. The format, version 1, is an .npz file with these arrays:

about        one text, JSON: format "moeviz.trace", version 1, model, num_experts, layers (their numbers),
             scores ("softmax" or "sigmoid" of the logits, or "weights"), domain_names
index_N      (T, k) whole numbers: the experts chosen in layer N, best first; -1 pads
weight_N     (T, k) real numbers: the weight of each in the output
logits_N     (T, E) real numbers: the router's logits; in every layer or in none
kept_N       (T, k) bool: False where capacity dropped the choice; in every layer or in none
tokens, sequence, domain    (T,) whole numbers, each of them optional

N is the number of the layer. Where index_N and weight_N are missing, they are the top-k of the softmax of
logits_N, and `about` holds "router": {"top_k": k, "renormalize": true or false}.
"""

import json
from pathlib import Path

import numpy as np

from moeviz.arrays import check_count, check_matrix
from moeviz.checks import check_kind
from moeviz.files import npz, write_whole
from moeviz.routing import top_k
from moeviz.traces.trace import PER_LAYER, PER_TOKEN, Trace

FORMAT, VERSION = "moeviz.trace", 1
MAX_BYTES = 1_000_000_000
_ABOUT = {"model": str, "num_experts": int, "layers": list, "scores": str, "domain_names": list}


def save_trace(trace, path):
    """Write a Trace to `path` (.npz); the file is complete or not there at all.

    The same trace gives the same bytes. Raises ValueError for what is no Trace, OSError where the folder
    cannot be written to.
    """
    check_kind(trace, "trace", Trace)
    write_whole(Path(path), lambda file: npz.write(file, _arrays(trace)))


def load_trace(path, *, max_bytes=MAX_BYTES):
    """Read a Trace from `path` (.npz).

    max_bytes: how large the file and the arrays in it may be; known before an array is read.
    Raises ValueError saying what is wrong when the file is too large, truncated, of another format or
    version, or holds Python objects, too few arrays, or shapes and indices that do not fit; OSError when
    it cannot be read at all. Nothing in the file is ever unpickled or executed.
    """
    max_bytes = check_count(max_bytes, "max_bytes")
    if not isinstance(path, (str, Path)):
        raise ValueError(f"path must be text or a Path, got {path!r}")
    return npz.load(Path(path), lambda *file: _fits(_trace(*file), max_bytes), max_bytes=max_bytes,
                    kind="trace")


def _fits(trace, max_bytes):
    """Refuse a small file whose routings would be huge: a layer has T x E shares."""
    size = 4 * trace.num_tokens * trace.num_experts
    if size > max_bytes:
        raise ValueError(f"the shares of a layer would take {size} bytes, more than the {max_bytes} allowed")
    return trace


def _arrays(trace):
    """Return {name: array} as the file holds them."""
    about = {"format": FORMAT, "version": VERSION, **{name: getattr(trace, name) for name in _ABOUT}}
    per_token = {name: getattr(trace, name) for name in PER_TOKEN if getattr(trace, name) is not None}
    per_layer = {f"{name}_{layer}": array for name in PER_LAYER
                 for layer, array in zip(trace.layers, getattr(trace, name) or (), strict=False)}
    return {"about": np.array(json.dumps(about))} | per_token | per_layer


def _trace(archive, members):
    about = _about(archive, members.pop("about", None))
    expected = {*PER_TOKEN, *(f"{name}_{layer}" for name in PER_LAYER for layer in about["layers"])}
    extra = sorted(set(members) - expected)
    if extra:
        raise ValueError(f"it holds arrays that are not part of the format: {extra[:5]}")

    def read(name):
        return npz.read_array(archive, members[name]) if name in members else None

    per_token = {name: read(name) for name in PER_TOKEN}
    layers = [{name: read(f"{name}_{layer}") for name in PER_LAYER} for layer in about["layers"]]
    layers = [_chosen(arrays, layer, about) for arrays, layer in zip(layers, about["layers"], strict=True)]
    per_layer = {name: _everywhere([arrays[name] for arrays in layers], name) for name in PER_LAYER}
    return Trace(about["model"], about["num_experts"], tuple(about["layers"]), **per_layer,
                 scores=about["scores"], **per_token, domain_names=tuple(about["domain_names"]))


def _about(archive, info):
    about = npz.read_about(archive, info, FORMAT)
    if about.get("version") != VERSION:
        raise ValueError(f"its version must be {VERSION}, got {about.get('version')!r}")
    for name, kind in _ABOUT.items():
        if not isinstance(about.get(name), kind):
            raise ValueError(f"`about` must hold {name} as {kind.__name__}, got {about.get(name)!r}")
    return about


def _chosen(arrays, layer, about):
    """Fill in index and weight where a layer has logits alone."""
    if arrays["index"] is not None and arrays["weight"] is not None:
        return arrays
    router = about.get("router")
    if arrays["logits"] is None or arrays["index"] is not None or arrays["weight"] is not None:
        raise ValueError(f"layer {layer} must have index_{layer} and weight_{layer}, or logits_{layer} alone")
    if not isinstance(router, dict) or not isinstance(router.get("renormalize"), bool):
        raise ValueError("logits alone need `router` with top_k and renormalize in `about`")
    logits = check_matrix(arrays["logits"], f"logits_{layer}")
    k = check_count(router.get("top_k"), "top_k", high=logits.shape[1])
    made = top_k(logits, k, renormalize=router["renormalize"])
    return {**arrays, "index": made.expert_index, "weight": made.combine_weight}


def _everywhere(arrays, name):
    missing = sum(array is None for array in arrays)
    if missing and missing < len(arrays):
        raise ValueError(f"{name} must be there for every layer or for none, {missing} are missing")
    return None if missing else tuple(arrays)

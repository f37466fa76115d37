"""Captures: routing that servers returned, read in one line each; `moeviz.traces.faults` looks for faults.

`read` takes what engineers have: arrays (T, L, k), responses of vLLM and SGLang, llama.cpp's CSV, router logs
and the atlas of routing as JSON lines, .npy, .npz, .safetensors, OLMoE's pickled counters, tables of counts.
Nothing in a file is executed, and no file larger than `max_bytes` is read.
Sources: vLLM, --enable-return-routed-experts (prompt_routed_experts, choices[].routed_experts); SGLang,
return_routed_experts (meta_info.routed_experts, choices[].sgl_ext: base64 of int32, -1 for padding, a fused
shared expert as id E); llama.cpp logs (layer_id,expert_ids); github.com/DJLougen/moe-routing-atlas.
"""

import base64
import binascii
import io
import json
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from moeviz.arrays import check_count
from moeviz.files import refuse_programs
from moeviz.record import EMPTY
from moeviz.routing.families import read_config
from moeviz.traces.counts import Counts, load_counters
from moeviz.traces.trace import BLOCK, FORMAT, Trace, is_mapped, join, load_trace, release

MAX_BYTES = 4_000_000_000
MAX_TEXT = 500_000_000  # bytes of a file that is parsed as text
MAPPED = 50_000_000  # bytes from which on an .npy file is mapped, not loaded
ROUTED = ("prompt_routed_experts", "routed_experts", "completion_routed_experts")
LAYER, IDS, WEIGHTS = (("layer", "layer_id", "layer_idx"),
                       ("topk_ids", "expert_ids", "experts", "selected_experts", "topk_indices"),
                       ("topk_weights", "expert_weights", "weights", "routing_weights"))
TENSORS = {"I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8",
           "F16": "<f2", "F32": "<f4", "F64": "<f8"}


def read(source, *, config=None, num_experts=None, k=None, layers=None, weights=None, tokens=None, names=None,
         model="capture", max_bytes=MAX_BYTES):
    """Return the Trace (or, for counters, the Counts) of what a server or a script captured.

    source: a path, an array (T, L, k) or (T, k) of expert ids, a response as a dictionary, a table of counts
    by expert and domain, or a list of these: several requests, joined in order. config: the model's
    config.json as a path or dictionary; it says E, k and which layers are dense. num_experts, k: where there
    is no config; E left out is the largest id + 1. layers: numbers of the layers. weights: array like source.
    tokens: (T,) ids. names: one text per request, which become its domains. max_bytes: of one file.
    Layers of zeros (dense ones) and columns of the id E (a fused shared expert) are left out; rows of zeros
    or of -1 become rows without choices. Weights bring the choices into order, best first.
    Raises ValueError saying what does not fit, OSError where a file cannot be read.

    >>> read(np.array([[[3, 1]], [[0, 2]]]))
    Trace of 'capture': 2 tokens, 1 layers, E = 4, 4 choices; with nothing else
    """
    shape = _Shape.of(config, num_experts, k, layers)
    if isinstance(source, (list, tuple)) and source and not _is_rows(source):
        made = [_one(each, shape, None, None, model, max_bytes) for each in _lines_together(source)]
        if any(isinstance(each, Counts) for each in made):
            return _counts_together(made)
        return _joined(made, names=names) if len(made) > 1 or names is not None else made[0]
    made = _one(source, shape, weights, tokens, model, max_bytes)
    return join([made], names=names) if names is not None else made


@dataclass(frozen=True)
class _Shape:
    """What is known of a capture beforehand: E, k, the numbers of its layers, how many the model has."""

    num_experts: int | None
    k: int | None
    layers: tuple | None
    depth: int | None

    @classmethod
    def of(cls, config, num_experts, k, layers):
        if isinstance(config, (str, Path)):
            config = _json(_text(Path(config), 10_000_000), config)
        depth = None
        if config is not None:
            known = read_config(config)
            num_experts = known.whole("num_experts") if num_experts is None else num_experts
            k = known.whole("num_experts_per_tok") if k is None else k
            depth = known.layers() if known.get("num_hidden_layers") else None
        for name, value in (("num_experts", num_experts), ("k", k)):
            if value is not None:
                check_count(value, name)
        return cls(num_experts, k, None if layers is None else tuple(layers), depth)

    def with_layers(self, layers):
        """Return the same with these numbers of layers, where none were said."""
        return self if self.layers else replace(self, layers=tuple(layers))


def _is_rows(source):
    """Whether a list is itself one table of ids: lists of lists of numbers."""
    first = source[0]
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(source[0], (list, tuple)) and isinstance(first, (int, np.integer))


def _lines_together(sources):
    """Return the sources, with several files of JSON lines or CSV, one per layer, taken as one."""
    paths = [Path(each) for each in sources if isinstance(each, (str, Path))]
    if len(paths) == len(sources) > 1 and all(path.suffix in (".jsonl", ".csv") for path in paths):
        return [paths]
    return list(sources)


def _one(source, shape, weights, tokens, model, max_bytes):
    if isinstance(source, (str, Path)) or (isinstance(source, list) and source
                                           and isinstance(source[0], Path)):
        return _file(source, shape, weights, tokens, model, max_bytes)
    if isinstance(source, dict):
        return _response(source, shape, model)
    if hasattr(source, "columns") and hasattr(source, "to_numpy"):
        return _table(source, model)
    if hasattr(source, "outputs"):  # what vLLM returns without a server
        return _response({name: getattr(source, name, None) for name in ("prompt_token_ids", ROUTED[0])}
                         | {"choices": [vars(each) for each in source.outputs]}, shape, model)
    return _from_array(_plain(source), shape, model, _plain(weights), tokens)


def _plain(value):
    if value is None:
        return None
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        return np.asanyarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"source is no array of expert ids: {error}") from None


# From arrays.


def _from_array(index, shape, model, weight=None, tokens=None):
    """Return the Trace of ids (T, L, k) or (T, k): what is no choice is taken out first."""
    if index.dtype.kind == "f" and np.all(np.isfinite(index)) and np.all(index == np.floor(index)):
        index = index.astype(np.int64)
    if index.dtype.kind not in "iu":
        raise ValueError(f"expert ids must be whole numbers, got dtype {index.dtype}")
    index = index[:, None] if index.ndim == 2 else index
    if index.ndim != 3 or index.size == 0:
        raise ValueError(f"expert ids must have shape (T, L, k) or (T, k), got shape {index.shape}")
    if weight is not None:
        weight = weight[:, None] if weight.ndim == 2 else weight
        if weight.shape != index.shape:
            raise ValueError(f"weights must have the shape of the ids {index.shape}, got {weight.shape}")
    num_experts = shape.num_experts
    if num_experts is not None and num_experts > 256 and index.dtype.itemsize == 1:
        raise ValueError(f"ids of {num_experts} experts do not fit into {index.dtype}: they wrapped at 256; "
                         "capture them in 16 bits")
    dense, gaps, low, high = _survey(index)
    places = [at for at in range(index.shape[1]) if not dense[at]] or list(range(index.shape[1]))
    layers = _numbers_of(shape, index.shape[1], places)
    whole = weight is None and len(places) == index.shape[1] and low >= 0
    if whole and is_mapped(index) and not gaps:
        return Trace(model, num_experts or high + 1, layers, index, tokens=tokens)
    index = np.array(index[:, places]).astype(np.int32 if index.dtype.itemsize > 2 else np.int16, copy=False)
    weight = None if weight is None else np.array(weight[:, places], dtype=np.float32)
    if num_experts is not None and high == num_experts and (index[:, :, -1] == num_experts).all():
        index, weight = index[:, :, :-1], None if weight is None else weight[:, :, :-1]
    return _trace(index, weight, num_experts, layers, model, tokens)


def _survey(index):
    """Return (which layers are all zero, whether any row is, lowest id, highest id), block by block.

    With k = 1 a zero is a choice.
    """
    several = index.shape[2] > 1
    dense, gaps, low, high = np.full(index.shape[1], several), False, 0, 0
    for start in range(0, len(index), BLOCK):
        block = index[start:start + BLOCK]
        filled = block.any(axis=2)
        dense &= ~filled.any(axis=0)
        gaps |= several and not filled.all()
        low, high = min(low, int(block.min())), max(high, int(block.max()))
        release(index)
    return dense, gaps, low, high


def _numbers_of(shape, found, places):
    """Return the numbers of the layers that are left."""
    if shape.layers is not None:
        if len(shape.layers) == found:
            return tuple(shape.layers[at] for at in places)
        if len(shape.layers) == len(places):
            return shape.layers
        raise ValueError(f"layers must name the {found} layers of the capture, got {len(shape.layers)}")
    return tuple(places)


def _trace(index, weight, num_experts, layers, model, tokens=None, **more):
    """Return the Trace of ids (T, L, k) in memory, rows without a choice emptied and weights sorted."""
    index = index.copy()
    nothing = (index < 0).all(axis=2)
    if index.shape[2] > 1:
        nothing |= ~index.any(axis=2)
    index[nothing] = EMPTY
    wrong = (index < EMPTY) | ((index >= num_experts) if num_experts else np.zeros(1, bool))
    if wrong.any():
        token, at, _ = np.argwhere(wrong)[0]
        raise ValueError(f"layer {layers[at]} names expert {index[wrong][0]} for token {token}, beyond the "
                         f"{num_experts or index.max() + 1} experts")
    if weight is None:
        return Trace(model, num_experts or max(int(index.max()) + 1, 1), layers, index, tokens=tokens, **more)
    if not np.isfinite(weight).all() or weight.min() < 0:
        raise ValueError(f"weights must be finite and at least 0, got {weight.min()}")
    weight = np.where(index == EMPTY, 0, weight)
    order = np.argsort(-weight, axis=2, kind="stable")
    index, weight = (np.take_along_axis(each, order, axis=2) for each in (index, weight))
    per_layer = [tuple(each[:, at] for at in range(index.shape[1])) for each in (index, weight)]
    return Trace(model, num_experts or int(index.max()) + 1, layers, *per_layer, tokens=tokens, **more)


def _joined(made, names=None):
    """Return the Trace of several; where no E was said, each takes the largest."""
    most = max(each.num_experts for each in made)
    return join([each if each.num_experts == most else replace(each, num_experts=most) for each in made],
                names=names)


# From responses of servers.


def _response(source, shape, model):
    """Return the Trace of one response, or of one per choice where it has several."""
    parts = _routed_parts(source)
    if not parts:
        raise ValueError(f"the response holds none of {', '.join(ROUTED)}, neither in meta_info nor sgl_ext")
    known = _decoded(parts, shape)
    prompt = known.pop("prompt", None)
    answers = list(known.values()) or [prompt[:0]]
    joined = [each if prompt is None else np.concatenate([prompt, each]) for each in answers]
    ids = source.get("prompt_token_ids") or []
    made = [_from_array(each, shape, source.get("model") or model,
                        tokens=_tokens(ids, source, at, len(each))) for at, each in enumerate(joined)]
    return made[0] if len(made) == 1 else _joined(made)


def _routed_parts(source):
    """Return {"prompt" or number of the choice: what stands there}."""
    parts = {}
    if source.get("prompt_routed_experts") is not None:
        parts["prompt"] = source["prompt_routed_experts"]
    places = [source, source.get("meta_info"), source.get("sgl_ext")]
    choices = source.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        places += [choice, choice.get("sgl_ext"), choice.get("meta_info")] if isinstance(choice, dict) else []
    for place in places:
        for name in ROUTED[1:]:
            if isinstance(place, dict) and place.get(name) is not None:
                parts[len(parts)] = place[name]
    return parts


def _decoded(parts, shape):
    decoded = {name: _bytes(value) if isinstance(value, str) else _plain(value)
               for name, value in parts.items()}
    tails = [value.shape[1:] for value in decoded.values() if value.ndim == 3]
    for name, value in decoded.items():
        if value.ndim == 1:
            decoded[name] = _folded(value, shape, tails)
    return decoded


def _bytes(text):
    """Return the numbers in base64: an .npy file, or 32-bit whole numbers."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"routed_experts is no base64: {error}") from None
    if raw.startswith(b"\x93NUMPY"):
        return _npy(io.BytesIO(raw), "routed_experts")
    if len(raw) % 4:
        raise ValueError(f"routed_experts has {len(raw)} bytes, which is no number of 32-bit whole numbers")
    return np.frombuffer(raw, "<i4")


def _folded(flat, shape, tails):
    """Return flat ids as (T, L, k), by the shape of another part, or by the layers and k that are known."""
    if tails:
        layers, k = tails[0]
    else:
        layers, k = shape.depth or (len(shape.layers) if shape.layers else None), shape.k
    if not layers or not k:
        raise ValueError("flat ids need config=..., or layers=... and k=..., to be folded into (T, L, k)")
    if flat.size and flat.max() == shape.num_experts and not flat.size % (layers * (k + 1)):
        wider = flat.reshape(-1, layers, k + 1)  # a shared expert in the last place
        if (wider[:, :, k] == shape.num_experts).all():
            return wider
    if flat.size % (layers * k):
        raise ValueError(f"{flat.size} ids do not fold into rows of {layers} layers and k = {k}")
    return flat.reshape(-1, layers, k)


def _tokens(ids, source, at, length):
    """Return the token ids of one choice where the response names as many, or one more; None otherwise."""
    choices = source.get("choices")
    own = choices[at].get("token_ids") if isinstance(choices, list) and at < len(choices) else None
    ids = [*ids, *(own or source.get("output_ids") or [])]
    if len(ids) not in (length, length + 1) or not all(isinstance(each, int) and each >= 0 for each in ids):
        return None
    return np.array(ids[:length])


# From files.


def _file(path, shape, weights, tokens, model, max_bytes):
    if isinstance(path, list):
        return _lines("\n".join(_text(each, max_bytes) for each in path), shape, model, path[0].suffix)
    path = Path(path)
    size = path.stat().st_size
    if size > max_bytes:
        raise ValueError(f"{path} has {size} bytes, more than the {max_bytes} allowed")
    refuse_programs(path)
    kind = path.suffix.lower()
    if kind == ".npy":
        return _from_array(_npy(path, path, size), shape, model, _plain(weights), tokens)
    if kind == ".npz":
        return _archive(path, shape, model, max_bytes)
    if kind == ".safetensors":
        return _from_arrays(_safetensors(path), shape, model, path)
    if kind in (".pkl", ".pickle"):
        return _counters(load_counters(path.read_bytes(), str(path)), shape, model, path.stem)
    if kind in (".csv", ".jsonl", ".log", ".txt"):
        return _lines(_text(path, max_bytes), shape, model, kind)
    if kind == ".json":
        return _parsed(_json(_text(path, max_bytes), path), shape, model, path)
    raise ValueError(f"{path} is of no kind that is read here: .npy, .npz, .safetensors, .json, .jsonl, "
                     f".csv, .pkl")


def _npy(file, name, size=0):
    try:
        return np.load(file, mmap_mode="r" if size > MAPPED else None, allow_pickle=False)
    except (ValueError, TypeError, EOFError, SyntaxError, OverflowError, RecursionError,
            MemoryError) as error:
        raise ValueError(f"{name} is no .npy array: {error}") from None


def _archive(path, shape, model, max_bytes):
    """Return the Trace of an .npz file: this library's own, or arrays under other names."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not hasattr(archive, "zip"):
                raise ValueError("it is one array")
            size = sum(info.file_size for info in archive.zip.infolist())
            if size > max_bytes:
                raise ValueError(f"its arrays take {size} bytes, more than the {max_bytes} allowed")
            if "about" in archive.files:
                return load_trace(path, max_bytes=max_bytes)
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile,
            zlib.error) as error:
        raise ValueError(f"{path} is no archive of arrays ({FORMAT} or other): {error}") from None
    return _from_arrays(arrays, shape, model, path)


def _from_arrays(arrays, shape, model, path):
    """Return the Trace of arrays by name: one (T, L, k), or one (T, k) for each layer, and weights beside."""
    whole = {name: array for name, array in arrays.items() if array.dtype.kind in "iu"
             and array.ndim in (2, 3)}
    real = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    deep = [name for name, array in whole.items() if array.ndim == 3]
    if len(deep) == 1:
        weight = [array for array in real.values() if array.shape == whole[deep[0]].shape]
        return _from_array(whole[deep[0]], shape, model, weight[0] if len(weight) == 1 else None)
    numbered = {_number(name): name for name in whole}
    if deep or len(numbered) != len(whole) or None in numbered or not whole:
        raise ValueError(f"{path} must hold one array (T, L, k) of ids, or one (T, k) for each layer; "
                         f"got {', '.join(sorted(arrays)[:8]) or 'nothing'}")
    layers, weight = sorted(numbered), {_number(name): array for name, array in real.items()}
    try:
        index = np.stack([whole[numbered[layer]] for layer in layers], axis=1)
        weight = np.stack([weight[layer] for layer in layers], axis=1) if set(layers) <= set(weight) else None
    except ValueError as error:
        raise ValueError(f"the layers in {path} do not have one shape: {error}") from None
    weight = weight if weight is not None and weight.shape == index.shape else None
    return _from_array(index, shape.with_layers(layers), model, weight)


def _number(name):
    """Return the last number in a name, or None."""
    numbers = re.findall(r"\d+", name)
    return int(numbers[-1]) if numbers else None


def _safetensors(path):
    """Return {name: array} of a .safetensors file, mapped; its header is JSON and nothing else."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > min(size - 8, 100_000_000):
            raise ValueError(f"{path} is no .safetensors file: its header would have {length} bytes")
        header = _json(file.read(length).decode("utf-8", "replace"), path)
    arrays = {}
    for name, about in header.items() if isinstance(header, dict) else ():
        if name == "__metadata__" or not isinstance(about, dict) or about.get("dtype") not in TENSORS:
            continue
        arrays[name] = _tensor(path, name, about, 8 + length, size)
    return arrays


def _tensor(path, name, about, start, size):
    kind, offsets, shape = np.dtype(TENSORS[about["dtype"]]), about.get("data_offsets"), about.get("shape")
    whole = [*(offsets or [None]), *(shape if isinstance(shape, list) else [None])]
    if not all(isinstance(each, int) and 0 <= each <= size for each in whole) or len(offsets) != 2:
        raise ValueError(f"{path}: tensor {name!r} has no offsets and shape that fit the file")
    entries = math.prod(shape)
    if entries * kind.itemsize != offsets[1] - offsets[0] or start + offsets[1] > size or not entries:
        raise ValueError(f"{path}: tensor {name!r} does not fill its place in the file")
    return np.memmap(path, kind, "r", start + offsets[0], tuple(shape))


def _text(path, max_bytes):
    size = path.stat().st_size
    if size > min(max_bytes, MAX_TEXT):
        raise ValueError(f"{path} has {size} bytes of text, more than the {min(max_bytes, MAX_TEXT)} allowed")
    return path.read_text(encoding="utf-8", errors="replace")


def _json(text, name):
    try:
        return json.loads(text)
    except (ValueError, RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"{name} is no JSON that can be read: {error}") from None


def _parsed(value, shape, model, path):
    """Return what a parsed .json file holds: a response, several, a table of ids, or counters by layer."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and _routed_parts(value[0]):
        return _joined([_response(each, shape, model) for each in value])
    if isinstance(value, dict) and _routed_parts(value):
        return _response(value, shape, model)
    if isinstance(value, dict) and isinstance(value.get("activations"), list):
        return _rows([value], shape, model)
    if isinstance(value, dict) and value and all(isinstance(each, dict) for each in value.values()):
        try:
            counters = [{int(key): int(count) for key, count in each.items()} for each in value.values()]
        except (ValueError, TypeError):
            raise ValueError(f"{path} is no table of counts by layer and expert") from None
        layers = [_number(name) for name in value]
        layers = range(len(value)) if None in layers else layers
        return _counters(counters, shape.with_layers(layers), model, path.stem)
    return _from_array(_plain(value), shape, model)


def _lines(text, shape, model, kind):
    if kind == ".csv" or text.lstrip()[:8].lower() == "layer_id":
        return _csv(text, shape, model)
    rows = [_json(line, f"line {at}") for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("JSON lines must each hold a dictionary" if rows else "the capture holds no line")
    return _rows(rows, shape, model)


def _csv(text, shape, model):
    """Return the Trace of lines layer,ids with the ids apart by spaces: token after token, layer by layer."""
    chosen = {}
    for at, line in enumerate(text.splitlines(), 1):
        layer, _, ids = line.strip().partition(",")
        if not line.strip() or layer.strip().lower() == "layer_id":
            continue
        try:
            ids = [int(each) for each in re.split(r"[ ,;|]+", ids.strip(' "[]'))]
            chosen.setdefault(int(layer), []).append(ids)
        except ValueError:
            raise ValueError(f"line {at} is no layer_id,expert_ids: {line[:60]!r}") from None
    return _by_layer(chosen, {}, shape, model)


def _rows(rows, shape, model):
    """Return the Trace of JSON lines: one per token and layer, one per request, or one per choice."""
    if all(_routed_parts(row) for row in rows):
        return _joined([_response(row, shape, model) for row in rows])
    if all(isinstance(row.get("activations"), list) for row in rows):
        return _joined([_atlas(row, shape) for row in rows])
    if all("expert_idx" in row and "token_idx" in row for row in rows):
        return _atlas({"activations": rows}, shape)
    ids, weights = {}, {}
    for at, row in enumerate(rows, 1):
        layer, chosen = (_field(row, names) for names in (LAYER, IDS))
        if not isinstance(layer, int) or not isinstance(chosen, list):
            raise ValueError(f"line {at} must hold one of {', '.join(LAYER)} and one of {', '.join(IDS)}")
        several = bool(chosen) and isinstance(chosen[0], list)
        ids.setdefault(layer, []).extend(chosen if several else [chosen])
        share = _field(row, WEIGHTS)
        if share is not None:
            weights.setdefault(layer, []).extend(share if several else [share])
    return _by_layer(ids, weights, shape, model)


def _field(row, names):
    return next((row[name] for name in names if name in row), None)


def _by_layer(ids, weights, shape, model):
    """Return the Trace of {layer: rows of ids}; weights count where every row has them."""
    layers = sorted(ids)
    if not layers:
        raise ValueError("the capture holds no row")
    lengths = {layer: len(rows) for layer, rows in ids.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"every layer must have the same number of rows, got {lengths}")
    try:
        index = np.array([ids[layer] for layer in layers], dtype=np.int64).transpose(1, 0, 2)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("rows of ids must be whole numbers, as many in each row") from None
    weight = None
    if all(len(weights.get(layer, ())) == lengths[layer] for layer in layers):
        weight = _plain([weights[layer] for layer in layers]).transpose(1, 0, 2)
    return _from_array(index, shape.with_layers(layers), model, weight)


def _atlas(row, shape):
    """Return the Trace of one request of the atlas: a list of (layer, token, expert, weight)."""
    try:
        each = np.array([[one["layer"], one["token_idx"], one["expert_idx"]] for one in row["activations"]],
                        np.int64)
        share = np.array([float(one.get("gate_weight", 0)) for one in row["activations"]])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"activations must hold layer, token_idx and expert_idx: {error!r}") from None
    if not len(each) or each.min() < 0:
        raise ValueError("activations must hold at least one choice, and no negative number")
    layers, place = np.unique(each[:, 0], return_inverse=True)
    names, token = np.unique(each[:, 1], return_inverse=True)
    order = np.lexsort((-share, place, token))
    cell = token[order] * len(layers) + place[order]
    first = np.r_[True, cell[1:] != cell[:-1]]
    slot = np.arange(len(cell)) - np.maximum.accumulate(np.where(first, np.arange(len(cell)), 0))
    size = (len(names), len(layers), int(slot.max()) + 1)
    index, weight = np.full(size, EMPTY, np.int64), np.zeros(size, np.float32)
    at = token[order], place[order], slot
    index[at], weight[at] = each[order, 2], share[order]
    ids = row.get("token_ids")
    ids = ids if isinstance(ids, list) and len(ids) == len(names) else None
    known = share.any()
    num_experts = row.get("num_experts") if isinstance(row.get("num_experts"), int) else shape.num_experts
    return _trace(index, weight if known else None, num_experts, tuple(layers.tolist()),
                  str(row.get("model_id") or "capture"), tokens=ids)


# Counters.


def _counters(counters, shape, model, domain):
    """Return the Counts of {expert: count} by layer, for one domain."""
    try:
        size = shape.num_experts or 1 + max(key for counter in counters for key in counter)
        table = np.zeros((1, len(counters), size), np.int64)
        for layer, counter in enumerate(counters):
            for key, count in counter.items():
                table[0, layer, key] = count
    except (TypeError, IndexError, ValueError) as error:
        raise ValueError(f"counters must hold a count for each expert, layer by layer: {error}") from None
    return Counts(model, shape.layers or range(len(counters)), (domain,), table)


def _counts_together(made):
    """Return one Counts of several, a domain each."""
    if not all(isinstance(each, Counts) for each in made):
        raise ValueError("counters and choices cannot be read together")
    size = max(each.num_experts for each in made)
    try:
        experts = np.concatenate([np.pad(each.experts, ((0, 0), (0, 0), (0, size - each.num_experts)))
                                  for each in made])
    except ValueError as error:
        raise ValueError(f"counters must have the same layers: {error}") from None
    names = tuple(name for each in made for name in each.domain_names)
    return Counts(made[0].model, made[0].layers, names, experts)


def _table(frame, model):
    """Return the Counts of a table with a row for each expert and a column for each domain."""
    values = frame.select_dtypes("number") if hasattr(frame, "select_dtypes") else frame
    table = np.asarray(values.to_numpy())
    if table.ndim != 2 or not table.size or table.dtype.kind not in "iuf" or (table != np.floor(table)).any():
        raise ValueError("a table of counts must hold whole numbers, a row for each expert")
    names = tuple(str(name) for name in values.columns)
    return Counts(model, (0,), names, table.T.astype(np.int64)[:, None])

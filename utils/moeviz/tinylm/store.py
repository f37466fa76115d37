"""Weights on disk: an .npz of plain arrays, checked before a single number of it is used.

The members are stored, not compressed, so a small file cannot unfold into a large one, and their
dates are fixed, so the same weights give the same bytes.
"""

import functools
import io
import json
import math
import struct
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np

from moeviz.tinylm.config import Config, weight_shapes
from moeviz.tinylm.model import TinyLM

FORMAT = "moeviz.tinylm 1"
MAX_BYTES = 4_000_000
_DATE = (1980, 1, 1, 0, 0, 0)
_BROKEN = (ValueError, ArithmeticError, LookupError, RuntimeError, EOFError, struct.error, zipfile.BadZipFile)


@functools.cache
def load():
    """Return the trained course model that is stored with the package; read once, then shared.

    >>> len(load().route("moe"))
    2
    """
    return load_weights(resources.files("moeviz").joinpath("data", "tiny_moe.npz"))


def save(model, path):
    """Write a TinyLM to `path` (.npz); the same model gives the same bytes."""
    about = {"format": FORMAT, "config": vars(model.config), "provenance": dict(model.provenance)}
    arrays = {"about": np.array(json.dumps(about, sort_keys=True)), **model.weights}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), _npy(array))
    Path(path).write_bytes(content.getvalue())


def load_weights(path):
    """Read a TinyLM from `path` (.npz).

    Raises ValueError saying what is wrong when the file is too large, truncated, compressed, of another
    format, made to be unpickled, or holds arrays of wrong names, shapes, dtypes or values; OSError when
    it cannot be read at all. Nothing in the file is ever unpickled.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is not a file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, more than the {MAX_BYTES} allowed")
    return read(path.read_bytes(), path.name)


def read(content, name):
    """Return the TinyLM in the bytes of an .npz; ValueErrors call it `name`."""
    try:
        members = _members(content)
        about = _about(members.pop("about.npy", None))
        config = Config.from_dict(about["config"])
        return TinyLM(_arrays(members, config), config, about["provenance"])
    except _BROKEN as error:
        raise ValueError(f"{name} is not a usable weights file: {error}") from None


def _npy(array):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
    return content.getvalue()


def _members(content):
    """Return {name: bytes}; every member stored as it is, its checksum verified by zipfile."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > MAX_BYTES:
            raise ValueError(f"its arrays have more than the {MAX_BYTES} bytes allowed")
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise ValueError(f"{info.filename} is compressed")
            if info.flag_bits & 1:
                raise ValueError(f"{info.filename} is encrypted")
        if len({info.filename for info in infos}) != len(infos):
            raise ValueError("a name stands in it twice")
        return {info.filename: archive.read(info) for info in infos}


def _about(raw):
    if raw is None:
        raise ValueError("it has no about.npy that names its format")
    array = _array(raw, "about.npy")
    if array.dtype.kind != "U" or array.ndim != 0:
        raise ValueError(f"about.npy must be one text, got {array.dtype} of shape {array.shape}")
    about = json.loads(str(array))
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        seen = about.get("format") if isinstance(about, dict) else about
        raise ValueError(f"its format must be {FORMAT!r}, got {seen!r}")
    if not isinstance(about.get("provenance"), dict) or "config" not in about:
        raise ValueError("about.npy must hold config and provenance")
    return about


def _arrays(members, config):
    wanted = {f"{name}.npy" for name in weight_shapes(config)}
    if set(members) != wanted:
        missing, extra = sorted(wanted - set(members)), sorted(set(members) - wanted)
        raise ValueError(f"arrays missing: {missing}, not expected: {extra}")
    return {name.removesuffix(".npy"): _array(raw, name) for name, raw in members.items()}


def _array(raw, name):
    """Read one .npy whose header promises exactly the bytes that follow, and no Python objects."""
    content = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(content)
        if version != (1, 0):
            raise ValueError(f"version {version} of the npy format")
        shape, _, dtype = np.lib.format.read_array_header_1_0(content)
    except Exception as error:
        raise ValueError(f"{name} is not a .npy array: {error}") from None
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which would have to be unpickled")
    rest = len(raw) - content.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"{name} promises shape {shape} of {dtype}, but holds {rest} bytes")
    return np.load(io.BytesIO(raw), allow_pickle=False)

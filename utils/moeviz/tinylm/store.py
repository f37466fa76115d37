"""Weights on disk: an .npz of plain arrays, checked before a single number of it is used.

The members are stored, not compressed, so a small file cannot unfold into a large one, and their
dates are fixed, so the same weights give the same bytes.
"""

import functools
import json
from importlib import resources
from pathlib import Path

import numpy as np

from moeviz.checks import check_kind
from moeviz.files import npz, write_whole
from moeviz.tinylm.config import Config, weight_shapes
from moeviz.tinylm.model import TinyLM

FORMAT = "moeviz.tinylm 1"
MAX_BYTES = 4_000_000


@functools.cache
def load():
    """Return the trained course model that is stored with the package; read once, then shared.

    >>> len(load().route("moe"))
    2
    """
    return load_weights(resources.files("moeviz").joinpath("data", "tiny_moe.npz"))


def save(model, path):
    """Write a TinyLM to `path` (.npz); the same model gives the same bytes.

    The file is complete or not there at all. Raises ValueError for what is no TinyLM.
    """
    check_kind(model, "model", TinyLM)
    write_whole(Path(path), lambda file: npz.write(file, pack(model, FORMAT, model.weights)))


def load_weights(path):
    """Read a TinyLM from `path` (.npz).

    Raises ValueError saying what is wrong when the file is too large, truncated, compressed, of another
    format, made to be unpickled, or holds arrays of wrong names, shapes, dtypes or values; OSError when
    it cannot be read at all. Nothing in the file is ever unpickled.
    """
    return npz.load(Path(path), _model, max_bytes=MAX_BYTES, kind="weights file")


def unpack(archive, members, known, config_of, shapes_of):
    """Return (weights, config, provenance) of an opened file of the format `known`, or raise ValueError.

    config_of makes a Config of what the file says, shapes_of(config) the names and shapes of its arrays.
    """
    if any(info.compress_type for info in members.values()):
        raise ValueError("its arrays are compressed")
    about = npz.read_about(archive, members.pop("about", None), known)
    if not isinstance(about.get("provenance"), dict) or "config" not in about:
        raise ValueError("`about` must hold config and provenance")
    config = config_of(about["config"])
    wanted = set(shapes_of(config))
    if set(members) != wanted:
        missing, extra = sorted(wanted - set(members)), sorted(set(members) - wanted)
        raise ValueError(f"arrays missing: {missing}, not expected: {extra}")
    weights = {name: npz.read_array(archive, info) for name, info in members.items()}
    return weights, config, about["provenance"]


def pack(model, known, arrays):
    """Return {name: array} of a file of this format: the arrays, and what is known of the model.

    >>> sorted(pack(load(), FORMAT, {"a": np.zeros(2)}))
    ['a', 'about']
    """
    about = {"format": known, "config": vars(model.config), "provenance": dict(model.provenance)}
    return {"about": np.array(json.dumps(about, sort_keys=True)), **arrays}


def _model(archive, members):
    return TinyLM(*unpack(archive, members, FORMAT, Config.from_dict, weight_shapes))

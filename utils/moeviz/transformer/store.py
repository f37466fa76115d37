"""Weights on disk, as `tinylm.store` keeps them, but rounded to half precision: 2 bytes per weight.

What is loaded are the rounded numbers, as float32; so is what a page computes with.
"""

import functools
from pathlib import Path

import numpy as np

from moeviz.checks import check_kind
from moeviz.files import npz, stored, write_whole
from moeviz.tinylm.store import pack, unpack
from moeviz.transformer.config import Config, weight_shapes
from moeviz.transformer.model import Transformer

FORMAT = "moeviz.transformer 1"
MAX_BYTES = 4_000_000


def stored_path():
    """Return where the package keeps the trained model."""
    return stored("transformer.npz")


@functools.cache
def load():
    """Return the trained Transformer that is stored with the package; read once, then shared."""
    return load_weights(stored_path())


def save(model, path):
    """Write a Transformer to `path` (.npz), its weights as float16; the same model gives the same bytes.

    The file is complete or not there at all. Raises ValueError for what is no Transformer.
    """
    weights = check_kind(model, "model", Transformer).weights
    arrays = {name: array.astype(np.float16) for name, array in weights.items()}
    write_whole(Path(path), lambda file: npz.write(file, pack(model, FORMAT, arrays)))


def rounded(model):
    """Return the Transformer with the weights that it would have after `save` and `load_weights`."""
    weights = {name: array.astype(np.float16).astype(np.float32) for name, array in model.weights.items()}
    return Transformer(weights, model.config, model.provenance)


def load_weights(path):
    """Read a Transformer from `path` (.npz).

    Raises ValueError saying what is wrong with the file, as `tinylm.load_weights` does; OSError when it
    cannot be read at all. Nothing in the file is ever unpickled.
    """
    return npz.load(Path(path), _model, max_bytes=MAX_BYTES, kind="weights file")


def _model(archive, members):
    weights, config, provenance = unpack(archive, members, FORMAT, Config.from_dict, weight_shapes)
    halves = {name: array.dtype for name, array in weights.items() if array.dtype != np.float16}
    if halves:
        raise ValueError(f"its arrays must be float16, got {halves}")
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    return Transformer(weights, config, provenance)

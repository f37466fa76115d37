"""Files that are complete or not there at all."""

import os
from importlib import resources
from pathlib import Path


def write_whole(path, write):
    """Let `write` fill a file beside `path` and then give it that name, in one step."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            write(file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def check_target(path):
    """Return the Path that a long computation is to fill in the end, or raise ValueError before it begins.

    >>> check_target("nowhere/weights.npz")
    Traceback (most recent call last):
    ValueError: nowhere/weights.npz cannot be written: there is no folder nowhere
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{path} cannot be written: this user may not")
    return path


def stored(name):
    """Return where the package keeps one of its data files."""
    return Path(str(resources.files("moeviz").joinpath("data", name)))

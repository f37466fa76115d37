"""Folders that a command fills: written beside their place and swapped in whole; no others are touched."""

import contextlib
import pathlib
import shutil

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARK = ".written-by-moeviz"


@contextlib.contextmanager
def replaced(folder):
    """Yield a new folder to fill, which takes the place of `folder` once the block ends without an error.

    Raises ValueError where `folder` is not absent, empty or marked as written by this function, and where it
    is the project or holds it. What stood there stays until the new one is complete.
    """
    folder = check_target(folder)
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for left in (new, old):  # by an interruption
        check_target(left)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for left in (new, old):
        _delete(left)
    new.mkdir(parents=True)
    (new / MARK).write_text("python start.py writes this folder anew: keep nothing of your own here.\n")
    yield new
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    _delete(old)


def check_target(folder):
    """Return the folder's own path, or raise ValueError where it must not be replaced.

    >>> check_target(ROOT.parent)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: folder must not be the project or hold it, got /...
    """
    path = pathlib.Path(folder).resolve()
    if path == ROOT or path in ROOT.parents:
        raise ValueError(f"folder must not be the project or hold it, got {path}")
    if path.is_file():
        raise ValueError(f"folder must be a folder, and {path} is a file")
    if path.exists() and any(path.iterdir()) and not (path / MARK).is_file():
        raise ValueError(f"folder must be new or empty, and {path} holds other things: choose another")
    return path


def _delete(folder):
    if folder.exists():
        shutil.rmtree(folder)

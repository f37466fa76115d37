"""Files: arrays of an .npz file that a stranger made, files that are complete or not there, and our own data.

Sizes and headers are checked before anything is read. A member may be stored or deflated. Nothing is ever
unpickled, no name becomes a path, and at most as many bytes are unpacked as the limit allows. One array,
`about`, holds JSON that names the format.
"""

import io
import json
import math
import os
import struct
import zipfile
import zlib
from importlib import resources
from pathlib import Path

import numpy as np

from moeviz.checks import check_kind

MAX_DIRECTORY = 2_000_000  # bytes of the zip's list of members
MAX_ABOUT = 1_000_000
_DATE = (1980, 1, 1, 0, 0, 0)
HEAD, TORCH = 256, (".pt", ".pth", ".ckpt")  # bytes that are looked at; how such files are called
_END, _END_SIZE, _END_64 = b"PK\x05\x06", 22, b"PK\x06\x07"
_KINDS = "biufU"
_BROKEN = (ValueError, ArithmeticError, LookupError, RuntimeError, EOFError, NotImplementedError,
           MemoryError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error)


def write_npz(file, arrays):
    """Write {name: array} to an open file; the same arrays give the same bytes.

    >>> file = io.BytesIO()
    >>> write_npz(file, {"two": np.arange(2)})
    >>> np.load(io.BytesIO(file.getvalue()))["two"].tolist()
    [0, 1]
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), npy_bytes(array))


def load_npz(path, read, *, max_bytes, kind):
    """Return read(archive, {name: ZipInfo}) of a Path to an .npz file.

    max_bytes: what the file and the arrays in it may have. kind: what ValueErrors call it.
    Raises ValueError saying what is wrong with the file, OSError where it cannot be read at all.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is not a file")
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise ValueError(f"it has {size} bytes, more than the {max_bytes} allowed")
        _check_directory(path, size)
        with zipfile.ZipFile(path) as archive:
            return read(archive, _members(archive, max_bytes))
    except _BROKEN as error:
        raise ValueError(f"{path.name} is not a usable {kind}: {error}") from None
    except OSError as error:
        if error.filename is not None:
            raise
        raise ValueError(f"{path.name} is not a usable {kind}: {error}") from None


def refuse_programs(path):
    """Raise a ValueError for a file of torch.save: it holds a pickle, and to read one is to run it.

    >>> refuse_programs(Path("router.npz"))
    """
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD)
    if path.suffix.lower() in TORCH or b"data.pkl" in head:
        raise ValueError(f"{path.name} is a file of torch.save, a pickle, which reading would run; save "
                         f"arrays with numpy.save or safetensors and read them with moeviz.traces.read")


def read_about(archive, info, known):
    """Return the dictionary in the array `about`; ValueError where its format is not the one known."""
    if info is None:
        raise ValueError("it has no array `about` that names its format")
    if info.file_size > MAX_ABOUT:
        raise ValueError(f"`about` has {info.file_size} bytes, more than the {MAX_ABOUT} allowed")
    text = read_array(archive, info)
    if text.dtype.kind != "U" or text.ndim != 0:
        raise ValueError(f"`about` must be one text, got {text.dtype} of shape {text.shape}")
    about = json.loads(str(text))
    seen = about.get("format") if isinstance(about, dict) else type(about).__name__
    if seen != known:
        raise ValueError(f"its format must be {known!r}, got {seen!r}")
    return about


def read_array(archive, info):
    """Return one member as a read-only array; ValueError where header and length do not fit."""
    with archive.open(info) as stream:
        raw = stream.read(info.file_size)
    if len(raw) != info.file_size:
        raise ValueError(f"{info.filename} ends after {len(raw)} of {info.file_size} bytes")
    shape, fortran, dtype, start = _header(raw, info.filename)
    rest = len(raw) - start
    if math.prod(shape) * dtype.itemsize != rest:
        raise ValueError(f"{info.filename} promises shape {shape} of {dtype}, but holds {rest} bytes")
    return np.frombuffer(raw, dtype, offset=start).reshape(shape, order="F" if fortran else "C")


def npy_bytes(array):
    """Return the bytes of an array as an .npy file."""
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
    return content.getbuffer()


def _check_directory(path, size):
    """Refuse a list of members that would take more memory to read than any of our files needs."""
    with path.open("rb") as file:
        file.seek(max(0, size - _END_SIZE - 2**16))
        tail = file.read(_END_SIZE + 2**16)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise ValueError("it is no .npz file, or it ends too early")
    directory = struct.unpack_from("<L", tail, at + 12)[0]
    if directory > MAX_DIRECTORY or tail[max(0, at - 20):at].startswith(_END_64):
        raise ValueError("its list of arrays is too long")


def _members(archive, max_bytes):
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if total > max_bytes:
        raise ValueError(f"its arrays have {total} bytes, more than the {max_bytes} allowed")
    for info in infos:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} is packed in a way that is not read here")
        if info.flag_bits & 1:
            raise ValueError(f"{info.filename} is encrypted")
    members = {info.filename.removesuffix(".npy"): info for info in infos}
    if len(members) != len(infos):
        raise ValueError("a name stands in it twice")
    return members


def _header(raw, name):
    """Return shape, whether in Fortran order, dtype, and where the numbers start."""
    content = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(content)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the npy format")
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
        shape, fortran, dtype = read(content)
    except Exception as error:  # a broken header can raise nearly anything
        raise ValueError(f"{name} is no array: {error}") from None
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which would have to be unpickled")
    if dtype.kind not in _KINDS or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"{name} must hold numbers or text, got {dtype} of shape {shape}")
    return shape, fortran, dtype, content.tell()


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
    if not str(path):
        raise ValueError("a file's name is empty")
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


def stored_json(name):
    """Return what one of the package's JSON files holds.

    >>> stored_json("hardware.json")["hardware"][0]["name"]
    'H100 SXM'
    """
    return json.loads(stored(name).read_text(encoding="utf-8"))


def targets(options, own):
    """Return the Paths that a command writes: that of its --out, and with --replace the package's `own` file.

    Raises ValueError as `check_target` does.
    """
    named = (options.out, own if options.replace else None)
    return [check_target(path) for path in named if path is not None]


def load_runs(path, read_run, what):
    """Return (runs, about) of a JSON file of training runs that `write_runs` wrote.

    read_run: returns a checked run for one row of the file. Raises ValueError where it does not hold `what`.
    """
    path = Path(path)
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return [read_run(row) for row in check_kind(read["runs"], "runs", list)], dict(read["about"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must hold {what}, got {error!r}") from None


def write_runs(path, rows, about, fields=None):
    """Write rows to a JSON file, one a line, with a dictionary that says how they were made.

    fields: names of the places in a row, for who reads the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_runs(folder + "/a.json", [[1, 2.5]], {"python": "3"}, ["steps", "loss"])
    ...     load_runs(folder + "/a.json", tuple, "runs")
    ([(1, 2.5)], {'python': '3'})
    """
    names = f'"fields": {json.dumps(fields)},\n' if fields else ""
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = f'{{"about": {json.dumps(about, indent=1)},\n{names}"runs": [\n{lines}\n]}}\n'
    write_whole(Path(path), lambda file: file.write(text.encode()))

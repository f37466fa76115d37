"""The weights file: what is written is read back, and what was spoiled or made to harm is refused."""

import io
import json
import pickle
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeviz import text, tinylm
from moeviz.tinylm.model import STORED
from moeviz.tinylm.parts import MAX_BYTES


@pytest.fixture
def saved(small, tmp_path):
    path = tmp_path / "model.npz"
    tinylm.save(small, path)
    return path


def rewrite(path, *, change=None, add=(), drop=(), compression=zipfile.ZIP_STORED):
    """Write the archive again with some members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members = {name: raw for name, raw in {**members, **(change or {})}.items() if name not in drop}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, raw in [*members.items(), *add]:
            archive.writestr(name, raw)


def npy(array, allow_pickle=False):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(array), allow_pickle=allow_pickle)
    return content.getvalue()


def about(path):
    with np.load(path, allow_pickle=False) as archive:
        return json.loads(str(archive["about"]))


def refuse(path, word):
    with pytest.raises(ValueError, match=word) as caught:
        tinylm.load_weights(path)
    assert path.name in str(caught.value)


def test_what_was_saved_is_read_back(small, saved):
    again = tinylm.load_weights(saved)
    assert again.config == small.config and dict(again.provenance) == dict(small.provenance)
    assert all(np.array_equal(again.weights[name], array) for name, array in small.weights.items())


def test_the_same_model_gives_the_same_file(small, saved, tmp_path):
    tinylm.save(small, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numpy_itself_can_read_the_file(small, saved):
    with np.load(saved, allow_pickle=False) as archive:
        assert np.array_equal(archive["gate_1"], small.weights["gate_1"])


def test_the_stored_file_is_small_and_says_where_it_comes_from(stored):
    path = STORED
    assert path.stat().st_size < 1_500_000
    assert {"text_sha256", "seed", "steps", "python", "numpy", "held_out_loss"} <= set(stored.provenance)
    assert len(stored.provenance["text_sha256"]) == 64
    assert all(array.dtype == np.float32 for array in stored.weights.values())
    assert set(stored.provenance["held_out_loss"]) == set(text.DOMAIN_NAMES)


def test_load_reads_the_file_once(stored):
    assert tinylm.load() is stored


class Bomb:
    """Unpickling this would create a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_a_pickle_inside_is_refused_and_nothing_runs(saved, tmp_path):
    mark = tmp_path / "ran"
    hostile = npy(np.array([Bomb(str(mark))], dtype=object), allow_pickle=True)
    rewrite(saved, change={"gate_1.npy": hostile})
    refuse(saved, "pickle")
    rewrite(saved, change={"about.npy": hostile})
    refuse(saved, "pickle")
    assert not mark.exists()


def test_a_bare_pickle_is_refused_and_nothing_runs(tmp_path):
    path, mark = tmp_path / "model.npz", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Bomb(str(mark))))
    refuse(path, "no .npz file")
    assert not mark.exists()


def test_a_zip_bomb_is_refused(saved, tmp_path):
    rewrite(saved, change={"gate_1.npy": npy(np.zeros(30_000_000, dtype=np.uint8))},
            compression=zipfile.ZIP_DEFLATED)
    assert saved.stat().st_size < MAX_BYTES
    refuse(saved, "4000000 allowed")


def test_members_that_overlap_to_look_larger_are_refused(tmp_path):
    path, data, infos = tmp_path / "model.npz", bytes(1_000_000), []
    for i in range(9):
        info = zipfile.ZipInfo(f"a{i}.npy")
        info.file_size = info.compress_size = len(data)
        info.CRC = zlib.crc32(data)
        data = info.FileHeader() + data
        infos.append((info, len(data)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.fp.write(data)
        for info, size in infos:
            info.header_offset = len(data) - size
            archive.filelist.append(info)
        archive.start_dir, archive._didModify = len(data), True
    assert path.stat().st_size < MAX_BYTES
    refuse(path, "4000000 allowed")


def test_compressed_members_are_refused(saved):
    rewrite(saved, compression=zipfile.ZIP_DEFLATED)
    refuse(saved, "compressed")


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "model.npz"
    with open(path, "wb") as file:
        file.truncate(10**10)
    refuse(path, "10000000000 bytes")


def test_a_header_that_promises_more_than_it_holds_is_refused(saved):
    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
    rewrite(saved, change={"gate_1.npy": raw.getvalue() + b"1234"})
    refuse(saved, "promises")


@pytest.mark.parametrize("keep", [0, 1, 10, 500, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[:int(keep * len(content)) if isinstance(keep, float) else keep])
    refuse(saved, "not a usable weights file")


def test_another_version_is_refused_by_name(saved):
    rewrite(saved, change={"about.npy": npy(json.dumps({**about(saved), "format": "moeviz.tinylm 9"}))})
    refuse(saved, "moeviz.tinylm 9")


def test_a_changed_number_fails_the_checksum(saved):
    content = bytearray(saved.read_bytes())
    content[len(content) // 2] ^= 1
    saved.write_bytes(bytes(content))
    refuse(saved, "CRC")


@pytest.mark.parametrize(("value", "word"), [
    ("no json", "Expecting"), ("[]", "format"), ("{}", "format"), ("[" * 100_000, "not a usable"),
    ('{"format": "moeviz.tinylm 1"}', "config"),
    ('{"format": "moeviz.tinylm 1", "config": {}, "provenance": {}}', "config must hold"),
    ('{"format": "moeviz.tinylm 1", "config": 3, "provenance": {}}', "config must hold")])
def test_a_broken_about_is_refused(saved, value, word):
    rewrite(saved, change={"about.npy": npy(value)})
    refuse(saved, word)


@pytest.mark.parametrize(("name", "value"), [("width", 10**6), ("width", "64"), ("aux_weight", 10**400)])
def test_an_impossible_config_in_the_file_is_refused(saved, name, value):
    told = about(saved)
    told["config"][name] = value
    rewrite(saved, change={"about.npy": npy(json.dumps(told))})
    refuse(saved, "not a usable")


def test_missing_extra_and_doubled_arrays_are_refused(saved):
    good = saved.read_bytes()
    rewrite(saved, drop=["gate_2.npy"])
    refuse(saved, "gate_2")
    saved.write_bytes(good)
    rewrite(saved, add=[("more.npy", npy(np.zeros(3)))])
    refuse(saved, "not expected: \\['more'\\]")
    saved.write_bytes(good)
    with pytest.warns(UserWarning, match="Duplicate"):
        rewrite(saved, add=[("gate_2.npy", npy(np.zeros(3)))])
    refuse(saved, "twice")
    saved.write_bytes(good)
    rewrite(saved, drop=["about.npy"])
    refuse(saved, "no array `about`")


def test_wrong_values_in_the_file_are_refused(saved):
    good = saved.read_bytes()
    for array, word in [(np.zeros((6, 5), dtype=np.float32), "shape"),
                        (np.zeros((6, 4), dtype=int), "float32"),
                        (np.full((6, 4), np.inf, dtype=np.float32), "finite")]:
        saved.write_bytes(good)
        rewrite(saved, change={"gate_1.npy": npy(array)})
        refuse(saved, word)
    saved.write_bytes(good)
    rewrite(saved, change={"gate_1.npy": b"not an array"})
    refuse(saved, "gate_1")


def test_a_folder_or_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="not a file"):
        tinylm.load_weights(tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing"):
        tinylm.load_weights(tmp_path / "nothing.npz")


@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=40))
def test_a_spoiled_file_gives_a_model_or_a_value_error(tmp_path_factory, place, junk):
    path = STORED
    content = bytearray(path.read_bytes())
    start = -(place % 3000) - len(junk) if place % 2 else place % len(content)
    content[start:start + len(junk)] = junk
    spoiled = tmp_path_factory.getbasetemp() / "spoiled.npz"
    spoiled.write_bytes(content)
    try:
        tinylm.load_weights(spoiled)
    except ValueError as error:
        assert "spoiled.npz" in str(error)

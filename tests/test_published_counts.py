"""Published counts: read from a copy where there is one, fetched from the test's own server, not trusted."""

import collections
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import pickle
import pickletools
import threading
import urllib.request

import numpy as np
import pytest

from cases import cases
from moeviz import metrics, routing, traces
from moeviz.traces import counts as published
from moeviz.traces.counts import load_counters

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = pathlib.Path(os.environ.get("MOEVIZ_COUNTS", ROOT.parent / "shared" / "data" / "olmoe_routing"))
needs_copy = pytest.mark.skipif(not COPY.is_dir(), reason="no copy of the published counts here")

COUNTERS = [collections.Counter({0: 5, 3: 2**40}), collections.Counter({(0, 3): 1})]
NUMPY = [collections.Counter({np.int64(2): 5, np.int32(1): np.int64(7)}),
         collections.Counter({(np.int64(1), np.uint8(200)): 4, (np.dtype(">i4").type(3), np.int16(0)): 1})]
PLAIN = [{2: 5, 1: 7}, {(1, 200): 4, (3, 0): 1}]


# --- the pickles

@cases("protocol", range(2, 6))
def test_counters_come_back_as_plain_dicts(protocol):
    assert load_counters(pickle.dumps(COUNTERS, protocol), "x") == [dict(counter) for counter in COUNTERS]
    got = load_counters(pickle.dumps(NUMPY, protocol), "x") if protocol > 2 else PLAIN
    assert got == PLAIN
    assert {type(part) for key in got[1] for part in key} == {int}


@cases("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_the_names_of_both_numpys_are_known(module):
    content = pickle.dumps([collections.Counter({np.int64(2): 5})], 3)
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(b"c" + name + b"\n", b"c" + module + b"\n")
    assert b"c" + module + b"\n" in content
    assert load_counters(content, "x") == [{2: 5}]


def test_big_endian_and_negative_numbers_are_read_as_they_are():
    scalar = np.int64(1).__reduce__()[0]
    content = pickle.dumps([{1: Call(scalar, np.dtype(">i2"), b"\x01\x02"), 2: np.int16(258)}], 4)
    assert load_counters(content, "x") == [{1: 258, 2: 258}]
    with pytest.raises(ValueError, match="at least 0"):
        load_counters(pickle.dumps([collections.Counter({1: np.int8(-3)})]), "x")


class Call:
    """Calls any function with any arguments when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def reduced(function, *arguments, state=None):
    """Return a pickle that calls a function, with a state for its result where one is given."""
    parts = Call(function, *arguments)
    if state is not None:
        parts.__class__ = type("Stated", (Call,), {"__reduce__": lambda self: (function, arguments, state)})
    return parts


def deep_tuple(depth=60):
    """Return a pickle of a tuple that holds itself twice, again and again, as the key of a dict."""
    body = b"\x80\x04]}(K\x01\x94"
    body += b"".join(b"h" + bytes([at]) + b"h" + bytes([at]) + b"\x86\x94" for at in range(depth))
    return body + b"K\x01ua."


class TestHostile:
    def hostile(self, trap):
        """Return {what it is: pickle}; those that can touch the trap would do so when loaded plainly."""
        touch = f"__import__('pathlib').Path({str(trap)!r}).touch()"
        return {
            "os.system": pickle.dumps([Call(os.system, f"touch {trap}")]),
            "eval": pickle.dumps(Call(eval, touch)),
            "exec in a key": pickle.dumps([{Call(exec, touch): 1}]),
            "nested reduce": pickle.dumps([collections.Counter({1: 1}), Call(getattr, Call(
                __import__, "os"), "system")]),
            "a Counter of a call": pickle.dumps([reduced(collections.Counter, Call(eval, touch))]),
            "a method": pickle.dumps([Call(pathlib.Path.touch, trap)]),
            "a global by its old name": b"cos\nsystem\n(S'touch " + str(trap).encode() + b"'\ntR.",
            "inst": b"(S'touch " + str(trap).encode() + b"'\nios\nsystem\n.",
            "obj": b"(cos\nsystem\nS'touch " + str(trap).encode() + b"'\no.",
            "an attribute of an allowed name": b"\x80\x04\x8c\x0bcollections\x8c\x0dCounter.clear\x93.",
            "the module of an allowed name": b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.",
            "a persistent id": b"Pabc\n.",
            "an extension code": b"\x80\x02\x82\x01.",
        }

    def test_nothing_runs(self, tmp_path):
        trap = tmp_path / "sprung"
        for what, content in self.hostile(trap).items():
            with pytest.raises(ValueError, match="x is no list of counters"):
                load_counters(content, "x")
            assert not trap.exists(), what

    def test_the_traps_are_real(self, tmp_path):
        trap = tmp_path / "sprung"
        for what in ("os.system", "eval", "a method", "inst"):
            pickle.loads(self.hostile(trap)[what])
            assert trap.exists(), what
            trap.unlink()


@cases(("content", "message"), [
    (b"", "no list of counters"),
    (pickle.dumps(COUNTERS)[:-9], "no list of counters"),
    (pickle.dumps(collections.Counter({1: 1})), "it holds dict where"),
    (pickle.dumps([[1, 2]]), "it holds list where"),
    (pickle.dumps([{1: 1.5}]), "instruction BINFLOAT"),
    (pickle.dumps([{1: "many"}]), "a count must be a whole number"),
    (pickle.dumps([{1: 2**60}]), "a count must be a whole number"),
    (pickle.dumps([{"one": 1}]), "a key must be"),
    (pickle.dumps([{(1, 2, 3): 1}]), "a key must be"),
    (pickle.dumps([{-1: 1}]), "a key must be"),
    (pickle.dumps([{2**40: 1}]), "a key must be"),
    (pickle.dumps([np.array([1, 2])]), "it asks for"),
    (pickle.dumps([collections.Counter({1: np.float64(2)})]), "numpy.dtype 'f8' is no whole number"),
    (pickle.dumps([collections.Counter("abc"), reduced(collections.Counter, "abc")]), "no dict"),
    (pickle.dumps([reduced(np.dtype, "O")]), "is no whole number"),
    (pickle.dumps([reduced(np.dtype, "i8", state=(3, "<", None))]), "it holds _Integer"),
    (pickle.dumps([reduced(np.dtype, "i8", state=(3, "?", None))]), "a state that is not known"),
    (b"\x80\x04]" + b"a" * 9 + b".", "no list of counters"),
    (b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + b".", "it holds list where"),
    (b"\x80\x04\x8d" + (2**62).to_bytes(8, "little") + b"x.", "no list of counters"),
    (b"\x80\x04\x8a\xff.", "no list of counters"),
    (bytes(1_000_001), "1000001 bytes, more than the 1000000 allowed"),
    (deep_tuple(), "it uses a tuple twice"),
])
def test_what_is_no_list_of_counters_is_refused(content, message):
    with pytest.raises(ValueError) as error:
        load_counters(content, "x")
    assert message in str(error.value)


def test_the_deep_tuple_is_what_it_says():
    assert sum(code.name == "TUPLE2" for code, _, _ in pickletools.genops(deep_tuple(4))) == 4
    assert len(pickle.loads(deep_tuple(4))[0]) == 3


# --- the files, made here and served from here

@pytest.fixture
def world(tmp_path, monkeypatch):
    """Serve made-up counts in the place of the published ones; yield (url, folder, files, requests)."""
    rng, files = np.random.default_rng(0), {}
    index = published._index()
    for about in index["models"].values():
        size = about["num_experts"] = 4
        for domain in index["domains"]:
            one = [collections.Counter(dict(enumerate(rng.integers(0, 50, size)))) for _ in range(3)]
            two = [collections.Counter({(a, b): a + b for a in range(size) for b in range(size)})] * 2
            files[f"{about['folder']}/expert_counts/{domain}.pkl"] = pickle.dumps(one)
            files[f"{about['folder']}/expert_counts_crosslayer/{domain}.pkl"] = pickle.dumps(two)
    index["files"] = {path: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                      for path, content in files.items()}
    monkeypatch.setattr(published, "_index", lambda: json.loads(json.dumps(index)))
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.removeprefix("/counts/")
            requests.append(path)
            self.send_response(200 if path in files else 404)
            self.end_headers()
            self.wfile.write(files.get(path, b""))

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/counts", tmp_path / "data", files, requests
    server.shutdown()
    server.server_close()


def test_a_download_says_what_it_fetches_and_reads_it(world, capsys):
    url, folder, files, requests = world
    counts = traces.download_counts(folder, base_url=url)
    said = capsys.readouterr().out
    size = sum(map(len, files.values())) / 1e6
    assert f"Fetching 20 files, {size:.1f} MB, from {url} into {folder}." in said
    assert "github.com/allenai/OLMoE" in said and "Apache-2.0" in said
    assert sorted(requests) == sorted(files)
    assert list(counts) == ["OLMoE-1B-7B", "Mixtral 8x7B"]
    first = pickle.loads(files["mistral/expert_counts/book.pkl"])[1]
    assert counts["Mixtral 8x7B"].table(7)[1].tolist() == [first[expert] for expert in range(4)]
    assert counts["OLMoE-1B-7B"].flow(0)[1, 3] == 5 * 4


def test_a_second_download_fetches_only_what_is_missing_or_broken(world, capsys):
    url, folder, files, requests = world
    traces.download_counts(folder, base_url=url)
    requests.clear()
    gone, broken = list(files)[3], list(files)[5]
    (folder / gone).unlink()
    (folder / broken).write_bytes(files[broken][:-1] + b"x")
    traces.download_counts(folder, base_url=url)
    assert sorted(requests) == sorted([gone, broken])
    assert "Fetching 2 files" in capsys.readouterr().out
    assert {path.name[0] for path in folder.rglob("*")} & {"."} == set()


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"x",
                                    lambda content: b"x" + content[1:]])
def test_a_file_that_is_not_the_published_one_is_not_written(world, change):
    url, folder, files, _ = world
    path = next(iter(files))
    files[path] = change(files[path])
    with pytest.raises(ValueError, match="is not the published file"):
        traces.download_counts(folder, base_url=url)
    assert not (folder / path).exists()


def test_a_file_that_was_changed_on_disk_is_not_unpickled(world, monkeypatch, tmp_path):
    url, folder, files, _ = world
    traces.download_counts(folder, base_url=url)
    path = next(iter(files))
    (folder / path).write_bytes(pickle.dumps([Call(pathlib.Path.touch, tmp_path / "sprung")]))
    monkeypatch.setattr(published, "load_counters", lambda *arguments: pytest.fail("it was read"))
    with pytest.raises(ValueError, match="is not the published file"):
        traces.published_counts(folder)


def test_a_server_that_does_not_answer_and_a_missing_file_say_so(world):
    url, folder, files, _ = world
    files.pop(next(iter(files)))
    with pytest.raises(OSError, match=r"could not be fetched: HTTP Error 404"):
        traces.download_counts(folder, base_url=url)
    with pytest.raises(FileNotFoundError, match="download_counts fetches it"):
        traces.published_counts(folder)


def test_the_index_pins_a_commit_and_names_every_file():
    index = published._index()
    assert index["commit"] in index["base_url"] and len(index["commit"]) == 40
    assert index["base_url"].startswith("https://raw.githubusercontent.com/allenai/OLMoE/")
    assert len(index["files"]) == 20
    assert all(len(noted["sha256"]) == 64 for noted in index["files"].values())


# --- the real files, where there is a copy of them

@needs_copy
class TestRealCounts:
    def test_sums_and_margins_fit(self):
        counts = traces.published_counts(COPY)
        for model, k in (("OLMoE-1B-7B", 8), ("Mixtral 8x7B", 2)):
            assert (counts[model].experts.sum(axis=2) == 208_896 * k).all()
            assert np.array_equal(counts[model].pairs.sum(axis=3), counts[model].experts[:, :2])
            assert np.array_equal(counts[model].pairs.sum(axis=2), counts[model].experts[:, 1:])

    def test_experts_are_topics_in_one_model_and_not_in_the_other(self):
        found = {model: [metrics.information_of_table(counts.table(layer)) for layer in counts.layers]
                 for model, counts in traces.published_counts(COPY).items()}
        assert np.round(found["OLMoE-1B-7B"], 2).tolist() == [0.17, 0.40, 0.50]
        assert np.round(found["Mixtral 8x7B"], 3).tolist() == [0.003, 0.004, 0.009]

    def test_the_null_lies_far_below(self):
        rng = np.random.default_rng(0)
        for counts in traces.published_counts(COPY).values():
            for layer in counts.layers:
                null = metrics.information_of_table_null(counts.table(layer), rng=rng, repeats=3)
                assert 10 * null < metrics.information_of_table(counts.table(layer))

    def test_they_agree_with_a_plain_unpickling(self):
        plain = pickle.loads((COPY / "mistral/expert_counts_crosslayer/c4.pkl").read_bytes())
        got = traces.published_counts(COPY)["Mixtral 8x7B"].pairs[2]
        assert all(got[layer][key] == count for layer in (0, 1) for key, count in plain[layer].items())
        assert got.sum() == sum(sum(counter.values()) for counter in plain)


def test_a_place_far_beyond_the_file_is_refused():
    """Nine bytes that would make the reader keep 4 GB of places."""
    with pytest.raises(ValueError, match="keeps a thing at place 4294967295"):
        load_counters(b"\x80\x02]r\xff\xff\xff\xff.", "nine bytes")


def test_a_refused_file_leaves_the_reader_as_it_was():
    wanted = [collections.Counter({np.int64(3): np.int64(5)})]
    spoils = pickle.dumps(wanted)
    with pytest.raises(ValueError):
        load_counters(b"ccollections\nCounter\n}X\x01\x00\x00\x00xK\x01sb.", "a state for Counter")
    assert load_counters(spoils, "whole") == [{3: 5}]


@pytest.mark.parametrize("error", [http.client.IncompleteRead(b"x"), http.client.BadStatusLine("x"),
                                   http.client.InvalidURL("x"), OSError("gone")])
def test_a_download_that_breaks_off_is_an_error_of_the_system(monkeypatch, tmp_path, error):
    def fail(*arguments, **named):
        raise error

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(OSError, match="could not be fetched"):
        traces.download_counts(tmp_path)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_path_that_is_none_is_named():
    with pytest.raises(ValueError, match="path must be text or a Path, got None"):
        traces.load_trace(None)


def test_damaged_archives_are_named(tmp_path):
    rng = np.random.default_rng(0)
    trace = traces.trace_of([routing.top_k(rng.standard_normal((40, 4)), 2)], model="m")
    traces.save_trace(trace, tmp_path / "a.npz")
    whole = (tmp_path / "a.npz").read_bytes()
    for _ in range(200):
        broken = bytearray(whole)
        broken[rng.integers(len(broken) - 200, len(broken))] ^= int(rng.integers(1, 256))
        (tmp_path / "b.npz").write_bytes(broken)
        try:
            traces.load_trace(tmp_path / "b.npz")
        except ValueError as error:
            assert "b.npz" in str(error)

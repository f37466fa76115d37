"""Published counts: those of the package, pickled ones that are not trusted, and real files where present."""

import collections
import os
import pathlib
import pickle
import pickletools

import numpy as np
import pytest

from cases import cases
from moeviz import metrics, routing, traces
from moeviz.traces.counts import load_counters

pytestmark = pytest.mark.slow
ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = pathlib.Path(os.environ.get("MOEVIZ_COUNTS", ROOT.parent / "shared" / "data" / "olmoe_routing"))
FOLDERS = {"olmoe": 8, "mistral": 2}  # choices per token
DOMAINS = ("arxiv", "book", "c4", "github", "wikipedia")
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


# --- the real files, where there is a copy of them

@needs_copy
class TestRealCounts:
    def test_sums_and_margins_fit(self):
        for name, k in FOLDERS.items():
            for domain in DOMAINS:
                counts = traces.read(COPY / name / "expert_counts" / f"{domain}.pkl").experts[0]
                file = COPY / name / "expert_counts_crosslayer" / f"{domain}.pkl"
                pairs = load_counters(file.read_bytes(), "x")
                assert (counts.sum(axis=1) == 208_896 * k).all()
                for layer, pair in enumerate(pairs):
                    table = np.zeros((counts.shape[1],) * 2, int)
                    for key, count in pair.items():
                        table[key] = count
                    assert np.array_equal(table.sum(axis=1), counts[layer])
                    assert np.array_equal(table.sum(axis=0), counts[layer + 1])

    def test_they_agree_with_a_plain_unpickling(self):
        path = COPY / "mistral/expert_counts_crosslayer/c4.pkl"
        plain = pickle.loads(path.read_bytes())
        assert load_counters(path.read_bytes(), "x") == [dict(counter) for counter in plain]


def test_experts_are_topics_in_one_model_and_not_in_the_other():
    found = {model: [metrics.information_of_table(counts.table(layer)) for layer in counts.layers]
             for model, counts in traces.real_counts().items()}
    assert np.round(found["OLMoE-1B-7B"], 2).tolist() == [0.17, 0.40, 0.50]
    assert np.round(found["Mixtral 8x7B"], 3).tolist() == [0.003, 0.004, 0.009]


def test_the_null_lies_far_below():
    rng = np.random.default_rng(0)
    for counts in traces.real_counts().values():
        for layer in counts.layers:
            null = metrics.information_of_table_null(counts.table(layer), rng=rng, repeats=3)
            assert 10 * null < metrics.information_of_table(counts.table(layer))


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

"""Traces: what is kept of a routing, files that come back as they were, and files that are refused."""

import dataclasses
import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import EMPTY, files, routing, tinylm, traces
from moeviz.capacity import apply_capacity
from moeviz.files import npy_bytes
from moeviz.traces import trace as trace_module
from moeviz.traces.trace import Trace

LOGITS = np.random.default_rng(0).normal(size=(3, 10, 6)).astype(np.float32)
WAYS = {
    "softmax": lambda logits: routing.top_k(logits, 2, renormalize=False),
    "renormalised": lambda logits: routing.top_k(logits, 3),
    "sigmoid": lambda logits: routing.sigmoid_top_k(logits, 2, bias=np.arange(6) / 50, scale=2.5),
    "dropped": lambda logits: apply_capacity(routing.top_k(logits, 2), 2),
    "free": lambda logits: routing.top_p(logits, 0.6),
    "hash": lambda logits: routing.hash_route(np.arange(len(logits)), 6, 2),
}
FIELDS = ("expert_index", "combine_weight", "kept", "probs")


def a_trace(way="softmax", **more):
    return traces.trace_of([WAYS[way](layer) for layer in LOGITS], model="toy", layers=[3, 5, 9], **more)


def labelled():
    return a_trace(tokens=np.arange(10) * 7, sequence=np.arange(10) // 5, domain=np.arange(10) % 2,
                   domain_names=("prose", "code"))


def same_routing(one, other):
    return all(np.allclose(getattr(one, name), getattr(other, name), atol=1e-6) for name in FIELDS)


# --- the record

@cases("way", WAYS)
def test_a_trace_gives_back_every_routing_after_saving_and_loading_too(way, tmp_path):
    trace = a_trace(way)
    traces.save_trace(trace, tmp_path / "a.npz")
    for kept in (trace, traces.load_trace(tmp_path / "a.npz")):
        for layer, logits in zip((3, 5, 9), LOGITS, strict=True):
            assert same_routing(kept.routing(layer), WAYS[way](logits))
            assert kept.routing(layer).label == f"toy, layer {layer}"


def test_tokens_texts_and_domains_come_back(tmp_path):
    traces.save_trace(labelled(), tmp_path / "a.npz")
    back = traces.load_trace(tmp_path / "a.npz")
    for name in ("tokens", "sequence", "domain"):
        assert getattr(back, name).tolist() == getattr(labelled(), name).tolist()
    assert (back.model, back.layers, back.domain_names) == ("toy", (3, 5, 9), ("prose", "code"))
    assert "10 tokens, 3 layers, E = 6, 60 choices; with logits, tokens, sequence, domain" in repr(back)
    assert "with nothing else" in repr(a_trace("hash"))


def test_the_course_model_survives_a_trip_to_the_disk(tmp_path):
    made = tinylm.load().route("Route me, 3 times.")
    traces.save_trace(traces.trace_of(made, model="course model"), tmp_path / "a.npz")
    back = traces.load_trace(tmp_path / "a.npz")
    for layer, routed in zip(back.layers, made, strict=True):
        assert np.array_equal(back.routing(layer).expert_index, routed.expert_index)
        assert np.abs(back.routing(layer).combine_weight - routed.combine_weight).max() <= 1e-6


def test_a_trace_is_small_and_cannot_be_written_to():
    mine = np.array([[0, 1], [2, EMPTY]])
    trace = Trace("m", 200, (1,), (mine,), (np.array([[0.5, 0.5], [1, 0]]),), scores="weights")
    assert (trace.index[0].dtype, trace.weight[0].dtype) == (np.int16, np.float32)
    mine[0, 0] = 7
    assert trace.index[0][0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        trace.index[0][0, 0] = 1


def test_shares_without_logits_are_those_of_the_weights():
    index, weight = [[2, 0], [1, EMPTY], [EMPTY, EMPTY]], np.array([[3.0, 1], [0.2, 0], [0, 0]])
    trace = Trace("m", 4, (1,), (index,), (weight,), scores="weights")
    assert trace.routing(1).probs.tolist() == [[0.25, 0, 0.75, 0], [0, 1, 0, 0], [0.25] * 4]


GOOD = {"model": "m", "num_experts": 3, "layers": (1, 2), "scores": "weights",
        "index": (np.array([[0, 1], [2, EMPTY]]),) * 2, "weight": (np.array([[0.5, 0.5], [1.0, 0.0]]),) * 2}
WRONG = {
    "model must be text": {"model": 3},
    "num_experts must be a whole number": {"num_experts": 0},
    "layers must be one or more different": {"layers": (1, 1)},
    "layers must be a whole number": {"layers": (1, "2")},
    "index must hold one array for each of the 2 layers": {"index": GOOD["index"][:1]},
    "index of layer 1 must lie in 0..1": {"num_experts": 2},
    "index of layer 1 must hold whole numbers": {"index": (np.ones((2, 2)),) * 2},
    "index of layer 2 must have shape (2, k)": {"index": (GOOD["index"][0], np.zeros((3, 1), int))},
    "names an expert twice for token 1": {"index": (np.array([[0, 1], [2, 2]]),) * 2},
    "weight of layer 1 must have shape (2, 2)": {"weight": (np.ones((2, 3)),) * 2},
    "weight of layer 1 must be at least 0, and 0 where": {"weight": (np.full((2, 2), 0.5),) * 2},
    "weight of layer 1 must be finite": {"weight": (np.array([[np.nan, 0], [1, 0]]),) * 2},
    "scores must be softmax, sigmoid or sqrtsoftplus with logits": {"scores": "softmax"},
    "logits of layer 1 must have shape (2, 3)": {"scores": "softmax", "logits": (np.ones((2, 2)),) * 2},
    "kept of layer 1 must be bool, and False where": {"kept": (np.ones((2, 2), bool),) * 2},
    "tokens must have shape (2,)": {"tokens": [1, 2, 3]},
    "tokens must be at least 0": {"tokens": [1, -2]},
    "domain and domain_names": {"domain": [0, 0]},
    "domain must lie in 0..0": {"domain": [0, 1], "domain_names": ("a",)},
    "domain_names must be different": {"domain": [0, 1], "domain_names": ("a", "a")},
}


@cases("message", WRONG)
def test_a_field_that_does_not_fit_is_named(message):
    Trace(**GOOD)
    with pytest.raises(ValueError) as error:
        Trace(**GOOD | WRONG[message])
    assert message in str(error.value)


def test_an_unknown_layer_is_named_beside_the_known():
    with pytest.raises(ValueError, match=r"layer must be one of 3, 5, 9, got 4"):
        a_trace().routing(4)


def test_routings_that_a_trace_cannot_rebuild_are_refused():
    made = routing.top_k(LOGITS[0], 2)
    odd = dataclasses.replace(made, probs=np.full(made.probs.shape, 1 / 6))
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        traces.trace_of([odd], model="m")
    with pytest.raises(ValueError, match="at least one"):
        traces.trace_of([], model="m")
    with pytest.raises(ValueError, match="index of layer 2"):
        traces.trace_of([made, routing.top_k(LOGITS[0][:4], 2)], model="m")


# --- counts

@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
def test_counts_are_what_a_loop_counts(seed, k, free):
    rng = np.random.default_rng(seed)
    made = [routing.top_p(x, 0.6) if free else routing.top_k(x, k) for x in rng.normal(size=(2, 9, 5))]
    if made[0].k != made[1].k:
        return
    domain = rng.integers(0, 2, 9)
    got = traces.counts_of(traces.trace_of(made, model="m", domain=domain, domain_names=("a", "b")))
    experts, pairs = np.zeros((2, 2, 5), int), np.zeros((2, 1, 5, 5), int)
    for token in range(9):
        for slot in range(made[0].k):
            chosen = [routed.expert_index[token, slot] for routed in made]
            for layer, expert in enumerate(chosen):
                experts[domain[token], layer, expert] += expert != EMPTY
            if EMPTY not in chosen:
                pairs[domain[token], 0, chosen[0], chosen[1]] += 1
    assert np.array_equal(got.experts, experts)
    assert np.array_equal(got.pairs, pairs)
    assert np.array_equal(got.table(1), experts[:, 0])
    assert np.array_equal(got.flow(1), pairs[:, 0].sum(axis=0))


def test_counts_of_a_single_layer_have_no_pairs():
    counts = traces.counts_of(traces.trace_of([WAYS["softmax"](LOGITS[0])], model="m"))
    assert counts.domain_names == ("all",)
    assert counts.pairs.shape == (1, 0, 6, 6)
    with pytest.raises(ValueError, match="must not be the last"):
        counts.flow(1)


@cases(("experts", "pairs", "message"), [
    (np.ones((2, 2, 3)), np.ones((2, 1, 3, 3), int), "experts must hold whole numbers"),
    (np.ones((1, 2, 3), int), np.ones((2, 1, 3, 3), int), "experts must have shape"),
    (np.ones((2, 2, 3), int), np.ones((2, 2, 3, 3), int), "pairs must have shape"),
    (np.ones((2, 2, 3), int), -np.ones((2, 1, 3, 3), int), "pairs must hold whole numbers of at least 0"),
])
def test_counts_that_do_not_fit_are_refused(experts, pairs, message):
    with pytest.raises(ValueError, match=message):
        traces.Counts("m", (0, 1), ("a", "b"), experts, pairs)


@cases(("model", "layers", "names", "message"), [
    (7, (0, 1), ("a", "b"), "model must be text"), ("m", 2, ("a", "b"), "layers must be a list"),
    ("m", (1, 1), ("a", "b"), "layers must be one or more different numbers"),
    ("m", (0.0, 1.0), ("a", "b"), "layers must be a whole number"),
    ("m", (0, 1), "ab", "domain_names must be a list"), ("m", (0, 1), (1, 2), "domain_names must be diff"),
])
def test_counts_need_a_name_numbers_of_layers_and_texts(model, layers, names, message):
    with pytest.raises(ValueError, match=message):
        traces.Counts(model, layers, names, np.ones((2, 2, 3), int), np.ones((2, 1, 3, 3), int))


def test_what_is_no_trace_is_named():
    with pytest.raises(ValueError, match="trace must be a Trace, got Routing"):
        traces.counts_of(routing.top_k(LOGITS[0], 2))
    with pytest.raises(ValueError, match="routings must be a list, got Routing"):
        traces.trace_of(routing.top_k(LOGITS[0], 2), model="m")
    with pytest.raises(ValueError, match="layers must be a list, got 3"):
        traces.trace_of([routing.top_k(LOGITS[0], 2)], model="m", layers=3)


# --- files

def members_of(trace, tmp_path):
    """Return {name: array} of a saved trace."""
    traces.save_trace(trace, tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz", allow_pickle=False) as file:
        return dict(file)


def about(members, **changes):
    """Return members with another `about`; a value of None takes the field out."""
    text = json.loads(str(members["about"])) | changes
    return members | {"about": np.array(json.dumps({k: v for k, v in text.items() if v is not None}))}


def load_of(members, path, *, save=np.savez, **limits):
    save(path, **members)
    return traces.load_trace(path, **limits)


def test_the_file_is_what_its_documentation_says(tmp_path):
    members = members_of(labelled(), tmp_path)
    per_layer = {f"{name}_{layer}" for name in ("index", "weight", "logits") for layer in (3, 5, 9)}
    assert set(members) == {"about", "tokens", "sequence", "domain"} | per_layer
    assert json.loads(str(members["about"])) == {
        "format": "moeviz.trace", "version": 1, "model": "toy", "num_experts": 6, "layers": [3, 5, 9],
        "scores": "softmax", "domain_names": ["prose", "code"]}
    assert (members["index_3"] == WAYS["softmax"](LOGITS[0]).expert_index).all()


def test_a_file_written_by_hand_is_read_packed_or_not(tmp_path):
    members = members_of(labelled(), tmp_path)
    members["index_3"] = members["index_3"].astype(">i8")
    members["logits_5"] = np.asfortranarray(members["logits_5"])
    for save in (np.savez, np.savez_compressed):
        back = load_of(members, tmp_path / "b.npz", save=save)
        assert same_routing(back.routing(3), labelled().routing(3))
        assert same_routing(back.routing(5), labelled().routing(5))


@cases("renormalize", [True, False])
def test_logits_alone_are_enough_with_the_name_of_the_router(renormalize, tmp_path):
    members = members_of(a_trace(), tmp_path)
    logits = {name: array for name, array in members.items() if "logits" in name or name == "about"}
    back = load_of(about(logits, router={"top_k": 2, "renormalize": renormalize}), tmp_path / "b.npz")
    assert same_routing(back.routing(9), routing.top_k(LOGITS[2], 2, renormalize=renormalize))


def test_the_same_trace_gives_the_same_bytes_and_leaves_nothing_beside_it(tmp_path):
    for name in ("a.npz", "b.npz"):
        traces.save_trace(labelled(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    traces.save_trace(labelled(), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    monkeypatch.setattr(files, "npy_bytes", lambda array: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        traces.save_trace(a_trace(), tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    with pytest.raises(ValueError, match="trace must be a Trace, got dict"):
        traces.save_trace({}, tmp_path / "a.npz")


BROKEN = {
    "no array `about`": lambda m: {name: array for name, array in m.items() if name != "about"},
    "`about` must be one text": lambda m: m | {"about": np.arange(3)},
    "its format must be 'moeviz.trace', got 'moeviz.tinylm 1'": lambda m: about(m, format="moeviz.tinylm 1"),
    "its version must be 1, got 2": lambda m: about(m, version=2),
    "`about` must hold model as str": lambda m: about(m, model=None),
    "`about` must hold layers as list": lambda m: about(m, layers="3"),
    "num_experts must be a whole number": lambda m: about(m, num_experts=True),
    "not part of the format: ['logits_9']": lambda m: {
        n: a for n, a in about(m, layers=[3, 5]).items() if n not in ("index_9", "weight_9")},
    "layer 5 must have index_5 and weight_5": lambda m: {n: a for n, a in m.items() if n != "weight_5"},
    "need `router` with top_k": lambda m: {
        n: a for n, a in m.items() if n not in ("weight_5", "index_5")},
    "top_k must be a whole number between 1 and 6": lambda m: {n: a for n, a in about(
        m, router={"top_k": 7, "renormalize": True}).items() if n not in ("weight_5", "index_5")},
    "logits must be there for every layer": lambda m: {n: a for n, a in m.items() if n != "logits_3"},
    "must lie in 0..5": lambda m: m | {"index_3": m["index_3"] + 3},
    "weight of layer 3 must have shape (10, 2)": lambda m: m | {"weight_3": m["weight_3"][:, :1]},
    "logits of layer 9 must have shape (10, 6)": lambda m: m | {"logits_9": m["logits_9"].T},
    "index of layer 9 must have shape (10, k)": lambda m: m | {"index_9": m["index_9"][:4]},
    "weight of layer 3 must be finite": lambda m: m | {"weight_3": m["weight_3"] * np.inf},
    "weight of layer 5 must hold real numbers": lambda m: m | {"weight_5": m["index_5"].astype(np.int8)},
    "index of layer 5 must hold whole numbers": lambda m: m | {"index_5": m["index_5"].astype("U2")},
    "index_5.npy must hold numbers or text": lambda m: m | {"index_5": m["index_5"].astype("S2")},
    "domain must lie in 0..1": lambda m: m | {"domain": m["domain"] + 1},
    "would have to be unpickled": lambda m: m | {"tokens": np.array([print] * 10, dtype=object)},
}


@cases("message", BROKEN)
def test_a_file_that_is_no_trace_is_refused_and_says_why(message, tmp_path):
    members = members_of(labelled(), tmp_path)
    with pytest.raises(ValueError) as error:
        load_of(BROKEN[message](members), tmp_path / "b.npz")
    assert "b.npz is not a usable trace: " in str(error.value)
    assert message in str(error.value)


def test_every_cut_and_every_flipped_byte_is_refused_or_harmless(tmp_path):
    traces.save_trace(labelled(), tmp_path / "a.npz")
    content, path = (tmp_path / "a.npz").read_bytes(), tmp_path / "b.npz"
    for end in range(0, len(content), 61):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="not a usable trace"):
            traces.load_trace(path)
    for at in range(0, len(content), 37):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1:])
        try:
            traces.load_trace(path)
        except ValueError as error:
            assert "not a usable trace" in str(error)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    members = members_of(labelled(), tmp_path)
    big = members | {"tokens": np.zeros(3_000_000, np.int64)}
    np.savez_compressed(tmp_path / "bomb.npz", **big)
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000
    monkeypatch.setattr(trace_module, "read_array", lambda *arguments: pytest.fail("something was read"))
    with pytest.raises(ValueError, match=r"its arrays have 24\d+ bytes, more than the 1000000 allowed"):
        traces.load_trace(tmp_path / "bomb.npz", max_bytes=1_000_000)
    with pytest.raises(ValueError, match=r"it has \d+ bytes, more than the 100 allowed"):
        traces.load_trace(tmp_path / "bomb.npz", max_bytes=100)


def test_a_bomb_that_lies_about_its_size_is_cut_off(tmp_path):
    members = members_of(labelled(), tmp_path)
    np.savez_compressed(tmp_path / "a.npz", **members | {"tokens": np.zeros(3_000_000, np.int64)})
    content = (tmp_path / "a.npz").read_bytes()
    real = npy_bytes(np.zeros(3_000_000, np.int64)).nbytes
    lie = content.replace(struct.pack("<L", real), struct.pack("<L", 208))
    assert lie != content
    (tmp_path / "b.npz").write_bytes(lie)
    with pytest.raises(ValueError, match="not a usable trace"):
        traces.load_trace(tmp_path / "b.npz", max_bytes=1_000_000)


def test_a_small_file_whose_routings_would_be_huge_is_refused(tmp_path):
    index = np.zeros((1000, 1), np.int8)
    trace = Trace("m", 30_000, (1,), (index,), (np.ones((1000, 1), np.float32),), scores="weights")
    traces.save_trace(trace, tmp_path / "a.npz")
    with pytest.raises(ValueError, match="shares of a layer would take 120000000 bytes"):
        traces.load_trace(tmp_path / "a.npz", max_bytes=1_000_000)


@pytest.mark.slow
def test_a_directory_that_is_too_long_is_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:080}.npy", b"")
    (tmp_path / "a.npz").write_bytes(content.getvalue())
    with pytest.raises(ValueError, match="list of arrays is too long"):
        traces.load_trace(tmp_path / "a.npz")


def raw_zip(path, **options):
    """Write an .npz by hand, with members given as bytes."""
    with zipfile.ZipFile(path, "w", options.pop("compression", zipfile.ZIP_STORED)) as archive:
        for name, content in options["members"]:
            archive.writestr(name, content)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_nothing_of_a_pickle_runs(tmp_path):
    trap = tmp_path / "sprung"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", 118)
    header += b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    raw_zip(tmp_path / "a.npz", members=[("about.npy", header + pickle.dumps(Trap(trap)))])
    with pytest.raises(ValueError, match="would have to be unpickled"):
        traces.load_trace(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(ValueError, match=r"no \.npz file"):
        traces.load_trace(tmp_path / "b.npz")
    assert not trap.exists()


@cases(("change", "message"), [
    ({"members": [("about.npy", b"hello")]}, "about.npy is no array"),
    ({"members": [("about.npy", b"\x93NUMPY\x09\x00" + bytes(20))]}, "about.npy is no array: version"),
    ({"members": [("about.npy", npy_bytes(np.array("hello"))[:-4])]},
     "promises shape () of <U5, but holds 16"),
    ({"members": [("about.npy", bytes(npy_bytes(np.array("hello"))) + b"x")]}, "but holds 21 bytes"),
    ({"members": [("../../x.npy", b"")]}, "no array `about`"),
    ({"members": [("about.npy", b"hello")], "compression": zipfile.ZIP_LZMA}, "packed in a way"),
    ({"members": [("about.npy", npy_bytes(np.array("[" * 100_000)))]}, "not a usable trace"),
])
def test_members_made_by_hand_are_refused(change, message, tmp_path):
    raw_zip(tmp_path / "a.npz", **dict(change))
    with pytest.raises(ValueError) as error:
        traces.load_trace(tmp_path / "a.npz")
    assert message in str(error.value)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path):
    raw_zip(tmp_path / "a.npz", members=[("about.npy", b"1"), ("about.npy", b"2")])
    with pytest.raises(ValueError, match="a name stands in it twice"):
        traces.load_trace(tmp_path / "a.npz")


def test_what_is_no_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        traces.load_trace(tmp_path)
    with pytest.raises(FileNotFoundError):
        traces.load_trace(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="max_bytes must be a whole number"):
        traces.load_trace(tmp_path / "none.npz", max_bytes=0.5)


@pytest.mark.parametrize("name", ["router.pt", "router.npz"])
def test_a_file_of_torch_is_refused_in_words(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n")
    for reader in (traces.load_trace, traces.read):
        with pytest.raises(ValueError, match=f"{name} is a file of torch.save, a pickle, .* safetensors"):
            reader(tmp_path / name)


def test_a_capture_of_choices_alone_comes_back_from_its_file(tmp_path):
    trace = traces.read(np.array([[[3, 1], [0, 2]], [[1, 0], [2, 3]]]))
    traces.save_trace(trace, tmp_path / "choices.npz")
    loaded = traces.load_trace(tmp_path / "choices.npz")
    assert loaded.weight is None and loaded.scores == "choices"
    assert [index.tolist() for index in loaded.index] == [index.tolist() for index in trace.index]

"""Reading what servers return, in every shape; what looks broken in it; joining and taking parts."""

import base64
import json
import pathlib
import struct
import types

import numpy as np
import pytest

from cases import cases
from moeviz import traces
from moeviz.routing import top_k
from moeviz.traces import inspect, read
from moeviz.traces.trace import is_mapped

T, L, K, E = 120, 3, 3, 16
DRAW = np.random.default_rng(0)
IDS = np.argsort(DRAW.random((T, L, E)), axis=2)[:, :, :K]
WEIGHTS = np.sort(DRAW.random((T, L, K)))[:, :, ::-1].astype(np.float32)
CONFIG = {"model_type": "qwen3_moe", "num_hidden_layers": L, "num_experts": E, "num_experts_per_tok": K}
COUNTS = pathlib.Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def same(trace, ids=IDS):
    """Whether a trace holds these ids (T, L, k)."""
    return len(trace.index) == ids.shape[1] and all(
        np.array_equal(index, ids[:, at]) for at, index in enumerate(trace.index))


def base(ids):
    return base64.b64encode(ids.astype("<i4").tobytes()).decode()


def test_arrays_of_any_kind():
    assert same(read(IDS)) and same(read(IDS.astype(np.uint8))) and same(read(IDS.tolist()))
    assert same(read(IDS[:, 0]), IDS[:, :1]) and read(IDS[:, 0]).scores == "choices"
    assert read(IDS, num_experts=40).num_experts == 40 and read(IDS, config=CONFIG).num_experts == E
    assert read(IDS, layers=[7, 8, 9]).layers == (7, 8, 9)
    routed = read(IDS).routing(0)
    assert routed.combine_weight is None and routed.probs is None and routed.k == K


def test_weights_bring_choices_into_order():
    upside_down = read(IDS[:, :, ::-1], weights=WEIGHTS[:, :, ::-1])
    assert same(upside_down) and upside_down.scores == "weights"
    assert np.allclose(upside_down.weight[1], WEIGHTS[:, 1])
    with pytest.raises(ValueError, match="must fall along each row, best choice first"):
        traces.Trace("m", E, (0,), (IDS[:, 0],), (WEIGHTS[:, 0, ::-1],))


def test_responses_of_vllm():
    response = {"model": "m", "prompt_token_ids": list(range(100)),
                "prompt_routed_experts": IDS[:100].tolist(),
                "choices": [{"index": 0, "routed_experts": IDS[100:].tolist(), "token_ids": list(range(21))}]}
    trace = read(response)
    assert same(trace) and trace.model == "m" and trace.tokens.tolist() == [*range(100), *range(20)]
    two = response | {"choices": [{"routed_experts": IDS[100:].tolist()},
                                  {"routed_experts": IDS[100:110].tolist()}]}
    assert read(two).sequence.tolist() == [0] * T + [1] * 110
    answer = types.SimpleNamespace(routed_experts=IDS[100:], token_ids=list(range(20)))
    offline = types.SimpleNamespace(prompt_token_ids=list(range(100)), prompt_routed_experts=IDS[:100],
                                    outputs=[answer])
    assert same(read(offline)) and read(offline).tokens[-1] == 19
    dense_first = np.concatenate([np.zeros_like(IDS[:, :1]), IDS], axis=1)
    assert read(dense_first).layers == (1, 2, 3) and same(read(dense_first))


def test_responses_of_sglang():
    inside = {"meta_info": {"routed_experts": base(IDS)}}
    assert same(read(inside, config=CONFIG)) and same(read(inside, layers=range(L), k=K))
    assert same(read({"choices": [{"sgl_ext": {"routed_experts": base(IDS)}}]}, config=CONFIG))
    padded = np.concatenate([IDS, np.full((5, L, K), -1)])
    assert (read({"routed_experts": base(padded)}, config=CONFIG).index[0][-5:] == -1).all()
    shared = np.concatenate([IDS, np.full((T, L, 1), E)], axis=2)
    assert same(read(shared, num_experts=E))
    assert same(read({"meta_info": {"routed_experts": base(shared)}}, config=CONFIG))
    with pytest.raises(ValueError, match="flat ids need config="):
        read(inside)
    with pytest.raises(ValueError, match="1080 ids do not fold into rows of 7 layers"):
        read(inside, layers=range(7), k=K)
    with pytest.raises(ValueError, match="is no base64"):
        read({"routed_experts": "%%%"}, config=CONFIG)


def log_lines(tmp_path, name, rows):
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / name


def test_files_of_every_kind(tmp_path):
    lines = [f"{layer},{' '.join(map(str, IDS[token, layer]))}" for token in range(T) for layer in range(L)]
    quoted = [f'{line[0]},"{line[2:].replace(" ", ",")}"' for line in lines]
    for written in (lines, quoted):
        (tmp_path / "a.csv").write_text("\n".join(["layer_id,expert_ids", *written]))
        assert same(read(tmp_path / "a.csv"))
    rows = [{"layer": layer, "topk_ids": IDS[token, layer].tolist(),
             "topk_weights": WEIGHTS[token, layer].tolist()}
            for token in range(T) for layer in range(L)]
    logged = read(log_lines(tmp_path, "a.jsonl", rows))
    assert same(logged) and np.allclose(logged.weight[2], WEIGHTS[:, 2])
    apart = [log_lines(tmp_path, f"moe_layer{layer}.jsonl", [row for row in rows if row["layer"] == layer])
             for layer in range(L)]
    assert same(read(apart))
    np.save(tmp_path / "a.npy", IDS.astype(np.uint8))
    assert same(read(tmp_path / "a.npy"))
    np.savez(tmp_path / "a.npz", routed=IDS, share=WEIGHTS)
    np.savez(tmp_path / "b.npz", **{f"layer_{layer + 4}": IDS[:, layer] for layer in range(L)})
    assert same(read(tmp_path / "a.npz")) and read(tmp_path / "a.npz").weight is not None
    assert same(read(tmp_path / "b.npz")) and read(tmp_path / "b.npz").layers == (4, 5, 6)
    traces.save_trace(logged, tmp_path / "own.npz")
    assert same(read(tmp_path / "own.npz"))
    header = json.dumps({"ids": {"dtype": "I32", "shape": [T, L, K], "data_offsets": [0, 4 * IDS.size]},
                         "__metadata__": {"a": "b"}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header
                                             + IDS.astype("<i4").tobytes())
    assert same(read(tmp_path / "a.safetensors"))
    (tmp_path / "a.json").write_text(json.dumps({"prompt_routed_experts": IDS.tolist()}))
    assert same(read(tmp_path / "a.json"))


def test_lines_of_the_atlas(tmp_path):
    def activation(token, layer, slot):
        return {"layer": layer, "token_idx": token, "expert_idx": int(IDS[token, layer, slot]),
                "gate_weight": float(WEIGHTS[token, layer, slot])}

    one = {"model_id": "q", "num_experts": E, "top_k": K, "token_ids": list(range(T)), "activations": [
        activation(token, layer, slot) for slot in (2, 0, 1) for layer in range(L) for token in range(T)]}
    trace = read(log_lines(tmp_path, "a.jsonl", [one, one]))
    assert same(trace, np.concatenate([IDS, IDS])) and trace.model == "q"
    assert trace.sequence.tolist() == [0] * T + [1] * T
    assert same(read(log_lines(tmp_path, "b.jsonl", one["activations"])))


def test_counters_become_counts(tmp_path):
    class Frame:
        columns = ("code", "prose")

        def to_numpy(self):
            return np.array([[1, 2], [3, 4], [0, 5]])

    assert read(Frame()).table(0).tolist() == [[1, 3, 0], [2, 4, 5]]
    (tmp_path / "github.json").write_text(json.dumps({"layer_3": {"0": 5, "2": 1}, "layer_9": {"1": 6}}))
    counts = read(tmp_path / "github.json")
    assert (counts.layers, counts.domain_names, counts.table(3).tolist()) == ((3, 9), ("github",),
                                                                              [[5, 0, 1]])
    folder = COUNTS / "olmoe_routing" / "olmoe" / "expert_counts"
    if folder.exists():
        both = read([folder / "github.pkl", folder / "c4.pkl"], layers=(0, 7, 15))
        assert both.experts.sum(axis=2).tolist() == [[1_671_168] * 3] * 2


def test_requests_are_joined_and_parts_taken():
    joined = read([IDS[:50], IDS[50:]], names=["a", "b"])
    assert same(joined) and joined.domain.tolist() == [0] * 50 + [1] * 70 and joined.domain_names == ("a",
                                                                                                      "b")
    part = joined.part(slice(40, 60), layers=[2])
    assert part.num_tokens == 20 and part.layers == (2,) and part.sequence.tolist() == [0] * 10 + [1] * 10
    assert np.array_equal(joined.part(joined.domain == 1).index[0], IDS[50:, 0])
    with pytest.raises(ValueError, match="tokens must leave at least one"):
        joined.part(slice(0, 0))
    with pytest.raises(ValueError, match="one layers"):
        traces.join([read(IDS), read(IDS, layers=[4, 5, 6])])


BAD = {
    "expert ids must be whole numbers": np.full((2, 1, 2), 0.5),
    "must have shape (T, L, k)": np.zeros((2, 1, 2, 2), int),
    "names an expert twice": np.array([[[1, 1]]]),
    "the response holds none of prompt_routed_experts": {"choices": [{"text": "hello"}]},
}


@cases("message", BAD)
def test_what_does_not_fit_is_named(message):
    with pytest.raises(ValueError) as error:
        read(BAD[message])
    assert message in str(error.value)


def test_ids_beyond_the_experts_are_named():
    with pytest.raises(ValueError, match="layer 0 names expert 16 for token 3, beyond the 16 experts"):
        read(np.where(np.arange(T)[:, None, None] == 3, 16, IDS), num_experts=16)
    with pytest.raises(ValueError, match="they wrapped at 256"):
        read(IDS.astype(np.uint8), num_experts=384)


HOSTILE = {
    "a.npy": b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i8', 'fortran_order': False, 'shape': (True, 40), }"
             + b" " * 60,
    "b.npy": b"no array", "a.npz": b"PK\x03\x04 damaged", "a.json": b"[" * 200_000,
    "b.json": b"{\"a\": 1e999}",
    "a.jsonl": b"[1]\n", "a.csv": b"layer_id,expert_ids\nx,1 2\n", "a.pkl": b"cos\nsystem\n(S'ls'\ntR.",
    "a.safetensors": b"\xff" * 16, "c.json": b'{"routed_experts": ' + b"9" * 5000 + b"}",
    "b.safetensors": struct.pack("<Q", 70) + json.dumps(
        {"x": {"dtype": "I32", "shape": [9, 9], "data_offsets": [0, 4]}}).encode().ljust(70) + b"1234",
}


@cases("name", HOSTILE)
def test_hostile_files_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(HOSTILE[name])
    with pytest.raises(ValueError):
        read(tmp_path / name)


def test_large_files_are_refused_before_they_are_read(tmp_path):
    np.save(tmp_path / "a.npy", IDS)
    with pytest.raises(ValueError, match="more than the 100 allowed"):
        read(tmp_path / "a.npy", max_bytes=100)
    with pytest.raises(OSError):
        read(tmp_path / "absent.npy")


def found(ids, **given):
    return {finding.name: finding for finding in inspect(read(ids, **given)).findings}


def test_what_is_whole_looks_whole():
    assert found(IDS) == {} and str(inspect(read(IDS))) == "nothing looks broken"
    assert inspect(read(IDS))._repr_html_() == "<p>nothing looks broken</p>"


def test_identical_rows_are_found_with_their_places():
    head = np.concatenate([np.repeat(IDS[:1], 500, axis=0), np.repeat(IDS[1:2], 20, axis=0), IDS])
    runs = found(head)["identical rows"]
    assert runs.rows.tolist()[-1] in (519, 520) and "2 runs" in runs.text and "from token 0" in runs.text
    seen = inspect(read(head))
    whole, clean = seen.with_rows[0], seen.without_rows[0]
    assert whole["share"] > 0.25 > clean["share"] and whole["entropy_bits"] < clean["entropy_bits"]


def test_stale_rows_repeated_turns_and_rows_without_choices_are_found():
    stale = IDS.copy()
    stale[::4] = stale[0]
    assert found(stale)["stale rows"].rows.tolist() == list(range(0, T, 4))
    twice = found(np.concatenate([IDS, IDS[20:60]]))["repeated turns"]
    assert twice.rows.tolist() == list(range(T, T + 40)) and "100 rows earlier" in twice.text
    padded = IDS.copy()
    padded[[4, 9]] = -1
    padded[11] = 0
    assert found(padded)["rows without choices"].rows.tolist() == [4, 9, 11]


def test_sorted_ids_dead_layers_and_ids_below_256_are_found():
    assert "choices sorted by id" in found(np.sort(IDS, axis=2))
    dead = IDS.copy()
    dead[:, 1] = [3, 1, 2]
    assert found(dead)["dead layer"].layers == (1,)
    assert "ids below 256" in found(IDS, num_experts=384)


def test_a_routed_trace_still_needs_logits_only_where_it_has_them():
    trace = traces.trace_of([top_k(DRAW.standard_normal((30, 8)), 2)], model="m")
    assert trace.scores == "softmax" and inspect(trace).findings == ()


def test_the_broken_capture_leads_to_the_public_conclusion_and_out_of_it():
    """17.2 % on one expert and 4.10 bits of 5.91 in the log; 5.89 bits and MaxVio 0.41 without its head."""
    trace = traces.broken_capture(rng=np.random.default_rng(0))
    assert (trace.num_tokens, trace.layers, trace.num_experts) == (12_805, (0, 12, 23), 60)
    seen = inspect(trace)
    assert [finding.name for finding in seen.findings] == ["identical rows"]
    assert np.array_equal(seen.findings[0].rows, np.arange(8448))
    whole, clean = seen.with_rows[0], seen.without_rows[0]
    assert whole["share"] == pytest.approx(0.172, abs=5e-4)
    assert whole["entropy_bits"] == pytest.approx(4.10, abs=5e-3)
    assert clean["entropy_bits"] == pytest.approx(5.89, abs=5e-3)
    assert whole["max_violation"] == pytest.approx(9.30, abs=5e-3)
    assert clean["max_violation"] == pytest.approx(0.41, abs=5e-3)
    assert whole["repetition"] > 0.66
    shown = seen._repr_html_()
    assert shown.startswith("<p>identical rows: 8448 of 12,805") and shown.count("<tr>") == 4
    assert "<td class=\"word\">4.10 → 5.89</td>" in shown and "4.10 -> 5.89" in str(seen)


def test_counts_of_real_models_are_in_the_package():
    counts = traces.real_counts()
    assert counts["OLMoE-1B-7B"].experts.sum(axis=2).tolist() == [[1_671_168] * 3] * 5
    assert counts["Mixtral 8x7B"].experts.sum(axis=2).tolist() == [[417_792] * 3] * 5
    with pytest.raises(ValueError, match="the pairs of 'OLMoE-1B-7B' are not known"):
        counts["OLMoE-1B-7B"].flow(0)
    folder = COUNTS / "olmoe_routing"
    if folder.exists():
        for name, each in (("olmoe", counts["OLMoE-1B-7B"]), ("mistral", counts["Mixtral 8x7B"])):
            files = [folder / name / "expert_counts" / f"{domain}.pkl" for domain in each.domain_names]
            known = read(files, layers=each.layers)
            assert np.array_equal(each.experts, known.experts) and known.domain_names == each.domain_names


def test_a_mapped_file_stays_one(tmp_path, monkeypatch):
    monkeypatch.setattr("moeviz.traces.capture.MAPPED", 0)
    np.save(tmp_path / "a.npy", IDS.astype(np.uint8))
    trace = read(tmp_path / "a.npy", num_experts=E)
    assert all(is_mapped(index) and index.dtype == np.uint8 for index in trace.index)
    assert same(trace) and inspect(trace).findings == ()
    assert trace.routing(1).expert_index.dtype == np.int64

"""The commands `trace` and `count`: numbers against counting by hand, the page, and how they end."""

import html.parser
import json
import subprocess
import sys

import numpy as np
import pytest

from moeviz import report, traces
from moeviz.__main__ import main

DRAW = np.random.default_rng(1)
IDS = np.argsort(DRAW.random((300, 2, 8)), axis=2)[:, :, :2]


@pytest.fixture
def capture(tmp_path):
    np.save(tmp_path / "a.npy", IDS)
    return tmp_path / "a.npy"


def measured(ids, **given):
    return report.measure(traces.read(ids, **given), rng=np.random.default_rng(0))


def test_numbers_agree_with_counting_by_hand():
    found = measured(IDS)
    layer = found["layers"][1]
    counts = [int((IDS[:, 1] == expert).sum()) for expert in range(8)]
    assert layer["load"] == counts and layer["busiest_share"] == max(counts) / sum(counts)
    assert layer["max_violation"] == pytest.approx(max(counts) / np.mean(counts) - 1)
    share = np.array(counts) / sum(counts)
    assert layer["entropy_bits"] == pytest.approx(-(share * np.log2(share)).sum())
    first = IDS[:, 1, 0]
    assert layer["repetition"] == pytest.approx(np.mean(first[1:] == first[:-1]))
    touched = dict(map(tuple, layer["touched"]))
    assert touched[1] == 2 and touched[64] == np.mean([len(np.unique(IDS[at:at + 64, 1]))
                                                       for at in range(0, 256, 64)])
    one, other, together = layer["pairs"][0]
    chose = (IDS[:, 1] == one).any(axis=1)
    assert together == pytest.approx((IDS[chose, 1] == other).any(axis=1).mean())
    assert layer["cache"][-1][1] > 0.98 and found["flow"][0]["from"] == 0
    flow = found["flow"][0]["strongest"][0]
    assert flow[2] == int(((IDS[:, 0, 0] == flow[0]) & (IDS[:, 1, 0] == flow[1])).sum())


def test_domains_are_told_where_they_are_given():
    apart = np.concatenate([IDS[:100] % 4 * 2, IDS[:100] % 4 * 2 + 1])
    apart = apart[(apart[:, :, 0] != apart[:, :, 1]).all(axis=1)]
    half = int((apart[:, 0, 0] % 2 == 0).sum())
    trace = traces.read([apart[:half], apart[half:]], names=["even", "odd"])
    known = report.measure(trace, rng=np.random.default_rng(0))["layers"][0]["information"]
    assert known["bits"] == pytest.approx(1, abs=0.05) and known["if_shuffled"] < 0.3


def test_comparing_two_captures_of_the_same_tokens():
    other = IDS.copy()
    other[:30, 0] = other[:30, 0, ::-1]
    other[30:60, 1, 1] = (other[30:60, 1].max(axis=1) + 1) % 8
    other[:, 1, 1] = np.where(other[:, 1, 1] == other[:, 1, 0], (other[:, 1, 0] + 1) % 8, other[:, 1, 1])
    found = report.compare(traces.read(IDS), traces.read(other, num_experts=8))
    first, second = found["layers"]
    assert (first["sets"], first["shared"], first["first"], first["load_distance"]) == (1, 1, 0.9, 0)
    equal = [set(a) == set(b) for a, b in zip(IDS[:, 1].tolist(), other[:, 1].tolist(), strict=True)]
    assert second["sets"] == pytest.approx(np.mean(equal)) and second["load_distance"] > 0
    shorter = report.compare(traces.read(IDS), traces.read(IDS[:100], num_experts=8))
    assert not shorter["aligned"] and "sets" not in shorter["layers"][0]
    with pytest.raises(ValueError, match="share no layer"):
        report.compare(traces.read(IDS), traces.read(IDS, layers=[5, 6]))


class Balanced(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_escapes_names(capture, capsys):
    page, other = capture.with_name("r.html"), capture.with_name("<b>&.npy")
    np.save(other, IDS[:, :, ::-1])
    assert main(["trace", str(capture), "--html", str(page), "--compare", str(other)]) == 0
    text = page.read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and "<b>&" not in text
    assert not any("src" in attrs or "href" in attrs for _, attrs in parser.seen)
    assert sum(tag == "i" for tag, _ in parser.seen) == 16 and "default-src 'none'" in text
    assert "same first" in capsys.readouterr().out


def test_the_same_numbers_as_json(capture, capsys):
    assert main(["trace", str(capture), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == measured(capture) | {"model": "a"}


def test_count_prints_the_ledger(tmp_path, capsys):
    (tmp_path / "config.json").write_text('{"model_type": "mixtral", "num_shared_experts": 3}')
    assert main(["count", str(tmp_path / "config.json")]) == 0
    printed = capsys.readouterr()
    assert "46,702,792,704" in printed.out
    assert "warning: config.json of type 'mixtral': num_shared_experts not read" in printed.err


@pytest.mark.parametrize(("text", "message"), [
    ("{", "is no config.json"), ('{"model_type": "mixtrall"}', "the nearest is 'mixtral'"), ("[" * 100_000,
                                                                               "is no config.json")])
def test_errors_are_one_line(tmp_path, capsys, text, message):
    (tmp_path / "config.json").write_text(text)
    assert main(["count", str(tmp_path / "config.json")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_words_without_a_file_stay_a_sentence(capsys):
    assert main(["count me in"]) == 0
    assert "load:" in capsys.readouterr().out


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path):
    np.save(tmp_path / "a.npy", np.argsort(DRAW.random((50, 40, 8)), axis=2)[:, :, :2])
    command = f"{sys.executable} -m moeviz trace {tmp_path / 'a.npy'}"
    headed = subprocess.run(f"{command} | head -1", shell=True, capture_output=True, text=True, check=True)
    assert headed.stderr == "" and headed.stdout.count("\n") == 1
    closed = subprocess.run(f"{command} >&-", shell=True, capture_output=True, text=True, check=True)
    assert "Traceback" not in closed.stderr


def test_the_page_shows_the_tokens_above_their_experts(capture, capsys):
    words = capture.with_name("w.json")
    words.write_text(json.dumps(["<s>", "two words", "\n", *["x"] * 297]))
    page = capture.with_name("r.html")
    assert main(["trace", str(capture), "--text", str(words), "--layers", "3,7", "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and "<s>" not in text and "two\u00b7words" in text
    titles = [attrs["title"] for tag, attrs in parser.seen if tag == "span"]
    assert len(titles) == 240 * 2
    chosen = ", ".join(map(str, IDS[1, 1]))
    assert titles[3] == f"'two words', layer 7: {chosen}" and "layers 3, 7" in text
    words.write_text(json.dumps(["too", "few"]))
    assert main(["trace", str(capture), "--text", str(words), "--html", str(page)]) == 2
    assert "must hold a text for each of the 300 tokens, got 2" in capsys.readouterr().err


def test_domains_and_layers_are_named_on_the_command_line(capture, capsys):
    other, per_token = capture.with_name("b.npy"), capture.with_name("d.json")
    np.save(other, IDS[:100])
    assert main(["trace", str(capture), str(other), "--domains", "prose,code", "--layers", "4-5",
                 "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["layer"] for each in found["layers"]] == [4, 5] and found["layers"][0]["information"]
    per_token.write_text(json.dumps(["a", "b"] * 150))
    assert main(["trace", str(capture), "--domains", str(per_token), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["layers"][0]["information"]["bits"] < 0.2
    for options, message in ((["--domains", "a,b"], "must name each of the 1 files"),
                             (["--layers", "x"], "must be numbers such as 3-60"),
                             (["--layers", "3"], "layers must name the 2 layers")):
        assert main(["trace", str(capture), *options]) == 2
        assert message in capsys.readouterr().err


def test_a_report_is_named_after_all_its_captures_and_has_no_empty_column(capture, capsys):
    other, page = capture.with_name("b.npy"), capture.with_name("r.html")
    np.save(other, IDS[:100])
    assert main(["trace", str(capture), str(other), "--html", str(page)]) == 0
    assert capsys.readouterr().out.startswith("a, b: 400 tokens")
    text = page.read_text(encoding="utf-8")
    assert "<main><h1>Routing of a, b</h1>" in text and "<p>Share of the choices" in text
    assert main(["trace", str(capture), "--compare", str(other)]) == 0
    said = capsys.readouterr().out
    assert "distance of loads" in said and "same set" not in said


def test_a_file_that_is_not_there_is_named_in_plain_words(tmp_path, capsys):
    missing = tmp_path / "none.json"
    assert main(["count", str(missing)]) == 2
    assert capsys.readouterr().err.strip().endswith(f"count: {missing}: No such file or directory")

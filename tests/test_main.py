"""`python -m moeviz`: the picture in the terminal, its colours, its widths, and what it refuses."""

import errno
import io
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moeviz import __main__ as commands
from moeviz import metrics, terminal, text, tinylm
from moeviz.record import EMPTY, Routing
from moeviz.style import expert_colors

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SENTENCE = "The router reads 8 bytes."


def routing_of(first, num_experts=8, kept=None):
    first = np.array(first)
    probs = np.full((len(first), num_experts), 1 / num_experts)
    kept = np.ones((len(first), 1), dtype=bool) if kept is None else np.array(kept)[:, None]
    return Routing(None, probs, first[:, None], np.where(first == EMPTY, 0.0, 1.0)[:, None], kept, "by hand")


class Console(io.TextIOWrapper):
    """Standard input or output of a test: bytes below, an encoding, and a terminal or not."""

    def __init__(self, content=b"", encoding="utf-8", tty=False):
        super().__init__(io.BytesIO(content), encoding=encoding, newline="")
        self.tty = tty

    def isatty(self):
        return self.tty

    def shown(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def run(monkeypatch):
    """Return a function that runs the command line and gives back its exit code and its output."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")

    def call(*argv, stdin=b"", stdin_tty=False, tty=False, encoding="utf-8"):
        out = Console(encoding=encoding, tty=tty)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stdin", Console(stdin, tty=stdin_tty))
        try:
            code = terminal.main(list(argv))
        except SystemExit as stop:
            code = stop.code
        return code, out.shown()
    return call


def test_the_picture_by_hand():
    shown = terminal.show([routing_of([2, 0, 2], num_experts=3)], ["a", "␣", "日"], width=80)
    assert shown.splitlines() == [
        "by hand",
        "a␣日",
        "202 ",
        "load: share of all 3 choices; an even share is 33.3 %",
        " 0  █████.....  33.3%   1  ..........   0.0%   2  ██████████  66.7%",
    ]


def test_the_real_sentence_layer_by_layer(run):
    code, shown = run(SENTENCE)
    assert code == 0
    lines = shown.splitlines()
    for layer in tinylm.load().route(SENTENCE):
        start = lines.index(layer.label)
        assert lines[start + 1] == SENTENCE.replace(" ", "␣")
        assert lines[start + 2] == "".join(map(str, layer.expert_index[:, 0]))
        shares = [float(share) for share in re.findall(r"([\d.]+)%", "".join(lines[start + 4:start + 7]))]
        np.testing.assert_allclose(shares, 100 * metrics.load(layer), atol=0.051)


def test_colours_are_those_of_the_experts_with_readable_ink():
    shown = terminal.show([routing_of(range(8))], list("abcdefgh"), color=True)
    for letter, color in zip("abcdefgh", expert_colors(8), strict=True):
        r, g, b = (int(color[i:i + 2], 16) for i in (1, 3, 5))
        assert re.search(rf"\x1b\[38;2;(0;0;0|255;255;255)m\x1b\[48;2;{r};{g};{b}m{letter}\x1b\[0m", shown)
    assert "\x1b[38;2;0;0;0m\x1b[48;2;240;228;66m" in shown
    assert "\x1b[38;2;255;255;255m\x1b[48;2;0;0;0m" in shown


def test_without_colours_the_words_are_the_same(run):
    colored, plain = run(SENTENCE, "--color")[1], run(SENTENCE, "--no-color")[1]
    assert "\x1b" in colored and "\x1b" not in plain
    assert ANSI.sub("", colored) == plain


@pytest.mark.parametrize(("tty", "environment", "flags", "expected"), [
    (True, {}, [], True), (False, {}, [], False), (True, {"NO_COLOR": "1"}, [], False),
    (True, {"NO_COLOR": ""}, [], True), (True, {"TERM": "dumb"}, [], False),
    (True, {}, ["--no-color"], False), (False, {"NO_COLOR": "1"}, ["--color"], True)])
def test_when_there_is_colour(run, monkeypatch, tty, environment, flags, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[48;2;" in run(SENTENCE, *flags, tty=tty)[1]) is expected


def test_dropped_bytes_and_bytes_without_expert_are_marked():
    shown = terminal.show([routing_of([1, 1, EMPTY], kept=[True, False, False])], list("abc"), color=True)
    assert ANSI.sub("", shown).splitlines()[2] == "1--"


def columns(line):
    """Count the columns of a terminal by its own rules, apart from the module's."""
    wide = {"W": 2, "F": 2}
    return sum(wide.get(unicodedata.east_asian_width(c), 1) for c in line
               if unicodedata.category(c) not in ("Mn", "Me", "Cf"))


@given(st.text(min_size=1, max_size=60, alphabet=st.characters(exclude_categories=["Cs"])),
       st.integers(2, 60))
def test_every_byte_has_one_cell_above_its_number(sentence, width):
    labels = text.byte_labels(sentence)
    experts = np.arange(len(labels)) % 8
    lines = terminal.show([routing_of(experts)], labels, width=width).split("\n")
    end = next(i for i, line in enumerate(lines) if line.startswith("load: "))
    rows, marks = lines[1:end:2], lines[2:end:2]
    assert len(rows) == len(marks)
    for row, mark in zip(rows, marks, strict=True):
        assert columns(row) == columns(mark) <= width
    assert [int(mark) for mark in "".join(marks).replace(" ", "")] == experts.tolist()
    assert "".join("".join(rows).replace("\u200e", "").split()) == "".join("".join(labels).split())


def test_marks_stand_below_wide_characters():
    lines = terminal.show([routing_of([0, 1, 2, 3])], ["日", "·", "·", "a"], width=80).splitlines()
    assert lines[1:3] == ["日··a", "0 123"]


def test_rows_wrap_at_the_width_and_after_a_line_break():
    lines = terminal.show([routing_of([0] * 6)], ["a", "b", "c", "↵", "d", "e"], width=3).splitlines()
    assert lines[1:8:2] == ["abc", "↵", "de", lines[7]]


def test_right_to_left_letters_keep_the_order_of_the_bytes():
    line = terminal.show([routing_of([0, 0, 0, 0])], text.byte_labels("של"), width=80).splitlines()[1]
    assert line == "ש\u200e·ל\u200e·"


def test_more_than_ten_experts_widen_the_cells():
    lines = terminal.show([routing_of([11, 3], num_experts=12)], ["a", "b"], width=80).splitlines()
    assert lines[1:3] == ["a b", "113"]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "cp932", "utf-8"])
def test_every_encoding_of_the_output_works(run, encoding):
    code, shown = run("né 日\n\tשל\u0301", encoding=encoding)
    assert code == 0 and "layer 2" in shown
    if encoding == "ascii":
        assert "n?._?../>?.?.?." in shown and "#" in shown


@pytest.mark.slow
def test_png_is_written(run, tmp_path):
    path = tmp_path / "sentence.png"
    code, shown = run(SENTENCE, "--png", str(path))
    assert code == 0 and "layer 1" in shown
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_full_disk_leaves_the_old_png(run, tmp_path, monkeypatch, capsys):
    def savefig(figure, target, **options):
        (target if hasattr(target, "write") else open(target, "wb")).write(b"half")  # noqa: SIM115
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "sentence.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", savefig)
    assert run("a", "--png", str(path))[0] == 2
    assert "No space left" in capsys.readouterr().err
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_sentence_from_standard_input(run):
    assert run(stdin=b"The router\n")[1] == run("The router")[1] == run("The", "router")[1]
    assert run(stdin=b"a\xff")[0] == 0


def test_a_dash_in_front_needs_two_dashes(run):
    assert "-1" in run("--", "-1")[1].splitlines()[1]


@pytest.mark.parametrize(("argv", "stdin", "word"), [
    ([""], b"", "empty"), ([], b"", "empty"), ([], b"\n", "empty"),
    ([], b"a" * 100_001, "100000"), (["a", "--png", "/nowhere/at/all.png"], b"", "nowhere"),
    (["a", "--weights", "/nowhere.npz"], b"", "nowhere"),
    (["a", "--colour"], b"", "unrecognized"), (["a", "--png"], b"", "expected one argument"),
    (["a", "--png", ""], b"", "name is empty")])
def test_what_cannot_be_shown_ends_with_2_and_a_reason(run, capsys, argv, stdin, word):
    code, shown = run(*argv, stdin=stdin)
    assert code == 2 and shown == ""
    error = capsys.readouterr().err
    assert word in error and "usage: python -m moeviz" in error and "Traceback" not in error


def test_no_sentence_on_a_terminal_prints_the_usage(run, capsys):
    assert run(stdin_tty=True) == (2, "")
    error = capsys.readouterr().err
    assert "usage" in error and 'python -m moeviz "' in error


def test_own_weights_are_used(run, tmp_path):
    config = tinylm.Config(context=2, embedding=4, width=8, hidden=4, num_experts=3, layers=1)
    tinylm.save(tinylm.init(np.random.default_rng(0), config), tmp_path / "own.npz")
    shown = run("abc", "--weights", str(tmp_path / "own.npz"))[1]
    assert "an even share is 33.3 %" in shown and "layer 2" not in shown


def test_windows_console_that_knows_no_colours(run, monkeypatch):
    monkeypatch.setattr(terminal, "_enable_ansi", lambda: False)
    assert "\x1b" not in run(SENTENCE, tty=True)[1]


def start(*argv, **options):
    command = [sys.executable, "-m", "moeviz", *argv]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)


@pytest.mark.slow
def test_the_module_runs_as_a_program():
    done = start("hello", env={**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert b"hello" in done.stdout and b"layer 2" in done.stdout and done.stderr == b""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX pipe")
def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(f'"{sys.executable}" -m moeviz < "{terminal.__file__}" | head -c 100', shell=True,
                          capture_output=True, timeout=120, check=False)
    assert done.stderr == b"" and len(done.stdout) == 100


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_the_other_commands_which_help_too(run, flag):
    assert "`trace FILE`" in " ".join(run(flag)[1].split())
    with pytest.raises(SystemExit):
        commands.main(["trace", flag])
    assert "--compare" in sys.stdout.shown()

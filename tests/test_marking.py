"""Marking: twenty returned notebooks with every kind of fault, each of which costs its own row only."""

import contextlib
import csv
import json
import pathlib
import socket
import subprocess
import sys

import pytest

from moeviz.exercises import __main__ as command
from moeviz.exercises import marking

IMPORTS = "import numpy as np\nfrom moeviz.exercises import check\nrng = np.random.default_rng(0)"
LOAD = """def my_load(expert_index, num_experts):
    return np.bincount(expert_index.ravel(), minlength=num_experts) / expert_index.size"""
COMBINE = "def my_combine(answers, weights):\n    return weights @ answers"
FAVOURITES = """def my_favourites(first_choice, kinds, num_experts, num_kinds):
    counts = np.zeros((num_experts, num_kinds), dtype=int)
    np.add.at(counts, (first_choice, kinds), 1)
    return counts.argmax(axis=1)"""
STUB = "def my_load(expert_index, num_experts):\n    ..."
FIRST = """def my_load(expert_index, num_experts):
    return np.bincount(expert_index[:, 0], minlength=num_experts) / len(expert_index)"""


def returned(load=LOAD, combine=COMBINE, favourites=FAVOURITES, before=(), imports=IMPORTS):
    """Return the text of a notebook 00 with these answers."""
    cells = [{"cell_type": "code", "source": imports, "metadata": {}},
             *({"cell_type": "code", "source": each, "metadata": {}} for each in before),
             {"cell_type": "markdown", "source": "# Not yet", "metadata": {}},
             {"cell_type": "code", "source": "raise SystemExit('the lesson: not run')", "metadata": {}},
             {"cell_type": "markdown", "source": "## Exercises\n\n### Level 1: a", "metadata": {}}]
    for name, source in (("load", load), ("combine", combine), ("favourites", favourites)):
        cells += [{"cell_type": "code", "source": source.splitlines(keepends=True), "metadata": {}},
                  {"cell_type": "code", "source": f"check.{name}(my_{name})", "metadata": {}}]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def status(marks, name):
    """Return {exercise: status} of one learner."""
    return {mark.exercise: mark.status for mark in marks if mark.learner == name}


CLASS = {
    "right": returned(),
    "two stubs": returned(load=STUB, combine="def my_combine(answers, weights):\n    ..."),
    "a typical mistake": returned(load=FIRST),
    "raises": returned(load=LOAD.replace("np.", "numpy.")),
    "no Python": returned(load="def my_load(expert_index, num_experts)\n    return 1"),
    "magics": returned(before=["%matplotlib inline\n!echo hello", "%%time\nx = 1"]),
    "leaves": returned(load="import sys\nsys.exit(3)\n" + LOAD),
    "crashes": returned(combine="def my_combine(answers, weights):\n    import os; os._exit(9)"),
    "no such function": returned(favourites="my_answer = 3"),
    "renamed": returned(load=LOAD.replace("my_load", "mine")).replace("load(my_load)", "load(mine)"),
    "no imports": returned(imports="from moeviz.exercises import check"),
    "prints": returned(load="print('x' * 10**6)\n" + LOAD,
                       combine="import sys\nsys.stdout = None\n" + COMBINE),
    "breaks its tools": returned(before=["import json, os\njson.dumps = os.write = None"]),
    "=cmd|'x'!A0": returned(load=STUB),
}
BROKEN = {"not JSON": "{", "no notebook": "[1, 2]", "no cells": "{}",
          "of another course": json.dumps({"cells": [{"cell_type": "code", "source": "x = 1"}]}),
          "nested": "[" * 100_000, "bytes": "\\udcff"}


def write(folder, notebooks):
    """Write notebooks into a folder."""
    for name, text in notebooks.items():
        (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")


def test_cells_are_chosen_and_checks_taken_out(tmp_path):
    write(tmp_path, {"a": returned(before=["def helper():\n    return 1", "x = slow()"])})
    cells, asked, number = marking.read_notebook(tmp_path / "a.ipynb")
    assert number == 0 and asked == {name: f"my_{name}" for name in ("combine", "favourites", "load")}
    assert "def helper" in cells[1] and not any("slow" in cell or "SystemExit" in cell for cell in cells)
    assert not any("check." in cell for cell in cells)


def test_a_broken_file_is_a_row(tmp_path):
    write(tmp_path, BROKEN)
    (tmp_path / "huge.ipynb").write_bytes(b" " * (marking.LARGEST + 1))
    marks = marking.mark_folder(tmp_path)
    assert {mark.status for mark in marks} == {"unreadable"}
    assert len(marks) == len(BROKEN) + 1
    assert "more than 20,000,000 bytes" in next(mark.message for mark in marks if mark.learner == "huge")


def test_a_folder_without_notebooks_is_refused(tmp_path, capsys):
    with pytest.raises(ValueError, match="folder must hold notebooks"):
        marking.mark_folder(tmp_path)
    with pytest.raises(SystemExit):
        command.main(["mark", str(tmp_path / "gone")])
    assert "must hold notebooks" in capsys.readouterr().err


def test_a_process_that_grades_draws_nothing_and_so_starts_soon():
    code = "import sys, moeviz.exercises.attempt; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_class_is_marked(tmp_path, capsys):
    write(tmp_path, CLASS | BROKEN)
    command.main(["mark", str(tmp_path), "--into", str(tmp_path / "marks")])
    assert "right of" in capsys.readouterr().out
    with open(tmp_path / "marks" / "marks.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        found.setdefault(row["learner"], {})[row["exercise"]] = row["status"]
    whole = dict.fromkeys(("combine", "favourites", "load"), "right")
    for name in ("right", "magics", "renamed", "prints"):
        assert found[name] == whole, name
    assert found["two stubs"] == whole | {"load": "not attempted", "combine": "not attempted"}
    assert found["a typical mistake"] == whole | {"load": "wrong"}
    assert next(row["mistake"] for row in rows if row["learner"] == "a typical mistake" and row["mistake"])
    for name in ("raises", "no Python", "leaves"):
        assert found[name] == whole | {"load": "error"}, name
    assert found["crashes"] == whole | {"combine": "error"}
    assert found["no such function"] == whole | {"favourites": "not attempted"}
    assert set(found["no imports"].values()) == {"error", "right"}
    assert len(found) == len(CLASS) + len(BROKEN)
    assert "'=cmd|'x'!A0" in found
    page = (tmp_path / "marks" / "marks.html").read_text(encoding="utf-8")
    assert "<svg" in page and "<script" not in page and page.count("<tr>") == len(found) + 1


@pytest.mark.slow
def test_endless_loops_full_memories_and_the_network_end_in_their_row(tmp_path):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        call = f"import socket\nsocket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)\n"
        write(tmp_path, {
            "loops": returned(load="def my_load(expert_index, num_experts):\n    while True: pass"),
            "eats": returned(combine="def my_combine(answers, weights):\n    return np.ones(10**11)"),
            "calls": returned(load=call + LOAD),
            "forks": returned(before=["import subprocess, sys\n"
                                      "code = 'import time; time.sleep(77)'\n"
                                      "subprocess.Popen([sys.executable, '-c', code])"]),
        })
        marks = marking.mark_folder(tmp_path)
    (tmp_path / "other").mkdir()
    write(tmp_path / "other", {"hangs": returned(load="import time\ntime.sleep(1000)\n" + LOAD)})
    marks += marking.mark_folder(tmp_path / "other", seconds=6)
    right = {"favourites": "right", "combine": "right"}
    assert status(marks, "loops") == right | {"load": "too long"}
    assert status(marks, "hangs") == right | {"load": "too long"}
    assert status(marks, "calls") == right | {"load": "error"}
    assert status(marks, "forks") == right | {"load": "right"}
    if sys.platform == "linux":
        assert status(marks, "eats") == right | {"load": "right", "combine": "error"}
        assert not [path for path in pathlib.Path("/proc").glob("[0-9]*/cmdline") if says(path, "sleep(77)")]


def says(path, words):
    """Tell whether a process that may have ended has these words in its command."""
    with contextlib.suppress(OSError):
        return words in path.read_text(errors="replace")


def test_a_page_escapes_what_learners_wrote():
    marks = [marking.Mark("<b>x</b>", 0, "load", "wrong", "<i>mistake</i>", "<u>m</u>"),
             marking.Mark("<s>", None, "", "unreadable", message="<script>")]
    page = marking.page(marks)
    assert not any(tag in page for tag in ("<b>x", "<i>m", "<u>", "<s>", "<script>"))
    assert "0 of 1 exercises right" in page and "1 wrong" in page


def test_spreadsheets_take_nothing_for_a_formula(tmp_path):
    marks = [marking.Mark(name, 0, "load", "error", message="-1\n+2")
             for name in ("=1", "+1", "-1", "@x", "a,\"b")]
    marking.write_csv(marks, tmp_path / "marks.csv")
    with open(tmp_path / "marks.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == ["'=1", "'+1", "'-1", "'@x", 'a,"b']
    assert {row[5] for row in rows[1:]} == {"'-1 +2"}

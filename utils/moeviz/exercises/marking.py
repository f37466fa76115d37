"""Mark returned notebooks: `python -m moeviz.exercises mark FOLDER`, one notebook per learner, any names.

Each notebook's code runs in a process of its own with a limit on time, memory and the size of files, in an
empty folder, without a network where Linux allows that. This protects the table from what goes wrong by
accident: an endless loop, a full memory, a crash, `exit()`. It does not protect you from a learner who means
harm: the code runs under your account, can read and delete what you can, and could even claim marks for
itself. Mark work of strangers in an account or a container of its own.
"""

import ast
import contextlib
import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from html import escape

from moeviz.exercises import progress

STATUSES = ("right", "wrong", "error", "too long", "not attempted", "unreadable")
SIGNS = {"right": "✓", "wrong": "✗", "error": "!", "too long": "⏱", "not attempted": "–", "unreadable": "?"}
COLOURS = {"right": "#2a78b5", "wrong": "#a85d00", "error": "#8b5a9e", "too long": "#b3413b",
           "not attempted": "#d8dde3", "unreadable": "#1d2430"}
COLUMNS = ("learner", "notebook", "exercise", "status", "mistake", "message")
LARGEST = 20_000_000  # bytes of a returned notebook
SECONDS, MEGABYTES = 60, 4096


@dataclass(frozen=True)
class Mark:
    """What one learner reached in one exercise. status: one of STATUSES."""

    learner: str
    notebook: int | None
    exercise: str
    status: str
    mistake: str = ""
    message: str = ""


def mark_folder(folder, *, seconds=SECONDS, megabytes=MEGABYTES, tell=lambda mark: None):
    """Return the Marks of all notebooks in a folder and below it, learner by learner.

    seconds: that the code of one notebook may take between two answers. megabytes: of address space (Linux).
    tell: called with the path of each notebook before it is marked. ValueError where there is no notebook.
    """
    folder = pathlib.Path(folder)
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not paths:
        raise ValueError(f"folder must hold notebooks, and {folder} holds none")
    marks = []
    for path in paths:
        tell(path)
        marks += mark_notebook(path, learner=str(path.relative_to(folder).with_suffix("")),
                               seconds=seconds, megabytes=megabytes)
    return marks


def mark_notebook(path, *, learner, seconds=SECONDS, megabytes=MEGABYTES):
    """Return the Marks of one returned notebook: one per exercise that belongs to it."""
    try:
        cells, asked, number = read_notebook(path)
    except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        return [Mark(learner, None, "", "unreadable", message=said)]
    marks, left, skipped = [], dict(asked), []
    while left:
        answers, culprit = run_child(cells, left, skipped, seconds, megabytes)
        marks += [Mark(learner, number, **answer) for answer in answers]
        left = {name: function for name, function in left.items() if name not in {m.exercise for m in marks}}
        if culprit is None:
            marks += [Mark(learner, number, name, "error", message="no answer") for name in left]
            break
        status, message, where = culprit
        if isinstance(where, int) and where not in skipped:
            skipped.append(where)  # a cell: the others go on without it
            message = f"{message} in a cell"
            own = [name for name, function in left.items() if defines(cells[where], function)]
        else:
            own = [where] if where in left else list(left)
        marks += [Mark(learner, number, name, status, message=message) for name in own]
        left = {name: function for name, function in left.items() if name not in own}
    return sorted(marks, key=lambda each: list(asked).index(each.exercise))


def read_notebook(path):
    """Return (sources to run, {exercise: name of the learner's function}, number of the notebook).

    What runs: cells that import or only define, wherever they stand, and whatever follows the heading of the
    exercises or is tagged as one, without the calls of `check`. ValueError for what is no notebook of the
    course.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"the file has more than {LARGEST:,} bytes")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    run, called, within = [], {}, False
    for cell in cells:
        source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
        if cell["cell_type"] != "code":
            within = within or bool(re.search(r"^##\s+Exercises", source, re.MULTILINE))
            continue
        tree, source = parsed(source)
        tagged = "exercise" in cell.get("metadata", {}).get("tags", [])
        if tree is None:
            run += [source] if within or tagged else []
            continue
        called |= calls_of_check(tree)
        if within or tagged or prepares(tree):
            run.append(ast.unparse(without_checks(tree)))
    homes = {name: number for number, names in progress.by_notebook().items() for name in names}
    numbers = [homes[name] for name in called if name in homes]
    if not numbers:
        raise ValueError("it holds no exercise of the course")
    number = max(set(numbers), key=numbers.count)
    return run, {name: called.get(name, f"my_{name}") for name in progress.by_notebook()[number]}, number


def prepares(tree):
    """Tell whether a cell brings what exercises may need: it imports something, or it only defines."""
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body)
    return imports or all(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)


def parsed(source):
    """Return (tree, source) of a cell without its magics; the tree is None where it is no Python."""
    source = re.sub(r"^(\s*)[%!?].*$", r"\1pass", source, flags=re.MULTILINE)
    try:
        return ast.parse(source), source
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None, source


def calls_of_check(tree):
    """Return {exercise: name of the function} of the calls `check.exercise(function)` in a cell.

    >>> calls_of_check(ast.parse("check.load(my_load)"))
    {'load': 'my_load'}
    """
    return {node.func.attr: node.args[0].id for node in ast.walk(tree)
            if isinstance(node, ast.Call) and is_check(node.func)
            and node.args and isinstance(node.args[0], ast.Name)}


def is_check(node):
    """Tell whether a node is `check.something`."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "check"


def without_checks(tree):
    """Return a cell without the lines that call a check: the marker calls it itself."""
    tree.body = [node for node in tree.body
                 if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                         and is_check(node.value.func))]
    return tree


def defines(source, function):
    """Tell whether a cell gives this name a value."""
    return re.search(rf"\b(def|class)\s+{re.escape(function)}\b|^{re.escape(function)}\s*=", source,
                     re.MULTILINE) is not None


def run_child(cells, asked, skipped, seconds, megabytes):
    """Run cells and checks in a process of their own.

    Return the answers and who ended it early: (status, message, number of the cell or name of the exercise),
    or None. Answers are dicts with exercise, status, mistake, message. RuntimeError where the process ends
    before it comes to a learner's code.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        work, answers, errors = (pathlib.Path(place) / name for name in ("work", "answers", "errors"))
        work.mkdir()
        answers.touch()
        task = {"cells": cells, "asked": asked, "skipped": skipped, "megabytes": megabytes,
                "answers": str(answers)}
        with open(errors, "wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "moeviz.exercises.attempt"], cwd=work, env=quiet_environment(work),
                text=True,
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
        try:
            process.communicate(json.dumps(task), timeout=seconds)
            ended = None
        except subprocess.TimeoutExpired:
            ended = ("too long", f"stopped after {seconds} seconds")
        except OSError:  # it did not even read its task
            ended = None
        end_all(process)
        if ended is None and not answers.stat().st_size:
            raise RuntimeError(f"the marker did not start: {errors.read_text(errors='replace')[-600:]}")
        return sort_answers(answers, ended or ("error", f"the process ended with code {process.returncode}"))


def quiet_environment(work):
    """Return the variables of the child: what Python needs to start, and nothing of the marker's secrets."""
    kept = ("PATH", "PYTHONPATH", "SYSTEMROOT", "HOME", "USERPROFILE", "MPLCONFIGDIR", "LANG", "LC_ALL")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    if "PYTHONPATH" in found:  # the child stands in another folder
        found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, found["PYTHONPATH"].split(os.pathsep)))
    return {**found, progress.VARIABLE: "off", "MPLBACKEND": "agg", "TMPDIR": str(work),
            "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def end_all(process):
    """End a process and, where the system knows groups, all that it started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def sort_answers(file, ended):
    """Return the whole answers in the child's file, and who was at work when it ended, if it did so early."""
    answers, at_work = [], None
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if said == "done":
            return answers, None
        if "begin" in said:
            at_work = said["begin"]
        elif said.get("status") in STATUSES:
            answers.append({key: str(said.get(key) or "") for key in COLUMNS[2:]})
    return answers, (*ended, at_work)


# ---- what comes out

def write_csv(marks, file):
    """Write one row per learner and exercise; no cell of it is taken for a formula by a spreadsheet."""
    with open(file, "w", encoding="utf-8-sig", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(COLUMNS)
        for mark in marks:
            rows.writerow([plain(getattr(mark, column)) for column in COLUMNS])


def plain(value):
    """Return a value as the text of a spreadsheet's cell.

    >>> plain("=1+1"), plain(None), plain(2)
    ("'=1+1", '', '2')
    """
    text = "" if value is None else " ".join(str(value).split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def page(marks):
    """Return the table and a picture of where the class stands as one HTML page without scripts."""
    exercises = sorted({(mark.notebook, mark.exercise) for mark in marks if mark.notebook is not None})
    learners = list(dict.fromkeys(mark.learner for mark in marks))
    right = sum(mark.status == "right" for mark in marks)
    total = sum(mark.notebook is not None for mark in marks)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Marks</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}}table{{border-collapse:collapse}}
th,td{{border:1px solid #d8dde3;padding:.3rem .6rem;text-align:left;vertical-align:top}}
.wide{{overflow-x:auto}}svg{{max-width:100%;height:auto}}small{{color:#4a5560}}</style>
<h1>{len(learners)} notebooks, {right} of {total} exercises right</h1>
<h2>Where the class stands</h2>
{picture(marks, exercises)}
<h2>Typical mistakes</h2>
{mistakes(marks)}
<h2>Each learner</h2>
<p>{", ".join(f"{SIGNS[status]} {status}" for status in STATUSES)}</p>
<div class="wide" tabindex="0"><table>
<tr><th scope="col">learner{"".join(f'<th scope="col">{n:02d} {escape(name)}' for n, name in exercises)}
{"".join(row(learner, [m for m in marks if m.learner == learner], exercises) for learner in learners)}
</table></div></html>
"""


def row(learner, marks, exercises):
    """Return a learner's row of the page."""
    found = {(mark.notebook, mark.exercise): mark for mark in marks}
    if marks[0].status == "unreadable":
        return (f'<tr><th scope="row">{escape(learner)}<td colspan="{len(exercises)}">'
                f"{SIGNS['unreadable']} unreadable: {escape(marks[0].message)}\n")
    return f'<tr><th scope="row">{escape(learner)}{"".join(entry(found.get(key)) for key in exercises)}\n'


def entry(mark):
    """Return one cell of the page: sign, status and what is known of the fault."""
    if mark is None:
        return "<td>"
    said = mark.mistake or (mark.message.splitlines() or [""])[0] if mark.status != "right" else ""
    return f"<td>{SIGNS[mark.status]} {mark.status}" + (f"<br><small>{escape(said)}</small>" if said else "")


def mistakes(marks):
    """Return the named mistakes with how many made them, most frequent first."""
    found = {}
    for mark in marks:
        if mark.mistake:
            found.setdefault((mark.notebook, mark.exercise, mark.mistake), []).append(mark.learner)
    if not found:
        return "<p>None was recognised.</p>"
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return "<ol>" + "".join(f"<li>{len(who)}: {number:02d} {escape(name)}, {escape(mistake)}"
                            for (number, name, mistake), who in ordered) + "</ol>"


def picture(marks, exercises):
    """Return an SVG with a bar for each exercise: how many learners reached which status."""
    if not exercises:
        return "<p>No exercise could be marked.</p>"
    found = {key: [each.status for each in marks if (each.notebook, each.exercise) == key]
             for key in exercises}
    unit = WIDTH / max(map(len, found.values()))
    bars = "".join(bar(f"{number:02d} {name}", found[number, name], place * STEP, unit)
                   for place, (number, name) in enumerate(exercises))
    words = "; ".join(f"{number:02d} {name}: {counted(found[number, name])}" for number, name in exercises)
    return (f'<svg viewBox="0 0 {LEFT + WIDTH + 10} {len(exercises) * STEP}" role="img" font-size="14" '
            f'font-family="system-ui, sans-serif" aria-label="{escape(words)}">{bars}</svg>')


LEFT, WIDTH, STEP = 190, 620, 30  # pixels


def bar(title, statuses, y, unit):
    """Return one bar of the picture, `unit` pixels for each learner."""
    drawn, x = f'<text x="{LEFT - 8}" y="{y + 20}" text-anchor="end">{escape(title)}</text>', LEFT
    for status in STATUSES:
        length = statuses.count(status) * unit
        ink = "#1d2430" if status == "not attempted" else "#ffffff"
        if length:
            drawn += (f'<rect x="{x:.1f}" y="{y + 5}" width="{length:.1f}" height="22" '
                      f'fill="{COLOURS[status]}"/><text x="{x + length / 2:.1f}" y="{y + 20}" '
                      f'text-anchor="middle" fill="{ink}">{SIGNS[status]} {statuses.count(status)}</text>')
        x += length
    return drawn


def counted(statuses):
    """Return statuses as words.

    >>> counted(["wrong", "right", "right"])
    '2 right, 1 wrong'
    """
    return ", ".join(f"{statuses.count(each)} {each}" for each in STATUSES if each in statuses)

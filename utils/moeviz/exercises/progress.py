"""Which exercises were right, in a small file of one's own: nothing of it is sent anywhere.

`check.name(my_name)` notes what it found. `python -m moeviz progress` shows it, and
`python -m moeviz progress --off` keeps no such file from then on.
"""

import json
import os
import pathlib

VARIABLE = "MOEVIZ_PROGRESS"  # another file, or "off"
FULL, EMPTY = "■", "□"


def note(exercise, result):
    """Keep the status of a Result of an Exercise; what was right once stays right. Never raises."""
    kept = read()
    if kept is None or result.status == "not attempted":
        return
    done = kept.setdefault(str(exercise.notebook), {})
    if done.get(exercise.name) != "right":
        done[exercise.name] = result.status
        _write(kept)


def read():
    """Return {notebook: {exercise: status}}, notebooks as text; None where nothing is to be kept."""
    file = _file()
    if file is None:
        return None
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return None if kept == "off" else {
            str(notebook): {str(name): str(status) for name, status in done.items()}
            for notebook, done in kept.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def turn_off():
    """Forget what was kept and keep nothing from now on; deleting the file turns it on again."""
    _write("off")


def report():
    """Return the progress as text, a line per notebook, or that it is turned off.

    >>> report().split()[0] in ("00", "Progress")
    True
    """
    kept = read()
    if kept is None:
        return "Progress is turned off."
    return "\n".join(_line(notebook, names, kept.get(str(notebook), {}))
                     for notebook, names in by_notebook().items())


def by_notebook():
    """Return {number of a notebook: the names of its exercises}, in teaching order."""
    from moeviz.exercises import check  # whose exercises call `note`

    found = {}
    for each in (getattr(check, name) for name in check.__all__):
        if hasattr(each, "notebook"):
            found.setdefault(each.notebook, []).append(each.name)
    return dict(sorted(found.items()))


def _line(notebook, names, done):
    right = [name for name in names if done.get(name) == "right"]
    tried = [name for name in names if name in done and name not in right]
    words = f", tried: {', '.join(tried)}" if tried else ""
    boxes = FULL * len(right) + EMPTY * (len(names) - len(right))
    return f"{notebook:02d}  {boxes}  {len(right)} of {len(names)} right{words}"


def _file():
    place = os.environ.get(VARIABLE, "")
    if place == "off":
        return None
    try:
        return pathlib.Path(place) if place else pathlib.Path.home() / ".moeviz-progress.json"
    except RuntimeError:  # there is no home
        return None


def _write(kept):
    file = _file()
    if file is None:
        return
    try:
        new = file.with_name(f"{file.name}.{os.getpid()}")
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.replace(file)
    except OSError:
        pass  # a folder that cannot be written keeps no progress

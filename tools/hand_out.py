"""A learner's own copy of the notebooks: given once, kept over restarts, never overwritten."""

import hashlib
import json
import shutil

GIVEN = ".moeviz-given.json"  # {name: hash of the version that was handed out}


def hand_out(source, home, update=False):
    """Copy the notebooks of a folder into `home`/notebooks; return the names that were written.

    A notebook that is there already stays as it is. With update, one that the learner has not changed becomes
    the new version, and beside a changed one the new version is laid as "NAME (new).ipynb".
    """
    folder = home / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    given, written = _read(home / GIVEN), []
    for path in sorted(source.glob("*.ipynb")):
        target, version = folder / path.name, _hash(path)
        if target.exists() and (not update or given.get(path.name) == version):
            continue
        if target.exists() and _hash(target) != given.get(path.name):
            target = target.with_name(f"{path.stem} (new).ipynb")
            if target.exists() and _hash(target) != given.get(target.name):
                continue  # changed as well: it stays, until the learner moves it away
            given[target.name] = version
        partial = target.with_suffix(".part")
        shutil.copyfile(path, partial)
        partial.replace(target)
        given[path.name] = version
        written.append(target.name)
    (home / GIVEN).write_text(json.dumps(given), encoding="utf-8")
    return written


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(file):
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}

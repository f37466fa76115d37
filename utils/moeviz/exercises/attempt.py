"""The process in which `marking` runs one learner's code: reads a task from its input, answers in a file."""

import builtins
import contextlib
import json
import os
import sys

NEW_USER, NEW_NET = 0x10000000, 0x40000000  # Linux: namespaces of their own
LARGEST = 50_000_000  # bytes of a file that the code may write


def main():
    """Run the cells, then grade the functions that were asked for."""
    task = json.load(sys.stdin)
    with open(task["answers"], "a", encoding="utf-8") as target:
        def say(value):
            target.write(json.dumps(value) + "\n")
            target.flush()

        import moeviz.exercises  # before the limits: a few libraries are large

        limit(task["megabytes"])
        leave_network()
        names, faults = run_cells(task, say)
        for name, function in task["asked"].items():
            say({"begin": name})
            say(grade(getattr(moeviz.exercises.check, name), names.get(function), faults.get(function)))
        say("done")


def limit(megabytes):
    """Bound memory, files and children where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, LARGEST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def leave_network():
    """Take the network away: for good where Linux lets us have a namespace, by refusing sockets elsewhere."""
    if sys.platform == "linux":
        import ctypes

        unshare = getattr(ctypes.CDLL(None, use_errno=True), "unshare", None)
        if unshare is not None and (unshare(NEW_NET) == 0 or unshare(NEW_USER | NEW_NET) == 0):
            return
    import socket

    def refuse(*arguments, **options):
        raise OSError("there is no network while notebooks are marked")

    socket.socket = socket.create_connection = refuse


def run_cells(task, say):
    """Run the cells one by one; return their names and {function: why its cell failed}."""
    names, faults = {"__name__": "__main__", "__builtins__": builtins}, {}
    for number, source in enumerate(task["cells"]):
        if number in task["skipped"]:
            continue
        say({"begin": number})
        fault = run_cell(source, f"cell {number + 1}", names)
        if fault:
            faults |= {function: fault for function in task["asked"].values() if f"def {function}" in source}
    return names, faults


def run_cell(source, title, names):
    """Run one cell and return why it failed, if it did."""
    import linecache

    linecache.cache[title] = (len(source), None, source.splitlines(keepends=True), title)
    try:
        with contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
            exec(compile(source, title, "exec"), names)
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a learner's cell may raise anything
        return f"{type(error).__name__}: {error}"[:300]
    return None


def grade(exercise, attempt, fault):
    """Return the answer for one exercise."""
    answer = {"exercise": exercise.name, "mistake": ""}
    if attempt is None:
        status = "error" if fault else "not attempted"
        return {**answer, "status": status, "message": fault or "there is no such function"}
    with contextlib.redirect_stdout(None):
        result = exercise.grade(attempt)
    status = "wrong" if result.status.startswith("wrong") else result.status
    if "does a loop never end" in result.message:
        status = "too long"
    return {**answer, "status": status, "message": result.message, "mistake": result.mistake}


if __name__ == "__main__":
    sys.setrecursionlimit(2000)
    main()
    os._exit(0)  # whatever the learner's threads still do

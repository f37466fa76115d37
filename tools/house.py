"""Measure how large the library is: `python -m tools.house`; with a commit, what of that still stands."""

import ast
import pathlib
import subprocess
import sys
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from typing import NamedTuple

from moeviz.environment import run_command
from tools.notebooks import ROOT

HOUSE = "utils/moeviz"
SAME_NAME, OTHER_NAME = 0.25, 0.45  # how alike the words of two definitions must be to be one that changed
SHORT = 5  # lines; shorter ones are alike by chance


class Definition(NamedTuple):
    """A function, class or constant at the top of a module."""

    path: str
    name: str
    lines: int  # with its decorators and the two empty lines above
    words: tuple


def definitions(path, source):
    """Return the Definitions of a module."""
    lines, found = source.splitlines(), []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            name, start, gap = node.name, min(part.lineno for part in (node, *node.decorator_list)), 2
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, start, gap = node.targets[0].id, node.lineno, 0
        else:
            continue
        words = tuple(" ".join(lines[start - 1:node.end_lineno]).split())
        found.append(Definition(path, name, node.end_lineno - start + 1 + gap, words))
    return found


def all_definitions(modules):
    return [each for path, source in modules.items() for each in definitions(path, source)]


def likeness(matcher, least):
    """Return the ratio of a SequenceMatcher, or 0 where it is certainly below the least."""
    return matcher.ratio() if matcher.real_quick_ratio() >= least and matcher.quick_ratio() >= least else 0


def pairs(before, after, least, same_name):
    """Return a dict from definitions of `before` to those of `after` that they have become, likest first."""
    candidates, matcher = [], SequenceMatcher(autojunk=False)
    by_name = defaultdict(list)
    for old in before:
        by_name[old.name if same_name else None].append(old)
    for number, new in enumerate(after):
        matcher.set_seq2(new.words)
        for old in by_name[new.name if same_name else None]:
            matcher.set_seq1(old.words)
            candidates.append((likeness(matcher, least), -number, old, new))
    matched = {}
    for ratio, _, old, new in sorted(candidates, reverse=True):
        if ratio >= least and old not in matched and new not in matched.values():
            matched[old] = new
    return matched


class Standing(NamedTuple):
    """What of an earlier library stands in a later one, in lines."""

    lines: int  # of its definitions, with their part of the heads
    added: int  # by how much single definitions have grown


def still_stands(before, after):
    """Return the Standing of the modules `before` in the modules `after`, dicts from path to source.

    A definition stands if one of its name has enough of its words, or one of another name has more of them.
    A head is what else a module has: imports and its docstring.
    """
    old, new = all_definitions(before), all_definitions(after)
    matched = pairs(old, new, SAME_NAME, same_name=True)
    taken = set(matched).union(matched.values())
    rest = ([each for each in every if each not in taken and each.lines > SHORT] for every in (old, new))
    matched |= pairs(*rest, OTHER_NAME, same_name=False)
    stood, every = Counter(), Counter()
    for definition in new:
        every[definition.path] += definition.lines
    for definition in matched.values():
        stood[definition.path] += definition.lines
    heads = sum((len(after[path].splitlines()) - every[path]) * stood[path] / every[path] for path in stood)
    added = sum(max(0, now.lines - then.lines) for then, now in matched.items())
    return Standing(round(stood.total() + heads), added)


def modules_of(commit):
    """Return the modules that the library had in a commit, a dict from path to source."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    paths = git("ls-tree", "-r", "--name-only", commit, HOUSE).splitlines()
    return {path: git("show", f"{commit}:{path}") for path in paths if path.endswith(".py")}


def modules_now(root=ROOT):
    """Return the modules that the library has in the working tree, a dict from path to source."""
    root = pathlib.Path(root)
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((root / HOUSE).rglob("*.py"))}


def size(modules):
    """Return a sentence on the number of files and lines."""
    lines = [len(source.splitlines()) for source in modules.values()]
    mean = sum(lines) / len(lines)
    return f"{len(lines)} files, {sum(lines):,} lines, mean {mean:.0f}, longest {max(lines)}"


def main():
    now = modules_now()
    print(f"now: {size(now)}")
    for commit in sys.argv[1:]:
        before = modules_of(commit)
        print(f"{commit}: {size(before)}")
        lines, added = still_stands(before, now)
        print(f"of its definitions {lines:,} lines stand now, {added:,} of them added since")


if __name__ == "__main__":
    run_command(main)

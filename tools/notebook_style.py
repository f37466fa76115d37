"""The limits that a notebook of this course keeps. Each check takes (notebook, path) and returns complaints.

Length is counted in lines that hold something; words are those of markdown without code, tags, link
targets and formulas. Numbers in prose: decimals, percentages and numbers with thousands separators must
come from a cell, so markdown may show them only in code, formulas, the folded hints and solutions, the
opening, the references, and as part of a name such as Gemini 1.5.
"""

import ast
import re

from tools.notebooks import (
    ELSEWHERE,
    EXERCISE,
    KEEP,
    METADATA,
    NOTEBOOKS,
    PLANNED,
    code_cells,
    markdown_cells,
    median_lines,
    num_lines,
    parse,
    stub_function,
    tags,
    tasks,
    without_fences,
)

MEDIAN_LINES, MAX_LINES, DEFINITION_LINES, WIDEST = 5, 15, 25, 92
CODE_CELLS, WORDS, WORDS_PER_CELL = (12, 28), (900, 2000), (50, 110)
VAGUE = ("understand", "know", "learn", "appreciate", "be", "see", "get")
OFFENDERS = {  # what texts fall into, and what to write; the list with reasons stands in CONTRIBUTING.md
    r"(?:text|tokens|bytes) in a row": "consecutive", r"\bmend(?:s|ed|ing)?\b": "fix",
    r"gets? other experts|other experts than": "different experts",
    r"as it came out": "say what was measured", r"times fewer": "a share, such as 1/1.6 of",
    r"effect of no size": "a very small effect", r"\bmeters?\b": "metric", r"\bthe bill\b": "the cost",
    r"\bloud(?:ly|er)?\b": "the weight", r"behind (?:two|the|a) (?:line|sentence)": "after",
    r"one is (?:guessing|the error of guessing) the mean": "1.0 means no better than guessing the mean"}
CLOSING = ("exercises", "recap", "limits of this toy", "references")
_NOT_PROSE = (r"<details>.*?</details>|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|"
              r"(?:Python|NumPy|Gemini|Qwen|Llama|Phi|GPT|Claude|Grok|DeepSeek-V|Kimi|GLM)[ -]?\d+\.\d+")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+\.\d+|\d+\s?%")
_OPENING = ("a title (`# ...`)", "the question in bold", "`You will be able to`", "bullets", "**Needs:**",
            "**Minutes:**", "**Place:**")


def opening(notebook, path):
    """Title, question, abilities, needs, minutes and place stand in the first cell, in this order."""
    text = notebook.cells[0].source if notebook.cells and notebook.cells[0].cell_type == "markdown" else ""
    patterns = (r"\A# \S", r"^\*\*[^*]+\?\*\*$", r"^You will be able to", r"^- ", r"^\*\*Needs:\*\* \S",
                r"^\*\*Minutes:\*\* \d+", r"^\*\*Place:\*\* \S")
    found = [re.search(pattern, text, re.MULTILINE) for pattern in patterns]
    missing = [f"the opening cell lacks {what}" for what, hit in zip(_OPENING, found, strict=True) if not hit]
    places = [hit.start() for hit in found if hit]
    return missing + (["the opening cell's parts are out of order"] if places != sorted(places) else [])


def abilities(notebook, path):
    """Three to five things to be able to do, each a verb that can be checked."""
    _, _, text = notebook.cells[0].source.partition("You will be able to")
    bullets = re.findall(r"^- (\w+)", text.partition("**Needs:**")[0], re.MULTILINE)
    count = [] if 3 <= len(bullets) <= 5 else [f"{len(bullets)} abilities, expected 3 to 5"]
    return count + [f"`{verb}` cannot be checked" for verb in bullets if verb.lower() in VAGUE]


def imports(notebook, path):
    """One cell imports everything, says what to do where that fails, and makes rng; it is the first one."""
    having = [place for place, cell in enumerate(code_cells(notebook)) if _imports(cell.source)]
    if having != [0]:
        return [f"imports stand in code cells {having}, expected the first one alone"]
    wanted = ("rng = np.random.default_rng(0)", f"{ELSEWHERE}\nfrom moeviz import ")
    first = code_cells(notebook)[0].source
    return [f"the import cell lacks `{each}`" for each in wanted if each not in first]


def _imports(source):
    return any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(parse(source)))


def cell_lengths(notebook, path):
    """Code cells are short; one cell of definitions may be longer."""
    middle = median_lines(notebook)
    found = [] if middle <= MEDIAN_LINES else [f"the median cell has {middle} lines, at most {MEDIAN_LINES}"]
    long = [cell.source for cell in code_cells(notebook) if num_lines(cell.source) > MAX_LINES]
    allowed = [code for code in long if _defines(code) and num_lines(code) <= DEFINITION_LINES][:1]
    return found + [f"a code cell has {num_lines(code)} lines: {first_line(code)}"
                    for code in long if code not in allowed]


def _defines(source):
    return all(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in parse(source).body)


def widths(notebook, path):
    """Code lines fit beside the file browser at 1280 pixels."""
    lines = [line for cell in code_cells(notebook) for line in cell.source.splitlines()]
    return [f"a code line has {len(line)} characters, at most {WIDEST}: {line.strip()[:40]}"
            for line in lines if len(line) > WIDEST]


def guesses(notebook, path):
    """A cell that reveals an answer does so before it prints or tabulates, which would tell it."""
    cells = [[line.partition("(")[0] for line in cell.source.splitlines()] for cell in code_cells(notebook)]
    return [f"the answer stands before it is revealed: {name}(...)" for calls in cells if "reveal" in calls
            for name in calls[:calls.index("reveal")] if name in ("table", "print")]


def wording(notebook, path):
    """No text uses one of the worst offenders of the word list in CONTRIBUTING.md."""
    text = "\n".join(without_fences(cell.source) for cell in markdown_cells(notebook))
    return [f"write {better!r} in place of {found!r}" for pattern, better in OFFENDERS.items()
            for found in re.findall(pattern, text, re.IGNORECASE)]


def formulas(notebook, path):
    """A formula between $$ is a paragraph of its own; text beside it stands in every step of a lecture."""
    complaints = []
    for cell in markdown_cells(notebook):
        parts = re.split(r"(\$\$.*?\$\$)", without_fences(cell.source), flags=re.DOTALL)
        for before, formula, after in zip(parts[::2], parts[1::2], parts[2::2], strict=False):
            if before[-2:] not in ("", "\n\n") or after[:2] not in ("", "\n", "\n\n"):
                complaints.append(f"text stands beside a formula: {formula[:40]}")
    return complaints


def cards(notebook, path):
    """A card, which begins with `> **You may think:**`, says `Run this`; a cell soon after makes a claim."""
    complaints = []
    for place, cell in enumerate(notebook.cells):
        for card in re.findall(r"^> \*\*You may think:\*\*.*$", cell.source, re.MULTILINE):
            code = [each.source for each in notebook.cells[place + 1:] if each.cell_type == "code"][:4]
            if "**Run this" not in card:
                complaints.append(f"a card does not say **Run this**: {card[:60]}")
            if not any("claim(" in source for source in code):
                complaints.append(f"nothing refutes the card: {card[:60]}")
    return complaints


def chain(notebook, path):
    """The place names the notebooks before and after; what a notebook needs comes before it."""
    names = [other.name for other in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
    here = names.index(path.name) if path.name in names else None
    if here is None:
        return []
    text = notebook.cells[0].source if notebook.cells else ""
    place = re.findall(r"\]\(([^)]+)\)", "".join(re.findall(r"^\*\*Place:\*\*.*$", text, re.MULTILINE)))
    needs = re.findall(r"\]\(([^)]+)\)", "".join(re.findall(r"^\*\*Needs:\*\*.*$", text, re.MULTILINE)))
    around = names[max(here - 1, 0):here] + names[here + 1:here + 2]
    late = [name for name in needs if name in names[here:]]
    return ([] if place == around else [f"the place links to {place}, expected {around}"]) + [
        f"{name} is needed, and comes later" for name in late]


def amounts(notebook, path):
    """The number of code cells and of words, and their ratio, lie in the limits."""
    cells, total = len(code_cells(notebook)), sum(words(cell.source) for cell in markdown_cells(notebook))
    found = (("code cells", cells, CODE_CELLS), ("words", total, WORDS),
             ("words per code cell", total / max(cells, 1), WORDS_PER_CELL))
    return [f"{value:.4g} {what}, expected {low} to {high}" for what, value, (low, high) in found
            if not low <= value <= high]


def words(text):
    """Count the words that a reader reads: no code, tags, link targets or formulas."""
    text = re.sub(r" · \d+ min$", "", without_fences(text), flags=re.MULTILINE)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)|\$\$.*?\$\$|\$[^$\n]+\$", " ", text, flags=re.DOTALL)
    return len(re.findall(r"[^\W\d_][\w'’-]*", text))


def headings(notebook, path):
    """One title; below it no level is skipped."""
    text = "\n".join(without_fences(cell.source) for cell in markdown_cells(notebook))
    found = [(len(marks), title) for marks, title in re.findall(r"^(#+) +(.*)$", text, re.MULTILINE)]
    levels = [0, *(level for level, _ in found)]
    titles = [] if levels.count(1) == 1 else [f"{levels.count(1)} titles (`# ...`), expected one"]
    return titles + [f"heading `{title}` skips a level"
                     for before, (level, title) in zip(levels[:-1], found, strict=True) if level > before + 1]


def outputs(notebook, path):
    """One to three cells keep their output, and those have one; all others have none, and no counts."""
    kept = [cell for cell in code_cells(notebook) if KEEP in tags(cell)]
    amount = [] if 1 <= len(kept) <= 3 else [f"{len(kept)} cells tagged {KEEP}, expected 1 to 3"]
    return amount + [f"{what}: {first_line(cell.source)}" for cell in code_cells(notebook)
                     for what in _output_complaints(cell)]


def _output_complaints(cell):
    keep = KEEP in tags(cell)
    found = {"no output to keep": keep and not cell.outputs,
             "an output is stored": cell.outputs and not keep,
             "an execution count is stored": cell.execution_count is not None,
             "a widget is stored, which a page cannot show": "widget-view" in str(cell.outputs)}
    return [what for what, true in found.items() if true]


def first_line(source):
    """Return what a complaint calls a cell by."""
    return (source.splitlines() or ["an empty cell"])[0]


def metadata(notebook, path):
    """The kernel is python3 and nothing of one person's machine is stored."""
    advice = "run python -m tools.notebooks strip"
    whole = [] if notebook.metadata == METADATA else [f"foreign notebook metadata; {advice}"]
    foreign = [sorted(set(cell.metadata) - {"tags"}) for cell in notebook.cells]
    return whole + [f"foreign cell metadata {names}; {advice}" for names in foreign if names]


def cell_ids(notebook, path):
    """Every cell has an id of its own that stays."""
    ids = [cell.get("id", "") for cell in notebook.cells]
    return [f"cell id {name!r} is missing or stands twice" for name in sorted(set(ids))
            if not name or ids.count(name) > 1]


def exercises(notebook, path):
    """Three exercises or more on three levels: stub, check, two hints, a solution with the same arguments."""
    text = "\n".join(cell.source for cell in markdown_cells(notebook))
    complaints = [f"no exercise of level {level} (`### Level {level}: ...`)" for level in (1, 2, 3)
                  if not re.search(rf"^### Level {level}\b", text, re.MULTILINE)]
    try:
        found = tasks(notebook)
    except ValueError as error:
        return [*complaints, str(error)]
    few = [] if len(found) >= 3 else [f"{len(found)} cells tagged {EXERCISE}, expected at least 3"]
    return complaints + few + [line for task in found for line in _task_complaints(task)]


def _task_complaints(task):
    function = stub_function(task.stub)
    complaints = []
    if task.name is None:
        complaints.append(f"nothing checks {function.name}")
    if task.hints != 2:
        complaints.append(f"{function.name} has {task.hints} folded hints, expected 2")
    if not task.solution:
        complaints.append(f"{function.name} has no folded solution")
    elif _signature(parse(task.solution), function.name) != ast.dump(function.args):
        complaints.append(f"the solution of {function.name} takes other arguments than the stub")
    return complaints


def _signature(tree, name):
    return next((ast.dump(node.args) for node in tree.body
                 if isinstance(node, ast.FunctionDef) and node.name == name), "")


def closing(notebook, path):
    """Exercises, a recap table, the limits and references with a sentence each close the notebook."""
    parts = sections(notebook)
    names = [name for name in parts if name in CLOSING]
    if names != list(CLOSING) or list(parts)[-4:] != names:
        return [f"the last sections are {list(parts)[-4:]}, expected {list(CLOSING)}"]
    entries = re.findall(r"^- .*$", parts["references"], re.MULTILINE)
    found = {"the recap has no table": not re.search(r"^\|[ :|-]+\|$", parts["recap"], re.MULTILINE),
             "the limits of this toy are not described": words(parts["limits of this toy"]) < 15,
             "the references are empty": not entries}
    poor = [entry for entry in entries if "](http" not in entry or words(entry) < 8]
    return ([what for what, true in found.items() if true]
            + [f"a reference lacks its link or its sentence: {entry}" for entry in poor])


def sections(notebook):
    """Return the text below each `## ...`, by its title in small letters."""
    text = "\n".join(without_fences(cell.source) for cell in markdown_cells(notebook))
    _, *pieces = re.split(r"^## +(.*)$", text, flags=re.MULTILINE)
    titles = [PLANNED.sub("", title).strip().lower() for title in pieces[::2]]
    return dict(zip(titles, pieces[1::2], strict=True))


def minutes(notebook, path):
    """Every section plans its minutes in its heading (`## Title · 5 min`), as many as the opening says."""
    text = "\n".join(without_fences(cell.source) for cell in markdown_cells(notebook))
    titles = re.findall(r"^## +(.*)$", text, re.MULTILINE)
    planned = [PLANNED.search(title) for title in titles]
    missing = [f"`{title}` has no planned minutes" for title, found in zip(titles, planned, strict=True)
               if not found]
    whole = re.search(r"^\*\*Minutes:\*\* (\d+)", text, re.MULTILINE)
    total = sum(int(found[1]) for found in planned if found)
    wrong = whole and not missing and total != int(whole[1])
    return missing + ([f"the sections plan {total} minutes, the opening {whole[1]}"] if wrong else [])


def way_on(notebook, path):
    """The last cell links to the next notebook where there is one."""
    following = sorted(other for other in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")
                       if other.name[:2] > path.name[:2])[:1]
    last = markdown_cells(notebook)[-1].source if markdown_cells(notebook) else ""
    return [f"the last cell does not link to {name.name}" for name in following
            if f"]({name.name})" not in last]


def numbers_in_prose(notebook, path):
    """No number that looks measured stands in prose: let a cell compute it and claim() print it."""
    complaints = []
    for cell in markdown_cells(notebook)[1:]:
        text = re.split(r"^## +References\b.*$", without_fences(cell.source), flags=re.MULTILINE)[0]
        text = re.sub(_NOT_PROSE, " ", text, flags=re.DOTALL)
        complaints += [f"the number {number} stands in prose" for number in _NUMBER.findall(text)]
    return complaints


def timed_claims(notebook, path):
    """No claim depends on a measured time: a busy machine would fail the notebook. Count, and print times."""
    timed, complaints = {"timeit", "perf_counter", "process_time", "monotonic"}, []
    for step in _steps([node for cell in code_cells(notebook) for node in parse(cell.source).body]):
        complaints += [f"a claim depends on a measured time: {first_line(ast.unparse(call))}"
                       for call in ast.walk(step) if isinstance(call, ast.Call)
                       and getattr(call.func, "id", "") == "claim" and _mentions(call.args[2], timed)]
        if _mentions(step, timed):
            timed |= _named(step)
    return complaints


def _steps(body):
    """Yield the statements of a body and of the loops and branches in it, one by one."""
    for node in body:
        if isinstance(node, ast.For | ast.While | ast.If | ast.With | ast.Try):
            yield from _steps(node.body)
        else:
            yield node


def _mentions(tree, names):
    """Return whether a name is read, or any attribute of that name."""
    return any(getattr(node, "id", getattr(node, "attr", None)) in names for node in ast.walk(tree)
               if not isinstance(getattr(node, "ctx", None), ast.Store))


def _named(step):
    """Return the names that a statement defines or fills by `append`."""
    if isinstance(step, ast.FunctionDef):
        return {step.name}
    grown = [call.func.value for call in ast.walk(step) if isinstance(call, ast.Call)
             and getattr(call.func, "attr", "") == "append"]
    targets = [name for target in getattr(step, "targets", []) for name in ast.walk(target)]
    return {name.id for name in (*grown, *targets) if isinstance(name, ast.Name)}


CHECKS = (opening, abilities, imports, cell_lengths, widths, guesses, wording, formulas, cards, chain,
          amounts, headings, outputs, metadata, cell_ids, exercises, closing, minutes, way_on,
          numbers_in_prose, timed_claims)

"""Every notebook keeps every limit of `notebook_style`, and each limit can be seen to fail."""

import copy
import re

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from cases import cases
from tools import notebook_style as style
from tools import notebooks

OPENING = """# Cut a layer into experts

**What does "activate k of E" leave out?**

You will be able to

- cut the weights of a layer
- say why that works
- compute what a token costs

**Needs:** matrix products.
**Minutes:** 30.
**Place:** Part I."""
IMPORTS = f"""import numpy as np

{notebooks.ELSEWHERE}
from moeviz import text

rng = np.random.default_rng(0)"""
FOLDED = """<details><summary>Hint 1</summary>

Count first.

</details>
<details><summary>Hint 2</summary>

About 12.5 % of them.

</details>
<details><summary>Solution</summary>

```python
def my_thing(a, b=1):
    return a + b
```

</details>"""
RECAP = """## Recap · 2 min

| Claim | Shown by |
|---|---|
| It adds up | a cell |

## Limits of this toy · 2 min

Everything here is small, typed by hand and far from what a large model does with its many layers.

## References · 1 min

- Somebody 2017, [A Paper](https://example.org/1701.06538): where the layer was first described in full.

Next: [Start here](00_start_here.ipynb)."""


def exercise(level):
    """Return the cells of one exercise."""
    return [new_markdown_cell(f"### Level {level}: add"),
            new_code_cell("def my_thing(a, b=1):\n    ...", metadata={"tags": ["exercise"]}),
            new_code_cell("check.thing(my_thing)"), new_markdown_cell(FOLDED)]


def good_notebook():
    """Return a notebook that keeps every limit."""
    prose = [new_markdown_cell("Look at the layer and say what you see. " * 13) for _ in range(9)]
    kept = new_code_cell("1", outputs=[new_output("stream", text="1")], metadata={"tags": ["keep_output"]})
    return new_notebook(metadata=copy.deepcopy(notebooks.METADATA), cells=[
        new_markdown_cell(OPENING), new_code_cell(IMPORTS), new_markdown_cell("## One layer · 10 min"),
        *prose, kept, *[new_code_cell(f"print({number})") for number in range(6)],
        new_markdown_cell("## Exercises · 15 min"), *exercise(1), *exercise(2), *exercise(3),
        new_markdown_cell(RECAP)])


def complain(notebook, path=notebooks.NOTEBOOKS / "99_x.ipynb"):
    """Return the complaints of every check, with the name of the check in front."""
    return [f"{check.__name__}: {line}" for check in style.CHECKS for line in check(notebook, path)]


def replaced(notebook, old, new):
    """Replace a text wherever it stands in the sources."""
    assert any(old in cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new)


def with_cell(notebook, cell):
    """Insert a cell before the exercises."""
    notebook.cells.insert(10, cell)


def swap(old, new):
    return lambda notebook: replaced(notebook, old, new)


def insert(source, **metadata):
    return lambda notebook: with_cell(notebook, new_code_cell(source, metadata=metadata))


def prose(text):
    return lambda notebook: with_cell(notebook, new_markdown_cell(text))


def change(which, **values):
    return lambda notebook: notebooks.code_cells(notebook)[which].update(values)


FAULTS = {
    "opening: the opening cell lacks a title": swap("# Cut a layer into experts", "Cut"),
    "opening: the opening cell lacks the question": swap("out?**", "out.**"),
    "opening: the opening cell lacks bullets": swap("\n- ", "\n* "),
    "opening: the opening cell lacks **Needs:**": swap("**Needs:**", "Needs"),
    "opening: the opening cell lacks **Minutes:**": swap("**Minutes:** 30", "**Minutes:** few"),
    "opening: the opening cell lacks **Place:**": swap("**Place:**", "Place"),
    "opening: the opening cell's parts are out of order": swap(
        "**Needs:** matrix products.\n**Minutes:** 30.", "**Minutes:** 30.\n**Needs:** matrix products."),
    "abilities: 2 abilities": swap("- say why that works\n", ""),
    "abilities: 6 abilities": swap("- say why that works\n", "- say why that works\n" * 4),
    "abilities: `understand` cannot be checked": swap("- cut the", "- understand the"),
    "imports: imports stand in code cells [0, 1]": insert("import os"),
    "imports: imports stand in code cells []": swap(IMPORTS.partition("rng")[0], ""),
    "imports: the import cell lacks `rng": swap("default_rng(0)", "default_rng()"),
    "imports: the import cell lacks `# No moeviz": swap("in Colab", "elsewhere"),
    "cell_lengths: the median cell has 6": lambda notebook: [insert("1\n" * 6)(notebook) for _ in range(15)],
    "cell_lengths: a code cell has 16 lines": insert("print(1)\n" * 16),
    "cell_lengths: a code cell has 26 lines": insert("def long():\n" + "    print(1)\n" * 25),
    "cell_lengths: a code cell has 20 lines": lambda notebook: [
        insert(f"def long{n}():\n" + "    print(1)\n" * 19)(notebook) for n in range(2)],
    "widths: a code line has 93 characters": insert("x = " + "1" * 89),
    "guesses: the answer stands before it is revealed: table(...)": insert(
        "table({'load': load})\nreveal(guess, load.argmax())"),
    "wording: write 'consecutive' in place of 'tokens in a row'": prose("Take tokens in a row."),
    "wording: write 'fix' in place of 'mend'": prose("Then mend it."),
    "formulas: text stands beside a formula: $$x^2$$": prose("So\n\n$$x^2$$ grows."),
    "formulas: text stands beside a formula: $$y^2$$": prose("So $$y^2$$\n\ngrows."),
    "cards: a card does not say **Run this**": prose("> **You may think:** it is easy."),
    "cards: nothing refutes the card": prose("> **You may think:** it is easy. **Run this.**"),
    "amounts: 29 code cells": lambda notebook: [insert("1")(notebook) for _ in range(15)],
    "amounts: 11 code cells": lambda notebook: [notebook.cells.remove(cell) for cell in list(notebook.cells)
                                                if cell.source in ("print(1)", "print(2)", "print(3)")],
    "words per code cell, expected": swap("Look at the layer and say what you see. ", "Look. "),
    "words, expected": prose("many words " * 800),
    "headings: 2 titles": prose("# Another"),
    "headings: heading `Deep` skips a level": prose("## One\n\n#### Deep"),
    "outputs: 0 cells tagged keep_output": change(1, metadata={}),
    "outputs: 4 cells tagged keep_output": lambda notebook: [
        insert("1", tags=["keep_output"])(notebook) for _ in range(3)],
    "outputs: no output to keep: 1": change(1, outputs=[]),
    "outputs: an output is stored: print(0)": change(2, outputs=[new_output("stream", text="0")]),
    "outputs: an execution count is stored: print(0)": change(2, execution_count=4),
    "outputs: a widget is stored": change(1, outputs=[new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {}})]),
    "metadata: foreign notebook metadata": lambda notebook: notebook.metadata.update(author="me"),
    "metadata: foreign cell metadata ['scrolled']": insert("1", scrolled=True),
    "cell_ids: cell id 'twice' is missing or stands twice": lambda notebook: [
        cell.update(id="twice") for cell in notebook.cells[:2]],
    "exercises: no exercise of level 3": swap("### Level 3", "### Level 2"),
    "exercises: 2 cells tagged exercise": change(-2, metadata={}),
    "exercises: the stub my_thing already does something": swap("    ...", "    return 1"),
    "exercises: nothing checks my_thing": swap("check.thing(my_thing)", "my_thing(1)"),
    "exercises: my_thing has 1 folded hints": swap("Hint 2", "Tip"),
    "exercises: my_thing has no folded solution": swap("```python", "```text"),
    "exercises: the solution of my_thing takes other": swap("b=1):\n    return", "b=2):\n    return"),
    "closing: the last sections are": swap("## Limits of this toy", "## Limits"),
    "minutes: `One layer` has no planned": swap("## One layer · 10 min", "## One layer"),
    "minutes: the sections plan 31 minutes, the opening 30": swap("layer · 10 min", "layer · 11 min"),
    "closing: the recap has no table": swap("|---|---|", ""),
    "closing: the limits of this toy are not": swap("Everything here is small, typed by hand and", ""),
    "closing: a reference lacks its link": swap("](https", "](paper"),
    "closing: a reference lacks its link or its": swap(": where the layer was first described in full", ""),
    "closing: the references are empty": swap("- Somebody", "Somebody"),
    "timed_claims: a claim depends on a measured time: claim('faster', t, t": insert(
        "import timeit\ndef seconds(run):\n    return min(timeit.repeat(run))\nt = []\nfor way in (1, 2):\n"
        "    t.append(seconds(way))\nclaim('faster', t, t[0] < t[1])"),
    "numbers_in_prose: the number 0.35 stands": prose("About 0.35 of them."),
    "numbers_in_prose: the number 12 % stands": prose("Then 12 % remain."),
    "numbers_in_prose: the number 4,426 stands": prose("There are 4,426 teams."),
}


def test_every_notebook_keeps_every_limit():
    read = {path: notebooks.load(path) for path in notebooks.paths()}
    found = {f"{path.stem}, {check.__name__}": check(notebook, path)
             for path, notebook in read.items() for check in style.CHECKS}
    assert {where: lines for where, lines in found.items() if lines} == {}


def test_a_good_notebook_has_no_complaints():
    assert complain(good_notebook()) == []


@cases("expected", FAULTS)
def test_each_fault_is_named(expected):
    notebook = good_notebook()
    FAULTS[expected](notebook)
    assert [line for line in complain(notebook) if expected in line]


def test_the_way_on_is_a_link_to_the_next_notebook(tmp_path, monkeypatch):
    monkeypatch.setattr(style, "NOTEBOOKS", tmp_path)
    (tmp_path / "08_other.ipynb").touch()
    notebook = good_notebook()
    path = tmp_path / "07_x.ipynb"
    assert style.way_on(notebook, path) == ["the last cell does not link to 08_other.ipynb"]
    replaced(notebook, "00_start_here.ipynb", "08_other.ipynb")
    assert style.way_on(notebook, path) == []
    assert style.way_on(notebook, tmp_path / "08_other.ipynb") == []


@cases("text", ["`0.5` of them", "$p = 0.5$", "$$0.5\n$$", "Gemini 1.5 and Python 3.11",
                                  "```python\n0.5\n```", "[it](v1.5)", "k of 8, in 1991",
                                  "## References\n\n- 12.5 % of it"])
def test_numbers_may_stand_where_a_reader_expects_them(text):
    notebook = good_notebook()
    with_cell(notebook, new_markdown_cell(text))
    assert style.numbers_in_prose(notebook, None) == []


def test_one_long_cell_may_define():
    notebook = good_notebook()
    with_cell(notebook, new_code_cell("def long():\n" + "    print(1)\n" * 24))
    assert style.cell_lengths(notebook, notebooks.NOTEBOOKS / "00_a.ipynb") == []


def test_words_are_what_a_reader_reads():
    text = "Two <b>words</b> and [a link](https://example.org/x/y) $x = y$\n```python\nprint(1)\n```\n42"
    assert style.words(text) == 5


def test_the_chain_of_places_and_needs_is_held():
    path = notebooks.paths()[3]
    names = [other.name for other in notebooks.paths()]
    notebook = notebooks.load(path)
    assert style.chain(notebook, path) == []
    replaced(notebook, names[2], names[1])
    assert style.chain(notebook, path)[0].startswith("the place links to")
    notebook = notebooks.load(path)
    replaced(notebook, "**Needs:**", f"**Needs:** [later]({names[5]}),")
    assert style.chain(notebook, path) == [f"{names[5]} is needed, and comes later"]


SHOWS = re.compile(r"^(?:(?:plots|widgets|live)\.|table\(|claim\(|reveal\((\w+))", re.MULTILINE)
ASKS = re.compile(r"^(\w+) = predict\(", re.MULTILINE)
EVIDENCE = {"follow": 2}  # two pictures to guess from, which say nothing of what is measured


def too_early(notebook):
    """Return the guesses before whose answer something is shown: {name: how many pictures, tables, claims}.

    What a cell draws comes below all that it writes, so a picture counts only where the answer is in a later
    cell, and so does a table, which may be a step on the way there, only in the cell of the answer.
    """
    asked, early = {}, {}
    for cell in notebooks.code_cells(notebook):
        found = [(match[0], match[1]) for match in SHOWS.finditer(cell.source)]
        answered = [name for _, name in found if name in asked]
        for name in answered:
            before = found[:[answer for _, answer in found].index(name)]
            count = asked.pop(name) + sum(shown in ("table(", "claim(") for shown, _ in before)
            early |= {name: count} if count > EVIDENCE.get(name, 0) else {}
        pictures = sum(shown == "plots." for shown, _ in found)
        asked = {name: count + pictures for name, count in asked.items()}
        asked |= dict.fromkeys(ASKS.findall(cell.source), 0)
    return early


def test_a_guess_is_answered_before_anything_shows_the_answer():
    assert {path.stem: early for path in notebooks.paths()
            if (early := too_early(notebooks.load(path)))} == {}


@cases("answer, early", [
    (["reveal(guess, 2)\ntable({})\nplots.plot_load(load)"], {}),
    (["table({})\nreveal(guess, 2)"], {"guess": 1}),
    (["plots.plot_load(load)", "reveal(guess, 2)"], {"guess": 1}),
    (["plots.plot_load(load)\nreveal(guess, 2)"], {}), (["table({})", "reveal(guess, 2)"], {})])
def test_what_comes_too_early_is_found(answer, early):
    cells = [new_code_cell(source) for source in ('guess = predict("How many?", None)', *answer)]
    assert too_early(new_notebook(cells=cells)) == early

"""The cards: one meaning per symbol, a place for each formula, each misconception in the teachers' index."""

import re

import pytest

from tools import notebooks
from tools.notebook_style import OFFENDERS
from tools.site.formulas import letters

SYMBOL = re.compile(r"^\| \$(\w)\$ \| ([^|]+) \|", re.MULTILINE)
FORMULA = re.compile(r"^\| [^|$]+ \| (.*\$.*) \| \[\d\d\]\(([^)]+)\) \|$", re.MULTILINE)
CARD = re.compile(r"^> \*\*You may think:\*\* (.+?) \*\*Run this", re.MULTILINE)
INDICES = set("teij")
LOCAL = {  # letters that a notebook defines for itself beside its formula
    "00": set("dnquIh"), "02": set("g"), "03": set("hvZ"), "07": set("adgJ"), "08": set("u"),
    "15": set("dhn"), "16": set("dnqR"), "18": set("dqI"), "19": set("hmn"), "20": set("ag"),
}
TEXTS = {path.name[:2]: "\n".join(cell.source for cell in notebooks.markdown_cells(notebooks.load(path)))
         for path in notebooks.paths()}
SYMBOLS = dict(SYMBOL.findall(TEXTS["00"]))


def test_the_letters_of_a_formula_are_found():
    assert letters(r"so $x_t + \mathrm{CV}$ and `$q$`: $$\frac{a}{b}$$") == set("xtab")


def test_no_symbol_stands_twice_on_the_card():
    names = [letter for letter, _ in SYMBOL.findall(TEXTS["00"])]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("number", TEXTS)
def test_formulas_use_the_symbols_of_the_card_or_name_their_own(number):
    own = LOCAL.get(number, set())
    assert letters(TEXTS[number]) - set(SYMBOLS) - INDICES - own == set()
    assert own.isdisjoint(SYMBOLS), "a symbol of the card has one meaning everywhere"


def test_every_formula_of_the_card_stands_in_mathematics_where_the_card_says():
    rows = FORMULA.findall(TEXTS["00"])
    assert len(rows) >= 14
    for formula, target in rows:
        there = TEXTS[target[:2]]
        assert "$$" in there, target
        assert letters(formula) <= letters(there) | {"E"}, (formula, target)


def test_the_index_for_teachers_has_every_misconception():
    index = (notebooks.ROOT / "TEACHING.md").read_text(encoding="utf-8")
    named = dict.fromkeys(number for number, text in TEXTS.items() for _ in CARD.findall(text))
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| (\d\d) \|$", index, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 15
    assert {place for _, place in rows} == set(named)


@pytest.mark.parametrize("name", ["README.md", "TEACHING.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_other_texts_avoid_the_worst_offenders_too(name):
    text = (notebooks.ROOT / name).read_text(encoding="utf-8")
    assert [pattern for pattern in OFFENDERS if re.search(pattern, text, re.IGNORECASE)] == []

"""What tools.house measures: sizes, and what of an earlier library still stands."""

from tools import house

FUNCTION = '''import numpy as np


def mean_load(routed):
    """Return the mean number of tokens per expert."""
    counts = count(routed)
    total = np.sum(counts)
    return total / len(counts)
'''
OTHER = "\n\ndef other(x):\n    y = x\n    z = y\n    w = z\n    return w\n"


def test_a_definition_is_counted_with_its_decorators_and_the_lines_above():
    found = house.definitions("a.py", FUNCTION.replace("def", "LIMIT = 3\n\n\n@cache\ndef"))
    assert [(each.name, each.lines) for each in found] == [("LIMIT", 1), ("mean_load", 8)]


def test_what_moved_or_was_renamed_still_stands_and_what_was_added_does_not():
    for source in FUNCTION, FUNCTION.replace("mean_load", "tokens_per_expert"):
        assert house.still_stands({"old.py": FUNCTION}, {"new.py": source}) == (7 + 1, 0)
        grown = {"new.py": "import b\n" * 4 + source + OTHER, "more.py": f"import a\n{OTHER}"}
        assert house.still_stands({"old.py": FUNCTION}, grown) == (round(7 + 5 / 2), 0)  # half of the head


def test_lines_that_a_definition_has_won_are_counted_apart():
    longer = FUNCTION.replace("    return", "    check(total)\n    return")
    assert house.still_stands({"old.py": FUNCTION}, {"new.py": longer}) == (9, 1)
    assert house.still_stands({"old.py": longer}, {"new.py": FUNCTION}) == (8, 0)


def test_a_name_given_to_something_else_does_not_stand():
    other = OTHER.replace("other", "mean_load")
    assert house.still_stands({"old.py": FUNCTION}, {"new.py": other}) == (0, 0)


def test_a_short_definition_stands_under_its_name_alone():
    short = "import a\n\n\ndef one():\n    return 1\n"
    assert house.still_stands({"old.py": short}, {"new.py": short}) == (5, 0)
    assert house.still_stands({"old.py": short}, {"new.py": short.replace("one", "other")}) == (0, 0)


def test_a_definition_stands_once():
    copies = {"a.py": FUNCTION, "b.py": FUNCTION}
    assert house.still_stands(copies, {"new.py": FUNCTION}) == (8, 0)
    assert house.still_stands({"old.py": FUNCTION}, copies) == (8, 0)
    assert house.still_stands(copies, copies) == (16, 0)


def test_the_library_stands_whole_in_itself():
    modules = house.modules_now()
    lines = sum(len(source.splitlines()) for source in modules.values())
    assert f"{len(modules)} files, {lines:,} lines" in house.size(modules)
    assert lines - house.still_stands(modules, modules).lines < 300  # lists of names alone

"""The checks of flags, texts, lists and records: what passes comes back, what does not is named."""

import numpy as np
import pytest

from cases import cases
from moeviz import checks


def test_what_is_right_comes_back():
    assert checks.check_flag(False, "tied") is False
    assert checks.check_optional(3, "window") == 3
    assert checks.check_several(np.array([1, 2]), "layers") == (1, 2)
    assert checks.check_several((n for n in (3, 5)), "layers") == (3, 5)
    assert checks.check_texts(["a", "b"], "names") == ("a", "b")
    assert checks.check_texts([], "names") == ()
    assert checks.check_kind(True, "flag", int) is True


@cases(("check", "message"), [
    (lambda: checks.check_flag(1, "tied"), "^tied must be True or False, got 1$"),
    (lambda: checks.check_optional(0, "window"), "^window must be a whole number of at least 1, got 0$"),
    (lambda: checks.check_text("", "name"), "^name must be text, got ''$"),
    (lambda: checks.check_text(7, "name"), "^name must be text, got 7$"),
    (lambda: checks.check_several("abc", "layers"), "^layers must be a list, got 'abc'$"),
    (lambda: checks.check_several(3, "layers"), "^layers must be a list, got 3$"),
    (lambda: checks.check_texts("ab", "names"), "^names must be a list, got 'ab'$"),
    (lambda: checks.check_texts(["a", 1], "names"), r"^names must be different texts, got \('a', 1\)$"),
    (lambda: checks.check_texts(["a", "a"], "names"), "^names must be different texts"),
    (lambda: checks.check_kind([], "spec", dict), "^spec must be a dict, got list$"),
])
def test_what_is_wrong_is_named(check, message):
    with pytest.raises(ValueError, match=message):
        check()

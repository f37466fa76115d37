"""Many cases in one test: all run, fixtures are given, and the one that fails is named."""

import pytest

from cases import cases


@cases("word, length", [("router", 6), ("gate", 4)])
def test_every_case_is_given_with_the_fixtures(word, length, tmp_path):
    assert len(word) == length and tmp_path.is_dir()


def test_a_failure_names_its_case():
    seen = []

    @cases("number", [1, 2, 3])
    def refuses(number):
        seen.append(number)
        with pytest.raises(ValueError):
            assert number == 2 or int("no number")

    with pytest.raises(BaseException, match="DID NOT RAISE") as failure:
        refuses()
    assert failure.value.__notes__ == ["with {'number': 2}"]
    assert seen == [1, 2]

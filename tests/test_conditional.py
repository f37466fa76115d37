"""Information about one label given another, and names in languages that share scripts."""

import unicodedata

import numpy as np
import pytest

from moeviz import metrics, text

RNG = np.random.default_rng(0)


def slow(experts, labels, given):
    """Weigh the information within each value of `given` by its tokens."""
    total = 0.0
    for value in set(given.tolist()):
        inside = given == value
        total += inside.mean() * metrics.mutual_information(experts[inside], labels[inside])
    return total


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_weighed_mean_within_each_group(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(6, 200, p=[0.3, 0.3, 0.1, 0.1, 0.1, 0.1])
    given = np.array([0, 0, 0, 5, 5, 9])[labels]
    experts = np.where(rng.random(200) < 0.5, labels, rng.integers(0, 6, 200))
    found = metrics.conditional_information(experts, labels, given)
    assert found == pytest.approx(slow(experts, labels, given))


def test_labels_that_cross_the_condition_count_too():
    experts, labels, given = RNG.integers(0, 3, 90), RNG.integers(0, 4, 90), RNG.integers(0, 2, 90)
    found = metrics.conditional_information(experts, labels, given)
    assert found == pytest.approx(slow(experts, labels, given))


def test_a_condition_can_reveal_what_alone_says_nothing():
    experts, labels = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    assert metrics.mutual_information(experts, labels) == 0
    assert metrics.conditional_information(experts, labels, experts ^ labels) == 1


def test_a_condition_that_never_changes_changes_nothing():
    experts, labels = RNG.integers(0, 3, 50), RNG.integers(0, 4, 50)
    plain = metrics.mutual_information(experts, labels)
    assert metrics.conditional_information(experts, labels, np.zeros(50, int)) == pytest.approx(plain)


def test_the_null_trades_labels_within_the_condition_only():
    labels, experts = np.repeat(np.arange(6), 30), RNG.integers(0, 2, 180)
    null = metrics.conditional_information_null(experts, labels, labels // 2, rng=RNG, repeats=50)
    # (2 labels - 1) (2 experts - 1) / (2 N ln 2) with N = 60 tokens in a group; across it 5 times that
    assert null == pytest.approx(1 / (2 * 60 * np.log(2)), rel=0.35)
    assert metrics.conditional_information_null(labels, labels // 2, labels // 2, rng=RNG, repeats=2) == 0


def test_bad_labels_are_named():
    with pytest.raises(ValueError, match="given must have shape"):
        metrics.conditional_information([0, 1], [0, 1], [0])
    with pytest.raises(ValueError, match="labels must have shape"):
        metrics.conditional_information_null([0, 1], [0], [0, 1], rng=RNG)
    with pytest.raises(ValueError, match="repeats"):
        metrics.conditional_information_null([0, 1], [0, 1], [0, 1], rng=RNG, repeats=0)


# --- names in five scripts ---------------------------------------------------------------------

UNICODE = {"Latin": "LATIN", "Cyrillic": "CYRILLIC", "Arabic": "ARABIC", "Devanagari": "DEVANAGARI",
           "Han": "CJK"}


def main_script(raw):
    words = [unicodedata.name(c, "?").split()[0] for c in raw.decode() if c.isalpha()]
    return max(set(words), key=words.count)


@pytest.mark.parametrize("fallback", [False, True])
def test_every_language_is_in_its_script_and_has_its_bytes(fallback):
    if not fallback:
        pytest.importorskip("babel")
    names = text.load_scripts(bytes_per_language=3000, fallback=fallback)
    assert names.domain_names == tuple(text.SCRIPT_OF) and len(names.domain_names) == 14
    for at, language in enumerate(names.domain_names):
        raw = names.text[names.domain == at].tobytes()
        assert 2990 <= len(raw) <= 3000
        assert main_script(raw).startswith(UNICODE[text.SCRIPT_OF[language]]), language
    assert ("FALLBACK" in names.notes[0]) is fallback


def test_every_script_has_more_than_one_language():
    assert len(text.SCRIPTS) == 5
    assert min(list(text.SCRIPT_OF.values()).count(script) for script in text.SCRIPTS) >= 2


def test_some_of_the_languages_can_be_taken():
    some = text.load_scripts(languages=("ru", "zh"), bytes_per_language=200, fallback=True)
    assert some.domain_names == ("ru", "zh")
    with pytest.raises(ValueError, match="languages must be one of"):
        text.load_scripts(languages=("ru", "xx"))


def test_languages_are_texts_of_their_own():
    names = text.load_scripts(bytes_per_language=1000, fallback=True)
    parts = [names.text[names.domain == at].tobytes() for at in range(14)]
    assert len(set(parts)) == 14


def test_repeated_names_stay_the_same_names_in_other_orders():
    lines = text.repeat_names("a, b, c", 60).split("\n")
    assert all(sorted(line.split(", ")) == ["a", "b", "c"] for line in lines)
    assert len(set(lines)) == 6
    assert text.repeat_names("abc", 2) == "abc"


def test_a_babel_that_lacks_a_language_gives_the_fallback():
    pytest.importorskip("babel")
    found, note = text.names(languages=("de", "xx"))
    assert "FALLBACK" in note and "de" in found

"""Corpus, the held-out split, and the helpers that name single bytes."""

import hashlib
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import cases
from moeviz import text


@pytest.fixture(scope="module")
def corpus():
    return text.load_corpus(bytes_per_domain=60_000)


@pytest.fixture(scope="module")
def own():
    return text.load_corpus(bytes_per_domain=20_000, fallback=True)


def small(sizes):
    domain = np.repeat(np.arange(len(sizes)), sizes)
    return text.Corpus(np.full(len(domain), 97, dtype=np.uint8), domain, [f"d{i}" for i in range(len(sizes))])


def test_corpus_has_four_domains_of_valid_utf8(corpus):
    assert corpus.domain_names == ("prose", "code", "digits", "names")
    assert len(corpus.notes) == 4
    for domain in range(4):
        part = corpus.text[corpus.domain == domain].tobytes()
        assert 0 < len(part) <= 60_000
        part.decode("utf-8")
    assert corpus.sha256 == hashlib.sha256(corpus.text.tobytes()).hexdigest()


def test_corpus_is_the_same_twice_and_read_only(corpus):
    assert text.load_corpus(bytes_per_domain=60_000).sha256 == corpus.sha256
    with pytest.raises(ValueError, match="read-only"):
        corpus.text[0] = 0
    with pytest.raises(AttributeError):
        corpus.notes = ()


def test_corpus_copies_the_array_of_the_caller():
    mine = np.array([97, 98], dtype=np.uint8)
    made = text.Corpus(mine, [0, 0], ("a",))
    mine[0] = 0
    assert made.text.tolist() == [97, 98]


def test_domains_differ_as_their_names_say(corpus):
    share = np.zeros((4, 8))
    np.add.at(share, (corpus.domain, text.byte_classes(corpus.text)), 1)
    share /= share.sum(axis=1, keepdims=True)
    assert share[:, text.BYTE_CLASS_NAMES.index("digit")].argmax() == 2
    assert share[:, text.BYTE_CLASS_NAMES.index("continuation")].argmax() == 3
    assert "def " in corpus.text[corpus.domain == 1].tobytes().decode()


def test_names_cover_a_dozen_languages_and_five_scripts():
    pytest.importorskip("babel")
    names = text.load_names(bytes_per_language=3000)
    assert names.domain_names == text.LANGUAGES and len(names.domain_names) >= 12
    characters = set(names.text.tobytes().decode())
    scripts = {unicodedata.name(c).split()[0] for c in characters if c.isalpha()}
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "HANGUL"} <= scripts
    assert np.bincount(names.domain).min() > 1000


def test_fallback_says_so_and_is_our_own_text(own):
    assert sum("FALLBACK" in note for note in own.notes) == 3
    assert "post office" in own.text[own.domain == 0].tobytes().decode()
    names = text.load_names(fallback=True)
    assert np.bincount(names.domain, minlength=16).min() > 50
    assert "FALLBACK" in names.notes[0]


@pytest.mark.parametrize(("module", "domain"), [("pydoc_data.topics", "prose"), ("babel", "names")])
def test_a_missing_module_falls_back_for_its_domain_only(monkeypatch, module, domain):
    monkeypatch.setitem(sys.modules, module, None)
    notes = text.load_corpus(bytes_per_domain=5000).notes
    missing = [note for note in notes if "FALLBACK" in note]
    assert len(missing) == 1 and missing[0].startswith(domain) and "missing" in missing[0]


def test_missing_library_sources_fall_back_without_naming_a_path(monkeypatch, tmp_path):
    monkeypatch.setattr(text.sysconfig, "get_path", lambda name: str(tmp_path))
    found, note = text.code(1000)
    assert "class Table" in found[0][1][1] and "FALLBACK" in note and str(tmp_path) not in note


def test_present_sources_do_not_fall_back(corpus):
    pytest.importorskip("babel")
    pytest.importorskip("pydoc_data.topics")
    assert not any("FALLBACK" in note for note in corpus.notes)


def test_held_out_is_every_tenth_block_of_2000():
    mask = text.held_out_mask(small([60_000, 45_000]))
    expected = [(i // 2000) % 10 == 9 for i in range(60_000)] + [(i // 2000) % 10 == 9 for i in range(45_000)]
    assert mask.tolist() == expected


def test_small_domains_have_held_out_bytes_too(own):
    mask = text.held_out_mask(own)
    share = np.bincount(own.domain, mask) / np.bincount(own.domain)
    assert (share > 0.04).all() and (share < 0.16).all()


def sides(corpus, domain, border):
    """Return the sets of parts of 32 characters or more in a domain's training and held-out text."""
    for side in (False, True):
        whole = corpus.text[(corpus.domain == domain) & (corpus.held_out == side)].tobytes().decode()
        yield {part for part in whole.split(border) if len(part) >= 32}


@pytest.mark.parametrize("whole", ["corpus", "own"])
@pytest.mark.parametrize(("domain", "border"), [(0, "\n\n"), (1, "\n\n"), (2, "\n")])
def test_no_paragraph_and_no_line_stands_on_both_sides(request, whole, domain, border):
    training, held_out = sides(request.getfixturevalue(whole), domain, border)
    assert training and held_out and not training & held_out


def test_a_help_topic_or_file_is_held_out_as_a_whole():
    groups = [[(f"topic {i}", f"<{i} begins here.\n\nHere ends {i}, after more words.") for i in range(30)]]
    training, held_out = text.split(groups)
    for i in range(30):
        assert (f"<{i} begins" in training) + (f"<{i} begins" in held_out) == 1
        assert (f"<{i} begins" in training) == (f"ends {i}," in training)
    longer = text.split([*groups, [(f"more {i}", "more " * i) for i in range(40)]])
    assert longer[0].startswith(training) and longer[1].startswith(held_out)


def test_what_training_holds_word_by_word_is_taken_out_of_the_held_out_text():
    shared = "This paragraph stands in several of the topics, word by word."
    groups = [[(f"topic {i}", f"{shared}\n\nOnly topic {i} has this one.\n\nnote") for i in range(20)]]
    training, held_out = text.split(groups)
    assert shared in training and shared not in held_out
    assert "has this one" in held_out and "note" in held_out


def test_a_name_is_held_out_in_every_language_and_never_twice():
    keys = [f"country {a}{b}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ"]
    one, two = ([text.split_names([(key, key + tail) for key in keys]) for tail in ("e", "a")])
    assert [name[:-1] for name in one[1]] == [name[:-1] for name in two[1]] and 4 < len(one[1]) < 16
    twice = text.split_names([(key, "the same") for key in keys])
    assert twice[1] == [] and len(twice[0]) == len(one[0])


def test_names_of_the_installation_are_on_one_side():
    pytest.importorskip("babel")
    names = text.load_names(bytes_per_language=6000)
    for at in range(16):
        training, held_out = ({name for line in names.text[(names.domain == at) & (names.held_out == side)]
                               .tobytes().decode().split("\n")[:-2] for name in line.split(", ")}
                              for side in (False, True))
        assert held_out and not training & held_out


@cases("held_out", [True, False])
def test_windows_never_mix_sides_or_domains(held_out):
    corpus = small([4050, 3010, 50])
    width, mask = 9, text.held_out_mask(corpus)
    slow = [s for s in range(len(mask) - width + 1)
            if len(set(corpus.domain[s:s + width])) == 1 and set(mask[s:s + width]) == {held_out}]
    assert text.window_starts(corpus, width=width, held_out=held_out).tolist() == slow


def test_training_and_held_out_windows_share_no_byte(corpus):
    touched = np.zeros((2, len(corpus.text)), dtype=bool)
    for side in (False, True):
        for offset in range(9):
            touched[int(side), text.window_starts(corpus, width=9, held_out=side) + offset] = True
    assert touched.any(axis=1).all() and not (touched[0] & touched[1]).any()


def slow_class(byte):
    if byte in b" \t":
        return "space"
    if byte in b"\n\r":
        return "newline"
    if byte >= 192:
        return "non-ascii lead"
    if byte >= 128:
        return "continuation"
    character = chr(byte)
    if character.isalpha():
        return "lower" if character.islower() else "upper"
    return "digit" if character.isdigit() else "punctuation"


def test_every_byte_has_the_class_of_the_slow_specification():
    every = bytes(range(256))
    assert [text.BYTE_CLASS_NAMES[c] for c in text.byte_classes(every)] == [slow_class(b) for b in every]


def test_labels_of_hand_made_cases():
    assert text.byte_labels("a é\n\t") == ["a", "␣", "é", "·", "↵", "⇥"]
    assert text.byte_labels("日") == ["日", "·", "·"]
    assert text.byte_labels("👧") == ["👧", "·", "·", "·"]
    assert text.byte_labels(b"a\xff\xe6\x97") == ["a", "FF", "E6", "97"]
    assert text.byte_labels("\x00\u00a0\u200d") == ["00", "C2", "·", "E2", "·", "·"]
    assert text.byte_labels("\u0301")[0] == "◌\u0301"
    assert text.byte_labels("a\ufe0f")[1] == "EF"


@given(st.one_of(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])),
                 st.binary(min_size=1)))
def test_one_label_and_one_class_per_byte(sentence):
    raw = text.encode(sentence)
    labels = text.byte_labels(sentence)
    assert len(labels) == len(raw) == len(text.byte_classes(sentence))
    assert all(label and label[-1].isprintable() for label in labels)


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_encode_can_be_undone_and_takes_its_own_output(sentence):
    raw = text.encode(sentence)
    assert raw.dtype == np.uint8 and raw.tobytes().decode() == sentence
    assert text.encode(raw) is raw and text.encode(raw.tobytes()).tolist() == raw.tolist()


def test_encode_keeps_undecodable_bytes_of_the_command_line():
    assert text.encode("a\udcff").tolist() == [97, 255]


@cases("bad", ["", b"", np.array([], dtype=np.uint8), "\ud800", None, 3, ["a"],
                                 np.array([1, 2]), np.zeros((2, 2), dtype=np.uint8)])
def test_encode_refuses_what_is_no_sentence(bad):
    with pytest.raises(ValueError, match="sentence"):
        text.encode(bad)


@cases("bad", [0, 99, -1, 2.5, True, None, "many"])
def test_load_corpus_refuses_a_bad_size(bad):
    with pytest.raises(ValueError, match="bytes_per_domain"):
        text.load_corpus(bytes_per_domain=bad)


@cases(("domain", "word"), [([0], "domain"), ([0, 2], "0..1"), ([0, -1], "0..1"),
                                              ([0.0, 1.0], "dtype"), ([[0, 1]], "dimension")])
def test_corpus_refuses_domains_that_do_not_fit(domain, word):
    with pytest.raises(ValueError, match=word):
        text.Corpus(b"ab", domain, ("a", "b"))


@cases(("fields", "message"), [
    ((b"", [], ("a",)), "^text must not be empty"), ((7, [0], ("a",)), "^text must be text, bytes or"),
    ((b"a", [0], 1), "^domain_names must be a list"), ((b"a", [0], "a"), "^domain_names must be a list"),
    ((b"a", [0], ("a", "a")), "^domain_names must be different"), ((b"a", [0], ("a",), "n"), "^notes must"),
])
def test_corpus_names_the_field_that_is_wrong(fields, message):
    with pytest.raises(ValueError, match=message):
        text.Corpus(*fields)


@cases("function", [text.byte_classes, text.byte_labels])
def test_bytes_that_are_none_are_named(function):
    with pytest.raises(ValueError, match=r"^text must be text, bytes or"):
        function(3)


def test_what_is_no_corpus_is_named():
    with pytest.raises(ValueError, match=r"^corpus must be a Corpus, got str"):
        text.held_out_mask("abc")
    with pytest.raises(ValueError, match=r"^corpus must be a Corpus, got bytes"):
        text.window_starts(b"abc", width=2, held_out=True)
    with pytest.raises(ValueError, match=r"^held_out must be True or False, got 'no'"):
        text.window_starts(text.Corpus(b"abcd", [0] * 4, ("a",)), width=2, held_out="no")


@cases("width", [0, -1, 5, 1.5])
def test_windows_refuse_a_width_that_does_not_fit(width):
    with pytest.raises(ValueError, match="width"):
        text.window_starts(text.Corpus(b"abcd", [0] * 4, ("a",)), width=width, held_out=False)

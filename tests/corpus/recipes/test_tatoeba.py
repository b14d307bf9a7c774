"""Tatoeba from a small packed file of its layout."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.recipes import tatoeba_en_de
from nmt.corpus.recipes import text as recipe_text
from nmt.corpus.recipes.tatoeba_en_de import ARCHIVE, MEMBER
from nmt.errors import Damaged, UserError
from tests.corpus.recipes.memory import pairs_of, splits_of, text

SENTENCES = st.sampled_from(["a", "A", "b", "c", "d", "e", "f", "g", "h"])
PAIRS = st.lists(st.tuples(SENTENCES, SENTENCES), max_size=14)


def packed(*lines: str, member: str = MEMBER) -> dict[str, bytes]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr(member, text(*lines))
    return {ARCHIVE: file.getvalue()}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(tatoeba_en_de, "HELD_OUT", 1)


def test_a_large_group_and_what_is_over_are_trained_on_and_each_time_the_same(few):
    group = [f"Hi.\tHallo {number}." for number in range(5)]
    lines = [*group, "One.\tEins.", "Two.\tZwei.", "Three.\tDrei.", "hi.\tGruß.", "One.\tEins.", "\tLeer."]
    first = splits_of("tatoeba-en-de", packed(*lines))
    again = splits_of("tatoeba-en-de", packed(*lines))
    assert list(first) == ["train", "valid", "test"]
    assert {name: pairs_of(split) for name, split in first.items()} == {
        name: pairs_of(split) for name, split in again.items()
    }
    # What this seed draws, on every machine.
    assert pairs_of(first["test"]) == [("Two.", "Zwei.")]
    assert pairs_of(first["valid"]) == [("One.", "Eins.")]
    trained = pairs_of(first["train"])
    assert trained[0] == ("Hi.", "Hallo 1.")
    assert sorted(trained) == sorted(
        [*(("Hi.", f"Hallo {number}.") for number in range(5)), ("Three.", "Drei."), ("hi.", "Gruß.")]
    )


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_no_sentence_is_in_two_splits_whatever_its_case(pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tatoeba_en_de, "HELD_OUT", 2)
        splits = splits_of("tatoeba-en-de", packed(*(f"{english}\t{german}" for english, german in pairs)))
    for column in (0, 1):
        sides = [{pair[column].lower() for pair in pairs_of(split)} for split in splits.values()]
        assert len(set.union(*sides)) == sum(map(len, sides))
    written = [pair for split in splits.values() for pair in pairs_of(split)]
    assert len(set(written)) == len(written) and set(written) <= set(pairs)


@pytest.mark.parametrize("line", ["Hi.", "Hi.\tHallo.\tattribution"])
def test_a_line_that_is_no_pair_is_named(line):
    with pytest.raises(Damaged, match=rf"{ARCHIVE}, {MEMBER}, line 2: . columns where English, tab, German are exp"):
        splits_of("tatoeba-en-de", packed("One.\tEins.", line))


def test_a_packed_file_that_is_damaged_is_named():
    whole = packed("One.\tEins.")[ARCHIVE]
    with pytest.raises(Damaged, match=rf"{ARCHIVE}: cannot be unpacked \(File is not a zip file"):
        splits_of("tatoeba-en-de", {ARCHIVE: whole[:-30]})
    harmed = bytearray(whole)
    harmed[whole.index(MEMBER.encode()) + len(MEMBER) + 2] ^= 0xFF  # within the packed text
    with pytest.raises(Damaged, match=f"{ARCHIVE}: cannot be unpacked"):
        splits_of("tatoeba-en-de", {ARCHIVE: bytes(harmed)})
    with pytest.raises(Damaged, match=f"{ARCHIVE}: has no {MEMBER}"):
        splits_of("tatoeba-en-de", packed("One.\tEins.", member="other.txt"))


def test_a_member_of_more_than_any_text_is_refused(monkeypatch):
    monkeypatch.setattr(recipe_text, "MOST_UNPACKED", 20)
    with pytest.raises(Damaged, match=f"{MEMBER}: holds more than 20 bytes"):
        splits_of("tatoeba-en-de", packed("One.\tEins." * 9))


def test_bytes_that_are_no_text_are_named_with_their_line():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(MEMBER, b"One.\tEins.\nTwo.\tZw\xffei.\n")
    with pytest.raises(UserError, match=f"{MEMBER}, line 2: not valid UTF-8"):
        splits_of("tatoeba-en-de", {ARCHIVE: file.getvalue()})

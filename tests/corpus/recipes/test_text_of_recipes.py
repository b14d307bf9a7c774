"""What every recipe does to a line, and to rows of lines."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.recipes import text as recipe_text
from nmt.corpus.recipes.recipe import RECIPES
from nmt.corpus.recipes.rows import apart_from, rows_of_files
from nmt.corpus.recipes.text import CONTROL, gunzipped, lines_of_text, one_line
from nmt.errors import Damaged, UserError
from tests.corpus.recipes.memory import MemorySource, text

SENTENCES = st.sampled_from(["a", "A", "b", "B", "c", "d"])
PAIRS = st.lists(st.tuples(SENTENCES, SENTENCES), max_size=8)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("a\u00a0b \t c", "a b c"),
        ("a\u2028b\u0085c\x0bd", "a b c d"),
        ("so\u00adft, ze\u200bro, \ufeffmark\x07", "soft, zero, mark"),
        ("  \u200b  ", ""),
        ("a \u200b b\r", "a b"),
    ],
)
def test_a_line_is_composed_and_its_white_space_and_controls_are_plain(before, after):
    assert one_line(before) == after


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(" \t\u00a0\u200b\u00ad\u2028\x00\x1f\n"))))
def test_any_text_becomes_one_line_of_single_spaces(before):
    line = one_line(before)
    assert line == " ".join(line.split())
    assert not CONTROL.search(line)


def test_bytes_that_are_no_text_are_named_with_their_line():
    with pytest.raises(UserError, match="notes, line 2: not valid UTF-8"):
        lines_of_text(b"good\nb\xff\n", "notes")


@pytest.mark.parametrize("harm", [lambda packed: packed[:-9], lambda packed: b"text", lambda packed: packed[:12]])
def test_a_packed_file_that_is_no_whole_one_is_named(harm):
    packed = harm(gzip.compress(b"some text " * 50))
    with pytest.raises(Damaged, match=r"train\.gz: cannot be unpacked"):
        gunzipped(packed, "train.gz")


def test_a_packed_file_of_more_than_any_text_is_refused(monkeypatch):
    monkeypatch.setattr(recipe_text, "MOST_UNPACKED", 99)
    assert gunzipped(gzip.compress(b"x" * 99), "small.gz") == b"x" * 99
    with pytest.raises(Damaged, match=r"large\.gz: holds more than 99 bytes"):
        gunzipped(gzip.compress(b"x" * 100), "large.gz")


def test_rows_with_an_empty_line_are_left_out_and_unequal_files_are_named():
    need = RECIPES["newstest-en-de"].needs[0]
    source = MemorySource(need, {"a": text("one", "", "three"), "b": text("eins", "zwei", "drei"), "c": text("un")})
    assert rows_of_files(source, ["a", "b"]) == [("one", "eins"), ("three", "drei")]
    message = r"OPUS-MT-testsets: testsets/a has 3 lines and .*testsets/c 1; line i of both must belong together"
    with pytest.raises(Damaged, match=message):
        rows_of_files(source, ["a", "c"])


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS)
def test_what_is_kept_shares_no_sentence_with_what_is_held_out(pairs, held_out):
    kept = apart_from(pairs, held_out)
    for side in (0, 1):
        held = {pair[side].lower() for pair in held_out}
        assert held.isdisjoint({pair[side].lower() for pair in kept})
    assert [pair for pair in pairs if pair in kept] == kept
    assert apart_from(pairs, []) == pairs

"""Word links: their files, and from words to pieces."""

from __future__ import annotations

import pytest

from nmt.corpus.batches.cache import cached_tokenizer
from nmt.corpus.batches.encoded import encode_pairs
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport
from nmt.corpus.text.links import piece_links, read_links, words_of
from nmt.errors import UserError


def test_sure_and_possible_links_are_told_apart(tmp_path):
    path = tmp_path / "gold.talp"
    path.write_text("0-0 1p2 2?1\n\n10-11\n")
    first, empty, last = read_links(path)
    assert first.sure == ((0, 0),) and first.possible == ((0, 0), (1, 2), (2, 1))
    assert (empty.sure, last.sure) == ((), ((10, 11),))


@pytest.mark.parametrize("item", ["3", "a-b", "1-", "-1", "1-2-3", "1:2"])
def test_what_is_no_link_is_named_with_its_line(tmp_path, item):
    (tmp_path / "gold").write_text(f"0-0\n1-1 {item}\n")
    with pytest.raises(UserError, match=f"line 2: '{item}' is no link"):
        list(read_links(tmp_path / "gold"))


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["\u2581a", "\u2581", "\u2581ca", "t", "</s>"], [0, -1, 1, 1, -1]),
        (["\u2581", "\u2581a", "\u2581"], [-1, 0, -1]),
        (["\u2581", "d", "og"], [-1, 0, 0]),
        (["\u2581jump", "<unk>", "\u2581left", "</s>"], [0, 1, 2, -1]),
        (["\u2581a", "<unk>", "b", "\u2581c"], [0, 0, 0, 1]),
    ],
)
def test_words_are_what_white_space_parts(pieces, words):
    assert words_of(pieces) == words


def test_a_word_s_link_goes_to_all_its_pieces():
    source, target = ["▁the", "▁ca", "t", "</s>"], ["▁die", "▁Kat", "ze"]
    assert piece_links([(1, 1)], source, target) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert piece_links([(0, 0), (7, 0)], source, target) == [(0, 0)]


def corpus(tmp_path, links: str) -> FilesOptions:
    (tmp_path / "a").write_text("the cat\na dog\n")
    (tmp_path / "b").write_text("die Katze\nein Hund\n")
    (tmp_path / "links").write_text(links)
    return FilesOptions(
        source_language="a", target_language="b", train=[f"{tmp_path}/{{language}}"], links=f"{tmp_path}/links"
    )


def test_training_pairs_come_with_the_links_of_their_line(tmp_path):
    options = corpus(tmp_path, "0-0 1-1\n1p1\n")
    assert list(options.read("train"))[1] == Pair("a dog", "ein Hund", ((1, 1),))
    assert options.knows_links("train") and not options.knows_links("valid")
    assert [pair.links for pair in options.read("train")] == [((0, 0), (1, 1)), ((1, 1),)]


@pytest.mark.parametrize(
    ("links", "message"),
    [("0-0\n", "ends after 1 lines"), ("0-0\n\n\n", "more lines than the 2"), ("0-0\n2-0\n", "line 2: link 2-0")],
)
def test_links_that_don_t_fit_the_pairs_are_refused(tmp_path, links, message):
    with pytest.raises(UserError, match=message):
        list(corpus(tmp_path, links).read("train"))


def test_joined_pairs_are_told_in_the_report():
    assert str(CleaningReport(10, 10, joined=3)) == "10 of 10 pairs kept, 3 joined ones added"


def test_a_bad_line_deep_in_the_text_is_told_as_it_is_not_as_the_tokenizer_s(tmp_path):
    (tmp_path / "a").write_bytes(b"the cat sees a dog\n" * 50 + b"\xff\xfe\n" + b"the cat\n" * 20)
    (tmp_path / "b").write_text("die Katze sieht einen Hund\n" * 71)
    options = FilesOptions(source_language="a", target_language="b", train=[f"{tmp_path}/{{language}}"])
    for kind in ("bpe", "char"):
        with pytest.raises(UserError, match=r"a, line 51: not valid UTF-8"):
            cached_tokenizer(options, CleaningOptions(), TokenizerOptions(kind, 300), tmp_path / "cache")


def test_links_of_words_that_pieces_don_t_tell_apart_teach_nothing(tokenizer):
    pairs = [Pair("a dog", "ein Hund", ((0, 0), (1, 1))), Pair("a\tdog", "ein Hund", ((0, 0), (1, 1)))]
    links = encode_pairs(pairs, tokenizer, CleaningReport(), with_links=True).links
    assert len(links[0]) >= 4 and len(links[1]) == 0


def test_a_joined_pair_that_is_too_long_is_not_counted_with_those_read(tokenizer):
    report = CleaningReport(read=2, kept=2, joined=1)
    encode_pairs([Pair("a dog", "ein Hund"), Pair("a " * 99, "ein " * 99, joined=True)], tokenizer, report, 50)
    assert (report.kept, report.joined, report.too_long) == (2, 0, 0)

"""Word links: their files, and from words to pieces."""

from __future__ import annotations

import pytest

from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer
from nmt.corpus.batches.encoded import encode_pairs
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import TokenizerOptions, train_tokenizer
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport
from nmt.corpus.text.links import read_gold, read_links, words_of
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
        (["\u2581a", "\u2581", "\u2581ca", "t", "</s>"], [(0,), (), (1,), (1,), ()]),
        (["\u2581", "\u2581a", "\u2581"], [(), (0,), ()]),
        (["\u2581", "d", "og"], [(), (0,), (0,)]),
        (["\u2581jump", "<unk>", "\u2581left", "</s>"], [(0,), (1,), (2,), ()]),
        (["\u2581a", "<unk>", "b", "\u2581c"], [(0,), (0,), (0,), (1,)]),
    ],
)
def test_words_are_what_white_space_parts(pieces, words):
    assert words_of(pieces) == words


def test_a_word_s_link_goes_to_all_its_pieces():
    from nmt.corpus.text.links import links_between  # here: the other tests run at earlier commits, too

    source = words_of(["▁the", "▁ca", "t", "</s>"])
    target = words_of(["▁die", "▁Kat", "ze"])
    assert links_between([(1, 1)], source, target) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert links_between([(0, 0), (7, 0)], source, target) == [(0, 0)]


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
    (tmp_path / "b").write_text("die\u00a0Katze\nein Hund\n")
    assert [pair.links for pair in options.read("train")] == [((0, 0), (1, 1)), ((1, 1),)], "at any white space"


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


NO_BREAK = [Pair(f"he says : yes {n} !", f"il dit\u00a0: oui {n}\u202f!", ((1, 1), (2, 2), (5, 5))) for n in range(30)]


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char", "word"])
def test_links_teach_whatever_white_space_parts_the_words(kind, tmp_path):
    """A word has other pieces in each kind; of some, parts of two words lie in one, or are unknown."""
    size = {"char": 20, "word": 15}.get(kind, 300)
    made = train_tokenizer(lambda: NO_BREAK, TokenizerOptions(kind, size), tmp_path)
    encoded = encode_pairs(NO_BREAK, made, CleaningReport(), with_links=True)
    assert encoded.links.lengths.all(), "every pair teaches"
    for row, pair in enumerate(NO_BREAK):
        source = made.spelt_source(pair.source)
        target = made.spelt_target(pair.target)
        taught = {(source[s].strip("\u2581"), target[t]) for s, t in encoded.links[row].reshape(-1, 2)}
        assert any(piece.endswith(":") and ":" in linked for piece, linked in taught), taught
        assert any(piece.endswith("!") and "!" in linked for piece, linked in taught), taught


def test_pairs_whose_links_do_not_fit_are_counted_and_teach_nothing(tokenizer):
    pairs = [Pair("a dog", "ein Hund", ((0, 0), (1, 1))), Pair("a dog", "ein Hund", ((0, 0), (5, 1)))]
    report = CleaningReport(read=2, kept=2)
    links = encode_pairs(pairs, tokenizer, report, with_links=True).links
    assert len(links[0]) >= 4 and len(links[1]) == 0
    assert "links of 1 pairs do not fit and teach nothing" in str(report)


def test_links_that_teach_nothing_at_all_are_refused(tmp_path, tokenizer):
    options = corpus(tmp_path, "\n\n")
    with pytest.raises(UserError, match="no word link fits"):
        cached_pairs(options, "train", CleaningOptions(), tokenizer, tmp_path / "cache", with_links=True)


@pytest.mark.parametrize(
    ("lines", "links"),
    [
        ("0-0 1-1 2-1 3-2\n0-0\n", ((0, 0), (1, 1), (1, 2), (2, 1), (2, 2), (3, 3))),
        ("0-0 1-1 2-2 3-2\n0-0\n1-1\n", ((0, 0), (1, 1), (1, 2), (2, 3), (3, 3))),
    ],
)
def test_links_that_count_words_between_spaces_alone_are_told_and_turned(tmp_path, caplog, lines, links):
    lines += "\n" * (3 - lines.count("\n"))
    (tmp_path / "a.tsv").write_text("he says : yes\til dit\u00a0: oui\nyes\toui\na b\tc d\n")
    (tmp_path / "links").write_text(lines)
    options = FilesOptions(train=[f"{tmp_path}/a.tsv"], links=f"{tmp_path}/links")
    first, *_ = options.read("train")
    assert first.links == links
    assert "counts words as spaces alone part them" in caplog.text


def test_a_joined_pair_that_is_too_long_is_not_counted_with_those_read(tokenizer):
    report = CleaningReport(read=2, kept=2, joined=1)
    encode_pairs([Pair("a dog", "ein Hund"), Pair("a " * 99, "ein " * 99, joined=True)], tokenizer, report, 50)
    assert (report.kept, report.joined, report.too_long) == (2, 0, 0)


@pytest.mark.parametrize("line", ["0-" + "9" * 5000, "9" * 5000 + "-0"], ids=["target", "source"])
def test_a_link_to_a_number_of_any_length_is_named_by_its_line(tmp_path, line):
    (tmp_path / "links").write_text(f"0-0\n{line}\n")
    with pytest.raises(UserError, match=r"links, line 2: .* is no link") as caught:
        list(read_links(tmp_path / "links"))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("use", ["gold", "corpus.links"])
def test_links_of_no_first_word_are_asked_about(tmp_path, caplog, use):
    pairs = [Pair("a b c", "d e f"), Pair("g h i", "j k l")]
    (tmp_path / "t.en").write_text("a b c\ng h i\n")
    (tmp_path / "t.de").write_text("d e f\nj k l\n")
    for name, first in (("from_1", "1-1 2p2"), ("from_0", "0-1 2-2")):
        place = tmp_path / name
        place.write_text(f"{first}\n1-2\n")
        if use == "gold":
            read_gold(place, pairs)
        else:
            corpus = FilesOptions(train=[f"{tmp_path}/t.{{language}}"], links=str(place))
            assert len(list(corpus.read("train"))) == len(list(corpus.read("train"))) == 2
    [asked] = [record.message for record in caplog.records if "count from 1?" in record.message]
    assert asked.startswith(f"{use}={tmp_path}/from_1: ")

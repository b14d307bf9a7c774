"""What a look into a corpus counts is what a plain count, line by line, gives."""

from __future__ import annotations

import re
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nmt.inspection.counting
from nmt.corpus.kinds.files import FilesOptions
from nmt.corpus.kinds.tasks import TaskOptions
from nmt.corpus.subwords.tokenizer import TokenizerOptions
from nmt.corpus.text.cleaning import CleaningOptions
from nmt.errors import UserError
from nmt.inspection.look import Limits, look_into
from tests.conftest import real_corpus
from tests.inspection.plain import (
    BOUNDS,
    bare_words,
    corpus_in,
    first_lines,
    is_blank,
    look,
    odd,
    repeated,
    split,
    with_several_targets,
)

WORDS = (
    "a",
    "b.",
    "ccc",
    "été",
    "e\u0301",
    "да",
    "<b>",
    "&amp;",
    "x&y",
    "http://a",
    "\u200b",
    "\ufffd",
    "\x01",
    "\u2028",
)
LINE = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
TEXTS = st.lists(st.tuples(LINE, LINE), min_size=1, max_size=12)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Makes several blocks of a few pairs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nmt.inspection.counting, "TOGETHER", 3)
        yield


@settings(max_examples=25, deadline=None)
@given(train=TEXTS, test=TEXTS)
def test_every_count_is_that_of_a_plain_count(train, test):
    with tempfile.TemporaryDirectory() as folder:
        looked = look(corpus_in(Path(folder), train, mine=test), CleaningOptions(max_words=4))
    for name, texts in (("train", train), ("mine", test)):
        one = split(looked, name)
        assert one.pairs == len(texts)
        for index, side in enumerate((one.source, one.target)):
            lengths = [len(pair[index].split()) for pair in texts]
            assert side.words == sum(lengths)
            assert side.longest == max(lengths)
            assert side.histogram == np.bincount(lengths).tolist()
        assert sum(bucket.sentences for bucket in one.buckets) == len(texts)
        assert (one.duplicates.count, one.duplicates.first) == repeated(texts)
        assert one.several_targets == with_several_targets(texts)
        check_odd_lines(one, texts)
    check_cleaning(split(looked, "train"), train)


def check_odd_lines(one, texts) -> None:
    found = odd(one)
    patterns = {
        "markup": r"<b>",
        "entity": r"&amp;",
        "address": r"http://",
        "hidden": "\u200b",
        "replacement": "\ufffd",
        "control": "[\x01\u2028]",
    }
    for index, side in enumerate(("source", "target")):
        lines = [pair[index] for pair in texts]
        expected = {kind: [bool(re.search(pattern, line)) for line in lines] for kind, pattern in patterns.items()}
        expected["empty"] = [is_blank(line) for line in lines]
        expected["not_nfc"] = [not unicodedata.is_normalized("NFC", line) for line in lines]
        for kind, fits in expected.items():
            assert found.get((kind, side), (0, ())) == first_lines(fits), (kind, side)
    equal = [source == target and not is_blank(source) for source, target in texts]
    assert found.get(("equal", "pair"), (0, ())) == first_lines(equal)


def check_cleaning(one, texts) -> None:
    empty = [is_blank(source) or is_blank(target) for source, target in texts]
    long = []
    for (source, target), is_empty in zip(texts, empty, strict=True):
        long.append(not is_empty and max(len(source.split()), len(target.split())) > 4)
    left_out = {part.reason: (part.lines.count, part.lines.first) for part in one.left_out}
    assert left_out.get("empty", (0, ())) == first_lines(empty)
    assert left_out.get("too_long", (0, ())) == first_lines(long)
    assert one.kept == len(texts) - sum(part.lines.count for part in one.left_out)


@settings(max_examples=12, deadline=None)
@given(train=TEXTS, valid=TEXTS, test=TEXTS)
def test_what_splits_share_is_found(train, valid, test):
    texts = {"train": train, "valid": valid, "mine": test}
    with tempfile.TemporaryDirectory() as folder:
        looked = look(corpus_in(Path(folder), train, valid, mine=test))
    found = {(both.split, both.other): both for both in looked.shared}
    for name, other in (("valid", "train"), ("mine", "train"), ("mine", "valid")):
        compared = [pair for pair in texts[other] if not is_blank(pair[0]) and not is_blank(pair[1])]
        sources = {source for source, _ in compared}
        is_whole = [not is_blank(source) and not is_blank(target) for source, target in texts[name]]
        in_sources = []
        in_pairs = []
        for pair, whole in zip(texts[name], is_whole, strict=True):
            in_sources.append(whole and pair[0] in sources)
            in_pairs.append(whole and pair in compared)
        both = found.get((name, other))
        if both is None:
            assert not any(in_sources)
            continue
        assert (both.sources.count, both.sources.first) == first_lines(in_sources)
        assert (both.pairs.count, both.pairs.first) == first_lines(in_pairs)
        assert both.of == len(texts[name])


@settings(max_examples=12, deadline=None)
@given(train=TEXTS, test=TEXTS)
def test_words_never_seen_are_those_of_no_training_pair_that_is_kept(train, test):
    with tempfile.TemporaryDirectory() as folder:
        looked = look(corpus_in(Path(folder), train, mine=test), CleaningOptions(max_ratio=1000))
    kept = [pair for pair in train if not is_blank(pair[0]) and not is_blank(pair[1])]
    for side, unseen in enumerate(split(looked, "mine").unseen):
        seen = bare_words(kept, side)
        words = bare_words(test, side)
        never = {word: count for word, count in words.items() if word not in seen}
        assert (unseen.running, unseen.distinct) == (words.total(), len(words))
        assert (unseen.running_unseen, unseen.distinct_unseen) == (sum(never.values()), len(never))
        counts = [count for _, count in unseen.frequent]
        assert counts == sorted(never.values(), reverse=True)[:10]
        assert set(unseen.frequent) <= set(never.items())


@settings(max_examples=12, deadline=None)
@given(lengths=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=60))
def test_ratio_percentiles_are_known_within_a_thousandth(lengths):
    texts = [("a " * source, "b " * target) for source, target in lengths]
    with tempfile.TemporaryDirectory() as folder:
        ratio = split(look(corpus_in(Path(folder), texts)), "train").ratio
    exact = np.array([target / source for source, target in lengths])
    for value, share in ((ratio.low, 0.01), (ratio.median, 0.5), (ratio.high, 0.99)):
        expected = np.quantile(exact, share, method="inverted_cdf")
        assert value == pytest.approx(expected, rel=0.001)


def test_lines_mostly_in_another_script_are_told_wherever_that_script_begins(tmp_path):
    texts = [
        ("привет мир", "hello"),
        ("да", "yes"),
        ("нет", "no"),
        *[("a line", "eine")] * 8,
        ("東京 とうきょう", "Tokyo"),
    ]
    one = split(look(corpus_in(tmp_path, texts)), "train")
    assert odd(one)["other_script", "source"] == (4, (1, 2, 3, 12))
    assert ("other_script", "target") not in odd(one)
    assert list(one.source.scripts)[:2] == ["LATIN", "CYRILLIC"]
    assert sum(one.source.scripts.values()) == pytest.approx(1)


def test_text_without_spaces_is_counted_in_characters(tmp_path):
    texts = [("我们看见了一只狗", "we saw a dog"), ("他走了", "he left")]
    one = split(look(corpus_in(tmp_path, texts, mine=[("他跑了", "he ran")])), "train")
    assert (one.source.unit, one.target.unit) == ("characters", "words")
    assert (one.source.words, one.source.longest) == (11, 8)


def test_characters_of_an_unspaced_test_set_are_looked_for_one_by_one(tmp_path):
    texts = [("我们看见了一只狗", "we saw a dog"), ("他走了。", "he left")]
    looked = look(corpus_in(tmp_path, texts, mine=[("他跑了。", "he ran.")]))
    sources, targets = split(looked, "mine").unseen
    assert sources.frequent == [("跑", 1)]
    assert targets.frequent == [("ran", 1)]


def test_odd_lines_are_told_as_they_lie_and_cleaned_as_they_are_read(tmp_path):
    texts = [("e\u0301t\u00e9", "summer"), ("<2de> \u00e9t\u00e9 <num>", "summer <i>")]
    reader = TokenizerOptions(normalise="nfc", symbols=["<2de>", "<num>"])
    looked = look_into(corpus_in(tmp_path, texts), Limits(CleaningOptions(), reader, BOUNDS))
    one = split(looked, "train")
    assert odd(one)["not_nfc", "source"] == (1, (1,))
    assert ("markup", "source") not in odd(one)
    assert odd(one)["markup", "target"] == (1, (2,))
    assert one.source.words == 3  # without the tag


def test_pairs_that_dropping_duplicates_leaves_out_are_named_over_blocks(tmp_path):
    texts = [("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"), ("a", "b")]
    one = split(look(corpus_in(tmp_path, texts), CleaningOptions(duplicates="drop")), "train")
    [left_out] = one.left_out
    assert (left_out.reason, left_out.lines.count, left_out.lines.first) == ("duplicate", 1, (5,))
    assert one.kept == 4


def test_a_test_set_is_never_cleaned(tmp_path):
    one = split(look(corpus_in(tmp_path, mine=[("a " * 300, "b"), ("", "")])), "mine")
    assert one.kept is None
    assert not one.left_out
    assert odd(one)["too_long", "pair"] == (1, (1,))
    assert one.unseen == []  # without training text nothing is unseen


def test_each_place_of_the_training_text_tells_its_first_line(tmp_path):
    corpus = corpus_in(tmp_path, [("a", "b")] * 4, mine=[("c", "d")])
    corpus.train = corpus.train * 2
    one = split(look(corpus), "train")
    assert one.places == {0: 1, 1: 5}
    assert one.duplicates.count == 7


def test_a_test_set_that_is_the_validation_set_by_its_name_is_counted_once(tmp_path):
    corpus = corpus_in(tmp_path, [("a b", "c d")], [("a c", "d e")], valid=[("a c", "d e")])
    looked = look(corpus)
    assert [split.name for split in looked.splits] == ["train", "valid"]
    assert split(looked, "valid").kept == 1


def test_a_generated_corpus_has_all_its_splits():
    corpus = TaskOptions(train_pairs=30, valid_pairs=5, test_pairs_per_bucket=2, test_bounds=[3, 5])
    assert corpus.splits() == ["train", "valid", "test"]
    looked = look_into(corpus, Limits(CleaningOptions(), TokenizerOptions(), BOUNDS))
    assert [one.pairs for one in looked.splits] == [30, 5, 4]


def test_a_corpus_without_text_says_what_to_name(tmp_path):
    with pytest.raises(UserError, match=r"no text is named; say corpus\.train="):
        look(corpus_in(tmp_path))


def test_16_bytes_of_a_pair_are_remembered(tmp_path):
    from nmt.corpus.pair import Pair
    from nmt.inspection.remembered import Remembered

    remembered = Remembered()
    for _ in range(10):
        remembered.add([Pair(f"{number}", "x") for number in range(50)], np.zeros(50, bool))
    assert remembered.pairs.all().nbytes + remembered.sources.all().nbytes == 16 * 500


@pytest.mark.data
def test_multi30k_has_what_is_known_of_it():
    folder = real_corpus("multi30k")
    corpus = FilesOptions(
        train=[f"{folder}/train.{{language}}.gz"],
        valid=f"{folder}/valid.{{language}}",
        tests={"test2016": f"{folder}/test2016.{{language}}"},
    )
    looked = look(corpus)
    assert [one.pairs for one in looked.splits] == [29_000, 1_014, 1_000]
    assert split(looked, "train").duplicates.first == (14_215, 16_867, 20_149)
    [both] = looked.shared
    assert (both.split, both.other, both.sources.first, both.pairs.count) == ("valid", "train", (687,), 0)

"""What a look into a corpus warns of, and what it advises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.text.cleaning import CleaningOptions
from nmt.evaluation.buckets import make_buckets
from nmt.inspection.advice import advice_of_buckets, bucket_bounds, warnings_of
from tests.inspection.plain import corpus_in, look, split


@settings(max_examples=50, deadline=None)
@given(lengths=st.lists(st.integers(0, 120), min_size=1, max_size=40), times=st.integers(1, 60))
def test_every_advised_bucket_of_a_report_has_100_sentences(lengths, times):
    histogram = [0] * (max(lengths) + 1)
    for length in lengths:
        histogram[length] += times
    bounds = bucket_bounds(histogram)
    if bounds:
        *buckets, _ = make_buckets(lengths * times, bounds)
        assert len(buckets) == len(bounds) + 1
        assert min(map(len, buckets)) >= 100


def test_even_lengths_give_the_buckets_of_a_report():
    assert bucket_bounds([0] + [30] * 90) == [10, 20, 30, 40, 50, 60, 70, 80]


def test_short_sentences_give_narrow_buckets():
    assert bucket_bounds([0] + [200] * 8) == [2, 4, 6]


def test_few_sentences_give_none(tmp_path):
    one = split(look(corpus_in(tmp_path, mine=[("a b", "c")] * 150)), "mine")
    advice = advice_of_buckets(one)
    assert advice.option == ""
    assert "150 sentences are too few" in advice.text


def test_advised_buckets_can_be_typed(tmp_path):
    texts = [("a " * length, "b") for length in (3, 13, 23, 33) for _ in range(100)]
    advice = advice_of_buckets(split(look(corpus_in(tmp_path, mine=texts)), "mine"))
    assert advice.option == "evaluation.bucket_bounds=[10,20,30]"
    assert advice.text == "4 of at least 100 sentences each, for evaluate and compare"


def warned(corpus, cleaning: CleaningOptions | None = None) -> list[str]:
    looked = look(corpus, cleaning)
    return warnings_of(looked.splits, looked.shared, cleaning or CleaningOptions())


TRAIN = [(f"sentence {number} here", f"Satz {number} hier") for number in range(20)]


def test_a_test_sentence_of_the_training_text_is_the_first_warning(tmp_path):
    test = [("new one", "neu"), TRAIN[3], ("sentence 4 here", "other"), ("new\0two", "neu")]
    warnings = warned(corpus_in(tmp_path, TRAIN, [TRAIN[5], ("v", "w")], mine=test))
    assert warnings[0] == (
        "2 of 4 sentences of mine are in the training text: lines 2, 3; with the same target 1: line 2"
    )
    assert warnings[1].startswith("1 of 2 sentences of valid is in the training text: line 1;")
    assert "mine, source: 1 with NUL characters (is the file UTF-8?): line 4" in warnings


def test_a_validation_set_that_is_training_text_is_told_in_one_line(tmp_path):
    [warning] = warned(corpus_in(tmp_path, TRAIN, TRAIN))
    assert warning == "valid: all of its 20 pairs are in the training text, too; it can't show what was learned"


def test_text_without_anything_odd_warns_of_nothing(tmp_path):
    assert warned(corpus_in(tmp_path, TRAIN, [("sentence 1", "Satz 1")], mine=[("sentence 2", "Satz 2")])) == []


def test_swapped_files_are_told_by_their_script(tmp_path):
    train = [(f"дом номер {number}", f"house {number}") for number in range(5)]
    warnings = warned(corpus_in(tmp_path, train, mine=[("house x", "дом икс")]))
    assert "mine: its source side is in LATIN, that of train in CYRILLIC" in warnings
    assert "mine: its target side is in CYRILLIC, that of train in LATIN" in warnings


def test_text_of_another_kind_is_told_by_its_words(tmp_path):
    warnings = warned(corpus_in(tmp_path, TRAIN, mine=[("quarterly revenue here", "Satz hier")]))
    assert warnings == [
        "mine: 67% of the words on its source side are never in the training text; is it of another kind?"
    ]


def test_what_cleaning_leaves_out_much_of_is_told_unless_it_is_meant(tmp_path):
    long = [(f"{number} " * 12, "b " * 12) for number in range(10)]
    corpus = corpus_in(tmp_path, [*TRAIN, *long])
    [warning] = warned(corpus, CleaningOptions(max_words=10))
    assert warning.startswith("train: cleaning leaves out 33%: too long (cleaning.max_words")
    assert warned(corpus, CleaningOptions(train_words=10)) == []


def test_a_text_of_which_nothing_is_left_is_told(tmp_path):
    assert "train: cleaning leaves no pair" in warned(corpus_in(tmp_path, [("a", "")] * 3))


def test_many_repeated_pairs_are_told_with_the_mend(tmp_path):
    [warning] = warned(corpus_in(tmp_path, TRAIN + TRAIN[:10]))
    assert warning == "train: 33% of its pairs came before; cleaning.duplicates=drop leaves one of each"


def test_repeated_pairs_that_cleaning_drops_are_no_warning(tmp_path):
    corpus = corpus_in(tmp_path, TRAIN + TRAIN[:10])
    assert warned(corpus, CleaningOptions(duplicates="drop")) == []


def test_a_test_set_that_is_another_one_is_told_so(tmp_path):
    [warning] = warned(corpus_in(tmp_path, first=TRAIN, second=TRAIN))
    assert warning == "second: all of its 20 pairs are in first, too; it shows nothing that first doesn't"

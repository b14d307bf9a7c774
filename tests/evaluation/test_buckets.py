import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.corpus.text.writing import Unit
from nmt.errors import UserError
from nmt.evaluation.buckets import make_buckets


def test_buckets_are_by_length_and_hold_every_sentence_once():
    lengths = [0, 1, 10, 11, 20, 80, 81, 300]
    buckets = make_buckets(lengths, [10, 20, 30, 40, 50, 60, 70, 80])
    assert {b.label: b.sentences for b in buckets} == {
        "1-10": (0, 1, 2),
        "11-20": (3, 4),
        "71-80": (5,),
        "81+": (6, 7),
        "all": tuple(range(8)),
    }


@given(
    words=st.lists(st.integers(0, 120), min_size=1),
    bounds=st.lists(st.integers(1, 99), min_size=1, unique=True).map(sorted),
)
def test_any_bounds_part_the_sentences(words, bounds):
    *buckets, whole = make_buckets(words, bounds)
    assert sorted(i for bucket in buckets for i in bucket.sentences) == list(whole.sentences) == list(range(len(words)))


def test_a_bucket_of_one_length_is_named_by_it():
    buckets = make_buckets([3, 7, 8, 8, 9], [7, 8])
    assert [(bucket.label, len(bucket.sentences)) for bucket in buckets] == [
        ("1-7", 2),
        ("8", 2),
        ("9+", 1),
        ("all", 5),
    ]


def test_a_bucket_knows_where_it_ends_and_the_whole_is_one():
    first, last, whole = make_buckets([3, 30], [10])
    assert (first.low, first.high, first.end) == (1, 10, 10)
    assert (last.low, last.high, last.end) == (11, None, 11)
    assert (whole.low, whole.high, len(whole)) == (0, None, 2)


def test_bounds_must_rise():
    for bounds in ([], [10, 10], [0], [20, 10]):
        with pytest.raises(UserError, match="bucket_bounds"):
            make_buckets([1], bounds)


def test_words_are_what_white_space_parts():
    assert Unit.WORDS.lengths(["a  b\tc", "", " d "]) == [3, 0, 1]

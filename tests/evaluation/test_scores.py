import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.errors import UserError
from nmt.evaluation.scores import EvaluationOptions, make_buckets, make_metrics

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", ".", "Ü"]), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(WORDS, WORDS.filter(bool)), min_size=1, max_size=8)


SACREBLEU = ("bleu", "chrf", "ter")


@pytest.mark.parametrize("name", SACREBLEU)
@settings(max_examples=60, deadline=None)
@given(pairs=PAIRS)
def test_sums_of_sentence_statistics_give_sacrebleu_s_corpus_score(name, pairs):
    [metric] = make_metrics([name])
    hypotheses, references = zip(*pairs, strict=True)
    total = metric.statistics(hypotheses, references).sum(axis=0)
    by_hand = {"bleu": sacrebleu.corpus_bleu, "chrf": sacrebleu.corpus_chrf, "ter": sacrebleu.corpus_ter}[name]
    assert metric.score(total) == pytest.approx(by_hand(list(hypotheses), [list(references)]).score, abs=1e-9)
    assert metric.many(total[None])[0] == pytest.approx(metric.score(total), abs=1e-9)


@pytest.mark.parametrize("name", SACREBLEU)
@settings(max_examples=40, deadline=None)
@given(pairs=PAIRS, seed=st.integers(0, 99))
def test_many_scores_at_once_equal_one_by_one(name, pairs, seed):
    [metric] = make_metrics([name])
    rows = metric.statistics(*zip(*pairs, strict=True))
    counts = np.random.default_rng(seed).integers(0, 4, size=(5, len(rows)))
    totals = counts @ rows
    assert metric.many(totals) == pytest.approx([metric.score(total) for total in totals], abs=1e-9)


def test_signatures_are_sacrebleu_s():
    assert {m.name: m.signature.split("|")[0] for m in make_metrics(SACREBLEU)} == dict.fromkeys(SACREBLEU, "nrefs:1")
    assert "tok:13a" in make_metrics(["bleu"])[0].signature


def test_buckets_are_by_source_words_and_hold_every_sentence_once():
    sources = ["w " * n for n in (0, 1, 10, 11, 20, 80, 81, 300)]
    buckets = make_buckets(sources, [10, 20, 30, 40, 50, 60, 70, 80])
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
    *buckets, whole = make_buckets(["w " * n for n in words], bounds)
    assert sorted(i for bucket in buckets for i in bucket.sentences) == list(whole.sentences) == list(range(len(words)))


def test_bad_names_and_bounds_are_told():
    with pytest.raises(UserError, match="did you mean 'bleu'"):
        make_metrics(["blue"])
    for bounds in ([], [10, 10], [0], [20, 10]):
        with pytest.raises(UserError, match="bucket_bounds"):
            make_buckets(["a"], bounds)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": []}, "at least one"),
        ({"confidence": 1.5}, "confidence=1.5"),
        ({"resamples": 0}, "resamples=0: must be 1 or more"),
        ({"shown_sentences": -1}, "shown_sentences=-1"),
        ({"bucket_bounds": [5, 5]}, "bucket_bounds"),
    ],
)
def test_options_that_measure_nothing_are_told(options, message):
    with pytest.raises(UserError, match=message):
        EvaluationOptions(**options)


def test_a_bucket_of_one_length_is_named_by_it():
    buckets = make_buckets(["w " * n for n in (3, 7, 8, 8, 9)], [7, 8])
    assert [(bucket.label, len(bucket.sentences)) for bucket in buckets] == [
        ("1-7", 2),
        ("8", 2),
        ("9+", 1),
        ("all", 5),
    ]

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.builtin.grammar import Grammar
from nmt.corpus.builtin.lexicon import ADJECTIVES, ADVERBS
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.errors import UserError

SMALL = GrammarOptions(train_pairs=400, valid_pairs=50, test_pairs_per_bucket=10)


def test_splits_share_no_source_sentence():
    sets = [{pair.source for pair in SMALL.read(split)} for split in ("train", "valid", "test")]
    assert [len(s) for s in sets] == [400, 50, 90]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])


def test_test_set_has_equal_counts_in_every_bucket():
    bounds = [0, *SMALL.test_bounds]
    lengths = [len(pair.source.split()) for pair in SMALL.read("test")]
    counts = Counter(next(b for b in bounds if length <= b) for length in lengths)
    assert set(counts.values()) == {10} and len(counts) == 9 and max(lengths) > 80


def test_the_same_seed_gives_the_same_corpus_and_another_seed_another():
    again = GrammarOptions(train_pairs=400, valid_pairs=50, test_pairs_per_bucket=10)
    assert list(again.read("train")) == list(SMALL.read("train"))
    other = GrammarOptions(train_pairs=400, valid_pairs=50, test_pairs_per_bucket=10, seed=2)
    assert list(other.read("train")) != list(SMALL.read("train"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"test_bounds": [10, 5]}, r"corpus\.test_bounds=\[10, 5\]: numbers from 3 on"),
        ({"test_bounds": [2, 5]}, r"corpus\.test_bounds=\[2, 5\]"),
        ({"median_words": 0.0}, r"corpus\.median_words=0\.0: must be above 0"),
        ({"sigma": 1e300}, r"corpus\.sigma=1e\+300: must be 0 to 10"),
    ],
)
def test_options_that_no_sentence_fits_are_refused_at_once(values, message):
    with pytest.raises(UserError, match=message):
        GrammarOptions(**values)


def test_a_length_that_has_too_few_sentences_is_told():
    far_too_long = GrammarOptions(median_words=1e6, max_words=3, valid_pairs=7, test_bounds=[3])
    with pytest.raises(UserError, match="only 0 distinct sentences of 3 to 3 words for the 7 asked for"):
        list(far_too_long.read("valid"))


def test_links_join_words_that_translate_each_other():
    adjectives = {stem: english for english, stem in ADJECTIVES}
    adverbs = dict(ADVERBS)
    checked = 0
    for pair in SMALL.read("train"):
        source, target = pair.source.lower().rstrip(".").split(), pair.target.rstrip(".").split()
        assert {i for i, _ in pair.links} == set(range(len(source))), "every source word is linked"
        assert {j for _, j in pair.links} == set(range(len(target))), "every target word is linked"
        for i, j in pair.links:
            german = target[j].strip(",").lower()
            if german in adverbs.values() and source[i].strip(",") in adverbs:
                assert adverbs[source[i].strip(",")] == german
                checked += 1
            stem = german[:-2] if german[:-2] in adjectives else german[:-1]
            if stem in adjectives and source[i].strip(",") in adjectives.values():
                assert source[i].strip(",") == adjectives[stem]
                checked += 1
    assert checked > 200


def test_german_order_main_clause_second_subordinate_last():
    pairs = [pair for pair in SMALL.read("train") if pair.source.count(",") == 1 and ", because " in pair.source]
    finite_last = [pair for pair in pairs if pair.target.rstrip(".").split()[-1] in ("hat", "haben", "ist", "sind")]
    for pair in finite_last:
        last = len(pair.source.split()) - 1
        helper = next(i for i, j in pair.links if j == len(pair.target.split()) - 1)
        assert pair.source.split()[helper] in ("has", "have") and helper < last
    assert finite_last


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 10_000), words=st.integers(3, 90))
def test_any_length_can_be_grown(seed, words):
    import random

    sentence = Grammar(random.Random(seed)).sentence(words)
    grown = sum(concept >= 0 for _, concept in sentence.english)
    assert 0.4 * words - 2 <= grown <= words + 8
    concepts = [{concept for _, concept in words} - {-1} for words in (sentence.english, sentence.german)]
    assert concepts[0] == concepts[1]

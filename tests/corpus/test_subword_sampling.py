"""Sampled segmentations: the library's own without dropout, as likely as they should be, the same everywhere."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.subwords.subword_sampling import POOL, Segmenter
from nmt.corpus.subwords.tokenizer import Sampling, Tokenizer, TokenizerOptions, train_tokenizer


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def model(request, tiny_pairs, tmp_path_factory) -> Tokenizer:
    options = TokenizerOptions(request.param, 500, symbols=["<bt>"])
    return train_tokenizer(lambda: tiny_pairs, options, tmp_path_factory.mktemp("model") / request.param)


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30),
    st.lists(st.sampled_from(["the", "Hund", "", "schläft", "<bt>", "x<bt>y", "猫", "a\u2581b", "1.5"])).map(" ".join),
)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_without_dropout_it_is_the_library_s_own_segmentation(model, text):
    segmenter, text = Segmenter(model._source, 0.0, 1), text.replace("\u2581", " ")
    if not segmenter.unigram:  # there, all of the best are as likely
        assert [*segmenter.encode(text), 2] == model.encode_source(text)


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, rate=st.sampled_from([0.1, 0.5, 0.9]))
def test_whatever_is_drawn_is_the_text(model, text, rate):
    text = text.replace("\u2581", " ").replace("\0", " ")
    [drawn] = model.encode_targets([text], Sampling(rate, 3))
    assert model.decode_target(drawn) == model.decode_target(model.encode_target(text))


def test_more_dropout_makes_more_pieces_and_all_of_it_makes_characters(tiny_pairs, tmp_path):
    tokenizer = train_tokenizer(lambda: tiny_pairs, TokenizerOptions("bpe", 500), tmp_path / "tokenizer")
    texts = [pair.target for pair in tiny_pairs[:100]]
    counts = [sum(map(len, tokenizer.encode_targets(texts, Sampling(rate, 1)))) for rate in (0.0, 0.1, 0.5, 1.0)]
    assert counts == sorted(counts) and counts[0] < counts[1]
    assert counts[3] == sum(len(text) + 1 for text in texts)


def test_the_share_of_words_left_whole_is_that_of_keeping_every_merge(tmp_path):
    """Of a word of two letters only the one merge can be left out, besides that with its mark."""
    lines = [("ab", "ab")] * 200
    tokenizer = train_tokenizer(lambda: lines, TokenizerOptions("bpe", 4 + 256 + 5), tmp_path / "tokenizer")
    assert len(tokenizer.encode_target("ab")) == 1
    draws = [tokenizer.encode_targets(["ab"], Sampling(0.3, seed))[0] for seed in range(4000)]
    whole = sum(len(draw) == 1 for draw in draws) / len(draws)
    assert 0.7**2 - 0.03 < whole < 1 - 0.3**2, "both merges kept, or one found by another way"


def test_a_long_word_takes_no_longer_than_its_length(model):
    began = time.monotonic()
    text = "catsanddogs" * 1000
    [drawn] = model.encode_targets([text], Sampling(0.1, 1))
    assert time.monotonic() - began < 30 and model.decode_target(drawn) == text


def test_another_process_draws_the_same(model):
    code = (
        "from pathlib import Path; from nmt.corpus.subwords.tokenizer import Sampling, Tokenizer;"
        f"t = Tokenizer.load(Path({str(model.source_path.parent)!r}));"
        "print(t.encode_sources(['The old man sees the young dogs.'] * 20, Sampling(0.3, 7)))"
    )
    drawn = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len({tuple(row) for row in eval(drawn[0])}) > 3


def test_a_model_keeps_its_segmenter_and_each_has_a_seed_of_its_own(model):
    sampling = Sampling(0.3, 7)
    other = Tokenizer.load(model.source_path.parent)
    first = sampling.segmenter(model._source)
    second = sampling.segmenter(other._source)
    assert sampling.segmenter(model._source) is first is not second
    assert first.rng.getstate() == random.Random(7).getstate()
    assert second.rng.getstate() == random.Random(8).getstate()


def test_a_frequent_word_is_not_held_to_its_first_segmentations_and_few_words_are_held(model, monkeypatch):
    segmenter = Segmenter(model._target, 0.3, 1)
    made = {tuple(segmenter.encode("schlafenden")) for _ in range(3000)}
    assert len(made) > (1 if segmenter.unigram else POOL), "a unigram model finds few for such a word"
    assert len(segmenter._pools["\u2581schlafenden"]) == POOL
    monkeypatch.setattr("nmt.corpus.subwords.subword_sampling.WORDS", 10)
    for number in range(50):
        segmenter.encode(f"a{number} b{number}")
        assert len(segmenter._pools) <= 12

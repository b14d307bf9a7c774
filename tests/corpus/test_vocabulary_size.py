"""The advised size of a vocabulary, and models cut from a larger one."""

from __future__ import annotations

from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from nmt.corpus.pair import Pair
from nmt.corpus.subwords.model_file import merges_of, shortened
from nmt.corpus.subwords.tokenizer import NotForThisText, TokenizerOptions, train_tokenizer
from nmt.corpus.subwords.vocabulary_size import SIZES, advised_size, fitting_tokenizer
from tests.conftest import TINY_GRAMMAR

PAIRS = list(TINY_GRAMMAR.read("train"))[:150]
OPTIONS = TokenizerOptions(vocabulary_size=400)


def pieces_of(model: bytes, texts: list[str]) -> list[list[str]]:
    processor = sentencepiece.SentencePieceProcessor()
    processor.load_from_serialized_proto(model)
    return processor.encode(texts, out_type=str)


def test_a_model_cut_from_a_larger_one_is_the_one_that_would_be_trained_so_small(tmp_path):
    small = train_tokenizer(lambda: PAIRS, OPTIONS, tmp_path / "small").source_path.read_bytes()
    large = train_tokenizer(lambda: PAIRS, TokenizerOptions(vocabulary_size=600), tmp_path / "large")
    cut = shortened(large.source_path.read_bytes(), len(merges_of(small)))
    texts = [pair.source for pair in PAIRS] + [pair.target for pair in PAIRS]
    assert pieces_of(cut, texts) == pieces_of(small, texts)


def test_nearly_all_pieces_of_the_advised_size_have_a_hundred_examples(tmp_path):
    times = 20
    size = advised_size(lambda: PAIRS, OPTIONS, times, tmp_path / "largest")
    next_size = SIZES[SIZES.index(size) + 1]
    assert share_known(size, times, tmp_path) >= 0.95
    assert share_known(next_size, times, tmp_path) < 0.95


def share_known(size: int, times: int, folder: Path) -> float:
    """The share of the merged pieces that occur 100 times in the pairs repeated, counted plainly."""
    options = TokenizerOptions(vocabulary_size=size)
    tokenizer = train_tokenizer(lambda: PAIRS, options, folder / f"tokenizer-{size}")
    model = tokenizer.source_path.read_bytes()
    counts = dict.fromkeys(merges_of(model), 0)
    for pair in PAIRS:
        for piece in [*tokenizer.encode_source(pair.source), *tokenizer.encode_target(pair.target)]:
            if piece in counts:
                counts[piece] += times
    known = [count for count in counts.values() if count >= 100]
    return len(known) / len(counts)


@settings(max_examples=3, deadline=None)
@given(st.floats(1, 1000), st.floats(1, 10))
def test_more_text_is_advised_no_fewer_pieces(tmp_path_factory, times, more):
    folder = tmp_path_factory.mktemp("advice")
    size = advised_size(lambda: PAIRS, OPTIONS, times, folder / "less")
    assert advised_size(lambda: PAIRS, OPTIONS, times * more, folder / "more") >= size


def test_models_of_their_own_are_advised_by_the_targets(tmp_path):
    rich_sources = [Pair(pair.source, "a b") for pair in PAIRS]
    rich_targets = [Pair("a b", pair.target) for pair in PAIRS]
    apart = TokenizerOptions(joint=False)
    of_rich_sources = advised_size(lambda: rich_sources, apart, 1000, tmp_path / "sources")
    of_rich_targets = advised_size(lambda: rich_targets, apart, 1000, tmp_path / "targets")
    assert of_rich_sources < of_rich_targets


@pytest.mark.parametrize("size", [270, 50_000])
def test_a_size_that_the_text_does_not_allow_becomes_the_nearest_that_it_does(size, tmp_path):
    options = TokenizerOptions(vocabulary_size=size)
    with pytest.raises(NotForThisText) as refusal:
        train_tokenizer(lambda: PAIRS, options, tmp_path / "refused")
    tokenizer = fitting_tokenizer(lambda: PAIRS, options, tmp_path / "fitting")
    assert tokenizer.target_size == refusal.value.fitting

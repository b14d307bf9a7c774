"""On real corpora: make test-data."""

from __future__ import annotations

import pytest

from nmt.config import compose_train
from nmt.corpus.batches.batcher import Batcher
from nmt.corpus.batches.cache import cached_pairs, cached_tokenizer
from nmt.corpus.text.writing import Unit
from nmt.evaluation.buckets import make_buckets
from nmt.evaluation.options import EvaluationOptions
from tests.conftest import ROOT, door, real_corpus

pytestmark = pytest.mark.data


@pytest.fixture
def multi30k(monkeypatch):
    monkeypatch.setenv("NMT_DATA", str(real_corpus("multi30k").parent))


@pytest.fixture
def europarl(monkeypatch):
    monkeypatch.setenv("NMT_DATA", str(real_corpus("europarl-en-fr").parent))


@pytest.mark.usefixtures("multi30k")
def test_multi30k_batches_hold_less_than_six_percent_padding(tmp_path):
    config = compose_train(["+experiment=multi30k/transformer"])
    tokenizer = cached_tokenizer(config.corpus, config.cleaning, config.tokenizer, tmp_path)
    pairs = cached_pairs(config.corpus, "train", config.cleaning, tokenizer, tmp_path)
    assert len(pairs) > 28_000
    for tokens in (1024, 2048, 4096):
        config.batching.tokens = tokens
        assert Batcher(pairs, config.batching, seed=1).padding_share() < 0.06


@pytest.mark.usefixtures("europarl")
def test_europarl_has_its_about_equal_buckets():
    config = compose_train(["+experiment=europarl/transformer"])
    sources = [pair.source for pair in config.corpus.read("test-by-length")]
    buckets = make_buckets(Unit.WORDS.lengths(sources), EvaluationOptions().bucket_bounds)
    counts = {bucket.label: len(bucket.sentences) for bucket in buckets}
    assert [counts[label] for label in ("1-10", "11-20", "21-30", "31-40", "41-50", "51-60")] == [300] * 6
    assert counts["61-70"] + counts["71-80"] == 300 and counts["81+"] == 269


@pytest.mark.usefixtures("multi30k")
def test_multi30k_trains_from_the_door(tmp_path):
    made = door(
        "train",
        "+experiment=multi30k/attention",
        "trainer.max_minutes=0",
        "trainer.max_steps=3",
        "run.dir=run",
        f"cache={ROOT}/data/cache",
        folder=tmp_path,
    )
    assert made.returncode == 0 and b"28,998 of 29,000 pairs kept" in made.stderr, made.stderr.decode()

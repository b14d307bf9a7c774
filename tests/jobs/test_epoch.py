"""The estimate of an epoch: what it counts is what a run counts; how long it takes is nobody's to test."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nmt.config import compose_train
from nmt.corpus.batches.batcher import Batcher
from nmt.corpus.kinds.grammar import GrammarOptions
from nmt.errors import UserError
from nmt.jobs import epoch
from nmt.jobs.epoch import EpochEstimate, estimate_epoch
from nmt.jobs.train import train_run
from nmt.models.interface import Model
from nmt.run import Run
from nmt.schemas import TrainConfig
from nmt.training import pace
from nmt.training.checkpoints.state import Counters
from nmt.training.pace import Pace
from nmt.training.trainer_options import TrainerOptions
from tests.conftest import TINY_CORPUS, TINY_SIZES

ONE_EPOCH = (
    "+experiment=demo/fixed",
    *TINY_CORPUS,
    *TINY_SIZES["recurrent"],
    "trainer.max_minutes=0",
    "trainer.max_epochs=1",
    "trainer.accumulate=2",
    "trainer.average_decay=0.9",
    "joining.share=0.3",
    "cleaning.train_words=12",
)


def not_measured(model: Model, batcher: Batcher, options: TrainerOptions, *_) -> Pace:
    """Stands in for real updates, where their time is beside the point."""
    updates = math.ceil(len(batcher.plan(0)) / options.accumulate)
    return Pace(seconds=1.0, updates=1, epoch_updates=updates)


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch, "measure_pace", not_measured)


def configured(folder: Path, *overrides: str) -> TrainConfig:
    config = compose_train([*ONE_EPOCH, *overrides])
    config.run.dir = str(folder / "run")
    config.cache = str(folder / "cache")
    return config


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Counters]:
    """A run of one epoch."""
    return train_run(configured(tmp_path_factory.mktemp("epoch")))


@pytest.fixture(scope="module")
def estimate(tmp_path_factory: pytest.TempPathFactory) -> EpochEstimate:
    """What is told of the same epoch before there is a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "FEW_UPDATES", 2)
        patch.setattr(pace, "FEW_SECONDS", 0.0)
        return estimate_epoch(configured(tmp_path_factory.mktemp("before")), pairs=300)


def test_an_epoch_has_the_updates_and_tokens_that_a_run_counts(trained, estimate):
    _, progress = trained
    assert (estimate.updates, estimate.target_tokens) == (progress.step, progress.tokens)
    assert estimate.seconds > 0
    assert estimate.device == "cpu"


@pytest.mark.usefixtures("untimed")
def test_pieces_a_word_are_those_of_a_plain_count(trained, tmp_path):
    run, _ = trained
    estimated = estimate_epoch(configured(tmp_path, "joining.share=0", "cleaning.train_words=0"), pairs=300)
    source_pieces = 0
    target_pieces = 0
    source_words = 0
    target_words = 0
    for pair in run.config.corpus.read("train"):
        source_pieces += len(run.tokenizer.encode_source(pair.source)) - 1
        target_pieces += len(run.tokenizer.encode_target(pair.target))
        source_words += len(pair.source.split())
        target_words += len(pair.target.split())
    assert estimated.tokenizer == "from all pairs"
    assert estimated.source_pieces_per_word == pytest.approx(source_pieces / source_words)
    assert estimated.target_pieces_per_word == pytest.approx(target_pieces / target_words)


@pytest.mark.usefixtures("untimed")
def test_a_longer_text_is_told_from_its_beginning(trained, monkeypatch, tmp_path):
    _, progress = trained
    monkeypatch.setattr(epoch, "SAMPLE", 100)
    kept = 300
    estimated = estimate_epoch(configured(tmp_path), pairs=kept)
    assert estimated.tokenizer == "from the first 100 pairs"
    assert estimated.target_tokens == pytest.approx(progress.tokens, rel=0.25)
    assert estimated.updates == pytest.approx(progress.step, rel=0.25)


@pytest.mark.usefixtures("untimed")
def test_the_tokenizer_is_that_of_the_run_where_there_is_one_and_the_run_stays_as_it_is(trained):
    run, progress = trained
    before = states_of_files(run.folder)
    asked = replace(run.config, tokenizer=replace(run.config.tokenizer, vocabulary_size=300))
    estimated = estimate_epoch(asked, pairs=300)
    assert estimated.tokenizer == "the run's"
    assert estimated.target_tokens == progress.tokens
    assert states_of_files(run.folder) == before


@pytest.mark.usefixtures("untimed")
def test_a_run_of_another_text_lends_no_tokenizer(trained):
    run, _ = trained
    other = replace(run.config, corpus=GrammarOptions(train_pairs=200, valid_pairs=20, test_bounds=[5, 10]))
    assert estimate_epoch(other, pairs=200).tokenizer == "from all pairs"


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    threads_within = []

    def measure(*arguments) -> Pace:
        threads_within.append(torch.get_num_threads())
        torch.rand(1)
        return not_measured(*arguments)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(epoch, "measure_pace", measure)
    random_state = torch.get_rng_state()
    threads = torch.get_num_threads()
    estimated = estimate_epoch(configured(tmp_path, f"trainer.threads={threads + 1}"), pairs=300)
    assert [estimated.threads] == threads_within == [threads + 1]
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), random_state)
    assert os.listdir(tmp_path) == []


def states_of_files(folder: Path) -> dict[str, tuple[int, int]]:
    states = {}
    for path in sorted(folder.rglob("*")):
        state = path.stat()
        states[str(path)] = (state.st_size, state.st_mtime_ns)
    return states


@pytest.mark.usefixtures("untimed")
def test_a_vocabulary_that_is_too_large_is_made_smaller(tmp_path, caplog):
    estimated = estimate_epoch(configured(tmp_path, "tokenizer.vocabulary_size=100000"), pairs=300)
    assert "tokenizer.vocabulary_size=100000: does not fit this text" in caplog.text
    assert estimated.updates > 0


@pytest.mark.usefixtures("untimed")
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("cleaning.max_words=0", "corpus.train: no usable pair"),
        ("device=cuda:99", "device=cuda:99"),
    ],
)
def test_what_training_would_refuse_is_refused(override, message, tmp_path):
    with pytest.raises(UserError, match=message):
        estimate_epoch(configured(tmp_path, override), pairs=300)

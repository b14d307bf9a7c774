"""A run of any length: memory, files, threads and what is written for TensorBoard stay as they are."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.encoded import EncodedPairs, RaggedBuilder
from nmt.corpus.text.cleaning import CleaningReport
from nmt.models.build import build_model
from nmt.models.interface import Vocabulary
from nmt.models.recurrent import RecurrentOptions
from nmt.models.transformer import TransformerOptions
from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.journal import Look, is_shown, open_journal
from nmt.training.optim import OptimizerOptions
from nmt.training.precision import choose_precision
from nmt.training.trainer import Trainer
from nmt.training.trainer_options import TrainerOptions


def megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def short_sentences() -> EncodedPairs:
    """Of 1 to 5 tokens, so that a step takes milliseconds, and a batch has one of many shapes."""
    rng = np.random.default_rng(1)
    sides = RaggedBuilder(20), RaggedBuilder(20)
    for side in sides:
        for length in rng.integers(1, 6, size=500):
            side.append(rng.integers(4, 20, size=length).tolist())
    return EncodedPairs(*(side.made() for side in sides), CleaningReport())


def test_what_is_shown_grows_with_the_logarithm_of_the_run():
    shown = [number for number in range(1, 100_000) if is_shown(number)]
    assert shown[:20] == list(range(1, 21)) and 120 < len(shown) < 160


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        RecurrentOptions(embedding_size=4, encoder_size=4, decoder_size=4, dropout=0.1),
        TransformerOptions(size=4, heads=2, feed_forward_size=4, encoder_layers=1, decoder_layers=1),
    ],
    ids=["recurrent", "transformer"],
)
def test_two_hundred_thousand_steps_leak_nothing(options, tmp_path):
    torch.manual_seed(1)
    model = build_model(options, Vocabulary(20, 20, True))
    seen: list[tuple[float, int, int]] = []

    class Watch:
        def sums(self, _):
            seen.append((megabytes(), len(os.listdir("/proc/self/fd")), threading.active_count()))
            return {"loss": [1.0]}

        def scores(self, shares):
            [loss] = shares[0]["loss"]
            return {"loss": loss}

    trainer = Trainer(
        model,
        Batcher(short_sentences(), BatchingOptions(tokens=32), seed=1),
        Watch(),
        TrainerOptions(max_steps=200_000, validate_every=1000, average_decay=0.9),
        OptimizerOptions(),
        choose_precision(torch.device("cpu"), "fp32"),
        Checkpoints(tmp_path / "checkpoints"),
        lambda step: open_journal(tmp_path, step),
        lambda model: Look({"a": "b"}, {"c": np.zeros((200, 200, 3), dtype=np.uint8)}),
    )
    trainer.fit()
    assert len(seen) == 200
    early, late = (np.array(part) for part in (seen[20:40], seen[-20:]))
    growth = late[:, 0].mean() - early[:, 0].mean()
    assert growth < 30, f"{growth:.0f} MB more after 200,000 steps"
    assert (late[:, 1:].max(axis=0) <= early[:, 1:].max(axis=0)).all(), "files or threads were left open"
    assert sum(path.stat().st_size for path in tmp_path.glob("events.out.tfevents.*")) < 20e6
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4

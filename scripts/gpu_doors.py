"""Stages of `scripts/gpu.py` about what users do: every model is trained and asked, a run is killed and resumed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

from gpu_results import Report
from gpu_setting import Setting

from nmt.config import CONFIG_FOLDER, compose_train
from nmt.evaluation.probes.gradients import gradient_maps
from nmt.jobs.open import open_translator
from nmt.jobs.train import train_run

UPDATES = 3
SOURCES = ["The man sleeps.", "My dog sees the old house, because the teacher laughed."]
TARGETS = ["Der Mann schläft.", "Mein Hund sieht das alte Haus, weil der Lehrer lachte."]
SHORT = [
    "corpus.train_pairs=300",
    "corpus.valid_pairs=20",
    "corpus.test_pairs_per_bucket=4",
    "corpus.test_bounds=[5,10,15]",
    "corpus.median_words=6",
    "tokenizer.vocabulary_size=400",
    "batching.tokens=256",
    "validation.bleu_sentences=4",
    "trainer.max_minutes=0",
]
TINY_SIZES = {
    "transformer": ["model.size=16", "model.heads=2", "model.feed_forward_size=32"],
    "fixed": ["model.embedding_size=16", "model.encoder_size=16", "model.decoder_size=16"],
    "attention": ["model.embedding_size=16", "model.encoder_size=16", "model.decoder_size=32"],  # two directions
}
# A resumed run makes the same updates: to the bit on a CPU; on CUDA some sums come in another order each time.
RESUMED_ALIKE = {"cpu": 0.0, "cuda": 0.02}
VALIDATED_EVERY = 10  # updates; each validation leaves a checkpoint
KILLED_AFTER = 12
LAST_STEP = 40


def doors(setting: Setting, report: Report) -> None:
    """Trains every model a few updates in the device's own format, then searches, forces and asks for gradients."""
    names = sorted(path.stem for path in (CONFIG_FOLDER / "model").glob("*.yaml"))
    for name in names:
        with report.trying(name):
            began = time.monotonic()
            _train_and_ask(setting, name, "auto")
            report.figure(name, time.monotonic() - began, "s")
    if not setting.cuda:
        report.skip("transformer in fp16", "a CPU trains in fp32 or bf16")
        return
    with report.trying("transformer in fp16"):
        began = time.monotonic()
        skipped = _train_and_ask(setting, "transformer", "fp16")
        note = f"{skipped} of {UPDATES} updates left out while the loss's scale was found"
        report.figure("transformer in fp16", time.monotonic() - began, "s", note=note)


def _train_and_ask(setting: Setting, model: str, precision: str) -> int:
    """Returns how many updates were left out, which only fp16 may do: its first scales of the loss are too large.

    Raises AssertionError where an answer is not what it must be.
    """
    folder = setting.work / f"{model}-{precision}"
    overrides = [f"model={model}", *SHORT, *_places(setting, folder)]
    overrides += [f"trainer.precision={precision}", f"trainer.max_steps={UPDATES}", "validation.samples=0"]
    if setting.tiny:
        options = compose_train(overrides).model
        overrides += TINY_SIZES[getattr(options, "context", options.name)]
    _, counters = train_run(compose_train(overrides))
    assert counters.step == UPDATES, f"{counters.step} updates"
    if precision != "fp16":
        assert counters.skipped == 0, f"{counters.skipped} updates had a gradient that was not finite"
    loss = _last_loss(folder, UPDATES)
    assert loss is not None, "the validation loss is not finite"
    translator = open_translator(str(folder), "last", setting.device)
    translations = translator.translate(SOURCES)
    assert len(translations) == len(SOURCES)
    for translation in translator.force(SOURCES, TARGETS):
        assert math.isfinite(translation.score), f"forced score {translation.score}"
    for shares in gradient_maps(translator.model, translator.tokenizer, SOURCES, TARGETS):
        rows = shares.sum(axis=1)
        assert (abs(rows - 100) < 0.1).all(), f"shares of the gradient sum to {rows.tolist()}"
    return counters.skipped


def _places(setting: Setting, folder: Path) -> list[str]:
    return [f"run.dir={folder}", f"cache={setting.work / 'cache'}", f"device={setting.device}"]


def resume(setting: Setting, report: Report) -> None:
    """Trains the demo's attention model whole, and once killed on the way and gone on with: both must end alike."""
    with report.trying("demo/attention killed and resumed"):
        whole = setting.work / "whole"
        cut = setting.work / "cut"
        _finish(_door(setting, whole))
        step = _kill_on_the_way(_door(setting, cut), cut)
        report.figure("killed after update", step, f"of {LAST_STEP}")
        _finish(_door(setting, cut))
        resumed = [event["step"] for event in _events(cut) if event["event"] == "start"][-1]
        assert resumed >= VALIDATED_EVERY, f"it went on from update {resumed}, not from a checkpoint"
        expected = _last_loss(whole, LAST_STEP)
        loss = _last_loss(cut, LAST_STEP)
        assert expected is not None, "the uninterrupted run's validation loss is not finite"
        assert loss is not None, "the resumed run's validation loss is not finite"
        difference = abs(loss - expected)
        assert difference <= RESUMED_ALIKE[setting.device], f"validation loss {loss} and not {expected}"
        report.figure("resumed against uninterrupted: validation loss", difference, "nats", "0 on a CPU")


def _door(setting: Setting, folder: Path) -> subprocess.Popen[bytes]:
    options = ["+experiment=demo/attention", *SHORT, *_places(setting, folder), "optimizer.schedule=constant"]
    options += [f"trainer.max_steps={LAST_STEP}", f"trainer.validate_every={VALIDATED_EVERY}", "trainer.log_every=1"]
    if setting.tiny:
        options += TINY_SIZES["attention"]
    return subprocess.Popen([sys.executable, "-m", "nmt.train", *options], env=os.environ)


def _finish(process: subprocess.Popen[bytes]) -> None:
    code = process.wait()
    assert code == 0, f"nmt.train ended with exit code {code}"


def _kill_on_the_way(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Kills the run once it has made some updates and left a checkpoint, which it writes while it goes on.

    Returns the last update that its journal knows of.
    """
    while process.poll() is None and not (_last_step(folder) >= KILLED_AFTER and _checkpoints(folder)):
        time.sleep(0.005)
    process.kill()
    process.wait()
    step = _last_step(folder)
    assert _checkpoints(folder), "it left no checkpoint to go on from"
    assert KILLED_AFTER <= step < LAST_STEP, f"not killed on the way, but at update {step} of {LAST_STEP}"
    return step


def _events(folder: Path) -> list[dict]:
    """The journal's whole lines."""
    journal = folder / "journal.jsonl"
    if not journal.is_file():
        return []
    text = journal.read_text(encoding="utf-8")
    whole_lines = text[: text.rfind("\n") + 1]
    return [json.loads(line) for line in whole_lines.splitlines()]


def _checkpoints(folder: Path) -> list[Path]:
    """Whole ones; a file under way has another name."""
    return list((folder / "checkpoints").glob("step-*.safetensors"))


def _last_step(folder: Path) -> int:
    return max((event["step"] for event in _events(folder)), default=0)


def _last_loss(folder: Path, step: int) -> float | None:
    """The validation loss of this last update; None where it is not finite."""
    validations = [event for event in _events(folder) if event["event"] == "valid"]
    last = validations[-1]
    assert last["step"] == step, f"the last validation is of update {last['step']}"
    return last["loss"]

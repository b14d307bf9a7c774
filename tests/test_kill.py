"""kill -9 at any moment: the same command goes on, and ends with the very weights and journal of a run left alone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nmt.training.checkpoint import load_state
from nmt.training.journal import read_journal
from tests.conftest import ROOT, TINY_CORPUS, TINY_SIZES

STEPS = 60
OPTIONS = (
    *("+experiment=demo/attention", *TINY_CORPUS, *TINY_SIZES["recurrent"], "trainer.max_minutes=0", "run.dir=run"),
    *(f"trainer.max_steps={STEPS}", "trainer.validate_every=10", "trainer.log_every=2", "optimizer.schedule=constant"),
    *("trainer.average_decay=0.9", "trainer.checkpoint_minutes=0.005", "cache=cache"),
)
WAYS = {"planned": (), "stream": ("batching.stream=true", "batching.block=80", "tokenizer.sampling=0.1")}
FACTS = ("event", "step", "loss", "bleu", "tokens", "learning_rate", "gradient_norm", "padding")


def start(folder: Path, way: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "nmt.train", *OPTIONS, *WAYS[way]]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE)


def end(folder: Path):
    state = load_state(folder / f"run/checkpoints/step-{STEPS:08d}.safetensors")
    # Means since the last report begin anew where a run goes on, so a report right after that has its own.
    told = [(e["event"], e["step"]) for e in read_journal(folder / "run") if e["event"] != "start"]
    valid = [{name: e.get(name) for name in FACTS} for e in read_journal(folder / "run") if e["event"] == "valid"]
    return state, told, valid


def killed_at(folder: Path, way: str, moments: list[float]) -> int:
    """Kills the run so many seconds after each start, then lets it end. Returns how often it was still at work."""
    kills = 0
    for moment in moments:
        process = start(folder, way)
        try:
            process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    process = start(folder, way)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return kills


def check(folder: Path, way: str, shares: list[float]) -> int:
    """Kills come after such shares of the time that a whole run takes, with everything still to be prepared."""
    whole, cut = folder / "whole", folder / "cut"
    for place in (whole, cut):
        place.mkdir()
    began = time.monotonic()
    process = start(whole, way)
    assert process.wait(timeout=300) == 0
    taken = time.monotonic() - began
    kills = killed_at(cut, way, [share * taken for share in shares])
    (state, told, valid), (other, other_told, other_valid) = end(whole), end(cut)
    assert state.tensors.keys() == other.tensors.keys()
    for name, tensor in state.tensors.items():
        assert (tensor == other.tensors[name]).all(), name
    assert (told, valid) == (other_told, other_valid)
    assert state.progress.position == other.progress.position and state.progress.tokens == other.progress.tokens
    assert not list(cut.rglob("*.partial"))
    return kills


@pytest.mark.parametrize("way", WAYS)
def test_killed_a_few_times(tmp_path, way):
    assert check(tmp_path, way, [0.4, 0.5, 0.5]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_thirty_random_moments(tmp_path, way):
    """While it prepares, trains, validates or writes: from the beginning to the end."""
    generator = random.Random(5)
    kills = 0
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        kills += check(folder, way, sorted(generator.uniform(0.03, 1) for _ in range(3)))
    assert kills >= 20

"""kill -9 at any moment: the same command goes on, and ends with the very weights and journal of a run left alone."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nmt.training.checkpoints.parts import load_state
from nmt.training.journal import read_journal
from tests.conftest import TINY_CORPUS, TINY_SIZES
from tests.processes import has_step, start

STEPS = 60
OPTIONS = (
    *("+experiment=demo/attention", *TINY_CORPUS, *TINY_SIZES["recurrent"], "trainer.max_minutes=0", "run.dir=run"),
    *(f"trainer.max_steps={STEPS}", "trainer.validate_every=10", "trainer.log_every=2", "optimizer.schedule=constant"),
    *("trainer.average_decay=0.9", "trainer.checkpoint_minutes=0.005", "cache=cache"),
)
WAYS = {"planned": (), "stream": ("batching.stream=true", "batching.block=80", "tokenizer.sampling=0.1")}
FACTS = ("event", "step", "loss", "bleu", "tokens", "learning_rate", "gradient_norm", "padding")


def end(folder: Path):
    state = load_state(folder / f"run/checkpoints/step-{STEPS:08d}.safetensors")
    # Means since the last report begin anew where a run goes on, so a report right after that has its own.
    told = [(e["event"], e["step"]) for e in read_journal(folder / "run") if e["event"] != "start"]
    valid = [{name: e.get(name) for name in FACTS} for e in read_journal(folder / "run") if e["event"] == "valid"]
    return state, told, valid


Reached = Callable[[Path], bool]  # whether the run in a folder has come so far


def has_begun(folder: Path) -> bool:
    return (folder / "cache").exists()


def has_made(step: int) -> Reached:
    return lambda folder: has_step(folder / "run", step)


def after(seconds: float) -> Reached:
    asked: list[float] = []

    def reached(_: Path) -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] >= seconds

    return reached


def ends(folder: Path, way: str) -> None:
    process = start(folder, [*OPTIONS, *WAYS[way]])
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def killed_at(folder: Path, way: str, moments: list[Reached]) -> int:
    """Starts the run for each moment and kills it then, and lets it end. Returns how often it was still at work."""
    kills = 0
    for reached in moments:
        process = start(folder, [*OPTIONS, *WAYS[way]])
        while process.poll() is None and not reached(folder):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    ends(folder, way)
    return kills


def same_in_the_end(whole: Path, cut: Path) -> None:
    (state, told, valid), (other, other_told, other_valid) = end(whole), end(cut)
    assert state.tensors.keys() == other.tensors.keys()
    for name, tensor in state.tensors.items():
        assert (tensor == other.tensors[name]).all(), name
    assert (told, valid) == (other_told, other_valid)
    assert state.progress.position == other.progress.position and state.progress.tokens == other.progress.tokens
    assert not list(cut.rglob("*.partial"))


@pytest.fixture
def whole(tmp_path, way) -> tuple[Path, float]:
    """A run left alone, and the seconds that it took."""
    folder = tmp_path / "whole"
    folder.mkdir()
    began = time.monotonic()
    ends(folder, way)
    return folder, time.monotonic() - began


@pytest.mark.parametrize("way", WAYS)
def test_killed_a_few_times(tmp_path, way, whole):
    """At moments of its work, which come on a slow machine too."""
    cut = tmp_path / "cut"
    cut.mkdir()
    assert killed_at(cut, way, [has_begun, has_made(2), has_made(22)]) == 3
    same_in_the_end(whole[0], cut)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_killed_at_thirty_random_moments(tmp_path, way, whole):
    """While it prepares, trains, validates or writes: from the beginning to the end."""
    generator = random.Random(5)
    kills = 0
    for number in range(10):
        cut = tmp_path / str(number)
        cut.mkdir()
        shares = sorted(generator.uniform(0.03, 1) for _ in range(3))
        kills += killed_at(cut, way, [after(share * whole[1]) for share in shares])
        same_in_the_end(whole[0], cut)
    assert kills >= 20

"""Options that change when a run is started again: what a finished run keeps, and what one that goes on records."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open

from nmt.config import load_train
from nmt.run import MAY_CHANGE
from nmt.training.journal import read_journal
from tests.processes import TINY_TRAIN, door_in_process

# Another value for every option that may change when a run goes on, with which a finished run has nothing to do.
OTHER_VALUES = {
    "trainer.max_steps": "3",
    "trainer.max_epochs": "0.01",
    "trainer.max_tokens": "10",
    "trainer.max_minutes": "0.0001",
    "trainer.patience": "1",
    "trainer.validate_every": "2",
    "trainer.accumulate": "8",
    "trainer.keep_checkpoints": "2",
    "trainer.checkpoint_minutes": "3",
    "trainer.log_every": "7",
    "trainer.threads": "1",
    "trainer.compile": "true",
    "trainer.timeout_minutes": "3",
    "trainer.sharding": "full",
    "corpus": "corpus.kind=grammar",  # where its text lies may change, and generated text lies nowhere
    "run": "run.name=another",
    "device": "cpu",
    "resume": "auto",
    "cache": "another",
    "validation": "validation.bleu_sentences=2",
    "journal": "journal.mode=offline",
    "published": "published.score=30",
}


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the run of six updates that many tests read."""
    folder = tmp_path / "run"
    shutil.copytree(trained_run, folder)
    return folder


def train_again(run: Path, *options: str) -> str:
    """Starts a run again, and returns what was said."""
    done = door_in_process("train", *TINY_TRAIN, "run.dir=run", *options, folder=run.parent)
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def test_a_finished_run_stays_as_it_was_trained_whatever_it_is_started_with(run, monkeypatch):
    monkeypatch.setattr("torch.compile", lambda module, **options: module)  # the compiler takes seconds to import
    assert OTHER_VALUES.keys() == MAY_CHANGE, "every option that may change is tried"
    before = (run / "config.yaml").read_bytes()
    options = []
    for name, value in OTHER_VALUES.items():
        options.append(value if "=" in value else f"{name}={value}")
    errors = train_again(run, *options)
    assert "already trained: 6 steps" in errors
    assert (run / "config.yaml").read_bytes() == before
    lines = [line for line in errors.splitlines() if "would change nothing: it is trained" in line]
    assert len(lines) == 1 and "trainer.accumulate=1" in lines[0] and "trainer.accumulate=8" in lines[0]


def test_a_run_that_goes_on_under_other_options_records_them_and_from_which_step(run):
    errors = train_again(run, "trainer.accumulate=2", "trainer.max_steps=7", "trainer.log_every=7")
    first, second = (event for event in read_journal(run) if event["event"] == "start")
    assert second["step"] == 6
    changed = second.get("changed", {})
    assert changed.pop("threads", [1, 1])[1] == 1  # of this process, whatever the first one had
    assert changed == {"trainer.accumulate": [1, 2], "trainer.max_steps": [6, 7], "trainer.log_every": [50, 7]}
    assert "changed" not in first and {"threads", "kernels", "torch"} <= first.keys()
    assert load_train(run / "config.yaml").trainer.accumulate == 2
    assert "from step 6 on with" in errors and "trainer.accumulate=2, not 1" in errors

    with safe_open(run / "checkpoints/step-00000007.safetensors", "pt") as file:
        progress = json.loads(file.metadata()["progress"])
    parts = progress["parts"]
    assert [part["step"] for part in parts] == [0, 6]
    assert [part["terms"]["trainer.accumulate"] for part in parts] == [1, 2]
    assert parts[0]["terms"]["trainer.max_steps"] == 6 and parts[0]["terms"]["precision"] == "fp32"
    assert 0 < progress["epochs"] < 1

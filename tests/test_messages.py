"""messages.txt: what went to standard error, kept in the run; and phases, which are named while they last."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from nmt.config import compose_train
from nmt.errors import UserError
from nmt.jobs.train import open_training
from tests.processes import TINY_TRAIN, door_in_process, fails

ARGUMENTS = (*TINY_TRAIN[:-2], "trainer.max_steps=2", "trainer.validate_every=2", "run.dir=run")


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Path, str]:
    """A folder in which a run was trained, each phase named however short, and what standard error had."""
    folder = tmp_path_factory.mktemp("messages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nmt.progress.SECONDS_OF_SILENCE", 0.0, raising=False)
        made = door_in_process("train", *ARGUMENTS, folder=folder)
    assert made.returncode == 0, made.stderr.decode()
    return folder, made.stderr.decode()


def test_a_run_keeps_every_message_with_its_time_and_none_of_progress(told):
    folder, errors = told
    kept = (folder / "run/messages.txt").read_text(encoding="utf-8").splitlines()
    assert "started as: " in kept[0] and "run.dir=run" in kept[0]
    lines = [line for line in errors.splitlines() if not re.search(r"^ *\d+%  |: \d+ pairs$", line)]
    assert [line[len("2026-01-01 00:00:00 ") :] for line in kept[1:]] == lines


def test_long_phases_of_training_are_named_while_they_last(told):
    _, errors = told
    phases = (
        "loading PyTorch and other libraries",
        "looking at the text and the run's folder",
        "encoding the text",
        "building the model",
        "preparing the validation set",
        "validating",
        "translating samples for TensorBoard",
    )
    assert [phase for phase in phases if f"{phase} ..." not in errors] == []
    assert "  0%  step 0  ? left" in errors, "before the first report, which may be minutes away"


def test_long_phases_of_an_evaluation_are_named_while_they_last(trained_run, tmp_path, monkeypatch):
    shutil.copytree(trained_run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluations"))
    monkeypatch.setattr("nmt.progress.SECONDS_OF_SILENCE", 0.0, raising=False)
    made = door_in_process("evaluate", "run=run", "decoding.beam_size=1", "evaluation.resamples=10", folder=tmp_path)
    assert made.returncode == 0, made.stderr.decode()
    phases = ("loading the model", "test: gradients by source word", "test: scores and their bands")
    assert [phase for phase in phases if f"{phase} ..." not in made.stderr.decode()] == []


def test_a_second_start_appends_and_a_refused_one_leaves_no_trace(told):
    folder, _ = told
    messages = folder / "run/messages.txt"
    before = messages.read_text(encoding="utf-8")
    fails(door_in_process("train", *ARGUMENTS, "seed=9", folder=folder), "seed=1, not 9")
    assert messages.read_text(encoding="utf-8") == before
    assert door_in_process("train", *ARGUMENTS, folder=folder).returncode == 0
    after = messages.read_text(encoding="utf-8")
    assert after.startswith(before) and after.count("started as: ") == 2 and "already trained" in after[len(before) :]


def test_messages_that_can_not_be_written_cost_no_run(told, tmp_path):
    folder, _ = told
    shutil.copytree(folder / "run", tmp_path / "run", ignore=shutil.ignore_patterns("messages.txt"))
    (tmp_path / "run/messages.txt").symlink_to("/dev/full")
    made = door_in_process("train", *ARGUMENTS, f"cache={folder}/data/cache", folder=tmp_path)
    assert made.returncode == 0 and b"already trained" in made.stderr
    assert made.stderr.count(b"messages.txt: cannot be written (No space left on device)") == 1


@pytest.mark.parametrize("moment", ["between updates", "while a checkpoint is written"])
def test_a_run_whose_folder_is_deleted_ends_and_does_not_make_it_again(told, monkeypatch, moment):
    folder, _ = told
    monkeypatch.chdir(folder)
    run = folder / "gone"
    config = compose_train([*ARGUMENTS[:-1], "run.dir=gone", "trainer.log_every=1", "trainer.max_steps=4"])
    if moment != "between updates":
        monkeypatch.setattr("nmt.training.checkpoints.folder.save_state", lambda *_: run.rename(folder / "moved"))
    with pytest.raises(UserError, match="gone: was deleted or moved"), open_training(config) as (_, trainer):
        if moment == "between updates":
            trainer.after_step = lambda progress: shutil.rmtree(run, ignore_errors=True)
        trainer.fit()
    assert not run.exists()


def test_a_name_in_other_capitals_is_near(tmp_path):
    options = ("corpus=files", "do=inspect", "corpus.tests={t: 'sacrebleu:WMT14'}")
    fails(
        door_in_process("data", *options, folder=tmp_path), "sacrebleu:WMT14: no such test set", "did you mean 'wmt14'?"
    )

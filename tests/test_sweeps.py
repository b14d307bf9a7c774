"""Hydra's multirun over seeds, each run a job of its own (submitit, on this machine)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from nmt.training.journal import read_journal
from tests.conftest import TINY_CORPUS, TINY_SIZES, door
from tests.processes import start, wait_until

pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs hydra-submitit-launcher")
SWEEP = [
    *("-m", "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5", "+experiment=demo/attention"),
    *(*TINY_CORPUS, *TINY_SIZES["recurrent"], "run.dir='runs/${seed}'", "trainer.max_minutes=0"),
]


def test_every_job_is_a_run_and_a_sweep_that_is_done_is_not_done_again(tmp_path):
    command = [*SWEEP, "seed=1,2", "trainer.max_steps=4"]
    for _ in range(2):
        done = door("train", *command, folder=tmp_path)
        assert done.returncode == 0, done.stderr.decode()
    for seed in (1, 2):
        assert [e["step"] for e in read_journal(tmp_path / f"runs/{seed}") if e["event"] == "valid"] == [4]


def test_a_mistake_in_a_job_is_told_by_the_sweep(tmp_path):
    done = door("train", *SWEEP, "seed=1", "trainer.max_steps=4", "trainer.precision=fp17", folder=tmp_path)
    assert done.returncode == 2, done.stderr.decode()
    assert b"trainer.precision=fp17: did you mean 'fp16'?" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.slow
def test_a_job_that_must_leave_is_queued_again_and_goes_on(tmp_path):
    sweep = start(tmp_path, [*SWEEP, "seed=1", "trainer.max_steps=600", "trainer.log_every=5"])
    wait_until(lambda: len(read_journal(tmp_path / "runs/1")) >= 5, "some reports", process=sweep)
    os.kill(_job(), signal.SIGUSR2)  # submitit's default
    _, errors = sweep.communicate(timeout=200)
    assert sweep.returncode == 0, errors.decode()
    told = "".join(path.read_text() for path in tmp_path.glob(".submitit/*/*.err"))
    assert "going on from step" in told
    assert read_journal(tmp_path / "runs/1")[-1]["step"] == 600


def _job() -> int:
    """The process that trains: the last of those that submitit has started."""
    jobs = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"submitit.core._submit" in (folder / "cmdline").read_bytes():
                jobs.append(int(folder.name))
        except OSError:
            continue
    return max(jobs)

"""Several processes under torchrun: the same weights as one, and no silent hang."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from nmt.training.checkpoints.folder import Checkpoints
from nmt.training.checkpoints.parts import load_state
from nmt.training.journal import read_journal
from tests.conftest import TINY_CORPUS, TINY_SIZES, door
from tests.processes import children_of, process_of, start, torchrun, wait_for_step

KINDS = {"attention": "recurrent", "transformer": "transformer"}


def options(kind: str, steps: int, *more: str, validate_every: int = 10) -> list[str]:
    # Without dropout, whose units differ; an epsilon above the gradients, or Adam makes one size of the smallest.
    return [
        *(f"+experiment=demo/{kind}", *TINY_CORPUS, *TINY_SIZES[KINDS[kind]], "model.dropout=0"),
        *("trainer.max_minutes=0", f"trainer.max_steps={steps}", f"trainer.validate_every={validate_every}"),
        *("optimizer.epsilon=1e-3", *more),
    ]


def start_ranks(folder: Path, arguments: list[str], processes: int = 2, restarts: int = 0) -> subprocess.Popen[bytes]:
    alone = ("--standalone", "--local-addr", "127.0.0.1", "--max-restarts", str(restarts))
    return start(folder, arguments, torchrun(processes, *alone))


def together(folder: Path, arguments: list[str], processes: int = 2) -> str:
    process = start_ranks(folder, arguments, processes)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors.decode()
    return errors.decode()


def weights(run: Path, step: int) -> dict:
    [place] = Checkpoints(run / "checkpoints").files(str(step))
    tensors = load_state(place).tensors
    return {name: tensor for name, tensor in tensors.items() if name.startswith(("model.", "average."))}


def equal(first: dict, second: dict) -> None:
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert (tensor - second[name]).abs().max() < 1e-6, name


@pytest.mark.parametrize(
    ("kind", "sharding", "processes"),
    [
        ("attention", "none", 2),
        ("transformer", "full", 2),
        pytest.param("attention", "full", 3, marks=pytest.mark.slow),
    ],
)
def test_processes_make_the_weights_of_one_with_the_same_batches(tmp_path, kind, sharding, processes):
    """Over two epochs whose last updates have fewer batches; with accumulation and a moving average."""
    made = options(kind, 16, "trainer.average_decay=0.9")
    together(tmp_path, [*made, "run.dir=many", "trainer.accumulate=2", f"trainer.sharding={sharding}"], processes)
    alone = door("train", *made, "run.dir=one", f"trainer.accumulate={2 * processes}", folder=tmp_path)
    assert alone.returncode == 0, alone.stderr.decode()
    equal(weights(tmp_path / "many", 16), weights(tmp_path / "one", 16))
    told = [
        [
            (e["step"], e["tokens"], e["bleu"], round(e["loss"], 4))
            for e in read_journal(tmp_path / run)
            if e["event"] == "valid"
        ]
        for run in ("many", "one")
    ]
    assert told[0] == told[1], "processes share the validation, and find what one finds"


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    made = options("transformer", 10)
    parts = tmp_path / "run/checkpoints/step-00000010"
    spread = [*made, "run.dir=run", "trainer.accumulate=1", "trainer.sharding=full"]
    together(tmp_path, spread)
    assert sorted(path.name for path in parts.iterdir()) == [f"0000{n}-of-00002.safetensors" for n in (1, 2)]
    sizes = [path.stat().st_size for path in parts.iterdir()]
    assert max(sizes) < 0.6 * sum(sizes), "each process writes its part"
    more = [*options("transformer", 20), "run.dir=run"]
    alone = door("train", *more, "trainer.accumulate=2", folder=tmp_path)
    assert alone.returncode == 0 and b"going on from step 10" in alone.stderr, alone.stderr.decode()
    again = together(tmp_path, [*options("transformer", 30), *spread[-3:]])
    assert "going on from step 20" in again
    shutil.copytree(tmp_path / "run", tmp_path / "alone")
    three = together(tmp_path, [*options("transformer", 40), *spread[-3:]], processes=3)
    assert "going on from step 30" in three
    alone = door("train", *options("transformer", 40), "run.dir=alone", "trainer.accumulate=3", folder=tmp_path)
    assert alone.returncode == 0 and b"going on from step 30" in alone.stderr, alone.stderr.decode()
    equal(weights(tmp_path / "run", 40), weights(tmp_path / "alone", 40))


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_a_process_that_is_killed_ends_all_and_a_restart_goes_on(tmp_path, sharding):
    whole = options("attention", 300, "trainer.log_every=5", f"trainer.sharding={sharding}", validate_every=50)
    together(tmp_path, [*whole, "run.dir=whole"])
    launcher = start_ranks(tmp_path, [*whole, "run.dir=cut"], restarts=1)
    wait_for_step(tmp_path / "cut", 60)
    os.kill(process_of(launcher, 1), signal.SIGKILL)
    _, errors = launcher.communicate(timeout=200)
    told = errors.decode()
    assert launcher.returncode == 0, told
    assert "process 0 of 2: the others did not answer at '" in told and "going on from step" in told, told
    equal(weights(tmp_path / "cut", 300), weights(tmp_path / "whole", 300))
    steps = [e["step"] for e in read_journal(tmp_path / "cut") if e["event"] == "valid"]
    assert steps == list(range(50, 301, 50))


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", "full"])
def test_all_processes_killed_at_random_moments_end_with_the_weights_of_those_left_alone(tmp_path, sharding):
    """While they train, validate or write: a checkpoint is begun whenever the last is written."""
    generator = random.Random(7)
    more = "trainer.log_every=2", "trainer.checkpoint_minutes=0.001", "trainer.average_decay=0.9"
    made = options("transformer", 400, *more, f"trainer.sharding={sharding}")
    together(tmp_path, [*made, "run.dir=whole"])
    for step in sorted(generator.sample(range(4, 380, 2), 8)):
        launcher = start_ranks(tmp_path, [*made, "run.dir=cut"])
        wait_for_step(tmp_path / "cut", step)
        time.sleep(generator.uniform(0, 0.05))
        for process in [*children_of(launcher.pid), launcher.pid]:
            os.kill(process, signal.SIGKILL)
        launcher.communicate()
    told = together(tmp_path, [*made, "run.dir=cut"])
    assert "going on from step" in told
    equal(weights(tmp_path / "cut", 400), weights(tmp_path / "whole", 400))
    assert not list((tmp_path / "cut").rglob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", "full"])
def test_a_process_that_hangs_is_noticed_and_the_place_is_told(tmp_path, sharding):
    more = "run.dir=run", "trainer.timeout_minutes=0.1", f"trainer.sharding={sharding}"
    launcher = start_ranks(tmp_path, options("attention", 100_000, *more))
    wait_for_step(tmp_path / "run", 20)
    hanging = process_of(launcher, 1)
    began = time.monotonic()
    os.kill(hanging, signal.SIGSTOP)
    _, errors = launcher.communicate(timeout=200)
    assert launcher.returncode != 0 and time.monotonic() - began < 60
    assert "process 0 of 2: the others did not answer at '" in errors.decode()


def test_what_ends_a_run_writes_one_checkpoint_of_all_processes(tmp_path):
    launcher = start_ranks(tmp_path, [*options("attention", 100_000), "run.dir=run"])
    wait_for_step(tmp_path / "run", 20)
    os.kill(launcher.pid, signal.SIGTERM)
    launcher.communicate(timeout=100)
    step = load_state(Checkpoints(tmp_path / "run/checkpoints").all()[-1]).progress.step
    assert step >= 20
    assert f"going on from step {step}" in together(tmp_path, [*options("attention", step + 5), "run.dir=run"])


def test_a_mistake_is_told_by_the_first_process(tmp_path):
    process = start_ranks(tmp_path, [*options("attention", 10), "run.dir=run", "trainer.precision=fp17"])
    _, errors = process.communicate(timeout=100)
    assert process.returncode != 0 and b"nmt: trainer.precision=fp17: did you mean 'fp16'?" in errors

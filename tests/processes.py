"""Helpers that several test files share: a door in a process of its own or in this one, torchrun, and waiting."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from nmt.config import load_train
from nmt.door import STOPPING
from nmt.schemas import TrainConfig
from nmt.training.journal import read_journal
from tests.conftest import TINY_CORPUS, TINY_SIZES, environment

# A run of six updates.
TINY_TRAIN = (
    "+experiment=demo/attention",
    *TINY_CORPUS,
    *TINY_SIZES["recurrent"],
    "trainer.max_minutes=0",
    "trainer.max_steps=6",
    "trainer.validate_every=3",
)


def fails(done: subprocess.CompletedProcess[bytes], *parts: str) -> str:
    """Holds that the last line on standard error has all these parts, with exit code 2 and no traceback.

    Returns that line.
    """
    errors = done.stderr.decode()
    assert done.returncode == 2, errors
    assert "Traceback" not in errors
    message = errors.strip().splitlines()[-1]
    assert message.startswith("nmt: ")
    for part in parts:
        assert part in message, message
    return message


def lines_but_of_age(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The lines on standard error, but for the one that says that a run is of an earlier version."""
    lines = done.stderr.decode().splitlines()
    return [line for line in lines if "checkpoints/best.safetensors: of an earlier version" not in line]


def door_in_process(
    name: str, *arguments: str, folder: Path, text: bytes = b"", closed: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Calls the main function of a door in this process, as ``python -m nmt.<name> ...`` would in ``folder``.

    A process of its own takes seconds to start; what a mistake is answered with needs none. ``closed`` names a standard
    stream that the process was started without.
    """
    stdin = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8")
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    command = [f"nmt.{name}", *arguments]
    main = importlib.import_module(f"nmt.{name}").main
    code: Any = 0
    with as_found(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        patch.chdir(folder)
        for stream, replacement in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            patch.setattr(sys, stream, None if stream == closed else replacement)
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess(command, code, stdout.buffer.getvalue(), stderr.buffer.getvalue())


@contextmanager
def as_found() -> Iterator[None]:
    """Undoes what a door sets for its process: environment, signal handlers, logging, PyTorch's threads and formats."""
    variables = dict(os.environ)
    threads = torch.get_num_threads()
    products = torch.get_float32_matmul_precision()
    handlers = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGINT)}
    root = logging.getLogger()
    log_handlers = root.handlers
    level = root.level
    root.handlers = []  # pytest's own, which would keep the door from setting its
    try:
        yield
    finally:
        root.handlers = log_handlers
        root.setLevel(level)
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(products)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(variables)


def _begin(before: Callable[[], object] | None) -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    if before:
        before()


def start(
    folder: Path,
    arguments: Sequence[str],
    launcher: Sequence[str] = (),
    before: Callable[[], object] | None = None,
    **variables: str,
) -> subprocess.Popen[bytes]:
    """Training in the background, under ``launcher`` where one is given; ``before`` is called in the new process.

    It hears every signal, also where the tests themselves were started with some of them ignored.
    """
    command = [*(launcher or [sys.executable]), "-m", "nmt.train", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**variables),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: _begin(before),
        start_new_session=bool(launcher),
    )


def torchrun(processes: int, *options: str) -> list[str]:
    """Launches several processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", *options]
    return [*command, "--nproc-per-node", str(processes)]


def wait_until(
    reached: Callable[[], object], what: str, seconds: float = 120, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Waits until ``reached`` says so. Raises AssertionError where it takes longer, or the process has ended."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert process is None or process.poll() is None, f"{what}: the process ended before"
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.01)


def has_step(run: Path, step: int) -> bool:
    """Whether the journal of a run has come to this step."""
    return any(event["step"] >= step for event in read_journal(run))


def wait_for_step(run: Path, step: int) -> None:
    wait_until(lambda: has_step(run, step), f"step {step}")


def wait_for_checkpoint(run: Path, process: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: list((run / "checkpoints").glob("step-*")), "a checkpoint", process=process)


def children_of(process: int) -> list[int]:
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process:
                children.append(int(folder.name))
    return children


def process_of(launcher: subprocess.Popen[bytes], rank: int) -> int:
    """The process that torchrun has given this rank. Raises AssertionError where it has none such."""
    for child in children_of(launcher.pid):
        with contextlib.suppress(OSError):
            if f"\0RANK={rank}\0" in "\0" + Path(f"/proc/{child}/environ").read_text():
                return child
    raise AssertionError(f"no process {rank}")


def config_of(folder: Path) -> TrainConfig:
    """The configuration that a run in this folder was trained under, wherever it was trained."""
    config = load_train(folder / "config.yaml")
    config.run.dir = str(folder)
    return config

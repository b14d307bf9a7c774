"""Signals in real processes: which are heard, which stay ignored, and a run whose terminal is closed."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from tests.conftest import environment
from tests.processes import TINY_TRAIN, start, wait_until

# Sends itself signals while a run would note them, and prints which it noted.
NOTES = """
import signal
from nmt.training.signals import Signals
for number in ({numbers}):
    with Signals() as signals:
        signal.raise_signal(number)
        print(signals.number, flush=True)
"""
LONG_TRAIN = (*TINY_TRAIN[:-2], "trainer.max_steps=100000", "trainer.validate_every=50000", "run.dir=run")


def _hear_all() -> None:
    """Ignores no signal: a shell has its background jobs ignore some, and these tests may be one."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def noted(numbers: str, command: str) -> list[int]:
    """Returns which of these signals a process notes that a shell starts by this command, with CODE in it."""
    variables = environment(CODE=NOTES.format(numbers=numbers))
    done = subprocess.run(
        ["sh", "-c", command], env=variables, capture_output=True, text=True, timeout=60, preexec_fn=_hear_all
    )
    return [int(line) for line in done.stdout.split()]


def test_every_signal_that_would_end_a_process_is_noted():
    names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGXCPU", "SIGUSR1", "SIGUSR2")
    numbers = [int(signal.Signals[name]) for name in names]
    listed = ", ".join(map(str, numbers))
    assert noted(listed, f'{sys.executable} -c "$CODE"') == numbers


def test_a_signal_that_was_ignored_at_the_start_stays_ignored():
    numbers = f"{int(signal.SIGHUP)}, {int(signal.SIGINT)}, {int(signal.SIGTERM)}"
    assert noted(numbers, f'nohup {sys.executable} -c "$CODE" & wait') == [0, 0, int(signal.SIGTERM)]


def read_terminal(number: int) -> str:
    """Returns what has come to the terminal since the last call."""
    if not select.select([number], [], [], 0.01)[0]:
        return ""
    return os.read(number, 65536).decode(errors="replace")


def test_a_closed_terminal_and_more_signals_at_once_leave_a_checkpoint_and_the_messages(tmp_path):
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.execve(sys.executable, [sys.executable, "-m", "nmt.train", *LONG_TRAIN], environment())
    shown: list[str] = []
    journal = tmp_path / "run/journal.jsonl"

    def reported() -> bool:
        shown.append(read_terminal(terminal))
        return journal.exists() and '"train"' in journal.read_text() and "%|" in "".join(shown)

    wait_until(reported, "a report of training and a bar on the terminal")
    messages = tmp_path / "run/messages.txt"
    before = messages.read_text()  # while the process lives: a killed one would leave as much
    assert re.search(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d demo/attention: .* parameters", before)
    os.close(terminal)  # SIGHUP, and from here on standard error can't be written
    for _ in range(6):
        os.kill(process, signal.SIGTERM)
        time.sleep(0.01)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert list((tmp_path / "run/checkpoints").glob("interim-*.safetensors"))
    after = messages.read_text()
    assert after.startswith(before) and "stopped by SIGHUP at step" in after and "goes on from there" in after
    assert "Traceback" not in after and "%|" not in after, "no progress bar is kept"


@pytest.mark.slow
def test_a_run_under_nohup_outlives_its_terminal_and_ends_quietly_by_many_signals(tmp_path):
    process = start(tmp_path, LONG_TRAIN, launcher=["nohup", sys.executable], before=ignore_interrupts)
    journal = tmp_path / "run/journal.jsonl"
    wait_until(lambda: journal.exists() and '"train"' in journal.read_text(), "a report", process=process)
    for number in (signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    size = journal.stat().st_size
    wait_until(lambda: journal.stat().st_size > size, "another report", process=process)
    for _ in range(6):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and b"Traceback" not in errors
    assert b"stopped by SIGTERM at step" in errors


def ignore_interrupts() -> None:
    """As a shell does before it starts a script's job in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

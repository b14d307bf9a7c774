"""Signals that end a process: those of this system, and what a door does when one comes."""

from __future__ import annotations

import contextlib
import signal
import time
from types import FrameType

# Ctrl-C, kill, a lost terminal or connection, Ctrl-\, a spent limit of processor time, what Slurm and submitit send
# before they take the machine away, and Ctrl-Break. Windows has three of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGUSR1", "SIGUSR2", "SIGBREAK")
ENDING = tuple(signal.Signals[name] for name in NAMES if hasattr(signal, name))
AT_ONCE = 1.0  # seconds within which further signals are of the same stop


class Stopped(SystemExit):
    """A signal ends the process."""

    def __init__(self, number: int):
        super().__init__(128 + number)  # as a shell says it
        self.number = number
        self.name = signal.Signals(number).name


class Stop:
    """Handles a signal outside training: raises Stopped, once for signals that come close together."""

    def __init__(self) -> None:
        self.is_ending = False  # whether the process ends already, for a signal that was told
        self._since = float("-inf")

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.is_ending or now - self._since < AT_ONCE:
            return
        self._since = now
        raise Stopped(number)


def heard() -> list[signal.Signals]:
    """Returns the signals that end this process. One that was ignored at its start stays ignored: SIGHUP under nohup,
    SIGINT in a script's background job.
    """
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def ignore_from_now_on() -> None:
    """Ignores all these signals: the process ends, and another one would only spoil its last words."""
    with contextlib.suppress(ValueError):  # only the main thread may set handlers
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)

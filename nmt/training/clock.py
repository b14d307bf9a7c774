"""The clock of a run, which knows when its process stood still: Ctrl-Z, a suspended job, a paused machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

SHORT = 2.0  # seconds: what is no longer is never taken for a stop
FAR_ABOVE = 20  # times the usual lap
ASLEEP = 0.8  # the share of a lap without work, from which on the process may have been stopped


class Clock:
    """Measures laps.

    A lap far above the usual counts as a stop where this thread did nothing in it. The thread works in a long step or
    validation: it computes, makes batches, or spins until the GPU has finished. Where it waits for others that work, it
    says so (`at_work`).
    """

    def __init__(self) -> None:
        self.idle = 0.0  # seconds of stops, since it was last set to 0
        self._usual: float | None = None  # seconds of a lap: a running mean
        self.restart()

    def restart(self) -> None:
        """Begins a lap here, and leaves out the time since the last."""
        self._begin = time.monotonic()
        self._worked = time.thread_time()

    def lap(self, is_usual: bool = True) -> float:
        """Ends a lap and begins the next. Returns its seconds, those of a stop among them.

        ``is_usual``: it is one of many alike, which say how long a lap is.
        """
        begin = self._begin
        worked = self._worked
        self.restart()
        seconds = self._begin - begin
        asleep = seconds - (self._worked - worked)
        if self._was_stopped(seconds, asleep):
            self.idle += asleep
        elif is_usual:
            known = seconds if self._usual is None else self._usual
            self._usual = 0.9 * known + 0.1 * seconds
        return seconds

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Counts the block as work, though this thread may sleep in it: other threads and processes work for it."""
        begin = time.monotonic()
        worked = time.thread_time()
        yield
        asleep = (time.monotonic() - begin) - (time.thread_time() - worked)
        self._worked -= asleep

    def waiting_for(self, items: Iterator[T]) -> Iterator[T]:
        """Yields items without end; the wait for one, such as text that is still being encoded, is time of training."""
        while True:
            with self.at_work():
                item = next(items)
            yield item

    def _was_stopped(self, seconds: float, asleep: float) -> bool:
        if self._usual is None:  # nothing is known yet, and the first lap may compile
            return False
        return asleep > max(SHORT, FAR_ABOVE * self._usual) and asleep > ASLEEP * seconds

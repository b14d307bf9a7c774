"""The clock of a run, which knows when its process stood still: Ctrl-Z, a suspended job, a paused machine."""

from __future__ import annotations

import time

SHORT = 2.0  # seconds: what is no longer is never taken for a stop
FAR_ABOVE = 20  # times the usual lap
ASLEEP = 0.8  # the share of a lap without work, from which on the process may have been stopped


class Clock:
    """Measures laps.

    A lap far above the usual counts as a stop where this thread did nothing in it. The thread works in a long step or
    validation: it computes, makes batches, or spins until the GPU has finished.
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

    def _was_stopped(self, seconds: float, asleep: float) -> bool:
        if self._usual is None:  # nothing is known yet, and the first lap may compile
            return False
        return asleep > max(SHORT, FAR_ABOVE * self._usual) and asleep > ASLEEP * seconds

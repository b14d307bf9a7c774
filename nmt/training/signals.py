"""Signals end a run after the update in hand; a second Ctrl-C ends it at once. Those ignored at the start stay so."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

from nmt.stopping import Stop, heard

AGAIN = 1.0  # seconds after which a second Ctrl-C is meant as such


class Interrupted(Exception):
    """A signal ended the run after its checkpoint was written."""

    def __init__(self, number: int, step: int):
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step}, checkpoint written")
        self.number = number
        self.exit_code = 128 + number  # as a shell says it


class Broken(Exception):
    """A signal came in work that is left and done again after the checkpoint."""


class Signals:
    """While this context is open, a signal is noted in ``number`` (0: none came)."""

    def __init__(self) -> None:
        self.number = 0
        self._since = 0.0  # when it came
        self._before: dict[int, Any] = {}  # handlers that are put back
        self.breaks = False  # whether a signal raises Broken, in work that may be left

    def __enter__(self) -> Signals:
        try:
            for number in heard():
                self._before[number] = signal.signal(number, self._note)
        except ValueError:  # only the main thread may set handlers
            self._before = {}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._restore()

    def _note(self, number: int, _: FrameType | None) -> None:
        """Notes the first signal. It may come twice at once: from the terminal or the cluster, and from torchrun."""
        now = time.monotonic()
        if self.number and number == signal.SIGINT and now - self._since > AGAIN:
            self._restore()
            raise KeyboardInterrupt
        if not self.number:
            self.number = number
            self._since = now
        if self.breaks:
            self.breaks = False
            raise Broken

    def _restore(self) -> None:
        for number, handler in self._before.items():
            if self.number and isinstance(handler, Stop):  # the door's: the process ends already
                handler.is_ending = True
            if handler is not None:  # None: it was set outside Python
                signal.signal(number, handler)

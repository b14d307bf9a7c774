"""The run's folder, looked at before anything else is written."""

from __future__ import annotations

from collections.abc import Callable

from nmt.training.sinks.sink import Event, Sink


class StillThere(Sink):
    """Raises UserError at an event where the folder was deleted. It comes before the sinks that write there."""

    def __init__(self, check: Callable[[], None]):
        self._check = check

    def event(self, event: Event) -> None:
        self._check()

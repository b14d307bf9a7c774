"""The console: a bar with the time left, and lines above it."""

from __future__ import annotations

import logging

from tqdm import tqdm

from nmt.progress import Progress
from nmt.training.sinks.sink import Sink

log = logging.getLogger("nmt")

SHAPE = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


class Console(Sink):
    """Shows a person at the terminal how far the run is."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def progress(self, share: float, title: str) -> None:
        if self._bar is None:
            self._bar = Progress(title, "", 1.0, first=share, shape=SHAPE)
        self._bar.update(share, title)

    def say(self, message: str, *values: object) -> None:
        with tqdm.external_write_mode():  # above the bar
            log.info(message, *values)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

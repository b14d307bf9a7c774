"""Progress of long work with the time left: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger("nmt")

SECONDS_BETWEEN_LINES = 20  # where standard error is a file

T = TypeVar("T")


class Progress:
    """Shows how far work has come.

    ``total`` is how much there is in all (None: not known), ``first`` how much of it was done before, and ``shape`` the
    bar's format for tqdm.
    """

    def __init__(self, title: str, unit: str, total: float | None = None, first: float = 0.0, shape: str | None = None):
        self.title = title
        self.unit = unit
        self.total = total
        self.first = first
        self.start = time.monotonic()
        self.last = self.start  # when a line was last written
        self.bar: tqdm | None = None
        if sys.stderr.isatty():
            self.bar = tqdm(total=total, initial=first, desc=title, unit=f" {unit}", leave=False, bar_format=shape)

    def update(self, done: float, title: str = "") -> None:
        """Shows that ``done`` of all is done (not: since the last call)."""
        if title:
            self.title = title
        if self.bar is not None:
            self.bar.set_description_str(self.title, refresh=False)
            self.bar.update(done - self.bar.n)
            return
        now = time.monotonic()
        if now - self.last > SECONDS_BETWEEN_LINES:
            self.last = now
            log.info("%s", self.line(done, now - self.start))

    def line(self, done: float, seconds: float) -> str:
        """Returns the line for ``done`` after so many seconds."""
        if not self.total:
            return f"{self.title}: {done:,.0f} {self.unit}"
        share = min(done / self.total, 1.0)
        share_now = share - self.first / self.total  # done in these seconds
        left = "?"
        if share_now > 0:
            left = clock(seconds * (1 - share) / share_now)
        return f"{100 * share:3.0f}%  {self.title}  {left} left"

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def clock(seconds: float) -> str:
    """Writes a time as 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def counted(items: Iterable[T], title: str, unit: str) -> Iterator[T]:
    """Yields the items, and shows their number as they pass."""
    with Progress(title, unit) as progress:
        for number, item in enumerate(items, 1):
            yield item
            progress.update(number)

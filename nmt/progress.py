"""Progress of long work with the time left: a bar on a terminal, else a plain line now and then. Phases without a count
are named where they last.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from nmt.messages import not_kept, silent_since

if TYPE_CHECKING:  # imported late, so that --help is instant
    from tqdm import tqdm

log = logging.getLogger("nmt")

SECONDS_BETWEEN_LINES = 20  # where standard error is a file
SECONDS_OF_SILENCE = 3.0  # after which the work in hand is named, whatever it is

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
        self.done = first
        self.bar: tqdm | None = None
        self.timer: threading.Timer | None = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, initial=first, desc=title, unit=f" {unit}", leave=False, bar_format=shape)
        else:
            self.timer = after_silence(self._say)

    def update(self, done: float, title: str = "") -> None:
        """Shows that ``done`` of all is done (not: since the last call)."""
        self.done = done
        if title:
            self.title = title
        if self.bar is not None:
            self.bar.set_description_str(self.title, refresh=False)
            self.bar.update(done - self.bar.n)
            return
        if time.monotonic() - self.last > SECONDS_BETWEEN_LINES:
            self._say()

    def _say(self) -> None:
        self.last = time.monotonic()
        with not_kept():
            log.info("%s", self.line(self.done, self.last - self.start))

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
        if self.timer is not None:
            self.timer.cancel()
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


@contextmanager
def phase(title: str, says_end: bool = True) -> Iterator[None]:
    """Logs what the block does, once standard error has been silent for a while; and its time, where it was named.

    So a short phase costs no line, and a long one is named while it lasts.
    """
    start = time.monotonic()
    named = threading.Event()

    def name() -> None:
        from tqdm import tqdm

        named.set()
        with tqdm.external_write_mode():  # above a bar
            log.info("%s ...", title)

    timer = after_silence(name)
    try:
        yield
    finally:
        timer.cancel()
    seconds = time.monotonic() - start
    if named.is_set() and says_end and seconds >= SECONDS_OF_SILENCE:
        log.info("%s: done in %s", title, clock(seconds))


def after_silence(say: Callable[[], None]) -> threading.Timer:
    """Calls ``say`` once standard error has been silent for `SECONDS_OF_SILENCE`, unless the timer is cancelled before.

    Other work may have been silent already: then what begins now is named earlier, or at once.
    """
    silent = time.monotonic() - silent_since()
    timer = threading.Timer(SECONDS_OF_SILENCE - silent, say)
    timer.daemon = True
    if silent >= SECONDS_OF_SILENCE:
        say()
    else:
        timer.start()
    return timer

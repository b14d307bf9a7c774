"""Items made ahead by a thread, while whoever asks for them is at work on something else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 0.1  # seconds after which the thread looks whether anybody still wants what it has made


def made_ahead(items: Generator[T], count: int) -> Generator[T]:
    """Yields the items, up to ``count`` of which a thread makes before they are asked for; 0 makes none ahead.

    An exception of the items is raised where their next one is asked for. Closing this closes them.
    """
    if not count:
        yield from items
        return
    maker = _Maker(items, count)
    maker.start()
    try:
        while True:
            made = maker.made.get()
            if made.error is not None:
                raise made.error
            if made.is_end:
                return
            yield made.item
    finally:
        maker.stop()
        items.close()


@dataclass(frozen=True)
class _Made:
    """What the thread hands over: an item, the end of the items, or an exception that they raised."""

    item: Any = None
    is_end: bool = False
    error: BaseException | None = None


class _Maker(threading.Thread):
    """Puts items into a queue, up to ``count`` of them, until it is stopped."""

    def __init__(self, items: Generator[T], count: int):
        super().__init__(name="batches", daemon=True)
        self.items = items
        self.made: queue.Queue[_Made] = queue.Queue(count)
        self._is_over = threading.Event()

    def run(self) -> None:
        try:
            for item in self.items:
                self._put(_Made(item))
                if self._is_over.is_set():
                    return
            self._put(_Made(is_end=True))
        except BaseException as error:  # whoever asks for the next item raises it
            self._put(_Made(error=error))

    def stop(self) -> None:
        """Waits until the thread has ended; what it made is dropped."""
        self._is_over.set()
        self.join()

    def _put(self, made: _Made) -> None:
        while not self._is_over.is_set():
            try:
                self.made.put(made, timeout=PATIENCE)
                return
            except queue.Full:
                continue

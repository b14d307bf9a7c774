"""Segmentations drawn by processes of their own: it is Python that draws them, and training would wait for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event
from pathlib import Path

from nmt.corpus.pairs import Pair
from nmt.corpus.tokenizer import Sampling, Tokenizer, cores
from nmt.errors import UserError

SLICE = 25_000  # pairs that are drawn together: fewer, and more of their words are met for the first time
STRETCH = 500  # of them, after which it is asked whether they are still wanted
MOST = 8  # processes
Ids = list[list[int]]
Unwanted = threading.Event | Event


class SamplingWorkers:
    """Draws for the pairs of slices, as many at once as there are cores for each of the processes that train here.

    What is drawn depends on seeds and slices alone, not on who draws it.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float):
        self.tokenizer, self.rate = tokenizer, rate
        self.count = min(MOST, max(1, cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
        self._pool: ProcessPoolExecutor | None = None
        self._unwanted: list[Unwanted] = [threading.Event()]  # here, and in the pool

    def drawn(self, slices: Iterable[list[Pair]], seeds: Iterable[int]) -> Iterator[tuple[list[Pair], Ids, Ids]]:
        """Pairs with the ids of both sides, in order. Raises UserError where a process was ended."""
        waiting: deque[tuple[list[Pair], Future[tuple[Ids, Ids]]]] = deque()
        for pairs, seed in zip(slices, seeds, strict=False):
            texts = [pair.source for pair in pairs], [pair.target for pair in pairs]
            if not waiting and len(pairs) < SLICE:  # a small text: no process is worth its start
                yield pairs, *_draw(self.tokenizer, *texts, self.rate, seed, self._unwanted[0])
                continue
            waiting.append((pairs, self._started().submit(_draw_here, *texts, self.rate, seed)))
            if len(waiting) > self.count:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())

    def stop(self) -> None:
        """What is being drawn is not wanted any more, and comes cut short."""
        for event in self._unwanted:
            event.set()

    def close(self) -> None:
        """Ends the processes. It may be drawn again, by new ones."""
        self.stop()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._unwanted = [threading.Event()]

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")  # a fork would copy the locks of this process's threads
            event = spawn.Event()
            self._unwanted.append(event)
            told = self.tokenizer.source_path, self.tokenizer.target_path, event
            self._pool = ProcessPoolExecutor(self.count, spawn, initializer=_begin, initargs=told)
        return self._pool


def _result(pairs: list[Pair], coming: Future[tuple[Ids, Ids]]) -> tuple[list[Pair], Ids, Ids]:
    try:
        return pairs, *coming.result()
    except BrokenProcessPool:
        raise UserError(
            "tokenizer.sampling: a process that draws segmentations was ended from outside (is memory short?); the "
            "same command goes on from the last checkpoint"
        ) from None


def _draw(
    tokenizer: Tokenizer, sources: Sequence[str], targets: Sequence[str], rate: float, seed: int, unwanted: Unwanted
) -> tuple[Ids, Ids]:
    sampling = Sampling(rate, seed)
    drawn: tuple[Ids, Ids] = [], []
    for start in range(0, len(sources), STRETCH):
        if unwanted.is_set():
            break
        stretch = slice(start, start + STRETCH)
        drawn[0].extend(tokenizer.encode_sources(sources[stretch], sampling))
        drawn[1].extend(tokenizer.encode_targets(targets[stretch], sampling))
    return drawn


_here: tuple[Tokenizer, Event]  # of a process that draws


def _begin(source: Path, target: Path | None, unwanted: Event) -> None:
    """Signals are for the process that trains; without it, this one ends, even if it was killed."""
    global _here
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(5)
    _here = Tokenizer(source, target), unwanted


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


def _draw_here(sources: Sequence[str], targets: Sequence[str], rate: float, seed: int) -> tuple[Ids, Ids]:
    tokenizer, unwanted = _here
    return _draw(tokenizer, sources, targets, rate, seed, unwanted)

"""Segmentations are drawn in Python, which would stall training, so worker processes do it.

Such a process reads pickled texts from its standard input and writes pickled ids: it shares no lock with the one that
trains, and ends with it, however that ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nmt.corpus.batches.encoded import Ids
from nmt.corpus.pair import Pair, texts_to_encode
from nmt.corpus.subwords.tokenizer import Sampling, Tokenizer, cores
from nmt.errors import UserError
from nmt.stopping import ENDING, ignore_from_now_on

SLICE = 10_000  # pairs that are drawn together: with fewer, more of their words are met for the first time
FEW = 2_000  # pairs that are drawn here: no process is worth its start
MOST = 8  # processes


class SamplingWorkers:
    """Draws for slices of pairs, as many at once as there are cores for each of the ``trainers``: the processes that
    train on this machine.

    What is drawn depends on the slices and their seeds alone, not on who draws it.
    """

    def __init__(self, tokenizer: Tokenizer, rate: float, trainers: int = 1):
        self.tokenizer = tokenizer
        self.rate = rate
        self.count = min(MOST, max(1, cores() // trainers))
        self.processes: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._lock = threading.Lock()

    def drawn(self, slices: Iterable[list[Pair]], seeds: Iterable[int]) -> Iterator[tuple[list[Pair], Ids, Ids]]:
        """Yields pairs with the ids of both sides, in order. Raises UserError where a process was ended."""
        waiting: deque[tuple[list[Pair], subprocess.Popen[bytes]]] = deque()
        for number, (pairs, seed) in enumerate(zip(slices, seeds, strict=False)):
            texts = texts_to_encode(pairs)
            if not waiting and len(pairs) < FEW:
                yield pairs, *_draw(self.tokenizer, self.rate, *texts, seed)
                continue
            process = self._process(number)
            _send(process, *texts, seed)
            waiting.append((pairs, process))
            if len(waiting) > self.count:  # then the next process to be asked has nothing to do
                yield _received(*waiting.popleft())
        while waiting:
            yield _received(*waiting.popleft())

    def close(self) -> None:
        """Ends the processes, in the midst of their work: who waits for it gets a UserError."""
        with self._lock:
            self._closed = True
            for process in self.processes:
                process.kill()
                process.communicate()

    def _process(self, number: int) -> subprocess.Popen[bytes]:
        """Returns the process for a slice: of one more than work at once, so that none waits while another is given its
        texts.
        """
        with self._lock:
            if self._closed:
                raise UserError("tokenizer.sampling: no more segmentations are drawn")
            if len(self.processes) <= self.count:
                self.processes.append(self._started())
            return self.processes[number % (self.count + 1)]

    def _started(self) -> subprocess.Popen[bytes]:
        paths = [str(path) for path in (self.tokenizer.source_path, self.tokenizer.target_path) if path]
        root = str(Path(__file__).parents[3])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        with _signals_blocked():
            return subprocess.Popen(
                [sys.executable, "-m", __name__, str(self.rate), *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
            )


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Blocks signals that end a process, as they stay in one that starts within: they are for the one that trains."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where `main` ignores them
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _send(process: subprocess.Popen[bytes], sources: Sequence[str], targets: Sequence[str], seed: int) -> None:
    assert process.stdin is not None
    try:
        pickle.dump((sources, targets, seed), process.stdin)
        process.stdin.flush()
    except (OSError, ValueError):
        raise _ended() from None


def _received(pairs: list[Pair], process: subprocess.Popen[bytes]) -> tuple[list[Pair], Ids, Ids]:
    assert process.stdout is not None
    try:
        return pairs, *pickle.load(process.stdout)
    except (EOFError, OSError, ValueError, pickle.UnpicklingError):
        raise _ended() from None


def _ended() -> UserError:
    return UserError(
        "tokenizer.sampling: a process that draws segmentations was ended from outside (is memory short?); the same "
        "command goes on from the last checkpoint"
    )


def _draw(
    tokenizer: Tokenizer, rate: float, sources: Sequence[str], targets: Sequence[str], seed: int
) -> tuple[Ids, Ids]:
    sampling = Sampling(rate, seed)
    return tokenizer.encode_sources(sources, sampling), tokenizer.encode_targets(targets, sampling)


def main() -> None:
    """Draws for another process until that ends."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(5)
    if not hasattr(signal, "pthread_sigmask"):
        ignore_from_now_on()
    rate, source, *target = sys.argv[1:]
    target_path = Path(target[0]) if target else None
    tokenizer = Tokenizer(Path(source), target_path)
    while True:
        try:
            asked = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            pickle.dump(_draw(tokenizer, float(rate), *asked), sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    main()

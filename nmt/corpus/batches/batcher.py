"""Length buckets, a token budget, and (batch, position): an epoch's batches follow from seed and epoch alone."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.corpus.batches.batch import Batch, make_batch
from nmt.corpus.batches.encoded import EncodedPairs

log = logging.getLogger("nmt")


@dataclass
class BatchingOptions:
    """How pairs share a batch."""

    tokens: int = 4096  # at most so many cells, padding included, on the source side and on the target side
    sentences: int = 1024  # at most so many pairs
    stream: bool = False  # reads the text anew all the time, in flat memory: for texts of any size, mixed by weights
    block: int = 200_000  # stream: pairs that are read ahead, shuffled and batched together


@dataclass(frozen=True)
class Position:
    """Where in the data the next batch is: enough to go on exactly there."""

    epoch: int = 0
    batch: int = 0
    # Of a stream: the block that the batch is in, how far each place had been read when it began, and for how many
    # processes.
    block: int = 0
    read: tuple[tuple[int, int], ...] = ()
    processes: int = 1


class Batches(Protocol):
    """Where batches come from."""

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        """Without end, from ``position``: up to ``size`` batches of this process for each update, and the position that
        follows them. An update does not cross into the next epoch: its last may find fewer batches, or none.
        """

    def epochs(self, position: Position) -> float:
        """How often the text has been read."""


class Batcher:
    """Batches of similar lengths, in an order that changes every epoch.

    ``part`` is (number, count) of the process among those that share the batches of an update.
    """

    def __init__(self, pairs: EncodedPairs, options: BatchingOptions, seed: int, part: tuple[int, int] = (0, 1)):
        self.pairs, self.options, self.seed, self.part = pairs, options, seed, part
        self._planned: tuple[int, list[np.ndarray]] = (-1, [])
        self.source_lengths = np.asarray(pairs.source.lengths)
        self.target_lengths = np.asarray(pairs.target.lengths) + 1  # START or END
        over = int((np.maximum(self.source_lengths, self.target_lengths) > options.tokens).sum())
        if over:
            log.warning(
                "%d sentences are longer than batching.tokens=%d: each is a batch of its own", over, options.tokens
            )

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Rows of every batch of an epoch, in order."""
        if epoch != self._planned[0]:
            self._planned = (epoch, self._plan(epoch, shuffle=True))
        return self._planned[1]

    def _plan(self, epoch: int, shuffle: bool) -> list[np.ndarray]:
        rng = np.random.default_rng((self.seed, epoch))
        # Sorted by target length, then, up and down in turn, by source length: neighbours are alike on both sides.
        # The noise, and a first batch of random size, let a sentence meet other neighbours each epoch.
        source = self.source_lengths + rng.uniform(0, 1, len(self.pairs))
        order = np.lexsort((np.where(self.target_lengths % 2 == 0, source, -source), self.target_lengths))
        batches = self._cut(order, first=rng.uniform(0.1, 1) if shuffle else 1.0)
        if shuffle:
            rng.shuffle(batches)  # type: ignore[arg-type]
        return batches

    def _cut(self, order: np.ndarray, first: float) -> list[np.ndarray]:
        """Consecutive rows as full as the budget allows; the first batch gets this share of it."""
        longest = np.maximum(self.source_lengths, self.target_lengths)[order].tolist()
        batches, start, width = [], 0, 0
        budget = first * self.options.tokens
        for i, length in enumerate(longest):
            width = max(width, length)
            rows = i - start + 1
            if i > start and (rows * width > budget or rows > self.options.sentences):
                batches.append(order[start:i])
                start, width, budget = i, length, self.options.tokens
        batches.append(order[start:])
        return batches

    def batch(self, rows: np.ndarray) -> Batch:
        pairs = self.pairs
        links = None if pairs.links is None else [pairs.links[i] for i in rows]
        return make_batch([pairs.source[i] for i in rows], [pairs.target[i] for i in rows], rows.tolist(), links)

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        number, count = self.part
        while True:
            plan = self.plan(position.epoch)
            if position.batch >= len(plan):  # of other batches, which were more
                position = Position(position.epoch + 1, 0)
                continue
            for start in range(position.batch, len(plan), size * count):
                stop = min(start + size * count, len(plan))
                position = Position(position.epoch, stop) if stop < len(plan) else Position(position.epoch + 1, 0)
                yield [self.batch(plan[i]) for i in range(start, stop) if i % count == number], position

    def epochs(self, position: Position) -> float:
        return position.epoch + (position.batch / len(self.plan(position.epoch)) if position.batch else 0.0)

    def one_pass(self) -> Iterator[Batch]:
        """Every pair once, in a fixed order: for validation. Of several processes each takes its share."""
        number, count = self.part
        for rows in self._plan(0, shuffle=False)[number::count]:
            yield self.batch(rows)

    def padding_share(self) -> float:
        """Padded cells over all cells, source and target, in the first epoch."""
        real = cells = 0
        for rows in self.plan(0):
            for lengths in (self.source_lengths[rows], self.target_lengths[rows]):
                real += int(lengths.sum())
                cells += int(lengths.max()) * len(rows)
        return 1 - real / cells

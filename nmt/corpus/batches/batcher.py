"""Length buckets, a token budget, and (batch, position): an epoch's batches follow from seed and epoch alone."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.corpus.batches.batch import Batch, batch_of_joined
from nmt.corpus.batches.encoded import EncodedPairs
from nmt.corpus.batches.position import ALONE, Position, Share
from nmt.errors import UserError

log = logging.getLogger("nmt")


@dataclass
class BatchingOptions:
    """How pairs share a batch."""

    tokens: int = 4096  # at most so many cells, padding included, on the source side and on the target side
    sentences: int = 1024  # at most so many pairs
    stream: bool = False  # reads the text anew all the time, in flat memory: for texts of any size, mixed by weights
    block: int = 200_000  # stream: pairs that are read ahead, shuffled and batched together

    def __post_init__(self) -> None:
        used = ["tokens", "sentences"]
        if self.stream:
            used.append("block")
        for name in used:
            if getattr(self, name) < 1:
                raise UserError(f"batching.{name}={getattr(self, name)}: must be 1 or more")


class Batches(Protocol):
    """Where batches come from."""

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        """Yields, forever, the batches of one update (at most ``size`` on this rank) and the position after them.

        An update does not cross into the next epoch: its last may find fewer batches, or none.
        """

    def epochs(self, position: Position) -> float:
        """Returns how often the text has been read."""


class Batcher:
    """Batches of similar lengths, in an order that changes every epoch. ``share`` is that of this process."""

    def __init__(self, pairs: EncodedPairs, options: BatchingOptions, seed: int, share: Share = ALONE):
        self.pairs = pairs
        self.options = options
        self.seed = seed
        self.share = share
        self.source_lengths = np.asarray(pairs.source.lengths)  # (pairs,)
        self.target_lengths = np.asarray(pairs.target.lengths) + 1  # START or END
        self._longest = np.maximum(self.source_lengths, self.target_lengths)
        self._planned_epoch = -1
        self._planned: list[np.ndarray] = []
        over = int((self._longest > options.tokens).sum())
        if over:
            log.warning(
                "%d sentences are longer than batching.tokens=%d: each is a batch of its own", over, options.tokens
            )

    def plan(self, epoch: int) -> list[np.ndarray]:
        """Returns the rows of every batch of an epoch, in order."""
        if epoch != self._planned_epoch:
            self._planned = self._plan(epoch, shuffle=True)
            self._planned_epoch = epoch
        return self._planned

    def _plan(self, epoch: int, shuffle: bool) -> list[np.ndarray]:
        """Plans an epoch's batches. Noise and a first batch of random size change the neighbours of each sentence."""
        rng = np.random.default_rng((self.seed, epoch))
        noise = rng.uniform(0, 1, len(self.pairs))
        order = self._order(noise)
        first = rng.uniform(0.1, 1) if shuffle else 1.0
        batches = self._cut(order, first)
        if shuffle:
            rng.shuffle(batches)  # type: ignore[arg-type]
        return batches

    def _order(self, noise: np.ndarray) -> np.ndarray:
        """Sorts by target length, then, up and down in turn, by source length: neighbours are alike on both sides."""
        source = self.source_lengths + noise
        is_even = self.target_lengths % 2 == 0
        return np.lexsort((np.where(is_even, source, -source), self.target_lengths))

    def _cut(self, order: np.ndarray, first: float) -> list[np.ndarray]:
        """Consecutive rows as full as the budget allows; the first batch gets the share ``first`` of it."""
        batches: list[np.ndarray] = []
        start = 0
        width = 0  # of the longest sentence since ``start``
        budget = first * self.options.tokens
        for end, length in enumerate(self._longest[order].tolist()):
            width = max(width, length)
            count = end - start + 1
            is_too_much = count * width > budget or count > self.options.sentences
            if is_too_much and end > start:
                batches.append(order[start:end])
                start = end
                width = length
                budget = self.options.tokens
        batches.append(order[start:])
        return batches

    def batch(self, rows: np.ndarray) -> Batch:
        """Makes one batch of the pairs in these rows."""
        pairs = self.pairs
        links = None if pairs.links is None else [pairs.links[i] for i in rows]
        return batch_of_joined(pairs.source.rows(rows), pairs.target.rows(rows), rows.tolist(), links)

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        rank = self.share.rank
        world = self.share.world
        epoch = position.epoch
        begin = position.batch  # past the end, where it is of other batches, which were more
        while True:
            plan = self.plan(epoch)
            for start in range(begin, len(plan), size * world):
                stop = min(start + size * world, len(plan))
                batches = [self.batch(plan[i]) for i in range(start, stop) if i % world == rank]
                if stop < len(plan):
                    yield batches, Position(epoch, stop)
                else:
                    yield batches, Position(epoch + 1, 0)
            epoch += 1
            begin = 0

    def epochs(self, position: Position) -> float:
        if not position.batch:
            return float(position.epoch)
        return position.epoch + position.batch / len(self.plan(position.epoch))

    def one_pass(self) -> Iterator[Batch]:
        """Yields this process's share of all pairs, in a fixed order: for validation."""
        plan = self._plan(0, shuffle=False)
        for rows in plan[self.share.rank :: self.share.world]:
            yield self.batch(rows)

    def padding_share(self) -> float:
        """Returns padded cells over all cells, source and target, in the first epoch."""
        real = 0
        cells = 0
        for rows in self.plan(0):
            for lengths in (self.source_lengths[rows], self.target_lengths[rows]):
                real += int(lengths.sum())
                cells += int(lengths.max()) * len(rows)
        return 1 - real / cells

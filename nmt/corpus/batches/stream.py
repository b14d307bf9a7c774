"""Training text of any size, read again and again in blocks: nothing is written, and memory does not grow with it.

The pairs of a block are cleaned, encoded, shuffled and batched together, so where a run is in the text is told by a few
numbers: how far each place had been read when the block began, and the batch within it. Going on reads that block anew.
"""

from __future__ import annotations

import itertools
import logging
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from nmt.corpus.batches.batch import Batch
from nmt.corpus.batches.batcher import Batcher, BatchingOptions
from nmt.corpus.batches.encoded import CHUNK, EncodedPairs, Ids, RaggedBuilder, encoded, fitting, warn_of_unknown
from nmt.corpus.batches.position import ALONE, Position, Share
from nmt.corpus.kinds.corpus import Corpus, Place
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.subwords.workers import SLICE, SamplingWorkers
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import ConcatenationOptions, with_joined
from nmt.corpus.text.lines import chunks
from nmt.corpus.text.tags import as_read
from nmt.corpus.text.writing import ALIKE, Proportions
from nmt.errors import UserError

log = logging.getLogger("nmt")


@dataclass(frozen=True)
class StreamOptions:
    """What a stream is made of, from the parts of a run's configuration."""

    corpus: Corpus
    cleaning: CleaningOptions
    joining: ConcatenationOptions
    batching: BatchingOptions
    sampling: float  # of segmentations
    seed: int
    proportions: Proportions = ALIKE

    def __post_init__(self) -> None:
        if self.cleaning.duplicates == "drop":
            raise UserError(
                "cleaning.duplicates=drop: a stream does not remember what it has read; drop them in the files"
            )


@dataclass(frozen=True)
class _Block:
    """This process's pairs of one block, and where it begins and ends in the text."""

    begin: Position
    pairs: EncodedPairs
    after: Position

    def position(self, batch: int, count: int) -> Position:
        """Returns where a batch of the ``count`` batches is: of the block's part of the text, as large a share."""
        if batch >= count:
            return self.after
        part = self.after.readings - self.begin.readings
        return replace(self.begin, batch=batch, readings=self.begin.readings + part * batch / count)


class Stream:
    """Batches of blocks. Of each block this process takes every n-th pair, as its ``share`` says.

    ``most`` makes of a number of this process the largest of all, so that they go from block to block together.
    ``length`` is how many pairs the first place has: with it, parts of an epoch are told; 0 is not known.
    """

    def __init__(
        self,
        options: StreamOptions,
        tokenizer: Tokenizer,
        share: Share = ALONE,
        most: Callable[[int], int] = lambda count: count,
        length: int = 0,
    ):
        self.options = options
        self.length = length
        self.tokenizer = tokenizer
        self.share = share
        self.most = most
        self.report = CleaningReport()  # of all that was read
        self._advised = False
        self._told = False

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        for block in self._ahead(replace(position, batch=0)):
            batcher = Batcher(block.pairs, self.options.batching, self.options.seed)
            plan = batcher.plan(block.begin.block) if len(block.pairs) else []
            updates = self.most(-(-len(plan) // size))  # of the process that has most
            count = updates * size
            first = 0
            if block.begin.block == position.block:
                first = self._first(position, size)
            for start in range(first, count, size):
                stop = start + size
                batches = [batcher.batch(rows) for rows in plan[start:stop]]
                yield batches, block.position(stop, count)

    def epochs(self, position: Position) -> float:
        return max(float(position.epoch), position.readings)

    def _first(self, position: Position, size: int) -> int:
        """Returns the batch of its block to go on with; about as far where another number of processes, which had other
        batches, came to ``position``.
        """
        if position.processes == self.share.world or not position.batch:
            return position.batch
        log.warning("the text was shared by %d processes: some pairs come twice, or not at all", position.processes)
        return position.batch * position.processes // self.share.world // size * size

    def _ahead(self, position: Position) -> Iterator[_Block]:
        """Makes each block while the one before is trained on."""
        ended = threading.Event()
        workers = SamplingWorkers(self.tokenizer, self.options.sampling, self.share.here)
        blocks = self._blocks(position, workers, ended)
        with ThreadPoolExecutor(1, "reader") as reader:
            coming = reader.submit(next, blocks)
            try:
                while True:
                    block = coming.result()
                    coming = reader.submit(next, blocks)
                    yield block
            finally:
                ended.set()
                workers.close()
                coming.cancel()

    def _blocks(self, position: Position, workers: SamplingWorkers, ended: threading.Event) -> Iterator[_Block]:
        mixture = _Mixture(self.options.corpus.mixture(), position.read)
        begin = replace(
            position,
            read=mixture.read(),
            processes=self.share.world,
            readings=mixture.readings(self.length),
        )
        while True:
            pairs = self._encoded(mixture, begin.block, workers, ended)
            epoch = mixture.epoch()
            after = replace(
                begin,
                epoch=epoch,
                block=begin.block + 1,
                read=mixture.read(),
                readings=mixture.readings(self.length),
            )
            if epoch > begin.epoch and not self.report.kept:
                raise UserError(f"corpus.train: no usable pair ({self.report}); at least one is needed")
            is_first = begin.block == position.block
            if is_first and not self.share.rank:  # once
                warn_of_unknown("train", self.report)
            self._tell_report(is_first, epoch > begin.epoch)
            advice = self.report.advice(self.options.cleaning)
            if advice and not self._advised and not self.share.rank:
                log.warning("corpus.train: %s", advice)
                self._advised = True
            yield _Block(begin, pairs, after)
            begin = after

    def _tell_report(self, is_first: bool, is_end: bool) -> None:
        """Logs, in the first process, what was kept of the first block, and of all until the first epoch ends."""
        if self.share.rank or self._told or not (is_first or is_end):
            return
        how_far = "" if is_end else " so far"
        if self.report.kept < self.report.read or is_end:
            log.info("corpus: %s%s", self.report, how_far)
        self._told = is_end

    def _encoded(
        self, mixture: _Mixture, number: int, workers: SamplingWorkers, ended: threading.Event
    ) -> EncodedPairs:
        """Returns this process's pairs of the next block."""
        options = self.options
        sources = RaggedBuilder(self.tokenizer.source_size)
        targets = RaggedBuilder(self.tokenizer.target_size)
        read = as_read(mixture.block(options.batching.block), self.tokenizer)
        pairs = clean(read, options.cleaning.for_training(), self.report, options.proportions)
        if options.joining.share:
            pairs = with_joined(pairs, options.joining, self.report, options.proportions)
        shared = itertools.islice(pairs, self.share.rank, None, self.share.world)
        for chunk, source_ids, target_ids in self._ids(shared, number, workers):
            if ended.is_set():
                break
            for _, source, target in fitting(chunk, source_ids, target_ids, self.report, options.cleaning.max_tokens):
                sources.append(source)
                targets.append(target)
        return EncodedPairs(sources.made(), targets.made(), self.report)

    def _ids(
        self, pairs: Iterator[Pair], block: int, workers: SamplingWorkers
    ) -> Iterator[tuple[list[Pair], Ids, Ids]]:
        """Encodes the pairs of a block, some at a time."""
        if not self.options.sampling:
            return ((chunk, *encoded(chunk, self.tokenizer)) for chunk in chunks(pairs, CHUNK))
        place = f"{self.options.seed} {block} ({self.share.rank}, {self.share.world})"
        seeds = (zlib.crc32(f"{place} {number}".encode()) for number in itertools.count())
        return workers.drawn(chunks(pairs, SLICE), seeds)


class _Mixture:
    """Pairs of several places by their weights. ``read`` tells of each place how often it was read to its end, and how
    many pairs since then; an epoch is one reading of the first.
    """

    def __init__(self, places: list[Place], read: tuple[tuple[int, int], ...]):
        self.weights = [place.weight for place in places]
        read = read or ((0, 0),) * len(places)
        self.readers = [_Reader(place, *far) for place, far in zip(places, read, strict=True)]

    def read(self) -> tuple[tuple[int, int], ...]:
        return tuple((reader.passes, reader.count) for reader in self.readers)

    def epoch(self) -> int:
        return self.readers[0].passes

    def readings(self, length: int) -> float:
        """Returns how often the first place, of ``length`` pairs, was read, parts too; 0 where that is not known."""
        first = self.readers[0]
        return first.passes + first.count / length if length else 0.0

    def block(self, size: int) -> Iterator[Pair]:
        """Yields ``size`` pairs, or those until the first place ends. A place comes whenever it is most behind its
        weight.
        """
        epoch = self.epoch()
        total = sum(self.weights)
        due = [0.0] * len(self.readers)
        for _ in range(size):
            due = [amount + weight for amount, weight in zip(due, self.weights, strict=True)]
            chosen = max(range(len(due)), key=due.__getitem__)
            due[chosen] -= total
            pair = self.readers[chosen].take()
            is_marked = len(self.readers) == 1 or pair.place == chosen
            yield pair if is_marked else pair._replace(place=chosen)
            if self.epoch() > epoch:
                return


class _Reader:
    """Text of a place that begins again when it ends."""

    def __init__(self, place: Place, passes: int, count: int):
        self.place = place
        self.passes = passes  # over the text
        self.count = count  # of pairs taken since
        self._pairs: Iterator[Pair]
        self._next: Pair
        self._open(first=count)

    def take(self) -> Pair:
        pair = self._next
        self.count += 1
        following = next(self._pairs, None)
        if following is not None:
            self._next = following
        else:
            self.passes += 1
            self.count = 0
            self._open(first=0)
        return pair

    def _open(self, first: int) -> None:
        self._pairs = self.place.read(first)
        following = next(self._pairs, None)
        if following is None:
            why = ", where this run had read on; it is another text now" if first else "; it is empty"
            raise UserError(f"corpus.train: a place ends before pair {first + 1:,}{why}")
        self._next = following

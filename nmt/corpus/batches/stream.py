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
from nmt.corpus.batches.batcher import Batcher, BatchingOptions, Position
from nmt.corpus.batches.encoded import CHUNK, EncodedPairs, Ids, RaggedBuilder, encoded, fitting
from nmt.corpus.kinds.corpus import Corpus
from nmt.corpus.pair import Pair
from nmt.corpus.subwords.tokenizer import Tokenizer
from nmt.corpus.subwords.workers import SLICE, SamplingWorkers
from nmt.corpus.text.cleaning import CleaningOptions, CleaningReport, clean
from nmt.corpus.text.concatenation import ConcatenationOptions, with_joined
from nmt.corpus.text.lines import chunks
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


class Stream:
    """Batches of blocks. ``part`` is (number, count) of this process: it takes every count-th pair of a block.

    ``most`` makes of a number of this process the largest of all, so that they go from block to block together.
    """

    def __init__(
        self,
        options: StreamOptions,
        tokenizer: Tokenizer,
        part: tuple[int, int] = (0, 1),
        most: Callable[[int], int] = lambda count: count,
    ):
        _check(options)
        self.options, self.tokenizer, self.part, self.most = options, tokenizer, part, most
        self.report = CleaningReport()  # of all that was read

    def groups(self, position: Position, size: int) -> Generator[tuple[list[Batch], Position]]:
        for begin, pairs, after in self._ahead(replace(position, batch=0)):
            batcher = Batcher(pairs, self.options.batching, self.options.seed)
            plan = batcher.plan(begin.block) if len(pairs) else []
            count = self.most(-(-len(plan) // size)) * size
            for start in range(self._first(position, size) if begin.block == position.block else 0, count, size):
                stop = start + size
                batches = [batcher.batch(rows) for rows in plan[start:stop]]
                yield batches, after if stop >= count else replace(begin, batch=stop)

    def epochs(self, position: Position) -> float:
        return float(position.epoch)

    def _first(self, position: Position, size: int) -> int:
        """The batch of its block to go on with. Another number of processes has other batches: about as far."""
        if position.processes == self.part[1] or not position.batch:
            return position.batch
        log.warning("the text was shared by %d processes: some pairs come twice, or not at all", position.processes)
        return position.batch * position.processes // self.part[1] // size * size

    def _ahead(self, position: Position) -> Iterator[tuple[Position, EncodedPairs, Position]]:
        """Each block is made while the one before is trained on."""
        ended = threading.Event()
        workers = SamplingWorkers(self.tokenizer, self.options.sampling)
        blocks = self._blocks(position, workers, ended)
        with ThreadPoolExecutor(1, "reader") as reader:
            coming = reader.submit(next, blocks)
            try:
                while True:
                    made = coming.result()
                    coming = reader.submit(next, blocks)
                    yield made
            finally:
                ended.set()
                workers.close()
                coming.cancel()

    def _blocks(
        self, position: Position, workers: SamplingWorkers, ended: threading.Event
    ) -> Iterator[tuple[Position, EncodedPairs, Position]]:
        """Where each begins, its pairs, and what follows."""
        mixture = _Mixture(self.options.corpus, position.read)
        begin = replace(position, read=mixture.read(), processes=self.part[1])
        while True:
            pairs = self._encoded(mixture, begin.block, workers, ended)
            epoch = mixture.epoch()
            after = replace(begin, epoch=epoch, block=begin.block + 1, read=mixture.read())
            if epoch > begin.epoch and not self.report.kept:
                raise UserError(f"corpus.train: no usable pair ({self.report}); at least one is needed")
            yield begin, pairs, after
            begin = after

    def _encoded(
        self, mixture: _Mixture, number: int, workers: SamplingWorkers, ended: threading.Event
    ) -> EncodedPairs:
        """This process's pairs of the next block."""
        options, tokenizer = self.options, self.tokenizer
        sources, targets = RaggedBuilder(tokenizer.source_size), RaggedBuilder(tokenizer.target_size)
        pairs = clean(mixture.block(options.batching.block), options.cleaning.for_training(), self.report)
        if options.joining.share:
            pairs = with_joined(pairs, options.joining, self.report)
        own = itertools.islice(pairs, self.part[0], None, self.part[1])
        for chunk, source_ids, target_ids in self._ids(own, number, workers):
            if ended.is_set():
                break
            for _, source, target in fitting(chunk, source_ids, target_ids, self.report, options.cleaning.max_tokens):
                sources.append(source)
                targets.append(target)
        return EncodedPairs(sources.made(), targets.made(), self.report)

    def _ids(
        self, pairs: Iterator[Pair], number: int, workers: SamplingWorkers
    ) -> Iterator[tuple[list[Pair], Ids, Ids]]:
        """Of the pairs of a block, some at a time."""
        if not self.options.sampling:
            return ((chunk, *encoded(chunk, self.tokenizer)) for chunk in chunks(pairs, CHUNK))
        seeds = (zlib.crc32(f"{self.options.seed} {number} {self.part} {n}".encode()) for n in itertools.count())
        return workers.drawn(chunks(pairs, SLICE), seeds)


class _Mixture:
    """Pairs of several places by their weights. ``read`` tells of each place how often it was read to its end, and how
    many pairs since then; an epoch is one reading of the first.
    """

    def __init__(self, corpus: Corpus, read: tuple[tuple[int, int], ...]):
        mixture = corpus.mixture()
        self.weights = [place.weight for place in mixture]
        opens = [place.read for place in mixture]
        self.places = [_Place(*pair) for pair in zip(opens, read or ((0, 0),) * len(opens), strict=True)]

    def read(self) -> tuple[tuple[int, int], ...]:
        return tuple((place.passes, place.count) for place in self.places)

    def epoch(self) -> int:
        return self.places[0].passes

    def block(self, size: int) -> Iterator[Pair]:
        """So many pairs, or those until the first place ends. A place comes whenever it is most behind its weight."""
        due = [0.0] * len(self.places)
        epoch, total = self.epoch(), sum(self.weights)
        for _ in range(size):
            due = [amount + weight for amount, weight in zip(due, self.weights, strict=True)]
            chosen = max(range(len(due)), key=due.__getitem__)
            due[chosen] -= total
            yield self.places[chosen].take()
            if self.epoch() > epoch:
                return


class _Place:
    """Text that begins again when it ends."""

    def __init__(self, open_from: Callable[[int], Iterator[Pair]], read: tuple[int, int]):
        self.open_from, (self.passes, self.count) = open_from, read
        self._pairs, self._next = self._opened(self.count)

    def take(self) -> Pair:
        pair = self._next
        self.count += 1
        following = next(self._pairs, None)
        if following is None:
            self.passes, self.count = self.passes + 1, 0
            self._pairs, self._next = self._opened(0)
        else:
            self._next = following
        return pair

    def _opened(self, first: int) -> tuple[Iterator[Pair], Pair]:
        pairs = self.open_from(first)
        following = next(pairs, None)
        if following is None:
            raise UserError(
                f"corpus.train: a place ends before pair {first + 1:,}"
                + ("; it is empty" if not first else ", where this run had read on; it is another text now")
            )
        return pairs, following


def _check(options: StreamOptions) -> None:
    if options.batching.block < 1:
        raise UserError(f"batching.block={options.batching.block}: must be 1 or more")
    if options.cleaning.duplicates == "drop":
        raise UserError("cleaning.duplicates=drop: a stream does not remember what it has read; drop them in the files")

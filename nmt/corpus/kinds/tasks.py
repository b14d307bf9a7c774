"""Generated tasks that ask one thing only: how much of the source is still there when it is needed.

- copy: ``s4 s1 s7`` to ``s4 s1 s7``;
- reverse: ``s4 s1 s7`` to ``s7 s1 s4``: what was read last is needed first;
- recall: ``k2 v5 k1 v3 : k1`` to ``v3``: one value is fetched by its key.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from nmt.corpus.kinds.generated import GeneratedCorpus
from nmt.corpus.pair import Pair
from nmt.errors import UserError, nearest

RECALL_MARK = ":"


@dataclass
class TaskOptions(GeneratedCorpus):
    """A generated task. Lengths are of the source, in words, and uniform between the bounds."""

    kind: str = "task"
    source_language: str = "symbols"
    target_language: str = "symbols"
    task: str = "copy"  # copy, reverse or recall
    symbols: int = 64  # different words of a kind
    seed: int = 1  # of the corpus, not of the run
    train_pairs: int = 50_000
    valid_pairs: int = 500
    test_pairs_per_bucket: int = 100
    test_bounds: list[int] = field(default_factory=lambda: [2, 4, 6, 8, 10, 12, 16, 20, 30, 40])
    max_words: int = 40  # in training and validation

    COUNTS: ClassVar[frozenset[str]] = frozenset({"train_pairs", "valid_pairs", "test_pairs_per_bucket"})
    measures_capacity: ClassVar[bool] = True
    version: ClassVar[int] = 1
    known_to_version: ClassVar[tuple[str, ...]] = (
        "task",
        "symbols",
        "seed",
        "train_pairs",
        "valid_pairs",
        "test_pairs_per_bucket",
        "test_bounds",
        "max_words",
    )

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UserError(f"corpus.task={self.task}: {nearest(self.task, TASKS)}")
        for name, least in (("symbols", 2), ("train_pairs", 1), ("valid_pairs", 1), ("test_pairs_per_bucket", 1)):
            if getattr(self, name) < least:
                raise UserError(f"corpus.{name}={getattr(self, name)}: must be {least} or more")
        bounds = self.test_bounds
        if not bounds or any(high <= low for low, high in itertools.pairwise([0, *bounds])):
            raise UserError(f"corpus.test_bounds={list(bounds)}: numbers above 0, each larger than the one before")
        if self.max_words < 1:
            raise UserError(f"corpus.max_words={self.max_words}: must be 1 or more")
        longest = max(self.max_words, *bounds)
        if self.task == "recall" and longest // 2 > self.symbols:
            raise UserError(f"corpus.symbols={self.symbols}: too few keys for a source of {longest} words")

    def generate(self, split: str) -> Iterator[Pair]:
        """No test sentence is in another split.

        Raises UserError where the symbols are too few for the pairs that are asked for.
        """
        if split == "test":
            yield from self._tests()
            return
        tested = {pair.source for pair in self._tests()}
        rng = random.Random(f"{self.seed}/{self.task}/{split}")
        wanted = getattr(self, f"{split}_pairs")
        done = 0
        for _ in range(10 * wanted):
            pair = self._drawn(rng, rng.randint(1, self.max_words))
            if pair.source not in tested:
                done += 1
                yield pair
            if done == wanted:
                return
        raise UserError(
            f"corpus: task {self.task} of {self.symbols} symbols and up to {self.max_words} words gives only "
            f"{done} pairs that are not in the test set, of {wanted} asked for; take more of either"
        )

    def _tests(self) -> Iterator[Pair]:
        rng = random.Random(f"{self.seed}/{self.task}/test")
        for low, high in itertools.pairwise([0, *self.test_bounds]):
            middle = (low + high + 1) // 2
            for _ in range(self.test_pairs_per_bucket):
                # From the upper half of a bucket, so that its bound tells how long its sentences are.
                yield self._drawn(rng, rng.randint(middle, high))

    def _drawn(self, rng: random.Random, words: int) -> Pair:
        return TASKS[self.task](rng, words, self.symbols)


def _copy(rng: random.Random, words: int, symbols: int) -> Pair:
    source = " ".join(_words(rng, words, symbols, "s"))
    links = tuple((i, i) for i in range(words))
    return Pair(source, source, links)


def _reverse(rng: random.Random, words: int, symbols: int) -> Pair:
    source = _words(rng, words, symbols, "s")
    target = source[::-1]
    links = tuple((words - 1 - i, i) for i in range(words))
    return Pair(" ".join(source), " ".join(target), links)


def _recall(rng: random.Random, words: int, symbols: int) -> Pair:
    """Two words for each pair of key and value, a mark and a question: sources have 4, 6, 8, ... words, the longest of
    them that ``words`` has room for, and at least 4.
    """
    count = max(1, (words - 2) // 2)
    keys = [f"k{number}" for number in rng.sample(range(symbols), count)]
    values = _words(rng, count, symbols, "v")
    asked = rng.randrange(count)
    source: list[str] = []
    for key, value in zip(keys, values, strict=True):
        source += (key, value)
    source += (RECALL_MARK, keys[asked])
    position = 2 * asked + 1  # of the value that is asked for
    return Pair(" ".join(source), values[asked], ((position, 0),))


def _words(rng: random.Random, count: int, symbols: int, letter: str) -> list[str]:
    return [f"{letter}{rng.randrange(symbols)}" for _ in range(count)]


TASKS: dict[str, Callable[[random.Random, int, int], Pair]] = {
    "copy": _copy,
    "reverse": _reverse,
    "recall": _recall,
}

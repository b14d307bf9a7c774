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

from nmt.corpus.kinds.generated import AlignedPair, versioned
from nmt.errors import UserError, nearest

RECALL_MARK = ":"
VERSION = 1  # of the text: raised when the same options give other pairs (tests/corpus/test_generated.py says when)
# The options that this version began with: all that change the text.
KNOWN_TO_VERSION = (
    "task",
    "symbols",
    "seed",
    "train_pairs",
    "valid_pairs",
    "test_pairs_per_bucket",
    "test_bounds",
    "max_words",
)


@dataclass
class TaskOptions:
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


def generate(options: TaskOptions, split: str) -> Iterator[AlignedPair]:
    """The pairs of ``train``, ``valid`` or ``test``. No test sentence is in another split.

    Raises UserError for a task that is not known, or bounds within which nothing can be made.
    """
    _check(options)
    tested = {pair.source for pair in _tests(options)} if split != "test" else set()
    if split == "test":
        yield from _tests(options)
        return
    rng = random.Random(f"{options.seed}/{options.task}/{split}")
    wanted, made = getattr(options, f"{split}_pairs"), 0
    for _ in range(10 * wanted):
        pair = TASKS[options.task](rng, rng.randint(1, options.max_words), options.symbols)
        if pair.source not in tested:
            made += 1
            yield pair
        if made == wanted:
            return
    raise UserError(
        f"corpus: task {options.task} of {options.symbols} symbols and up to {options.max_words} words gives only "
        f"{made} pairs that are not in the test set, of {wanted} asked for; take more of either"
    )


def fingerprint(options: TaskOptions) -> str:
    """Stands for all that the pairs depend on: the version of the tasks' text, and the options."""
    return versioned(options, VERSION, KNOWN_TO_VERSION)


def _tests(options: TaskOptions) -> Iterator[AlignedPair]:
    rng = random.Random(f"{options.seed}/{options.task}/test")
    for low, high in itertools.pairwise([0, *options.test_bounds]):
        for _ in range(options.test_pairs_per_bucket):
            # From the upper half of a bucket, so that its bound tells how long its sentences are.
            yield TASKS[options.task](rng, rng.randint((low + high + 1) // 2, high), options.symbols)


def _copy(rng: random.Random, words: int, symbols: int) -> AlignedPair:
    source = _draw(rng, words, symbols, "s")
    return AlignedPair(" ".join(source), " ".join(source), tuple((i, i) for i in range(words)))


def _reverse(rng: random.Random, words: int, symbols: int) -> AlignedPair:
    source = _draw(rng, words, symbols, "s")
    links = tuple((words - 1 - i, i) for i in range(words))
    return AlignedPair(" ".join(source), " ".join(reversed(source)), links)


def _recall(rng: random.Random, words: int, symbols: int) -> AlignedPair:
    """Two words for each pair of key and value, a mark and a question: sources have 4, 6, 8, ... words, the longest of
    them that ``words`` has room for, and at least 4.
    """
    pairs = max(1, (words - 2) // 2)
    keys = [f"k{number}" for number in rng.sample(range(symbols), pairs)]
    values = _draw(rng, pairs, symbols, "v")
    asked = rng.randrange(pairs)
    source = [word for pair in zip(keys, values, strict=True) for word in pair]
    source += [RECALL_MARK, keys[asked]]
    return AlignedPair(" ".join(source), values[asked], ((2 * asked + 1, 0),))


def _draw(rng: random.Random, count: int, symbols: int, kind: str) -> list[str]:
    return [f"{kind}{rng.randrange(symbols)}" for _ in range(count)]


TASKS: dict[str, Callable[[random.Random, int, int], AlignedPair]] = {
    "copy": _copy,
    "reverse": _reverse,
    "recall": _recall,
}


def _check(options: TaskOptions) -> None:
    if options.task not in TASKS:
        raise UserError(f"corpus.task={options.task}: {nearest(options.task, TASKS)}")
    for name, least in (("symbols", 2), ("train_pairs", 1), ("valid_pairs", 1), ("test_pairs_per_bucket", 1)):
        if getattr(options, name) < least:
            raise UserError(f"corpus.{name}={getattr(options, name)}: must be {least} or more")
    bounds = options.test_bounds
    if not bounds or any(high <= low for low, high in itertools.pairwise([0, *bounds])):
        raise UserError(f"corpus.test_bounds={list(bounds)}: numbers above 0, each larger than the one before")
    longest = max(options.max_words, *bounds)
    if options.max_words < 1:
        raise UserError(f"corpus.max_words={options.max_words}: must be 1 or more")
    if options.task == "recall" and longest // 2 > options.symbols:
        raise UserError(f"corpus.symbols={options.symbols}: too few keys for a source of {longest} words")

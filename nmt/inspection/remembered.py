"""Pairs and sources remembered by 64 bits each, so that any number of them can be compared within and between splits.

Two of n texts have the same 64 bits by chance with a probability of about n * n / 2**65: one in 37 million for a
million texts, one in 3,700 for a hundred million.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from nmt.corpus.pair import Pair
from nmt.inspection.results import Lines, Shared

BYTES = 8
NOT_COMPARED = 0  # stands for a pair with an empty side
INSTEAD = 1  # of a text whose bits happen to be all 0
FIRST = 5  # line numbers that are told


class Numbers:
    """A row of 64-bit numbers that grows, at 8 bytes each."""

    def __init__(self) -> None:
        self._parts: list[np.ndarray] = []  # (some,) uint64 each

    def add(self, digests: Sequence[bytes], blank: np.ndarray) -> None:
        """Adds the numbers that digests are; 0 in the place of those that are ``blank``. (digests,)"""
        content = b"".join(digests)
        numbers = np.frombuffer(content, np.uint64).copy()
        numbers[numbers == NOT_COMPARED] = INSTEAD
        numbers[blank] = NOT_COMPARED
        self._parts.append(numbers)

    def all(self) -> np.ndarray:
        """Returns all of them. (numbers,)"""
        if len(self._parts) != 1:
            nothing = np.zeros(0, np.uint64)
            whole = np.concatenate([nothing, *self._parts])
            self._parts = [whole]
        return self._parts[0]


class Remembered:
    """The pairs of a split in their order, at 16 bytes each. Tags before a sentence do not count."""

    def __init__(self) -> None:
        self.pairs = Numbers()
        self.sources = Numbers()

    def add(self, pairs: Sequence[Pair], blank: np.ndarray) -> None:
        """Remembers pairs; those that are ``blank`` on a side keep a place without being compared. (pairs,)"""
        of_pairs = []
        of_sources = []
        for pair in pairs:
            source = pair.source.encode("utf-8", "surrogatepass")
            target = pair.target.encode("utf-8", "surrogatepass")
            digest = hashlib.blake2b(source, digest_size=BYTES)
            of_sources.append(digest.digest())
            digest.update(b"\n")
            digest.update(target)
            of_pairs.append(digest.digest())
        self.pairs.add(of_pairs, blank)
        self.sources.add(of_sources, blank)

    def duplicates(self) -> Lines:
        """Returns the pairs that came before."""
        pairs = self.pairs.all()
        is_repeated = pairs != NOT_COMPARED
        _, first_places = np.unique(pairs, return_index=True)
        is_repeated[first_places] = False
        return lines_where(is_repeated)

    def several_targets(self) -> int:
        """Counts the sources that come with different targets."""
        pairs = self.pairs.all()
        sources = self.sources.all()
        compared = pairs != NOT_COMPARED
        _, first_places = np.unique(pairs[compared], return_index=True)
        once = sources[compared][first_places]
        _, counts = np.unique(once, return_counts=True)
        return int(np.count_nonzero(counts > 1))

    def shared_with(self, other: Remembered, name: str, other_name: str) -> Shared:
        """Returns what of this split is in another one, too."""
        pairs = _in_both(self.pairs.all(), other.pairs.all())
        sources = _in_both(self.sources.all(), other.sources.all())
        return Shared(
            split=name,
            other=other_name,
            of=len(pairs),
            pairs=lines_where(pairs),
            sources=lines_where(sources),
        )


def _in_both(numbers: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each of the numbers is among the others. (numbers,)"""
    is_there = np.isin(numbers, others)
    return is_there & (numbers != NOT_COMPARED)


def lines_where(mask: np.ndarray) -> Lines:
    """Returns how many lines a mask is true of, and the first of them."""
    numbers = np.flatnonzero(mask)
    first = numbers[:FIRST] + 1
    return Lines(len(numbers), tuple(first.tolist()))

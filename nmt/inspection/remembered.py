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
FIRST = 5  # line numbers that are told


class Remembered:
    """The pairs of a split in their order, at 16 bytes each. Tags before a sentence do not count."""

    def __init__(self) -> None:
        self._pairs: list[np.ndarray] = []  # (some,) uint64 each
        self._sources: list[np.ndarray] = []

    def add(self, pairs: Sequence[Pair], blank: np.ndarray) -> None:
        """Remembers pairs; those that are ``blank`` on a side keep a place without being compared. (pairs,)"""
        pair_bytes = []
        source_bytes = []
        for pair in pairs:
            source = pair.source.encode("utf-8", "surrogatepass")
            target = pair.target.encode("utf-8", "surrogatepass")
            source_bytes.append(hashlib.blake2b(source, digest_size=BYTES).digest())
            pair_bytes.append(hashlib.blake2b(source + b"\n" + target, digest_size=BYTES).digest())
        self._pairs.append(_numbers(pair_bytes, blank))
        self._sources.append(_numbers(source_bytes, blank))

    @property
    def pairs(self) -> np.ndarray:
        """Returns 64 bits for each pair, 0 for one with an empty side. (pairs,)"""
        return _joined(self._pairs)

    @property
    def sources(self) -> np.ndarray:
        """Returns 64 bits for each source, 0 where a side of the pair is empty. (pairs,)"""
        return _joined(self._sources)

    def duplicates(self) -> Lines:
        """Returns the pairs that came before."""
        pairs = self.pairs
        is_repeated = pairs != NOT_COMPARED
        _, first_places = np.unique(pairs, return_index=True)
        is_repeated[first_places] = False
        return lines_where(is_repeated)

    def several_targets(self) -> int:
        """Counts the sources that come with different targets."""
        compared = self.pairs != NOT_COMPARED
        _, first_places = np.unique(self.pairs[compared], return_index=True)
        _, counts = np.unique(self.sources[compared][first_places], return_counts=True)
        return int(np.count_nonzero(counts > 1))


def shared(name: str, split: Remembered, other_name: str, other: Remembered) -> Shared:
    """Returns what of a split is in another one, too."""
    pairs = split.pairs
    sources = split.sources
    pairs_in_both = np.isin(pairs, other.pairs) & (pairs != NOT_COMPARED)
    sources_in_both = np.isin(sources, other.sources) & (sources != NOT_COMPARED)
    return Shared(name, other_name, len(pairs), lines_where(pairs_in_both), lines_where(sources_in_both))


def lines_where(mask: np.ndarray) -> Lines:
    """Returns how many lines a mask is true of, and the first of them."""
    numbers = np.flatnonzero(mask)
    first = [number + 1 for number in numbers[:FIRST].tolist()]
    return Lines(len(numbers), tuple(first))


def _numbers(digests: list[bytes], blank: np.ndarray) -> np.ndarray:
    numbers = np.frombuffer(b"".join(digests), np.uint64).copy()
    numbers[numbers == NOT_COMPARED] = 1
    numbers[blank] = NOT_COMPARED
    return numbers


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Returns all parts as one array, which takes their place in the list."""
    if len(parts) != 1:
        whole = np.concatenate([np.zeros(0, np.uint64), *parts])
        parts[:] = [whole]
    return parts[0]

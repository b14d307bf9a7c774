"""Sentences by length: which bucket each belongs to, and what a bucket is called."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmt.errors import UserError
from nmt.evaluation.results import ALL


@dataclass(frozen=True)
class Bucket:
    """Sentences of ``low`` to ``high`` words, or characters where the source's script has no spaces (`Writing`).

    ``high`` None: no upper end; ``low`` 0 too: the whole test set.
    """

    low: int
    high: int | None
    sentences: tuple[int, ...]
    median: int = 0  # length of its sentences

    @property
    def label(self) -> str:
        """Its name in every table: 1-10, 8, 81+ or all."""
        return label_of(self.low, self.high)

    @property
    def end(self) -> int:
        """The last length of 6-10; the first of 41+, which has no end."""
        return self.low if self.high is None else self.high

    @property
    def place(self) -> int:
        """Where it stands on an axis of lengths: at its last, or at the median of its sentences where it has no end."""
        return self.median if self.high is None else self.high

    def __len__(self) -> int:
        return len(self.sentences)


def label_of(low: int, high: int | None) -> str:
    """Names the lengths from ``low`` to ``high``."""
    if high is None:
        return f"{low}+" if low else ALL
    return f"{low}-{high}" if low < high else f"{low}"


def ranges_of(bounds: Sequence[int]) -> list[tuple[int, int | None]]:
    """Returns the shortest and the longest length of each bucket; the last one has no longest."""
    lows = [1, *(bound + 1 for bound in bounds)]
    highs = [*bounds, None]
    return list(zip(lows, highs, strict=True))


def make_buckets(lengths: Sequence[int], bounds: Sequence[int]) -> list[Bucket]:
    """Buckets up to each of ``bounds``, one beyond the last, and the whole as the last.

    Length 0 counts to the first bucket; buckets without a sentence are left out. Raises UserError for bounds that do
    not rise.
    """
    check_bounds(bounds)
    belongs = np.searchsorted(np.array(bounds), np.array(lengths))  # lengths <= bounds[i] belong to i
    buckets = []
    for number, (low, high) in enumerate(ranges_of(bounds)):
        sentences = np.flatnonzero(belongs == number)
        if len(sentences):
            buckets.append(_bucket(low, high, sentences.tolist(), lengths))
    whole = _bucket(0, None, range(len(lengths)), lengths)
    return [*buckets, whole]


def _bucket(low: int, high: int | None, sentences: Sequence[int], lengths: Sequence[int]) -> Bucket:
    median = round(statistics.median(lengths[row] for row in sentences)) if sentences else 0
    return Bucket(low, high, tuple(sentences), median)


def check_bounds(bounds: Sequence[int]) -> None:
    """Raises UserError unless each bound is above 0 and above the one before."""
    steps = itertools.pairwise([0, *bounds])
    if not bounds or any(high <= low for low, high in steps):
        raise UserError(f"evaluation.bucket_bounds={list(bounds)}: numbers above 0, each larger than the one before")

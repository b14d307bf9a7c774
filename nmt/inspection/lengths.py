"""Lengths of sentences, counted into histograms: what they take does not grow with the text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nmt.evaluation.buckets import label_of, ranges_of
from nmt.inspection.results import Bucket, Ratio

LONGEST = 10_000  # of the lengths that are told apart
SHOWN = 250  # lengths in a picture, at most
STEPS = 1_000  # of a ratio's logarithm, each: a ratio is known within 0.1 %
MOST = 10_000  # times as long: ratios beyond count as this


class LengthCounter:
    """Counts lines by their length."""

    def __init__(self) -> None:
        self.total = 0  # of all lengths
        self.longest = 0
        self.longest_line = 0
        self.counts = np.zeros(LONGEST + 1, np.int64)

    def add(self, lengths: np.ndarray, done: int) -> None:
        """Counts lines, of which ``done`` came before. (lines,)"""
        self.total += int(lengths.sum())
        place = int(lengths.argmax())
        length = int(lengths[place])
        if length > self.longest:
            self.longest = length
            self.longest_line = done + place + 1
        cut = np.minimum(lengths, LONGEST)
        self.counts += np.bincount(cut, minlength=LONGEST + 1)

    def buckets(self, bounds: Sequence[int]) -> list[Bucket]:
        """Returns the lines in the buckets of a report, which end at ``bounds``; length 0 counts to the first."""
        parts = np.split(self.counts, [bound + 1 for bound in bounds])
        lines = max(1, int(self.counts.sum()))
        buckets = []
        for (low, high), part in zip(ranges_of(bounds), parts, strict=True):
            count = int(part.sum())
            label = label_of(low, high)
            buckets.append(Bucket(label, count, count / lines))
        return buckets

    def histogram(self) -> list[int]:
        """Returns lines by length up to the longest, or the first lengths and all others as the last number."""
        if not self.counts.any():
            return []
        longest = int(np.flatnonzero(self.counts)[-1])
        if longest <= SHOWN:
            return self.counts[: longest + 1].tolist()
        first = self.counts[:SHOWN].tolist()
        others = self.counts[SHOWN:].sum()
        return [*first, int(others)]


class RatioCounter:
    """Counts target lengths over source lengths, by their logarithms."""

    def __init__(self) -> None:
        self.middle = int(np.log(MOST) * STEPS)
        self.counts = np.zeros(2 * self.middle + 1, np.int64)

    def add(self, sources: np.ndarray, targets: np.ndarray) -> None:
        """Counts pairs by the lengths of both sides; those without length on one do not count. (pairs,)"""
        has_both = (sources > 0) & (targets > 0)
        logarithms = np.log(targets[has_both] / sources[has_both])
        steps = np.rint(logarithms * STEPS).astype(np.int64)
        places = np.clip(steps + self.middle, 0, 2 * self.middle)
        self.counts += np.bincount(places, minlength=len(self.counts))

    def result(self) -> Ratio | None:
        """Returns median and percentiles; None where nothing was counted."""
        if not self.counts.any():
            return None
        return Ratio(
            median=self._quantile(0.5),
            low=self._quantile(0.01),
            high=self._quantile(0.99),
        )

    def _quantile(self, share: float) -> float:
        """Returns the smallest ratio that at least this share of the pairs does not exceed."""
        up_to = np.cumsum(self.counts)
        enough = share * up_to[-1]
        place = int(np.searchsorted(up_to, enough))
        logarithm = (place - self.middle) / STEPS
        return float(np.exp(logarithm))

"""Bootstrap bands, paired tests, and their correction over buckets. All over sums of sentence statistics.

A system under several seeds is a list of statistics, one (sentences, K) each; its score is the mean over the seeds of
the corpus scores. Sentences are resampled alike for all seeds and systems, so differences stay paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.evaluation.scores import Metric

Statistics = Sequence[np.ndarray]  # one (N, K) for each seed


class Scores(Protocol):
    """What makes scores (R,) of sums of statistics (R, K)."""

    def many(self, totals: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A system's score minus the baseline's."""

    value: float
    interval: Interval
    p_value: float


class Resampler:
    """Draws of the sentences of one bucket, made once and shared by every system and metric."""

    def __init__(self, sentences: int, resamples: int, confidence: float, seed: int):
        rng = np.random.default_rng((seed, sentences))
        # How often each sentence is drawn; and for the randomisation test, whose outputs are swapped.
        self.counts = rng.multinomial(sentences, np.full(sentences, 1 / sentences), size=resamples).astype(np.float32)
        self.swaps = rng.integers(0, 2, size=(resamples, sentences)).astype(np.float32)
        self.tails = (50 * (1 - confidence), 100 - 50 * (1 - confidence))

    def band(self, metric: Scores, system: Statistics) -> Interval:
        """Percentile bootstrap of the score (Koehn 2004)."""
        return self._interval(self._drawn(metric, system))

    def compare(self, metric: Metric, system: Statistics, baseline: Statistics) -> Difference:
        """The difference with its bootstrap interval, and its p-value by approximate randomisation (Riezler 2005).

        The p-value is two-sided: how often a difference as large comes up when, for each sentence, it is left to chance
        which of the two systems produced which output.
        """
        value = score(metric, system) - score(metric, baseline)
        drawn = self._drawn(metric, system) - self._drawn(metric, baseline)
        mean = np.zeros(len(self.swaps))
        pairs = list(zip(system, baseline, strict=False))  # the seeds that both have
        for ours, theirs in pairs:
            moved = self.swaps @ (theirs - ours)  # (R, K)
            mean += metric.many(ours.sum(axis=0) + moved) - metric.many(theirs.sum(axis=0) - moved)
        observed = sum(score(metric, [ours]) - score(metric, [theirs]) for ours, theirs in pairs)
        larger = int((np.abs(mean) >= abs(observed) - 1e-9).sum())
        return Difference(value, self._interval(drawn), (larger + 1) / (len(self.swaps) + 1))

    def _drawn(self, metric: Scores, system: Statistics) -> np.ndarray:
        return np.mean([metric.many(self.counts @ statistics) for statistics in system], axis=0)  # (R,)

    def _interval(self, drawn: np.ndarray) -> Interval:
        low, high = np.percentile(drawn, self.tails)
        return Interval(float(low), float(high))


def score(metric: Metric, system: Statistics) -> float:
    """The mean over seeds of the corpus score."""
    return float(np.mean([metric.score(statistics.sum(axis=0)) for statistics in system]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979): the probability of any false alarm over all tests is held."""
    order = np.argsort(p_values)
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order.tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected

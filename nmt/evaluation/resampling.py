"""Bootstrap bands, paired tests, and their correction over buckets. All over sums of sentence statistics.

A system under several seeds is a list of statistics, one (N, K) each; its score is the mean over the seeds of the
corpus scores. Sentences are resampled alike for all seeds and systems, so differences stay paired. Seeds are not
resampled: bands and tests are about these trained models, and do not see how training runs differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nmt.evaluation.options import EvaluationOptions

Statistics = Sequence[np.ndarray]  # one (N, K) for each seed


class Scores(Protocol):
    """What makes scores of sums of statistics."""

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        """(R, K) to (R,)."""

    def score(self, total: np.ndarray) -> float:
        """Of one sum (K,)."""


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
    """Draws of the sentences of one bucket, made once and shared by every system and measure."""

    def __init__(self, sentences: int, resamples: int, confidence: float, seed: int):
        rng = np.random.default_rng((seed, sentences))
        uniform = np.full(sentences, 1 / sentences)
        # How often each sentence is drawn (R, N); and for the randomisation test, whose outputs are swapped (R, N).
        counts = rng.multinomial(sentences, uniform, size=resamples)
        swaps = rng.integers(0, 2, size=(resamples, sentences))
        self.counts = counts.astype(np.float32)
        self.swaps = swaps.astype(np.float32)
        tail = 50 * (1 - confidence)
        self.tails = (tail, 100 - tail)  # percent

    def band(self, measure: Scores, system: Statistics) -> Interval:
        """Percentile bootstrap of the score (Koehn 2004)."""
        return self._interval(self._drawn(measure, system))

    def compare(self, measure: Scores, system: Statistics, baseline: Statistics) -> Difference:
        """The difference with its bootstrap interval, and its p-value by approximate randomisation (Riezler 2005).

        The p-value is two-sided: how often a difference as large comes up when, for each sentence, it is left to chance
        which of the two systems produced which output.
        """
        value = score(measure, system) - score(measure, baseline)
        our_draws = self._drawn(measure, system)  # (R,)
        their_draws = self._drawn(measure, baseline)
        resamples = len(self.swaps)
        by_chance = np.zeros(resamples)
        observed = 0.0
        for ours, theirs in zip(system, baseline, strict=False):  # the seeds that both have
            moved = self.swaps @ (theirs - ours)  # (R, K)
            our_sums = ours.sum(axis=0) + moved
            their_sums = theirs.sum(axis=0) - moved
            by_chance += measure.scores_of_sums(our_sums) - measure.scores_of_sums(their_sums)
            observed += score(measure, [ours]) - score(measure, [theirs])
        as_large = np.abs(by_chance) >= abs(observed) - 1e-9
        count = int(as_large.sum())
        p_value = (count + 1) / (resamples + 1)
        return Difference(value, self._interval(our_draws - their_draws), p_value)

    def _drawn(self, measure: Scores, system: Statistics) -> np.ndarray:
        """The score of each draw, over all seeds (R,)."""
        by_seed = []
        for statistics in system:
            sums = self.counts @ statistics  # (R, K)
            by_seed.append(measure.scores_of_sums(sums))
        return np.mean(by_seed, axis=0)

    def _interval(self, drawn: np.ndarray) -> Interval:
        low, high = np.percentile(drawn, self.tails)
        return Interval(float(low), float(high))


class Resamplers:
    """The draws of one test set, shared by all who need them.

    They depend on nothing but the number of sentences, so that buckets of one size share theirs, too.
    """

    def __init__(self, options: EvaluationOptions):
        self.options = options
        self._by_size: dict[int, Resampler] = {}

    def enough(self, sentences: int) -> bool:
        """Whether so many sentences get a band and a test."""
        return sentences >= self.options.min_sentences

    def of(self, sentences: int) -> Resampler:
        """Draws of so many sentences."""
        if sentences not in self._by_size:
            options = self.options
            resampler = Resampler(sentences, options.resamples, options.confidence, options.seed)
            self._by_size[sentences] = resampler
        return self._by_size[sentences]


def score(measure: Scores, system: Statistics) -> float:
    """The mean over seeds of the corpus score."""
    by_seed = []
    for statistics in system:
        total = statistics.sum(axis=0)  # (K,)
        by_seed.append(measure.score(total))
    return float(np.mean(by_seed))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction (1979): the probability of any false alarm over all tests is held."""
    order = np.argsort(p_values).tolist()
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        tests_left = len(p_values) - rank
        raised = min(1.0, tests_left * p_values[index])
        largest = max(largest, raised)
        corrected[index] = largest
    return corrected

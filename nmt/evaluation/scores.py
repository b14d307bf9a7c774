"""BLEU, chrF, TER and plain matches from sentence statistics, by length bucket.

Statistics per sentence come first and scores from their sums (sacrebleu's own design), so buckets, bands and tests are
only additions. A score that is reported is sacrebleu's; `many` is the same formula over many sums at once, for
resampling, and is tested equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.base import Metric as SacrebleuMetric

from nmt.errors import UserError, nearest
from nmt.evaluation.results import ALL


class Metric(ABC):
    """A metric whose corpus score depends only on the sum of its sentence statistics."""

    name: str
    higher_is_better = True

    @property
    @abstractmethod
    def signature(self) -> str:
        """How this very computation is named."""

    @abstractmethod
    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        """(sentences, K) float64."""

    @abstractmethod
    def many(self, totals: np.ndarray) -> np.ndarray:
        """Scores (R,) of sums of statistics (R, K)."""

    def score(self, total: np.ndarray) -> float:
        """The score of summed statistics (K,)."""
        return float(self.many(total[None])[0])

    def by_sentence(self, statistics: np.ndarray) -> np.ndarray:
        """The score of each sentence by itself, from (N, K): (N,)."""
        return self.many(statistics)


class OfSacrebleu(Metric):
    """Statistics and score are sacrebleu's own."""

    def __init__(self, scorer: SacrebleuMetric):
        self.scorer = scorer

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        rows = self.scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
        return np.asarray(rows, dtype=np.float64)

    def score(self, total: np.ndarray) -> float:
        return float(self.scorer._compute_score_from_stats(total.tolist()).score)

    @property
    def signature(self) -> str:
        """As sacrebleu names it."""
        self.scorer.corpus_score(["a"], [["a"]])
        return str(self.scorer.get_signature())


class Bleu(OfSacrebleu):
    name = "bleu"

    def __init__(self) -> None:
        super().__init__(BLEU(force=True))  # force: no warning about text that looks tokenised

    def many(self, totals: np.ndarray) -> np.ndarray:
        return self._of_orders(totals, 4)

    def by_sentence(self, statistics: np.ndarray) -> np.ndarray:
        """With effective order: n-grams longer than the output do not count (sacrebleu's sentence_bleu)."""
        scores = np.zeros(len(statistics))
        for order in range(1, 5):
            longest = (statistics[:, 5 + order] > 0) & ((order == 4) | (statistics[:, 6 + min(order, 3)] == 0))
            scores[longest] = self._of_orders(statistics[longest], order)
        return scores

    def _of_orders(self, totals: np.ndarray, orders: int) -> np.ndarray:
        """BLEU of n-grams up to ``orders`` (R,)."""
        hypothesis, reference = totals[:, 0], totals[:, 1]
        correct, total = totals[:, 2 : 2 + orders], totals[:, 6 : 6 + orders]  # (R, orders) each
        with np.errstate(divide="ignore", invalid="ignore"):
            brevity = np.where(hypothesis < reference, np.exp(1 - reference / hypothesis), 1.0)
            # Exponential smoothing: the i-th order without a match counts as 1 / 2^i matches.
            empty = np.cumsum((correct == 0) & (total > 0), axis=1)
            precision = np.where(correct > 0, correct, 0.5**empty) / total
            scores = 100 * brevity * np.exp(np.log(precision).mean(axis=1))
        return np.where((correct.sum(axis=1) > 0) & (total > 0).all(axis=1), scores, 0.0)


class Chrf(OfSacrebleu):
    name = "chrf"

    def __init__(self) -> None:
        super().__init__(CHRF())

    def many(self, totals: np.ndarray) -> np.ndarray:
        hypothesis, reference, match = totals[:, 0::3], totals[:, 1::3], totals[:, 2::3]  # (R, orders) each
        counted = (hypothesis > 0) & (reference > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            orders = counted.sum(axis=1)
            precision = np.where(counted, match / hypothesis, 0).sum(axis=1) / orders
            recall = np.where(counted, match / reference, 0).sum(axis=1) / orders
            factor = CHRF.BETA**2
            scores = 100 * (1 + factor) * precision * recall / (factor * precision + recall)
        return np.nan_to_num(scores)


class Ter(OfSacrebleu):
    name = "ter"
    higher_is_better = False

    def __init__(self) -> None:
        super().__init__(TER())

    def many(self, totals: np.ndarray) -> np.ndarray:
        edits, reference = totals[:, 0], totals[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100 * np.where(reference > 0, edits / reference, edits > 0)


def percent(totals: np.ndarray) -> np.ndarray:
    """Of sums (R, 2) of what was hit and what there was: (R,)."""
    return 100 * totals[:, 0] / np.maximum(totals[:, 1], 1)


class Hits(Metric):
    """Percent of what there was, for tasks with one right answer, where BLEU would forgive too much."""

    def many(self, totals: np.ndarray) -> np.ndarray:
        return percent(totals)


class Accuracy(Hits):
    """The words of output or reference, whichever is longer, that are the same at the same place."""

    name = "accuracy"
    signature = "same word at the same place, of the longer side"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        rows = []
        for hypothesis, reference in zip(hypotheses, references, strict=True):
            ours, theirs = hypothesis.split(), reference.split()
            rows.append((sum(a == b for a, b in zip(ours, theirs, strict=False)), max(len(ours), len(theirs))))
        return np.asarray(rows, dtype=np.float64).reshape(-1, 2)


class Exact(Hits):
    """Outputs that are their reference, white space apart."""

    name = "exact"
    signature = "the same words"

    def statistics(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        rows = [(float(h.split() == r.split()), 1.0) for h, r in zip(hypotheses, references, strict=True)]
        return np.asarray(rows, dtype=np.float64).reshape(-1, 2)


METRICS: dict[str, Callable[[], Metric]] = {metric.name: metric for metric in (Bleu, Chrf, Ter, Accuracy, Exact)}


def make_metrics(names: Sequence[str]) -> list[Metric]:
    """Raises UserError for a name that is not known."""
    for name in names:
        if name not in METRICS:
            raise UserError(f"evaluation.metrics={name}: {nearest(name, METRICS)}")
    return [METRICS[name]() for name in names]


@dataclass
class EvaluationOptions:
    """What is measured of translations, and how surely."""

    # bleu, chrf, ter (takes minutes on long sentences); for tasks with one right answer: accuracy, exact
    metrics: list[str] = field(default_factory=lambda: ["bleu", "chrf"])
    bucket_bounds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50, 60, 70, 80])  # last word of each
    resamples: int = 1000  # of the bootstrap, and of the randomisation test
    confidence: float = 0.95
    min_sentences: int = 20  # a bucket with fewer gets no band and no test
    seed: int = 12345  # of resampling
    cost_lengths: list[int] = field(default_factory=list)  # time is measured at these, such as [8,32,128,512]
    shown_sentences: int = 1000  # of each test set, spread evenly over lengths: they keep their attention weights

    def __post_init__(self) -> None:
        if not make_metrics(self.metrics):
            raise UserError(f"evaluation.metrics: at least one of {', '.join(METRICS)} is needed")
        if len(set(self.metrics)) != len(self.metrics):
            raise UserError(f"evaluation.metrics={list(self.metrics)}: each once")
        _check_bounds(self.bucket_bounds)
        if any(length < 1 for length in self.cost_lengths):
            raise UserError(f"evaluation.cost_lengths={list(self.cost_lengths)}: each must be 1 or more")
        if not 0 < self.confidence < 1:
            raise UserError(f"evaluation.confidence={self.confidence}: must be above 0 and below 1")
        for name, least in (("resamples", 1), ("min_sentences", 1), ("shown_sentences", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise UserError(f"evaluation.{name}={getattr(self, name)}: must be {least} or more")


def _check_bounds(bounds: Sequence[int]) -> None:
    if not bounds or any(high <= low for low, high in zip([0, *bounds], bounds, strict=False)):
        raise UserError(f"evaluation.bucket_bounds={list(bounds)}: numbers above 0, each larger than the one before")


@dataclass(frozen=True)
class Bucket:
    """Sentences of ``low`` to ``high`` source words (no upper end: None)."""

    label: str
    sentences: tuple[int, ...]


def make_buckets(sources: Sequence[str], bounds: Sequence[int]) -> list[Bucket]:
    """By source words (white space apart); an empty line counts to the first. Those without a sentence are left out.

    The last bucket is ``all``. Labels: 1-10, 11-20, ..., 81+.
    """
    _check_bounds(bounds)
    words = np.array([len(source.split()) for source in sources])
    lows = [1, *(bound + 1 for bound in bounds)]
    labels = [f"{low}-{high}" if low < high else f"{high}" for low, high in zip(lows, bounds, strict=False)]
    labels.append(f"{bounds[-1] + 1}+")
    index = np.searchsorted(np.array(bounds), words)  # words <= bounds[i] belongs to i
    buckets = [Bucket(label, tuple(np.flatnonzero(index == i).tolist())) for i, label in enumerate(labels)]
    return [bucket for bucket in buckets if bucket.sentences] + [Bucket(ALL, tuple(range(len(sources))))]

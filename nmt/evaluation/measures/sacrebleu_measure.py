"""What all measures of sacreBLEU share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sacrebleu.metrics.base import Metric as SacrebleuMetric

from nmt.evaluation.measures.measure import TextMeasure


class OfSacrebleu(TextMeasure):
    """Statistics and score are sacreBLEU's own; `scores_of_sums` is the same formula over many sums at once."""

    def __init__(self, scorer: SacrebleuMetric):
        self.scorer = scorer

    def statistics_of_texts(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        rows = self.scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
        return np.asarray(rows, dtype=np.float64)

    def score(self, total: np.ndarray) -> float:
        return float(self.scorer._compute_score_from_stats(total.tolist()).score)

    @property
    def signature(self) -> str:
        """As sacreBLEU names it."""
        self.scorer.corpus_score(["a"], [["a"]])
        return str(self.scorer.get_signature())

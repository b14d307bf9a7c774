"""chrF (Popović 2015), as sacreBLEU computes it."""

from __future__ import annotations

import numpy as np
from sacrebleu.metrics import CHRF

from nmt.evaluation.measures.sacrebleu_measure import OfSacrebleu


class Chrf(OfSacrebleu):
    """0 to 100."""

    name = "chrf"
    label = "chrF"
    by_default = True
    rank = 2

    def __init__(self) -> None:
        super().__init__(CHRF())

    def too_short(self, statistics: np.ndarray) -> bool:
        return not statistics[:, 1].any()  # no character

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        hypothesis = sums[:, 0::3]  # (R, orders)
        reference = sums[:, 1::3]
        match = sums[:, 2::3]
        counted = (hypothesis > 0) & (reference > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            orders = counted.sum(axis=1)
            precision = np.where(counted, match / hypothesis, 0).sum(axis=1) / orders
            recall = np.where(counted, match / reference, 0).sum(axis=1) / orders
            factor = CHRF.BETA**2
            scores = 100 * (1 + factor) * precision * recall / (factor * precision + recall)
        return np.nan_to_num(scores)

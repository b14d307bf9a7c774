"""Translation edit rate (Snover 2006), as sacreBLEU computes it."""

from __future__ import annotations

import numpy as np
from sacrebleu.metrics import TER

from nmt.evaluation.measures.sacrebleu_measure import OfSacrebleu


class Ter(OfSacrebleu):
    """Edits for 100 words of the reference."""

    name = "ter"
    label = "TER"
    higher_is_better = False
    rank = 3

    def __init__(self) -> None:
        super().__init__(TER())

    def too_short(self, statistics: np.ndarray) -> bool:
        return not statistics[:, 1].any()  # no word

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        edits = sums[:, 0]
        reference = sums[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where(reference > 0, edits / reference, edits > 0)
        return 100 * rates

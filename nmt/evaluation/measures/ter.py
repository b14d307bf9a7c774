"""Translation edit rate (Snover 2006), as sacreBLEU computes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sacrebleu.metrics import TER

from nmt.corpus.text.writing import Unit, Writing
from nmt.evaluation.measures.sacrebleu_measure import OfSacrebleu


class Ter(OfSacrebleu):
    """Edits for 100 words of the reference, or 100 characters where its script has no spaces."""

    name = "ter"
    label = "TER"
    higher_is_better = False
    rank = 3

    def __init__(self, counted_in: Unit = Unit.WORDS) -> None:
        super().__init__(TER())
        self.counted_in = counted_in

    @classmethod
    def for_texts(cls, writing: Writing) -> Self:
        return cls(writing.unit)

    def statistics_of_texts(self, hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
        if self.counted_in is Unit.CHARACTERS:  # sacreBLEU counts what spaces part
            hypotheses = [" ".join(self.counted_in.of(line)) for line in hypotheses]
            references = [" ".join(self.counted_in.of(line)) for line in references]
        return super().statistics_of_texts(hypotheses, references)

    @property
    def signature(self) -> str:
        """As sacreBLEU names it, and that characters are counted where they are."""
        name = super().signature
        return name if self.counted_in is Unit.WORDS else f"{name}|unit:{self.counted_in}"

    def too_short(self, statistics: np.ndarray) -> bool:
        return not statistics[:, 1].any()  # no word

    def scores_of_sums(self, sums: np.ndarray) -> np.ndarray:
        edits = sums[:, 0]
        reference = sums[:, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where(reference > 0, edits / reference, edits > 0)
        return 100 * rates

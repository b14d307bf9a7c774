"""How long outputs are beside their references."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nmt.evaluation.measures.groups import BREVITY
from nmt.evaluation.measures.measure import Ratio
from nmt.evaluation.translations import Evaluation


class LengthRatio(Ratio):
    """Output words over reference words."""

    name = "length_ratio"
    label = "length ratio"
    digits = 2
    higher_is_better: ClassVar[bool | None] = None
    rank = 11
    group = BREVITY
    about = "output words over reference words; below 1, a system leaves things out."
    in_console = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        hypothesis = evaluation.hypotheses[row].split()
        reference = evaluation.references[row].split()
        return len(hypothesis), len(reference)


class BrevityPenalty(LengthRatio):
    """What brevity alone multiplies BLEU with (Papineni 2002, section 2.3), over words."""

    name = "brevity_penalty"
    label = "brevity penalty"
    higher_is_better = True
    rank = 12
    about = "what brevity alone multiplies BLEU with, over words."
    in_console = False

    def scores_of_ratios(self, ratios: np.ndarray) -> np.ndarray:
        return np.where(ratios >= 1, 1.0, np.exp(1 - 1 / np.maximum(ratios, 1e-3)))

"""How long outputs are beside their references."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from nmt.evaluation.measures.groups import BREVITY
from nmt.evaluation.measures.measure import Ratio
from nmt.evaluation.translations import Evaluation


class LengthRatio(Ratio):
    """Output words over reference words; characters where the references' script has no spaces."""

    name = "length_ratio"
    label = "length ratio"
    digits = 2
    higher_is_better: ClassVar[bool | None] = None
    rank = 11
    group = BREVITY
    about = (
        "output words over reference words (characters where the script has no spaces); below 1, a system leaves "
        "things out."
    )
    in_console = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        unit = evaluation.writing.unit
        return unit.length(evaluation.hypotheses[row]), unit.length(evaluation.references[row])


class BrevityPenalty(LengthRatio):
    """What brevity alone multiplies BLEU with (Papineni 2002, section 2.3), over words or characters."""

    name = "brevity_penalty"
    label = "brevity penalty"
    higher_is_better = True
    rank = 12
    about = "what brevity alone multiplies BLEU with, over words (characters where the script has no spaces)."
    in_console = False

    def scores_of_ratios(self, ratios: np.ndarray) -> np.ndarray:
        return np.where(ratios >= 1, 1.0, np.exp(1 - 1 / np.maximum(ratios, 1e-3)))

"""How far output words reach back, as a number; `probes.gradients` draws it."""

from __future__ import annotations

import numpy as np

from nmt.evaluation.measures.groups import WORDS
from nmt.evaluation.measures.measure import Need, Ratio
from nmt.evaluation.translations import Evaluation


class GradientNear(Ratio):
    """The share of an output word's gradient within a tenth of its own place; 0.28 if it were spread evenly."""

    name = "gradient_near"
    label = "gradient near its own place"
    unit = "%"
    higher_is_better = None
    needs = frozenset({Need.GRADIENTS})
    rank = 18
    group = WORDS
    about = "the share of an output word's gradient within a tenth of its own place; 28 % if it were spread evenly."

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        if row not in evaluation.gradients:
            return 0, 0
        shares = np.array(evaluation.gradients[row])  # percent, by tenth of target and source
        place = np.arange(len(shares))
        near = np.abs(place[:, None] - place) <= 1
        return float(shares[near].sum() / (100 * len(place))), 1

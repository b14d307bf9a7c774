"""Outputs that do not end: the length limit cut them."""

from __future__ import annotations

from nmt.evaluation.measures.groups import BREVITY
from nmt.evaluation.measures.measure import Need, Ratio
from nmt.evaluation.translations import Evaluation


class CutOutputs(Ratio):
    """Outputs that were cut at the length limit of search before the model had ended them."""

    name = "cut_outputs"
    label = "outputs cut"
    unit = "%"
    higher_is_better = False
    needs = frozenset({Need.ENDS})
    rank = 10
    group = BREVITY
    about = (
        "outputs that the model had not ended at decoding.max_length_factor and max_length_offset; raise these where "
        "such outputs are right as far as they go."
    )
    in_console = True
    in_summary = True
    only_above_zero = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        return row in evaluation.cut_rows, 1

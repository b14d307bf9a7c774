"""Systems that go round in circles."""

from __future__ import annotations

from nmt.evaluation.measures.groups import BREVITY
from nmt.evaluation.measures.measure import Ratio
from nmt.evaluation.translations import Evaluation

IN_A_ROW = 4  # words, or characters of a script without spaces


class Repetition(Ratio):
    """4-grams of an output that stood in it before (Welleck 2020, section 6.1: seq-rep-4)."""

    name = "repetition"
    label = "repeated 4-grams"
    unit = "%"
    higher_is_better = False
    rank = 13
    group = BREVITY
    about = "percent of the 4-grams of an output that stood in it before; a system that goes round in circles rises."
    in_console = True
    in_summary = True

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        words = evaluation.writing.unit.of(evaluation.hypotheses[row])
        count = max(len(words) - IN_A_ROW + 1, 0)
        different = {tuple(words[start : start + IN_A_ROW]) for start in range(count)}
        return count - len(different), count

"""Whose fault a bad output is: the search's, or the model's."""

from __future__ import annotations

from nmt.evaluation.measures.groups import WORDS
from nmt.evaluation.measures.measure import Ratio
from nmt.evaluation.translations import Evaluation

ROUNDING = 1e-6  # two scores of the same text may differ by so much


class SearchError(Ratio):
    """Sentences whose reference the model itself likes better than what search found: the search's fault.

    Of the others, the model's (Stahlberg and Byrne 2019, section 2, with the reference for the global optimum: a lower
    bound). An output of the reference's own words is no error, whatever rounding did to two scores of one text.
    """

    name = "search_error"
    label = "search errors"
    unit = "%"
    higher_is_better = False
    rank = 15
    group = WORDS
    about = (
        "sentences whose reference the model itself likes better than what search found; where there are few, the "
        "model is at fault, not the search."
    )

    def part_and_whole(self, evaluation: Evaluation, row: int) -> tuple[float, float]:
        if evaluation.hypotheses[row].split() == evaluation.references[row].split():
            return 0, 1
        return evaluation.reference_scores[row] > evaluation.scores[row] + ROUNDING, 1

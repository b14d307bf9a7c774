"""Whose fault a bad output is: the search's, or the model's."""

from __future__ import annotations

from nmt.evaluation.measures.groups import WORDS
from nmt.evaluation.measures.measure import Ratio
from nmt.evaluation.translations import Evaluation

# Two scores of one text, by search and by teacher forcing, may differ by so much of their size: about 3e-7 in fp32 and
# 6e-3 in bf16 for small models, and more for large ones.
ROUNDING = {"fp32": 1e-5, "tf32": 5e-3, "bf16": 2e-2}


class SearchError(Ratio):
    """Sentences whose reference the model itself likes better than what search found: the search's fault.

    Of the others, the model's (Stahlberg and Byrne 2019, section 2, with the reference for the global optimum: a lower
    bound). An output of the reference's own words is no error, whatever rounding did to two scores of one text; nor is
    a difference that the number format may have made.
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
        output = evaluation.scores[row]
        reference = evaluation.reference_scores[row]
        rounding = ROUNDING[evaluation.precision] * max(abs(output), abs(reference))
        return reference > output + rounding, 1

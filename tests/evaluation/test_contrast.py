from dataclasses import dataclass

import pytest

from nmt.errors import UserError
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.probes.contrast import contrast, parting


def test_the_mistake_is_where_both_sides_part():
    assert parting("der Mann schläft hier", "der Mann schlafen hier") == 2
    assert parting("a b", "c b") == 0
    assert parting("a b", "a b c") == 2 and parting("same", "same") == 1


def test_triples_that_say_nothing_are_refused():
    with pytest.raises(UserError, match="files are empty"):
        contrast(None, [], [], [], "s", EvaluationOptions())
    with pytest.raises(UserError, match="line 2: the right and the wrong side are the same"):
        contrast(None, ["a", "b"], ["x", "y z"], ["w", "y  z"], "s", EvaluationOptions())


@dataclass
class Forced:
    score: float


class LongerIsWorse:
    """As much of a translator as forced scores need: it dislikes every character."""

    def force(self, sources, targets):
        return [Forced(-len(target)) for target in targets]


def test_places_of_mistakes_are_counted_from_1():
    right = ["a b c", "a b c"]
    wrong = ["a b cc", "aa b c"]
    options = EvaluationOptions(bucket_bounds=[1, 2])
    rows = contrast(LongerIsWorse(), ["w w", "w w"], right, wrong, "s", options)
    by_place = {row.bucket: row.score for row in rows if row.metric == "preferred_by_place"}
    assert by_place == {"1": 100, "3+": 100, "all": 100}
    by_length = {row.bucket: row.sentences for row in rows if row.metric == "preferred"}
    assert by_length == {"2": 2, "all": 2}

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

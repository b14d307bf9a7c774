import pytest

from nmt.errors import UserError
from nmt.evaluation.options import EvaluationOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": []}, "at least one"),
        ({"confidence": 1.5}, "confidence=1.5"),
        ({"resamples": 0}, "resamples=0: must be 1 or more"),
        ({"shown_sentences": -1}, "shown_sentences=-1"),
        ({"bucket_bounds": [5, 5]}, "bucket_bounds"),
    ],
)
def test_options_that_measure_nothing_are_told(options, message):
    with pytest.raises(UserError, match=message):
        EvaluationOptions(**options)

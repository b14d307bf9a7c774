import pytest

from nmt.evaluation.published import PublishedOptions, judge, other_search
from nmt.evaluation.results import Row

OPTIONS = PublishedOptions(score=26.75, tolerance=1.0, test_set="newstest2014", source="Bahdanau 2015, Table 1")


def row(score: float) -> Row:
    return Row("ours", "1", "newstest2014", "all", 3003, "bleu", score)


@pytest.mark.parametrize(
    ("score", "changed", "verdict"),
    [
        (26.0, "", "reproduced"),
        (27.7, "", "reproduced"),
        (25.7, "", "not reproduced"),
        (28.0, "", "not reproduced"),
        (26.7, "model.encoder_size=16, not 1000", "not run at this scale (model.encoder_size=16, not 1000)"),
    ],
)
def test_a_score_is_reproduced_within_its_tolerance_at_its_own_scale(score, changed, verdict):
    found = judge(OPTIONS, "ours", [row(score)], changed)
    assert found.verdict == verdict and found.score == score and found.published == 26.75


def test_a_test_set_that_was_not_scored_is_not_judged():
    assert judge(OPTIONS, "ours", [], "").verdict == "not run at this scale (not scored)"


def test_where_nothing_is_published_nothing_is_said():
    assert judge(PublishedOptions(), "ours", [row(20.0)], "") is None


def test_another_search_is_another_scale():
    options = PublishedOptions(score=1.0, search=["decoding.beam_size=4", "checkpoint=average"])
    assert other_search(options, {"decoding.beam_size": "4", "checkpoint": "average"}) == ""
    assert other_search(options, {"decoding.beam_size": "5", "checkpoint": "average"}) == "decoding.beam_size=5, not 4"

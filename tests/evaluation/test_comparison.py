import pytest

from nmt.errors import UserError
from nmt.evaluation.comparison import compare_on, pick_examples
from nmt.evaluation.evaluate import Evaluation
from nmt.evaluation.results import ALL_SEEDS
from nmt.evaluation.scores import EvaluationOptions
from tests.evaluation.test_significance import REFERENCES, outputs

OPTIONS = EvaluationOptions(bucket_bounds=[8, 12], resamples=300)
SOURCES = ["w " * (7 + 5 * (i % 2)) for i in range(len(REFERENCES))]
SOURCES[:3] = ["w " * 30] * 3  # too few for a band


def evaluation(errors: float, seed: int) -> Evaluation:
    return Evaluation("test", SOURCES, REFERENCES, outputs(errors, seed), 1.0, [])


@pytest.fixture(scope="module")
def compared():
    systems = {
        "base": {"1": evaluation(0.3, 1), "2": evaluation(0.3, 2)},
        "same": {"1": evaluation(0.3, 3), "2": evaluation(0.3, 4)},
        "better": {"1": evaluation(0.1, 5), "2": evaluation(0.1, 6)},
    }
    return compare_on(systems, "base", OPTIONS)


def test_every_system_seed_bucket_and_metric_has_a_row(compared):
    rows, _ = compared
    seen = {(row.system, row.seed, row.bucket, row.metric) for row in rows}
    for system in ("base", "same", "better"):
        for seed in ("1", "2", ALL_SEEDS):
            for bucket in ("1-8", "9-12", "13+", "all"):
                assert {(system, seed, bucket, metric) for metric in ("bleu", "chrf", "length_ratio")} <= seen
    assert len(rows) == len(seen), "and only one"


def test_no_difference_for_the_same_system_and_better_for_the_better_one(compared):
    _, differences = compared
    tested = {(d.system, d.bucket): d for d in differences if d.metric == "bleu"}
    for bucket in ("1-8", "9-12", "all"):
        assert tested["same", bucket].p_value > 0.05
        assert tested["better", bucket].p_value < 0.05 and tested["better", bucket].low > 0
    assert ("better", "13+") not in tested, "too few sentences are not tested"


def test_too_few_sentences_have_a_score_but_no_band(compared):
    rows, _ = compared
    few = [row for row in rows if row.bucket == "13+" and row.metric == "bleu"]
    assert few and all(row.low is None and row.p_value is None and row.sentences == 3 for row in few)


def test_the_baseline_is_compared_with_nothing(compared):
    rows, _ = compared
    assert all(row.p_value is None and row.baseline == "" for row in rows if row.system == "base")
    assert all(row.baseline == "base" for row in rows if row.p_value is not None)


def test_different_test_sentences_are_refused():
    other = Evaluation("test", SOURCES[::-1], REFERENCES, outputs(0.1, 1), 1.0, [])
    with pytest.raises(UserError, match="not scored on the same sentences"):
        compare_on({"a": {"1": evaluation(0.1, 1)}, "b": {"1": other}}, "a", OPTIONS)


def test_examples_of_every_bucket_are_the_same_for_all_systems():
    systems = {"a": {"1": evaluation(0.1, 1)}, "b": {"1": evaluation(0.2, 2)}}
    examples = pick_examples(systems, OPTIONS)
    assert [example.bucket for example in examples] == ["1-8", "1-8", "9-12", "9-12", "13+", "13+"]
    assert all(example.outputs.keys() == {"a", "b"} for example in examples)
    assert examples == pick_examples(systems, OPTIONS)

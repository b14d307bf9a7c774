from dataclasses import replace

import numpy as np
import pytest
import sacrebleu

from nmt.errors import UserError
from nmt.evaluation.comparison import sentence_set
from nmt.evaluation.findings import find
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.places import gradient_rows, recall_by_place
from nmt.evaluation.results import ALL_SEEDS, HeatMap, Picture
from nmt.evaluation.table import compare_on
from nmt.evaluation.translations import Evaluation, Evaluations, KnownLinks
from tests.texts import REFERENCES, outputs

OPTIONS = EvaluationOptions(bucket_bounds=[8, 12], resamples=300)
SOURCES = ["w " * (7 + 5 * (i % 2)) for i in range(len(REFERENCES))]
SOURCES[:3] = ["w " * 30] * 3  # too few for a band


MAPS = {0: HeatMap(["▁a", "▁$b"], ["▁c"], np.array([[51, 204]], dtype=np.uint8))}


HEADS = np.array([[[[255, 0]], [[0, 255]]], [[[51, 204]], [[153, 102]]]], dtype=np.uint8)  # 2 layers, 2 heads
PICTURES = {0: Picture(["▁a", "▁$b"], ["▁c"], HEADS)}


def evaluation(errors: float, seed: int, known_links: KnownLinks | None = None) -> Evaluation:
    return made(outputs(errors, seed), SOURCES, known_links)


def made(hypotheses: list[str], sources: list[str], known_links: KnownLinks | None = None) -> Evaluation:
    """As if translated; the model likes each third reference better than its own output."""
    count = len(sources)
    return Evaluation(
        test_set="test",
        sources=sources,
        references=REFERENCES,
        hypotheses=hypotheses,
        seconds=1.0,
        shown=list(range(count)),
        heat_maps=MAPS,
        scores=[-1.0] * count,
        reference_scores=[-0.5 if i % 3 == 0 else -2.0 for i in range(count)],
        pictures=PICTURES,
        links={0: [(0, 0), (1, 1), (2, 3)]},
        known_links=known_links,
        gradients={0: (100 * np.eye(10)).tolist(), 3: np.full((10, 10), 10.0).tolist()},
    )


@pytest.fixture(scope="module")
def compared():
    systems = {
        "base": {"1": evaluation(0.3, 1), "2": evaluation(0.3, 2)},
        "same": {"1": evaluation(0.3, 3), "2": evaluation(0.3, 4)},
        "better": {"1": evaluation(0.1, 5), "2": evaluation(0.1, 6)},
    }
    return compare_on(Evaluations(systems), "base", OPTIONS)


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


def test_what_is_seen_in_too_few_sentences_of_one_seed_has_no_band():
    whole = outputs(0.3, 1)
    short = ["one word"] * 90 + whole[90:]  # 10 of 100 outputs have 4-grams
    systems = Evaluations({"a": {"1": made(whole, SOURCES), "2": made(short, SOURCES)}})
    rows, _ = compare_on(systems, "a", OPTIONS)
    has_band = {row.seed: row.low is not None for row in rows if (row.bucket, row.metric) == ("all", "repetition")}
    assert has_band == {"1": True, "2": False, ALL_SEEDS: False}


def test_different_test_sentences_are_refused():
    other = made(outputs(0.1, 1), SOURCES[::-1])
    with pytest.raises(UserError, match="not scored on the same sentences"):
        Evaluations({"a": {"1": evaluation(0.1, 1)}, "b": {"1": other}})


def test_sentences_carry_their_bucket_and_the_very_scores_of_sacrebleu():
    systems = {"a": {"1": evaluation(0.1, 1)}, "b": {"1": evaluation(0.2, 2)}}
    made = sentence_set(Evaluations(systems), OPTIONS)
    assert made.buckets[:5] == ["13+", "13+", "13+", "9-12", "1-8"]
    for i in (0, 7, 50):
        by_hand = sacrebleu.sentence_bleu(made.outputs["b"][i], [made.references[i]]).score
        assert made.scores["bleu"]["b"][i] == pytest.approx(by_hand)
        by_hand = sacrebleu.sentence_chrf(made.outputs["b"][i], [made.references[i]]).score
        assert made.scores["chrf"]["b"][i] == pytest.approx(by_hand)


def test_the_known_links_of_every_system_s_pictures_are_there():
    known = [[(i, i)] for i in range(len(SOURCES))]
    plain = replace(evaluation(0.1, 1, known), pictures={})
    other = replace(evaluation(0.2, 2, known), pictures={3: PICTURES[0]})
    systems = {"plain": {"1": plain}, "a": {"1": evaluation(0.2, 3, known)}, "b": {"1": other}}
    assert sentence_set(Evaluations(systems), OPTIONS).gold == {0: [(0, 0)], 3: [(3, 3)]}


def found_against(hypotheses: list[str], bounds=(8, 12), least: int = 20) -> dict[str, bool]:
    """Range to whether it differs, of these outputs against a baseline."""
    ours = made(hypotheses, SOURCES)
    options = replace(OPTIONS, bucket_bounds=list(bounds), min_sentences=least)
    systems = Evaluations({"a": {"1": evaluation(0.3, 1)}, "b": {"1": ours}})
    return {f.range: f.differ for f in find(systems, "a", options)}


def better_where(chosen) -> list[str]:
    """The baseline's kind of output, better for sources of which ``chosen`` (their words) is true."""
    good, bad = outputs(0.05, 9), outputs(0.3, 10)
    return [g if chosen(len(s.split())) else b for s, g, b in zip(SOURCES, good, bad, strict=True)]


def test_findings_join_neighbouring_buckets_of_one_verdict():
    assert found_against(better_where(lambda words: words > 8)) == {"1-8": False, "9-12": True}
    assert found_against(better_where(lambda words: True)) == {"1-12": True}, "13+ has too few sentences"
    assert found_against(outputs(0.3, 3)) == {"all": False}


def test_an_output_that_is_the_reference_is_no_search_error():
    same = replace(evaluation(0.0, 1), scores=[-1.0] * len(SOURCES), reference_scores=[-0.9] * len(SOURCES))
    assert _search_errors(same) == 0, "two scores of one text differ by rounding alone"


def test_a_difference_that_the_number_format_may_have_made_is_no_search_error():
    count = len(SOURCES)
    nearly = replace(evaluation(0.3, 1), scores=[-1.0] * count, reference_scores=[-1.0 + 4e-6] * count)
    assert _search_errors(nearly) == 0
    less = replace(nearly, reference_scores=[-0.99] * count)
    assert _search_errors(less) == 99, "all but an output that is its reference"
    assert _search_errors(replace(less, precision="bf16")) == 0


def _search_errors(one: Evaluation) -> float:
    rows, _ = compare_on(Evaluations({"base": {"1": one}}), "base", OPTIONS)
    [found] = [row.score for row in rows if (row.bucket, row.metric) == ("all", "search_error")]
    return found


def test_every_length_is_said_only_where_every_bucket_was_sure():
    assert found_against(better_where(lambda words: True), bounds=(8,)) == {"every": True}
    assert found_against(better_where(lambda words: True), least=60) == {"all": True}, "no bucket could be tested"
    assert found_against(better_where(lambda words: True), bounds=(8, 11), least=1).keys() <= {"every", "1-11", "1-12"}


def test_of_too_few_sentences_in_all_nothing_is_found():
    assert found_against(better_where(lambda words: True), least=1000) == {}


def test_the_best_is_also_set_against_the_next_best():
    systems = {
        "base": {"1": evaluation(0.5, 1)},
        "good": {"1": evaluation(0.2, 3)},
        "better": {"1": evaluation(0.05, 5)},
    }
    pairs = {(f.system, f.against) for f in find(Evaluations(systems), "base", OPTIONS)}
    assert pairs == {("good", "base"), ("better", "base"), ("better", "good")}


def test_diagnoses_come_from_scores_links_and_weights():
    gold = [[(0, 0), (1, 1), (2, 2)] for _ in SOURCES]
    systems = {"base": {"1": evaluation(0.3, 1, gold)}, "better": {"1": evaluation(0.1, 5, gold)}}
    rows, _ = compare_on(Evaluations(systems), "base", OPTIONS)
    value = {(row.system, row.bucket, row.metric): row.score for row in rows}
    assert value["base", "all", "search_error"] == pytest.approx(100 / 3, abs=1)
    assert value["base", "13+", "alignment_error"] == pytest.approx(100 * (1 - 4 / 6)), "2 of 3 links hit"
    assert ("base", "1-8", "alignment_error") not in value, "no weights were kept there"
    assert value["base", "13+", "attention_entropy"] == pytest.approx(-0.2 * np.log(0.2) - 0.8 * np.log(0.8), abs=0.01)
    assert value["better", "all", "recall"] > value["base", "all", "recall"] + 10
    systems = {"base": {"1": evaluation(0.3, 1)}, "better": {"1": evaluation(0.1, 5)}}
    without, _ = compare_on(Evaluations(systems), "base", OPTIONS)
    assert not {row.metric for row in without} & {"recall", "alignment_error"}


def test_recall_by_place_has_a_band_and_falls_where_words_are_missing():
    cut = [" ".join(reference.split()[:4]) for reference in REFERENCES]
    gold = [[(i, i) for i in range(7)] for _ in SOURCES]
    systems = Evaluations({"cut": {"1": made(cut, SOURCES, gold)}})
    places = {row.place: row for row in recall_by_place(systems, OPTIONS) if row.bucket == "1-8"}
    assert places[1].score == 100 and places[max(places)].score < 50
    assert all(row.low <= row.score <= row.high for row in places.values())
    assert recall_by_place(Evaluations({"cut": {"1": made(cut, SOURCES)}}), OPTIONS) == []


def test_gradients_are_averaged_in_each_bucket_and_near_ones_counted():
    systems = Evaluations({"a": {"1": evaluation(0.1, 1), "2": evaluation(0.1, 2)}})
    found = {row.bucket: row for row in gradient_rows(systems, OPTIONS)}
    assert found.keys() == {"9-12", "13+", "all"} and found["all"].probes == 2
    assert found["all"].shares[3][3] == 55 and found["all"].shares[3][4] == 5
    rows, _ = compare_on(systems, "a", OPTIONS)
    near = {row.bucket: row.score for row in rows if row.metric == "gradient_near" and row.seed == "1"}
    assert near["13+"] == pytest.approx(100) and near["9-12"] == pytest.approx(28)

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nmt.evaluation.measures.bleu import Bleu
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Resampler, Resamplers, holm, score
from tests.texts import REFERENCES, outputs


@pytest.fixture(scope="module")
def metric():
    return Bleu()


@pytest.fixture(scope="module")
def resampler():
    return Resampler(len(REFERENCES), resamples=500, confidence=0.95, seed=1)


def statistics(metric, errors, seed=0):
    return metric.statistics_of_texts(outputs(errors, seed), REFERENCES)


def test_a_band_holds_the_score_and_narrows_with_more_sentences(metric, resampler):
    rows = statistics(metric, 0.2)
    band = resampler.band(metric, [rows])
    assert band.low < score(metric, [rows]) < band.high
    few = Resampler(25, 500, 0.95, 1).band(metric, [rows[:25]])
    assert few.high - few.low > 1.3 * (band.high - band.low)


def test_two_seeds_of_one_system_do_not_differ_and_a_better_one_does(metric, resampler):
    same = resampler.compare(metric, [statistics(metric, 0.2, 1)], [statistics(metric, 0.2, 2)])
    better = resampler.compare(metric, [statistics(metric, 0.1, 1)], [statistics(metric, 0.2, 2)])
    worse = resampler.compare(metric, [statistics(metric, 0.2, 2)], [statistics(metric, 0.1, 1)])
    assert same.p_value > 0.05 and same.interval.low < 0 < same.interval.high
    assert better.p_value < 0.01 and better.interval.low > 0
    assert worse.value == pytest.approx(-better.value) and worse.p_value == pytest.approx(better.p_value, abs=0.01)


def test_a_system_does_not_differ_from_itself(metric, resampler):
    rows = [statistics(metric, 0.3)]
    found = resampler.compare(metric, rows, rows)
    assert (found.value, found.p_value) == (0, 1)


def test_seeds_are_averaged_and_stay_paired(metric, resampler):
    ours, theirs = ([statistics(metric, errors, seed) for seed in range(3)] for errors in (0.15, 0.2))
    together = resampler.compare(metric, ours, theirs)
    singles = [resampler.compare(metric, [a], [b]) for a, b in zip(ours, theirs, strict=True)]
    assert together.value == pytest.approx(np.mean([single.value for single in singles]))
    assert together.p_value <= min(single.p_value for single in singles) + 0.01


def test_false_alarms_are_about_as_rare_as_promised(metric):
    """Twenty pairs of equal systems: at 5 %, more than five alarms would be worse than one in three thousand."""
    resampler = Resampler(len(REFERENCES), 200, 0.95, 3)
    pairs = [(statistics(metric, 0.25, 2 * i + 10), statistics(metric, 0.25, 2 * i + 11)) for i in range(20)]
    assert sum(resampler.compare(metric, [a], [b]).p_value < 0.05 for a, b in pairs) <= 5


def test_buckets_of_one_size_share_their_draws(metric):
    resamplers = Resamplers(EvaluationOptions(resamples=50, min_sentences=25))
    shared = resamplers.of(25)
    assert resamplers.of(25) is shared and resamplers.of(26) is not shared
    alone = Resampler(25, 50, 0.95, EvaluationOptions().seed)
    rows = [statistics(metric, 0.2)[:25]]
    assert shared.band(metric, rows) == alone.band(metric, rows)
    assert resamplers.enough(25) and not resamplers.enough(24)


def test_holm_on_a_worked_case():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values):
    corrected = holm(values)
    assert all(c >= v and c <= 1 for c, v in zip(corrected, values, strict=True))
    order = np.argsort(values, kind="stable")
    assert all(corrected[a] <= corrected[b] for a, b in itertools.pairwise(order))

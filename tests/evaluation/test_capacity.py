"""How much fits: the end of the last bucket before accuracy falls."""

from __future__ import annotations

import numpy as np

from nmt.evaluation.capacity import capacities
from nmt.evaluation.results import ALL_SEEDS, CapacityRow, Row
from nmt.evaluation.scores import Accuracy, Exact

TEST_SETS = {"test": {"1-4": 10, "5-8": 10, "9+": 10, "all": 30}}


def rows(system: str, *scores: float, seed: str = "1") -> list[Row]:
    return [
        Row(system, seed, "test", bucket, 10, "accuracy", score)
        for bucket, score in zip(TEST_SETS["test"], scores, strict=True)
    ]


def test_it_ends_where_accuracy_first_falls_below_nine_tenths():
    given = [*rows("small", 95, 80, 99, 90), *rows("none", 50, 50, 50, 50), *rows("all", 99, 95, 90, 95)]
    contexts = {"small": 64, "none": 64, "all": None, "never scored": 7}
    assert capacities(given, TEST_SETS, contexts) == [
        CapacityRow("small", "test", 64, 4, False),
        CapacityRow("none", "test", 64, 0, False),
        CapacityRow("all", "test", None, 9, True),
    ]


def test_over_several_seeds_the_mean_counts():
    given = [*rows("s", 100, 100, 0, 0), *rows("s", 90, 70, 0, 0, seed="2"), *rows("s", 95, 85, 0, 0, seed=ALL_SEEDS)]
    assert capacities(given, TEST_SETS, {"s": 1}) == [CapacityRow("s", "test", 1, 4, False)]


def test_accuracy_counts_words_at_their_place_and_exact_whole_sentences():
    hypotheses, references = ["a b c", "a x", "", "a b"], ["a b c", "a b c d", "a", " a  b "]
    accuracy, exact = Accuracy(), Exact()
    assert accuracy.statistics(hypotheses, references).tolist() == [[3, 3], [1, 4], [0, 1], [2, 2]]
    assert accuracy.score(np.array([6.0, 10.0])) == 60.0
    assert exact.statistics(hypotheses, references)[:, 0].tolist() == [1, 0, 0, 1]
    assert exact.score(np.array([2.0, 4.0])) == 50.0
    assert accuracy.statistics([], []).shape == (0, 2)

"""How much fits: the end of the last bucket before accuracy falls."""

from __future__ import annotations

from nmt.evaluation.capacity import capacities
from nmt.evaluation.results import ALL_SEEDS, BucketInfo, CapacityRow, Row

BUCKETS = [
    BucketInfo("1-4", 1, 4, 10, 4),
    BucketInfo("5-8", 5, 8, 10, 8),
    BucketInfo("9+", 9, None, 10, 9),
    BucketInfo("all", 0, None, 30, 0),
]


def rows(system: str, *scores: float, seed: str = "1") -> list[Row]:
    return [
        Row(system, seed, "test", bucket.label, 10, "accuracy", score)
        for bucket, score in zip(BUCKETS, scores, strict=True)
    ]


def test_it_ends_where_accuracy_first_falls_below_nine_tenths():
    given = [*rows("small", 95, 80, 99, 90), *rows("none", 50, 50, 50, 50), *rows("all", 99, 95, 90, 95)]
    contexts = {"small": 64, "none": 64, "all": None, "never scored": 7}
    assert capacities(given, {"test": BUCKETS}, contexts) == [
        CapacityRow("small", "test", 64, 4, False),
        CapacityRow("none", "test", 64, 0, False),
        CapacityRow("all", "test", None, 9, True),
    ]


def test_over_several_seeds_the_mean_counts():
    given = [*rows("s", 100, 100, 0, 0), *rows("s", 90, 70, 0, 0, seed="2"), *rows("s", 95, 85, 0, 0, seed=ALL_SEEDS)]
    assert capacities(given, {"test": BUCKETS}, {"s": 1}) == [CapacityRow("s", "test", 1, 4, False)]

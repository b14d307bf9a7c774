"""How much fits: the length up to which a system still does a task with one right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.evaluation.measures.accuracy import Accuracy
from nmt.evaluation.results import ALL, ALL_SEEDS, BucketInfo, CapacityRow, Row

ENOUGH = 90.0  # percent of words right


def capacities(
    rows: Sequence[Row], buckets: Mapping[str, Sequence[BucketInfo]], contexts: Mapping[str, int | None]
) -> list[CapacityRow]:
    """For every system and test set that has an accuracy: the end of the last bucket before it falls below `ENOUGH`.

    ``buckets`` are those of each test set; ``contexts`` says how many numbers each system's decoder sees of the source
    (None: as many as there are states).
    """
    capacity_rows = []
    for test_set, of_set in buckets.items():
        parts = [bucket for bucket in of_set if bucket.label != ALL]
        for system, context in contexts.items():
            scores = _scores(rows, system, test_set)
            if not scores:
                continue
            held = _held(parts, scores)
            words = held[-1].end if held else 0
            row = CapacityRow(
                system=system,
                test_set=test_set,
                context=context,
                words=words,
                all_held=len(held) == len(parts),
            )
            capacity_rows.append(row)
    return capacity_rows


def _held(parts: Sequence[BucketInfo], scores: Mapping[str, float]) -> list[BucketInfo]:
    """The buckets before the first with too low a score."""
    held = []
    for bucket in parts:
        if scores[bucket.label] < ENOUGH:
            break
        held.append(bucket)
    return held


def _scores(rows: Sequence[Row], system: str, test_set: str) -> dict[str, float]:
    """By bucket; the mean over seeds where there are several."""
    scores: dict[str, float] = {}
    for row in rows:
        if row.system != system or row.test_set != test_set or row.metric != Accuracy.name:
            continue
        if row.seed == ALL_SEEDS or row.bucket not in scores:  # the mean comes after the seeds
            scores[row.bucket] = row.score
    return scores

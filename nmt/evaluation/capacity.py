"""How much fits: the length up to which a system still does a task with one right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nmt.evaluation.results import ALL, ALL_SEEDS, CapacityRow, Row

METRIC = "accuracy"
ENOUGH = 90.0  # percent of words right


def capacities(
    rows: Sequence[Row], test_sets: Mapping[str, Mapping[str, int]], contexts: Mapping[str, int | None]
) -> list[CapacityRow]:
    """For every system and test set that has an accuracy: the end of the last bucket before it falls below `ENOUGH`.

    ``contexts`` says how many numbers each system's decoder sees of the source; None: as many as there are states.
    """
    found = []
    for test_set, counts in test_sets.items():
        buckets = [bucket for bucket in counts if bucket != ALL]
        for system, context in contexts.items():
            scores = _scores(rows, system, test_set)
            if not scores:
                continue
            held = 0
            while held < len(buckets) and scores[buckets[held]] >= ENOUGH:
                held += 1
            words = _end(buckets[held - 1]) if held else 0
            found.append(CapacityRow(system, test_set, context, words, held == len(buckets)))
    return found


def _scores(rows: Sequence[Row], system: str, test_set: str) -> dict[str, float]:
    """By bucket; the mean over seeds where there are several."""
    own = [row for row in rows if (row.system, row.test_set, row.metric) == (system, test_set, METRIC)]
    seeds = {row.seed for row in own}
    return {row.bucket: row.score for row in own if row.seed == ALL_SEEDS or ALL_SEEDS not in seeds}


def _end(bucket: str) -> int:
    """The last length of 6-10; the first of 41+, which has no end."""
    return int(bucket.rstrip("+").rpartition("-")[2])

"""Scores of several systems side by side, against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nmt.evaluation.buckets import Bucket
from nmt.evaluation.measures.measure import Measure, explaining_measures
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Difference, Interval, Resamplers, Statistics, holm, score
from nmt.evaluation.results import ALL, ALL_SEEDS, DifferenceRow, Row
from nmt.evaluation.translations import Evaluations, with_all_seeds


@dataclass(frozen=True)
class _Place:
    """Whose scores, by which measure: what all rows over the buckets have in common."""

    system: str
    seed: str
    test_set: str
    baseline: str
    measure: Measure


@dataclass(frozen=True)
class _Scored:
    """One system in one bucket."""

    bucket: Bucket
    score: float
    band: Interval | None  # None where there are too few sentences
    difference: Difference | None = None  # to the baseline, where there is one and sentences enough


def compare_on(
    evaluations: Evaluations, baseline: str, options: EvaluationOptions, resamplers: Resamplers | None = None
) -> tuple[list[Row], list[DifferenceRow]]:
    """Rows of one test set: every system and seed in every bucket, and each system's difference to the baseline.

    p-values of buckets are corrected for their count (Holm); that of ``all`` is one test and stays as it is. Raises
    UserError where a measure of ``evaluation.metrics`` lacks what it needs.
    """
    resamplers = resamplers or Resamplers(options)
    buckets = evaluations.buckets(options.bucket_bounds)
    rows: list[Row] = []
    differences: list[DifferenceRow] = []
    for measure in options.measures(evaluations.writing):
        check_needs(measure, evaluations)
        for system in evaluations.systems:
            seeds = evaluations.seeds(system)
            for seed in seeds:
                place = _Place(system, seed, evaluations.test_set, baseline, measure)
                scored = _score_buckets(place, evaluations, buckets, resamplers)
                p_values = _corrected(scored)
                rows += [_row(place, one, p_values.get(one.bucket.label)) for one in scored]
                if seed == seeds[-1]:  # over all seeds, or the only one
                    differences += _differences(place, scored, p_values)
    for measure in explaining_measures():
        explaining: list[Row] = []
        for system in evaluations.systems:
            explaining += _explaining_rows(measure, system, evaluations, buckets, resamplers)
        if any(row.score for row in explaining) or not measure.only_above_zero:
            rows += explaining
    return rows, differences


def check_needs(measure: Measure, evaluations: Evaluations) -> None:
    """Raises UserError unless every system has what a chosen measure needs."""
    for system in evaluations.systems:
        lacking = measure.lacks(evaluations.first(system))
        if lacking:
            place = f"{system} has not on test set '{evaluations.test_set}'"
            raise measure.refusal(lacking[0], f"{place}; leave it out (what is trained and translated is kept)")


def _score_buckets(
    place: _Place, evaluations: Evaluations, buckets: Sequence[Bucket], resamplers: Resamplers
) -> list[_Scored]:
    ours = evaluations.statistics(place.measure, place.system, place.seed)
    theirs: Statistics = []
    if place.system != place.baseline:
        theirs = evaluations.statistics(place.measure, place.baseline, place.seed)
    return [_score(place.measure, bucket, resamplers, ours, theirs) for bucket in buckets]


def _score(
    measure: Measure, bucket: Bucket, resamplers: Resamplers, system: Statistics, baseline: Statistics
) -> _Scored:
    ours = part(system, bucket)
    value = score(measure, ours)
    if not resamplers.enough(len(bucket)):
        return _Scored(bucket, value, band=None)
    resampler = resamplers.of(len(bucket))
    band = resampler.band(measure, ours)
    difference = resampler.compare(measure, ours, part(baseline, bucket)) if baseline else None
    return _Scored(bucket, value, band, difference)


def part(system: Statistics, bucket: Bucket) -> Statistics:
    """The statistics of a bucket's sentences."""
    rows = list(bucket.sentences)
    return [statistics[rows] for statistics in system]


def _corrected(scored: Sequence[_Scored]) -> dict[str, float]:
    """p-values by bucket, after correction."""
    p_values = {one.bucket.label: one.difference.p_value for one in scored if one.difference}
    parts = [label for label in p_values if label != ALL]
    corrected = holm([p_values[label] for label in parts])
    return p_values | dict(zip(parts, corrected, strict=True))


def _row(place: _Place, scored: _Scored, p_value: float | None = None) -> Row:
    low = scored.band.low if scored.band else None
    high = scored.band.high if scored.band else None
    baseline = "" if p_value is None else place.baseline
    return Row(
        system=place.system,
        seed=place.seed,
        test_set=place.test_set,
        bucket=scored.bucket.label,
        sentences=len(scored.bucket),
        metric=place.measure.name,
        score=scored.score,
        low=low,
        high=high,
        baseline=baseline,
        p_value=p_value,
    )


def _differences(place: _Place, scored: Sequence[_Scored], p_values: Mapping[str, float]) -> list[DifferenceRow]:
    rows = []
    for one in scored:
        if one.difference is None:
            continue
        row = DifferenceRow(
            system=place.system,
            against=place.baseline,
            test_set=place.test_set,
            bucket=one.bucket.label,
            sentences=len(one.bucket),
            metric=place.measure.name,
            difference=one.difference.value,
            low=one.difference.interval.low,
            high=one.difference.interval.high,
            p_value=p_values[one.bucket.label],
        )
        rows.append(row)
    return rows


def _explaining_rows(
    measure: Measure,
    system: str,
    evaluations: Evaluations,
    buckets: Sequence[Bucket],
    resamplers: Resamplers,
) -> list[Row]:
    """For each seed and all together, where there is something to see; with bands where it is seen often enough."""
    by_seed = evaluations.by_system[system]
    able = {seed: evaluation for seed, evaluation in by_seed.items() if not measure.lacks(evaluation)}
    rows = []
    for bucket in buckets:
        seen = {}
        for seed, evaluation in able.items():
            [statistics] = part([evaluation.statistics(measure)], bucket)
            if measure.says_something(statistics).any():
                seen[seed] = statistics
        for seed in with_all_seeds(seen):
            of_seed = list(seen.values()) if seed == ALL_SEEDS else [seen[seed]]
            fewest = min(int(measure.says_something(statistics).sum()) for statistics in of_seed)
            band = None
            if resamplers.enough(fewest):
                band = resamplers.of(len(bucket)).band(measure, of_seed)
            place = _Place(system, seed, evaluations.test_set, "", measure)
            rows.append(_row(place, _Scored(bucket, score(measure, of_seed), band)))
    return rows

"""What a comparison found, from its statistics alone: who is ahead of whom, over which lengths, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nmt.evaluation.resampling import Difference, Resampler, Statistics, holm, score
from nmt.evaluation.results import ALL, EVERY, SIGNIFICANT, Finding
from nmt.evaluation.scores import Bucket, EvaluationOptions, Metric, make_buckets, make_metrics
from nmt.evaluation.translations import Evaluation


@dataclass(frozen=True)
class _Pair:
    """Two systems on one test set."""

    system: str
    against: str
    ours: Statistics
    theirs: Statistics


def find(
    evaluations: Mapping[str, Mapping[str, Evaluation]], baseline: str, options: EvaluationOptions
) -> list[Finding]:
    """Of every system against the baseline, and of the best against the next best, by the first metric.

    Buckets are tested by themselves. Neighbouring buckets with the same verdict (ahead, behind, not sure) are then told
    together: the difference is that over all of them, the p-value the largest of theirs after Holm's correction (where
    none is sure, the smallest).
    """
    [metric] = make_metrics(options.metrics[:1])
    first = next(iter(next(iter(evaluations.values())).values()))
    buckets = make_buckets(first.sources, options.bucket_bounds)
    statistics = {system: [e.statistics(metric) for e in by_seed.values()] for system, by_seed in evaluations.items()}
    sign = 1 if metric.higher_is_better else -1
    ranked = sorted(statistics, key=lambda system: -sign * score(metric, statistics[system]))
    pairs = [(system, baseline) for system in ranked if system != baseline]
    if len(ranked) > 2 and baseline not in ranked[:2]:
        pairs.append((ranked[0], ranked[1]))
    found = []
    for system, against in pairs:
        pair = _Pair(system, against, statistics[system], statistics[against])
        found += _of_pair(pair, first.test_set, metric, buckets, options)
    return found


def _of_pair(
    pair: _Pair, test_set: str, metric: Metric, buckets: Sequence[Bucket], options: EvaluationOptions
) -> list[Finding]:
    *parts, whole = buckets
    tested = [part for part in parts if len(part.sentences) >= options.min_sentences]
    if len(whole.sentences) < options.min_sentences:
        return []
    p_values = holm([_compare(pair, metric, [bucket], options).p_value for bucket in tested])
    verdicts = dict(zip((bucket.label for bucket in tested), p_values, strict=True))
    runs = _runs(pair, metric, parts, verdicts)
    if not any(
        _sign(pair, metric, run[0], verdicts) for run in runs
    ):  # nothing is sure by itself, perhaps the whole is
        return [_finding(pair, test_set, metric, [whole], None, options)]
    alike = len(runs) == 1 and len(runs[0]) == len(parts)
    made = []
    for run in runs:
        sure = _sign(pair, metric, run[0], verdicts) != 0
        p_value = (max if sure else min)(verdicts[bucket.label] for bucket in run)
        finding = _finding(pair, test_set, metric, run, (sure, p_value), options)
        made.append(replace(finding, range=EVERY) if alike else finding)
    return made


def _runs(pair: _Pair, metric: Metric, parts: Sequence[Bucket], verdicts: Mapping[str, float]) -> list[list[Bucket]]:
    """Neighbouring buckets of one verdict; a bucket with too few sentences ends a run."""
    runs: list[list[Bucket]] = []
    last = None
    for bucket in parts:
        sign = _sign(pair, metric, bucket, verdicts) if bucket.label in verdicts else None
        if sign is not None and sign == last:
            runs[-1].append(bucket)
        elif sign is not None:
            runs.append([bucket])
        last = sign
    return runs


def _sign(pair: _Pair, metric: Metric, bucket: Bucket, verdicts: Mapping[str, float]) -> int:
    """1 ahead, -1 behind, 0 not surely either."""
    if verdicts[bucket.label] >= SIGNIFICANT:
        return 0
    rows = list(bucket.sentences)
    return int(np.sign(score(metric, [s[rows] for s in pair.ours]) - score(metric, [s[rows] for s in pair.theirs])))


def _compare(pair: _Pair, metric: Metric, buckets: Sequence[Bucket], options: EvaluationOptions) -> Difference:
    rows = [i for bucket in buckets for i in bucket.sentences]
    resampler = Resampler(len(rows), options.resamples, options.confidence, options.seed)
    return resampler.compare(metric, [s[rows] for s in pair.ours], [s[rows] for s in pair.theirs])


def _finding(
    pair: _Pair,
    test_set: str,
    metric: Metric,
    run: Sequence[Bucket],
    verdict: tuple[bool, float] | None,
    options: EvaluationOptions,
) -> Finding:
    """``verdict`` None: by the test over the run itself, which is then the whole set."""
    difference = _compare(pair, metric, run, options)
    differ, p_value = verdict or (difference.p_value < SIGNIFICANT, difference.p_value)
    return Finding(
        test_set=test_set,
        metric=metric.name,
        system=pair.system,
        against=pair.against,
        range=_range(run),
        differ=differ,
        difference=difference.value,
        half_width=(difference.interval.high - difference.interval.low) / 2,
        p_value=p_value,
    )


def _range(run: Sequence[Bucket]) -> str:
    """Source words of neighbouring buckets: 11-40, 41+, 8 or all."""
    first, last = run[0].label, run[-1].label
    if ALL in (first, last):
        return ALL
    low = first.rstrip("+").partition("-")[0]
    high = last.rpartition("-")[2]
    return f"{low}+" if last.endswith("+") else f"{low}-{high}" if low != high else low

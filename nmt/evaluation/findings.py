"""What a comparison found, from its statistics alone: who is ahead of whom, over which lengths, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.evaluation.evaluate import Evaluation
from nmt.evaluation.results import ALL, SIGNIFICANT, Finding
from nmt.evaluation.scores import Bucket, EvaluationOptions, Metric, make_buckets, make_metrics
from nmt.evaluation.significance import Difference, Resampler, Statistics, holm, score


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

    Buckets are tested by themselves (Holm). Neighbouring buckets with the same verdict (ahead, behind, no difference)
    are then taken together and told: those from the short end and those from the long end.
    """
    [metric] = make_metrics(options.metrics[:1])
    first = next(iter(next(iter(evaluations.values())).values()))
    buckets = [
        bucket
        for bucket in make_buckets(first.sources, options.bucket_bounds)
        if len(bucket.sentences) >= options.min_sentences
    ]
    statistics = {
        system: [metric.statistics(e.hypotheses, e.references) for e in by_seed.values()]
        for system, by_seed in evaluations.items()
    }
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
    parts = [bucket for bucket in buckets if bucket.label != ALL]
    whole = [bucket for bucket in buckets if bucket.label == ALL]
    if not whole:  # too few sentences in all
        return []
    parts = parts or whole
    tested = [_compare(pair, metric, [bucket], options) for bucket in parts]
    p_values = holm([difference.p_value for difference in tested])
    signs = [
        int(np.sign(difference.value)) if p_value < SIGNIFICANT else 0
        for difference, p_value in zip(tested, p_values, strict=True)
    ]
    runs = [parts[: _run(signs)]]
    if len(runs[0]) < len(parts):
        runs.append(parts[len(parts) - _run(signs[::-1]) :])
    else:
        runs = [whole]
    return [_finding(pair, test_set, metric, run, options) for run in runs]


def _run(signs: Sequence[int]) -> int:
    """How many of the first are alike."""
    return next((i for i, sign in enumerate(signs) if sign != signs[0]), len(signs))


def _compare(pair: _Pair, metric: Metric, buckets: Sequence[Bucket], options: EvaluationOptions) -> Difference:
    rows = [i for bucket in buckets for i in bucket.sentences]
    resampler = Resampler(len(rows), options.resamples, options.confidence, options.seed)
    return resampler.compare(metric, [s[rows] for s in pair.ours], [s[rows] for s in pair.theirs])


def _finding(pair: _Pair, test_set: str, metric: Metric, run: Sequence[Bucket], options: EvaluationOptions) -> Finding:
    difference = _compare(pair, metric, run, options)
    return Finding(
        test_set=test_set,
        metric=metric.name,
        system=pair.system,
        against=pair.against,
        range=_range(run),
        differ=difference.p_value < SIGNIFICANT,
        difference=difference.value,
        half_width=(difference.interval.high - difference.interval.low) / 2,
        p_value=difference.p_value,
    )


def _range(run: Sequence[Bucket]) -> str:
    """Source words of neighbouring buckets: 11-40, 41+ or all."""
    first, last = run[0].label, run[-1].label
    if ALL in (first, last):
        return ALL
    low = first.rstrip("+").partition("-")[0]
    return f"{low}+" if last.endswith("+") else f"{low}-{last.partition('-')[2]}"

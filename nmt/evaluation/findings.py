"""What a comparison found, from its statistics alone: who is ahead of whom, over which lengths, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nmt.evaluation.buckets import Bucket, label_of
from nmt.evaluation.measures.measure import Measure
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Difference, Resamplers, Statistics, holm, score
from nmt.evaluation.results import EVERY, SIGNIFICANT, Finding
from nmt.evaluation.table import part
from nmt.evaluation.translations import Evaluations


@dataclass(frozen=True)
class _Contest:
    """Two systems on one test set, by one measure."""

    test_set: str
    measure: Measure
    system: str
    against: str
    ours: Statistics
    theirs: Statistics
    resamplers: Resamplers

    def compare(self, bucket: Bucket) -> Difference:
        """The difference over a bucket's sentences, with its test."""
        resampler = self.resamplers.of(len(bucket))
        ours = part(self.ours, bucket)
        theirs = part(self.theirs, bucket)
        return resampler.compare(self.measure, ours, theirs)

    def sign(self, bucket: Bucket) -> int:
        """1 where ours has the higher score, -1 where theirs has."""
        ours = score(self.measure, part(self.ours, bucket))
        theirs = score(self.measure, part(self.theirs, bucket))
        return int(np.sign(ours - theirs))


@dataclass(frozen=True)
class _Verdict:
    """What the test of one bucket by itself said."""

    bucket: Bucket
    p_value: float  # corrected over buckets
    sign: int  # 1 surely higher, -1 surely lower, 0 not surely either


def find(
    evaluations: Evaluations, baseline: str, options: EvaluationOptions, resamplers: Resamplers | None = None
) -> list[Finding]:
    """Compares every system with the baseline, and the best with the next best, by the first measure.

    Buckets are tested by themselves. Neighbouring buckets with the same verdict (ahead, behind, not sure) are then told
    together: the difference is that over all of them, the p-value the largest of theirs after Holm's correction (where
    none is sure, the smallest).
    """
    resamplers = resamplers or Resamplers(options)
    measure, *_ = options.measures(evaluations.writing)
    buckets = evaluations.buckets(options.bucket_bounds)
    statistics: dict[str, Statistics] = {}
    scores: dict[str, float] = {}
    for system in evaluations.systems:
        statistics[system] = evaluations.statistics(measure, system)
        scores[system] = score(measure, statistics[system])
    highest_first = measure.higher_is_better is not False
    ranked = sorted(scores, key=scores.__getitem__, reverse=highest_first)
    pairs = [(system, baseline) for system in ranked if system != baseline]
    if len(ranked) > 2 and baseline not in ranked[:2]:
        pairs.append((ranked[0], ranked[1]))
    findings: list[Finding] = []
    for system, against in pairs:
        ours = statistics[system]
        theirs = statistics[against]
        contest = _Contest(evaluations.test_set, measure, system, against, ours, theirs, resamplers)
        findings += _findings_of(contest, buckets)
    return findings


def _findings_of(contest: _Contest, buckets: Sequence[Bucket]) -> list[Finding]:
    *parts, whole = buckets
    if not contest.resamplers.enough(len(whole)):
        return []
    verdicts = _verdicts(contest, parts)
    if not any(verdict and verdict.sign for verdict in verdicts):
        # Nothing is sure by itself; perhaps the whole is.
        p_value = contest.compare(whole).p_value
        return [_finding(contest, whole, p_value < SIGNIFICANT, p_value)]
    runs = _runs(verdicts)
    findings = []
    for run in runs:
        together = _joined([verdict.bucket for verdict in run])
        p_values = [verdict.p_value for verdict in run]
        differ = run[0].sign != 0
        p_value = max(p_values) if differ else min(p_values)
        findings.append(_finding(contest, together, differ, p_value))
    if len(runs) == 1 and len(runs[0]) == len(parts):  # every bucket was tested, and all say the same
        return [replace(findings[0], range=EVERY)]
    return findings


def _verdicts(contest: _Contest, parts: Sequence[Bucket]) -> list[_Verdict | None]:
    """Of every bucket by itself; None where there are too few sentences."""
    tested = [bucket for bucket in parts if contest.resamplers.enough(len(bucket))]
    p_values = holm([contest.compare(bucket).p_value for bucket in tested])
    verdicts: dict[str, _Verdict] = {}
    for bucket, p_value in zip(tested, p_values, strict=True):
        sign = contest.sign(bucket) if p_value < SIGNIFICANT else 0
        verdicts[bucket.label] = _Verdict(bucket, p_value, sign)
    return [verdicts.get(bucket.label) for bucket in parts]


def _runs(verdicts: Sequence[_Verdict | None]) -> list[list[_Verdict]]:
    """Neighbours that say the same; a bucket with too few sentences ends a run."""
    runs: list[list[_Verdict]] = []
    last: _Verdict | None = None
    for verdict in verdicts:
        if verdict and last and verdict.sign == last.sign:
            runs[-1].append(verdict)
        elif verdict:
            runs.append([verdict])
        last = verdict
    return runs


def _joined(buckets: Sequence[Bucket]) -> Bucket:
    """Neighbouring buckets as one."""
    sentences = [row for bucket in buckets for row in bucket.sentences]
    return Bucket(buckets[0].low, buckets[-1].high, tuple(sentences))


def _finding(contest: _Contest, bucket: Bucket, differ: bool, p_value: float) -> Finding:
    difference = contest.compare(bucket)
    return Finding(
        test_set=contest.test_set,
        metric=contest.measure.name,
        system=contest.system,
        against=contest.against,
        range=label_of(bucket.low, bucket.high),
        differ=differ,
        difference=difference.value,
        half_width=(difference.interval.high - difference.interval.low) / 2,
        p_value=p_value,
        low=bucket.low,
        high=bucket.high,
    )

"""What a comparison found, from its statistics alone: who is ahead of whom, over which lengths, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nmt.evaluation.buckets import Bucket, label_of
from nmt.evaluation.measures.measure import Measure
from nmt.evaluation.options import EvaluationOptions
from nmt.evaluation.resampling import Difference, Resamplers, Statistics, holm, score
from nmt.evaluation.results import EVERY, SIGNIFICANT, Finding, is_smallest
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

    def too_short(self, bucket: Bucket) -> bool:
        """Whether the references hold too little for the measure; they are the same for both systems and all seeds."""
        return self.measure.too_short(part(self.ours, bucket)[0])


@dataclass(frozen=True)
class _Verdict:
    """What the test of one bucket by itself said."""

    bucket: Bucket
    difference: float
    p_value: float  # corrected over buckets
    p_is_bound: bool  # the smallest there could be
    sign: int  # 1 surely higher, -1 surely lower, 0 not surely either


def find(
    evaluations: Evaluations, baseline: str, options: EvaluationOptions, resamplers: Resamplers | None = None
) -> list[Finding]:
    """Compares every system with the baseline, and the best with the next best, by the first measure.

    Buckets are tested by themselves. Neighbouring buckets with the same verdict (ahead, behind, not sure) are then told
    together: the difference is that over all of them, beside the smallest and the largest of theirs; the p-value is the
    largest of theirs after Holm's correction (where none is sure, the smallest). Buckets with too few sentences, or too
    short for the measure, are left out.
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
    if not contest.resamplers.enough(len(whole)) or contest.too_short(whole):
        return []
    verdicts = _verdicts(contest, parts)
    if not any(verdict and verdict.sign for verdict in verdicts):
        # Nothing is sure by itself; perhaps the whole is.
        difference = contest.compare(whole)
        p_value = difference.p_value
        finding = _finding(contest, whole, difference, p_value < SIGNIFICANT, p_value)
        return [replace(finding, p_is_bound=_is_bound(contest, p_value, tests=1))]
    runs = _runs(verdicts)
    findings = [_told_together(contest, run) for run in runs]
    if len(runs) == 1 and len(runs[0]) == len(parts):  # every bucket was tested, and all say the same
        return [replace(findings[0], range=EVERY)]
    return findings


def _verdicts(contest: _Contest, parts: Sequence[Bucket]) -> list[_Verdict | None]:
    """Of every bucket by itself; None where there are too few sentences, or too short ones for the measure."""
    tested = [bucket for bucket in parts if contest.resamplers.enough(len(bucket))]
    differences = [contest.compare(bucket) for bucket in tested]
    p_values = holm([difference.p_value for difference in differences])
    verdicts: dict[str, _Verdict] = {}
    for bucket, difference, p_value in zip(tested, differences, p_values, strict=True):
        if contest.too_short(bucket):
            continue
        sign = int(np.sign(difference.value)) if p_value < SIGNIFICANT else 0
        is_bound = _is_bound(contest, p_value, len(tested))
        verdicts[bucket.label] = _Verdict(bucket, difference.value, p_value, is_bound, sign)
    return [verdicts.get(bucket.label) for bucket in parts]


def _is_bound(contest: _Contest, p_value: float, tests: int) -> bool:
    return is_smallest(p_value, tests, contest.resamplers.options.resamples)


def _runs(verdicts: Sequence[_Verdict | None]) -> list[list[_Verdict]]:
    """Neighbours that say the same; a bucket of which nothing can be said ends a run."""
    runs: list[list[_Verdict]] = []
    last: _Verdict | None = None
    for verdict in verdicts:
        if verdict and last and verdict.sign == last.sign:
            runs[-1].append(verdict)
        elif verdict:
            runs.append([verdict])
        last = verdict
    return runs


def _told_together(contest: _Contest, run: Sequence[_Verdict]) -> Finding:
    """One finding of neighbours that say the same, with the smallest and the largest difference of one of them."""
    differ = run[0].sign != 0
    by_p_value = sorted(run, key=lambda verdict: verdict.p_value)
    decisive = by_p_value[-1] if differ else by_p_value[0]
    together = _joined([verdict.bucket for verdict in run])
    difference = contest.compare(together)
    finding = _finding(contest, together, difference, differ, decisive.p_value)
    finding = replace(finding, p_is_bound=decisive.p_is_bound)
    if len(run) == 1:
        return finding
    by_difference = sorted(run, key=lambda verdict: verdict.difference)
    if run[0].sign < 0:  # the smallest is the one nearest to 0
        by_difference.reverse()
    least = by_difference[0]
    most = by_difference[-1]
    return replace(
        finding,
        least=least.difference,
        least_at=least.bucket.label,
        most=most.difference,
        most_at=most.bucket.label,
    )


def _joined(buckets: Sequence[Bucket]) -> Bucket:
    """Neighbouring buckets as one."""
    sentences = [row for bucket in buckets for row in bucket.sentences]
    return Bucket(buckets[0].low, buckets[-1].high, tuple(sentences))


def _finding(contest: _Contest, bucket: Bucket, difference: Difference, differ: bool, p_value: float) -> Finding:
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

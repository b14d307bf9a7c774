"""Scores of several systems side by side, against a baseline."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nmt.errors import UserError
from nmt.evaluation.diagnostics import DIAGNOSES, Gold
from nmt.evaluation.recall import PARTS, by_part
from nmt.evaluation.resampling import Difference, Interval, Resampler, Statistics, holm, score
from nmt.evaluation.results import ALL, ALL_SEEDS, DifferenceRow, GradientMap, PlaceRow, Row, SentenceSet
from nmt.evaluation.scores import Bucket, EvaluationOptions, Metric, make_buckets, make_metrics, percent
from nmt.evaluation.translations import Evaluation

Evaluations = Mapping[str, Mapping[str, Evaluation]]  # system, seed


@dataclass(frozen=True)
class _Scored:
    """One system in one bucket."""

    bucket: Bucket
    score: float
    band: Interval | None  # None where there are too few sentences
    difference: Difference | None  # to the baseline, where there is one and sentences enough


def compare_on(
    evaluations: Evaluations, baseline: str, options: EvaluationOptions, gold: Gold | None = None
) -> tuple[list[Row], list[DifferenceRow]]:
    """Rows of one test set: every system and seed in every bucket, and each system's difference to the baseline.

    ``gold`` holds the known links of every sentence, where there are. p-values of buckets are corrected for their count
    (Holm); that of ``all`` is one test and stays as it is.
    """
    shown = _same_sentences(evaluations)
    buckets = make_buckets(shown.sources, options.bucket_bounds)
    resamplers = {
        bucket.label: Resampler(len(bucket.sentences), options.resamples, options.confidence, options.seed)
        for bucket in buckets
        if len(bucket.sentences) >= options.min_sentences
    }
    rows: list[Row] = []
    differences: list[DifferenceRow] = []
    for metric in make_metrics(options.metrics):
        statistics = {
            system: {seed: e.statistics(metric) for seed, e in by_seed.items()}
            for system, by_seed in evaluations.items()
        }
        for system, by_seed in statistics.items():
            theirs = statistics[baseline] if system != baseline else {}
            for seed in [*by_seed, *([ALL_SEEDS] if len(by_seed) > 1 else [])]:
                ours = _of_seed(by_seed, seed)
                against = _of_seed(theirs, seed)
                scored = [_score(metric, bucket, resamplers.get(bucket.label), ours, against) for bucket in buckets]
                p_values = _corrected(scored)
                rows += [
                    _row(system, seed, shown.test_set, metric, s, baseline, p_values.get(s.bucket.label))
                    for s in scored
                ]
                if seed == ALL_SEEDS or len(by_seed) == 1:
                    differences += _differences(system, baseline, shown.test_set, metric, scored, p_values)
    return rows + _diagnoses(evaluations, buckets, resamplers, options, gold), differences


def _same_sentences(evaluations: Evaluations) -> Evaluation:
    """The first evaluation, after a look that all are of the same test set."""
    first = next(iter(next(iter(evaluations.values())).values()))
    for by_seed in evaluations.values():
        for evaluation in by_seed.values():
            if evaluation.sources != first.sources or evaluation.references != first.references:
                raise UserError(f"test set '{first.test_set}': the systems were not scored on the same sentences")
    return first


def _of_seed(by_seed: Mapping[str, np.ndarray], seed: str) -> list[np.ndarray]:
    """Statistics of one seed, or of all."""
    return list(by_seed.values()) if seed == ALL_SEEDS else [by_seed[seed]] if seed in by_seed else []


def _score(
    metric: Metric, bucket: Bucket, resampler: Resampler | None, system: Statistics, baseline: Statistics
) -> _Scored:
    index = list(bucket.sentences)
    ours, theirs = [rows[index] for rows in system], [rows[index] for rows in baseline]
    band = resampler.band(metric, ours) if resampler else None
    difference = resampler.compare(metric, ours, theirs) if resampler and theirs else None
    return _Scored(bucket, score(metric, ours), band, difference)


def _corrected(scored: Sequence[_Scored]) -> dict[str, float]:
    """p-values by bucket, after correction."""
    found = {s.bucket.label: s.difference.p_value for s in scored if s.difference}
    parts = [label for label in found if label != ALL]
    return found | dict(zip(parts, holm([found[label] for label in parts]), strict=True))


def _row(
    system: str, seed: str, test_set: str, metric: Metric, scored: _Scored, baseline: str, p_value: float | None
) -> Row:
    return Row(
        system=system,
        seed=seed,
        test_set=test_set,
        bucket=scored.bucket.label,
        sentences=len(scored.bucket.sentences),
        metric=metric.name,
        score=scored.score,
        low=scored.band.low if scored.band else None,
        high=scored.band.high if scored.band else None,
        baseline=baseline if p_value is not None else "",
        p_value=p_value,
    )


def _differences(
    system: str, against: str, test_set: str, metric: Metric, scored: Sequence[_Scored], p_values: Mapping[str, float]
) -> list[DifferenceRow]:
    return [
        DifferenceRow(
            system=system,
            against=against,
            test_set=test_set,
            bucket=s.bucket.label,
            sentences=len(s.bucket.sentences),
            metric=metric.name,
            difference=s.difference.value,
            low=s.difference.interval.low,
            high=s.difference.interval.high,
            p_value=p_values[s.bucket.label],
        )
        for s in scored
        if s.difference
    ]


def _diagnoses(
    evaluations: Evaluations,
    buckets: Sequence[Bucket],
    resamplers: Mapping[str, Resampler],
    options: EvaluationOptions,
    gold: Gold | None,
) -> list[Row]:
    """Rows of every diagnosis that can be made, for each seed and all together, with bands where enough was seen."""
    rows = []
    for (name, diagnosis), (system, by_seed) in itertools.product(DIAGNOSES.items(), evaluations.items()):
        test_set = next(iter(by_seed.values())).test_set
        statistics = {seed: diagnosis.statistics(e, gold) for seed, e in by_seed.items()}
        for bucket in buckets:
            index, count = list(bucket.sentences), len(bucket.sentences)
            seen = {seed: s[index] for seed, s in statistics.items() if s[index, 1].sum() > 0}
            for seed in [*seen, *([ALL_SEEDS] if len(seen) > 1 else [])]:
                own = _of_seed(seen, seed)
                enough = min(int((s[:, 1] > 0).sum()) for s in own) >= options.min_sentences
                band = resamplers[bucket.label].band(diagnosis, own) if enough else None
                value = float(np.mean([diagnosis.many(s.sum(axis=0, keepdims=True))[0] for s in own]))
                low, high = (band.low, band.high) if band else (None, None)
                rows.append(Row(system, seed, test_set, bucket.label, count, name, value, low, high))
    return rows


def gradient_rows(evaluations: Evaluations, options: EvaluationOptions) -> list[GradientMap]:
    """In each bucket, how far output words reach back: the mean over its probed sentences and all seeds."""
    first = next(iter(next(iter(evaluations.values())).values()))
    made = []
    for bucket in make_buckets(first.sources, options.bucket_bounds):
        for system, by_seed in evaluations.items():
            maps = [e.gradients[i] for e in by_seed.values() for i in bucket.sentences if i in e.gradients]
            if maps:
                shares = np.mean(maps, axis=0).round(2).tolist()
                made.append(GradientMap(system, first.test_set, bucket.label, len(maps) // len(by_seed), shares))
    return made


class Share:
    """Percent of a sum of counts that was hit, of statistics (R, 2)."""

    def many(self, totals: np.ndarray) -> np.ndarray:
        return percent(totals)


def recall_by_place(evaluations: Evaluations, options: EvaluationOptions, gold: Gold | None) -> list[PlaceRow]:
    """In each bucket, the share of source words translated by their tenth of the sentence, over all seeds."""
    if gold is None:
        return []
    first = next(iter(next(iter(evaluations.values())).values()))
    share, rows = Share(), []
    for bucket in make_buckets(first.sources, options.bucket_bounds):
        index, count = list(bucket.sentences), len(bucket.sentences)
        if count < options.min_sentences:
            continue
        resampler = Resampler(count, options.resamples, options.confidence, options.seed)
        for system, by_seed in evaluations.items():
            counts = [by_part(e.sources, e.references, e.hypotheses, gold)[index] for e in by_seed.values()]
            for part in range(PARTS):
                statistics = [seed[:, part] for seed in counts]  # (N, 2) each
                words = int(statistics[0][:, 1].sum())
                if words:
                    band = resampler.band(share, statistics)
                    score = float(np.mean([share.many(s.sum(axis=0)[None])[0] for s in statistics]))
                    rows.append(
                        PlaceRow(system, first.test_set, bucket.label, part + 1, words, score, band.low, band.high)
                    )
    return rows


def sentence_set(evaluations: Evaluations, options: EvaluationOptions, gold: Gold | None = None) -> SentenceSet:
    """The sentences of a test set, with the outputs of every system's first seed and the scores of each."""
    firsts = {system: next(iter(by_seed.values())) for system, by_seed in evaluations.items()}
    first = next(iter(firsts.values()))
    labels = [""] * len(first.sources)
    for bucket in make_buckets(first.sources, options.bucket_bounds)[:-1]:
        for i in bucket.sentences:
            labels[i] = bucket.label
    scores = {
        metric.name: {system: metric.by_sentence(e.statistics(metric)).tolist() for system, e in firsts.items()}
        for metric in make_metrics(options.metrics)
    }
    return SentenceSet(
        test_set=first.test_set,
        buckets=labels,
        sources=first.sources,
        references=first.references,
        outputs={system: e.hypotheses for system, e in firsts.items()},
        scores=scores,
        shown=first.shown,
        heat_maps={system: e.heat_maps for system, e in firsts.items() if e.heat_maps},
        pictures={system: e.pictures for system, e in firsts.items() if e.pictures},
        gold={} if gold is None else {i: list(gold[i]) for e in firsts.values() for i in e.pictures},
    )

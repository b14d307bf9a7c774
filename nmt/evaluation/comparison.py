"""Scores of several systems side by side, against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nmt.errors import UserError
from nmt.evaluation.evaluate import Evaluation
from nmt.evaluation.results import ALL_SEEDS, DifferenceRow, Example, Row
from nmt.evaluation.scores import ALL, Bucket, EvaluationOptions, Metric, make_buckets, make_metrics
from nmt.evaluation.significance import Resampler, Statistics, holm, score

LENGTH_RATIO = "length_ratio"  # output words over reference words; brevity shows as less than 1

Evaluations = Mapping[str, Mapping[str, Evaluation]]  # system, seed


def compare_on(
    evaluations: Evaluations, baseline: str, options: EvaluationOptions
) -> tuple[list[Row], list[DifferenceRow]]:
    """Rows of one test set: every system and seed in every bucket, and each system's difference to the baseline.

    p-values of buckets are corrected for their number (Holm); that of ``all`` is one test and stays as it is.
    """
    first = next(iter(next(iter(evaluations.values())).values()))
    for by_seed in evaluations.values():
        for evaluation in by_seed.values():
            if evaluation.sources != first.sources or evaluation.references != first.references:
                raise UserError(f"test set '{first.test_set}': the systems were not scored on the same sentences")
    rows: list[Row] = []
    differences: list[DifferenceRow] = []
    buckets = make_buckets(first.sources, options.bucket_bounds)
    resamplers = {
        bucket.label: Resampler(len(bucket.sentences), options.resamples, options.confidence, options.seed)
        for bucket in buckets
        if len(bucket.sentences) >= options.min_sentences
    }
    statistics = {
        (system, seed): evaluation.statistics(options.metrics)
        for system, by_seed in evaluations.items()
        for seed, evaluation in by_seed.items()
    }
    for metric in make_metrics(options.metrics):
        by_system = {
            system: {seed: statistics[system, seed][metric.name] for seed in by_seed}
            for system, by_seed in evaluations.items()
        }
        for system, by_seed in by_system.items():
            groups = {seed: {seed: rows_of_seed} for seed, rows_of_seed in by_seed.items()}
            if len(by_seed) > 1:
                groups[ALL_SEEDS] = dict(by_seed)
            for seed, group in groups.items():
                against = None
                if system != baseline:
                    theirs = by_system[baseline]
                    against = (theirs if seed == ALL_SEEDS else {seed: theirs[seed]}) if seed in {*theirs, ALL_SEEDS} else None
                made, found = _compare_buckets(
                    metric, buckets, resamplers, list(group.values()), list(against.values()) if against else None
                )
                for row, difference in zip(made, found, strict=True):
                    label = {"system": system, "seed": seed, "test_set": first.test_set}
                    p_value = difference[3] if difference else None
                    rows.append(Row(**label, **row, baseline=baseline if difference else "", p_value=p_value))
                    if difference and (seed == ALL_SEEDS or len(by_seed) == 1):
                        differences.append(
                            DifferenceRow(
                                system, first.test_set, row["bucket"], row["sentences"], metric.name, *difference
                            )
                        )
    return rows + _length_ratios(evaluations, buckets), differences


def _compare_buckets(
    metric: Metric,
    buckets: Sequence[Bucket],
    resamplers: Mapping[str, Resampler],
    system: Statistics,
    baseline: Statistics | None,
) -> tuple[list[dict], list[tuple[float, float, float, float] | None]]:
    """Per bucket the score with its band, and the difference to the baseline with its band and corrected p-value."""
    rows, compared = [], {}
    for bucket in buckets:
        chosen = [statistics[list(bucket.sentences)] for statistics in system]
        resampler = resamplers.get(bucket.label)
        band = resampler.band(metric, chosen) if resampler else None
        rows.append({
            "bucket": bucket.label, "sentences": len(bucket.sentences), "metric": metric.name,
            "score": score(metric, chosen), "low": band.low if band else None, "high": band.high if band else None,
        })  # fmt: skip
        if resampler and baseline is not None:
            theirs = [statistics[list(bucket.sentences)] for statistics in baseline]
            compared[bucket.label] = resampler.compare(metric, chosen, theirs)
    tested = [label for label in compared if label != ALL]
    corrected = dict(zip(tested, holm([compared[label].p_value for label in tested]), strict=True))
    differences: list[tuple[float, float, float, float] | None] = []
    for bucket in buckets:
        found = compared.get(bucket.label)
        if found is None:
            differences.append(None)
            continue
        p_value = corrected.get(bucket.label, found.p_value)
        differences.append((found.value, found.interval.low, found.interval.high, p_value))
    return rows, differences


def _length_ratios(evaluations: Evaluations, buckets: Sequence[Bucket]) -> list[Row]:
    rows = []
    for system, by_seed in evaluations.items():
        for seed, evaluation in by_seed.items():
            ours, theirs = (np.array([len(t.split()) for t in texts]) for texts in (evaluation.hypotheses, evaluation.references))
            for bucket in buckets:
                index = list(bucket.sentences)
                ratio = float(ours[index].sum() / max(theirs[index].sum(), 1))
                rows.append(Row(system, seed, evaluation.test_set, bucket.label, len(index), LENGTH_RATIO, ratio))
    return rows


def pick_examples(evaluations: Evaluations, options: EvaluationOptions) -> list[Example]:
    """A few sentences of each bucket with the outputs of every system's first seed, chosen by the seed alone."""
    firsts = {system: next(iter(by_seed.values())) for system, by_seed in evaluations.items()}
    shown = next(iter(firsts.values()))
    rng = np.random.default_rng(options.seed)
    examples = []
    for bucket in make_buckets(shown.sources, options.bucket_bounds)[:-1]:
        count = min(options.examples_per_bucket, len(bucket.sentences))
        for i in sorted(rng.choice(bucket.sentences, count, replace=False).tolist()):
            outputs = {system: evaluation.hypotheses[i] for system, evaluation in firsts.items()}
            examples.append(Example(shown.test_set, bucket.label, shown.sources[i], shown.references[i], outputs))
    return examples
